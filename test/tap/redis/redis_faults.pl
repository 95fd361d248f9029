# Whatever Redis does, no query fails or hangs, and every answer is exact. After a few
# failures nobody asks it any more, until it is well again.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my $proxy = start_proxy($redis);
my $node = redis_node('faults', $proxy->addr, conf => 'cache.redis_timeout = 200ms');
my $next = 0;
my ($log, $session);

wait_state($node, 'up');
setup_redis($node, 5000);

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# fresh reads keys that nobody has asked for, in several statements that must not take
# long, and gives how many of them were wrong.
sub fresh
{
	my @statements = map {
		my ($first, $last) = ($next + 1, $next += 4);

		"SELECT count(*) FROM generate_series($first, $last) AS id WHERE cache_get('d', id) IS DISTINCT FROM to_jsonb(loader(id));"
	} 1 .. 5;

	return join '', split /\n/, sql("SET statement_timeout = '5s'; @statements");
}

# lines counts the lines of the log since the last fault that match.
sub lines
{
	my ($what) = @_;

	return scalar grep { /Redis at .*$what/ } split /\n/, slurp_file($node->logfile, $log);
}

# logged waits for such a line: it comes a moment after the state has changed.
sub logged
{
	my ($title, $what) = @_;

	poll("$title: '$what' in the log", sub { lines($what) });
	return;
}

# outage plays one: it begins, queries go on, it ends. state: what it comes to.
sub outage
{
	my ($title, $begin, $end, $state) = @_;
	my ($gets, $skipped);

	$state //= 'down';
	$log = -s $node->logfile;
	$begin->();
	is(fresh(), '00000', "$title: queries go on");
	poll("$title: the state $state", sub { fresh() eq '00000' && redis_row($node, 'state') eq $state });
	if ($state eq 'down')
	{
		($gets, $skipped) = split /\|/, redis_row($node, 'gets', 'skipped');
		$proxy->seen;
		is(fresh(), '00000', "$title: and on");
		is(redis_row($node, 'gets', 'skipped - 20'), "$gets|$skipped", "$title: without Redis");
		is($proxy->seen->{GET} // 0, 0, "$title: which is not asked") if $title !~ /^server/;
		isnt(redis_row($node, 'last_error'), '', "$title: " . redis_row($node, 'last_error'));
	}
	logged($title, $state eq 'down' ? 'is not usable' : 'takes no writes');
	is(lines($state eq 'down' ? 'is not usable' : 'takes no writes'), 1, "$title: one line in the log");
	is(lines('is usable'), 0, "$title: no other");
	$end->();
	wait_state($node, 'up');
	logged($title, 'is usable');
	is(lines('is usable'), 1, "$title: one line when it is over");
	is(lines(''), 2, "$title: no more");
	is(fresh(), '00000', "$title: after it");
	return;
}

# What a proxy does to all commands, or to some
my @faults = (
	[ 'silence', 'silent' ],
	[ 'packets dropped', 'deaf' ],
	[ 'connections refused', 'refuse' ],
	[ 'five seconds late', 'delay', seconds => 5 ],
	[ 'closed in the middle of a reply', 'cut' ],
	[ 'connections closed', 'close' ],
	[ 'a reply of 512 MB', 'huge' ],
	[ 'a reply byte by byte', 'trickle', match => '^GET$' ],
	[ 'rubbish', 'reply', bytes => "\x00\xff rubbish\r\n" ],
	[ 'another protocol', 'reply', bytes => "HTTP/1.1 400 Bad Request\r\n\r\n" ],
	[ 'deep nesting', 'reply', bytes => "*1\r\n" x 100 ],
	[ 'a huge array', 'reply', bytes => "*2147483647\r\n" . ":1\r\n" x 1000 ],
	[ 'another type of reply', 'reply', bytes => "*1\r\n:1\r\n", match => '^GET$' ],
	[ 'LOADING', 'reply', bytes => "-LOADING Redis is loading the dataset in memory\r\n" ],
	[ 'MOVED', 'reply', bytes => "-MOVED 3999 127.0.0.1:6381\r\n", match => '^(GET|SET|DEL|UNLINK)$' ]);

foreach (@faults)
{
	my ($title, $fault, %options) = @$_;

	outage($title, sub { $proxy->fault($fault, %options) }, sub { $proxy->fault('pass') });
}

# What Redis itself does
outage('server hangs', sub { $redis->pause }, sub { $redis->resume });
outage('server stopped', sub { $redis->stop }, sub { $redis->start });
outage(
	'server wants a password',
	sub {
		$redis->command('CONFIG', 'SET', 'requirepass', 'secret');
		$redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
	},
	sub { $redis->command('CONFIG', 'SET', 'requirepass', '') });
outage(
	'server takes no more clients',
	sub {
		$redis->command('CONFIG', 'SET', 'maxclients', 1);
		$redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
	},
	sub { $redis->command('CONFIG', 'SET', 'maxclients', 1000) });
outage(
	'server is a replica that has lost its primary',
	sub {
		$redis->command('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
		$redis->command('REPLICAOF', '127.0.0.1', 1);
	},
	sub { $redis->command('REPLICAOF', 'NO', 'ONE') });
$redis->command('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
outage(
	'read-only replica',
	sub { $redis->command('REPLICAOF', '127.0.0.1', 1) },
	sub { $redis->command('REPLICAOF', 'NO', 'ONE') },
	'read only');
outage(
	'out of memory',
	sub { $redis->command('CONFIG', 'SET', 'maxmemory', '1mb') },
	sub { $redis->command('CONFIG', 'SET', 'maxmemory', '0') },
	'read only');
outage(
	'user may not write',
	sub { $redis->command('ACL', 'SETUSER', 'default', '-@write') },
	sub { $redis->command('ACL', 'SETUSER', 'default', '+@all') },
	'read only');
outage(
	'user may not read',
	sub { $redis->command('ACL', 'SETUSER', 'default', '-get') },
	sub { $redis->command('ACL', 'SETUSER', 'default', '+@all') });

# A cluster whose slots nobody serves, and then somebody else
my @cluster = map {
	start_redis("cluster$_", 'cluster-enabled yes',
		'cluster-port ' . PostgreSQL::Test::Cluster::get_free_port());
} 1 .. 2;
my $elsewhere = sub { configure($node, 'cache.redis_addr' => $cluster[0]->addr) };
my $back = sub { configure($node, 'cache.redis_addr' => $proxy->addr) };
outage('server is of a cluster that is down', $elsewhere, $back);
$cluster[1]->command('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
$cluster[1]->command('CLUSTER', 'MEET', '127.0.0.1', $cluster[0]->port,
	($cluster[0]->command('CLUSTER', 'NODES') =~ /@(\d+)/)[0]);
poll('the cluster', sub { !eval { $cluster[0]->command('GET', 'x'); 1 } && $@ =~ /MOVED/ });
outage('server is of a cluster, and has moved all keys', $elsewhere, $back);

# A server that closes idle connections costs nothing.
my $before = redis_row($node, 'failures');
$session = session($node, 'idle');
is($session->run("SELECT cache_get('d', @{[ ++$next ]}) IS NOT NULL"), 't', 'a session with a connection');
my ($youngest) = sort { $b <=> $a } $redis->command('CLIENT', 'LIST') =~ /^id=(\d+) .* user=default /mg;
$redis->command('CLIENT', 'KILL', 'ID', $youngest);
is($session->run("SELECT cache_get('d', @{[ ++$next ]}) IS NOT NULL"), 't', 'it is closed meanwhile');
is(redis_row($node, 'failures', "reconnects > 0"), "$before|t", 'reconnects, without a failure');
$session->quit;

# A connection on which there was more than was asked for is not used again: it would
# be behind by one reply for ever.
$proxy->fault('reply', bytes => "\$-1\r\n\$1\r\nx\r\n", match => '^GET$');
$session = session($node, 'behind');
is($session->run("SELECT count(*) FROM generate_series(1, 3) AS id WHERE cache_get('d', id) IS DISTINCT FROM to_jsonb(loader(id))"),
	0, 'too many replies: exact');
$proxy->fault('pass');
wait_state($node, 'up');
sync($node, $redis);
$redis->command('FLUSHALL');
is($session->run("SELECT count(cache_get('d', id)) FROM generate_series(1, 3) AS id"), 3, 'too many replies: and after them');
$redis->wait_entries(3);
sql("SELECT cache_stats_reset('d')");
is($session->run("SELECT count(cache_get('d', id)) FROM generate_series(1, 3) AS id"), 3, 'too many replies: once more');
is($session->run("SELECT redis_hits FROM cache_stats WHERE name = 'd'"), 3, 'too many replies: Redis is used again');
$session->quit;

# Cancel, timeout and end of a session that waits for Redis
configure($node, 'cache.redis_timeout' => '1min');
$session = session($node, 'waits');
is($session->run("SELECT cache_get('d', @{[ ++$next ]}) IS NOT NULL"), 't', 'a session with a connection');
my $pid = $session->run('SELECT pg_backend_pid()');

# wait_in_redis has the session wait for Redis, and returns when it does.
sub wait_in_redis
{
	$next++;
	$session->{psql}->query_until(qr/started\n/, "\\echo started\nSELECT cache_get('d', $next);\n");
	wait_for($node, "state = 'active' AND wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid");
	return;
}
$redis->pause;
wait_in_redis();
sql("SELECT pg_cancel_backend($pid)");
$session->join;
like($session->errors, qr/canceling statement due to user request/, 'a wait for Redis is cancelled');
$redis->resume;
is($session->run("SELECT cache_get('d', 1) = to_jsonb(loader(1))"), 't', 'the next get is not given what came late');
is($session->run("SELECT cache_get('d', 2) = to_jsonb(loader(2))"), 't', 'nor the one after it');
$redis->pause;
$session->run("SET statement_timeout = '100ms'");
$session->run("SELECT cache_get('d', @{[ ++$next ]})");
like($session->errors, qr/canceling statement due to statement timeout/, 'a wait for Redis ends with a timeout');
$session->run('SET statement_timeout = 0');
wait_in_redis();
terminate($node, $pid);
pass('a wait for Redis ends with the session');
eval { $session->quit };
$redis->resume;
$node->stop;
ok(1, 'the server stops');
$node->adjust_conf('postgresql.conf', 'cache.redis_timeout', '200ms');
$node->start;
wait_state($node, 'up');

# Damage
my $keys = 300;

# damage does something to all values in Redis, each by its number, and counts what
# comes of it.
sub damage
{
	my ($title, $how) = @_;
	my ($i, $corrupt) = (0, 0);
	my @names;

	sync($node, $redis);
	$redis->command('FLUSHALL');
	sql("SELECT count(cache_get('d', id)) FROM generate_series(1, $keys) AS id");
	$redis->wait_entries($keys);
	@names = $redis->entries;
	my @values = map { $redis->command('GET', $_) } @names;

	$how->($names[$_], $values[$_], $_, \@values) for 0 .. $#names;
	sql("SELECT cache_stats_reset('d')");
	$corrupt = redis_row($node, 'corrupt');
	is( sql("SELECT count(*) FROM generate_series(1, $keys) AS id WHERE cache_get('d', id) IS DISTINCT FROM to_jsonb(loader(id))"),
		0, "$title: exact");
	is(redis_row($node, "corrupt - $corrupt", 'state'), "$keys|up", "$title: counted");
	is(sql("SELECT redis_hits, loads FROM cache_stats WHERE name = 'd'"), "0|$keys", "$title: not used");
	return;
}

damage('a flipped bit', sub {
	my ($name, $value, $i) = @_;
	substr($value, $i % length $value, 1) ^= chr(1 << $i % 8);
	$redis->command('SET', $name, $value);
});
damage('cut off', sub {
	my ($name, $value, $i) = @_;
	$redis->command('SET', $name, substr($value, 0, $i % length $value));
});
damage('more at the end', sub {
	my ($name, $value, $i) = @_;
	$redis->command('APPEND', $name, "\0" x ($i + 1));
});
damage('the value of another key', sub {
	my ($name, $value, $i, $values) = @_;
	$redis->command('SET', $name, $values->[ $i - 1 ]);
});
damage('another type', sub {
	my ($name, $value, $i) = @_;
	$redis->command('DEL', $name);
	$redis->command($i % 2 ? ('RPUSH', $name, $value) : ('HSET', $name, $value, $value));
});
damage('something else', sub {
	my ($name, $value, $i) = @_;
	$redis->command('SET', $name, ('', 'x', '42', '{"a": 1}', "\0" x 10000, $value x 1000)[ $i % 6 ]);
});

# And all is well in the end.
sync($node, $redis);
sql("SELECT cache_stats_reset('d')");
sql("SELECT cache_get('d', id) FROM generate_series(1, $keys) AS id");
is(sql("SELECT redis_hits FROM cache_stats WHERE name = 'd'"), $keys, 'Redis is used again');
$node->stop;
done_testing();
