# The oracle: what a cache gives against what its loader gives, in one statement;
# and the writes that change both.
package Oracle;

use strict;
use warnings;
use Client qw(run pick chance upto skewed weighted %count %client);
use Exporter qw(import);

our @EXPORT_OK = qw(%cache %draw @writes add_caches names caches_of compare check fetch fill write_something
  with_open_gate with_patience);

# What stands for {name} in a statement.
our %draw = (
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

# Each cache:
#   key     what it is asked for
#   type    its type, where it is not jsonb
#   memory  so much shared memory that most of it is in Redis
#   kind    which kind of load it belongs to
#   loader  what is compared with, if not the function of the cache's name
#   gated   compared behind the gate only (see kinds.sql)
#   loose   'n/a' on one side is no mismatch where locks are not waited for
#   never   nothing of it may be stored
#   moving  what ATTACH PARTITION brings is there when a session hears of it, for
#           old snapshots too; a get may be what makes it hear. So the loader is
#           called on both sides of the get, which has to agree with one.
our %cache = (
	account => { key => '{id}', memory => 4000 },
	branch => { key => '{bid}', memory => 400, type => 'bigint' },
	conf => { key => '{part}', memory => 300 },
	doc => { key => '{name}', memory => 40000, type => 'text' },
	label => { key => '{id}', memory => 4000, type => 'text' },
	nested => { key => '{bid}', memory => 400 },
	pair => { key => '{bid}, {letter}', memory => 2000, type => 'text' },
	price => { key => '{number}', memory => 1500, type => 'numeric' },
	visit => { key => '{id}', memory => 4000, type => 'text' },
);
$_->{kind} = 'rows' for values %cache;

# The names to draw from: those of kind rows more often.
my @drawn;

my $gate_open = 0;     # this transaction is behind the gate
my $patient = 0;       # it waits for locks

sub names { return sort keys %cache }
sub caches_of { my ($kind) = @_; return grep { $cache{$_}{kind} eq $kind } names() }

# add_caches adds these, of this kind.
sub add_caches
{
	my ($kind, %those) = @_;

	$cache{$_} = { kind => $kind, %{ $those{$_} } } for keys %those;
	@drawn = map { ($_) x ($cache{$_}{kind} eq 'rows' ? 7 : 1) } names();
}
add_caches('rows');

# with_open_gate does work in which gated caches are compared, too.
sub with_open_gate
{
	my ($work) = @_;

	$gate_open++;
	my $done = eval { $work->(); 1 };
	$gate_open--;
	die $@ if !$done;
}

# with_patience does work in which no loader may have had to do without a lock.
sub with_patience
{
	my ($work) = @_;

	$patient++;
	my $done = eval { $work->(); 1 };
	$patient--;
	die $@ if !$done;
}

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
		my $loader = $cache{$name}{loader} // $name;
		my $get = "cache_get('$name', $key)";
		$get = "to_jsonb(cache_get_as(NULL::$type, '$name', $key))" if $type && chance(30);
		my $shown = $key =~ s/'//gr;
		my $load = "to_jsonb($loader($key))";
		my $loose = $cache{$name}{loose} && !$patient ? 'true' : 'false';
		my $other = $cache{$name}{moving} ? $load : 'NULL';
		my $moving = $cache{$name}{moving} ? 'true' : 'false';
		push @rows, "('$name', '$shown', $loose, $moving, "
		  . ($swap ? "$load, $get, $other" : "$other, $get, $load") . ')';
		$count{"checks $cache{$name}{kind}"}++;
	}
	$count{checks} += @rows;
	run('WITH c (cache, key, loose, moving, ' . ($swap ? 'loaded, cached, other' : 'other, cached, loaded')
		  . ') AS MATERIALIZED (VALUES ' . join(', ', @rows)
		  . ') SELECT cache, key, cached, loaded, true FROM c'
		  . ' WHERE cached::text IS DISTINCT FROM loaded::text'
		  . " AND NOT (loose AND concat(cached, loaded) LIKE '%n/a%')"
		  . ' AND NOT (moving AND cached::text IS NOT DISTINCT FROM other::text)');
}

# check compares a few random keys, of these caches or of any.
sub check
{
	my @among = @_ ? @_ : @drawn;

	@among = grep { $gate_open || !$cache{$_}{gated} } @among;
	compare(map { [ $_, fill($cache{$_}{key}) ] } map { pick(@among) } 1 .. upto(6));
}

# fetch reads without comparing: what it leaves in the cache is for others to check.
sub fetch
{
	my @gets = map { "(cache_get('$_', " . fill($cache{$_}{key}) . '))' }
	  map { pick(@drawn) } 1 .. upto(10);
	run('SELECT count(*) FROM (VALUES ' . join(', ', @gets) . ') v');
}

# ---------------------------------------------------------------------------
# Writes

our @writes = weighted(
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
	[ 20, 'UPDATE accounts SET seen = seen + 1 WHERE id IN ({ids})' ],
	[ 2, 'UPDATE accounts SET seen = seen + 1' ],
	[ 15, 'UPDATE branches SET seen = seen + 1 WHERE bid = {bid}' ],
	[ 3, 'UPDATE branches SET name = name' ],
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
	map { [ 1, "SELECT cache_invalidate('$_', $cache{$_}{key})" ], [ 1, "SELECT cache_invalidate('$_')" ] } names());

# write_something writes, but not as a reader; the partition for a row may be away
# (23514).
sub write_something
{
	return if $client{reader};
	run(fill(pick(@writes)), '23514');
}

1;
