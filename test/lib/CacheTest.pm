# Helpers for the TAP tests: servers that preload the library, and sessions that
# run in step with one another.
#
#   my $node = new_node('name', allows_streaming => 1);
#   my $r = session($node, 'r', 'SET ...');   # a session, named r
#   $r->run($sql);                            # its output, errors ignored
#   $r->park($sql);                           # returns when it is blocked
#   $r->start($sql);                          # returns at once
#   $r->join;                                 # its end, and its output
#   hold($h, 'loaded'); release($h, 'loaded');  # stop points
#   my $client = client($node, $sql, ...);    # a psql that runs by itself
#   $client->{run}->finish;                   # waits for its end: {out}, {err}
#   terminate($node, $pid);                   # ends a session of the server
#   crash($node, $pid);                       # kills a process of it: it restarts itself
#
# A test that dies says where, in which statement and of what.
package CacheTest;

use strict;
use warnings;
use Exporter qw(import);
use PostgreSQL::Test::Cluster;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node session client terminate crash worker_pid hold release setup_table setup_item
  mismatches);

# What a session is about to do, for whoever asks why the test died
our $doing;

# brief gives the first lines of a text.
sub brief
{
	my ($text, $most) = @_;
	my @lines = split /\n/, $text;

	splice @lines, $most, @lines - $most, '[...]' if @lines > $most;
	return @lines;
}

# The framework sends what Perl says of an end to a file that nobody looks into.
$SIG{__DIE__} = sub {
	my ($message) = @_;
	my ($file, $line, $place, $sql);
	my @report;

	return if !defined $^S || $^S;
	for (my $i = 0; (undef, $file, $line) = caller($i); $i++)
	{
		$place = "$file line $line" if $file =~ /\.pl$/;
	}

	# psql tells in which line of its input the statement ends that failed.
	if ($message =~ /^error running SQL: .*?psql:<stdin>:(\d+): .*?' with sql '(.*)'/s)
	{
		$sql = (split /\n/, $2)[ $1 - 1 ];
		$message =~ s/\nwhile running '.*//s;
	}
	push @report, 'died at ' . ($place // 'an unknown place') . ':', brief($message, 8);
	push @report, 'in: ' . join "\n", brief($sql // $doing, 4) if defined($sql // $doing);
	diag(join "\n", @report);
	return;
};

# new_node makes and starts a server with the extension in database postgres.
sub new_node
{
	my ($name, %options) = @_;
	my $conf = delete $options{conf} // '';
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%options);
	$node->append_conf('postgresql.conf', <<"END");
shared_preload_libraries = 'cache'
cache.memory = 16MB
max_connections = 80
max_prepared_transactions = 10
log_statement = none
$conf
END
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION cache');
	return $node;
}

# setup_table makes a table of prices, and a loader that reads it.
sub setup_table
{
	my ($node, $rows, $db) = @_;

	$node->safe_psql($db // 'postgres', <<"END");
CREATE TABLE item (id integer PRIMARY KEY, price integer);
INSERT INTO item SELECT i, 10 * i FROM generate_series(1, $rows) AS i;
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM item WHERE id = \$1';
END
	return;
}

# setup_item adds a cache "c", and a view that compares it with the loader.
sub setup_item
{
	my ($node, $rows, $db) = @_;

	setup_table($node, $rows, $db);
	$node->safe_psql($db // 'postgres', <<"END");
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'id');
CREATE VIEW oracle AS SELECT id, cache_get('c', id) AS got, loader(id) AS want,
  cache_get('c', id) IS NOT DISTINCT FROM to_jsonb(loader(id)) AS exact
  FROM generate_series(1, $rows + 1) AS id;
END
	return;
}

# mismatches lists the keys whose cached and loaded values differ: none, ever.
sub mismatches
{
	my ($node, $db) = @_;

	return $node->safe_psql($db // 'postgres', 'SELECT * FROM oracle WHERE NOT exact');
}

sub session
{
	my ($node, $name, @sql) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $self = bless { psql => $psql, name => $name, node => $node }, __PACKAGE__;

	# The time limit is for each command, not for the whole life of the session.
	$psql->set_query_timer_restart(1);
	$self->run($_) for "SET application_name = '$name'", @sql;
	return $self;
}

sub run
{
	my ($self, $sql) = @_;
	local $doing = "$self->{name}: $sql";
	my $output = $self->{psql}->query($sql);

	$self->{errors} = $self->{psql}{stderr};
	$self->{psql}{stderr} = '';
	return $output;
}

# start starts a command, and does not wait for it.
sub start
{
	my ($self, $sql) = @_;
	local $doing = "$self->{name}: $sql";

	$self->{psql}->query_until(qr/started\n/, "\\echo started\n$sql;\n");
	return;
}

# park starts a command, and returns when it waits for a lock, or sleeps until another
# session's load is through.
sub park
{
	my ($self, $sql) = @_;
	local $doing = "$self->{name}: $sql";

	$self->start($sql);
	$self->{node}->safe_psql('postgres', <<"END");
DO \$\$BEGIN
  FOR i IN 1 .. 100 * $PostgreSQL::Test::Utils::timeout_default LOOP
    IF EXISTS (SELECT FROM pg_stat_activity
               WHERE application_name = '$self->{name}' AND wait_event_type IN ('Lock', 'Extension')) THEN
      RETURN;
    END IF;
    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
  END LOOP;
  RAISE EXCEPTION 'session $self->{name} is not blocked';
END\$\$
END
	return;
}

# join waits for the end of a command that was parked.
sub join
{
	my ($self) = @_;

	return $self->run('');
}

# errors gives what the last command, or the one that was joined, complained of.
sub errors
{
	my ($self) = @_;

	return $self->{errors};
}

# quit ends a session, however long it has been idle.
sub quit
{
	my ($self) = @_;

	$self->{psql}{timeout}->start;
	return $self->{psql}->quit;
}

# client starts a psql that runs commands one after the other, in a process of its
# own. What it prints is in {out} and {err} when {run} is finished.
sub client
{
	my ($node, @sql) = @_;
	my %client = (out => '', err => '');

	$client{run} = IPC::Run::start [
		'psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } @sql
	  ],
	  '<', \undef, '>', \$client{out}, '2>', \$client{err},
	  IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
	return \%client;
}

# terminate ends a session of the server, and returns when it is gone.
sub terminate
{
	my ($node, $pid) = @_;

	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)")
	  or die "session $pid does not end";
	return;
}

# crash kills a process of the server, a session unless told, and returns when it has
# restarted itself: with restart_after_crash = on.
sub crash
{
	my ($node, $pid) = @_;
	my ($victim, $witness) = map { session($node, $_) } qw(victim witness);

	kill 'KILL', $pid // $victim->run('SELECT pg_backend_pid()');

	# Only then has the server heard of it.
	eval { $witness->run("SELECT pg_sleep(2 * $PostgreSQL::Test::Utils::timeout_default)") };
	eval { $_->quit } for $victim, $witness;
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
	return;
}

# first_line reads what may be gone.
sub first_line
{
	my ($name) = @_;

	open(my $file, '<', $name) or return '';
	return <$file> // '';
}

# worker_pid finds the background worker among the postmaster's children, or dies.
sub worker_pid
{
	my ($node) = @_;
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');

	foreach my $dir (glob '/proc/[0-9]*')
	{
		my ($title, $stat) = map { first_line("$dir/$_") } qw(cmdline stat);

		return $dir =~ s/.*\///r
		  if $title =~ /cache worker/ && $stat =~ /^\d+ \(.*\) \S+ $postmaster /;
	}
	die 'no worker';
}

# hold makes all sessions that have the stop point stop there.
sub hold
{
	my ($session, $point) = @_;

	$session->run("SELECT pg_advisory_lock(hashtext('cache'), hashtext('$point'))");
	return;
}

sub release
{
	my ($session, $point) = @_;

	$session->run("SELECT pg_advisory_unlock(hashtext('cache'), hashtext('$point'))");
	return;
}

1;
