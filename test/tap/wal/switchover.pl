# The primary is stopped in good order, and a standby takes its place: its own standby,
# which sees both in WAL, has missed nothing, and its caches stay warm.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use StandbyTest;
use Test::More;

my $keys = 20;
my $cluster = new_cluster(cascade => 1, setup => sub { setup_item($_[0], $keys) });
my ($primary, $standby, $cascade) = @$cluster{qw(primary standby cascade)};
my $fill = 'SELECT count(got) FROM oracle';
my ($standby_hits, $cascade_hits);

$_->safe_psql('postgres', $fill) for $standby, $cascade;
$primary->stop('fast');
in_state($_, 'between') for $standby, $cascade;
($standby_hits, $cascade_hits) = (hits($standby), hits($cascade));
$standby->promote;
following($cascade);
is(mismatches($_), '', $_->name . ' is exact') for $standby, $cascade;
cmp_ok(hits($standby), '>=', $standby_hits + $keys, 'the new primary is warm');
cmp_ok(hits($cascade), '>=', $cascade_hits + $keys, 'and so is its standby');
$standby->safe_psql('postgres', 'UPDATE item SET price = price + 1');
catch_up($standby, $cascade);
is(mismatches($_), '', $_->name . ' is exact after a write') for $standby, $cascade, $cascade;
$cascade->stop;
$standby->stop;
done_testing();
