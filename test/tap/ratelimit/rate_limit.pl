# Rate limits under concurrency, with too little memory, over restarts, in several
# databases and on a standby.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('rate', allows_streaming => 1, conf => "cache.rate_limit_memory = 64kB\nrestart_after_crash = on");
my $scripts = PostgreSQL::Test::Utils::tempdir();

# query gives the result of a query.
sub query
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# race runs a script of pgbench in a number of clients at once.
sub race
{
	my ($name, $clients, $transactions, $sql) = @_;
	my $file = "$scripts/$name.sql";

	append_to_file($file, $sql);
	$node->command_ok(
		[
			'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-j', 2,
			'-t', $transactions, '-f', $file, 'postgres'
		],
		"$name: pgbench");
	return;
}

# usage gives some columns of cache_rate_limits.
sub usage
{
	my ($columns) = @_;

	return query("SELECT $columns FROM cache_rate_limits");
}

# set_clock sets the time of all sessions to come, in microseconds.
sub set_clock
{
	my ($time) = @_;

	query("ALTER DATABASE postgres SET cache.rate_limit_clock = $time");
	return;
}

# A log that does not take the function's word for it: the clock is read before
# and after each request, so the decision was somewhere in between. Both are
# texts in the session, and cost little.
query(<<'END');
CREATE UNLOGGED TABLE log (key text, most integer, period bigint, before bigint, after bigint,
  allowed boolean, remaining integer, retry bigint);
CREATE FUNCTION ask(key text, most integer, period bigint, times integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  length CONSTANT interval := period * interval '1 microsecond';
  before text;
  after text;
  r record;
BEGIN
  FOR i IN 1 .. times LOOP
    before := current_setting('cache.rate_limit_clock');
    r := cache_rate_limit(ask.key, most, length);
    after := current_setting('cache.rate_limit_clock');
    INSERT INTO log VALUES (ask.key, most, ask.period, before::bigint, after::bigint,
      r.allowed, r.remaining, extract(epoch FROM r.retry_after) * 1000000);
  END LOOP;
END$$;
-- More than `most` allowed that must have been within one period, each possible
-- window of which begins with some request
CREATE VIEW violations AS
SELECT l.key, l.before, n.n FROM log l,
  LATERAL (SELECT count(*) AS n FROM log o WHERE o.key = l.key AND o.allowed
           AND o.before >= l.before AND o.before < l.before + l.period AND o.after < l.before + l.period) n
WHERE l.allowed AND n.n > l.most;
-- No request took longer than this: so the index says which may be near in time.
CREATE VIEW longest AS SELECT max(after - before) AS time FROM log;
-- Refused although fewer than `most` can have been in the window
CREATE VIEW refusals AS
SELECT l.key, l.before, n.n FROM log l,
  LATERAL (SELECT count(*) AS n FROM log o WHERE o.key = l.key AND o.allowed
           AND o.before <= l.after AND o.after > l.before - l.period
           AND o.before > l.before - l.period - (SELECT time FROM longest)) n
WHERE NOT l.allowed AND n.n < l.most;
-- A retry_after after which no request that was allowed can leave the window
CREATE VIEW retries AS
SELECT l.key, l.before, l.after, l.retry FROM log l
WHERE NOT l.allowed AND (retry NOT BETWEEN 1 AND period OR NOT EXISTS
  (SELECT FROM log o WHERE o.key = l.key AND o.allowed
   AND o.before <= l.after + l.retry - l.period AND o.after >= l.before + l.retry - l.period
   AND o.before >= l.before + l.retry - l.period - (SELECT time FROM longest)));
END

# Every window of the race is looked at. All keys have limits that the requests
# run into, over and over.
race('race', 12, 150, <<'END');
\set n random(1, 6)
SELECT ask('key ' || :n, (ARRAY[1, 1, 7, 40, 150, 15])[:n], (ARRAY[300, 3000, 2000, 20000, 100000, 1000])[:n], 40);
END
query('CREATE INDEX ON log (key, before) WHERE allowed; ANALYZE log');
is(query('SELECT * FROM violations LIMIT 5'), '', 'race: in no window are more allowed');
is(query('SELECT * FROM refusals LIMIT 5'), '', 'race: no request is refused that could be allowed');
is(query('SELECT * FROM retries LIMIT 5'), '', 'race: retry_after is when a request leaves the window');
is(query('SELECT count(*) FROM log'), 12 * 150 * 40, 'race: every request is in the log');
is( query('SELECT key FROM log GROUP BY key, most HAVING count(*) FILTER (WHERE allowed) <= most
           OR count(*) FILTER (WHERE NOT allowed) = 0'),
	'',
	'race: every key was refused, and allowed again');

# The log would tell: halve a limit, or a period, after the event.
query('UPDATE log SET most = most - 1 WHERE most > 1');
isnt(query('SELECT key FROM violations LIMIT 1'), '', 'the check finds one too many');
query("UPDATE log SET most = most + 2 WHERE key <> 'key 1'");
isnt(query('SELECT key FROM refusals LIMIT 1'), '', 'the check finds one too few');
query('UPDATE log SET retry = retry + 5000');
isnt(query('SELECT key FROM retries LIMIT 1'), '', 'the check finds a wrong retry_after');

# Time stands still, so it is known who is allowed: of each key exactly so many,
# each of whom has been told another number of remaining requests.
sub standstill
{
	my ($time, $expected) = @_;

	query('TRUNCATE log');
	set_clock($time);
	race("standstill$time", 12, 20, <<'END');
\set n random(1, 9)
SELECT ask('still ' || :n, 17 * :n, 1000000, 40);
END
	is( query("SELECT key, count(*), count(DISTINCT remaining) FROM log WHERE allowed AND
               remaining BETWEEN 0 AND most - 1 GROUP BY key, most HAVING count(*) <> most OR count(DISTINCT remaining) <> most"),
		'',
		"at $time: each permit is given once");
	is(query('SELECT count(DISTINCT key) FROM log WHERE allowed'), $expected, "at $time: keys that had permits");
	is(query('SELECT count(*) FROM log WHERE NOT allowed AND (remaining <> 0 OR retry NOT IN (1, 1000000))'), 0, "at $time: retry_after");
	return;
}

# What the race has left is of the system's time.
$node->restart;
standstill(5_000_000, 9);
standstill(5_999_999, 0);
standstill(6_000_000, 9);
set_clock(6_999_999);
is(usage('keys, bytes / 128'), '9|65', 'they are remembered, 15 times in a block');
set_clock(7_000_000);
is(usage('keys, bytes'), '0|0', 'and forgotten');

# Too many keys for the memory
query('TRUNCATE log');
race('full', 12, 50, <<'END');
\set n random(1, 2000)
SELECT ask('full ' || (:n + i), 2, 1000000 + i, 1) FROM generate_series(1, 20) i;
END
my $refused = query('SELECT count(*) FROM log WHERE NOT allowed AND (SELECT count(*) FROM log o WHERE o.key = log.key AND o.allowed) < most');
cmp_ok($refused, '>', 100, 'full: requests of new keys are refused');
is(usage('overflows'), $refused, 'full: and counted');
is(query('SELECT key FROM log WHERE allowed GROUP BY key HAVING count(*) > 2'), '', 'full: the limits hold');
is(usage('keys'), query('SELECT count(DISTINCT key) FROM log WHERE allowed'), 'full: what was allowed is remembered');
cmp_ok(usage('bytes'), '>', 56 * 1024, 'full: all of the memory is in use');
cmp_ok(usage('bytes'), '<=', 64 * 1024, 'full: no more than that');
is(query("SELECT allowed, remaining, retry_after FROM cache_rate_limit('another', 5, '1 hour')"),
	'f|0|00:00:01.000001', 'full: closed, until there may be memory');
is(query("SET cache.rate_limit_full = 'open'; SELECT allowed, remaining, retry_after FROM cache_rate_limit('another', 5, '1 hour')"),
	't|4|00:00:00', 'full: open');
is(query("SELECT allowed, remaining FROM cache_rate_limit('another', 5, '1 hour')"), 'f|0', 'full: nothing was remembered');
is( query("SELECT bool_or(r.allowed), max(r.remaining) FROM (SELECT key FROM log WHERE allowed GROUP BY key HAVING count(*) = 2) k,
           LATERAL cache_rate_limit(k.key, 2, '1 second') r"),
	'f|0',
	'full: limits that have been reached hold');
is( query("SET cache.rate_limit_full = 'open'; SELECT bool_or(r.allowed) FROM (SELECT key FROM log WHERE allowed GROUP BY key HAVING count(*) = 2) k,
           LATERAL cache_rate_limit(k.key, 2, '1 second') r"),
	'f',
	'full: also if it is open');

set_clock(8_000_020);
is(query("SELECT allowed FROM cache_rate_limit('another', 5, '1 hour')"), 't', 'room is made by those that are idle');
is(usage('keys, bytes'), '1|256', 'all of them');
set_clock(4_000_000_000);
is(usage('keys, bytes'), '0|0', 'it is idle itself');

# One key with a large limit. The view reclaims what is idle, so nobody looks at it
# until others have had to.
my $large = "SELECT count(*) FROM generate_series(1, 10000) i, LATERAL cache_rate_limit('large', 10000 + 0 * i, '1 day') r WHERE r.allowed";
my $others = "SELECT count(*) FROM generate_series(1, 100) i, LATERAL cache_rate_limit('small ' || i, 1, '1 hour') r WHERE r.allowed";
my $all = query($large);
cmp_ok($all, '>', 6000, 'one key may have nearly all of the memory');
is(usage("keys, overflows - $refused"), '1|' . (10000 - $all + 3), 'and no more');
is(query($others), 0, 'others have none');
set_clock(4_000_000_000 + 86_400_000_000);
is(query($others), 100, 'until it is idle');
is(usage('keys'), 100, 'they have what they need');
# Three bursts of one key
my $burst = 200_000_000_000;
foreach my $i (0 .. 2)
{
	set_clock($burst + $i);
	query("SELECT count(*) FROM generate_series(1, 2000 + 6000 * ($i / 2)) i, LATERAL cache_rate_limit('large', 10000 + 0 * i, '1 day') r");
}
is(query($others), 0, 'again all of the memory is in use');
set_clock($burst + 86_400_000_000);
$others =~ s/100/50/;
is(query($others), 50, 'a key gives back what has left its window');
set_clock($burst + 1 + 86_400_000_000);
$others =~ s/small/further/;
is(query($others), 50, 'and again, when more has');
cmp_ok(usage('bytes'), '>', 16384, 'the rest');
set_clock(300_000_000_000);
is(usage('keys, bytes'), '0|0', 'all of it');

# The memory is exchanged between keys all the time, and nothing of it is lost.
for my $time (1 .. 3)
{
	my $now = 1_000_000_000_000 * $time;

	race("churn$time", 8, 100, <<"END");
\\set n random(1, 300)
\\set most random(1, 50)
\\set period random(1, 100)
\\set time $now + 20 * random(1, 10000)
SELECT set_config('cache.rate_limit_clock', :time::text, false);
SELECT count(*) FROM generate_series(1, 30) i, LATERAL cache_rate_limit('churn ' || (:n + i % 7), :most, :period * interval '1 us') r;
END
	set_clock($now + 90_000_000_000);
	is(usage('keys, bytes'), '0|0', "churn $time: everything has been given back");
}
query('ALTER DATABASE postgres RESET cache.rate_limit_clock');

# Databases have keys of their own.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION cache');
my $one = "SELECT allowed FROM cache_rate_limit('one', 1, '1 day')";
is(query($one), 't', 'the first request');
is($node->safe_psql('other', $one), 't', 'the first request in another database');
is(query($one) . $node->safe_psql('other', $one), 'ff', 'the second ones');

# A standby has windows of its own.
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', $one), 't', 'the first request on a standby');
is($standby->safe_psql('postgres', $one), 'f', 'the second one');
is($standby->safe_psql('postgres', 'SELECT keys, allowed, refused FROM cache_rate_limits'), '1|1|1', 'its counters');
$standby->stop;

# Nothing is remembered over a restart or a crash.
$node->restart;
is(usage('keys, bytes, allowed, refused, overflows, reclaimed'), '0|0|0|0|0|0', 'a restart begins anew');
is(query($one) . query($one), 'tf', 'with limits in force');
crash($node);
is(usage('keys, bytes, allowed, refused, overflows, reclaimed'), '0|0|0|0|0|0', 'so does a crash');
is(query($one) . query($one), 'tf', 'with limits in force');
$node->stop;
done_testing();
