#!/usr/bin/perl
# Random load under the oracle: what cache_get returns must be what the loader
# returns in the same statement.
#
#   perl torture.pl [--clients 8] [--time 60] [--seed 1] [--redis PATH]
#                   [--data DIRECTORY] [--standbys 2] [--without GUARD]
#
# Each client is a process that drives one psql (Client.pm), on the server and as
# the user of libpq's environment, in a database "torture" that is made anew.
# Clients read, write, take savepoints, abort, prepare, and now and then change
# definitions, under all isolation levels, checking before and after (Oracle.pm).
# They also do what has nothing to do with rows (Kinds.pm): change their settings,
# call loaders directly, have temporary objects, replace functions, move
# partitions. What empties all caches is done so often a second, not so often a
# transaction, so that enough is found in them.
#
# The first mismatch ends the run with cache, key, both values and the transaction
# in which it was seen. Serialization failures, deadlocks and lock timeouts are
# part of the game, and what PostgreSQL answers to some commands, by SQLSTATE,
# where these are run; any other error fails the run. At its end it is told what
# was compared, found and not stored, and how often each thing was done.
#
# Meanwhile a transaction is always open in another database, and one prepared,
# which have nothing to do with any of this.
#
# With --redis, a hostile Redis listens on that socket, to which the server's
# cache.redis_addr must point. With --data, the server with this data directory
# is restarted now and then, at times without being shut down. With --standbys as
# well, there are so many, each of which follows the one before (Chain.pm), and on
# each server clients that only read, of the same kinds as the others (readers). Then
# standbys are restarted and kept from replaying, now and then the primary is, too,
# and the first standby is promoted in its place. --without takes out one of the
# protocol's guards, to see the run fail.
use strict;
use warnings;
use File::Basename qw(dirname);
use FindBin;
use Getopt::Long;
use IO::Handle;
use IO::Select;
use POSIX ();
use Time::HiRes qw(sleep time);

use lib $FindBin::Bin;
use Chain qw(make_chain chain host role control restart_node promote_next ask settle calm stop_standbys);
use Client qw(run attempt fault connect_client begin block pick chance upto weighted %count %client);
use HostileRedis;
use Kinds;
use Oracle qw(%cache names caches_of check fetch fill write_something);

my ($clients, $seconds, $seed) = (8, 60, 1);
my $changes_a_second = 2;    # by all clients together
my $standbys = 0;
my ($redis_path, $data, $without);
GetOptions(
	'clients=i' => \$clients,
	'time=i' => \$seconds,
	'seed=i' => \$seed,
	'redis=s' => \$redis_path,
	'data=s' => \$data,
	'standbys=i' => \$standbys,
	'without=s' => \$without)
  && $clients > 0
  && @ARGV == 0
  && ($standbys == 0 || defined $data && $standbys <= 2)
  or die "usage: torture.pl [--clients n] [--time s] [--seed n] [--redis path] [--data directory [--standbys n]] [--without guard]\n";

# ---------------------------------------------------------------------------
# Work in transactions

my $redis;      # in the process that meddles with it

# A cursor keeps the snapshot of its opening while its transaction writes on.
sub check_in_cursor
{
	run('DECLARE c CURSOR FOR'
		  . " SELECT 'account', k, cache_get('account', k), account(k),"
		  . " cache_get('account', k) IS DISTINCT FROM account(k)"
		  . ' FROM generate_series(1, 12) k');
	run('FETCH 4 FROM c');
	write_something();
	run('FETCH ALL FROM c');
	run('CLOSE c');
}

# steps does some work in a transaction block, at times in savepoints.
sub steps
{
	my ($depth) = @_;
	for (1 .. upto(4))
	{
		if ($depth < 3 && chance(15))
		{
			run("SAVEPOINT s$depth");
			my $done = attempt(sub { steps($depth + 1) });
			run("ROLLBACK TO SAVEPOINT s$depth") if !$done || chance(50);
			run("RELEASE SAVEPOINT s$depth") if chance(50);
		}
		elsif ($depth == 0 && chance(4)) { check_in_cursor() }
		elsif (chance(10)) { fetch() }
		elsif (chance(50)) { check() }
		else { write_something() }
	}
	check();
}

# ---------------------------------------------------------------------------
# Definitions that change under the load. Only the first client does this, and adds
# columns only so often because a table may have 1600.

my $added = 0;

my @definitions = (

	# the same loader again
	sub {
		run(fill('CREATE OR REPLACE FUNCTION public.branch(bid int) RETURNS bigint STABLE LANGUAGE plpgsql AS'
			  . ' $$ BEGIN RETURN (SELECT sum(balance) FROM accounts a WHERE a.bid = $1); END; -- {any}'
			  . "\n\$\$"));
	},

	# a loader with other results, out of everybody's sight
	sub {
		run('LOCK TABLE prices IN ACCESS EXCLUSIVE MODE');
		check();
		run(fill('CREATE OR REPLACE FUNCTION public.price(k numeric) RETURNS numeric STABLE LANGUAGE sql AS'
			  . ' $$ SELECT v + {bid} FROM prices p WHERE p.k = $1 $$'));
		check();
	},

	# a column more
	sub {
		return if $added++ > 500;
		run("ALTER TABLE accounts ADD COLUMN x$added int");
		check();
		run("ALTER TABLE accounts DROP COLUMN x$added");
	},

	# a table rewritten
	sub {
		return if $added++ > 500;
		run("ALTER TABLE pairs ADD COLUMN x$added float8 DEFAULT random()");
		check();
		run("ALTER TABLE pairs DROP COLUMN x$added");
	},

	# a table loaded again
	sub {
		run('TRUNCATE pairs');
		check();
		run("INSERT INTO pairs SELECT a, chr(96 + b), 'again' FROM generate_series(1, 8) a, generate_series(1, 8) b");
		check();
	},

	# a cache made again
	sub {
		run("SELECT cache_drop('conf')");
		run("SELECT cache_create('conf', 'conf(text)', ttl => '2 seconds', redis => true)");
		run("SELECT cache_watch('conf', 'settings')");
		check();
	},
);

# ---------------------------------------------------------------------------
# Transactions

my $prepare;    # prepares under this client's own name, at most one at a time

# finish_prepared ends a prepared transaction, whoever has prepared it; somebody
# else may be about to do so (55000) or may have done it (42704).
sub finish_prepared
{
	my $gid = pick(run("SELECT gid FROM pg_prepared_xacts WHERE database = 'torture'")) // return;
	my $verb = pick(('COMMIT') x 2, 'ROLLBACK');
	attempt(sub { run("$verb PREPARED '$gid'", '42704', '55000') });
}

my @readings = (weighted(
	[ 80, sub { attempt(sub { check() }) } ],
	[ 30, sub { attempt(\&fetch) } ],
	[ 20, sub { block(begin(), sub { check() for 1 .. upto(6) }, 'COMMIT') } ],
	[ 10, sub { block(begin() . ' READ ONLY', sub { check() for 1 .. upto(6) }, 'COMMIT') } ],
	[ 30, sub { block(begin(), sub { steps(0) }, ('COMMIT') x 3, 'ROLLBACK') } ]));

my @transactions = (@readings, weighted(
	[ 10, sub { attempt(sub { write_something(); check() }) } ],
	[ 1, sub {
			block('BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE',
				sub { run("SET LOCAL statement_timeout = '1s'"); check() }, 'COMMIT');
		} ],
	[ 2, sub { block(begin(), sub { run('SET LOCAL cache.enabled = off'); steps(0) }, 'COMMIT') } ],
	[ 5, sub { block(begin(), sub { steps(0) }, $prepare) } ],
	[ 8, \&finish_prepared ],
	map { [ 1, $_ ] } @Kinds::transactions));

# What readers do: all that writes nothing; and a snapshot that grows old.
push @readings, @Kinds::readings, weighted(
	[ 10, sub {
			block('BEGIN ISOLATION LEVEL REPEATABLE READ', sub {
					for (1 .. upto(4)) { check(); run('SELECT pg_sleep(' . rand(0.2) . ')') }
					check();
				}, 'COMMIT');
		} ]);

sub transaction
{
	my ($number) = @_;

	if ($number == 0 && !$client{reader} && chance(1))
	{
		block('BEGIN', pick(@definitions), 'COMMIT', 'COMMIT', 'ROLLBACK');
	}
	elsif ($client{reader})
	{
		my $before = $count{checks} // 0;
		my $role = role($client{reader});

		pick(@readings)->();
		$count{"at the $role checks"} += ($count{checks} // 0) - $before;
	}
	elsif ($client{blocked})
	{
		finish_prepared();
		$client{blocked} = 0;
	}
	elsif (!Kinds::change($clients, $changes_a_second))
	{
		pick(@transactions)->();
	}
	$count{transactions}++;
}

sub tell_counts
{
	print "$_=$count{$_}\n" for sort keys %count;
	STDOUT->flush;
	%count = ();
}

sub client
{
	my ($number, $deadline) = @_;
	$prepare = "PREPARE TRANSACTION 'client $number'";
	$SIG{PIPE} = 'IGNORE';
	push @{ $client{setup} }, "SET app.fixed = '" . substr('abc', $number % 3, 1) . "'";
	connect_client();
	my $told = time;
	while (time < $deadline)
	{
		@{ $client{history} } = ();
		next if eval { transaction($number); 1 };
		die $@ if $@ ne "LOST\n";
		$count{'lost connections'}++;
		connect_client();
	}
	continue
	{
		if (time >= $told + 1)
		{
			$told = time;
			tell_counts();
		}
	}
	tell_counts();
}

# reader is a client that only reads, on the server of this name.
sub reader
{
	my ($number, $name, $deadline) = @_;
	$client{reader} = $name;
	$ENV{PGHOST} = host($name);
	client($number, $deadline);
}

# ---------------------------------------------------------------------------
# What happens to the servers meanwhile

# note_stats adds up what the caches and Redis have been used for: it is lost when
# the server is restarted.
sub note_stats
{
	my @counted = qw(hits redis_hits loads bypasses evictions unstored);
	for (admin('torture', '-c', 'SELECT name, hits, redis_hits, s.loads, bypasses, evictions, coalesce(sum(u.loads), 0)'
			  . ' FROM cache_stats s LEFT JOIN cache_unstored u ON u.cache = s.name GROUP BY 1, 2, 3, 4, 5, 6'))
	{
		my ($name, @counters) = split /\|/;
		$count{"cache $name $counted[$_]"} += $counters[$_] for 0 .. $#counted;
	}
	for (admin('torture', '-c', 'SELECT cache, reason, loads FROM cache_unstored'))
	{
		my ($name, $reason, $loads) = split /\|/;
		$count{"reason $reason"} += $loads;
	}
	return if !$redis_path;
	my @names = qw(gets hits stale corrupt absent failures skipped no_connection fills deletes messages);
	my ($row) = admin('torture', '-c', 'SELECT ' . join(', ', @names) . ' FROM cache_redis');
	my @counters = split /\|/, $row;
	$count{"redis $names[$_]"} += $counters[$_] for 0 .. $#names;
}

# note_node adds up how its cache has been used, and begins anew, at a server of the
# chain that is about to be stopped, or to be another thing. What cannot be a hit
# because of what its transaction does is no miss.
sub note_node
{
	my ($name) = @_;
	my $role = role($name);
	my $those = join ', ', map { "'$_'" } caches_of('rows');
	my $row = ask($name, 'torture', "SELECT sum(hits + redis_hits + waits), sum(misses) -"
		  . " (SELECT coalesce(sum(count), 0) FROM cache_bypasses WHERE cache IN ($those) AND reason IN ('own changes', 'serializable', 'disabled', 'temporary', 'result'))"
		  . " FROM cache_stats WHERE name IN ($those)") // return;
	my ($found, $missed) = split /\|/, $row;

	note_stats() if $role eq 'primary';
	for (split /\n/, ask($name, 'torture', "SELECT reason, sum(count) FROM cache_bypasses WHERE cache IN ($those) GROUP BY 1") // '')
	{
		my ($reason, $n) = split /\|/;
		$count{"bypassed at the $role because of $reason"} += $n;
	}
	$count{"at the $role found"} += $found;
	$count{"at the $role missed"} += $missed;
	ask($name, 'torture', 'SELECT cache_stats_reset()');
}

# restart restarts a server; what its empty cache misses at first is not counted.
sub restart
{
	my ($name, $mode) = @_;

	note_node($name);
	restart_node($name, $mode);
	sleep 1.5;
	ask($name, 'torture', 'SELECT cache_stats_reset()');
	return ($mode eq 'fast' ? 'restarted' : 'crashed');
}

my @events = weighted(
	[ 4, sub {
			my ($primary, @others) = chain();

			return 'standby ' . restart(pick(@others), pick('fast', 'immediate'));
		} ],
	[ 1, sub {
			my ($name) = chain();

			return 'primary ' . restart($name, pick('fast', 'immediate'));
		} ],
	[ 1, sub {
			my $mode = pick('fast', 'immediate');

			note_node($_) for chain();
			my $built = promote_next($mode);
			return ($mode eq 'fast' ? 'switchover' : 'failover') . ($built ? ', then a base backup' : '');
		} ],
	[ 4, sub {
			my ($primary, @others) = chain();
			my $name = pick(@others);

			ask($name, 'postgres', 'SELECT pg_wal_replay_pause()');
			sleep rand 1.5;
			ask($name, 'postgres', 'SELECT pg_wal_replay_resume()');
			return 'replay paused';
		} ],
	[ 3, sub {
			my ($primary, @others) = chain();

			ask(pick(@others), 'postgres',
				"ALTER SYSTEM SET recovery_min_apply_delay = '" . pick(0, 0, upto(300)) . "ms'", 'SELECT pg_reload_conf()');
			return 'replay delayed';
		} ],
	[ 4, sub { ask(pick(chain()), 'postgres', 'CHECKPOINT'); return 'checkpoint' } ]);

sub restart_server
{
	my $mode = pick('fast', 'fast', 'immediate');

	note_stats();
	system('pg_ctl', '-D', $data, '-l', "$data/../log", '-w', '-s', '-m', $mode, 'restart') == 0
	  or fault("the server has not restarted ($mode)");
	$count{"restart $mode"}++;
}

# meddle is what one process does until the deadline. Redis lives as long as it.
sub meddle
{
	my ($deadline) = @_;
	my $next_restart = time + 5 + rand 10;

	$SIG{TERM} = sub { $redis->stop if $redis; POSIX::_exit(0) };
	$redis = HostileRedis->new($redis_path) if $redis_path;
	$redis->launch if $redis;
	$client{at_fault} = sub { $redis->stop if $redis };
	while (time < $deadline && getppid != 1)
	{
		$count{'act ' . $redis->act}++ if $redis;
		if ($standbys)
		{
			sleep 1 + rand 4;
			$count{'event ' . pick(@events)->()}++ if time < $deadline;
		}
		elsif ($data && time > $next_restart)
		{
			restart_server();
			$next_restart = time + 5 + rand 10;
		}
		sleep rand 0.3;
	}
	calm() if $standbys;
	tell_counts();
	close STDOUT;
	sleep 1 while getppid != 1;
	$redis->stop if $redis;
}

# strangers is what one process does until the deadline. Where the server is
# restarted, it may not be there.
sub strangers
{
	my ($deadline) = @_;

	while (time < $deadline)
	{
		my $seconds = 0.1 + rand 3;
		my $begun = time;

		open(my $psql, '|-', 'exec psql -XqAt -d postgres >/dev/null 2>&1') or die "psql: $!\n";
		local $SIG{PIPE} = 'IGNORE';
		print $psql <<"END";
ROLLBACK PREPARED 'stranger';
BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'stranger';
BEGIN; SELECT pg_current_xact_id(); SAVEPOINT a; SELECT pg_current_xact_id(); SELECT pg_sleep($seconds);
COMMIT;
END
		$count{strangers}++ if close $psql;
		sleep 0.1 if time < $begun + 0.1;
	}
	tell_counts();
}

# ---------------------------------------------------------------------------
# The run

sub admin
{
	my ($database, @args) = @_;
	open(my $output, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $database, @args) or die "psql: $!\n";
	my @lines = <$output>;
	close $output or die "psql failed: @args\n";
	chomp @lines;
	return @lines;
}

admin('postgres', '-c', 'SET client_min_messages = warning', '-c', 'DROP DATABASE IF EXISTS torture',
	'-c', 'DROP ROLE IF EXISTS torture_role', '-c', 'CREATE ROLE torture_role', '-c', 'CREATE DATABASE torture');
admin('torture', '-f', dirname($0) . "/$_.sql") for qw(schema kinds);

$client{main} = $$;

# Little of it in shared memory, so that much is asked of Redis.
admin('torture', map { ('-c', "SELECT cache_alter('$_', max_cost => $cache{$_}{memory})") } names())
  if $redis_path;
$client{restarts} = defined $data;
$client{standbys} = $standbys;
$client{setup} = [
	"SET lock_timeout = '100ms'",
	"SET deadlock_timeout = '20ms'",
	$redis_path ? 'SET cache.redis_force = on' : (),
	$without ? "SET cache.removed_guard = '$without'" : () ];
my ($slots) = admin('torture', '-c', 'SHOW max_prepared_transactions');
die "max_prepared_transactions is not more than $clients\n" if $slots <= $clients;

if ($standbys)
{
	make_chain($data, $standbys);
	END { local $?; stop_standbys() if $standbys && $$ == $client{main} }
}
my $deadline = time + $seconds;
my (%pid, %fault, %total);
my $running = IO::Select->new;
$SIG{PIPE} = 'IGNORE';

# spawn runs work in a process of its own, whose output is read below.
sub spawn
{
	my ($number, $work) = @_;
	pipe(my $read, my $write) or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if (!$pid)
	{
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		srand($seed * 1000 + $number);
		open(STDOUT, '>&', $write) or die "dup: $!\n";
		close $write;
		eval { $work->(); 1 } or fault("died: $@");
		POSIX::_exit(0);
	}
	close $write;
	$running->add($read);
	$pid{$read} = $pid;
	return $read;
}

$SIG{$_} = sub { kill 'TERM', values %pid; exit 1 } for qw(INT TERM HUP);
my $meddler = $redis_path || $data ? spawn(999, sub { meddle($deadline) }) : '';
spawn(998, sub { strangers($deadline) });
for my $number (0 .. $clients - 1)
{
	spawn($number, sub { client($number, $deadline) });
}
my $number = $clients;
for my $name ($standbys ? chain() : ())
{
	# About as many gets on each server, since keys are written as often on all
	my $readers = role($name) eq 'primary' ? 1 + int($clients / 4) : $clients;

	for my $reader ($number .. $number + $readers - 1)
	{
		spawn($reader, sub { reader($reader, $name, $deadline) });
	}
	$number += $readers;
}

# Clients tell their counts, or a fault, over their pipes. A client that has not
# ended a minute after its time hangs.
while ($running->count && !%fault)
{
	if (time > $deadline + 60)
	{
		my @waiting = map { $_ eq $meddler ? 'the meddler' : "client process $pid{$_}" } $running->handles;

		# A session that is still being opened has no database yet.
		$fault{hang} = join "\n", 'a client hangs', @waiting,
		  admin('postgres', '-c',
			"SELECT pid, backend_type, datname, wait_event_type, wait_event, state, query FROM pg_stat_activity"),
		  -x '/bin/ps' ? qx(/bin/ps -o pid,ppid,stat,wchan:20,args -u postgres) : ();
		last;
	}
	for my $pipe ($running->can_read(5))
	{
		my $line = <$pipe>;
		if (!defined $line)
		{
			$running->remove($pipe);
			next if $pipe eq $meddler;
			waitpid $pid{$pipe}, 0;
			$fault{client} = "a client has died\n" if $? && !%fault;
			delete $pid{$pipe};
		}
		elsif ($line eq "FAULT\n") { local $/; $fault{client} = <$pipe> }
		elsif ($line =~ /^(.*)=(\d+)$/) { $total{$1} += $2 }
	}
}

# At rest, every key of every cache once more.
if (!%fault)
{
	my @prepared = admin('torture', '-c', "SELECT gid FROM pg_prepared_xacts WHERE database = 'torture'");
	admin('torture', map { ('-c', "COMMIT PREPARED '$_'") } @prepared) if @prepared;
	my $lag = $standbys ? settle() : undef;
	$fault{lag} = $lag if $lag;
	for my $host ($standbys ? map { host($_) } chain() : $ENV{PGHOST})
	{
		local $ENV{PGHOST} = $host;
		my @wrong = map { admin('torture', '-f', dirname($0) . "/$_.sql") } (qw(final kinds_final)) x 2;
		$fault{final} = join "\n", "MISMATCH (cache|key|cached|loaded) after the run, on $host", @wrong if @wrong;
	}
}
kill 'TERM', values %pid;
waitpid $_, 0 for values %pid;

# A cache that was never hit has not been tested.
eval { $standbys ? map { note_node($_) } chain() : note_stats(); 1 } or print $@;
$total{$_} += $count{$_} for keys %count;
my ($hits, $remote_hits) = (0, 0);
my %kind;
for my $name (names())
{
	my $kind = $kind{ $cache{$name}{kind} } //= {};
	my %of = map { ($_ => $total{"cache $name $_"} // 0) } qw(hits redis_hits loads bypasses evictions unstored);
	printf "%-11s %9d hits %7d in Redis %9d loads %9d bypasses %7d evictions %7d not to be stored\n",
	  $name, @of{qw(hits redis_hits loads bypasses evictions unstored)};
	$kind->{$_} += $of{$_} for keys %of;
	if ($cache{$name}{never})
	{
		$fault{stored} = "MISMATCH: what the cache $name gives must not be stored, but was hit" if $of{hits} + $of{redis_hits};
	}
	elsif ($cache{$name}{kind} eq 'rows')
	{
		$fault{idle} = "the cache $name was never hit" if !%fault && !$of{hits};
	}
}
for my $name (sort keys %kind)
{
	my $of = $kind{$name};
	my $found = $of->{hits} + $of->{redis_hits};

	printf "%-11s %9d checks %7d hits %9d loads %9d not to be stored, %d %% hits\n",
	  "$name:", $total{"checks $name"} // 0, $found, @$of{qw(loads unstored)},
	  100 * $found / ($found + $of->{loads} || 1);
	$fault{idle} = "caches of kind $name were never hit" if !%fault && !$found && $name ne 'tenants';
	$hits += $of->{hits};
	$remote_hits += $of->{redis_hits};
}
my ($as_primary, @ratios);
for my $role ($standbys ? qw(primary standby cascade)[ 0 .. $standbys ] : ())
{
	my ($found, $missed, $checks) = map { $total{"at the $role $_"} // 0 } qw(found missed checks);
	my $ratio = 100 * $found / ($found + $missed || 1);

	$as_primary //= $ratio;
	push @ratios, sprintf '%.1f', $ratio;
	printf "%-11s %9d checks by readers, %d found, %d missed, %.1f %% found\n", "$role:", $checks, $found, $missed, $ratio;
	told('  bypassed', "bypassed at the $role because of");
	$fault{idle} = "at the $role nothing was found, or checked" if !%fault && !($found && $checks);
	$fault{ratio} = sprintf 'at the %s %.1f %% were found, at the primary %.1f %%', $role, $ratio, $as_primary
	  if !%fault && $seconds >= 60 && $ratio < $as_primary - 5;
}
$fault{idle} = 'no stranger had a transaction open' if !%fault && !$total{strangers};
$fault{idle} = 'nothing was found in Redis' if !%fault && $redis_path && !$remote_hits;

# told prints the totals whose names have this prefix.
sub told
{
	my ($title, $prefix) = @_;
	my @names = grep { /^\Q$prefix\E / } sort keys %total;
	print "$title: ", join(', ', map { s/^\Q$prefix\E //r . " $total{$_}" } @names), "\n" if @names;
}

print "$_\n" for values %fault;
told('contention, SQLSTATE', 'sqlstate');
told('not stored because of', 'reason');
told('done', 'done');
told('refused by contention', 'refused');
told('Redis', 'redis');
told('done to Redis', 'act');
told('restarts', 'restart');
told('done to servers', 'event');
printf "%d clients, %d s, seed %d: %d transactions, %d checks, %d hits, %d in Redis, %d mismatches\n",
  $clients, $seconds, $seed, $total{transactions} // 0, $total{checks} // 0,
  $hits, $remote_hits, scalar grep { /MISMATCH/ } values %fault;
exit(%fault ? 1 : 0);
