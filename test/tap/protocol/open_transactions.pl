# Strangers: transactions that stay open, or prepared, and have changed nothing that a
# cache depends on. However long they stay, gets are hits as soon as those are over
# who have changed something; and until then nobody gets what he may not see.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $keys = 40;
my $redis = start_redis('redis');
my $node = redis_node('strangers', $redis, conf => "max_prepared_transactions = 30\nwal_level = replica");

sub sql
{
	return $node->safe_psql('postgres', @_);
}

setup_redis($node, $keys);
sql(<<'END');
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(price) FROM item';
SELECT cache_create('total', 'total()'), cache_watch('total', 'item');
CREATE TABLE lines (id integer PRIMARY KEY, item integer, amount integer);
INSERT INTO lines SELECT i, 1 + i % 8, i FROM generate_series(1, 40) AS i;
CREATE FUNCTION amount(integer) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(amount) FROM lines JOIN item ON item.id = lines.item WHERE item.id = $1';
CREATE FUNCTION item_of(lines) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT id FROM item WHERE id = $1.item';
SELECT cache_create('amount', 'amount(integer)');
SELECT cache_watch('amount', 'lines', keys => 'item_of(lines)'), cache_watch('amount', 'item', 'id');
END
sql('CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', 'CREATE TABLE job (id integer)');

my $oracle = "SELECT coalesce(bool_and(exact), true) AND cache_get('total') IS NOT DISTINCT FROM to_jsonb(total())"
  . " AND cache_get('amount', 3) IS NOT DISTINCT FROM to_jsonb(amount(3)) FROM oracle WHERE name = 'c'";
my $gets = "SELECT count(cache_get('c', k)), count(cache_get('amount', k)), count(cache_get('total')) FROM generate_series(1, $keys) k";

# counted gives hits and bypasses since the last reset.
sub counted
{
	return sql("SELECT string_agg(name || ' ' || hits || ' ' || bypasses, ', ' ORDER BY name) FROM cache_stats WHERE name IN ('amount', 'c', 'total')");
}

# answered gives those of a second get of all keys.
sub answered
{
	sql($gets);
	sql('SELECT cache_stats_reset()');
	sql($gets);
	return counted();
}

# seen gives those of a transaction that is open, whose gets have to be exact.
sub seen
{
	my ($session, $title) = @_;

	sql($gets);
	sql('SELECT cache_stats_reset()');
	$session->run($gets);
	is($session->run($oracle), 't', "$title: exact");
	sql('SELECT cache_stats_reset()');
	$session->run('COMMIT');
	return counted();
}

my $all = "amount $keys 0, c $keys 0, total $keys 0";

# By a transaction, which asks the oracle as well: of all, and of half of the keys,
# and of a few that share a fence with these
my $whole = qr/^amount @{[ $keys + 1 ]} 0, c @{[ 2 * $keys ]} 0, total @{[ $keys + 1 ]} 0$/;
my $half = qr/^amount (?:1\d|20) 2\d, c (?:3\d|40) 4\d, total 0 @{[ $keys + 1 ]}$/;

sub hot
{
	my ($title) = @_;

	is(answered(), $all, "$title: all gets are hits");
	is(sql($oracle), 't', "$title: exact");
	return;
}

# Each writes eight times, which is more than a fence has room for.
my @writers = (
	[ 'keys', map { 'UPDATE item SET price = price + 1 WHERE id <= 20' } 1 .. 8 ],
	[ 'one by one', map { "UPDATE item SET price = price + 1 WHERE id = $_" } 1 .. 8 ],
	[ 'key functions', map { "UPDATE lines SET amount = amount + 1 WHERE item <= 4" } 1 .. 8 ],
	[ 'whole caches', map { "SELECT cache_invalidate('c'), cache_invalidate('total')" } 1 .. 8 ],
	[ 'DDL', map { ("CREATE TABLE new$_ (id serial)", "DROP TABLE new$_") } 1 .. 4 ],
	[ 'temporary tables', map { ("CREATE TEMP TABLE mine (id serial)") x 2 } 1 .. 4 ],
	[ 'what is rolled back', map { 'BEGIN; UPDATE item SET price = price + 1; ROLLBACK' } 1 .. 8 ],
	[
		'savepoints', map {
			'BEGIN; SAVEPOINT a; UPDATE item SET price = price + 1; ROLLBACK TO a;'
			  . ' UPDATE item SET price = price + 1 WHERE id < 30; RELEASE a; COMMIT'
		} 1 .. 8
	],
	[ 'dropped caches', map { ("SELECT cache_create('x$_', 'loader(integer)', ttl => '1 hour')", "SELECT cache_get('x$_', 1)", "SELECT cache_drop('x$_')") } 1 .. 8 ],
	[ 'prepared ones', map { ("BEGIN; UPDATE item SET price = price + 1; PREPARE TRANSACTION 'w'", "COMMIT PREPARED 'w'") } 1 .. 8 ],
	[
		'many prepared ones at once',
		(map { "BEGIN; UPDATE item SET price = price + 1 WHERE id = $_; PREPARE TRANSACTION 'w$_'" } 1 .. 8),
		(map { "COMMIT PREPARED 'w$_'" } 5 .. 8, 2, 1, 4, 3)
	]);

# write_all runs a list of commands, each in a transaction of its own.
sub write_all
{
	my ($writer) = @_;
	my (undef, @commands) = @$writer;

	foreach my $command (@commands)
	{
		my ($out, $err);

		$node->psql('postgres', $command, stderr => \$err);
		die "$command: $err" if $err =~ /ERROR/;
	}
	return;
}

my $many = join ' ', map { "BEGIN INSERT INTO job VALUES ($_); EXCEPTION WHEN unique_violation THEN NULL; END;" } 1 .. 80;
my $elsewhere = $node->background_psql('elsewhere', on_error_stop => 0);

foreach my $stranger (
	[ 'another database', 'BEGIN; INSERT INTO job VALUES (1)', 'ROLLBACK' ],
	[ 'many subtransactions', "BEGIN; DO \$\$BEGIN $many END\$\$", 'COMMIT' ],
	[ 'prepared', "BEGIN; INSERT INTO job VALUES (1); PREPARE TRANSACTION 'stranger'", "COMMIT PREPARED 'stranger'" ])
{
	my ($kind, $begin, $end) = @$stranger;

	$elsewhere->query_safe($begin);
	foreach my $writer (@writers)
	{
		write_all($writer);
		hot("$kind, $writer->[0]");
	}

	# A new cache inherits what its database knows.
	sql("SELECT cache_create('new', 'loader(integer)', ttl => '1 hour')");
	sql("SELECT cache_get('new', 1)") for 1 .. 3;
	is(sql("SELECT hits, bypasses FROM cache_stats WHERE name = 'new'"), '2|0', "$kind: a new cache");
	sql("SELECT cache_drop('new')");
	$elsewhere->query_safe($end);
	hot("$kind, when it is over");
}

# In the midst of the writers.
$elsewhere->query_safe('BEGIN; INSERT INTO job VALUES (1)');
{
	my $old = session($node, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
	my $exporter = session($node, 'exporter', 'BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $before = $exporter->run('SELECT pg_export_snapshot()');
	my ($after, $later);

	write_all($_) foreach @writers[ 0, 1 ];
	like(seen($old, 'an old snapshot'), $half, 'it does not use what it does not see');
	$old->run("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '$before'");
	like(seen($old, 'an imported one'), $half, 'nor does this one');
	$exporter->run('COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ');
	$after = $exporter->run('SELECT pg_export_snapshot()');
	$old->run("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '$after'");
	like(seen($old, 'a later one'), $whole, 'it sees and uses all');

	# A writer that is long itself
	$later = session($node, 'later', 'BEGIN', 'UPDATE item SET price = price + 1000 WHERE id = 3');
	hot('an open writer has not published');
	$later->run("PREPARE TRANSACTION 'later'");
	write_all([ '', map { "SELECT cache_invalidate('c', 3)" } 1 .. 8 ]);
	like(answered(), qr/^amount 3[6789] [1234], c 3[789] [123], total 0 $keys$/, 'a prepared one has: gets of its key and its cache are bypasses');
	is(sql($oracle), 't', 'and exact');
	$old->run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	sql("COMMIT PREPARED 'later'");
	hot('when it has committed');
	is($old->run($oracle), 't', 'with an old snapshot, too');
	$old->run('COMMIT');
	$_->quit for $old, $exporter, $later;
}
$elsewhere->query_safe('ROLLBACK');

# Values in Redis were loaded by snapshots that saw a stranger running.
$elsewhere->query_safe("BEGIN; INSERT INTO job VALUES (1); PREPARE TRANSACTION 'stranger'");
write_all($_) foreach @writers[ 0, 1, 4 ];
$redis->command('FLUSHALL');
sql("SELECT count(cache_get('d', k)) FROM generate_series(1, $keys) k");
sync($node, $redis);
sub from_redis
{
	my ($title) = @_;

	sql('SELECT cache_stats_reset()');
	sql("SELECT count(cache_get('d', k)) FROM generate_series(1, $keys) k");
	cmp_ok(sql("SELECT redis_hits FROM cache_stats WHERE name = 'd'"), '>=', $keys - 2, "$title: Redis answers");
	is(sql("SELECT bypasses FROM cache_stats WHERE name = 'd'"), 0, "$title: none is a bypass");
	is(sql('SELECT bool_and(exact) FROM oracle'), 't', "$title: exact");
	return;
}
from_redis('a stranger');
$redis->keep;
sql('UPDATE item SET price = price + 7 WHERE id <= 20');
sync($node, $redis);
$redis->put_back;
is(sql('SELECT bool_and(exact) FROM oracle'), 't', 'a copy that is put back is not used');
sync($node, $redis);
from_redis('again');

# It survives a restart, and does no harm then.
$node->restart;
wait_state($node, 'up');
from_redis('a restart');
hot('a restart');
foreach my $writer (@writers)
{
	write_all($writer);
	hot("$writer->[0] after it");
}
$elsewhere = $node->background_psql('elsewhere', on_error_stop => 0);
$elsewhere->query_safe("ROLLBACK PREPARED 'stranger'");
hot('all is over');
$elsewhere->quit;
$node->stop;
done_testing();
