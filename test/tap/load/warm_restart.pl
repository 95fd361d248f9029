# Restarts in good order: what was in memory is there again, and nothing that has
# changed meanwhile; after anything else memory is empty.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = 300;
my $node = new_node('warm', allows_streaming => 1, conf => "restart_after_crash = on\ncache.stop_points = 'warm'");
my $entries = $node->data_dir . '/pg_stat/cache.entries';
my $state = $node->data_dir . '/pg_stat/cache.state';

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# start starts the server and returns when the worker has done its work: what it says.
sub start
{
	my $offset = -s $node->logfile;

	$node->start;
	$node->wait_for_log(qr/loaded \d+ of \d+ cached values/, $offset);
	return substr(slurp_file($node->logfile), $offset) =~ /loaded (\d+) of (\d+) cached values/ ? [ $1, $2 ] : undef;
}

sub restart
{
	$node->stop;
	return start();
}

# loads of all caches since the start: a restart resets the counters.
sub loads
{
	my ($db) = @_;

	return $node->safe_psql($db // 'postgres', 'SELECT coalesce(sum(loads), 0) FROM cache_stats');
}

# The server starts, and the worker stops before it stores anything: a prepared
# transaction has the lock on which it waits.
sub start_held
{
	sql("BEGIN; SELECT pg_advisory_xact_lock(hashtext('cache'), hashtext('warm')); PREPARE TRANSACTION 'held'");
	$node->restart;
	$node->poll_query_until('postgres',
		"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE backend_type = 'cache warm restart'")
	  or die 'the worker does not stop';
	return -s $node->logfile;
}

sub go_on
{
	my ($offset) = @_;

	sql("COMMIT PREPARED 'held'");
	$node->wait_for_log(qr/loaded \d+ of \d+ cached values/, $offset);
	return;
}

# Values of all kinds, in two databases.
setup_item($node, $keys);
sql(<<"END");
CREATE TYPE pair AS (a integer, b text);
CREATE TABLE thing (id integer PRIMARY KEY, t text, p pair, j jsonb);
INSERT INTO thing SELECT i, CASE i % 4
  WHEN 0 THEN NULL WHEN 1 THEN 'short' WHEN 2 THEN repeat('x', 10000 + i)
  ELSE (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 2000) n) END,
  (i, 'b' || i)::pair, jsonb_build_object('i', i, 'many', repeat('y', i * 10))
  FROM generate_series(1, 40) i;
CREATE FUNCTION text_of(integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT t FROM thing WHERE id = \$1';
CREATE FUNCTION pair_of(integer) RETURNS pair LANGUAGE sql STABLE AS 'SELECT p FROM thing WHERE id = \$1';
CREATE FUNCTION json_of(integer) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT j FROM thing WHERE id = \$1';
CREATE FUNCTION user_of(integer) RETURNS text LANGUAGE sql STABLE SECURITY INVOKER
  AS 'SELECT current_user || t FROM thing WHERE id = \$1';
CREATE FUNCTION two_of(integer, text) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT id FROM thing WHERE id = \$1 AND (\$2 IS NULL OR t = \$2)';
CREATE VIEW shown AS SELECT id, t FROM thing;
CREATE FUNCTION shown_of(integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT t FROM shown WHERE id = \$1';
SELECT cache_create('text', 'text_of(integer)'), cache_create('pair', 'pair_of(integer)'), cache_create('json', 'json_of(integer)'),
  cache_create('two', 'two_of(integer,text)'), cache_create('shown', 'shown_of(integer)'),
  cache_create('own', 'text_of(integer)', max_cost => 10000000), cache_create('each', 'json_of(integer)', max_cost => 1000, entry_cost => 1);
SELECT cache_watch(c, 'thing', 'id') FROM unnest('{text,pair,json,shown,own,each}'::text[]) c;
SELECT cache_watch('two', 'thing');
CREATE VIEW things AS SELECT i,
  (cache_get('text', i), cache_get_as(NULL::text, 'text', i), cache_get('pair', i), cache_get_as(NULL::pair, 'pair', i),
   cache_get('json', i), cache_get('two', i, NULL), cache_get('two', i, 'short'), cache_get('shown', i),
   cache_get('own', i), cache_get('each', i))::text AS got,
  (to_jsonb(text_of(i)), text_of(i), to_jsonb(pair_of(i)), pair_of(i), json_of(i),
   to_jsonb(two_of(i, NULL)), to_jsonb(two_of(i, 'short')), to_jsonb(shown_of(i)), to_jsonb(text_of(i)), json_of(i))::text AS want
  FROM generate_series(0, 42) i;
CREATE DATABASE other;
END
$node->safe_psql('other', 'CREATE EXTENSION cache');
setup_item($node, 20, 'other');
$node->safe_psql('other', 'UPDATE item SET price = -price');

sub fill
{
	sql('SELECT count(got) FROM oracle');
	sql('SELECT count(got) FROM things');
	$node->safe_psql('other', 'SELECT count(got) FROM oracle');
	return;
}

# exact checks everything, and gives how many loads that has taken.
sub exact
{
	my ($title) = @_;

	is(mismatches($node), '', "$title: exact");
	is(sql('SELECT i, got, want FROM things WHERE got IS DISTINCT FROM want'), '', "$title: values of all kinds");
	is(mismatches($node, 'other'), '', "$title: another database");
	return loads() + loads('other');
}

fill();
my $before = sql('SELECT sum(entries) FROM cache_stats') + $node->safe_psql('other', 'SELECT sum(entries) FROM cache_stats');
my $loaded = restart();
is($loaded->[0], $before, 'all entries are there again');
is($loaded->[0], $loaded->[1], 'all that were written');
ok(!-e $entries, 'the file is gone');
is(exact('after a restart'), 0, 'no load');
is(sql("SELECT evictions, rejected FROM cache_stats WHERE name = 'own'"), '0|0', 'nothing was evicted');
sql('UPDATE item SET price = price + 1; UPDATE thing SET t = t || 1');
exact('changed afterwards');

# Again and again
fill();
restart() for 1 .. 3;
is(exact('after three restarts'), 0, 'no load');

# What was invalidated before is not there.
sql('UPDATE item SET price = price + 1 WHERE id <= 5');
restart();
is(exact('invalidated before'), 5, 'loads of what was invalidated');
sql("SELECT cache_invalidate('c')");
sql("ALTER TABLE thing ADD COLUMN more integer");
$loaded = restart();
is($loaded->[1], 21, 'entries of an old generation are not written');
exact('whole caches before');

# Unread columns go on to be told from others that loads have read, from the first
# transaction on.
sql('ALTER TABLE item ADD COLUMN seen integer');
sql("CREATE FUNCTION seen(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT seen FROM item WHERE id = \$1'");
fill();
my $held = start_held();
sql("SELECT cache_get('c', 0)");
sql('UPDATE item SET price = 0 WHERE id = 7');
go_on($held);
exact('a column that only loads before the restart have read');
fill();
restart();
sql('UPDATE item SET seen = 1');
is(exact('a column that no load has read'), 0, 'no load');

# Which columns loads have read before counts, also when loads have read others since.
sql(<<'END');
CREATE FUNCTION either(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$BEGIN
  IF $1 % 2 = 0 THEN RETURN (SELECT price FROM item WHERE id = $1); END IF;
  RETURN (SELECT seen FROM item WHERE id = $1);
END$$;
SELECT cache_create('either', 'either(integer)'), cache_watch('either', 'item', 'id');
SELECT cache_create('whole', 'either(integer)'), cache_watch('whole', 'item');
END
foreach my $guard ('', 'restored_reads')
{
	my $both = "SELECT cache_get('either', 2) = to_jsonb(either(2)), cache_get('whole', 2) = to_jsonb(either(2))";

	sql("SELECT cache_invalidate('either'), cache_invalidate('whole'); SELECT cache_get('either', 2), cache_get('whole', 2)");
	$node->append_conf('postgresql.conf', "cache.removed_guard = '$guard'");
	restart();
	is(sql("SELECT sum(entries) FROM cache_stats WHERE name IN ('either', 'whole')"), 2, 'both are there');
	sql("SELECT cache_get('either', 1), cache_get('whole', 1)");
	sql('UPDATE item SET price = price + 1 WHERE id = 2');
	is(sql($both), $guard eq '' ? 't|t' : 'f|f', "what was read before the restart is changed, guard: $guard");
}
$node->append_conf('postgresql.conf', "cache.removed_guard = ''");

# A hit locks the views through which its entry was loaded.
restart();
is(sql("BEGIN; SELECT cache_get('shown', 1) IS NOT NULL; SELECT mode FROM pg_locks WHERE relation = 'shown'::regclass;"
	. " COMMIT; SELECT hits FROM cache_stats WHERE name = 'shown'"), "t\nAccessShareLock\n1", 'a view is locked by a hit');

# Writes, after the start, of what the worker has not stored yet: with the guard, and
# without.
my @races = (
	[ 'a key' => 'warm_key', 'UPDATE item SET price = price + 1 WHERE id IN (1, 2)' ],
	[ 'a key, rolled back and prepared' => undef,
		"BEGIN; UPDATE item SET price = -1 WHERE id = 3; ROLLBACK; BEGIN; UPDATE item SET price = -4 WHERE id = 4; PREPARE TRANSACTION 'p'" ],
	[ 'the prepared one ends' => undef, "COMMIT PREPARED 'p'" ],
	[ 'all' => undef, 'UPDATE thing SET t = t || 2; TRUNCATE item; INSERT INTO item SELECT i, 2 * i FROM generate_series(1, 300) i' ],
	[ 'a cache that is made anew' => undef,
		"SELECT cache_drop('text'), cache_create('text', 'text_of(integer)'), cache_watch('text', 'thing', 'id'); UPDATE thing SET t = t || 3" ],
	[ 'DDL' => undef, "CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price + 1 FROM item WHERE id = \$1'" ]);
foreach my $race (@races)
{
	my ($title, $guard, $write) = @$race;

	fill();
	my $offset = start_held();
	sql($write);
	go_on($offset);
	exact("$title after the start");
	next if !defined $guard;

	fill();
	$node->append_conf('postgresql.conf', "cache.removed_guard = '$guard'");
	$offset = start_held();
	sql($write);
	go_on($offset);
	isnt(mismatches($node), '', "$title after the start, without the guard $guard");
	$node->append_conf('postgresql.conf', "cache.removed_guard = ''");
	sql("SELECT pg_reload_conf(), cache_invalidate('c')");
}

# Roles: entries of loaders that run as the caller
sql(<<'END');
CREATE ROLE ann LOGIN;
CREATE ROLE bob LOGIN;
GRANT SELECT ON thing TO ann, bob;
CREATE POLICY mine ON thing TO ann USING (true);
CREATE ROLE staff;
CREATE TABLE staff_only (id integer, t text);
INSERT INTO staff_only VALUES (1, 'secret');
GRANT SELECT ON staff_only TO staff;
GRANT staff TO ann, bob;
CREATE FUNCTION staff_of(integer) RETURNS text LANGUAGE sql STABLE SECURITY INVOKER
  AS 'SELECT t FROM staff_only WHERE id = $1';
SELECT cache_create('staff', 'staff_of(integer)'), cache_watch('staff', 'staff_only', 'id');
END

sub as_role
{
	my ($role) = @_;
	my ($out, $err);

	(undef, $out, $err) = $node->psql('postgres', "SET ROLE $role; SELECT cache_get('staff', 1)");
	return $err =~ /permission denied/ ? 'denied' : $out;
}

is(as_role($_), '"secret"', "$_ loads") for qw(ann bob);
$held = start_held();
sql('REVOKE staff FROM bob');
go_on($held);
is(as_role('ann'), '"secret"', 'ann may');
is(sql("SELECT loads FROM cache_stats WHERE name = 'staff'"), 0, 'and has what was loaded before the restart');
is(as_role('bob'), 'denied', 'bob may not any more');
is(sql("SELECT entries FROM cache_stats WHERE name = 'staff'"), 1, 'only one of them is stored');
restart();
is(as_role('ann'), '"secret"', 'ann may after another restart');
is(as_role('bob'), 'denied', 'bob may not');

# Expiry: what was loaded again meanwhile is not replaced, what has expired not stored.
sql(<<'END');
CREATE TABLE clock (n integer);
INSERT INTO clock VALUES (1);
CREATE FUNCTION clock_of(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT n FROM clock';
SELECT cache_create('long', 'clock_of(integer)', ttl => '1 hour'), cache_create('short', 'clock_of(integer)', ttl => '1 second');
END
foreach my $guard ('', 'warm_younger')
{
	sql("UPDATE clock SET n = 1; SELECT cache_invalidate('long'), cache_invalidate('short')");
	sql("SELECT cache_get('long', 1), cache_get('short', 1), cache_get('long', 2)");
	my $ttl = sql("SELECT now() + cache_ttl('long', 2)");
	sql('UPDATE clock SET n = 2');
	$node->append_conf('postgresql.conf', "cache.removed_guard = '$guard'");
	my $offset = start_held();
	is(sql("SELECT cache_get('long', 1)"), 2, 'loaded anew');
	$node->poll_query_until('postgres', "SELECT clock_timestamp() > pg_postmaster_start_time() + interval '2 s'");
	go_on($offset);
	is(sql("SELECT cache_get('long', 1)"), $guard eq '' ? 2 : 1, "the younger one stays, guard: $guard");
	is(sql("SELECT cache_get('long', 2)"), 1, 'a value that has not expired');
	ok(sql("SELECT abs(extract(epoch FROM now() + cache_ttl('long', 2) - '$ttl')) < 0.5"), 'it expires when it would have');
	is(sql("SELECT cache_get('short', 1)"), 2, 'one that has');
}
$node->append_conf('postgresql.conf', "cache.removed_guard = ''");

# A prepared transaction over the restart
fill();
sql("BEGIN; UPDATE item SET price = price + 1 WHERE id = 9; PREPARE TRANSACTION 'p'");
restart();
exact('a prepared transaction');
sql("COMMIT PREPARED 'p'");
exact('a prepared transaction that is committed');
exact('once more');

# Caches without a loader: their entries are those of their table.
sql("SELECT cache_create('plain'), cache_set('plain', 'a', '1'), cache_get('plain', 'a')");
fill();
sql("SELECT cache_get('plain', 'a')");
restart();
is(sql("SELECT cache_get('plain', 'a')"), 1, 'what was set');
is(sql("SELECT hits, misses FROM cache_stats WHERE name = 'plain'"), '1|0', 'comes from the file');
sql("SELECT cache_set('plain', 'a', '2')");
is(sql("SELECT cache_get('plain', 'a')"), 2, 'what was set after that');

# With more and less memory
foreach my $memory ('64MB', '2MB', '16MB')
{
	fill();
	$node->adjust_conf('postgresql.conf', 'cache.memory', $memory);
	$loaded = restart();
	cmp_ok(exact("with $memory"), $memory eq '64MB' ? '==' : '>', 0, "with $memory: loads");
	ok($loaded->[0] == $loaded->[1], "all entries fit into $memory") if $memory eq '64MB';
	sql('UPDATE item SET price = price + 1 WHERE id % 2 = 0; UPDATE thing SET t = t || 4 WHERE id % 2 = 0');
	exact("with $memory, changed");
}

# The file is bounded, and begins with what is used most.
sql("SELECT cache_invalidate('text'), cache_invalidate('c')");
sql("SELECT count(cache_get('c', 1)), count(cache_get('c', 2)) FROM generate_series(1, 300)");
fill();
$node->append_conf('postgresql.conf', 'cache.warm_restart = 64kB');
$node->reload;
$node->stop;
cmp_ok(-s $entries, '<', 100000, 'a small file');
cmp_ok(-s $entries, '>', 20000, 'but not empty');
start();
exact('a bounded file');
fill();
$node->append_conf('postgresql.conf', 'cache.warm_restart = 0');
$node->restart;
ok(!-e $entries, 'no file');
cmp_ok(exact('without a file'), '>', 300, 'loads');
$node->append_conf('postgresql.conf', 'cache.warm_restart = 1GB');
$node->restart;

# cold starts the server, and checks that nothing is found in memory, or not all, and
# that all is exact.
sub cold
{
	my ($title, $log) = @_;
	my $offset = -s $node->logfile;

	$node->start;
	if ($log)
	{
		$node->wait_for_log($log, $offset);
		$node->poll_query_until('postgres',
			"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'cache warm restart'");
		is(sql('SELECT coalesce(sum(entries), 0) FROM cache_stats'), 0, "$title: nothing is used");
	}
	cmp_ok(exact($title), '>', 0, "$title: loads");
	unlike(substr(slurp_file($node->logfile), $offset), qr/ERROR|FATAL|PANIC/, "$title: no error");
	ok(!-e $entries, "$title: the file is gone");
	return;
}

# A file that is damaged, in each of its parts
my $nparts;

sub damage
{
	my ($title, $how, $log) = @_;
	my $bytes;

	fill();
	$node->stop;
	$bytes = slurp_file($entries);
	open my $out, '>:raw', $entries or die "$entries: $!";
	print $out $how->($bytes);
	close $out;
	cold($title, $log);
	return;
}

sub flip
{
	my ($at) = @_;

	return sub { my ($s) = @_; substr($s, $at < 0 ? length($s) + $at : $at, 1) ^= "\x10"; return $s; };
}

damage("byte $_ flipped", flip($_), qr/cache.entries" is damaged/) for 0, 4, 9, 20, 26, 33, 41, 45, 60, 300;
damage('a byte of the last chunk flipped', flip(-100), qr/cache.entries" is damaged/);
damage('a byte of its end flipped', sub {
	my ($s) = @_;
	substr($s, length($s) - 3, 1) ^= "\x10";
	substr($s, length($s) / 2, 1) ^= "\x10";
	return $s;
}, qr/cache.entries" is damaged/);
damage("cut off after $_ bytes", do { my $n = $_; sub { substr($_[0], 0, $n) } }, qr/cache.entries" ends too early/) for 0, 10, 48, 300, 100000;
damage('in the midst', sub { my ($s) = @_; return substr($s, 0, length($s) / 2) . substr($s, length($s) / 2 + 4096); },
	qr/cache.entries" (?:is damaged|ends too early)/);

# One that belongs to another run
{
	my $bytes;

	fill();
	$node->stop;
	$bytes = slurp_file($entries);
	start();
	sql('UPDATE item SET price = price + 1');
	fill();
	$node->stop;
	open my $out, '>:raw', $entries or die "$entries: $!";
	print $out $bytes;
	close $out;
	cold('a file of another run', qr/cache.entries" does not belong to the present state/);
}

# One without the fences, with other fences, or that was there at a crash
fill();
$node->stop;
unlink $state;
cold('no state file', qr/cache.entries" does not belong to the present state/);
fill();
$node->stop;
append_to_file($state, 'x');
{
	my $s = slurp_file($state);
	substr($s, 100, 1) ^= "\x01";
	open my $out, '>:raw', $state or die "$state: $!";
	print $out $s;
	close $out;
}
cold('a damaged state file', qr/cache.entries" does not belong to the present state/);

fill();
$node->stop('immediate');
cold('a crash');

# The server crashes while the worker has not stored anything yet, and restarts
# itself; or is started again.
fill();
$held = start_held();
ok(!-e $entries, 'the file is removed before anything is stored');
crash($node);
sql("COMMIT PREPARED 'held'");
sql('UPDATE item SET price = price + 1');
cmp_ok(exact('a crash while the worker is at work'), '>', 300, 'loads');
fill();
$held = start_held();
$node->stop('immediate');
$node->start;
sql("COMMIT PREPARED 'held'");
cmp_ok(exact('a crash while it is at work, and a start'), '>', 300, 'loads');

# The worker does not hold up a shutdown: what it had not stored is lost.
fill();
$held = start_held();
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'cache warm restart'");
ok($pid, 'the worker is in pg_stat_activity');
sql("COMMIT PREPARED 'held'");
$node->stop;
start();
exact('a shutdown at once');

# A run without the library in between, which writes; and one that does not
foreach my $write ('UPDATE item SET price = price + 1', 'SELECT 1')
{
	fill();
	$node->stop;
	$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
	$node->start;
	$node->safe_psql('postgres', "SET session_replication_role = replica; $write");
	$node->stop;
	$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'cache'");
	cold("a run without the library: $write", qr/cache.entries" does not belong to the present state/);
}

# Switched off for all, nothing is kept.
fill();
$node->append_conf('postgresql.conf', 'cache.enabled = off');
$node->restart;
ok(!-e $entries, 'switched off: no file');
$node->append_conf('postgresql.conf', 'cache.enabled = on');
$node->restart;

# A standby begins cold, and so does one that is promoted; a server that was one, too.
fill();
$node->stop;
my $copy = PostgreSQL::Test::Cluster->new('copy');
$node->backup_fs_cold('cold');
$copy->init_from_backup($node, 'cold');
$copy->append_conf('postgresql.conf', "primary_conninfo = ''");
$copy->set_standby_mode;
$copy->start;
is($copy->safe_psql('postgres', 'SELECT count(*) FROM oracle WHERE NOT exact'), 0, 'a standby is exact');
$copy->promote;
is($copy->safe_psql('postgres', 'UPDATE item SET price = price + 1; SELECT count(*) FROM oracle WHERE NOT exact'), 0,
	'promoted, too');
$copy->wait_for_log(qr/cache.entries" does not belong to the present state/);
ok(!-e $copy->data_dir . '/pg_stat/cache.entries', 'the file is gone there');
$copy->stop;

done_testing();
