# Redis at the limits: what is not to be found there, what must not fail because
# of it, and who gets a connection when there are few.
use strict;
use warnings;
use CacheTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my $socket = $redis->socket_path;
my $node = redis_node('limits', $redis, conf => "cache.redis_addr = '$socket'\nmax_files_per_process = 64");

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

# replaced waits for another worker than this one.
sub replaced
{
	my ($worker) = @_;

	return poll('another worker', sub {
			my $now = eval { worker_pid($node) };

			defined $now && $now ne $worker;
		});
}

# The image of a very long key has no end, so two of them could be exchanged.
is($node->safe_psql('postgres', <<'END'), "1\n2", 'keys of 40 kB');
SELECT cache_get('long', id) FROM long ORDER BY price;
END
$node->safe_psql('postgres', q{SELECT cache_get('c', 1)});
ok(poll('a value', sub { $redis->count }), 'a short key gets to Redis');
is($redis->count, 1, 'very long keys do not');

# A write that could not be described in a message.
is($node->psql('postgres', q{INSERT INTO long VALUES (repeat(chr(1), 200000000), 1)}),
	0, 'a key that no message can hold can be written');

# Somebody else's value, much larger than any of ours.
my ($key) = $redis->entries;
$redis->command('SETRANGE', $key, 5_000_000, 'x');
$node->safe_psql('postgres', q{UPDATE item SET price = price + 1 WHERE id = 2});
$node->restart;
wait_state($node, 'up');
$redis->command('SETRANGE', $_, 5_000_000, 'x') for $redis->entries;
is($node->safe_psql('postgres', q{SELECT cache_get('c', 1)}), '10', 'a huge value is not used');
is(redis_row($node, 'corrupt'), 1, 'it counts as corrupt');
is(redis_row($node, 'failures'), 0, 'and not as a failure of Redis');

# A reload without a change leaves connections and state alone.
my $since = redis_row($node, 'since');
my $s = session($node, 's');
$s->run(q{SELECT cache_get('c', 3)});
$node->append_conf('postgresql.conf', "log_min_duration_statement = 1h\n");
$node->reload;
poll('a reload', sub { $s->run('SHOW log_min_duration_statement') eq '1h' });
my $fills = redis_row($node, 'fills');
$s->run(q{SELECT cache_get('c', 4)});
wait_for($node, "fills > $fills FROM cache_redis");
is(redis_row($node, 'since'), $since, 'a reload is no change of state');

# The worker ends by SIGTERM, and comes back.
my $worker = worker_pid($node);
kill 'TERM', $worker;
ok(replaced($worker), 'the worker comes back');
$fills = redis_row($node, 'fills');
$node->safe_psql('postgres', q{SELECT cache_get('c', 5)});
wait_for($node, "fills > $fills FROM cache_redis");

# A transaction that was prepared, and is over, is not waited for by the next one.
# The message of its start stands for what the last one may have lost.
my $lost = '{"database":null,"cache":null,"key":null,"xid":null}';
my $messages = $redis->subscribe('cache:invalidate');
$node->safe_psql('postgres', <<'END');
BEGIN;
UPDATE item SET price = price + 1 WHERE id = 15;
PREPARE TRANSACTION 'over';
COMMIT PREPARED 'over';
END
ok(poll('its message', sub { slurp_file($messages) =~ /"key":\["15"\]/ }), 'a prepared transaction is told');
$worker = worker_pid($node);
kill 'TERM', $worker;
ok(replaced($worker), 'the worker comes back again');
ok(poll('its message', sub { slurp_file($messages) =~ /\Q$lost\E/ }), 'it says that messages may be lost');
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1 WHERE id = 16');
ok(poll('the next message', sub { slurp_file($messages) =~ /"key":\["16"\]/ }), 'messages go on');
is(scalar(() = slurp_file($messages) =~ /\Q$lost\E/g), 1, 'and says so once');

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
ok(poll('connections to end', sub { redis_row($node, 'connections') <= 1 }), 'no place in the pool is lost');

# As many idle connections may be kept as there are: those who work go first.
$node->append_conf('postgresql.conf', <<'END');
cache.redis_pool_size = 3
cache.redis_min_idle_conns = 3
END
$node->reload;
my @idle = map { session($node, "idle$_") } 1 .. 4;
$_->run(q{SELECT cache_get('c', 8)}) for @idle;
ok(poll('a place', sub {
		my $before = redis_row($node, 'gets');

		$node->safe_psql('postgres', q{UPDATE item SET price = price + 1 WHERE id = 9; SELECT cache_get('c', 9)});
		return redis_row($node, 'gets') > $before;
	}), 'idle sessions leave a place to others');

# The pool becomes smaller than what idle sessions hold.
$node->append_conf('postgresql.conf', 'cache.redis_pool_size = 1');
$node->reload;
ok(poll('connections to end', sub { redis_row($node, 'connections') <= 1 }), 'idle sessions give up what is too much');
$redis->stop;
$node->safe_psql('postgres', join ';', map { "SELECT cache_get('c', $_)" } 10 .. 14);
$redis->start;
ok(poll('Redis', sub { redis_row($node, 'state') eq 'up' }), 'and the worker finds Redis again');
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
poll('a Redis that lies', sub { -e $liar });
$node->append_conf('postgresql.conf', <<"END");
cache.redis_pool_size = 10
cache.redis_addr = '$liar'
END
$node->reload;
ok(poll('the breaker', sub { redis_row($node, 'state') eq 'down' }), 'a Redis that lies is not usable');
is(redis_row($node, 'last_error'), 'ERR ??[1m no `sesame`', 'its errors are made fit to be shown');
$node->append_conf('postgresql.conf', q{cache.redis_password = 'sesame'});
$node->reload;
ok(poll('its error', sub { redis_row($node, 'last_error') eq 'an error that contains the password' }), 'and do not show the password');
is(mismatches($node), '', 'all is exact');
$process->kill_kill;

# In single-user mode there is no postmaster to wait with.
$node->append_conf('postgresql.conf', "cache.redis_addr = '$socket'\ncache.redis_password = ''");
$node->stop;
my ($in, $out, $err) = (q{SELECT cache_get('c', 1)}, '', '');
IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ], \$in, \$out, \$err);
like($out, qr/cache_get = "10"/, 'single-user mode');
unlike($err, qr/ERROR/, 'without an error');

done_testing();
