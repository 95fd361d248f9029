# Redis and memcached, where they are installed: servers on sockets in the scratch
# directory that hold the items, and a client that asks them.
package Peers;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(time sleep);

use Bench;

our @EXPORT = qw(peer_start peers_stop peer_rate);

my $parent = $$;
my %pids;

my %peers = (
	redis => {
		command => sub { qw(redis-server --port 0 --loglevel warning), '--save', '', '--unixsocket', @_ },
		# with an expiry, as whatever is cached there has one
		set => sub {
			sprintf "*5\r\n\$3\r\nSET\r\n\$%d\r\n%s\r\n\$%d\r\n%s\r\n\$2\r\nEX\r\n\$5\r\n86400\r\n",
			  length $_[0], $_[0], length $_[1], $_[1];
		},
		get => sub { sprintf "*2\r\n\$3\r\nGET\r\n\$%d\r\n%s\r\n", length $_[0], $_[0] },
		stored => "+OK\r\n",
		complete => sub { $_[0] =~ /^\$(\d+)\r\n/ && length $_[0] >= $+[0] + $1 + 2 },
	},
	memcached => {
		command => sub { qw(memcached -m 256 -s), @_ },
		set => sub { sprintf "set %s 0 0 %d\r\n%s\r\n", $_[0], length $_[1], $_[1] },
		get => sub { "get $_[0]\r\n" },
		stored => "STORED\r\n",
		complete => sub { $_[0] =~ /\r\nEND\r\n\z/ },
	});

sub attach
{
	my ($socket) = @_;
	return IO::Socket::UNIX->new(Peer => $socket);
}

# peer_start starts a server, fills it with the items, as item:1 and so on, and
# returns its socket; undef if it is not installed.
sub peer_start
{
	my ($name, $session) = @_;
	my $peer = $peers{$name};
	my $path = "$ENV{SCRATCH}/$name.socket";
	return $path if $pids{$name};
	return if system("command -v $name-server $name >/dev/null 2>&1") != 0
	  && system("command -v $name >/dev/null 2>&1") != 0;

	my @command = $peer->{command}->($path);
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0)
	{
		open STDOUT, '>', '/dev/null';
		exec @command or POSIX::_exit(1);
	}
	$pids{$name} = $pid;
	my $socket;
	my $patience = time + 10;
	until ($socket = attach($path))
	{
		die "$name does not start\n" if time > $patience;
		sleep 0.05;
	}

	for (query($session, 'SELECT id, value FROM item'))
	{
		my ($id, $value) = split /\|/, $_, 2;
		my ($request, $reply) = ($peer->{set}->("item:$id", $value), '');
		syswrite $socket, $request;
		sysread $socket, $reply, 100;
		$reply eq $peer->{stored} or die "$name: $reply\n";
	}
	return $path;
}

sub peers_stop
{
	return if $$ != $parent;
	local $?;
	for my $pid (values %pids)
	{
		kill TERM => $pid;
		waitpid $pid, 0;
	}
	%pids = ();
	return;
}

# peer_rate returns how many items a second so many clients get at random.
sub peer_rate
{
	my ($name, $path, $clients, $seconds) = @_;
	my $peer = $peers{$name};
	my @pipes;
	for (1 .. $clients)
	{
		my $pid = open(my $pipe, '-|') // die "fork: $!\n";
		push @pipes, $pipe;
		next if $pid;

		my $socket = attach($path);
		my $gets = 0;
		my $end = time + $seconds;
		srand;
		for (; $gets % 64 != 0 || time < $end; $gets++)
		{
			my $reply = '';
			syswrite $socket, $peer->{get}->('item:' . (1 + int rand 100_000));
			do
			{
				sysread($socket, $reply, 65536, length $reply) or die "$name: $!\n";
			} until $peer->{complete}->($reply);
		}
		print $gets / $seconds, "\n";
		STDOUT->flush;
		POSIX::_exit(0);
	}
	my $sum = 0;
	$sum += readline $_ for @pipes;
	return $sum;
}

1;
