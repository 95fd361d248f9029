# The Redis tier at work: a get goes to shared memory, to Redis, to the loader, and
# each fills the one above. Its keys, its settings, its view.
use strict;
use warnings;
use CacheTest;
use IO::Socket::IP;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $keys = 20;
my $all = $keys + 1;
my $redis = start_redis('redis');
my $node = redis_node('redis', $redis);
my $fill = "SELECT count(cache_get('c', id)) FROM generate_series(1, $all) AS id";
my $stats = "SELECT hits, redis_hits, misses, loads FROM cache_stats WHERE name = 'c'";
my $next = 1;

setup_redis($node, $keys);

# fresh gets a key that nobody has asked for.
sub fresh
{
	$next++;
	return $node->safe_psql('postgres', "SELECT cache_get('d', -$next) IS NULL");
}

# restart leaves nothing in shared memory.
sub restart
{
	$node->restart;
	wait_state($node, 'up');
	return;
}

# Three levels. The key after the last one has no row: its NULL is a value as well.
is($node->safe_psql('postgres', $fill), $keys, 'values');
is($node->safe_psql('postgres', $stats), "0|0|$all|$all", 'the loader gives them');
$redis->wait_entries($all);
$node->safe_psql('postgres', $fill);
is($node->safe_psql('postgres', $stats), "$all|0|$all|$all", 'then shared memory does');
restart();
is($node->safe_psql('postgres', $fill), $keys, 'values after a restart');
is($node->safe_psql('postgres', $stats), "0|$all|0|0", 'Redis gives them');
$node->safe_psql('postgres', $fill);
is($node->safe_psql('postgres', $stats), "$all|$all|0|0", 'and fills shared memory');
is(mismatches($node), '', 'the oracle');
$redis->wait_entries($all + $keys);
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1 WHERE id = 1');
$redis->wait_entries($all + $keys - 2);
is(mismatches($node), '', 'after a write');
is(redis_row($node, 'hits > 0', 'gets = hits + absent + stale', 'stale < 5', 'corrupt', 'failures', 'no_connection'),
	't|t|t|0|0|0', 'what the view counts (keys may share a fence)');

# What the names of keys tell
my @names = $redis->entries;
is((grep { !/^cache:[\w-]{22}$/ } @names), 0, 'the names of keys');
is(scalar $redis->entries(names($node)), scalar @names, 'begin with what stands for the server');
is((grep { $_ eq 'c' || $_ eq 'd' } map { my $cache = $_; ($cache) x $redis->entries(names($node, $cache)) } qw(c d)),
	scalar @names, 'and for the cache');

# A cache that does not ask for Redis leaves nothing there.
$node->safe_psql('postgres', <<'END');
SELECT cache_create('plain', 'loader(integer)');
SELECT cache_watch('plain', 'item', 'id');
END
$redis->command('FLUSHALL');
$node->safe_psql('postgres', "SELECT cache_get('plain', 1), cache_get('plain', 2)");
fresh();
$redis->wait_entries(1);
$node->safe_psql('postgres', "SELECT cache_alter('plain', redis => true)");
$node->safe_psql('postgres', "SELECT cache_get('plain', 1)");
$redis->wait_entries(2);
pass('a cache uses Redis only if it is told to');
$node->safe_psql('postgres', "SELECT cache_drop('plain')");

# Values of many types come back as they were, as jsonb and as what they are: two
# entries each, but for jsonb.
my %types = (
	integer => [ 'integer', '$1' ],
	bigint => [ 'bigint', '$1 * 10000000000' ],
	boolean => [ 'boolean', '$1 % 2 = 0' ],
	text => [ 'text', q{repeat(E'\' " \\\\ \u20ac\n', $1)} ],
	empty => [ 'text', q{''::text} ],
	compressed => [ 'text', q{repeat('abc', 5000)} ],
	objects => [ 'jsonb', q{(SELECT jsonb_agg('key' || i % 7) FROM generate_series(1, 1000) AS i)} ],
	large => [ 'text', q{(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 5000) AS i)} ],
	numeric => [ 'numeric', q{123456789012345678901234567890.1230 / $1} ],
	float8 => [ 'float8', '1.0::float8 / 3 * $1' ],
	bytea => [ 'bytea', q{'\x00ff0d0a'::bytea} ],
	name => [ 'name', q{'a name'::name} ],
	timestamptz => [ 'timestamptz', q{'2024-02-29 12:00:00.123456+02'::timestamptz} ],
	interval => [ 'interval', q{'1 mon 2 days 3.5 s'::interval} ],
	array => [ 'integer[]', 'ARRAY[1, NULL, $1]' ],
	texts => [ 'text[]', q{ARRAY['a', NULL, '"', '']} ],
	range => [ 'int4range', 'int4range($1, $1 + 10)' ],
	jsonb => [ 'jsonb', q{jsonb_build_object('a', $1, 'b', 'null'::jsonb, 'c', '{1,2}'::text)} ],
	uuid => [ 'uuid', 'md5($1::text)::uuid' ],
	row => [ 'item', 'ROW($1, 10)::item' ],
	rows => [ 'item[]', 'ARRAY[ROW($1, 10)::item, NULL]' ],
	enum => [ 'mood', q{'ok'::mood} ],
	domain => [ 'positive', '$1::positive' ],
	nothing => [ 'integer', 'NULL::integer' ]);
my $types = keys %types;

$node->safe_psql('postgres', <<'END' . join('', map { <<"END" } sort keys %types) . <<'END');
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE answers (name text, exact boolean);
END
CREATE FUNCTION load_$_(integer) RETURNS $types{$_}[0] LANGUAGE sql STABLE AS \$f\$SELECT $types{$_}[1]\$f\$;
SELECT cache_create('type_$_', 'load_$_(integer)', redis => true);
INSERT INTO answers SELECT 'type_$_', true;
END
CREATE FUNCTION look() RETURNS text LANGUAGE plpgsql AS $$
DECLARE wrong text := '';
  loader text;
  cache text;
  exact boolean;
BEGIN
  FOR cache IN SELECT name FROM answers LOOP
    loader := replace(cache, 'type_', 'load_');
    EXECUTE format('SELECT cache_get(%L, 7) IS NOT DISTINCT FROM to_jsonb(%I(7))
        AND cache_get_as(%2$I(7), %1$L, 7) IS NOT DISTINCT FROM %2$I(7)', cache, loader) INTO exact;
    IF NOT exact THEN
      wrong := wrong || ' ' || cache;
    END IF;
  END LOOP;
  RETURN wrong;
END$$;
END
$redis->command('FLUSHALL');
is($node->safe_psql('postgres', 'SET cache.compression = pglz; SELECT look()'), '', 'many types');
$redis->wait_entries(2 * $types - 2);
restart();
is($node->safe_psql('postgres', "SELECT pg_column_size(cache_get_as(NULL::text, 'type_compressed', 7)) < 5000"),
	't', 'compressed as they were sent');
is($node->safe_psql('postgres', 'SELECT look()'), '', 'many types, from Redis');
is( $node->safe_psql('postgres', "SELECT name, loads FROM cache_stats WHERE name ~ '^type_' AND loads > 0"),
	'', 'without a load');
is(redis_row($node, 'corrupt', 'failures'), '0|0', 'and without damage');

# Keys expire in Redis: with their ttl, or with cache.redis_expire.
$node->safe_psql('postgres', <<'END');
CREATE TABLE rate (id integer PRIMARY KEY, price integer);
INSERT INTO rate SELECT i, i FROM generate_series(1, 4) AS i;
CREATE FUNCTION load_rate(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM rate WHERE id = $1';
SELECT cache_create('rate', 'load_rate(integer)', redis => true, ttl => '1 hour');
SELECT cache_create('soon', 'load_rate(integer)', redis => true, ttl => '2 seconds');
END

# expires gives the time that the only key has left, in seconds.
sub expires
{
	my ($sql) = @_;

	$redis->command('FLUSHALL');
	$node->safe_psql('postgres', $sql);
	$redis->wait_entries(1);
	return $redis->command('PTTL', $redis->entries) / 1000;
}
my $left = expires("SELECT cache_get('rate', 1)");
cmp_ok($left, '<=', 3600, 'a key with a ttl: no longer than that');
cmp_ok($left, '>', 3600 * 0.95 - 180, 'and nearly as long');
$left = expires("SELECT cache_get('d', 1000)");
cmp_ok($left, '<=', 86400, 'a key without ttl: a day');
cmp_ok($left, '>', 86400 * 0.9, 'nearly');
configure($node, 'cache.redis_expire' => '10min');
$left = expires("SELECT cache_get('d', 1001)");
cmp_ok($left, '<=', 600, 'or as long as is set');
cmp_ok($left, '>', 500, 'nearly');

# What has expired is not used, even if Redis does not know it.
$redis->outlive(1, sub {
	$node->safe_psql('postgres', "SELECT cache_invalidate('soon')");
	is($node->safe_psql('postgres', "SELECT cache_get('soon', 1)"), 1, 'a value with a short ttl');
});
my $loaded = $node->safe_psql('postgres', 'SELECT now()');
$node->safe_psql('postgres', 'UPDATE rate SET price = 1000');
restart();
wait_for($node, "now() > '$loaded'::timestamptz + interval '2 seconds'");
is($redis->count, 1, 'it is still there');
is($node->safe_psql('postgres', "SELECT cache_get('soon', 1)"), 1000, 'and is not used');

# Settings take effect with a reload. Nothing is on its way any more.
sync($node, $redis);
$redis->command('FLUSHALL');
configure($node, 'cache.redis_db' => 3);
fresh();
$redis->command('SELECT', 3);
$redis->wait_entries(1);
$redis->command('SELECT', 0);
is($redis->count, 0, 'cache.redis_db');
configure($node, 'cache.redis_db' => 0);
configure($node, 'cache.redis_prefix' => 'other');
fresh();
$redis->wait_entries(1, 'other:*');
is($redis->count, 0, 'cache.redis_prefix');
configure($node, 'cache.redis_prefix' => 'cache', 'cache.redis_addr' => $redis->socket_path);
wait_state($node, 'up');
fresh();
$redis->wait_entries(1);
pass('cache.redis_addr: a socket');
like($redis->command('CLIENT', 'LIST'), qr/\Q@{[ $redis->socket_path ]}\E.* user=default/, 'by which it came');
unlike($redis->command('CLIENT', 'LIST'), qr/127\.0\.0\.1:\d+ .* user=default/, 'and no other connection is left');
SKIP:
{
	my $v6 = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $redis->port)
	  or skip('no IPv6 here', 1);
	close $v6;
	sync($node, $redis);
	$redis->command('FLUSHALL');
	configure($node, 'cache.redis_addr' => '[::1]:' . $redis->port);
	wait_state($node, 'up');
	fresh();
	$redis->wait_entries(1);
	pass('cache.redis_addr: IPv6');
}
sync($node, $redis);
$redis->command('FLUSHALL');
configure($node, 'cache.redis_addr' => 'localhost:' . $redis->port);
wait_state($node, 'up');
fresh();
$redis->wait_entries(1);
pass('cache.redis_addr: a name');
foreach my $bad ('localhost', 'localhost:', ':6379', 'localhost:0', 'localhost:65536', 'localhost:x', '[::1]', '[::1')
{
	my ($status, undef, $error) =
	  $node->psql('postgres', "ALTER SYSTEM SET cache.redis_addr = '$bad'");

	ok($status && $error =~ /invalid value for parameter "cache.redis_addr"/, "cache.redis_addr: not $bad");
}

# Names and passwords
my $password = 'se"cret \\ pass\'word';
$redis->command('CONFIG', 'SET', 'requirepass', $password);
configure($node, 'cache.redis_addr' => $redis->addr, 'cache.redis_password' => 'another one');
wait_state($node, 'down');
like(redis_row($node, 'last_error'), qr/WRONGPASS|invalid/i, 'a wrong password');
is(fresh(), 't', 'is no error for a query');
configure($node, 'cache.redis_password' => $password);
wait_state($node, 'up');
pass('the right one');
$redis->command('ACL', 'SETUSER', 'default', 'off');
$redis->command('ACL', 'SETUSER', 'app', 'on', ">$password", '~cache:*', '&cache:*',
	'+@all', '-@dangerous', '-@admin');
$redis->command('CLIENT', 'KILL', 'USER', 'default');
configure($node, 'cache.redis_username' => 'app');
wait_state($node, 'up');
$redis->command('FLUSHALL');
fresh();
$redis->wait_entries(1);
like($redis->command('CLIENT', 'LIST'), qr/ user=app /, 'a user who may do what is needed, and no more');
is(redis_row($node, 'state', 'failures'), redis_row($node, "'up'", 'failures'), 'all goes well');

# Others do not get to see the password.
$node->safe_psql('postgres', 'CREATE ROLE reader; GRANT USAGE, CREATE ON SCHEMA public TO reader');
like(
	($node->psql('postgres', 'SET ROLE reader; SHOW cache.redis_password'))[2],
	qr/must be superuser or have privileges of pg_read_all_settings|must be superuser or a member of pg_read_all_settings|permission denied/,
	'SHOW');
unlike($node->safe_psql('postgres', 'SET ROLE reader; TABLE pg_settings; TABLE cache_redis'),
	qr/se"cret/, 'views');
is((grep { /se"cret|another one/ && !/ parameter "cache.redis_password" changed to / }
		split /\n/, slurp_file($node->logfile)),
	0, 'the log, but for what PostgreSQL writes of every setting that it reloads');
like(
	($node->psql('postgres', "SET ROLE reader; SET cache.redis_password = 'x'"))[2],
	qr/cannot be changed now|permission denied/, 'nor may they set it');

# A cache whose loader is faster than Redis does without, unless it must not.
configure($node, 'cache.redis_force' => 'off');
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION slow(integer) RETURNS integer LANGUAGE plpgsql STABLE AS
  'BEGIN PERFORM pg_sleep(0.05); RETURN $1; END';
SELECT cache_create('slow', 'slow(integer)', redis => true);
END
$redis->command('FLUSHALL');
$node->safe_psql('postgres', "SELECT cache_get('slow', id) FROM generate_series(1, 10) AS id");
$redis->wait_entries(10);
restart();
$node->safe_psql('postgres', "SELECT cache_get('slow', id) FROM generate_series(1, 10) AS id");
is($node->safe_psql('postgres', "SELECT redis_hits, loads FROM cache_stats WHERE name = 'slow'"),
	'10|0', 'a slow loader: Redis is used');

my $proxy = start_proxy($redis);
configure($node, 'cache.redis_addr' => $proxy->addr);
wait_state($node, 'up');
$proxy->fault('delay', match => '^GET$', seconds => 0.02);
poll(
	'Redis not to be asked',
	sub {
		my $gets = redis_row($node, 'gets');

		$node->safe_psql('postgres',
			"SELECT count(cache_get('d', id)) FROM generate_series($next, $next + 49) AS id");
		$next += 50;
		return redis_row($node, 'gets') == $gets;
	});
is($node->safe_psql('postgres', "SELECT cache_get('slow', -id) FROM generate_series(1, 2) AS id"),
	"-1\n-2", 'a fast loader: Redis is not used');
is(redis_row($node, 'skipped'), 0, 'not because it is down');
$proxy->fault('pass');

# Off
configure($node, 'cache.redis_addr' => '');
wait_state($node, 'off');
poll('no connections', sub { $redis->clients == 0 });
is(redis_row($node, 'connections', 'idle'), '0|0', 'off: no connections');
my $before = $redis->info('total_commands_processed');
is(mismatches($node), '', 'off: the oracle');
cmp_ok($redis->info('total_commands_processed'), '<=', $before + 2, 'off: Redis is not asked');
is(redis_row($node, 'state', 'queued'), 'off|0', 'off: nothing waits for it');
$node->stop;
done_testing();
