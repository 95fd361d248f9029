# A hot standby caches, exactly, while the primary tells by WAL what it invalidates.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $keys = 20;
my $primary = new_node('primary', allows_streaming => 1, conf => 'cache.wal = on');
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $fill = 'SELECT count(got) FROM oracle';
my $write = 'UPDATE item SET price = price + 1';
my $hits = "SELECT coalesce(sum(hits), 0) FROM cache_stats";
my ($old, $before);

setup_item($primary, $keys);
$primary->safe_psql('postgres', $fill);
$primary->backup('backup');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
ok($standby->poll_query_until('postgres', "SELECT state = 'following' FROM cache_standby"),
	'the standby follows');

is($standby->safe_psql('postgres', $fill), $keys, 'values on the standby');
is(mismatches($standby), '', 'the oracle on the standby');
cmp_ok($standby->safe_psql('postgres', $hits), '>=', $keys, 'which came from the cache');
$old = session($standby, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', $fill);
$primary->safe_psql('postgres', "$write; DELETE FROM item WHERE id = 3;");
$primary->wait_for_catchup($standby);
is(mismatches($standby), '', 'after a write on the primary');
is($old->run('SELECT * FROM oracle WHERE NOT exact'), '', 'an old snapshot');
is($old->run("SELECT cache_get('c', 3)"), 30, 'which sees the old value');
$old->quit;
$before = $standby->safe_psql('postgres', $hits);
is(mismatches($standby), '', 'again');
cmp_ok($standby->safe_psql('postgres', $hits), '>', $before + $keys, 'all from the cache');
$primary->safe_psql('postgres',
	"CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price + 1000 FROM item WHERE id = \$1'");
$primary->wait_for_catchup($standby);
is(mismatches($standby), '', 'after DDL on the primary');
is(mismatches($standby), '', 'and again');
$primary->safe_psql('postgres', 'TRUNCATE item');
$primary->wait_for_catchup($standby);
is(mismatches($standby), '', 'after TRUNCATE');
$standby->stop;
done_testing();
