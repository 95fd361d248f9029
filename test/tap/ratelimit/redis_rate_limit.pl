# Rate limits that two servers share in Redis: the window is exact, whoever asks; and
# what happens when Redis is away.
use strict;
use warnings;
use CacheTest;
use Digest::SHA qw(sha256_hex);
use IPC::Run;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my @nodes = map { redis_node("rate$_", $redis, conf => "cache.rate_limit_store = 'redis'") } 1, 2;
my $ask = "(cache_rate_limit('%s', %d, '%s'))";

# window gives the name of a key's times in Redis, and that of its limits.
sub window
{
	my ($key, $kind) = @_;

	return join(':', 'cache', $kind // 'window', sha256_hex("postgres\0$key"));
}

# together runs a query in two sessions of each server at the same time, and gives
# their outputs.
sub together
{
	my ($sql) = @_;
	my @runs;

	foreach my $node (@nodes, @nodes)
	{
		my %run = (out => '', err => '');

		$run{run} = IPC::Run::start [ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ],
		  '<', \undef, '>', \$run{out}, '2>', \$run{err};
		push @runs, \%run;
	}
	$_->{run}->finish for @runs;
	is(join('', map { $_->{err} } @runs), '', 'no errors');
	return map { split /\n/, $_->{out} } @runs;
}

# A limit is one limit, to the last permit.
my $allowed = 0;
$allowed += $_ for together(sprintf(
	"SELECT count(*) FILTER (WHERE allowed) FROM (SELECT $ask.allowed FROM generate_series(1, 500)) AS a",
	'burst', 100, '1 hour'));
is($allowed, 100, 'four sessions on two servers: 100 permits are given, of 2,000 asked for');
is($nodes[1]->safe_psql('postgres', "SELECT allowed, remaining, retry_after BETWEEN '59 min' AND '1 hour' FROM cache_rate_limit('burst', 100, '1 hour')"),
	'f|0|t', 'the next one has to wait for the first to expire');

# No window has more than it may. A long period first: then all times are kept.
my ($most, $period) = (20, 50_000);
$nodes[0]->safe_psql('postgres', 'SELECT ' . sprintf($ask, 'window', 1_000_000, '1 hour'));
together(sprintf(<<'END', $most, $period));
DO $$
DECLARE
  answer record;
BEGIN
  FOR i IN 1 .. 400 LOOP
    answer := cache_rate_limit('window', %d, '%d microseconds');
    IF NOT answer.allowed AND i %% 3 = 0 THEN
      PERFORM pg_sleep(extract(epoch FROM answer.retry_after));
    END IF;
  END LOOP;
END$$
END
my @log = @{ $redis->command('ZRANGE', window('window'), 0, -1, 'WITHSCORES') };
my @times = map { $log[ 2 * $_ + 1 ] } 1 .. $#log / 2;
my @crowded = grep { $times[$_] - $times[ $_ - $most ] < $period } $most .. $#times;
cmp_ok(scalar @times, '>', 3 * $most, 'several windows were filled');
is(scalar @crowded, 0, "none of them has more than $most requests");

# Nobody is refused who could be allowed, and retry_after is exact.
is($nodes[0]->safe_psql('postgres', <<'END'), 't', 'whoever waits for retry_after is allowed');
CREATE FUNCTION patient() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  answer record;
  refused boolean := false;
BEGIN
  FOR i IN 1 .. 60 LOOP
    answer := cache_rate_limit('patient', 3, '10 ms');
    IF NOT answer.allowed THEN
      IF refused OR answer.retry_after <= '0' OR answer.retry_after > '10 ms' THEN
        RETURN false;
      END IF;
      PERFORM pg_sleep(extract(epoch FROM answer.retry_after));
    END IF;
    refused := NOT answer.allowed;
  END LOOP;
  RETURN true;
END$$;
SELECT patient()
END

# Other limits for a live key count what was allowed under the former ones.
is($nodes[0]->safe_psql('postgres', join ';', map { "SELECT allowed, remaining FROM cache_rate_limit('mixed', $_)" }
			"2, '1 hour'", "2, '1 hour'", "2, '1 hour'", "5, '1 hour'", "2, '1 hour'", "5, '1 hour'"),
	"t|1\nt|0\nf|0\nt|2\nf|0\nt|1", 'limits may change');

# Keys are apart: by their bytes, by the database's name and by the prefix, however
# these are cut out of the same text.
is($nodes[0]->safe_psql('postgres', "SELECT allowed FROM cache_rate_limit(E'\\xC3\\xA4:\n\"', 1, '1 hour')"), 't', 'any key');
is($nodes[1]->safe_psql('postgres', "SELECT allowed FROM cache_rate_limit(E'\\xC3\\xA4:\n\"', 1, '1 hour')"), 'f', 'the other server knows it');
foreach my $database ('other', 'shop', 'shop:eu', 'shop:eu:window')
{
	$nodes[1]->safe_psql('postgres', qq(CREATE DATABASE "$database"));
	$nodes[1]->safe_psql($database, 'CREATE EXTENSION cache');
}
is($nodes[1]->safe_psql('other', "SELECT allowed FROM cache_rate_limit('burst', 1, '1 hour')"), 't', 'another database has keys of its own');
foreach my $prefix ('cache', 'cache:window', 'cache:window:shop', 'cache:limits')
{
	configure($nodes[1], 'cache.redis_prefix' => $prefix);
	foreach my $parts ([ 'shop', 'eu:window:x' ], [ 'shop:eu', 'window:x' ], [ 'shop:eu:window', 'x' ], [ 'shop', 'window:shop:x' ],
		[ 'shop', 'x' ], [ 'shop', '' ], [ 'shop', ':' ], [ 'shop', 'X' x 100_000 ], [ 'shop', 'X' x 100_001 ])
	{
		my ($database, $key) = @$parts;

		is($nodes[1]->safe_psql($database, join ';', ("SELECT allowed FROM cache_rate_limit('$key', 1, '1 hour')") x 2), "t\nf",
			"apart: $prefix, $database, " . substr($key, 0, 20));
	}
}
configure($nodes[1], 'cache.redis_prefix' => 'cache');
is(scalar(grep { !/:probe$/ && !/^cache(:window(:shop)?|:limits)?:(window|limits):[0-9a-f]{64}$/ } @{ $redis->command('KEYS', '*:window:*') }), 0, 'names are digests');

# Redis' clock is set, as seen from a key: its times are moved to the other side.
sub set_clock
{
	my ($key, $seconds) = @_;
	my @log = @{ $redis->command('ZRANGE', window($key), 0, -1, 'WITHSCORES') };

	while (my ($member, $time) = splice @log, 0, 2)
	{
		$redis->command('ZADD', window($key), $time - $seconds * 1_000_000, $member);
	}
	return;
}

# asked asks for a permit, and gives the answer as numbers.
sub asked
{
	my ($key, $most, $period) = @_;

	return split /\|/, $nodes[0]->safe_psql('postgres',
		"SELECT allowed::int, remaining, extract(epoch FROM retry_after) FROM cache_rate_limit('$key', $most, '$period')");
}

foreach my $back (0.5, 3, 3600, 10 * 365 * 86400)
{
	my $key = "clock $back";
	my ($allowed, $remaining, $first) = asked($key, 2, '2 s');
	my ($second, $third);

	select undef, undef, undef, 0.3;
	asked($key, 2, '2 s');
	set_clock($key, -$back);
	($allowed, $remaining, $first) = asked($key, 2, '2 s');
	is("$allowed $remaining", '0 0', "clock set back by $back s: both requests count");
	cmp_ok($first, '>', 0, 'there is a time to wait');
	cmp_ok($first, '<=', $back < 1 ? 2 : 1.8, 'no more than from the first to the second and a period');
	cmp_ok($redis->command('PTTL', window($key)), '<=', 2001, 'no longer is it in Redis');
	select undef, undef, undef, 0.1;
	($allowed, $remaining, $second) = asked($key, 2, '2 s');
	is($allowed, 0, 'the next one is refused as well');
	cmp_ok($second, '<=', $first - 0.1, 'time goes on meanwhile');
	set_clock($key, -$back);
	($allowed, $remaining, $third) = asked($key, 2, '2 s');
	is($allowed, 0, 'set back once more');
	cmp_ok($third, '<=', 2, 'that is a period at most');
	select undef, undef, undef, $third;
	is((asked($key, 2, '2 s'))[0], 1, 'whoever waits as long as told is allowed');
}

# However often the clock is set back, all that is allowed is within the limit.
{
	my $given = 0;

	for my $i (1 .. 40)
	{
		$given += (asked('again', 3, '1 hour'))[0];
		set_clock('again', -60 * ($i % 7));
	}
	is($given, 3, 'set back again and again: three permits');
}

# Nothing is left of it once all is forgotten; a lost half mends itself.
asked('half', 1, '1 s');
set_clock('half', -3600);
is((asked('half', 1, '1 s'))[0], 0, 'set back');
cmp_ok($redis->command('HGET', window('half', 'limits'), 'ahead'), '>', 3_590_000_000, 'a key that is ahead of the clock');
$redis->command('DEL', window('half', 'limits'));
my ($half, undef, $wait) = asked('half', 1, '1 s');
is($half, 0, 'its limits are evicted');
select undef, undef, undef, $wait;
is((asked('half', 1, '1 s'))[0], 1, 'it is as if set back again');
select undef, undef, undef, 1.01;
is((asked('half', 1, '1 s'))[0], 1, 'a new key');
is($redis->command('HGET', window('half', 'limits'), 'ahead'), 0, 'which begins with the clock');

# Set forward, requests are as old as the clock says.
asked('forward', 1, '1 hour');
set_clock('forward', 3599);
is((asked('forward', 1, '1 hour'))[0], 0, 'set forward by less than the period');
set_clock('forward', 1);
is((asked('forward', 1, '1 hour'))[0], 1, 'and by all of it');

# Where Redis takes no writes it is not asked, and gets are not kept from it.
my ($reader, $one) = ($nodes[0], "SELECT allowed FROM cache_rate_limit('reader', 1, '1 hour');");
$redis->command('REPLICAOF', '127.0.0.1', 1);
wait_state($_, 'read only') for @nodes;
my $failures = redis_row($reader, 'failures');
is($reader->safe_psql('postgres', $one x 5), join("\n", 't', ('f') x 4), 'Redis takes no writes: local');
is(redis_row($reader, 'state', "failures - $failures"), 'read only|0', 'which is no failure');
$redis->command('REPLICAOF', 'NO', 'ONE');
wait_state($_, 'up') for @nodes;

# Redis is away.
$redis->stop;
my %away = (closed => "f|0|00:00:01\nf|0|00:00:01", open => "t|0|00:00:00\nt|0|00:00:00", local => "t|0|00:00:00\nf|0|t");
foreach my $away (sort keys %away)
{
	my $retry = $away eq 'local' ? "CASE WHEN allowed THEN retry_after::text ELSE (retry_after > '59 min')::text END" : 'retry_after';
	my $request = "SELECT allowed, remaining, $retry FROM cache_rate_limit('away', 1, '1 hour')";

	is($nodes[0]->safe_psql('postgres', "SET cache.rate_limit_away = '$away'; $request; $request") =~ s/true/t/r,
		$away{$away}, "Redis is away: $away");
}
$redis->start;
wait_state($nodes[0], 'up');
is($nodes[0]->safe_psql('postgres', "SELECT allowed FROM cache_rate_limit('back', 1, '1 hour')"), 't', 'it is back');
is($nodes[0]->safe_psql('postgres', "SELECT allowed FROM cache_rate_limit('back', 1, '1 hour')"), 'f', 'and counts');

$_->stop for @nodes;
done_testing();
