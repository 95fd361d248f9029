# A client of the random load: a process that drives one psql, and what it draws
# by chance.
package Client;

use strict;
use warnings;
use Exporter qw(import);
use IPC::Open2;
use POSIX ();
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(
  run attempt tolerate fault lines_of %count %client connect_client begin block
  pick chance upto skewed weighted);

# What contention may answer: serialization failure, deadlock, lock timeout,
# duplicate key, and statement timeout where one is set.
my @contention = qw(40001 40P01 55P03 23505 57014);

# What is set once: setup, the statements that a session begins with; restarts:
# the server is restarted now and then; standbys: how many it has; reader: it only reads, on the server of this
# name, which may be a standby; at_fault, called before the end. And what is known
# at a time: blocked, a lock timeout, perhaps a prepared transaction is in the way;
# history, the statements of this transaction.
our %client = (number => 0, setup => [], restarts => 0, standbys => 0, reader => '', at_fault => sub { }, blocked => 0, history => []);
our %count;

my ($psql, $to_psql, $from_psql);
my @tolerated;

# fault reports what ends the run, and ends this client.
sub fault
{
	my ($what, @lines) = @_;
	$client{at_fault}->();
	print join("\n", 'FAULT', $what, @lines, $client{reader} ? "on $client{reader}, in" : 'in', map { "  $_;" } @{ $client{history} }), "\n";
	STDOUT->flush;
	POSIX::_exit(1);
}

# answer reads a line of what psql says; undef: it has ended. Where the server is
# restarted, psql can be left without a session and wait for more, as if it had
# answered: then it is ended, too. A session that hangs is another thing.
sub answer
{
	return scalar <$from_psql> if !$client{restarts};
	local $SIG{ALRM} = sub {
		my $sessions = `PGAPPNAME= psql -XAtq -d torture -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$ENV{PGAPPNAME}'" 2>&1`;

		kill 'KILL', $psql if $sessions eq "0\n";
		alarm 10;
	};
	alarm 10;
	my $line = <$from_psql>;
	alarm 0;
	return $line;
}

# connect_client starts the session, again if the server has been restarted.
sub connect_client
{
	for (1 .. 300)
	{
		my $begun = '';

		$ENV{PGAPPNAME} = "client $client{number} $$";
		$psql = open2($from_psql, $to_psql, 'exec psql -XqAt -P null=NULL -d torture 2>&1');
		print $to_psql "\\echo begun\n";
		$to_psql->flush;
		while ($begun ne "begun\n") { $begun = answer() // last }
		return if defined $begun && eval { run($_) for @{ $client{setup} }; 1 };
		die $@ if defined $begun && $@ ne "LOST\n";
		waitpid $psql, 0;
		last if !$client{restarts};
		sleep 0.1;
	}
	fault('cannot connect');
}

# run runs one statement and returns its output. It dies with the SQLSTATE if the
# statement fails as contention, or the further arguments, allow, and with LOST if
# the server is restarted. Output that ends in a column "true" is a mismatch, also
# in an error message.
sub run
{
	my ($sql, @allowed) = @_;
	my (@lines, $state);
	push @{ $client{history} }, $sql;
	print $to_psql "$sql;\n\\echo \@\@ :SQLSTATE\n";
	$to_psql->flush;
	until ($state)
	{
		my $line = answer();
		if (!defined $line)
		{
			waitpid $psql, 0;
			fault('the connection is lost', @lines) if !$client{restarts};
			die "LOST\n";
		}
		chomp $line;
		($state) = $line =~ /^\@\@ (\w+)$/ or push @lines, $line;
	}
	my ($mismatch) = grep { /\|t$/ } @lines;
	fault('MISMATCH (cache|key|cached|loaded)', $mismatch =~ s/\|t$//r) if $mismatch;
	return @lines if $state eq '00000';
	fault("error $state", @lines) if !grep { $_ eq $state } @contention, @tolerated, @allowed;
	$count{"sqlstate $state"}++;
	$client{blocked} = 1 if $state eq '55P03';
	die "$state\n";
}

# attempt runs a piece of work and returns false if contention ended it.
sub attempt
{
	my ($work) = @_;
	return 1 if eval { $work->(); 1 };
	die $@ if $@ !~ /^\w{5}\n$/;
	return 0;
}

# tolerate runs a piece of work in which these SQLSTATEs are contention as well.
sub tolerate
{
	my ($states, $work) = @_;
	my @before = @tolerated;

	@tolerated = (@before, @$states);
	my $done = eval { $work->(); 1 };
	@tolerated = @before;
	die $@ if !$done;
}

# block runs work between a BEGIN and one of the endings, and returns false if it
# has come to nothing.
sub block
{
	my ($begin, $work, @endings) = @_;
	my $ending = pick(@endings);

	# Its name is in use, or it has used temporary objects.
	my @answers = $ending =~ /^PREPARE/ ? qw(42710 0A000) : ();
	run($begin);
	return 1 if attempt(sub { $work->(); run($ending, @answers) });
	run('ROLLBACK');
	return 0;
}

# A standby has no SERIALIZABLE.
sub begin
{
	return 'BEGIN ISOLATION LEVEL '
	  . pick(('READ COMMITTED') x 2, ('REPEATABLE READ') x 2, $client{reader} ? () : 'SERIALIZABLE');
}

# ---------------------------------------------------------------------------
# Random things. Low numbers are drawn more often, so that there are hits as well
# as evictions.

sub pick { return $_[ rand @_ ] }
sub chance { return rand(100) < $_[0] }
sub upto { return 1 + int rand $_[0] }
sub skewed { return 1 + int($_[0] * rand()**2) }

# weighted makes a list to pick from of [weight, thing]s.
sub weighted
{
	return map { my ($weight, $thing) = @$_; ($thing) x $weight } @_;
}

1;
