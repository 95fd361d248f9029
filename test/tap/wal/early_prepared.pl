# DDL that was prepared before a standby began to follow, and is committed while the
# primary runs without the library: a session of the standby's that has not heard of it
# leaves nothing for others.
use strict;
use warnings;
use CacheTest;
use StandbyTest;
use Test::More;

my $cluster = new_cluster(
	conf => "max_prepared_transactions = 5\n",
	setup => sub {
		my ($primary) = @_;

		setup_table($primary, 5);
		$primary->safe_psql('postgres', <<'END');
CREATE FUNCTION old_or_new(k int) RETURNS text LANGUAGE plpgsql STABLE AS
  $$BEGIN RETURN 'old ' || (SELECT price FROM item WHERE id = k); END$$;
SELECT cache_create('f', 'old_or_new(int)');
SELECT cache_watch('f', 'item', 'id');
BEGIN;
CREATE OR REPLACE FUNCTION old_or_new(k int) RETURNS text LANGUAGE plpgsql STABLE AS
  $$BEGIN RETURN 'new ' || (SELECT price FROM item WHERE id = k); END$$;
PREPARE TRANSACTION 'early';
END
	});
my $primary = $cluster->{primary};
my $standby = $cluster->{standby};
my $session = session($standby, 'open');
my $preloaded = $primary->safe_psql('postgres', 'SHOW shared_preload_libraries');

$session->run('BEGIN');
like($session->run("SELECT cache_get('f', 1)"), qr/old/, 'before');
$primary->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$primary->restart;
$primary->safe_psql('postgres', "COMMIT PREPARED 'early'");
$primary->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$preloaded'");
$primary->restart;
following($standby);
catch_up($primary, $standby);
is(standby_state($standby), 'following', 'it has gone on');
$session->run("SELECT cache_get('f', 1)");
like($standby->safe_psql('postgres', "SELECT cache_get('f', 1)"), qr/new/, 'others are exact');
$session->run('COMMIT');
$session->quit;
$standby->stop;
$primary->stop;
done_testing();
