# cache_get_many() and what Redis gives: keys and values of all kinds and sizes, a
# damaged value between good ones, some that have expired, writes between the answer
# and its use, errors and drops in the middle. Every answer is exact, and what is
# good among others is used.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my $node = redis_node('many', $redis, conf => 'cache.redis_queue_size = 16MB');
my @kinds = (
	[ 'int', 'ARRAY[1, 2, NULL, 2, -1]' ],
	[ 'smallint', 'ARRAY[1, NULL, 3]::smallint[]' ],
	[ 'bigint', 'ARRAY[1, NULL, 9223372036854775807]::bigint[]' ],
	[ 'boolean', 'ARRAY[true, false, NULL, true]' ],
	[ 'float8', q(ARRAY[1.5, 'NaN', NULL, '-Infinity']::float8[]) ],
	[ 'numeric', q(ARRAY[1.5, 'NaN', NULL, 1e100, 1.5]::numeric[]) ],
	[ 'text', q(ARRAY['', 'a', NULL, repeat('b', 231), repeat('c', 32000), repeat('d', 40000), 'a', 'ä€']) ],
	[ 'bytea', q(ARRAY['', '\\x00', NULL, '\\x000d0a']::bytea[]) ],
	[ 'name', q(ARRAY['a', NULL, repeat('b', 63)]::name[]) ],
	[ '"char"', q(ARRAY['a', NULL]::"char"[]) ],
	[ 'char(5)', q(ARRAY['a', NULL, 'abcde']::char(5)[]) ],
	[ 'date', q(ARRAY['2000-01-01', NULL, 'infinity']::date[]) ],
	[ 'timestamptz', q(ARRAY['2000-01-01 00:00Z', NULL]::timestamptz[]) ],
	[ 'interval', q(ARRAY['1 day', NULL, '25 hours']::interval[]) ],
	[ 'uuid', q(ARRAY['00000000-0000-0000-0000-000000000001', NULL]::uuid[]) ],
	[ 'jsonb', q(ARRAY['{"a": 1}', 'null', NULL]::jsonb[]) ],
	[ 'inet', q(ARRAY['10.1.2.3/8', NULL]::inet[]) ],
	[ 'int4range', q(ARRAY[int4range(1, 5), 'empty', NULL]) ],
	[ 'pair', q(ARRAY[ROW(1, 'x'), ROW(NULL, NULL), NULL]::pair[]) ]);

# What a loader may give for key k: of all sizes about those of words and buffers
my %values = (
	text => q(CASE WHEN k = 0 THEN NULL ELSE left(repeat(md5(k::text), 10000), size(k)) END),
	jsonb => q(jsonb_build_object('k', k, 'v', left(repeat(md5(k::text), 10000), size(k)))),
	bytea => q(decode(repeat('00', size(k)), 'hex')),
	int => 'k', bigint => 'k * 10000000000', boolean => 'k % 2 = 0', float8 => 'k / 7.0::float8',
	numeric => 'k / 7.0', uuid => 'md5(k::text)::uuid', name => 'k::text::name', '"char"' => q('x'::"char"),
	'float8[]' => 'ARRAY[k, NULL, k / 3.0]', 'text[]' => q(ARRAY[k::text, '', NULL]),
	pair => 'ROW(k, repeat(k::text, size(k) % 1000))::pair', timestamptz => q('2000-01-01'::timestamptz + k * interval '1 day'));

$node->safe_psql('postgres', <<'END');
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION size(k int) RETURNS int LANGUAGE sql IMMUTABLE AS
  'SELECT (ARRAY[0, 1, 2, 3, 6, 7, 8, 9, 15, 16, 17, 100, 127, 128, 1000, 8000, 16300, 16384, 17000, 70000, 300000])[k % 21 + 1]';
END
setup_redis($node, 2000);

# forget empties shared memory; a clean restart leaves Redis in use.
sub forget
{
	$node->restart;
	wait_state($node, 'up');
	return;
}

# counted runs a query and gives its output and what it has changed in the view
# cache_redis, of the columns that are named.
sub counted
{
	my ($sql, @columns) = @_;
	my $row = sub { $node->safe_psql('postgres', 'SELECT ' . join(', ', @columns) . ' FROM cache_redis') };
	my @before = split /\|/, $row->();
	my $output = $node->safe_psql('postgres', $sql);
	my @after = split /\|/, $row->();

	return ($output, join(' ', map { "$columns[$_] " . ($after[$_] - $before[$_]) } 0 .. $#columns));
}

# Keys of all types. Twice: from the loader, then from Redis, but for keys that are too
# long for it.
foreach my $i (0 .. $#kinds)
{
	my ($type) = @{ $kinds[$i] };

	$node->safe_psql('postgres', <<"END");
CREATE FUNCTION by_$i(a $type) RETURNS text LANGUAGE sql STABLE AS 'SELECT coalesce(left(a::text, 40) || length(a::text), ''nothing'')';
SELECT cache_create('by_$i', 'by_$i($type)', redis => true);
END
}
foreach my $again (0, 1)
{
	foreach my $i (0 .. $#kinds)
	{
		my ($type, $keys) = @{ $kinds[$i] };

		is($node->safe_psql('postgres', <<"END"), '', "keys of type $type" . ($again ? ', from Redis' : ''));
SELECT * FROM (SELECT $keys AS keys) given,
  generate_subscripts($keys, 1) n FULL JOIN cache_get_many('by_$i', $keys) WITH ORDINALITY m (key, value, n) USING (n)
WHERE m.key IS DISTINCT FROM keys[n] OR m.value IS DISTINCT FROM to_jsonb(by_$i(keys[n]))
END
	}
	is($node->safe_psql('postgres', q(SELECT name, redis_hits, loads FROM cache_stats
	       WHERE name LIKE 'by_%' AND (redis_hits = 0 OR loads > (name = 'by_6')::int))),
		'', 'all but the longest') if $again;
	sync($node, $redis);
	forget();
}

# Values of all types and sizes, as jsonb and in their own type, from many keys and from
# one; and once they are in shared memory.
my @types = sort keys %values;
foreach my $i (0 .. $#types)
{
	$node->safe_psql('postgres', <<"END");
CREATE FUNCTION give_$i(k int) RETURNS $types[$i] LANGUAGE sql STABLE AS \$\$SELECT $values{ $types[$i] }\$\$;
SELECT cache_create('give_$i', 'give_$i(int)', redis => true);
END
}
foreach my $i (0 .. $#types)
{
	$node->safe_psql('postgres', <<"END");
SELECT count(value) FROM cache_get_many('give_$i', ARRAY(SELECT generate_series(0, 41)));
SELECT count(cache_get_as(NULL::$types[$i], 'give_$i', k)) FROM generate_series(0, 41) k;
END
	sync($node, $redis);
}
forget();
foreach my $i (0 .. $#types)
{
	my $many = "SELECT value FROM cache_get_many('give_$i', ARRAY(SELECT generate_series(0, 41)))";
	my $right = "SELECT to_jsonb(give_$i(k)) FROM generate_series(0, 41) k";

	is($node->safe_psql('postgres', <<"END"), 't|t|t|t', "values of type $types[$i]");
SELECT ARRAY($many) = ARRAY($right), ARRAY($many) = ARRAY($right),
  (SELECT bool_and(cache_get_as(NULL::$types[$i], 'give_$i', k)::text IS NOT DISTINCT FROM give_$i(k)::text) FROM generate_series(0, 41) k),
  (SELECT bool_and(cache_get('give_$i', k) IS NOT DISTINCT FROM to_jsonb(give_$i(k))) FROM generate_series(0, 41) k)
END
	is($node->safe_psql('postgres', "SELECT redis_hits >= 42, loads FROM cache_stats WHERE name = 'give_$i'"),
		't|0', 'from Redis');
}

# Damage of all kinds: only what is damaged is not used. The MACs are looked at in
# pairs, so each place of a pair has some, and an odd one is at the end.
$node->safe_psql('postgres', "SELECT count(value) FROM cache_get_many('c', ARRAY(SELECT generate_series(1, 31)))");
sync($node, $redis);
my $pattern = names($node, 'c');
my @names = $redis->entries($pattern);
is(scalar @names, 31, 'entries');
my $copy = $redis->copy($pattern);
my $length = $redis->command('STRLEN', $names[0]);
my $flip = sub {
	my ($name, $at) = @_;
	my $byte = $redis->command('GETRANGE', $name, $at, $at);

	$redis->command('SETRANGE', $name, $at, chr(ord($byte) ^ 1));
};
my @damages = (
	(map { my $at = $_; [ "a bit of byte $at", sub { $flip->($_[0], $at) } ] } 0, 15, 16, 40, 95, $length - 1),
	[ 'cut off', sub { $redis->command('SET', $_[0], $redis->command('GETRANGE', $_[0], 0, -2)) } ],
	[ 'longer', sub { $redis->command('APPEND', $_[0], "\0") } ],
	[ 'empty', sub { $redis->command('SET', $_[0], '') } ],
	[ 'short', sub { $redis->command('SET', $_[0], 'x' x 15) } ],
	[ 'nothing but a MAC', sub { $redis->command('SET', $_[0], 'x' x 16) } ],
	[ "another key's", sub { $redis->command('COPY', $names[30], $_[0], 'REPLACE') } ]);

foreach my $damage (@damages)
{
	my ($title, $do) = @$damage;

	forget();
	$redis->paste($copy);
	$do->($_) for @names[ 0, 3, 8, 9, 29 ];
	my ($output, $counts) = counted(
		"SELECT count(value) FROM cache_get_many('c', ARRAY(SELECT generate_series(1, 31))) WHERE value = to_jsonb(loader(key))",
		qw(hits corrupt stale failures));
	is("$output $counts", '31 hits 26 corrupt 5 stale 0 failures 0', "damaged: $title");
}
$redis->paste($copy);

# A part has expired, though Redis still has it; what has not is used.
$node->safe_psql('postgres', "SELECT cache_create('kv', redis => true)");
sync($node, $redis);
$redis->outlive(30, sub { $node->safe_psql('postgres', <<'END') });
SELECT cache_set('kv', i::text, to_jsonb(i), ttl => CASE WHEN i % 3 = 0 THEN interval '2 s' END) FROM generate_series(1, 30) i;
SELECT count(value) FROM cache_get_many('kv', ARRAY(SELECT i::text FROM generate_series(1, 30) i));
END
forget();
poll('them to expire', sub {
	$node->safe_psql('postgres', q(SELECT bool_and(cache_ttl('kv', k::text) IS NULL OR cache_ttl('kv', k::text) < '0') FROM generate_series(3, 30, 3) k)) eq 't';
});
my ($output, $counts) = counted(
	"SELECT count(value), sum(value::int), count(*) FROM cache_get_many('kv', ARRAY(SELECT i::text FROM generate_series(1, 30) i))",
	qw(hits absent corrupt));
is($output, '20|300|30', 'what has expired is not given');
is($counts, 'hits 20 absent 10 corrupt 0', 'the rest is, from Redis');

# A write of one of the keys, and of the whole cache, between the answer and its use, and
# between its use and its being stored.
my $holder = session($node, 'holder');
my $reader = session($node, 'reader');
my $twelve = "SELECT string_agg(value::text, ' ') FROM cache_get_many('c', ARRAY[1, 2, 3, 2, NULL, 4])";
my $wrong = "SELECT count(*) FROM cache_get_many('c', ARRAY(SELECT generate_series(1, 40))) WHERE value IS DISTINCT FROM to_jsonb(loader(key))";

foreach my $point ('received', 'accepted')
{
	my @writes = (
		[ 'a key', 'UPDATE item SET price = price + 1000000 WHERE id = 2', 'UPDATE item SET price = price - 1000000 WHERE id = 2' ],
		[ 'the whole cache', "SELECT cache_invalidate('c')", 'SELECT 1' ],
		[ 'a key that is rolled back', 'BEGIN; UPDATE item SET price = 0 WHERE id = 3; SELECT cache_get(\'c\', 3); ROLLBACK', 'SELECT 1' ]);

	foreach my $write (@writes)
	{
		my ($title, $do, $undo) = @$write;

		$node->safe_psql('postgres', $wrong);
		sync($node, $redis);
		forget();
		$_->{psql}->quit for $holder, $reader;
		$holder = session($node, 'holder');
		$reader = session($node, 'reader', "SET cache.stop_points = '$point'");
		hold($holder, $point);
		$reader->park($twelve);
		$node->safe_psql('postgres', $do);
		release($holder, $point);
		is($reader->join, '10 20 30 20 40', "$point: $title is written, and the old snapshot is answered as it must be");
		$reader->run('RESET cache.stop_points');
		is($reader->run($wrong), 0, 'then the new one');
		is($node->safe_psql('postgres', $wrong), 0, 'for all');
		$node->safe_psql('postgres', $undo);
	}
}

# An entry that is stored all the same is what the test above would have found.
$node->safe_psql('postgres', $wrong);
sync($node, $redis);
forget();
$_->{psql}->quit for $holder, $reader;
$holder = session($node, 'holder');
$reader = session($node, 'reader', "SET cache.stop_points = 'accepted'; SET cache.removed_guard = 'fill_check'");
hold($holder, 'accepted');
$reader->park($twelve);
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1000000 WHERE id = 2');
release($holder, 'accepted');
is($reader->join, '10 20 30 20 40', 'from Redis');
is($node->safe_psql('postgres', $wrong), 1, 'without the check a value would be stored after a write of its key');
$node->safe_psql('postgres', 'UPDATE item SET price = price - 1000000 WHERE id = 2');

# The cache is dropped, or made anew with another loader, while Redis' answer is used.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION other(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT -price FROM item WHERE id = $1';
END
foreach my $anew (0, 1)
{
	foreach my $point ('received', 'accepted')
	{
		$node->safe_psql('postgres', "SELECT cache_create('e', 'loader(integer)', redis => true), cache_watch('e', 'item', 'id')");
		my $right = "SELECT count(*) FROM cache_get_many('e', ARRAY(SELECT generate_series(1, 40))) WHERE value IS DISTINCT FROM to_jsonb(loader(key))";
		is($node->safe_psql('postgres', $right), 0, 'made');
		sync($node, $redis);
		forget();
		$_->{psql}->quit for $holder, $reader;
		$holder = session($node, 'holder');
		$reader = session($node, 'reader', "SET cache.stop_points = '$point'");
		my $dropper = session($node, 'dropper');
		hold($holder, $point);
		$reader->park($right);
		my $drop = "BEGIN; SELECT cache_drop('e'); "
		  . ($anew ? "SELECT cache_create('e', 'other(integer)', redis => true), cache_watch('e', 'item', 'id');" : '') . ' COMMIT';
		$dropper->{psql}->query_until(qr/started\n/, "\\echo started\n$drop;\n");
		release($holder, $point);
		is($reader->join, 0, "$point: dropped" . ($anew ? ' and made anew' : ''));
		$dropper->join;
		$reader->run('RESET cache.stop_points');
		if ($anew)
		{
			is($reader->run($right =~ s/loader/other/r), 0, 'the new one');
			$node->safe_psql('postgres', "SELECT cache_drop('e')");
		}
		else
		{
			$reader->run($right);
			like($reader->errors, qr/cache "e" does not exist/, 'gone');
		}
		$dropper->quit;
	}
}

# Errors: of the loader after Redis has answered for others, and of a query that is
# cancelled while it waits. What comes next is not mistaken for an answer to what was.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION fussy(k int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF k = 13 THEN
    RAISE EXCEPTION 'thirteen';
  END IF;
  RETURN k;
END $$;
SELECT cache_create('fussy', 'fussy(int)', redis => true);
SELECT count(value) FROM cache_get_many('fussy', ARRAY[11, 12, 14, 15]);
END
sync($node, $redis);
forget();
$_->{psql}->quit for $holder, $reader;
$reader = session($node, 'reader');
my $four = "SELECT string_agg(value::text, ' ') FROM cache_get_many('fussy', ARRAY[11, 12, 14, 15])";
$reader->run("SELECT * FROM cache_get_many('fussy', ARRAY[11, 12, 13, 14])");
like($reader->errors, qr/thirteen/, 'an error of the loader');
is($reader->run($four), '11 12 14 15', 'the next call');
$reader->run("BEGIN; SAVEPOINT a; SELECT * FROM cache_get_many('fussy', ARRAY[11, 12, 13, 14])");
is($reader->run("ROLLBACK TO a; $four; COMMIT"), '11 12 14 15', 'after a savepoint');
forget();
$reader->{psql}->quit;
$reader = session($node, 'reader');
is($reader->run($four), '11 12 14 15', 'connected');
$redis->pause;
$reader->run("SET statement_timeout = '200ms'; SELECT * FROM cache_get_many('c', ARRAY(SELECT generate_series(50, 60)))");
like($reader->errors, qr/canceling statement due to statement timeout/, 'cancelled while it waits');
$redis->resume;
is($reader->run("RESET statement_timeout; $four"), '11 12 14 15', 'what comes next');
is($reader->run($wrong), 0, 'and after it');
$reader->quit;
$node->stop;

done_testing();
