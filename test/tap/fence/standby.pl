# A hot standby runs the loader: nothing tells it of the primary's writes. When it
# is promoted it begins to cache, and respects what is prepared.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $keys = 20;
my $primary = new_node('primary', allows_streaming => 1);
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $fill = 'SELECT count(got) FROM oracle';
my $write = 'UPDATE item SET price = price + 1';
my ($old, $stats);

setup_item($primary, $keys);
$primary->safe_psql('postgres', $fill);
$primary->backup('backup');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

is($standby->safe_psql('postgres', $fill), $keys, 'values on the standby');
is(mismatches($standby), '', 'the oracle on the standby');
is(mismatches($standby), '', 'and again');
$old = session($standby, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', $fill);
$primary->safe_psql('postgres', "$write; DELETE FROM item WHERE id = 3;");
$primary->wait_for_catchup($standby);
is(mismatches($standby), '', 'after a write on the primary');
is($old->run('SELECT * FROM oracle WHERE NOT exact'), '', 'an old snapshot');
is($old->run("SELECT cache_get('c', 3)"), 30, 'which sees the old value');
$old->quit;
is($standby->safe_psql('postgres', "SELECT coalesce(sum(hits), 0) FROM cache_stats"),
	0, 'nothing comes from the cache');
like(
	($standby->psql('postgres', "SELECT cache_invalidate('c'); SELECT cache_create('d')"))[2],
	qr/read-only|recovery/,
	'a cache cannot be created there');
$primary->safe_psql('postgres',
	"CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price + 1000 FROM item WHERE id = \$1'");
$primary->wait_for_catchup($standby);
is(mismatches($standby), '', 'after DDL on the primary');

# Sessions that were there before the promotion go on after it.
$old = session($standby, 'old', $fill);
$primary->safe_psql('postgres',
	"BEGIN; UPDATE item SET price = 0 WHERE id = 1; PREPARE TRANSACTION 'survivor'");
$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
is(mismatches($standby), '', 'after the promotion');
$standby->safe_psql('postgres', $fill) for 1 .. 2;
is($old->run('SELECT * FROM oracle WHERE NOT exact'), '', 'in a session from before it');
$standby->safe_psql('postgres', "COMMIT PREPARED 'survivor'");
is(mismatches($standby), '', 'what was prepared on the primary is committed');
is($standby->safe_psql('postgres', "SELECT cache_get('c', 1)"), 1000, 'and seen');
$standby->safe_psql('postgres', $write);
is(mismatches($standby), '', 'after a write of its own');
$standby->safe_psql('postgres', $fill);
$stats = $standby->safe_psql('postgres', "SELECT hits > 0, entries FROM cache_stats WHERE name = 'c'");
is($stats, 't|' . ($keys + 1), 'it caches');
$old->quit;
$standby->stop;
done_testing();
