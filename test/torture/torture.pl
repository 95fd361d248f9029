#!/usr/bin/perl
# Random load under the oracle: what cache_get returns must be what the loader
# returns in the same statement.
#
#   perl torture.pl [--clients 8] [--time 60] [--seed 1] [--redis PATH]
#                   [--data DIRECTORY] [--without GUARD]
#
# Each client is a process that drives one psql, on the server and as the user of
# libpq's environment, in a database "torture" that is made anew. Clients read,
# write, take savepoints, abort, prepare, and now and then change definitions,
# under all isolation levels, checking before and after. The first mismatch ends
# the run with cache, key, both values and the transaction in which it was seen.
# Serialization failures, deadlocks and lock timeouts are part of the game; any
# other error fails the run.
#
# With --redis, a hostile Redis listens on that socket, to which the server's
# cache.redis_addr must point. With --data, the server with this data directory
# is restarted now and then, at times without being shut down. --without takes out
# one of the protocol's guards, to see the run fail.
use strict;
use warnings;
use File::Basename qw(dirname);
use FindBin;
use Getopt::Long;
use IO::Handle;
use IO::Select;
use IPC::Open2;
use POSIX ();
use Time::HiRes qw(sleep time);

use lib $FindBin::Bin;
use HostileRedis;

my ($clients, $seconds, $seed) = (8, 60, 1);
my ($redis_path, $data, $without);
GetOptions(
	'clients=i' => \$clients,
	'time=i' => \$seconds,
	'seed=i' => \$seed,
	'redis=s' => \$redis_path,
	'data=s' => \$data,
	'without=s' => \$without)
  && $clients > 0
  && @ARGV == 0
  or die "usage: torture.pl [--clients n] [--time s] [--seed n] [--redis path] [--data directory] [--without guard]\n";

# ---------------------------------------------------------------------------
# A client's session: one psql.

# What contention may answer: serialization failure, deadlock, lock timeout,
# duplicate key, and statement timeout where one is set.
my @contention = qw(40001 40P01 55P03 23505 57014);

my ($psql, $to_psql, $from_psql, @history, %count);
my $redis;      # in the process that meddles with it
my $blocked;    # a lock timeout: perhaps a prepared transaction is in the way

# fault reports what ends the run, and ends this client.
sub fault
{
	my ($what, @lines) = @_;
	$redis->stop if $redis;
	print join("\n", 'FAULT', $what, @lines, 'in', map { "  $_;" } @history), "\n";
	STDOUT->flush;
	POSIX::_exit(1);
}

sub set_up
{
	run("SET lock_timeout = '100ms'");
	run("SET deadlock_timeout = '20ms'");
	run('SET cache.redis_force = on') if $redis_path;
	run("SET cache.removed_guard = '$without'") if $without;
}

# connect_psql starts the session, again if the server has been restarted.
sub connect_psql
{
	for (1 .. 300)
	{
		my $begun = '';

		$psql = open2($from_psql, $to_psql, 'exec psql -XqAt -P null=NULL -d torture 2>&1');
		print $to_psql "\\echo begun\n";
		$to_psql->flush;
		while ($begun ne "begun\n") { $begun = <$from_psql> // last }
		return if defined $begun && eval { set_up(); 1 };
		die $@ if defined $begun && $@ ne "LOST\n";
		waitpid $psql, 0;
		last if !$data;
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
	push @history, $sql;
	print $to_psql "$sql;\n\\echo \@\@ :SQLSTATE\n";
	$to_psql->flush;
	until ($state)
	{
		my $line = <$from_psql>;
		if (!defined $line)
		{
			waitpid $psql, 0;
			fault('the connection is lost', @lines) if !$data;
			die "LOST\n";
		}
		chomp $line;
		($state) = $line =~ /^\@\@ (\w+)$/ or push @lines, $line;
	}
	my ($mismatch) = grep { /\|t$/ } @lines;
	fault('MISMATCH (cache|key|cached|loaded)', $mismatch =~ s/\|t$//r) if $mismatch;
	return @lines if $state eq '00000';
	fault("error $state", @lines) if !grep { $_ eq $state } @contention, @allowed;
	$count{"sqlstate $state"}++;
	$blocked = 1 if $state eq '55P03';
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

# What stands for {name} in a statement.
my %draw = (
	id => sub { my $id = skewed(200); chance(10) ? "'$id'" : $id },
	ids => sub { join ', ', map { skewed(200) } 1 .. upto(10) },
	bid => sub { upto(8) },
	number => sub { skewed(40) . pick('', '.0', '.00', '.000') },
	letter => sub { "'" . chr(96 + upto(8)) . "'" },
	part => sub { pick("'ui'", "'db'", "'net'", "'none'") },
	setting => sub { upto(24) },
	name => sub { "'doc " . skewed(400) . "'" },
	length => sub { upto(90) },
	cost => sub { upto(20) * 10000 },
	bool => sub { pick('true', 'false') },
	any => sub { upto(1_000_000) },
);

sub fill { return $_[0] =~ s/\{(\w+)\}/$draw{$1}->()/ger }

# Each cache: its key, its type where it is not jsonb, and with how much shared
# memory most of it is in Redis.
my %cache = (
	account => { key => '{id}', memory => 4000 },
	branch => { key => '{bid}', memory => 400, type => 'bigint' },
	conf => { key => '{part}', memory => 300 },
	doc => { key => '{name}', memory => 40000, type => 'text' },
	label => { key => '{id}', memory => 4000, type => 'text' },
	nested => { key => '{bid}', memory => 400 },
	pair => { key => '{bid}, {letter}', memory => 2000, type => 'text' },
	price => { key => '{number}', memory => 1500, type => 'numeric' },
);
my @all = sort keys %cache;

# ---------------------------------------------------------------------------
# Reads

# compare asks the caches and their loaders for these [cache, key]s, in this order
# or the other.
sub compare
{
	my @rows;
	my $swap = chance(50);
	for (@_)
	{
		my ($name, $key) = @$_;
		my $type = $cache{$name}{type};
		my $get = "cache_get('$name', $key)";
		$get = "to_jsonb(cache_get_as(NULL::$type, '$name', $key))" if $type && chance(30);
		my $shown = $key =~ s/'//gr;
		my $load = "to_jsonb($name($key))";
		push @rows, "('$name', '$shown', " . ($swap ? "$load, $get" : "$get, $load") . ')';
	}
	$count{checks} += @rows;
	run('WITH c (cache, key, ' . ($swap ? 'loaded, cached' : 'cached, loaded')
		  . ') AS MATERIALIZED (VALUES ' . join(', ', @rows)
		  . ') SELECT cache, key, cached, loaded, true FROM c'
		  . ' WHERE cached::text IS DISTINCT FROM loaded::text');
}

# check compares a few random keys.
sub check
{
	compare(map { [ $_, fill($cache{$_}{key}) ] } map { pick(@all) } 1 .. upto(6));
}

# fetch reads without comparing: what it leaves in the cache is for others to check.
sub fetch
{
	my @gets = map { "(cache_get('$_', " . fill($cache{$_}{key}) . '))' }
	  map { pick(@all) } 1 .. upto(10);
	run('SELECT count(*) FROM (VALUES ' . join(', ', @gets) . ') v');
}

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

# ---------------------------------------------------------------------------
# Writes

my @writes = weighted(
	[ 30, 'UPDATE accounts SET balance = balance + 1 WHERE id = {id}' ],
	[ 15, 'UPDATE accounts SET balance = balance + 1 WHERE id IN ({ids})' ],
	[ 10, 'UPDATE accounts SET bid = {bid} WHERE id IN ({ids})' ],
	[ 5, 'UPDATE accounts SET id = id + 1000 WHERE id = {id}' ],
	[ 5, 'UPDATE accounts SET id = id - 1000 WHERE id > 1000' ],
	[ 1, 'UPDATE accounts SET balance = balance + 3' ],
	[ 5, 'DELETE FROM accounts WHERE id IN ({ids})' ],
	[ 10, 'INSERT INTO accounts SELECT i, i % 8 + 1, i, i FROM generate_series(1, 200) i ON CONFLICT (id) DO NOTHING' ],
	[ 10, 'SELECT touch(k, {bool}) FROM unnest(ARRAY[{ids}]) k' ],
	[ 3, "UPDATE branches SET name = name || '+' WHERE bid = {bid}" ],
	[ 15, 'UPDATE prices SET v = v + 0.25 WHERE k = {number}' ],
	[ 5, 'UPDATE prices SET k = {number} WHERE k = {number}' ],
	[ 5, 'INSERT INTO prices VALUES ({number}, 7.50) ON CONFLICT (k) DO UPDATE SET v = NULL' ],
	[ 10, "INSERT INTO pairs VALUES ({bid}, {letter}, 'new') ON CONFLICT (a, b) DO UPDATE SET v = pairs.v || '!'" ],
	[ 5, 'UPDATE pairs SET (a, b) = ({bid}, {letter}) WHERE a = {bid} AND b = {letter}' ],
	[ 5, 'MERGE INTO pairs p USING (VALUES ({bid}, {letter})) s (a, b) ON p.a = s.a AND p.b = s.b'
		  . " WHEN MATCHED AND p.v > 'm' THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'z'"
		  . " WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b, 'merged')" ],
	[ 2, 'TRUNCATE pairs' ],
	[ 4, "INSERT INTO pairs SELECT {bid}, chr(96 + b), 'more' FROM generate_series(1, 8) b ON CONFLICT (a, b) DO NOTHING" ],
	[ 5, "UPDATE settings SET value = to_jsonb({any}) WHERE name LIKE '%.{setting}'" ],
	[ 15, "UPDATE docs SET body = repeat(md5('{any}'), {length}) WHERE name = {name}" ],
	[ 2, 'DELETE FROM docs WHERE name = {name}' ],
	[ 3, 'INSERT INTO docs VALUES ({name}, NULL) ON CONFLICT DO NOTHING' ],
	[ 1, "SELECT cache_alter('doc', max_cost => {cost})" ],
	map { [ 1, "SELECT cache_invalidate('$_', $cache{$_}{key})" ], [ 1, "SELECT cache_invalidate('$_')" ] } @all);

sub write_something
{
	run(fill(pick(@writes)));
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
		run(fill('CREATE OR REPLACE FUNCTION branch(bid int) RETURNS bigint STABLE LANGUAGE plpgsql AS'
			  . ' $$ BEGIN RETURN (SELECT sum(balance) FROM accounts a WHERE a.bid = $1); END; -- {any}'
			  . "\n\$\$"));
	},

	# a loader with other results, out of everybody's sight
	sub {
		run('LOCK TABLE prices IN ACCESS EXCLUSIVE MODE');
		check();
		run(fill('CREATE OR REPLACE FUNCTION price(k numeric) RETURNS numeric STABLE LANGUAGE sql AS'
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

# block runs work between a BEGIN and one of the endings.
sub block
{
	my ($begin, $work, @endings) = @_;
	run($begin);
	return if attempt(sub { $work->(); run(pick(@endings), '42710') });
	run('ROLLBACK');
}

sub begin
{
	return 'BEGIN ISOLATION LEVEL '
	  . pick(('READ COMMITTED') x 2, ('REPEATABLE READ') x 2, 'SERIALIZABLE');
}

# finish_prepared ends a prepared transaction, whoever has prepared it; somebody
# else may be about to do so (55000) or may have done it (42704).
sub finish_prepared
{
	my $gid = pick(run("SELECT gid FROM pg_prepared_xacts WHERE database = 'torture'")) // return;
	my $verb = pick(('COMMIT') x 2, 'ROLLBACK');
	attempt(sub { run("$verb PREPARED '$gid'", '42704', '55000') });
}

my @transactions = weighted(
	[ 80, sub { attempt(sub { check() }) } ],
	[ 30, sub { attempt(\&fetch) } ],
	[ 10, sub { attempt(sub { write_something(); check() }) } ],
	[ 20, sub { block(begin(), sub { check() for 1 .. upto(6) }, 'COMMIT') } ],
	[ 10, sub { block(begin() . ' READ ONLY', sub { check() for 1 .. upto(6) }, 'COMMIT') } ],
	[ 1, sub {
			block('BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE',
				sub { run("SET LOCAL statement_timeout = '1s'"); check() }, 'COMMIT');
		} ],
	[ 30, sub { block(begin(), sub { steps(0) }, ('COMMIT') x 3, 'ROLLBACK') } ],
	[ 2, sub { block(begin(), sub { run('SET LOCAL cache.enabled = off'); steps(0) }, 'COMMIT') } ],
	[ 5, sub { block(begin(), sub { steps(0) }, $prepare) } ],
	[ 8, \&finish_prepared ]);

sub transaction
{
	my ($number) = @_;

	if ($number == 0 && chance(3))
	{
		block('BEGIN', pick(@definitions), 'COMMIT', 'COMMIT', 'ROLLBACK');
	}
	elsif ($blocked)
	{
		finish_prepared();
		$blocked = 0;
	}
	else { pick(@transactions)->() }
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
	connect_psql();
	my $told = time;
	while (time < $deadline)
	{
		@history = ();
		next if eval { transaction($number); 1 };
		die $@ if $@ ne "LOST\n";
		$count{'lost connections'}++;
		connect_psql();
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

# ---------------------------------------------------------------------------
# What happens to the servers meanwhile

# note_stats adds up what the caches and Redis have been used for: it is lost when
# the server is restarted.
sub note_stats
{
	for (admin('torture', '-c', 'SELECT name, hits, redis_hits, loads, bypasses, evictions FROM cache_stats'))
	{
		my ($name, @counters) = split /\|/;
		my @names = qw(hits redis_hits loads bypasses evictions);
		$count{"cache $name $names[$_]"} += $counters[$_] for 0 .. $#names;
	}
	return if !$redis_path;
	my @names = qw(gets hits stale corrupt absent failures skipped no_connection fills deletes messages);
	my ($row) = admin('torture', '-c', 'SELECT ' . join(', ', @names) . ' FROM cache_redis');
	my @counters = split /\|/, $row;
	$count{"redis $names[$_]"} += $counters[$_] for 0 .. $#names;
}

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
	while (time < $deadline && getppid != 1)
	{
		$count{'act ' . $redis->act}++ if $redis;
		if ($data && time > $next_restart)
		{
			restart_server();
			$next_restart = time + 5 + rand 10;
		}
		sleep rand 0.3;
	}
	tell_counts();
	close STDOUT;
	sleep 1 while getppid != 1;
	$redis->stop if $redis;
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

admin('postgres', '-c', 'SET client_min_messages = warning', '-c', 'DROP DATABASE IF EXISTS torture', '-c', 'CREATE DATABASE torture');
admin('torture', '-f', dirname($0) . '/schema.sql');

# Little of it in shared memory, so that much is asked of Redis.
admin('torture', map { ('-c', "SELECT cache_alter('$_', max_cost => $cache{$_}{memory})") } @all)
  if $redis_path;
my ($slots) = admin('torture', '-c', 'SHOW max_prepared_transactions');
die "max_prepared_transactions is less than $clients\n" if $slots < $clients;

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
for my $number (0 .. $clients - 1)
{
	spawn($number, sub { client($number, $deadline) });
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
	my @prepared = admin('torture', '-c', 'SELECT gid FROM pg_prepared_xacts');
	admin('torture', map { ('-c', "COMMIT PREPARED '$_'") } @prepared) if @prepared;
	my @wrong = admin('torture', '-f', dirname($0) . '/final.sql');
	$fault{final} = join "\n", 'MISMATCH (cache|key|cached|loaded) after the run', @wrong if @wrong;
}
kill 'TERM', values %pid;
waitpid $_, 0 for values %pid;

# A cache that was never hit has not been tested.
eval { note_stats(); 1 } or print $@;
$total{$_} += $count{$_} for keys %count;
my ($hits, $remote_hits) = (0, 0);
for my $name (@all)
{
	my ($hit, $remote, $loads, $bypasses, $evictions) =
	  map { $total{"cache $name $_"} // 0 } qw(hits redis_hits loads bypasses evictions);
	printf "%-8s %9d hits %7d in Redis %9d loads %9d bypasses %7d evictions\n",
	  $name, $hit, $remote, $loads, $bypasses, $evictions;
	$fault{idle} = "the cache $name was never hit" if !%fault && !$hit;
	$hits += $hit;
	$remote_hits += $remote;
}
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
told('Redis', 'redis');
told('done to Redis', 'act');
told('restarts', 'restart');
printf "%d clients, %d s, seed %d: %d transactions, %d checks, %d hits, %d in Redis, %d mismatches\n",
  $clients, $seconds, $seed, $total{transactions} // 0, $total{checks} // 0,
  $hits, $remote_hits, scalar grep { /MISMATCH/ } values %fault;
exit(%fault ? 1 : 0);
