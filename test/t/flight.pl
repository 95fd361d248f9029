# Fifty sessions miss one key whose loader takes a while: one loads it, and the
# others get what it has loaded. So too when the first one is ended in the middle.
# The view cache_flights shows them.
use strict;
use warnings;
use CacheTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 50;
my $node = new_node('flight');
setup_item($node, 3);
$node->safe_psql('postgres', <<'END');
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(3), pg_advisory_unlock_shared(3);
  RETURN (SELECT price FROM item WHERE id = $1);
END$$
END

# start lets a client ask for a key, as soon as all of them are there.
sub start
{
	my ($key) = @_;
	my %client = (out => '', err => '');

	$client{run} = IPC::Run::start [
		'psql', '-XAtq', '-d', $node->connstr('postgres'),
		'-c', 'SELECT pg_advisory_lock_shared(2)', '-c', "SELECT cache_get('c', $key)"
	  ],
	  '<', \undef, '>', \$client{out}, '2>', \$client{err},
	  IPC::Run::timeout(60);
	return \%client;
}

# crowd lets them all ask at once, and returns when one of them loads, at the gate,
# and the others wait for it.
sub crowd
{
	my ($h, $key) = @_;
	my @clients;

	$h->run('SELECT pg_advisory_lock(2), pg_advisory_lock(3)');
	push @clients, start($key) for 1 .. $sessions;
	is( $node->poll_query_until(
			'postgres',
			"SELECT count(*) = $sessions FROM pg_stat_activity WHERE query ~ '^SELECT pg_advisory_lock_shared' AND wait_event_type = 'Lock'"
		),
		1,
		"$sessions sessions are there");
	$h->run("SELECT cache_stats_reset('c')");
	$h->run('SELECT pg_advisory_unlock(2)');
	is( $node->poll_query_until('postgres', <<"END"), 1, 'the view shows who waits for whom');
SELECT count(*) = $sessions AND count(DISTINCT leader) = 1 AND count(*) FILTER (WHERE pid = leader) = 1
FROM cache_flights WHERE cache = 'c' AND key = '$key'
END
	return @clients;
}

my $h = session($node, 'h');
my @clients = crowd($h, 1);

$h->run('SELECT pg_advisory_unlock(3)');
$_->{run}->finish for @clients;
is((grep { $_->{out} =~ /^10$/m } @clients), $sessions, 'all get the value');
is( $h->run("SELECT loads, waits, hits FROM cache_stats WHERE name = 'c'"),
	'1|' . ($sessions - 1) . '|0',
	'one has loaded it, the others have waited');

@clients = crowd($h, 2);
is( $node->safe_psql(
		'postgres', <<'END'), 't', 'the one who loads is ended');
SELECT pg_terminate_backend(pid, 10000) FROM pg_locks
WHERE locktype = 'userlock' AND mode = 'ExclusiveLock' AND granted
END
$h->run('SELECT pg_advisory_unlock(3)');
$_->{run}->finish for @clients;
is((grep { $_->{out} =~ /^20$/m } @clients), $sessions - 1, 'the others get the value');
is($h->run("SELECT waits FROM cache_stats WHERE name = 'c'"), $sessions - 2, 'one of them has loaded it');
is($h->run('SELECT count(*) FROM cache_flights'), 0, 'nothing is in flight');
is($h->run("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"), 0, 'no lock is left');
is(mismatches($node), '', 'the oracle');
$h->quit;
$node->stop;
done_testing();
