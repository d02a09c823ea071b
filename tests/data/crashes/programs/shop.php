<?php
// A shop whose till fails because the stock failed.
$head = getenv('HEAD') ?: '';

function take(string $item): int
{
    throw new OutOfBoundsException("no $item since 12:00:01");
}

function sell(string $item): int
{
    try {
        return take($item);
    } catch (OutOfBoundsException $error) {
        throw new RuntimeException("cannot sell $item", 1, $error);
    }
}

for ($number = 0; $number < 3; $number++) {
    fwrite(STDOUT, "{$head}customer $number enters the shop\n");
}
sell('tea');
