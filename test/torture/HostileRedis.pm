# A Redis that does everything a cache must not depend on: it forgets, hangs,
# dies, comes back with old data, mixes values up, damages them, and puts old
# ones back.
#
#   my $redis = HostileRedis->new('/path/to/redis.sock');
#   $redis->launch;
#   $redis->act;      # something bad, at random
#   $redis->stop;
package HostileRedis;

use strict;
use warnings;
use File::Basename qw(basename dirname);
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep);

sub pick { return $_[ rand @_ ] }

sub new
{
	my ($class, $path) = @_;
	my $self = bless { path => $path, dir => dirname($path), copies => [], acts => {} }, $class;

	$self->{dump} = basename($path) . '.rdb';
	unlink "$self->{dir}/$self->{dump}";
	return $self;
}

# launch starts the server process, with the data that were saved last, if any.
sub launch
{
	my ($self) = @_;

	$self->{pid} = fork // die "fork: $!\n";
	if (!$self->{pid})
	{
		open(STDOUT, '>', "$self->{path}.log");
		open(STDERR, '>&', \*STDOUT);
		exec('redis-server', '--port', 0, '--unixsocket', $self->{path},
			'--dir', $self->{dir}, '--dbfilename', $self->{dump},
			'--save', '', '--enable-debug-command', 'yes')
		  or POSIX::_exit(127);
	}
	for (1 .. 100)
	{
		my ($pong) = eval { $self->ask([ 'PING' ]) };
		return if defined $pong && $pong eq 'PONG';
		sleep 0.05;
	}
	die "redis-server has not started\n";
}

# ask sends commands, pipelined, and returns the replies: strings, undef, or the
# lists of arrays. Errors are strings that begin with a minus sign.
sub ask
{
	my ($self, @commands) = @_;
	my $socket = $self->{socket};
	my @replies;

	eval {
		local $SIG{ALRM} = sub { die "timeout\n" };
		alarm 10;
		if (!$socket)
		{
			$socket = IO::Socket::UNIX->new(Peer => $self->{path}) or die "connect: $!\n";
			binmode $socket;
		}
		while (my @some = splice @commands, 0, 100)
		{
			print $socket join '', map {
				'*' . @$_ . "\r\n" . join '', map { '$' . length() . "\r\n$_\r\n" } @$_
			} @some;
			$socket->flush;
			push @replies, map { reply($socket) } @some;
		}
		alarm 0;
		1;
	} or do {
		my $error = $@;
		alarm 0;
		delete $self->{socket};
		die $error;
	};
	$self->{socket} = $socket;
	return @replies;
}

sub reply
{
	my ($socket) = @_;
	my $line = <$socket> // die "closed\n";

	$line =~ s/\r\n$//;
	my ($kind, $rest) = (substr($line, 0, 1), substr($line, 1));
	return "-$rest" if $kind eq '-';
	return $rest if $kind ne '$' && $kind ne '*';
	return undef if $rest < 0;
	return [ map { reply($socket) } 1 .. $rest ] if $kind eq '*';
	my $bytes = '';
	while (length $bytes < $rest + 2)
	{
		read($socket, $bytes, $rest + 2 - length $bytes, length $bytes) or die "closed\n";
	}
	return substr($bytes, 0, $rest);
}

# some_keys gives some of the keys that there are.
sub some_keys
{
	my ($self, $most) = @_;
	my ($all) = $self->ask([ 'KEYS', '*' ]);
	my @keys = @$all;

	while (@keys > $most) { splice @keys, rand @keys, 1 }
	return @keys;
}

my %acts = (
	flush => [ 2, sub { $_[0]->ask([ pick('FLUSHALL', 'FLUSHDB') ]) } ],

	# Old values come back later, as from a backup or a replica that lags.
	remember => [ 10, sub {
			my ($self) = @_;
			my @keys = $self->some_keys(300);
			my @dumps = $self->ask(map { [ 'DUMP', $_ ] } @keys);
			my $copies = $self->{copies};

			push @$copies, [ map { [ $keys[$_], $dumps[$_] ] } grep { defined $dumps[$_] } 0 .. $#keys ];
			splice @$copies, rand @$copies, 1 if @$copies > 12;
		} ],
	restore => [ 20, sub {
			my ($self) = @_;
			my $copy = pick(@{ $self->{copies} }) // return;

			$self->ask(map { [ 'RESTORE', $_->[0], 0, $_->[1], 'REPLACE' ] } @$copy);
		} ],
	save => [ 3, sub { $_[0]->ask([ 'SAVE' ]) } ],
	kill => [ 2, sub {
			my ($self) = @_;

			$self->end('KILL');
			sleep rand 0.3;
			$self->launch;
		} ],

	# Values under the names of others, and values that are none.
	mix => [ 8, sub {
			my ($self) = @_;
			my @keys = $self->some_keys(100);

			$self->ask(map { [ 'COPY', $_, pick(@keys), 'REPLACE' ] } @keys) if @keys;
		} ],
	damage => [ 5, sub {
			my ($self) = @_;

			$self->ask(map { [ 'SETRANGE', $_, int rand 200, chr rand 256 ] } $self->some_keys(30));
		} ],
	append => [ 2, sub { $_[0]->ask(map { [ 'APPEND', $_, 'x' ] } $_[0]->some_keys(10)) } ],
	retype => [ 2, sub {
			$_[0]->ask(map { ([ 'DEL', $_ ], [ 'LPUSH', $_, 'x' ]) } $_[0]->some_keys(10));
		} ],
	enlarge => [ 1, sub { $_[0]->ask(map { [ 'SETRANGE', $_, 5_000_000, 'x' ] } $_[0]->some_keys(2)) } ],

	stop => [ 3, sub {
			my ($self) = @_;

			kill 'STOP', $self->{pid};
			sleep rand 0.3;
			kill 'CONT', $self->{pid};
		} ],
	sleep => [ 2, sub { $_[0]->ask([ 'DEBUG', 'SLEEP', rand 0.2 ]) } ],
	disconnect => [ 2, sub { $_[0]->ask([ 'CLIENT', 'KILL', 'SKIPME', 'yes', 'TYPE', 'normal' ]) } ],
	full => [ 1, sub {
			my ($self) = @_;

			$self->ask([ 'CONFIG', 'SET', 'maxmemory', 1 ]);
			sleep rand 0.5;
			$self->ask([ 'CONFIG', 'SET', 'maxmemory', 0 ]);
		} ],
	read_only => [ 1, sub {
			my ($self) = @_;

			$self->ask([ 'REPLICAOF', '127.0.0.1', 1 ]);
			sleep rand 0.5;
			$self->ask([ 'REPLICAOF', 'NO', 'ONE' ]);
		} ]);
my @acts = map { ($_) x $acts{$_}[0] } sort keys(%acts);

sub act
{
	my ($self) = @_;
	my $name = pick(@acts);

	$acts{$name}[1]->($self);
	$self->{acts}{$name}++;
	return $name;
}

# end ends the server process, by a signal.
sub end
{
	my ($self, $signal) = @_;

	return if !$self->{pid};
	delete $self->{socket};
	kill 'CONT', $self->{pid};
	kill $signal, $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	unlink $self->{path};
}

sub stop { $_[0]->end('KILL') }

1;
