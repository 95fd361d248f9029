# Helpers for the TAP tests of standbys: a primary that tells by WAL what it
# invalidates, a standby, and another one that follows the first.
#
#   my $cluster = new_cluster(conf => '...', setup => sub { my ($primary) = @_; ... });
#   $cluster->{primary}, {standby}, {cascade}
#   my $node = new_standby($primary, 'name', conf => '...', streaming => 1);
#   following($node);                      # returns when it follows the primary
#   in_state($node, 'between');            # the same of another state
#   catch_up($primary, @standbys);         # returns when all is replayed
#   is(hits($node), ...); is(standby_state($node), 'following');
#   oracle($cluster, 'after a write');     # exact everywhere, and then from the cache
#
# Nothing sleeps to wait for a server: what it has to have come to is asked for.
package StandbyTest;

use strict;
use warnings;
use Exporter qw(import);
use CacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_cluster new_standby following in_state catch_up replayed hits standby_state oracle shared_sql);

my $fill = 'SELECT count(got) FROM oracle';

# new_standby makes a standby from a base backup of a node, and starts it. Without
# streaming it gets WAL from the archive of the node.
sub new_standby
{
	my ($from, $name, %options) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$from->backup($name);
	$standby->init_from_backup($from, $name,
		$options{restoring} ? (has_restoring => 1) : (has_streaming => 1));
	$standby->append_conf('postgresql.conf', "wal_retrieve_retry_interval = 100ms\n" . ($options{conf} // ''));
	$standby->start;
	return $standby;
}

# new_cluster makes all three. setup gets the primary, before the others are made.
sub new_cluster
{
	my (%options) = @_;
	my %cluster = (primary => new_node(
		($options{name} // '') . 'primary',
		allows_streaming => $options{logical} ? 'logical' : 1,
		has_archiving => $options{archiving} // 0,
		conf => "cache.wal = on\nautovacuum = off\n" . ($options{conf} // '')));

	$options{setup}->($cluster{primary}) if $options{setup};
	$cluster{standby} = new_standby($cluster{primary}, ($options{name} // '') . 'standby', conf => $options{standby_conf});
	following($cluster{standby});
	if ($options{cascade})
	{
		$cluster{cascade} = new_standby($cluster{standby}, ($options{name} // '') . 'cascade');
		$cluster{primary}->safe_psql('postgres', 'CHECKPOINT');
		following($cluster{cascade});
	}
	return \%cluster;
}

sub standby_state
{
	my ($node) = @_;

	return $node->safe_psql('postgres', 'SELECT state FROM cache_standby');
}

# in_state waits until a standby is in a state of the view cache_standby.
sub in_state
{
	my ($node, $state) = @_;

	$node->poll_query_until('postgres', "SELECT state = '$state' FROM cache_standby")
	  or die $node->name . " is not $state, but " . standby_state($node);
	return;
}

sub following
{
	my ($node) = @_;

	return in_state($node, 'following');
}

# replayed returns when a standby has replayed up to a position.
sub replayed
{
	my ($standby, $lsn) = @_;

	$standby->safe_psql('postgres', <<"END");
DO \$\$BEGIN
  FOR i IN 1 .. 500 * $PostgreSQL::Test::Utils::timeout_default LOOP
    IF pg_last_wal_replay_lsn() >= '$lsn' THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(0.002);
  END LOOP;
  RAISE EXCEPTION 'WAL up to $lsn is not replayed';
END\$\$
END
	return;
}

# catch_up returns when standbys have replayed all that the primary has written, also
# in transactions that are in progress.
sub catch_up
{
	my ($primary, @standbys) = @_;
	my $lsn = $primary->safe_psql('postgres',
		"SELECT pg_logical_emit_message(true, 'test', ''); SELECT pg_current_wal_flush_lsn()") =~ s/.*\n//sr;

	replayed($_, $lsn) for @standbys;
	return;
}

# hits counts what a node has answered from its caches in a database.
sub hits
{
	my ($node, $db) = @_;

	return $node->safe_psql($db // 'postgres', 'SELECT coalesce(sum(hits), 0) FROM cache_stats');
}

# oracle looks at the view of that name on nodes: all is exact, and the second time
# all comes from the cache.
sub oracle
{
	my ($what, @nodes) = @_;

	foreach my $node (@nodes)
	{
		my $who = $node->name;
		my $before;

		is(mismatches($node), '', "$what: $who is exact");
		$before = hits($node);
		is(mismatches($node), '', "$what: $who is so again");
		cmp_ok(hits($node), '>', $before, "$what: $who answers from its cache");
	}
	return;
}

# shared_sql reads a file of SQL that the test of DDL has.
sub shared_sql
{
	my ($name) = @_;

	return slurp_file("test/tap/write/ddl/$name");
}

1;
