# Caches come and go on the primary, more than there are places: on a standby those that
# are dropped leave theirs, and one that is there keeps its own.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use StandbyTest;
use Test::More;

my $keys = 20;
my $cluster = new_cluster(setup => sub { setup_item($_[0], $keys) });
my ($primary, $standby) = @$cluster{qw(primary standby)};
my $fill = 'SELECT count(got) FROM oracle';
my $before;

$standby->safe_psql('postgres', $fill) for 1 .. 2;
$primary->safe_psql('postgres', <<'END');
DO $$BEGIN
  FOR i IN 1 .. 1100 LOOP
    PERFORM cache_create('passing', 'loader(integer)');
    COMMIT;
    PERFORM cache_drop('passing');
    COMMIT;
  END LOOP;
END$$
END
catch_up($primary, $standby);
$before = hits($standby);
$standby->safe_psql('postgres', $fill);
cmp_ok(hits($standby), '>=', $before + $keys, 'a cache keeps its place');
is(mismatches($standby), '', 'exact');
$primary->safe_psql('postgres', 'BEGIN; SELECT cache_drop(\'c\'); ROLLBACK; UPDATE item SET price = price + 1');
catch_up($primary, $standby);
is(mismatches($standby), '', 'after a drop that is rolled back') for 1 .. 2;
$standby->stop;
$primary->stop;
done_testing();
