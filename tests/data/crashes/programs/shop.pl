# A shop that says how it came to its end.
use strict;
use warnings;
use Carp qw(confess);
$| = 1;
my $head = $ENV{HEAD} // '';

sub take { my ($item) = @_; confess "no $item since 12:00:01" }
sub sell { my ($item) = @_; take($item) }

print "${head}customer $_ enters the shop\n" for 0 .. 2;
sell('tea');
