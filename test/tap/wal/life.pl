# Starts, stops, crashes and promotions of a primary and of those that follow it: what
# they say is exact, and they use their caches again as soon as they may.
use strict;
use warnings;
use CacheTest;
use StandbyTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = 20;
my $write = 'UPDATE item SET price = price + 1';
my $cluster = new_cluster(
	cascade => 1,
	logical => 1,
	archiving => 1,
	conf => 'wal_keep_size = 256MB',
	setup => sub { setup_item($_[0], $keys) });
my ($primary, $standby, $cascade) = @$cluster{qw(primary standby cascade)};
my @standbys = ($standby, $cascade);
my ($plain, $off, $late, $archived, $old);

# follow_on waits until they follow again, and looks at them, before a write and after it.
sub follow_on
{
	my ($what, $from, @nodes) = @_;

	catch_up($from, @nodes);
	following($_) for @nodes;
	oracle($what, @nodes);
	$from->safe_psql('postgres', $write);
	catch_up($from, @nodes);
	oracle("$what, after a write", @nodes);
	return;
}

follow_on('at first', $primary, @standbys);

# What others can put into WAL is no news.
$primary->safe_psql('postgres', "SELECT pg_logical_emit_message($_, 'cache', 'nonsense'), pg_logical_emit_message($_, 'cache', decode('0100000001', 'hex'))")
  for qw(true false);
catch_up($primary, @standbys);
is(standby_state($_), 'following', 'a forged message: ' . $_->name . ' follows') for @standbys;
follow_on('a forged message', $primary, @standbys);

# Logical decoding
$primary->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('test', 'test_decoding'), pg_create_logical_replication_slot('output', 'pgoutput'); CREATE PUBLICATION p FOR TABLE item; $write; CREATE TABLE ddl (i int)");
is($primary->safe_psql('postgres', "SELECT count(*) FILTER (WHERE data LIKE 'table public.item: UPDATE%'), count(*) FILTER (WHERE data LIKE 'message%prefix: cache%') > 0 FROM pg_logical_slot_get_changes('test', NULL, NULL)"),
	"$keys|t", 'test_decoding');
is($primary->safe_psql('postgres', "SELECT count(*) > 20 FROM pg_logical_slot_get_binary_changes('output', NULL, NULL, 'proto_version', '1', 'publication_names', 'p', 'messages', 'true')"), 't', 'pgoutput with messages');
$primary->safe_psql('postgres', "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");

# Servers beside: without the library, with cache.wal = off, from the archive alone, and
# one that applies late and has less memory; made while the primary is written to.
my $client = client($primary, map { $write } 1 .. 200);
$plain = new_standby($primary, 'plain', conf => "shared_preload_libraries = ''");
$off = new_standby($primary, 'off', conf => 'cache.wal = off');
$late = new_standby($primary, 'late', conf => "cache.memory = 8MB\nrecovery_min_apply_delay = 300");
$archived = new_standby($primary, 'archived', restoring => 1);
$client->{run}->finish;
$primary->safe_psql('postgres', 'CHECKPOINT');
follow_on('beside', $primary, @standbys, $late);
catch_up($primary, $plain, $off);
is($plain->safe_psql('postgres', 'SELECT sum(price) FROM item'), $primary->safe_psql('postgres', 'SELECT sum(price) FROM item'), 'a standby without the library replays');
is(standby_state($off), 'off', 'one with cache.wal = off');
is(mismatches($off), '', 'is exact') for 1 .. 2;
is(hits($off), 0, 'and uses no cache');
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
following($archived);
oracle('from the archive', $archived);
$primary->safe_psql('postgres', "$write; SELECT pg_switch_wal()");
catch_up($primary, @standbys);
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
replayed($archived, $primary->safe_psql('postgres', 'SELECT pg_current_wal_lsn()'));
oracle('from the archive, after a write', $archived);
$_->stop for $plain, $off, $late, $archived;

# Standbys go away, with transactions of the primary that have published.
$primary->safe_psql('postgres', "BEGIN; $write; PREPARE TRANSACTION 'p'; CHECKPOINT");
catch_up($primary, @standbys);
$_->safe_psql('postgres', 'CHECKPOINT') for @standbys;
foreach my $how (qw(fast immediate kill9))
{
	foreach my $node (@standbys)
	{
		$how eq 'kill9' ? $node->kill9 : $node->stop($how);
		until ($node->start(fail_ok => 1)) { $node->stop('fast', fail_ok => 1); }
	}
	$primary->safe_psql('postgres', 'CHECKPOINT');
	catch_up($primary, @standbys);
	following($_) for @standbys;
	is(mismatches($_), '', "$how: " . $_->name . ' is exact with a prepared transaction') for @standbys, @standbys;
}
$old = session($standby, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(got) FROM oracle');
$primary->safe_psql('postgres', "COMMIT PREPARED 'p'");
catch_up($primary, @standbys);
is($old->run('SELECT * FROM oracle WHERE NOT exact;'), '', 'an old snapshot when it has committed');
$old->quit;
follow_on('after restarts', $primary, @standbys);

# The primary goes away.
foreach my $how (qw(fast immediate kill9))
{
	my $before = hits($standby);

	$how eq 'kill9' ? $primary->kill9 : $primary->stop($how);
	if ($how eq 'fast')
	{
		in_state($standby, 'between');
		is(mismatches($standby), '', 'between: exact');
		is(hits($standby), $before, 'and no cache is used');
	}
	until ($primary->start(fail_ok => 1)) { $primary->stop('fast', fail_ok => 1); }
	catch_up($primary, @standbys);
	following($_) for @standbys;
	$before = hits($standby);
	is(mismatches($standby), '', "$how of the primary: exact");
	cmp_ok(hits($standby), '>=', $before + $keys, 'and warm');
	follow_on("$how of the primary", $primary, @standbys);
}

# cache.wal = off for a while
$primary->append_conf('postgresql.conf', 'cache.wal = off');
$primary->restart;
$primary->safe_psql('postgres', $write);
catch_up($primary, @standbys);
is(standby_state($_), 'between', 'cache.wal = off: ' . $_->name . ' does not follow') for @standbys;
is(mismatches($_), '', 'and is exact') for @standbys, @standbys;
$primary->append_conf('postgresql.conf', 'cache.wal = on');
$primary->restart;
follow_on('cache.wal = on again', $primary, @standbys);

# A switchover: the caches stay warm.
oracle('before the switchover', @standbys);
my $before = hits($standby);
$primary->safe_psql('postgres', "BEGIN; $write; PREPARE TRANSACTION 'over'; ROLLBACK PREPARED 'over'; BEGIN; UPDATE item SET price = 7 WHERE id = 1; PREPARE TRANSACTION 'over'");
catch_up($primary, @standbys);
$primary->stop;
in_state($standby, 'between');
$standby->promote;
is(mismatches($standby), '', 'promoted: exact');
cmp_ok(hits($standby), '>', $before, 'and warm');
is(standby_state($standby), 'primary', 'a primary now');
$standby->safe_psql('postgres', "COMMIT PREPARED 'over'");
is(mismatches($standby), '', 'what was prepared before is committed');
is($standby->safe_psql('postgres', "SELECT cache_get('c', 1)"), 7, 'and seen');
follow_on('through the promotion', $standby, $cascade);

# The old primary becomes a standby; and promotions under way, of which it is the next.
$primary->append_conf('postgresql.conf', "primary_conninfo = '" . $standby->connstr . "'\nrecovery_target_timeline = latest\nwal_retrieve_retry_interval = 100ms");
$primary->set_standby_mode;
$primary->start;
$standby->safe_psql('postgres', 'CHECKPOINT');
follow_on('the old primary', $standby, $primary, $cascade);
$primary->promote;
is(mismatches($primary), '', 'promoted while it follows: exact');
$primary->safe_psql('postgres', $write);
oracle('after a write of its own', $primary);

# Two primaries have gone apart: the other one is rewound.
$standby->safe_psql('postgres', $write);
$standby->stop;
$primary->safe_psql('postgres', 'CHECKPOINT');
command_ok([ 'pg_rewind', '--target-pgdata', $standby->data_dir, '--source-server', $primary->connstr('postgres'), '--no-sync' ], 'pg_rewind');
$standby->append_conf('postgresql.conf', 'port = ' . $standby->port . "\nprimary_conninfo = '" . $primary->connstr . "'\nwal_retrieve_retry_interval = 100ms");
$standby->set_standby_mode;
$standby->start;
$primary->safe_psql('postgres', 'CHECKPOINT');
follow_on('rewound', $primary, $standby);

$_->stop for $cascade, $standby, $primary;
done_testing();
