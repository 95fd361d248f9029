# What is in Redis may be of any age, and of another history: the answers are exact
# all the same. Each case leaves old values in Redis by another way, and lets all keys
# be read. Those that fences guard against are then repeated without that guard, to
# see that the answers are wrong then.
use strict;
use warnings;
use CacheTest;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $rows = 40;
my $all = 2 * $rows;
my $fill = 'SELECT count(got) FROM oracle';
my $write = 'UPDATE item SET price = price + 1';
my $redis = start_redis('redis', 'appendonly yes');
my $proxy = start_proxy($redis);
my ($replicas, $replaced) = (0, 0);
my $node = redis_node('exact', $proxy->addr, conf => <<'END');
autovacuum = off
max_prepared_transactions = 100
END

wait_state($node, 'up');
setup_redis($node, $rows);
$node->safe_psql('postgres', 'CREATE TABLE other (n integer)');

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# refresh puts the values of all keys into Redis, and takes a copy of it.
sub refresh
{
	my ($n) = @_;

	$n //= $node;
	$n->safe_psql('postgres', $write);
	sync($n, $redis);
	$redis->command('FLUSHALL');
	$n->safe_psql('postgres', $fill);
	$redis->wait_entries($all, names($n));
	return $redis->copy(names($n));
}

# deaf_to_deletes has Redis never hear of them.
sub deaf_to_deletes
{
	$proxy->fault('reply', match => '^(DEL|UNLINK)$', bytes => ":1\r\n");
	return;
}

sub sent
{
	sync($node, $redis);
	return;
}

# Each case: how old values come into Redis, and how all is well again
my @cases = (
	[
		'old copies put back after a write',
		sub {
			my $copy = refresh();

			sql($write);
			sent();
			$redis->paste($copy);
		}
	],
	[
		'deletes that Redis refuses',
		sub {
			refresh();
			$redis->command('ACL', 'LOG', 'RESET');
			$redis->command('ACL', 'SETUSER', 'default', '-del', '-unlink');
			sql($write);
			poll('a refusal', sub { @{ $redis->command('ACL', 'LOG') } > 0 });
		},
		sub {
			$redis->command('ACL', 'SETUSER', 'default', '+del', '+unlink');
			wait_state($node, 'up');
		}
	],
	[
		'deletes that are still to be sent',
		sub {
			refresh();
			kill 'STOP', worker_pid($node);
			sql($write);
		},
		sub { kill 'CONT', worker_pid($node); }
	],
	[
		'Redis stopped during 10,000 writes',
		sub {
			refresh();
			$redis->stop;
			sql("DO \$\$BEGIN FOR i IN 1 .. 10000 LOOP
			       UPDATE item SET price = price + 1 WHERE id = i % $rows + 1; COMMIT;
			     END LOOP; END\$\$");
			deaf_to_deletes();
			$redis->start;
			wait_state($node, 'up');
			sent();
		}
	],
	[
		'values that arrive after the invalidation',
		sub {
			my $pid = worker_pid($node);

			refresh();
			kill 'STOP', $pid;
			sql($write);
			$redis->command('FLUSHALL');
			sql($fill);
			sql($write);
			deaf_to_deletes();
			kill 'CONT', $pid;
			$redis->wait_entries($all);
			sent();
		}
	],
	[
		'a replica of Redis that is promoted with old data',
		sub {
			my $replica = start_redis('replica' . ++$replicas,
				'replicaof 127.0.0.1 ' . $redis->port);

			refresh();
			$replica->wait_entries($all);
			$replica->command('REPLICAOF', 'NO', 'ONE');
			sql($write);
			sent();
			configure($node, 'cache.redis_addr' => $replica->addr);
			poll('the replica to be used', sub { $replica->clients > 0 });
			wait_state($node, 'up');
			is($replica->count, $all, 'the replica has old data');
		},
		sub {
			configure($node, 'cache.redis_addr' => $proxy->addr);
			wait_state($node, 'up');
		}
	],
	[
		'old copies put back after a write and a restart',
		sub {
			my $copy = refresh();

			sql($write);
			$node->restart;
			wait_state($node, 'up');
			$redis->paste($copy);
		}
	],
	[
		'old copies put back after a prepared transaction, and a restart before its end',
		sub {
			my $copy = refresh();

			sql("BEGIN; $write; PREPARE TRANSACTION 'p'");
			$node->restart;
			wait_state($node, 'up');
			sql("COMMIT PREPARED 'p'");
			$redis->paste($copy);
		}
	],
	[
		'old copies put back after DDL',
		sub {
			my $n = ++$replaced;

			sql("CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1 + 10000 * $n'");
			sql("CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
			       AS 'SELECT tax(price) FROM item WHERE id = \$1'") if $n == 1;
			my $copy = refresh();

			sql("CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1 + 10001 * $n'");
			$redis->paste($copy);
		}
	],
	[
		'old copies put back after TRUNCATE',
		sub {
			my $copy = refresh();

			sql('BEGIN; CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE item; TRUNCATE item;
			  INSERT INTO item SELECT id, price + 1 FROM kept; COMMIT');
			$redis->paste($copy);
		}
	],
	[
		'FLUSHALL, and old copies again',
		sub {
			my $copy = refresh();

			$redis->command('FLUSHALL');
			is(mismatches($node), '', 'after FLUSHALL');
			sql($write);
			$redis->command('FLUSHALL');
			is(mismatches($node), '', 'after a write and FLUSHALL');
			$redis->wait_entries($all);
			sql($write);
			sent();
			$redis->paste($copy);
		}
	],
	[
		'what a transaction had loaded before it wrote',
		sub {
			my $writer = session($node, 'writer');
			my $copy;

			refresh();
			sql($write);
			sent();

			# It has an id, and one that is later has ended.
			$writer->run($_) for 'BEGIN', 'INSERT INTO other VALUES (1)';
			sql('INSERT INTO other VALUES (2)');
			$writer->run($fill);
			$redis->wait_entries($all);
			sent();
			$copy = $redis->copy;
			$writer->run($_) for $write, 'COMMIT';
			$writer->quit;
			sent();
			$redis->paste($copy);
		}
	],
	[
		'what was loaded while too many transactions ran to list them all',
		sub {
			my $writer = session($node, 'writer');
			my $copy;

			refresh();
			sql($write);
			sent();
			sql(join '', map { "BEGIN; INSERT INTO other VALUES ($_); PREPARE TRANSACTION 'p$_';\n" } 1 .. 80);
			$writer->run($_) for 'BEGIN', $write;
			sql('INSERT INTO other VALUES (0)');
			sql($fill);
			$redis->wait_entries($all);
			sent();
			$copy = $redis->copy;
			$writer->run('COMMIT');
			$writer->quit;
			sent();
			$redis->paste($copy);
		},
		sub { sql(join '', map { "COMMIT PREPARED 'p$_';\n" } 1 .. 80); }
	]);

foreach my $case (@cases)
{
	my ($title, $arrange, $restore) = @$case;
	my $stale;

	$arrange->();
	$stale = redis_row($node, 'stale');
	is(mismatches($node), '', $title);
	cmp_ok(redis_row($node, 'stale'), '>', $stale, "$title: refused");
	is(probe($node, ''), 0, "$title: again");
	$restore->() if $restore;
	$proxy->fault('pass');

	$arrange->();
	cmp_ok(probe($node, 'redis_fence'), '>', 0, "$title: not so without the guard");
	$restore->() if $restore;
	$proxy->fault('pass');
}

# An old snapshot does not get what is newer, nor do others what it has loaded. Here
# shared memory's own check, of whether there is any use in looking, comes first.
foreach my $guard ('', 'redis_fence, fill_check')
{
	my $old = session($node, 'old', "SET cache.removed_guard = '$guard'",
		'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
	my $wrong;

	refresh();
	$wrong = $old->run('SELECT count(*) FROM oracle WHERE NOT exact');
	$guard eq ''
	  ? is($wrong, 0, 'an old snapshot and newer values')
	  : cmp_ok($wrong, '>', 0, 'an old snapshot and newer values: not so without the guard');
	if ($guard eq '')
	{
		sql($write);
		$redis->command('FLUSHALL');
		$old->run($fill);
		sent();
		is(mismatches($node), '', 'what an old snapshot has loaded');
	}
	$old->quit;
}

# A transaction does not get what was before its own write.
my $own = session($node, 'own');
refresh();
$own->run($_) for 'BEGIN', 'UPDATE item SET price = 0 WHERE id <= 10';
is($own->run('SELECT * FROM oracle WHERE NOT exact'), '', "a transaction's own writes");
$own->run($_) for 'SAVEPOINT a', 'UPDATE item SET price = 1', 'ROLLBACK TO a';
is($own->run('SELECT * FROM oracle WHERE NOT exact'), '', 'and what it has taken back');
sent();
is(mismatches($node), '', 'others do not see them');
$own->run('ROLLBACK');
is($own->run('SELECT * FROM oracle WHERE NOT exact'), '', 'after its rollback');
is(mismatches($node), '', 'for others as well');
$own->quit;

# What cache_invalidate() is told of has no transaction: here, a file.
my $file = PostgreSQL::Test::Utils::tempdir() . '/file';
my $version = 0;

sub write_file
{
	open my $handle, '>', $file or die "$file: $!";
	print $handle ++$version;
	close $handle;
	return;
}
sql(<<"END");
CREATE FUNCTION load_file(text) RETURNS text LANGUAGE plpgsql STABLE
  AS \$\$BEGIN RETURN \$1 || pg_read_file('$file'); END\$\$;
SELECT cache_create('file', 'load_file(text)', redis => true, ttl => '1 day'),
  cache_create('file2', 'load_file(text)', redis => true, ttl => '1 day', max_cost => 1);
CREATE VIEW files AS SELECT cache_get(name, 'v') IS NOT DISTINCT FROM to_jsonb(load_file('v')) AS exact
  FROM unnest('{file,file2}'::text[]) AS name;
END
foreach my $how (
	"SELECT cache_invalidate('file', 'v'), cache_invalidate('file2', 'v')",
	"SELECT cache_invalidate('file'), cache_invalidate('file2')",
	'ALTER FUNCTION load_file(text) COST 7',
	"BEGIN; SAVEPOINT a; SELECT cache_invalidate('file', 'v'), cache_invalidate('file2', 'v'); RELEASE a; COMMIT")
{
	foreach my $guard ('', 'redis_fence')
	{
		my ($copy, $wrong);

		write_file();
		sql("SELECT cache_invalidate('file'), cache_invalidate('file2')");
		sent();
		$redis->command('FLUSHALL');
		sql('SELECT count(*) FROM files WHERE exact');
		$redis->wait_entries(2);
		$copy = $redis->copy;
		write_file();
		is(probe($node, '', 'files WHERE NOT exact'), 2, 'an unwatched change is not seen')
		  if $guard eq '';
		sql($how);
		sent();
		$redis->paste($copy);
		$wrong = probe($node, $guard, 'files WHERE NOT exact');
		$guard eq ''
		  ? is($wrong, 0, "an old copy after $how")
		  : cmp_ok($wrong, '>', 0, "an old copy after $how: not so without the guard");
	}
}

# Rows that were written while the server ran without the library
refresh();
$node->stop;
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->start;
sql($write);
$node->restart;
sql("$write WHERE id = 1");
$node->stop;
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'cache'");
$node->start;
wait_state($node, 'up');
is($redis->count, $all, 'a start without the library: Redis has old values');
is(mismatches($node), '', 'a start without the library');
is(probe($node, ''), 0, 'a start without the library: again');

# Or by a server in single-user mode
refresh();
$node->stop;
my $output;
IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ],
	'<', \"$write\n", '>&', \$output) or die "postgres --single: $output";
$node->start;
wait_state($node, 'up');
is($redis->count, $all, 'single-user mode: Redis has old values');
is(mismatches($node), '', 'single-user mode');
is(probe($node, ''), 0, 'single-user mode: again');

# A copy of a database, with the same identifiers of caches, and another server, with
# the same names and other values
sql('CREATE DATABASE one');
$node->safe_psql('one', 'CREATE EXTENSION cache');
setup_redis($node, $rows, 'one');
sql('CREATE DATABASE two TEMPLATE one');
my $other = redis_node('other', $redis, conf => <<'END');
autovacuum = off
restart_after_crash = on
bgwriter_lru_maxpages = 0
wal_writer_delay = 10s
END
setup_redis($other, $rows);
$node->safe_psql('two', "$write + 1000");
$other->safe_psql('postgres', "$write + 2000");
$redis->command('FLUSHALL');
foreach (1 .. 3)
{
	is(mismatches($node, 'one'), '', 'three databases: one');
	is(mismatches($node, 'two'), '', 'three databases: two');
	is(mismatches($other), '', 'three databases: three');
	if ($_ == 1)
	{
		$redis->wait_entries(2 * $all, names($node));
		$redis->wait_entries($all, names($other));
	}
	elsif ($_ == 2)
	{
		$node->safe_psql('one', $write);
		$node->safe_psql('two', "$write + 1");
		$other->safe_psql('postgres', "$write + 2");
	}
}

# A crash loses transactions that readers have seen, and their ids are used again.
my ($writer, $lost, $again);
refresh($other);
$other->safe_psql('postgres', 'CHECKPOINT');
$redis->command('FLUSHALL');
my $walwriter =
  $other->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
my $price = $other->safe_psql('postgres', 'SELECT price FROM item WHERE id = 1');
kill 'STOP', $walwriter;
$lost = $other->safe_psql('postgres', <<"END");
SET synchronous_commit = off;
BEGIN;
$write + 500;
SELECT pg_current_xact_id();
COMMIT;
END
is($other->safe_psql('postgres', $fill), $all, 'values that will be lost');
$redis->wait_entries($all, names($other));
crash($other, $walwriter);
is($other->safe_psql('postgres', 'SELECT price FROM item WHERE id = 1'), $price, 'a transaction is lost');
is(probe($other, ''), 0, 'a crash that loses a transaction');
$again = $other->safe_psql('postgres',
	"BEGIN; $write WHERE id <= 10; SELECT pg_current_xact_id(); COMMIT");
is($again, $lost, 'its id is used again');
is(probe($other, ''), 0, 'an id that is used again');
is(probe($other, ''), 0, 'an id that is used again: again');
$other->stop;

# A cold copy of the data directory: both go on from the same state, with the same
# transaction ids.
my $origin = redis_node('origin', $redis, has_archiving => 1, allows_streaming => 1,
	conf => 'autovacuum = off');
setup_redis($origin, $rows);
my $copy = refresh($origin);
$origin->stop;
$origin->backup_fs_cold('cold');
my $twin = PostgreSQL::Test::Cluster->new('twin');
$twin->init_from_backup($origin, 'cold');
$twin->append_conf('postgresql.conf', 'archive_mode = off');
foreach ($origin, $twin)
{
	$_->start;
	wait_state($_, 'up');
}
foreach my $round (1 .. 3)
{
	$origin->safe_psql('postgres', "$write + $round WHERE id <= 20");
	$twin->safe_psql('postgres', "$write + 100 * $round WHERE id > 10");
	foreach ($origin, $twin, $origin, $twin)
	{
		is(mismatches($_), '', "a cold copy and its origin, round $round: " . $_->name);
	}
	sync($_, $redis) for $origin, $twin;
	foreach ($origin, $twin)
	{
		is(mismatches($_), '', "a cold copy and its origin, round $round, once more: " . $_->name);
	}
}
$twin->stop;

# Recovery to a point in time: what came after it has never been; and what came before
# it was written in another life.
$origin->safe_psql('postgres', "SELECT pg_create_restore_point('here')");
refresh($origin);
is($origin->safe_psql('postgres', $fill), $all, 'values that come after the point');
$origin->safe_psql('postgres', 'SELECT pg_switch_wal()');
$origin->stop;
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($origin, 'cold', has_restoring => 1, standby => 0);
$restored->append_conf('postgresql.conf', <<'END');
archive_mode = off
recovery_target_name = 'here'
recovery_target_action = 'promote'
END
$restored->start;
wait_for($restored, 'NOT pg_is_in_recovery()');
wait_state($restored, 'up');
is($restored->safe_psql('postgres', "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"),
	'00000002', 'a new timeline');
$redis->paste($copy);
is(mismatches($restored), '', 'recovery to a point in time');
$restored->safe_psql('postgres', "$write + 300 WHERE id <= 20");
is(mismatches($restored), '', 'and a write after it') for 1 .. 2;
$_->stop for $restored, $node;
done_testing();
