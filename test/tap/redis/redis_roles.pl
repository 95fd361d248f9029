# Values of a role in Redis: a membership that is taken away and given back, and
# restarts. The key there is the same all the time.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my $node = redis_node('roles', $redis);

setup_redis($node, 3);

sub sql
{
	return $node->safe_psql('postgres', @_);
}

sub sent
{
	sync($node, $redis);
	return;
}

# What was loaded by a membership that is taken away, and then given back: it is the
# same key in Redis all the time.
sql('CREATE ROLE team; GRANT SELECT ON item TO team; CREATE ROLE reader IN ROLE team');
sent();
$redis->command('FLUSHALL');
my $as_reader = "SET ROLE reader; SELECT count(cache_get('c', id)) FROM generate_series(1, 3) AS id";
my $as_team = $as_reader =~ s{ROLE reader}{ROLE team}r;
is(sql($as_reader), 3, 'loaded by a membership');
$redis->wait_entries(3);
sql('REVOKE team FROM reader');
foreach my $guard ('', 'redis_role')
{
	my ($status) = $node->psql('postgres', "SET cache.removed_guard = '$guard'; $as_reader", on_error_stop => 1);

	is($status, $guard eq '' ? 3 : 0, "a membership that was revoked: guard removed: '$guard'");
}
$redis->command('FLUSHALL');
sql('GRANT team TO reader');
sql("SELECT cache_stats_reset('c')");
is(sql($as_reader), 3, 'given back');
$redis->wait_entries(3);
$node->restart;
wait_state($node, 'up');
is(sql("SELECT cache_stats_reset('c'); $as_reader"), "\n3", 'after a restart');
is(sql("SELECT redis_hits, loads FROM cache_stats WHERE name = 'c'"), '3|0', 'it comes from Redis');
sql('REVOKE team FROM reader');
$node->restart;
wait_state($node, 'up');
isnt($node->psql('postgres', $as_reader, on_error_stop => 1), 0, 'revoked before a restart');

# Roles that come and go do not use up the variants of keys that may be there.
foreach my $n (1 .. 20)
{
	sql("CREATE ROLE lease$n IN ROLE team");
	sql("SET ROLE lease$n; SELECT count(cache_get(\$\$c\$\$, id)) FROM generate_series(1, 3) AS id");
	sql("REVOKE team FROM lease$n; DROP ROLE lease$n");
}
sent();
$redis->command("FLUSHALL");
sql($as_team);
$redis->wait_entries(3);
pass("there is room for another role");
$node->stop;
done_testing();
