# Kinds of load on which a cache can go wrong without a row being written: what
# sessions have set and compiled, errors that loaders catch, temporary objects,
# functions that are replaced, partitions that come and go, other databases. Their
# tables, loaders and caches are in kinds.sql.
package Kinds;

use strict;
use warnings;
use Client qw(run attempt tolerate fault begin block pick chance upto skewed weighted %count %client);
use Oracle qw(%cache %draw @writes add_caches caches_of check compare fill with_open_gate with_patience);
use Time::HiRes qw(sleep time);

# ---------------------------------------------------------------------------
# The caches, and writes to their tables

$draw{k} = sub { skewed(24) };
$draw{customer} = sub { upto(12) };
$draw{order} = sub { skewed(60) };
$draw{n} = sub { upto(4) };
$draw{part_k} = sub { 3 * upto(13) };
$draw{code} = sub { 'row(' . skewed(20) . ')::code' };
$draw{which} = sub { upto(2) };
$draw{moment} = sub { "'2020-01-01 0" . upto(9) . ":00'" };
$draw{schema} = sub { pick(qw(public one two)) };

add_caches('settings',
	pathed => { key => '{k}', type => 'text', memory => 2000 },
	earlier => { key => '{moment}', type => 'bigint', memory => 1000 },
	map { my $n = $_; map { ("$_$n" => { key => '{k}', type => 'text', memory => 2000, loader => "$_${n}_oracle" }) } qw(item stamp) } 0 .. 2);
add_caches('tenants',
	(map { ($_ => { key => '{k}', type => 'int', memory => 2000, never => 1 }) } qw(own shown folded inlined)),
	map { ("zoned$_" => { key => '{k}', type => 'text', memory => 2000, never => 1, loader => "zoned${_}_oracle" }) } 1 .. 2);
add_caches('caught',
	(map { ($_ => { key => '{k}', type => 'text', memory => 2000, loose => 1 }) } qw(safe safe_inside divided)),
	spent => { key => '{customer}', type => 'bigint', memory => 800 });
add_caches('replaced',
	owed => { key => '{customer}', type => 'bigint', memory => 800, gated => 1 },
	owing => { key => '{customer}', type => 'bigint', memory => 800, gated => 1 },
	scaled => { key => '{k}', type => 'int', memory => 2000, gated => 1, loader => 'scaled_oracle' },
	plus => { key => '{k}', type => 'int', memory => 2000, gated => 1 },
	typed => { key => '{k}', type => 'text', memory => 2000, gated => 1, loader => 'typed_oracle' },
	coded => { key => '{code}', type => 'bigint', memory => 1000 });
add_caches('partitions',
	map { ($_ => { key => '{part_k}', type => 'bigint', memory => 2000, moving => 1 }) } qw(part part_plan));
add_caches('elsewhere',
	may => { key => '{n}', type => 'boolean', memory => 400, gated => 1 },
	about => { key => '{which}', type => 'text', memory => 400, gated => 1 },
	role_of => { key => '{n}', type => 'text', memory => 400, gated => 1 },
	set_for => { key => '{n}', type => 'text', memory => 400, gated => 1 });

my %writes = (
	settings => [
		'UPDATE {schema}.item SET v = v + 0.37 WHERE k = {k}',
		"UPDATE {schema}.item SET at = at + interval '1 hour' * (5 - {n}) WHERE k = {k}",
		'DELETE FROM {schema}.item WHERE k = {k}',
		"INSERT INTO {schema}.item VALUES ({k}, {k}, timestamptz '2020-01-01 00:30Z') ON CONFLICT DO NOTHING" ],
	tenants => [ 'UPDATE tenants SET v = v + 1 WHERE k = {k}' ],
	caught => [
		'UPDATE slow SET v = (v + 1) % 5 WHERE k = {k}',
		'UPDATE orders SET customer = {customer} WHERE id = {order}' ],
	replaced => [
		'UPDATE orders SET payer = {customer} WHERE id = {order}',
		'UPDATE orders SET (customer, payer) = (payer, customer) WHERE id = {order}',
		'INSERT INTO lines VALUES ({order}, {n}, {any}) ON CONFLICT (ord, n) DO UPDATE SET amount = EXCLUDED.amount',
		'INSERT INTO lines VALUES ({order}, {n}, {any}) ON CONFLICT (ord, n) DO UPDATE SET amount = EXCLUDED.amount',
		'UPDATE lines SET ord = {order} WHERE ord = {order} AND n = {n}',
		'DELETE FROM lines WHERE ord = {order} AND n = {n}',
		'UPDATE scales SET v = v + 1 WHERE k = {k}',
		'UPDATE typed SET v = v + 1.37 WHERE k = {k}',
		'UPDATE codes SET v = v + 1 WHERE k === {code}',
		'UPDATE codes SET k = {code} WHERE k === {code}' ],
	partitions => [
		'UPDATE parts SET v = v + 1 WHERE k = {part_k}',
		'UPDATE parts SET k = {part_k} WHERE k = {part_k}',
		'INSERT INTO parts VALUES ({part_k}, {any})',
		'DELETE FROM parts WHERE k = {part_k}' ]);
push @writes, map { my $some = $_; map { ($_) x 4 } @$some } @writes{sort keys %writes};

# write_to writes to the tables of one kind, but not as a reader; a partition may be
# away (23514).
sub write_to
{
	my ($kind) = @_;
	run(fill(pick(@{ $writes{$kind} })), '23514') if !$client{reader};
}

# count_as does work, and counts whether contention has ended it.
sub count_as
{
	my ($what, $work) = @_;
	my $worked = attempt($work);
	$count{($worked ? 'done ' : 'refused ') . $what}++;
	return $worked;
}

# inside does work in a transaction that is counted in the same way.
sub inside
{
	my ($what, $begin, $work, @endings) = @_;
	my $worked = block($begin, $work, @endings);
	$count{($worked ? 'done ' : 'refused ') . $what}++;
}

# ---------------------------------------------------------------------------
# Settings, tenants, temporary objects

my @settings = weighted(
	[ 3, sub { 'TimeZone = ' . pick("'UTC'", "'Asia/Tokyo'", "'America/New_York'", "'Pacific/Auckland'") } ],
	[ 3, sub { 'DateStyle = ' . pick("'ISO, MDY'", "'German'", "'SQL, DMY'", "'Postgres, MDY'") } ],
	[ 5, sub { 'search_path = ' . pick('public', 'one, public', 'two, public', 'pg_temp, public', 'public, pg_temp', 'two, pg_temp, one, public') } ],
	[ 5, sub { 'app.tenant = ' . pick("'a'", "'b'", "'c'") } ]);

# What a direct call of a loader under a session's own types and settings, or one
# of its temporary objects, may answer: a plan or a type that has become another
# one meanwhile, or what temporary objects make of a loader.
my @answers = qw(0A000 42804 42883 42846 22P02 22007 22008 42703);

my @calls = (('item({k})') x 3, 'stamp({k})', 'since(now())', 'rate()', 'own({k})', 'folded({k})', 'fixed()',
	'zoned({k})', 'zone()', 'safe({k})', 'typed({k})', 'scaled({k})', 'factor()', 'owing({customer})');
my @gets = map { "cache_get('$_', {k})" } qw(item0 item1 item2 stamp1 zoned1 zoned2 folded inlined);

# call_directly lets the session compile loaders and helpers under what it has,
# also between gets of one statement.
sub call_directly
{
	run(fill('SELECT ' . join(', ', map { chance(75) ? pick(@calls) : pick(@gets) } 1 .. upto(4))), @answers);
}

# The same in a transaction that goes on.
sub attempt_directly
{
	run('SAVEPOINT called');
	attempt(\&call_directly) or run('ROLLBACK TO SAVEPOINT called');
}

sub set
{
	my ($local) = @_;
	run("SET $local" . pick(@settings)->()) for 1 .. upto(2);
}

# check_sessions compares what depends on sessions.
sub check_sessions { check(caches_of('settings'), caches_of('tenants'), caches_of('settings')) }

sub set_locally
{
	inside('local settings', begin(), sub {
			set('LOCAL ');
			check_sessions();
			write_to('settings') if chance(30);
			attempt_directly();
			check_sessions();
		}, 'COMMIT', 'ROLLBACK');
}

my @temporary_made = (
	'CREATE TEMP TABLE item AS SELECT at, k, - v AS v FROM public.item',
	'CREATE TEMP TABLE item AS SELECT k, v::text AS v, at FROM public.item',
	'CREATE TEMP VIEW item AS SELECT k, v * 2 AS v, at FROM one.item',
	'CREATE DOMAIN pg_temp.amount AS numeric(12, 3)',
	"CREATE TYPE pg_temp.amount AS ENUM ('much')",
	'CREATE OR REPLACE FUNCTION pg_temp.rate() RETURNS numeric IMMUTABLE LANGUAGE sql AS $$ SELECT 9.9 $$',
	"CREATE OR REPLACE FUNCTION pg_temp.since(at timestamptz) RETURNS text STABLE LANGUAGE sql AS \$\$ SELECT 'never' \$\$");

my @temporary_gone = (
	'DROP TABLE IF EXISTS pg_temp.item',
	'DROP VIEW IF EXISTS pg_temp.item',
	'DROP DOMAIN IF EXISTS pg_temp.amount',
	'DROP TYPE IF EXISTS pg_temp.amount',
	'DROP FUNCTION IF EXISTS pg_temp.rate()');

# One of the name is there (42P07, 42710, 42723), or one of another kind (42809).
my @temporary_answers = qw(42P07 42710 42723 42809);

sub temporary
{
	inside('temporary objects', pick('BEGIN', begin()), sub {
			for (1 .. upto(2))
			{
				run(pick(@temporary_made), @temporary_answers);
				check_sessions();
				attempt_directly();
				check_sessions();
			}
			run(pick(@temporary_gone), @temporary_answers) if chance(50);
			check_sessions();
		}, 'COMMIT', 'ROLLBACK');
	count_as('temporary objects dropped', sub { run('DISCARD TEMP'); check_sessions() }) if chance(70);
}

# ---------------------------------------------------------------------------
# Errors that are caught

# lock_for_a_moment keeps others from a table that loaders and key functions read.
sub lock_for_a_moment
{
	inside('table locked', 'BEGIN', sub {
			run('LOCK TABLE ' . pick('slow', 'slow', 'orders') . ' IN ACCESS EXCLUSIVE MODE');
			run('SELECT pg_sleep(' . rand(0.1) . ')');
		}, 'COMMIT');
}

sub be_impatient
{
	inside('limited', begin(), sub {
			run('SET LOCAL ' . pick('lock_timeout', 'statement_timeout') . ' = ' . (4 + upto(30)));
			for (1 .. upto(3))
			{
				chance(60) ? check(caches_of('caught')) : write_to(pick('caught', 'replaced'));
			}
		}, 'COMMIT');
}

sub be_patient
{
	inside('unlimited', 'BEGIN', sub {
			run('SET LOCAL lock_timeout = 0');
			with_patience(sub { check(caches_of('caught')) for 1 .. upto(3) });
		}, 'COMMIT');
}

# ---------------------------------------------------------------------------
# Functions that are replaced

# behind_gate compares also what is changed for all at once: these caches or any.
sub behind_gate
{
	my @caches = @_ ? @_ : map { caches_of($_) } qw(replaced replaced elsewhere);

	block(begin(), sub {
			run('LOCK TABLE gate IN ACCESS SHARE MODE');
			with_open_gate(sub {
					for (1 .. upto(4))
					{
						attempt_directly() if chance(10);
						check(@caches);
						write_to('replaced') if chance(15);
					}
				});
		}, 'COMMIT');
}

# A writer that stays open for a while.
sub write_slowly
{
	inside('open writer', begin(), sub {
			run("SELECT cache_invalidate('" . pick('spent', 'owed') . "')") if chance(15);
			write_to(pick('replaced', 'replaced', 'caught')) for 1 .. upto(3);
			run('SELECT pg_sleep(' . rand(0.2) . ')');
			check(caches_of('caught')) if chance(50);
			write_to('replaced');
		}, ('COMMIT') x 3, 'ROLLBACK');
}

# Functions with another meaning, the first most often
sub other_meaning
{
	if (chance(60))
	{
		my ($column) = run("SELECT CASE WHEN prosrc ~ 'payer' THEN 'customer' ELSE 'payer' END"
			  . " FROM pg_proc WHERE oid = 'public.who(public.orders)'::regprocedure");
		return 'who(orders) RETURNS int STABLE LANGUAGE '
		  . pick("sql AS \$\$ SELECT \$1.$column \$\$", "plpgsql AS \$\$ BEGIN RETURN \$1.$column; END \$\$");
	}
	return fill(pick(
			'factor() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN {bid}; END $$',
			'offset_of(k int) RETURNS int STABLE LANGUAGE sql AS $$ SELECT {bid} $$',
			'plus(k int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT v + {bid} FROM scales s WHERE s.k = $1); END $$'));
}

sub check_replaced { with_open_gate(sub { check(caches_of('replaced')) }) }

sub change_meaning
{
	inside('function with another meaning', 'BEGIN', sub {
			run('LOCK TABLE gate IN ACCESS EXCLUSIVE MODE');
			check_replaced() if chance(50);
			if (chance(20))
			{
				run('SAVEPOINT before');
				run('CREATE OR REPLACE FUNCTION public.' . other_meaning());
				check_replaced();
				run('ROLLBACK TO SAVEPOINT before');
				check_replaced();
			}
			run('CREATE OR REPLACE FUNCTION public.' . other_meaning());
			check_replaced();
			write_to('replaced') if chance(30);
		}, ('COMMIT') x 4, 'ROLLBACK');

	# While those are still writing whose keys were told by the other function,
	# and later
	behind_gate('owed', 'owing') for 1 .. 4;
	sleep 0.1;
	behind_gate('owed', 'owing') for 1 .. 2;
}

# Functions that are replaced by themselves, before everybody's eyes
my @same = ('item(int)', 'stamp(int)', 'since(timestamptz)', 'rate()', 'one.rate()', 'own(int)', 'tenant()',
	'fixed()', 'safe(int)', 'customer_of(lines)', 'whose_line(lines)', 'whose_order(orders)', 'owed(int)',
	'owing(int)', 'part_plan(int)', 'account(int)');

sub replace_by_same
{
	inside('function replaced', 'BEGIN', sub {
			write_to('replaced') if chance(30);
			run("SELECT again('" . ($_ =~ /\./ ? $_ : "public.$_") . "')") for pick(@same);
			check();
		}, ('COMMIT') x 4, 'ROLLBACK');
}

# The hash of a type of keys: nobody may notice.
sub replace_hash
{
	inside('hash function replaced', 'BEGIN', sub {
			run(fill('CREATE OR REPLACE FUNCTION public.code_hash(code) RETURNS int IMMUTABLE LANGUAGE sql AS'
				  . ' $$ SELECT ($1).a + {any} $$'));
			check('coded');
		}, ('COMMIT') x 4, 'ROLLBACK');
}

sub alter_type
{
	inside('column type altered', 'BEGIN', sub {
			run('LOCK TABLE gate IN ACCESS EXCLUSIVE MODE');
			run('ALTER TABLE typed ALTER COLUMN v TYPE numeric(12, ' . upto(4) . ')');
			with_open_gate(sub { check('typed') });
		}, ('COMMIT') x 4, 'ROLLBACK');
}

# ---------------------------------------------------------------------------
# Partitions

my %partition = (
	parts_1 => [ 'parts', '(0) TO (10)' ],
	parts_2 => [ 'parts', '(10) TO (20)' ],
	parts_3 => [ 'parts', '(20) TO (40)' ],
	parts_31 => [ 'parts_3', '(20) TO (30)' ],
	parts_32 => [ 'parts_3', '(30) TO (40)' ]);

# Another client has been faster: detached or being detached (42P01, 55000),
# attached (42809).
my @partition_answers = qw(42P01 55000 42809);

sub check_parts { check(caches_of('partitions')) }

sub rewrite_partition
{
	my $leaf = pick(grep { !/^parts_3$/ } sort keys %partition);
	inside('partition rewritten', pick('BEGIN', begin()), sub {
			check_parts() if chance(30);
			run("ALTER TABLE $leaf SET " . pick('LOGGED', 'UNLOGGED'));
			run("ALTER TABLE $leaf SET LOGGED") if $client{standbys};    # these cannot read it otherwise
			check_parts();
			write_to('partitions') if chance(30);
		}, ('COMMIT') x 3, 'ROLLBACK');
}

sub truncate_partition
{
	my $name = pick(sort keys %partition);
	inside('partition truncated', 'BEGIN', sub {
			run("TRUNCATE $name");
			check_parts();
			run('INSERT INTO parts SELECT k, 1 FROM generate_series(1, 39) k ON CONFLICT DO NOTHING', '23514') if chance(50);
			check_parts();
		}, 'COMMIT', 'ROLLBACK');
}

# move_partition takes a partition away or brings one back, most often one whose
# detaching has been cancelled: until that is finished, nothing is stored.
sub move_partition
{
	my %state = map { split /\|/ } run('SELECT relname, CASE'
		  . " WHEN NOT relispartition THEN 'away' WHEN inhdetachpending THEN 'pending' ELSE 'there' END"
		  . ' FROM pg_class c LEFT JOIN pg_inherits ON inhrelid = c.oid'
		  . " WHERE relname ~ '^parts_[0-9]+\$' AND relkind IN ('r', 'p')");
	my @pending = grep { $state{$_} eq 'pending' } sort keys %state;
	my @away = grep { $state{$_} eq 'away' } sort keys %state;
	my $name = pick(chance(80) && @pending ? @pending : chance(70) && @away ? @away : sort keys %state);
	my ($parent, $bounds) = @{ $partition{$name} };

	if ($state{$name} eq 'pending')
	{
		count_as('partition detach finalized', sub { run("ALTER TABLE $parent DETACH PARTITION $name FINALIZE"); check_parts() });
	}
	elsif ($state{$name} eq 'away')
	{
		inside('partition attached', 'BEGIN', sub {
				# DETACH CONCURRENTLY leaves a constraint, which partitions of its own
				# would need as well (42804).
				run("ALTER TABLE $_ DROP CONSTRAINT IF EXISTS ${_}_k_check") for grep { ($state{$_} // '') eq 'away' } $name, $parent;
				run("UPDATE $name SET v = v + 1") if chance(50);
				run("ALTER TABLE $parent ATTACH PARTITION $name FOR VALUES FROM $bounds", '42804');
				check_parts();
			}, ('COMMIT') x 5, 'ROLLBACK');
	}
	elsif (chance(40))
	{
		inside('partition detached', 'BEGIN', sub {
				check_parts() if chance(30);
				run("ALTER TABLE $parent DETACH PARTITION $name");
				check_parts();
			}, ('COMMIT') x 2, 'ROLLBACK');
	}
	else
	{
		run('SET statement_timeout = ' . (10 + upto(60))) if chance(50);
		count_as('partition detached concurrently', sub { run("ALTER TABLE $parent DETACH PARTITION $name CONCURRENTLY") });
		1 until attempt(sub { run('RESET statement_timeout') });
		check_parts();
		attempt(sub { run("ALTER TABLE $parent DETACH PARTITION $name FINALIZE") }) if chance(50);
	}
}

# ---------------------------------------------------------------------------
# Other databases

my @shared = (
	'GRANT CREATE ON DATABASE torture TO torture_role',
	'REVOKE CREATE ON DATABASE torture FROM torture_role',
	"COMMENT ON ROLE torture_role IS '{any}'",
	"COMMENT ON DATABASE torture IS '{any}'",
	'ALTER ROLE torture_role CONNECTION LIMIT {bid}',
	'ALTER ROLE torture_role CREATEDB',
	'ALTER ROLE torture_role NOCREATEDB',
	"ALTER DATABASE torture SET app.noted = '{any}'",
	'ALTER DATABASE torture RESET app.noted',
	"ALTER ROLE torture_role SET app.noted = '{any}'",
	"ALTER ROLE torture_role IN DATABASE torture SET app.noted = '{any}'");

# from_elsewhere runs a command in another database.
sub from_elsewhere
{
	my ($sql) = @_;

	push @{ $client{history} }, "elsewhere: $sql";
	open(my $psql, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres',
		'-c', join('; ', 'SET client_min_messages = error', grep({ /guard/ } @{ $client{setup} }), $sql))
	  or fault("psql: $!");
	my @lines = <$psql>;
	return if close $psql;
	fault('an error elsewhere', @lines) if !$client{restarts};
	die "40001\n";
}

sub change_elsewhere
{
	inside('shared object changed', 'BEGIN', sub {
			my $sql = fill(pick(@shared));
			run('LOCK TABLE gate IN ACCESS EXCLUSIVE MODE');
			chance(85) ? from_elsewhere($sql) : run($sql);
			with_open_gate(sub { check(caches_of('elsewhere')) });
		}, 'COMMIT');
}

# ---------------------------------------------------------------------------
# A hit comes first, without the loader, which would take more locks than it; the
# comparison later, under the same snapshot.

sub hit_and_compare
{
	my ($kind) = @_;
	my @keys = map { [ $_, fill($cache{$_}{key}) ] } pick(caches_of($kind));

	inside("hits before comparisons", 'BEGIN ISOLATION LEVEL REPEATABLE READ', sub {
			run('LOCK TABLE gate IN ACCESS SHARE MODE');
			run('SELECT ' . join(', ', map { "cache_get('$_->[0]', $_->[1])" } @keys));
			run('SELECT pg_sleep(' . rand(0.2) . ')');
			with_open_gate(sub { compare(@keys) });
		}, 'COMMIT');
}

# ---------------------------------------------------------------------------
# How often

our @readings = weighted(
	[ 6, sub { count_as('settings', sub { set(''); attempt(\&call_directly) if chance(50); check_sessions() }) } ],
	[ 3, \&set_locally ],
	[ 6, sub { count_as('direct calls', sub { call_directly(); check_sessions() }) } ],
	[ 8, \&be_impatient ],
	[ 8, \&be_patient ],
	[ 30, sub { behind_gate() } ],
	[ 8, sub { hit_and_compare('partitions') } ],
	[ 1, sub { hit_and_compare(pick(qw(settings caught replaced))) } ],
	[ 8, sub { attempt(\&check_parts) } ]);

our @transactions = (@readings, weighted([ 2, \&lock_for_a_moment ], [ 8, \&write_slowly ]));

# These invalidate everything, or keep others waiting.
my @changes = weighted(
	[ 3, \&temporary ],
	[ 3, \&change_meaning ],
	[ 2, \&replace_by_same ],
	[ 1, \&replace_hash ],
	[ 1, \&alter_type ],
	[ 2, \&rewrite_partition ],
	[ 1, \&truncate_partition ],
	[ 4, \&move_partition ],
	[ 3, \&change_elsewhere ]);

my $next_change = 0;

# change changes something, if it is time to; so often (a second) all clients
# together.
sub change
{
	my ($clients, $rate) = @_;

	return if time < $next_change;
	$next_change = time + rand(2 * $clients / $rate);
	attempt(sub { tolerate(\@partition_answers, pick(@changes)) });
	return 1;
}

1;
