# Helpers for the TAP tests of drivers: a client that speaks PostgreSQL's protocol
# itself, so that it can send the very messages that a driver sends.
#
#   my $client = connect_to($node);
#   $client->query($sql);                        # simple protocol
#   $client->parse($sql, [oids], $statement);    # Parse, Describe: { types, columns }
#   $client->bind($statement, [values], formats => [...], results => [...]);
#   $client->params($sql, [oids], [values], ...);    # all in one go, as PQexecParams
#   int4(42), uuid('...'), ...                   # values in binary
#
# A reply is { rows => [[...]], error => { C => sqlstate, M => message, H => hint } }.
package WireTest;

use strict;
use warnings;
use Exporter qw(import);
use IO::Socket::UNIX;

our @EXPORT = qw(connect_to int2 int4 int8 uuid date array);

# connect_to logs in, which needs no password on a scratch server.
sub connect_to
{
	my ($node, $db) = @_;
	my $self = bless {}, __PACKAGE__;

	$self->{socket} = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port)
	  or die "cannot connect: $!";
	$self->{socket}->timeout($PostgreSQL::Test::Utils::timeout_default);
	my $startup = pack('N', 196608) . join('', map { "$_\0" } user => 'postgres', database => $db // 'postgres', '');
	$self->{socket}->syswrite(pack('N', length($startup) + 4) . $startup);
	my $reply = $self->replies;
	die $reply->{error}{M} if $reply->{error};
	return $self;
}

# message makes one to be sent.
sub message
{
	my ($type, $body) = @_;

	return $type . pack('N', length($body) + 4) . $body;
}

sub get_bytes
{
	my ($self, $n) = @_;
	my $bytes = '';

	while (length($bytes) < $n)
	{
		$self->{socket}->sysread($bytes, $n - length($bytes), length($bytes)) or die "connection lost: $!";
	}
	return $bytes;
}

# replies reads everything up to ReadyForQuery.
sub replies
{
	my ($self) = @_;
	my %reply = (rows => []);

	while (1)
	{
		my ($type, $len) = unpack('aN', $self->get_bytes(5));
		my $body = $self->get_bytes($len - 4);

		if ($type eq 'E')
		{
			$reply{error} //= { $body =~ /(\w)([^\0]*)\0/g };
		}
		elsif ($type eq 't')
		{
			$reply{types} = [ unpack('n/N', $body) ];
		}
		elsif ($type eq 'T')
		{
			$reply{columns} = [];
			my $n = unpack('n', substr($body, 0, 2, ''));
			for (1 .. $n)
			{
				my ($name, $rest) = unpack('Z*a18', $body);
				push @{ $reply{columns} }, { name => $name, type => unpack('x6N', $rest) };
				substr($body, 0, length($name) + 19, '');
			}
		}
		elsif ($type eq 'D')
		{
			my @row;
			my $n = unpack('n', substr($body, 0, 2, ''));
			for (1 .. $n)
			{
				my $size = unpack('l>', substr($body, 0, 4, ''));
				push @row, $size < 0 ? undef : substr($body, 0, $size, '');
			}
			push @{ $reply{rows} }, \@row;
		}
		last if $type eq 'Z';
	}
	return \%reply;
}

sub send_all
{
	my ($self, @messages) = @_;

	$self->{socket}->syswrite(join('', @messages));
	return $self->replies;
}

sub query
{
	my ($self, $sql) = @_;

	return $self->send_all(message('Q', "$sql\0"));
}

sub parse_message
{
	my ($statement, $sql, $oids) = @_;

	return message('P', "$statement\0$sql\0" . pack('nN*', scalar(@$oids), @$oids));
}

sub bind_message
{
	my ($statement, $values, %options) = @_;
	my @formats = @{ $options{formats} // [] };
	my @results = @{ $options{results} // [] };

	return message('B', "\0$statement\0" . pack('nn*', scalar(@formats), @formats) . pack('n', scalar(@$values))
		  . join('', map { defined $_ ? pack('N/a*', $_) : pack('l>', -1) } @$values)
		  . pack('nn*', scalar(@results), @results));
}

sub parse
{
	my ($self, $sql, $oids, $statement) = @_;

	$statement //= '';
	return $self->send_all(parse_message($statement, $sql, $oids // []), message('D', "S$statement\0"), message('S', ''));
}

sub bind
{
	my ($self, $statement, $values, %options) = @_;

	return $self->send_all(bind_message($statement, $values, %options), message('D', "P\0"),
		message('E', "\0" . pack('N', 0)), message('S', ''));
}

sub params
{
	my ($self, $sql, $oids, $values, %options) = @_;

	return $self->send_all(parse_message('', $sql, $oids), bind_message('', $values, %options), message('D', "P\0"),
		message('E', "\0" . pack('N', 0)), message('S', ''));
}

sub int2 { return pack('s>', $_[0]) }
sub int4 { return pack('l>', $_[0]) }
sub int8 { return pack('q>', $_[0]) }
sub uuid { return pack('H*', $_[0] =~ tr/-//dr) }

# date takes the days since 2000-01-01.
sub date { return pack('l>', $_[0]) }

# array makes one of elements in binary.
sub array
{
	my ($type, @elements) = @_;

	return pack('NNNNN', 1, 0, $type, scalar(@elements), 1) . join('', map { pack('N/a*', $_) } @elements);
}

1;
