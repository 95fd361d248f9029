# Helpers for the TAP tests of the Redis tier: Redis servers of their own, a proxy
# that has faults, and servers that use them.
#
#   my $redis = start_redis('main', 'appendonly yes');   # lines of its redis.conf
#   $redis->command('GET', $key);        # a reply; dies of an error reply
#   $redis->subscribe($channel);         # redis-cli does, into a file
#   $redis->pause; $redis->resume;       # it hangs; it goes on
#   $redis->stop; $redis->start;
#
#   my $proxy = start_proxy($redis);
#   $proxy->fault('reply', match => '^GET$', bytes => "-LOADING\r\n");
#   $proxy->fault('pass');               # see the list at Proxy below
#
#   my $node = redis_node('name', $redis, ...);          # uses it
#
# REDIS_SERVER names another server than redis-server, valkey-server for example.
# Every process dies with the test.
package RedisTest;

use strict;
use warnings;
use CacheTest;
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_redis start_proxy redis_node setup_redis configure wait_for wait_state
  sync names redis_row probe poll);

my $server = $ENV{REDIS_SERVER} || 'redis-server';
my $cli = $ENV{REDIS_CLI} || ($server =~ s/server$/cli/r);
my $patience = $PostgreSQL::Test::Utils::timeout_default;

# The tests' own way in, whatever is done to other users
my @admin = ('admin', 'x');
my @processes;

# spawn starts a program that ends with this process; its output goes to a file.
sub spawn
{
	my ($file, @command) = @_;
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		if (open(STDOUT, '>>', $file) && open(STDERR, '>&', \*STDOUT) && open(STDIN, '<', '/dev/null'))
		{
			exec('setpriv', '--pdeathsig', 'KILL', @command);
		}
		POSIX::_exit(127);
	}
	push @processes, $pid;
	return $pid;
}

# reap ends a process of ours.
sub reap
{
	my ($pid, $signal) = @_;

	@processes = grep { $_ != $pid } @processes;
	kill $signal, $pid;
	waitpid $pid, 0;
	return;
}

my $owner = $$;

END
{
	my $status = $?;

	if ($$ == $owner)
	{
		reap($_, 'KILL') for @processes;
	}
	$? = $status;
}

# poll calls a function until it says yes.
sub poll
{
	my ($what, $done) = @_;
	my $end = time + $patience;

	until ($done->())
	{
		die "timed out waiting for $what" if time > $end;
		sleep 0.02;
	}
	return 1;
}

#
# A Redis server
#

sub start_redis
{
	my ($name, @conf) = @_;
	my $dir = "$PostgreSQL::Test::Utils::tmp_check/redis_$name";
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $socket = PostgreSQL::Test::Utils::tempdir_short() . '/redis.sock';
	my $self = bless { name => $name, dir => $dir, port => $port, socket => $socket }, __PACKAGE__;

	mkdir $dir or die "$dir: $!";
	append_to_file("$dir/redis.conf", join("\n", <<"END", @conf, ''));
port $port
bind 127.0.0.1 -::1
unixsocket $socket
unixsocketperm 700
dir $dir
save ""
daemonize no
repl-diskless-sync-delay 0
user admin on nopass ~* &* +\@all
END
	$self->start;
	return $self;
}

# start starts it, with more settings if there are any.
sub start
{
	my ($self, @options) = @_;

	unlink $self->{socket};
	$self->{pid} = spawn($self->log, $server, "$self->{dir}/redis.conf", @options);
	poll("$self->{name} to start", sub { -S $self->{socket} && eval { $self->command('PING') } });
	return;
}

# What it is reached by
sub port { return $_[0]->{port}; }
sub socket_path { return $_[0]->{socket}; }
sub addr { return "127.0.0.1:$_[0]->{port}"; }

sub log
{
	my ($self) = @_;

	return "$PostgreSQL::Test::Utils::log_path/$self->{name}.redis.log";
}

# stop ends it in good order: with appendonly, nothing is lost.
sub stop
{
	my ($self) = @_;

	delete $self->{connection};
	reap(delete $self->{pid}, 'TERM') if $self->{pid};
	return;
}

# pause lets it hang: connections are made, and nobody answers.
sub pause { kill 'STOP', $_[0]->{pid}; return; }
sub resume { kill 'CONT', $_[0]->{pid}; return; }

# subscribe has redis-cli write what is published on a channel into a file, and
# returns when it listens.
sub subscribe
{
	my ($self, $channel) = @_;
	my $file = "$self->{dir}/messages";

	spawn($file, $cli, '-s', $self->{socket}, '--user', $admin[0], '--pass', $admin[1],
		'--no-auth-warning', 'SUBSCRIBE', $channel);
	poll('the subscriber', sub { $self->command('PUBSUB', 'NUMSUB', $channel)->[1] > 0 });
	return $file;
}

# connection is a new connection of the tests' own.
sub connection
{
	my ($self) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $self->{socket}) or die "$self->{socket}: $!";
	my $connection = bless { socket => $socket, in => '' }, 'RedisTest::Connection';

	$connection->command('AUTH', @admin);
	return $connection;
}

# command sends a command and gives the reply: a string, a number, undef, or an
# array of such. Strings are bytes.
sub command
{
	my ($self, @command) = @_;
	my $reply;

	$self->{connection} //= $self->connection;
	eval { $reply = $self->{connection}->command(@command); 1 } or do
	{
		my $error = $@;

		delete $self->{connection} unless $error =~ /^error reply/;
		die $error;
	};
	return $reply;
}

# entries gives the names of the keys that hold cached values; what servers write to
# see whether they can (its name ends with :probe) is not one.
sub entries
{
	my ($self, $pattern) = @_;

	my @names =
	  sort grep { !/:probe$/ } @{ $self->command('KEYS', $pattern // 'cache:*') };

	return @names;
}

# count says how many they are.
sub count
{
	my ($self, $pattern) = @_;

	return $self->command('EVAL', <<'END', 0, $pattern // 'cache:*');
local n = 0
for _, name in ipairs(redis.call('KEYS', ARGV[1])) do
  if not string.find(name, ':probe$') then n = n + 1 end
end
return n
END
}

# wait_entries waits until there are that many, no more and no fewer.
sub wait_entries
{
	my ($self, $n, $pattern) = @_;
	my $count;

	eval {
		poll('', sub { ($count = $self->count($pattern)) == $n });
	} or die "timed out waiting for $n keys in $self->{name}, there are $count";
	return;
}

# each_of sends a command for each member of a list and gives the replies.
sub each_of
{
	my ($self, $command, @list) = @_;
	my $connection = $self->connection;
	my @replies;

	while (my @some = splice @list, 0, 100)
	{
		$connection->send($command->($_)) for @some;
		push @replies, $connection->receive for @some;
	}
	return @replies;
}

# copy takes a copy of all that it holds: what paste puts back.
sub copy
{
	my ($self, $pattern) = @_;
	my @names = grep { !/:probe$/ } $self->entries($pattern);
	my @values = $self->each_of(sub { ('DUMP', @_) }, @names);

	return { map { $names[$_] => $values[$_] } 0 .. $#names };
}

sub paste
{
	my ($self, $copy) = @_;

	$self->each_of(sub { ('RESTORE', $_[0], 0, $copy->{ $_[0] }, 'REPLACE') }, sort keys %$copy);
	return;
}

# keep has Redis itself take a copy of all, in another database; put_back brings it
# back.
sub keep
{
	my ($self) = @_;

	return $self->command('EVAL', <<'END', 0);
for _, name in ipairs(redis.call('KEYS', 'cache:*')) do redis.call('COPY', name, name, 'DB', 9, 'REPLACE') end
END
}

sub put_back
{
	my ($self) = @_;

	return $self->command('EVAL', <<'END', 0);
redis.call('SELECT', 9)
for _, name in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', name, name, 'DB', 0, 'REPLACE') end
redis.call('FLUSHDB')
END
}

# outlive has n values written that expire soon, and has Redis keep them all the same;
# again, if they are gone before that.
sub outlive
{
	my ($self, $n, $write) = @_;

	for (1 .. 20)
	{
		my $end = time + 2;
		my @names;

		$self->command('FLUSHALL');
		$write->();
		sleep 0.01 until (@names = $self->entries) == $n || time > $end;
		return if $n == grep { $_ } $self->each_of(sub { ('PERSIST', @_) }, @names);
	}
	die "$n values that expire soon are always gone";
}

# clients counts the connections that are not the tests' own.
sub clients
{
	my ($self) = @_;

	return scalar grep { !/ user=admin / } split /\n/, $self->command('CLIENT', 'LIST');
}

# info gives one field of INFO.
sub info
{
	my ($self, $field) = @_;

	return $self->command('INFO', 'everything') =~ /^\Q$field\E:(.*?)\r?$/m ? $1 : undef;
}

#
# Servers that use Redis
#

# redis_node makes a server whose caches use Redis, at an address or a server's. It is
# patient with Redis, so that a busy machine is not taken for a fault.
sub redis_node
{
	my ($name, $redis, %options) = @_;
	my $addr = ref $redis ? $redis->addr : $redis;
	my $conf = delete $options{conf} // '';
	my $node = new_node($name, %options, conf => <<"END");
cache.redis_addr = '$addr'
cache.redis_force = on
cache.redis_timeout = 5s
cache.warm_restart = 0
$conf
END

	wait_state($node, 'up') if ref $redis;
	return $node;
}

# setup_redis makes what setup_item makes, with caches that use Redis: c, and d,
# of which nothing is ever kept in shared memory; oracle looks at both. And a cache
# mark, for sync.
sub setup_redis
{
	my ($node, $rows, $db) = @_;

	setup_table($node, $rows, $db);
	$node->safe_psql($db // 'postgres', <<"END");
CREATE FUNCTION redis_names(text) RETURNS text LANGUAGE c AS 'cache', 'cache_devel_redis_names';
SELECT cache_create('c', 'loader(integer)', redis => true),
  cache_create('d', 'loader(integer)', redis => true, max_cost => 1);
SELECT cache_watch('c', 'item', 'id'), cache_watch('d', 'item', 'id');
CREATE FUNCTION load_mark(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1';
SELECT cache_create('mark', 'load_mark(integer)', redis => true);
CREATE VIEW oracle AS SELECT name, id, cache_get(name, id) AS got, loader(id) AS want,
  cache_get(name, id) IS NOT DISTINCT FROM to_jsonb(loader(id)) AS exact
  FROM generate_series(1, $rows) AS id, unnest('{c,d}'::text[]) AS name;
END
	return;
}

# configure changes settings of a server that runs, and returns when new sessions
# have them, and the worker those that concern connections.
sub configure
{
	my ($node, %settings) = @_;
	my $since = redis_row($node, 'since');

	my @there;

	foreach my $name (sort keys %settings)
	{
		my $value = $settings{$name} =~ s/'/''/gr;

		push @there,
		  "(SELECT '$value' IN (setting, current_setting(name)) FROM pg_settings WHERE name = '$name')";
		$value =~ s/\\/\\\\/g;
		$node->adjust_conf('postgresql.conf', $name, undef);
		$node->append_conf('postgresql.conf', "$name = '$value'");
	}
	$node->reload;
	wait_for($node, join(' AND ', @there));
	wait_for($node, "since <> '$since' FROM cache_redis")
	  if grep { /^cache\.redis_(addr|username|password|db)$/ } keys %settings;
	return;
}

# wait_for waits until a condition is true.
sub wait_for
{
	my ($node, $condition, $db) = @_;

	$node->poll_query_until($db // 'postgres', "SELECT $condition")
	  or die "timed out waiting for: $condition";
	return;
}

# wait_state waits until Redis is said to be up, or down.
sub wait_state
{
	my ($node, $state) = @_;

	wait_for($node, "state = '$state' FROM cache_redis");
	return;
}

# names is a pattern for the names of a server's keys, or of those of a cache.
sub names
{
	my ($node, $cache) = @_;

	$cache = defined $cache ? "'$cache'" : 'NULL';
	return $node->safe_psql('postgres', "SELECT redis_names($cache)") . '*';
}

# sync waits until Redis has got all that was to be sent so far: a value of a key
# that is new comes last. It is taken away again.
my $marks = 0;

sub sync
{
	my ($node, $redis) = @_;
	my $pattern = names($node, 'mark');
	my @names;

	$marks++;
	$node->safe_psql('postgres', "SELECT cache_get('mark', $marks)");
	poll('what is to be sent to Redis', sub { @names = $redis->entries($pattern) });
	$redis->command('DEL', @names);
	return;
}

# redis_row gives columns of cache_redis.
sub redis_row
{
	my ($node, @columns) = @_;

	return $node->safe_psql('postgres',
		'SELECT ' . join(', ', @columns) . ' FROM cache_redis');
}

# probe counts the keys whose cached and loaded values differ, in a session from
# which a guard has been taken out ('': none).
sub probe
{
	my ($node, $guard, $from) = @_;

	$from //= 'oracle WHERE NOT exact';
	return $node->safe_psql('postgres',
		"SET cache.removed_guard = '$guard'; SELECT count(*) FROM $from");
}

#
# Connections of the tests' own
#
package RedisTest::Connection;

use Time::HiRes qw(time);

sub send
{
	my ($self, @command) = @_;
	my $bytes = '*' . @command . "\r\n" . join('', map { '$' . length($_) . "\r\n$_\r\n" } @command);

	while (length $bytes)
	{
		my $n = syswrite($self->{socket}, $bytes);

		die "write to Redis: $!" unless defined $n;
		substr($bytes, 0, $n, '');
	}
	return;
}

# receive gives the next reply, or whatever is pushed.
sub receive
{
	my ($self) = @_;
	my $end = time + $patience;
	my $len;

	until (defined($len = RedisTest::Proxy::reply_length($self->{in}, 0)))
	{
		my $ready = IO::Select->new($self->{socket})->can_read($end - time);

		# A signal may end the wait.
		die 'no reply from Redis' if !$ready && time >= $end;
		next if !$ready;
		die 'Redis has closed the connection'
		  unless sysread($self->{socket}, $self->{in}, 65536, length $self->{in});
	}
	return parse(\substr($self->{in}, 0, $len, ''));
}

# pending says whether there is something to receive.
sub pending
{
	my ($self) = @_;

	return length $self->{in} || IO::Select->new($self->{socket})->can_read(0);
}

sub command
{
	my ($self, @command) = @_;

	$self->send(@command);
	return $self->receive;
}

# parse takes the value at the start of the bytes away.
sub parse
{
	my ($bytes) = @_;

	$$bytes =~ s/^(.)([^\r]*)\r\n//s or die 'no reply';
	my ($type, $rest) = ($1, $2);

	die "error reply: $rest\n" if $type eq '-';
	return $rest if $type eq '+' || $type eq ':';
	return undef if $rest < 0;
	return substr(substr($$bytes, 0, $rest + 2, ''), 0, $rest) if $type eq '$';
	return [ map { parse($bytes) } 1 .. $rest ];
}

#
# A proxy that has faults.
#
# It takes commands from clients one by one, hands each on to Redis, waits for the
# whole reply, and hands that back. A fault changes what it does with commands whose
# name matches (all of them unless told), until the next fault is set:
#
#   pass                        nothing
#   silent                      takes the command and never answers
#   deaf                        connection attempts are not even answered, and
#                               nothing is read
#   refuse                      connections are closed, and new ones refused
#   reply (bytes)               answers this instead
#   delay (seconds)             answers that much later
#   cut                         half of the reply, and the connection is closed
#   close                       closes the connection
#   huge                        the reply is a string of 512 MB
#   trickle                     the reply comes byte by byte, five a second
#
package RedisTest::Proxy;

use IO::Handle;
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Time::HiRes qw(sleep time);

sub RedisTest::start_proxy
{
	my ($redis) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my ($control, $peer);
	my $pid;

	socketpair($control, $peer, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
	$control->autoflush(1);
	$peer->autoflush(1);
	$pid = fork;
	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		close $control;
		eval { run($peer, $port, $redis->socket_path); };
		print STDERR "proxy: $@" if $@;
		POSIX::_exit(0);
	}
	close $peer;
	push @processes, $pid;

	my $self = bless { control => $control, port => $port, pid => $pid }, __PACKAGE__;
	$self->fault('pass');
	return $self;
}

sub addr { return "127.0.0.1:$_[0]->{port}"; }

sub ask
{
	my ($self, %question) = @_;
	my $answer;

	$self->{control}->print(JSON::PP::encode_json(\%question) . "\n");
	$answer = $self->{control}->getline;
	die 'the proxy has ended' unless defined $answer;
	return JSON::PP::decode_json($answer);
}

# fault sets a fault, and returns when it is in force.
sub fault
{
	my ($self, $fault, %options) = @_;

	$self->ask(fault => $fault, %options);
	return;
}

# seen counts, since the last call, what clients did: connections are "connect",
# commands go by their names. What servers do only to see whether they can is left out.
sub seen
{
	my ($self) = @_;

	return $self->ask(seen => 1);
}

# reply_length says where the reply that starts at a position ends, undef if it is
# not complete.
sub reply_length
{
	my ($bytes, $at) = @_;
	my $end = index($bytes, "\r\n", $at);
	my ($type, $n);

	return undef if $end < 0;
	($type, $n) = (substr($bytes, $at, 1), substr($bytes, $at + 1, $end - $at - 1));
	$end += 2;
	return $end if $type =~ /[-+:_#,(]/ || $n eq '-1';
	if ($type =~ /[\$=!]/)
	{
		$end += $n + 2;
		return $end <= length $bytes ? $end : undef;
	}
	die "not a reply: $type" unless $type =~ /[*~>%]/;
	$n *= 2 if $type eq '%';
	for (1 .. $n)
	{
		$end = reply_length($bytes, $end);
		return undef unless defined $end;
	}
	return $end;
}

# What the child has
my ($listener, $proxy_port, $upstream_path, $fault, %seen, %connections, @crowd);

sub listen_again
{
	my ($backlog) = @_;

	$listener = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		LocalPort => $proxy_port,
		ReuseAddr => 1,
		Listen => $backlog) or die "port $proxy_port: $!";
	$listener->blocking(0);
	return;
}

sub hang_up
{
	my ($connection) = @_;

	delete $connections{ $connection->{client} };
	close $connection->{client};
	close $connection->{upstream} if $connection->{upstream};
	return;
}

sub welcome
{
	my $client = $listener->accept or return;

	$client->blocking(0);
	$seen{connect}++;
	$connections{$client} = {
		client => $client, in => '', out => '', up => '',
		due => [], zeros => 0, busy => 0, closing => 0
	};
	return;
}

# deliver hands a reply to the client, in the way of the fault.
sub deliver
{
	my ($connection, $reply, $how) = @_;

	if ($how->{fault} eq 'cut')
	{
		$connection->{out} .= substr($reply, 0, length($reply) / 2);
		$connection->{closing} = 1;
	}
	elsif ($how->{fault} eq 'delay')
	{
		push @{ $connection->{due} }, [ time + $how->{seconds}, $reply ];
		return;
	}
	elsif ($how->{fault} eq 'trickle')
	{
		my $when = time;

		push @{ $connection->{due} }, [ $when += 0.2, $_ ] for split //, $reply;
		return;
	}
	elsif ($how->{fault} eq 'huge')
	{
		$connection->{out} .= "\$536870912\r\n";
		$connection->{zeros} = 512 * 1024 * 1024;
	}
	else
	{
		$connection->{out} .= $reply;
	}
	$connection->{busy} = 0;
	return;
}

# advance takes the client's next commands.
sub advance
{
	my ($connection) = @_;

	until ($connection->{busy} || $connection->{closing})
	{
		my $len = reply_length($connection->{in}, 0);
		my $applies = '';
		my ($command, $name);

		last unless defined $len;
		$command = substr($connection->{in}, 0, $len);
		$name = uc(($command =~ /^\*\d+\r\n\$\d+\r\n([^\r]*)/)[0] // '?');
		$applies = $fault->{fault} if $name =~ /(?:$fault->{match})/;
		substr($connection->{in}, 0, $len, '');
		$seen{$name}++ if $command !~ /:probe\r\n/;
		if ($applies eq 'silent')
		{
			next;
		}
		if ($applies eq 'close')
		{
			hang_up($connection);
			last;
		}
		if ($applies eq 'reply')
		{
			deliver($connection, $fault->{bytes}, { fault => 'pass' });
			next;
		}
		if (!$connection->{upstream})
		{
			$connection->{upstream} = IO::Socket::UNIX->new(Peer => $upstream_path);
			if (!$connection->{upstream})
			{
				hang_up($connection);
				last;
			}
		}
		$connection->{how} = $applies ? {%$fault} : { fault => 'pass' };
		$connection->{busy} = 1;
		$connection->{upstream}->blocking(1);
		$connection->{upstream}->print($command);
		$connection->{upstream}->flush;
	}
	return;
}

# set puts a fault in force.
sub set
{
	my ($new) = @_;
	my $old = $fault->{fault} // 'refuse';

	$fault = { match => '', %$new };
	if ($old eq 'refuse' || $old eq 'deaf')
	{
		close $_ for splice @crowd;
		close $listener if $listener;
		undef $listener;
	}
	if ($fault->{fault} eq 'refuse')
	{
		close $listener if $listener;
		undef $listener;
		hang_up($_) for values %connections;
	}
	elsif ($fault->{fault} eq 'deaf')
	{
		close $listener if $listener;
		listen_again(0);

		# The kernel takes no more attempts once this many wait to be accepted.
		while (@crowd < 16)
		{
			my $socket = IO::Socket::INET->new(
				PeerAddr => '127.0.0.1', PeerPort => $proxy_port, Blocking => 0);

			last unless $socket;
			push @crowd, $socket;
		}
	}
	elsif (!$listener)
	{
		listen_again(128);
	}
	advance($_) for values %connections;
	return;
}

sub answer
{
	my ($peer) = @_;
	my $line = $peer->getline;
	my ($question, $answer);

	return 0 unless defined $line;
	$question = JSON::PP::decode_json($line);
	$answer = {};
	if ($question->{seen})
	{
		$answer = {%seen};
		%seen = ();
	}
	else
	{
		set($question);
	}
	$peer->print(JSON::PP::encode_json($answer) . "\n");
	return 1;
}

# flush writes what the client takes.
sub flush
{
	my ($connection) = @_;

	if (length $connection->{out} < 65536 && $connection->{zeros} > 0)
	{
		$connection->{out} .= "\0" x 65536;
		$connection->{zeros} -= 65536;
		$connection->{out} .= "\r\n" if $connection->{zeros} == 0;
	}
	if (length $connection->{out})
	{
		my $n = syswrite($connection->{client}, $connection->{out});

		if (defined $n)
		{
			substr($connection->{out}, 0, $n, '');
		}
		elsif (!$!{EAGAIN} && !$!{EWOULDBLOCK} && !$!{EINTR})
		{
			hang_up($connection);
			return;
		}
	}
	hang_up($connection) if $connection->{closing} && !length $connection->{out};
	return;
}

# due moves what has waited long enough.
sub due
{
	my ($connection) = @_;
	my $due = $connection->{due};

	return unless @$due;
	while (@$due && $due->[0][0] <= time)
	{
		$connection->{out} .= (shift @$due)->[1];
	}
	return if @$due;
	$connection->{busy} = 0;
	advance($connection);
	return;
}

sub run
{
	my ($peer, $port, $path) = @_;

	($proxy_port, $upstream_path) = ($port, $path);
	$SIG{PIPE} = 'IGNORE';
	$fault = {};
	for (;;)
	{
		my $hears = ($fault->{fault} // '') ne 'deaf';
		my @all = values %connections;
		my $read = IO::Select->new($peer);
		my $write = IO::Select->new;
		my $wait = 10;
		my ($readable, $writable);

		$read->add($listener) if $listener && $hears;
		foreach my $connection (@all)
		{
			$read->add($connection->{client}) if $hears;
			$read->add($connection->{upstream}) if $connection->{busy} && $connection->{upstream};
			$write->add($connection->{client})
			  if length $connection->{out} || $connection->{zeros} || $connection->{closing};
			if (@{ $connection->{due} })
			{
				my $left = $connection->{due}[0][0] - time;

				$wait = $left if $left < $wait;
			}
		}
		($readable, $writable) = IO::Select::select($read, $write, undef, $wait < 0 ? 0 : $wait);

		# Everything of the old fault is over before the new one is in force.
		my %ready = map { $_ => 1 } @{ $readable // [] };
		my %room = map { $_ => 1 } @{ $writable // [] };

		foreach my $connection (@all)
		{
			my $client = $connection->{client};

			if ($connection->{upstream} && $ready{ $connection->{upstream} })
			{
				if (sysread($connection->{upstream}, $connection->{up}, 65536, length $connection->{up}))
				{
					my $len = reply_length($connection->{up}, 0);

					if (defined $len)
					{
						deliver($connection, substr($connection->{up}, 0, $len, ''), $connection->{how});
						advance($connection);
					}
				}
				else
				{
					hang_up($connection);
					next;
				}
			}
			if ($ready{$client})
			{
				if (sysread($client, $connection->{in}, 65536, length $connection->{in}))
				{
					advance($connection);
				}
				else
				{
					hang_up($connection);
					next;
				}
			}
			next unless $connections{$client};
			due($connection);
			flush($connection) if $connections{$client} && ($room{$client} || length $connection->{out});
		}
		welcome() if $listener && $ready{$listener};
		if ($ready{$peer})
		{
			answer($peer) or return;
		}
	}
	return;
}

1;
