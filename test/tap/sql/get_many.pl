# cache_get_many() with Redis: all that shared memory lacks in one round trip, each
# value as exact as that of a single get, whatever Redis gives; and side by side
# with other sessions.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my $proxy = start_proxy($redis);
my $node = redis_node('get_many', $proxy->addr);

wait_state($node, 'up');
setup_redis($node, 2000);
$node->safe_psql('postgres', <<'END');
SELECT cache_create('kv', redis => true);
CREATE FUNCTION wrong(ids int[], which text DEFAULT 'c') RETURNS TABLE (k int, v jsonb, l int, n bigint) LANGUAGE sql STABLE AS $$
  SELECT key, value, loader(key), n FROM cache_get_many(which, ids) WITH ORDINALITY m (key, value, n)
  WHERE value IS DISTINCT FROM to_jsonb(loader(key)) OR key IS DISTINCT FROM ids[n]
$$;
END

my $all = "ARRAY(SELECT generate_series(1, 300))";

# wrong lists the keys whose values, or whose places, are not right: none, ever.
sub wrong
{
	my ($keys, $which) = @_;

	$which //= 'c';
	return $node->safe_psql('postgres', "SELECT * FROM wrong($keys, '$which')");
}

# counters gives those of the cache, and how many MGETs and GETs Redis has seen,
# since this was last asked.
sub counters
{
	my ($cache) = @_;
	my $own = $node->safe_psql('postgres',
		"SELECT hits, redis_hits, misses, loads FROM cache_stats WHERE name = '$cache'; SELECT cache_stats_reset('$cache')");
	my $seen = $proxy->seen;

	$own =~ s/\s+//g;
	return sprintf('%s mget %d get %d', $own, $seen->{MGET} // 0, $seen->{GET} // 0);
}

# forget empties shared memory; a clean restart leaves Redis in use.
sub forget
{
	$node->restart;
	wait_state($node, 'up');
	counters('c');
	counters('kv');
	return;
}

is(wrong($all), '', 'nothing is anywhere');
$redis->wait_entries(300);
forget();
is($node->safe_psql('postgres', "SELECT count(value) FROM cache_get_many('c', $all)"), 300, 'from Redis');
is(counters('c'), '0|300|0|0 mget 1 get 0', 'all of it, in one MGET');
is($node->safe_psql('postgres', "SELECT count(value) FROM cache_get_many('c', $all)"), 300, 'from memory');
is(counters('c'), '300|0|0|0 mget 0 get 0', 'stored there');
is(wrong($all), '', 'the right ones');

# Some are in memory, some in Redis, some nowhere, with duplicates and nulls.
forget();
$node->safe_psql('postgres', "SELECT count(cache_get('c', i)) FROM generate_series(1, 10) i");
counters('c');
my $mixed = 'ARRAY[500, 1, NULL, 200, 5, 200, 501, 500, 9999, NULL, 1, 11]';
is($node->safe_psql('postgres', "SELECT string_agg(coalesce(value::text, '-'), ' ') FROM cache_get_many('c', $mixed)"),
	'5000 10 - 2000 50 2000 5010 5000 - - 10 110', 'mixed');
is(counters('c'), '5|3|4|4 mget 1 get 0', 'each from where it is, and equal ones once');
is(wrong($mixed), '', 'and right');

# What is in Redis is outdated, damaged, another key's, no value, or not there.
forget();
my $copy = $redis->copy;
my @names = sort keys %$copy;
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1');
sync($node, $redis);
$redis->paste($copy);
$redis->command('SET', $names[0], 'rubbish');
$redis->command('COPY', $names[1], $names[2], 'REPLACE');
$redis->command('DEL', $names[3]);
$redis->command('LPUSH', $names[3], 'a list');
# All that are there are asked for: which names come first is chance.
is(wrong('ARRAY(SELECT generate_series(1, 310)) || ARRAY[500, 501, 9999]'), '', 'old copies, rubbish and other keys are not used');
is($node->safe_psql('postgres', 'SELECT stale > 200 AND corrupt >= 2 FROM cache_redis'), 't', 'they were seen');

# Under an old snapshot, in a transaction that has written, while others write.
my $old = session($node, 'old');
$old->run('BEGIN ISOLATION LEVEL REPEATABLE READ');
$old->run("SELECT * FROM wrong($all)");
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1 WHERE id % 3 = 0');
is(wrong($all), '', 'after a write');
is($old->run("SELECT * FROM wrong($all)"), '', 'under an old snapshot');
$old->run('ROLLBACK; BEGIN; UPDATE item SET price = price + 1 WHERE id % 2 = 0');
is($old->run("SELECT * FROM wrong($all)"), '', 'own writes');
is(wrong($all), '', "others' writes");
$old->run('ROLLBACK');
is(wrong($all), '', 'rolled back');
$old->quit;

# Another session loads some of the same keys: they are waited for, and not loaded
# again; two with the same keys in opposite order do not wait for each other forever.
forget();
$redis->command('FLUSHALL');
my $holder = session($node, 'holder');
my $first = session($node, 'first', "SET cache.stop_points = 'loaded'");
hold($holder, 'loaded');
$first->park("SELECT count(value) FROM cache_get_many('c', ARRAY[3, 2, 1])");
my $second = session($node, 'second');
$second->park("SELECT count(value) FROM cache_get_many('c', ARRAY[1, 2, 3])");
release($holder, 'loaded');
is($first->join, 3, 'one loads');
is($second->join, 3, 'the other waits');
is($node->safe_psql('postgres', "SELECT loads FROM cache_stats WHERE name = 'c'"), 3, 'each key was loaded once');
$_->quit for $holder, $first, $second;

# Caches without a loader.
$node->safe_psql('postgres', "SELECT cache_set('kv', i::text, to_jsonb(i), cost => 3) FROM generate_series(1, 100) i");
$redis->command('FLUSHALL');
my $keys = "ARRAY(SELECT i::text FROM generate_series(1, 101) i)";
my $sum = "SELECT count(value), sum(value::int) FROM cache_get_many('kv', $keys)";
is($node->safe_psql('postgres', $sum), '100|5050', 'kv: from their table');
$redis->wait_entries(101);
forget();
is($node->safe_psql('postgres', $sum), '100|5050', 'kv: from Redis');
is(counters('kv'), '0|101|0|0 mget 1 get 0', 'kv: in one MGET');
$node->safe_psql('postgres', "SELECT cache_set('kv', '7', '1007')");
is($node->safe_psql('postgres', $sum), '100|6050', 'kv: set anew');

# Answers that are none: too short, too long, of other types, arrays in arrays, cut
# off; and none at all.
my @faults = (
	[ 'reply', "*3\r\n\$-1\r\n\$-1\r\n\$-1\r\n" ], [ 'reply', "*5\r\n" . "\$-1\r\n" x 5 ],
	[ 'reply', "*0\r\n" ], [ 'reply', "*-1\r\n" ], [ 'reply', "*4\r\n:1\r\n+OK\r\n-ERR no\r\n\$-1\r\n" ],
	[ 'reply', "*4\r\n" . "*1\r\n\$1\r\nx\r\n" x 4 ], [ 'reply', "*1000000000\r\n\$1\r\nx\r\n" ],
	[ 'reply', "*4\r\n" . "\$3\r\nabc\r\n" x 4 ], [ 'reply', "*4\r\n\$99999999999\r\n" ], [ 'reply', "\$3\r\nabc\r\n" ],
	[ 'reply', "-LOADING\r\n" ], [ 'reply', ":4\r\n" ], [ 'reply', "nonsense\r\n" ], ['cut'], ['close'], ['huge'],
	[ 'reply', "*4\r\n" . "\$-1\r\n" x 4 ]);
my $next = 1000;
foreach my $fault (@faults)
{
	my ($kind, $bytes) = @$fault;
	my $title = defined $bytes ? $bytes =~ s/\r\n/ /gr : $kind;

	$proxy->fault($kind, match => '^MGET$', defined $bytes ? (bytes => $bytes) : ());
	is(wrong(sprintf('ARRAY(SELECT generate_series(%d, %d))', $next, $next + 3), 'd'), '', "an answer: $title");
	cmp_ok($proxy->seen->{MGET} // 0, '>', 0, 'it was asked for');
	$proxy->fault('pass');
	wait_state($node, 'up');
	$next += 4;
}
configure($node, 'cache.redis_timeout' => '100ms');
foreach my $kind ('silent', 'trickle')
{
	$proxy->fault($kind, match => '^MGET$');
	is(wrong(sprintf('ARRAY(SELECT generate_series(%d, %d))', $next, $next + 3), 'd'), '', "an answer: $kind");
	$proxy->fault('pass');
	wait_state($node, 'up');
	$next += 4;
}
configure($node, 'cache.redis_timeout' => '5s');
is(wrong("ARRAY(SELECT generate_series(1000, $next))", 'd'), '', 'afterwards');
is(wrong("ARRAY(SELECT generate_series(1000, $next))", 'd'), '', 'and again');

# Redis is away.
$redis->stop;
$node->restart;
is(wrong($all), '', 'without Redis');
is($node->safe_psql('postgres', $sum), '100|6050', 'kv: without Redis');
$node->stop;

done_testing();
