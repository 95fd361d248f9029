# Connections to Redis: never more than cache.redis_pool_size, as Redis counts them,
# and each place is given back, however a session ends.
#
# Where all places have to be taken, connections are kept while they are idle (the
# guard "idle" is taken out): else those that have not been used for a second would
# be closed, since none is left for others.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $size = 6;
my $redis = start_redis('redis');
my $node = redis_node('pool', $redis, conf => <<"END");
cache.redis_pool_size = $size
cache.redis_min_idle_conns = $size
cache.removed_guard = 'idle'
restart_after_crash = on
END
my $next = 0;
my (@sessions, $none);

setup_redis($node, 100);

# ask lets a session get a key that nobody has asked for, exactly.
sub ask
{
	my ($session) = @_;

	$next++;
	return $session->run("SELECT cache_get('d', -$next) IS NULL");
}

# places waits until Redis and the view count so many connections.
sub places
{
	my ($n, $title) = @_;

	poll($title, sub { $redis->clients == $n && redis_row($node, 'connections') == $n });
	pass($title);
	return;
}

sub counter
{
	return redis_row($node, 'no_connection');
}

# Sessions keep their connections; the worker has one as well.
places(1, 'the worker has a connection');
@sessions = map { session($node, "s$_") } 1 .. $size;
ask($sessions[$_]) for 0 .. $size - 2;
places($size, 'each session has one');
$none = counter();
is(ask($sessions[-1]), 't', 'for another one there is none left');
is(counter(), $none + 1, 'which is counted');
is($redis->clients, $size, 'and Redis has not seen it');

# One ends, one is terminated.
(shift @sessions)->quit;
places($size - 1, 'a session ends');
ask($sessions[-1]);
is(counter(), $none + 1, 'its place is taken');
places($size, 'by another one');
terminate($node, $sessions[0]->run('SELECT pg_backend_pid()'));
places($size - 1, 'a session that is terminated gives its place back');
eval { (shift @sessions)->quit };

# One that is ended while it waits for Redis
my $session = session($node, 'waits');
configure($node, 'cache.redis_timeout' => '1min');
is(ask($session), 't', 'a session that will wait');
places($size, 'has the last place');
my $pid = $session->run('SELECT pg_backend_pid()');
$redis->pause;
$session->{psql}->query_until(qr/started\n/, "\\echo started\nSELECT cache_get('d', -1000);\n");
wait_for($node, "state = 'active' AND wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid");
terminate($node, $pid);
eval { $session->quit };
$redis->resume;
places($size - 1, 'its place is free when it is terminated');
configure($node, 'cache.redis_timeout' => '5s');

# One that loses its connection has no two.
$redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ask($_) for @sessions, @sessions;
places($size - 1, 'all connections are made anew');

# An error in a transaction leaves no place behind.
$sessions[0]->run("SELECT cache_get('d', -2000 - i), 1 / (5 - i) FROM generate_series(1, 9) AS i");
ask($_) for @sessions;
places($size - 1, 'after an error');

# Idle ones are closed, but for as many as are wanted.
configure($node, 'cache.redis_min_idle_conns' => 2, 'cache.removed_guard' => '');
ask($_) for @sessions;
poll('idle connections to be closed', sub { redis_row($node, 'idle') <= 2 && $redis->clients <= 3 });
poll('the view to say so', sub { redis_row($node, 'connections') == $redis->clients });
pass('idle ones are closed');
cmp_ok($redis->clients, '>=', 2, 'but not all');
is(ask($_), 't', 'and are made again when they are wanted') for @sessions;
configure($node, 'cache.redis_min_idle_conns' => 0);
ask($_) for @sessions;
poll('all idle connections to be closed', sub { redis_row($node, 'idle') == 0 && $redis->clients <= 1 });
pass('no idle ones');

# A smaller pool, by reload
configure($node, 'cache.redis_min_idle_conns' => $size, 'cache.redis_pool_size' => 2);
ask($_) for @sessions;
poll('two connections', sub { $redis->clients <= 2 && redis_row($node, 'connections') <= 2 });
pass('a smaller pool');
configure($node, 'cache.redis_pool_size' => 1);
ask($_) for @sessions, @sessions;
poll('one connection', sub { $redis->clients <= 1 });
pass('a pool of one');
configure($node, 'cache.redis_pool_size' => $size);
ask($_) for @sessions;
places($size - 1, 'a larger pool');

# Thirty sessions at the same time, none of which ends before all are through. Redis
# itself turns away whoever is too many: there is one more client than the pool has,
# the test.
$_->quit for splice @sessions;
places(1, 'the sessions end');
my $waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~";
my $h = session($node, 'h');
my $get = "SELECT cache_get('d', n) IS NOT DISTINCT FROM to_jsonb(loader(n)) FROM (SELECT (random() * 1000)::integer AS n) AS _";

configure($node, 'cache.removed_guard' => 'idle');
$h->run('SELECT pg_advisory_lock(1), pg_advisory_lock(2)');
my @clients = map { client($node, 'SELECT pg_advisory_lock_shared(1)', ($get) x 100, 'SELECT pg_advisory_lock_shared(2)') } 1 .. 30;
wait_for($node, "count(*) = 30 $waiting 'shared.1'");
$none = counter();
my $failures = redis_row($node, 'failures');
is($redis->command('CONFIG', 'SET', 'maxclients', $size + 1), 'OK', 'Redis takes no more than that');
$redis->command('CONFIG', 'RESETSTAT');
$h->run('SELECT pg_advisory_unlock(1)');
wait_for($node, "count(*) = 30 $waiting 'shared.2'");
is($redis->info('rejected_connections'), 0, 'thirty sessions: Redis has turned none away');
places($size, 'thirty sessions: all places are taken');
cmp_ok(counter(), '>', $none, 'thirty sessions: some have got no connection');
is(redis_row($node, 'failures'), $failures, 'thirty sessions: none has failed');
$redis->command('CONFIG', 'SET', 'maxclients', 1000);
$h->run('SELECT pg_advisory_unlock(2)');
$_->{run}->finish for @clients;
is((grep { $_->{out} =~ /^(t\n|\n){102}$/ && $_->{err} eq '' } @clients), 30, 'thirty sessions: all is exact');
$h->quit;
places(1, 'all places are free');

# A backend is killed, and with it all others.
@sessions = map { session($node, "s$_") } 1 .. 3;
ask($_) for @sessions;
places(4, 'three sessions');
crash($node, $sessions[0]->run('SELECT pg_backend_pid()'));
eval { $_->quit } for splice @sessions;
wait_state($node, 'up');
places(1, 'a backend is killed');
$session = session($node, 'after');
is(ask($session), 't', 'after the crash');
places(2, 'there are places again');
$session->quit;
$node->stop;
poll('no client', sub { $redis->clients == 0 });
pass('the server leaves no connection behind');
done_testing();
