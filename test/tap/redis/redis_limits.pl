# Redis at the limits: what is not to be found there, what must not fail because
# of it, and who gets a connection when there are few.
use strict;
use warnings;
use CacheTest;
use HostileRedis;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $socket = PostgreSQL::Test::Utils::tempdir_short() . '/redis.sock';
my $redis = HostileRedis->new($socket);
$redis->launch;
END { local $?; $redis->stop if $redis }

my $node = new_node('limits', conf => <<"END");
cache.redis_addr = '$socket'
cache.redis_force = on
cache.redis_timeout = 10s
max_files_per_process = 64
END
setup_item($node, 20);
$node->safe_psql('postgres', <<'END');
SELECT cache_alter('c', redis => true);
CREATE EXTENSION dblink;
CREATE TABLE long (id text, price integer);
INSERT INTO long SELECT repeat('x', 40000) || i, i FROM generate_series(1, 2) i;
CREATE FUNCTION of_long(text) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM long WHERE id = $1';
SELECT cache_create('long', 'of_long(text)', redis => true), cache_watch('long', 'long', 'id');
END

sub column
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT $name FROM cache_redis");
}

# reaches waits until a column of cache_redis has this value.
sub reaches
{
	my ($name, $value) = @_;
	return $node->poll_query_until('postgres',
		"SELECT $name IS NOT DISTINCT FROM '$value' FROM cache_redis");
}

sub worker
{
	return eval { worker_pid($node) } // '';
}

# wait_for waits until a condition holds.
sub wait_for
{
	my ($condition) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $condition->();
		select undef, undef, undef, 0.1;
	}
	return 0;
}


sub keys_of_values { grep { !/:probe$/ } $redis->some_keys(1000) }

ok(reaches('state', 'up'), 'Redis is up');

# The image of a very long key has no end, so two of them could be exchanged.
is($node->safe_psql('postgres', <<'END'), "1\n2", 'keys of 40 kB');
SELECT cache_get('long', id) FROM long ORDER BY price;
END
$node->safe_psql('postgres', q{SELECT cache_get('c', 1)});
ok(wait_for(sub { keys_of_values() == 1 }), 'a short key gets to Redis');
is(scalar(keys_of_values()), 1, 'very long keys do not');

# A write that could not be described in a message.
is($node->psql('postgres', q{INSERT INTO long VALUES (repeat(chr(1), 200000000), 1)}),
	0, 'a key that no message can hold can be written');

# Somebody else's value, much larger than any of ours.
my ($key) = keys_of_values();
$redis->ask([ 'SETRANGE', $key, 5_000_000, 'x' ]);
$node->safe_psql('postgres', q{UPDATE item SET price = price + 1 WHERE id = 2});
$node->restart;
ok(reaches('state', 'up'), 'Redis is up after a restart');
$redis->ask([ 'SETRANGE', $_, 5_000_000, 'x' ]) for keys_of_values();
is($node->safe_psql('postgres', q{SELECT cache_get('c', 1)}), '10', 'a huge value is not used');
is(column('corrupt'), 1, 'it counts as corrupt');
is(column('failures'), 0, 'and not as a failure of Redis');

# A reload without a change leaves connections and state alone.
my $since = column('since');
my $s = session($node, 's');
$s->run(q{SELECT cache_get('c', 3)});
$node->append_conf('postgresql.conf', "log_min_duration_statement = 1h\n");
$node->reload;
ok(wait_for(sub { $s->run('SHOW log_min_duration_statement') eq '1h' }), 'a reload of something else');
my $fills = column('fills');
$s->run(q{SELECT cache_get('c', 4)});
ok(reaches("fills > $fills", 't'), 'the worker has gone on after it');
is(column('since'), $since, 'a reload is no change of state');

# The worker ends by SIGTERM, and comes back.
my $worker = worker();
kill 'TERM', $worker;
ok(wait_for(sub { my $now = worker(); $now && $now ne $worker }), 'the worker comes back');
$node->safe_psql('postgres', q{SELECT cache_get('c', 5)});
ok(reaches('fills > 0', 't'), 'and works');

# A transaction that was prepared, and is over, is not waited for by the next one.
# The message of its start stands for what the last one may have lost.
my ($out, $err) = ('', '');
my $lost = '{"database":null,"cache":null,"key":null,"xid":null}';
my $listener = IPC::Run::start([ 'redis-cli', '-s', $socket, 'SUBSCRIBE', 'cache:invalidate' ],
	'>', \$out, '2>', \$err);
ok(wait_for(sub { $listener->pump_nb; $out =~ /subscribe/ }), 'somebody listens');
$node->safe_psql('postgres', <<'END');
BEGIN;
UPDATE item SET price = price + 1 WHERE id = 15;
PREPARE TRANSACTION 'over';
COMMIT PREPARED 'over';
END
ok(wait_for(sub { $listener->pump_nb; $out =~ /"key":\["15"\]/ }), 'a prepared transaction is told');
$worker = worker();
kill 'TERM', $worker;
ok(wait_for(sub { my $now = worker(); $now && $now ne $worker }), 'the worker comes back again');
ok(wait_for(sub { $listener->pump_nb; $out =~ /\Q$lost\E/ }), 'it says that messages may be lost');
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1 WHERE id = 16');
ok(wait_for(sub { $listener->pump_nb; $out =~ /"key":\["16"\]/ }), 'messages go on');
is(scalar(() = $out =~ /\Q$lost\E/g), 1, 'and says so once');
$listener->kill_kill;

# No file descriptor is left but one: for the socket, not for the set of events.
my $few = session($node, 'few');
$few->run(<<'END');
DO $$
BEGIN
  FOR i IN 1 .. 100 LOOP
    PERFORM dblink_connect('c' || i, 'dbname=postgres');
  END LOOP;
EXCEPTION WHEN OTHERS THEN
  NULL;
END $$;
END
my $free = $few->run(q{SELECT cardinality(dblink_get_connections())});
cmp_ok($free, '>', 1, 'connections have taken up the descriptors');
$few->run(q{SELECT dblink_disconnect((dblink_get_connections())[1])});
is($few->run(q{SELECT cache_get('c', 6)}), '60', 'no descriptor for Redis: the loader is run');
is($few->errors, '', 'and nothing fails');
$few->run(q{SELECT cache_get('c', 7)});
$few->quit;
$s->quit;
ok(reaches('connections <= 1', 't'), 'no place in the pool is lost');

# As many idle connections may be kept as there are: those who work go first.
$node->append_conf('postgresql.conf', <<'END');
cache.redis_pool_size = 3
cache.redis_min_idle_conns = 3
END
$node->reload;
my @idle = map { session($node, "idle$_") } 1 .. 4;
$_->run(q{SELECT cache_get('c', 8)}) for @idle;
ok(wait_for(sub {
		my $before = column('gets');
		$node->safe_psql('postgres', q{UPDATE item SET price = price + 1 WHERE id = 9; SELECT cache_get('c', 9)});
		return column('gets') > $before;
	}), 'idle sessions leave a place to others');

# The pool becomes smaller than what idle sessions hold.
$node->append_conf('postgresql.conf', 'cache.redis_pool_size = 1');
$node->reload;
ok(reaches('connections <= 1', 't'), 'idle sessions give up what is too much');
$redis->end('KILL');
$node->safe_psql('postgres', join ';', map { "SELECT cache_get('c', $_)" } 10 .. 14);
$redis->launch;
ok(reaches('state', 'up'), 'and the worker finds Redis again');
$_->quit for @idle;

# Errors that a Redis makes up.
my $program = <<'END';
use IO::Socket::UNIX;
my $listen = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 10) or die;
while (my $client = $listen->accept)
{
	next if fork;
	print $client "-ERR \xff\x1b[1m no `sesame`\r\n" x (() = /^\*/mg), $client->flush while sysread $client, $_, 65536;
	exit;
}
END
my $liar = "$socket.liar";
my $process = IPC::Run::start([ $^X, '-e', $program, $liar ]);
ok(wait_for(sub { -e $liar }), 'a Redis that lies');
$node->append_conf('postgresql.conf', <<"END");
cache.redis_pool_size = 10
cache.redis_addr = '$liar'
END
$node->reload;
ok(reaches('state', 'down'), 'it is not usable');
is(column('last_error'), 'ERR ??[1m no `sesame`', 'its errors are made fit to be shown');
$node->append_conf('postgresql.conf', q{cache.redis_password = 'sesame'});
$node->reload;
ok(reaches('last_error', 'an error that contains the password'), 'and do not show the password');
is(mismatches($node), '', 'all is exact');
$process->kill_kill;

# In single-user mode there is no postmaster to wait with.
$node->append_conf('postgresql.conf', "cache.redis_addr = '$socket'\ncache.redis_password = ''");
$node->stop;
my $in;
($in, $out, $err) = (q{SELECT cache_get('c', 1)}, '', '');
IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ], \$in, \$out, \$err);
like($out, qr/cache_get = "10"/, 'single-user mode');
unlike($err, qr/ERROR/, 'without an error');

done_testing();
