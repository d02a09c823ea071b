# A shop whose helper is killed by what it did.
for number in 0 1 2; do
    echo "${HEAD:-}customer $number enters the shop"
done
bash -c 'kill -SEGV $$'
exit 1
