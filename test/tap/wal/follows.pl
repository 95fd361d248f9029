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

# The primary has loaded nothing of this cache, and so does not know what its loads read.
$primary->safe_psql('postgres', <<'END');
CREATE TABLE user_account (id integer PRIMARY KEY, name text, seen integer);
INSERT INTO user_account SELECT i, 'name ' || i, 0 FROM generate_series(1, 5) AS i;
CREATE FUNCTION account_name(integer) RETURNS text LANGUAGE sql STABLE
  AS 'SELECT name FROM user_account WHERE id = $1';
SELECT cache_create('account', 'account_name(integer)'), cache_watch('account', 'user_account', 'id');
END
$primary->wait_for_catchup($standby);
$fill = "SELECT count(*) FILTER (WHERE cache_get('account', i) IS NOT DISTINCT FROM to_jsonb(account_name(i))) FROM generate_series(1, 5) AS i";
$hits = "SELECT hits FROM cache_stats WHERE name = 'account'";
is($standby->safe_psql('postgres', $fill), 5, 'a cache that only standbys use');
$primary->safe_psql('postgres', 'UPDATE user_account SET seen = seen + 1');
$primary->wait_for_catchup($standby);
$before = $standby->safe_psql('postgres', $hits);
is($standby->safe_psql('postgres', $fill), 5, 'after an update of a column that no load has read');
is($standby->safe_psql('postgres', $hits), $before + 5, 'all from the cache');
$primary->safe_psql('postgres', 'UPDATE user_account SET name = upper(name)');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $fill), 5, 'and of one that all have');
is($standby->safe_psql('postgres', $hits), $before + 5, 'which are loaded again');
$standby->stop;
done_testing();
