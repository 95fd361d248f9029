# One Redis for the servers of a cluster: they fill it and read it, and none believes
# a value that it may not see yet, or not any more.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use RedisTest;
use StandbyTest;
use Test::More;

my $keys = 20;
my $redis = start_redis('redis');
my $primary = redis_node('primary', $redis, allows_streaming => 1, conf => <<'END');
cache.wal = on
cache.redis_force = on
END
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $fill = "SELECT count(cache_get('c', id)) FROM generate_series(1, $keys) AS id";
my $from_redis = "SELECT redis_hits FROM cache_stats WHERE name = 'c'";
my $following = "SELECT state = 'following' FROM cache_standby";
my $probe = "SELECT coalesce(bool_and(exact), true) FROM oracle WHERE name = 'c'";

# filled waits until Redis has all values of the cache.
sub filled
{
	$redis->wait_entries($keys, names($primary, 'c'));
	return;
}

# begin_empty leaves nothing in the memory of a server.
sub begin_empty
{
	my ($node) = @_;

	$node->restart;
	wait_state($node, 'up');
	if ($node->safe_psql('postgres', 'SELECT pg_is_in_recovery()') eq 't')
	{
		$node->poll_query_until('postgres', $following) or die 'it does not follow';
	}
	return;
}

setup_redis($primary, $keys);
$primary->backup('backup');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
wait_state($standby, 'up');
ok($standby->poll_query_until('postgres', $following), 'the standby follows');

# Each uses what the other has loaded.
is($primary->safe_psql('postgres', $fill), $keys, 'the primary loads');
filled();
catch_up($primary, $standby);
is($standby->safe_psql('postgres', $fill), $keys, 'the standby reads');
is($standby->safe_psql('postgres', $from_redis), $keys, 'all of it from Redis');
is(mismatches($standby), '', 'and that is exact');
$redis->command('FLUSHALL');
begin_empty($standby);
$standby->safe_psql('postgres', $fill);
filled();
begin_empty($primary);
catch_up($primary, $standby);
is($primary->safe_psql('postgres', $fill), $keys, 'what the standby has loaded');
is($primary->safe_psql('postgres', $from_redis), $keys, 'the primary finds in Redis');
is(mismatches($primary), '', 'and that is exact');
is($standby->poll_query_until('postgres', $following), 1, 'the standby follows the primary again');

# A function that only the standby's loads have met is replaced on the primary: before
# the primary uses the value that depends on it, and afterwards.
$primary->safe_psql('postgres', <<'END');
CREATE FUNCTION deep() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION near(k int) RETURNS numeric LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT price FROM item WHERE id = k); END';
CREATE FUNCTION far(k int) RETURNS numeric LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT price FROM item WHERE id = k) + deep(); END';
CREATE FUNCTION deeper() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION farther(k int) RETURNS numeric LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT price FROM item WHERE id = k) + deeper(); END';
CREATE FUNCTION load_far(k int) RETURNS numeric LANGUAGE plpgsql STABLE AS $$
DECLARE
  r numeric;
BEGIN
  EXECUTE format('SELECT %s($1)', CASE WHEN k < 10 THEN 'near' WHEN k < 15 THEN 'far' ELSE 'farther' END) INTO r USING k;
  RETURN r;
END $$;
SELECT cache_create('far', 'load_far(int)', redis => true);
SELECT cache_watch('far', 'item', 'id');
SELECT cache_get('far', 1);
END
$redis->wait_entries(1, names($primary, 'far'));
catch_up($primary, $standby);
$standby->safe_psql('postgres', "SELECT cache_get('far', 11), cache_get('far', 12)");
$redis->wait_entries(3, names($primary, 'far'));
is($primary->safe_psql('postgres', "SELECT cache_get('far', 12) = to_jsonb(load_far(12))"), 't',
	'the primary uses what the standby has loaded');
is($primary->safe_psql('postgres', "SELECT redis_hits FROM cache_stats WHERE name = 'far'"), 1, 'from Redis');
$primary->safe_psql('postgres', 'CREATE OR REPLACE FUNCTION deep() RETURNS int LANGUAGE plpgsql STABLE AS $$BEGIN RETURN 2; END$$');
is($primary->safe_psql('postgres', "SELECT cache_get('far', $_) = to_jsonb(load_far($_))"), 't',
	"a function that the standby's loads call is replaced: key $_")
  for 11, 12;

# CREATE TEMP TABLE changes no result; and the guard is taken out.
$primary->safe_psql('postgres', "SELECT cache_invalidate('far')");
catch_up($primary, $standby);
sync($primary, $redis);
$redis->command('FLUSHALL');
$standby->safe_psql('postgres', "SELECT cache_get('far', 18)");
$redis->wait_entries(1, names($primary, 'far'));
{
	my $session = session($primary, 'far', "SET cache.removed_guard = 'elsewhere'");
	my $hits = "SELECT hits FROM cache_stats WHERE name = 'far'";
	my $before;

	$session->run("SELECT cache_get('far', 18)");
	$primary->safe_psql('postgres', "SELECT cache_get('far', 11), cache_get('far', 12)");
	$before = $primary->safe_psql('postgres', $hits);
	$primary->safe_psql('postgres', "CREATE TEMP TABLE aside (t text)");
	$primary->safe_psql('postgres', "SELECT cache_get('far', 11), cache_get('far', 12)");
	is($primary->safe_psql('postgres', $hits), $before + 2, 'a temporary table concerns nobody');
	$primary->safe_psql('postgres', 'CREATE OR REPLACE FUNCTION deeper() RETURNS int LANGUAGE plpgsql STABLE AS $$BEGIN RETURN 2; END$$');
	is($primary->safe_psql('postgres', "SELECT cache_get('far', 18) = to_jsonb(load_far(18))"), 'f',
		'without the guard elsewhere');
	$session->quit;
}

# A standby that is behind: the value in Redis is newer than what it sees. The guard is
# taken out in one session.
begin_empty($standby);
for my $removed ('', 'redis_position')
{
	my $title = $removed ? "without the guard $removed" : 'a standby that is behind';
	my $session;

	$redis->command('FLUSHALL');
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
	$standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'")
	  or die 'the replay does not pause';
	$primary->safe_psql('postgres', "UPDATE item SET price = price + 1; $fill");
	filled();
	$session = session($standby, 'behind', "SET cache.removed_guard = '$removed'");
	is($session->run($probe), $removed ? 'f' : 't', $title);
	$session->quit;
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
	catch_up($primary, $standby);
	is(mismatches($standby), '', 'when it has caught up') if !$removed;
	begin_empty($standby);
}

# A failover, and the former primary lives on in a world of its own.
$redis->command('FLUSHALL');
$primary->safe_psql('postgres', "SELECT cache_invalidate('c'); $fill");
filled();
catch_up($primary, $standby);
$standby->promote;
wait_state($standby, 'up');
is($standby->safe_psql('postgres', $fill), $keys, 'after a promotion');
is($standby->safe_psql('postgres', $from_redis), $keys, 'Redis is warm');
is(mismatches($standby), '', 'and exact');

for my $removed ('', 'redis_timeline')
{
	my $title = $removed ? "without the guard $removed" : 'the former primary fills Redis';
	my $session;

	# The new primary's WAL is longer than that of the former one.
	$standby->safe_psql('postgres', 'CREATE TABLE IF NOT EXISTS filler (t text); INSERT INTO filler SELECT repeat(md5(i::text), 30) FROM generate_series(1, 5000) AS i');
	begin_empty($standby);
	$redis->command('FLUSHALL');
	$primary->safe_psql('postgres', "UPDATE item SET price = price + 1000; $fill");
	filled();
	$session = session($standby, 'new', "SET cache.removed_guard = '$removed'");
	is($session->run($probe), $removed ? 'f' : 't', $title);
	$session->quit;
	is(mismatches($standby), '', 'exact') if !$removed;
}
is(mismatches($primary), '', 'the former primary is exact, too');
$standby->stop;
$primary->stop;
done_testing();
