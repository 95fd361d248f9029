# Rate limits that two servers share in Redis: the window is exact, whoever asks; and
# what happens when Redis is away.
use strict;
use warnings;
use CacheTest;
use IPC::Run;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my @nodes = map { redis_node("rate$_", $redis, conf => "cache.rate_limit_store = 'redis'") } 1, 2;
my $ask = "(cache_rate_limit('%s', %d, '%s'))";

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
my @log = @{ $redis->command('ZRANGE', 'cache:window:postgres:window', 0, -1, 'WITHSCORES') };
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

# Keys are apart: by their bytes and by the database's name.
is($nodes[0]->safe_psql('postgres', "SELECT allowed FROM cache_rate_limit(E'\\xC3\\xA4:\n\"', 1, '1 hour')"), 't', 'any key');
is($nodes[1]->safe_psql('postgres', "SELECT allowed FROM cache_rate_limit(E'\\xC3\\xA4:\n\"', 1, '1 hour')"), 'f', 'the other server knows it');
$nodes[1]->safe_psql('postgres', 'CREATE DATABASE other');
$nodes[1]->safe_psql('other', 'CREATE EXTENSION cache');
is($nodes[1]->safe_psql('other', "SELECT allowed FROM cache_rate_limit('burst', 1, '1 hour')"), 't', 'another database has keys of its own');

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
