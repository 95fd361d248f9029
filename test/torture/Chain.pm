# Servers that follow one another: a primary, a standby, and a cascading one.
#
#   make_chain($data, 2)        # two standbys beside the server of this directory
#   chain()                     # their names, the primary first
#   host($name)                 # where to connect to
#   role($name)                 # what it is now
#   restart_node($name, $mode)  # ... and so on: what may happen to them
#   settle()                    # all have replayed what there is, and follow
#
# Which server has which place is in symbolic links beside their directories, so
# that all processes find it. The one to the primary, writable, is a host for libpq
# itself: so clients that write need not know.
package Chain;

use strict;
use warnings;
use Client qw(fault pick chance);
use Exporter qw(import);
use File::Basename qw(basename dirname);
use File::Path qw(remove_tree);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(make_chain chain host role writable control restart_node promote_next ask settle calm stop_standbys);

my @roles = qw(primary standby cascade);
my $top;
my $length;

sub place { my ($i) = @_; return "$top/" . ($i ? "place$i" : 'writable') }
sub chain { return map { readlink(place($_)) } 0 .. $length - 1 }
sub host { my ($name) = @_; return "$top/$name" }
sub writable { return place(0) }

sub role
{
	my ($name) = @_;
	for my $i (0 .. $length - 1)
	{
		return $roles[$i] if (readlink(place($i)) // '') eq $name;
	}
	return 'nothing';
}

# put_in_order gives the servers their places; the primary comes last.
sub put_in_order
{
	my (@names) = @_;
	for my $i (reverse 0 .. $#names)
	{
		symlink($names[$i], place($i) . '.new') && rename(place($i) . '.new', place($i))
		  or fault("cannot make a link: $!");
	}
}

sub control
{
	my ($name, @command) = @_;
	system('pg_ctl', '-D', host($name) . '/data', '-l', host($name) . '/log', qw(-w -s), @command) == 0
	  or fault("pg_ctl @command of the server $name has failed");
}

# ask runs SQL on one of them; undef: it could not.
sub ask
{
	my ($name, $database, @sql) = @_;
	local $ENV{PGHOST} = host($name);
	open(my $output, '-|', 'sh', '-c', 'exec psql "$@" 2>/dev/null', 'sh', '-XqAt', '-v', 'ON_ERROR_STOP=1',
		'-d', $database, map { ('-c', $_) } @sql)
	  or die "psql: $!\n";
	my @lines = <$output>;
	close $output or return undef;
	chomp @lines;
	return join "\n", @lines;
}

# wait_for waits until SQL gives true, so long; false: it has not.
sub wait_for
{
	my ($name, $sql, $seconds) = @_;
	my $deadline = time + $seconds;

	while (time < $deadline)
	{
		return 1 if (ask($name, 'torture', $sql) // '') eq 't';
		sleep 0.1;
	}
	return 0;
}

# follow starts a server as a standby of another.
sub follow
{
	my ($name, $other) = @_;
	my $data = host($name) . '/data';

	open(my $conf, '>>', "$data/postgresql.conf") or fault("postgresql.conf: $!");
	print $conf "unix_socket_directories = '" . host($name) . "'\n";
	print $conf "primary_conninfo = 'host=" . host($other) . " application_name=$name'\n";
	close $conf;
	open(my $signal, '>', "$data/standby.signal") or fault("standby.signal: $!");
	close $signal;
	control($name, 'start');
}

# build makes a server from a base backup of the primary.
sub build
{
	my ($name, $other) = @_;
	my $dir = host($name);

	remove_tree("$dir/data");
	mkdir $dir;
	system('pg_basebackup', '-D', "$dir/data", '-h', writable(), qw(-c fast -X stream --no-sync)) == 0
	  or fault('pg_basebackup has failed');
	unlink "$dir/data/postgresql.auto.conf";
	follow($name, $other);
}

# make_chain makes so many standbys beside the server with this data directory.
sub make_chain
{
	my ($data, $standbys) = @_;
	my @names = (basename(dirname($data)), map { "standby$_" } 1 .. $standbys);

	$top = dirname(dirname($data));
	$length = @names;
	put_in_order(@names);
	build($names[$_], $names[ $_ - 1 ]) for 1 .. $standbys;
	$ENV{PGHOST} = writable();
}

sub restart_node
{
	my ($name, $mode) = @_;
	control($name, 'restart', '-m', $mode);
}

# promote_next makes the first standby the primary, after the primary has been
# stopped, which becomes the last standby; from a base backup, where it has gone on
# alone. Gives whether that was necessary.
sub promote_next
{
	my ($mode) = @_;
	my ($old, @others) = chain();

	control($old, 'stop', '-m', $mode);
	control($others[0], 'promote');
	put_in_order(@others, $old);
	if ($mode eq 'fast')
	{
		follow($old, $others[-1]);
		return 0 if wait_for($old, "SELECT status = 'streaming' FROM pg_stat_wal_receiver", 5);
		control($old, 'stop', '-m', 'immediate');
	}
	build($old, $others[-1]);
	return 1;
}

# calm ends whatever keeps standbys from replaying.
sub calm
{
	for my $name (chain())
	{
		ask($name, 'postgres', 'ALTER SYSTEM RESET recovery_min_apply_delay', 'SELECT pg_reload_conf()');
		ask($name, 'postgres', 'SELECT pg_wal_replay_resume() WHERE pg_is_in_recovery()');
	}
}

# settle waits until the standbys have replayed all and use their caches.
sub settle
{
	my ($primary, @others) = chain();
	my $end = ask($primary, 'torture', 'SELECT pg_current_wal_insert_lsn()');

	for my $name (@others)
	{
		wait_for($name, "SELECT pg_last_wal_replay_lsn() >= '$end' AND state = 'following' FROM cache_standby", 30)
		  or return "the server $name does not follow: "
		  . (ask($name, 'torture', "SELECT s, pg_last_wal_replay_lsn(), '$end' FROM cache_standby s") // 'it does not answer');
	}
	return;
}

# stop_standbys leaves the primary alone.
sub stop_standbys
{
	my (undef, @others) = chain();
	for (@others)
	{
		system('pg_ctl', '-D', host($_) . '/data', qw(-w -s -m immediate stop)) if -e host($_) . '/data/postmaster.pid';
	}
}

1;
