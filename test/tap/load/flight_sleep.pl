# Sessions on which the one that loads a key may be waiting, or that have a lock_timeout,
# wait for its load as well, but outside of the lock manager and for a bounded time. The
# loader waits at a gate, and fails for a price of zero.
use strict;
use warnings;
use CacheTest;
use Test::More;

my $node = new_node('flight_sleep', conf => "deadlock_timeout = '10min'\nmax_locks_per_transaction = 10");
setup_item($node, 9);
$node->safe_psql('postgres', <<'END');
UPDATE item SET price = 0 WHERE id = 9;
CREATE FUNCTION ungated(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price FROM item WHERE id = $1';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  RETURN (SELECT price + 0 * (1 / price) FROM item WHERE id = $1);
END$$;
CREATE FUNCTION outer_loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN cache_get_as(NULL::integer, 'c', $1);
END$$;
SELECT cache_create('outer', 'outer_loader(integer)'), cache_create('ungated', 'ungated(integer)'),
  cache_create('ttl', 'loader(integer)', ttl => '1 hour');
SELECT cache_watch('outer', 'item', 'id'), cache_watch('ungated', 'item', 'id'), cache_watch('ttl', 'item', 'id');
CREATE TABLE audit (what text);
INSERT INTO audit VALUES ('something');

-- what is too large to be stored, and what must not be
CREATE FUNCTION large_loader(integer) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  RETURN repeat('x', 3000000);
END$$;
CREATE FUNCTION session_loader(integer) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  RETURN current_setting('application_name');
END$$;
SELECT cache_create('large', 'large_loader(integer)'), cache_create('session', 'session_loader(integer)');

-- which of two keys a load wants within itself depends on who loads
CREATE FUNCTION left_loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  IF current_setting('application_name') = 'plain' THEN PERFORM cache_get('right', $1); END IF;
  RETURN $1;
END$$;
CREATE FUNCTION right_loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  IF current_setting('application_name') = 'other' THEN PERFORM cache_get('left', $1); END IF;
  RETURN $1;
END$$;
SET client_min_messages = error;
SELECT cache_create('left', 'left_loader(integer)'), cache_create('right', 'right_loader(integer)');
END

my $h = session($node, 'h');
my %s = map { $_ => session($node, $_, 'SET client_min_messages = error') }
  qw(plain other timeout written locked nested holder);
my @sleepers = qw(timeout written locked nested holder);
my $counts = "SELECT loads, waits FROM cache_stats WHERE name = 'c'";

sub close_gate { $h->run('SELECT pg_advisory_lock(1)'); return; }
sub open_gate { $h->run('SELECT pg_advisory_unlock(1)'); return; }

# nothing_left looks for what a flight may leave behind.
sub nothing_left
{
	my ($title) = @_;

	is( $h->run(<<'END'), '0|0', "$title: nothing is left");
SELECT (SELECT count(*) FROM cache_flights), (SELECT count(*) FROM pg_locks WHERE locktype = 'userlock')
END
	return;
}

# Transactions with an id; counts are everybody's when they have ended.
sub begin_writing
{
	$s{written}->run("BEGIN; INSERT INTO audit VALUES ('more')");
	$s{locked}->run('BEGIN; SELECT FROM audit FOR KEY SHARE');
	return;
}

sub end_writing
{
	$s{$_}->run('COMMIT') for qw(written locked);
	return;
}

# how_long runs a get, and tells after how many milliseconds it has answered what.
sub how_long
{
	my ($session, $key) = @_;

	$session->run("SELECT clock_timestamp() AS began \\gset\nSELECT cache_get('c', $key) AS got \\gset\n");
	return $session->run(
		"SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000 AS took, :'got' AS got \\gset\nSELECT :took || ' ' || :'got'")
	  =~ /^([\d.]+) (.*)/;
}

# They all wait for the same load, in their own way.
# (The deadlock_timeout matters only to those on whom others may wait.)
$s{timeout}->run("SET lock_timeout = '10min'; SET deadlock_timeout = '1ms'");
begin_writing();
$s{holder}->run('SELECT pg_advisory_lock(7)');
close_gate;
$s{plain}->park("SELECT cache_get('c', 1)");
$s{$_}->park($_ eq 'nested' ? "SELECT cache_get('outer', 1)" : "SELECT cache_get('c', 1)") for @sleepers;
is($h->run("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Extension'"),
	scalar @sleepers, 'all but the first one sleep');
is( $h->run(<<'END'), 'c|1|plain|5, outer|1|nested|1', 'and are to be seen');
SELECT string_agg(concat_ws('|', cache, key, leader, n), ', ' ORDER BY cache)
FROM (SELECT cache, key, application_name AS leader, count(*) AS n
      FROM cache_flights f JOIN pg_stat_activity a ON a.pid = leader GROUP BY 1, 2, 3) f
END
is($h->run("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND NOT granted"), 0, 'none is in the queue of a lock');
open_gate;
is($s{$_}->join, 10, "$_: gets the value") for 'plain', @sleepers;
end_writing();
is($h->run($counts), '1|5', 'there was one load');
nothing_left('values');

# They load for others, too, who wait in the lock manager or sleep. (What has a ttl is
# not stored by those who have written, and not loaded for others.)
begin_writing();
close_gate;
$s{written}->park("SELECT cache_get('c', 2)");
$s{timeout}->park("SELECT cache_get('c', 2)");
$s{plain}->park("SELECT cache_get('c', 2)");
is($h->run("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND NOT granted"), 1, 'one queues');
$s{locked}->park("SELECT cache_get('ttl', 1)");
$s{other}->park("SELECT cache_get('ttl', 1)");
$s{holder}->park("SELECT cache_get('ttl', 1)");
is( $h->run("SELECT count(*), string_agg(DISTINCT a.application_name, ',') FROM cache_flights f JOIN pg_stat_activity a ON a.pid = leader WHERE cache = 'ttl'"),
	'2|other', 'another one leads');
open_gate;
is($s{$_}->join, 20, "$_: gets the value of who has written") for qw(written timeout plain);
is($s{$_}->join, 10, "$_: gets the value with a ttl") for qw(locked other holder);
end_writing();
is($h->run("SELECT name, loads, waits FROM cache_stats WHERE name IN ('c', 'ttl') ORDER BY 1"), "c|2|7\nttl|2|1", 'one load for all, but for what is not stored');
nothing_left('leaders');

# Whoever sleeps can be cancelled.
begin_writing();
close_gate;
$s{plain}->park("SELECT cache_get('c', 3)");
$s{timeout}->park("SELECT cache_get('c', 3)");
$h->run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'timeout'");
$s{timeout}->join;
like($s{timeout}->errors, qr/due to user request/, 'cancelled');
$s{written}->run("SAVEPOINT s; SET LOCAL statement_timeout = '50ms'");
$s{written}->run("SELECT cache_get('c', 3)");
like($s{written}->errors, qr/due to statement timeout/, 'statement_timeout');
is($h->run('SELECT count(*) FROM cache_flights'), 1, 'and is not to be seen any more');
$s{written}->run('ROLLBACK TO s');
$s{written}->park("SELECT cache_get('c', 3)");

# The one who loads is cancelled, and then the others load at once.
$h->run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'plain'");
$s{plain}->join;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted"),
	'who has slept loads, when the one who did is cancelled');
open_gate;
is($s{written}->join, 30, 'and gets the value');
nothing_left('cancelled');
end_writing();

# A key that fails makes nobody wait, of many keys neither.
close_gate;
$s{plain}->park('SELECT count(*) FROM cache_get_many(\'c\', ARRAY[4, 9, 5])');
$s{timeout}->park('SELECT count(*) FROM cache_get_many(\'c\', ARRAY[9, 5])');
$s{other}->park('SELECT count(*) FROM cache_get_many(\'c\', ARRAY[5, 4])');
open_gate;
$s{$_}->join for qw(plain timeout);
like($s{$_}->errors, qr/division by zero/, "$_: fails") for qw(plain timeout);
is($s{other}->join, 2, 'other keys do not');
nothing_left('many keys');
close_gate;
$s{$_}->park("SELECT cache_get('c', 9)") for qw(plain timeout other holder);
is($h->run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted"), 4, 'nobody waits for what has failed');
open_gate;
$s{$_}->join for qw(plain timeout other holder);
$h->run('UPDATE item SET price = 90 WHERE id = 9');
is($s{other}->run("SELECT cache_get('c', 9)"), 90, 'it works again');
$h->run('UPDATE item SET price = 91 WHERE id = 9');
close_gate;
$s{$_}->park("SELECT cache_get('c', 9)") for qw(plain timeout other);
is($h->run('SELECT count(*) FROM cache_flights'), 3, 'and then one loads for all');
open_gate;
is($s{$_}->join, 91, "$_: gets the value") for qw(plain timeout other);

# So does a value that is not stored: whoever has waited for it loads for himself, side
# by side with others, and nobody waits any more.
foreach my $cache (qw(large session))
{
	my $get = "SELECT length(cache_get_as(NULL::text, '$cache', 1)) > 0";

	close_gate;
	$s{$_}->park($get) for qw(plain timeout other);
	is($h->run('SELECT count(*) FROM cache_flights'), 3, "$cache: two wait for one");
	open_gate;
	is($s{$_}->join, 't', "$cache: $_ gets the value") for qw(plain timeout other);
	is($h->run("SELECT loads, waits FROM cache_stats WHERE name = '$cache'"), '3|0', "$cache: all have loaded it");
	close_gate;
	$s{$_}->park($get) for qw(holder plain timeout other);
	is($h->run('SELECT count(*) FROM cache_flights'), 0, "$cache: nobody waits again");
	open_gate;
	is($s{$_}->join, 't', "$cache: $_ gets the value again") for qw(holder plain timeout other);
	nothing_left($cache);
}

# The bound: whoever has written something, and has what a load waits for, does not wait
# for this load for longer than that, and but once in a transaction.
sub stuck
{
	my ($title, $bound, @settings) = @_;

	$h->run('UPDATE item SET price = price + 1');
	$s{written}->run($_) for 'BEGIN', "INSERT INTO audit VALUES ('more')", 'SELECT pg_advisory_xact_lock(1)', @settings;
	$s{plain}->park("SELECT cache_get('c', 6)");
	$s{other}->park("SELECT cache_get('c', 7)");
	my ($took, $got) = how_long($s{written}, 6);

	like($got, qr/^6\d$/, "$title: gets a value");
	cmp_ok($took, '>=', $bound, "$title: has waited");
	cmp_ok($took, '<', $bound + 5000, "$title: not for long");
	$s{written}->run("SET LOCAL deadlock_timeout = '10min'; SET LOCAL lock_timeout = 0; SELECT cache_stats_reset('c')");
	($took, $got) = how_long($s{written}, 7);
	like($got, qr/^7\d$/, "$title: gets another value");
	cmp_ok($took, '<', 5000, "$title: without waiting again");
	$s{written}->run('COMMIT');
	$s{$_}->join for qw(plain other);
	nothing_left($title);
	return;
}

stuck('deadlock_timeout', 50, "SELECT cache_stats_reset('c')", "SET LOCAL deadlock_timeout = '50ms'");
stuck('lock_timeout', 100, "SELECT cache_stats_reset('c')", "SET LOCAL lock_timeout = '100ms'");
$h->run('UPDATE item SET price = price + 1');
$h->run("SELECT cache_stats_reset('c'), cache_get('c', i) FROM generate_series(1, 5) i");
stuck('load time', 10);

# Two that load want each other's key.
$_->run("SET deadlock_timeout = '50ms'") for @s{qw(plain other)};
close_gate;
$s{plain}->park("SELECT cache_get('left', 1)");
$s{other}->park("SELECT cache_get('right', 1)");
open_gate;
for (qw(plain other))
{
	is($s{$_}->join, 1, "$_: wants what the other one loads, and gets it");
	is($s{$_}->errors, '', "$_: without an error");
}
nothing_left('both');

# There is no memory for locks.
$h->run('DO $$BEGIN FOR i IN 1 .. 1000000 LOOP PERFORM pg_advisory_lock(7, i); END LOOP; EXCEPTION WHEN out_of_memory THEN END$$');
is($s{plain}->run("SELECT cache_get('ungated', 1)"), $h->run('SELECT price FROM item WHERE id = 1'), 'no memory for locks: gets the value');
is($s{plain}->errors, '', 'without an error');
$h->run('SELECT pg_advisory_unlock_all()');
is(mismatches($node), '', 'the oracle');
$_->quit for $h, values %s;
$node->stop;
done_testing();
