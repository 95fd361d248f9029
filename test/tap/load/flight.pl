# Fifty sessions miss one key: one loads it, and the others get what it has loaded. When
# the first one is ended in the middle, the others load at once. The loader waits at a
# gate, which is opened when all are where they should be. The view cache_flights shows
# them.
use strict;
use warnings;
use CacheTest;
use Test::More;

my $sessions = 50;
my $node = new_node('flight');
setup_item($node, 3);
$node->safe_psql('postgres', <<'END');
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  RETURN (SELECT price FROM item WHERE id = $1);
END$$
END

# waiting waits until so many sessions wait for a lock of this kind.
sub waiting
{
	my ($n, $lock, $title) = @_;

	ok( $node->poll_query_until('postgres', "SELECT count(*) = $n FROM pg_locks WHERE $lock AND NOT granted"),
		$title);
	return;
}

my $door = "locktype = 'advisory' AND objid = 2";
my $gate = "locktype = 'advisory' AND objid = 1";
my $flight = "locktype = 'userlock'";

# crowd lets them all ask for a key at once, and returns when one of them loads it and
# the others wait for that.
sub crowd
{
	my ($h, $key) = @_;
	my @clients;

	$h->run('SELECT pg_advisory_lock(1), pg_advisory_lock(2)');
	push @clients, client($node, 'SELECT pg_advisory_lock_shared(2), pg_advisory_unlock_shared(2)',
		"SELECT cache_get('c', $key)")
	  for 1 .. $sessions;
	waiting($sessions, $door, "$sessions sessions are there");
	$h->run("SELECT cache_stats_reset('c')");
	$h->run('SELECT pg_advisory_unlock(2)');
	waiting(1, $gate, 'one loads');
	waiting($sessions - 1, $flight, 'the others wait for it');
	is( $h->run(<<"END"), 't', 'the view shows who waits for whom');
SELECT count(*) = $sessions AND count(DISTINCT leader) = 1 AND count(*) FILTER (WHERE pid = leader) = 1
FROM cache_flights WHERE cache = 'c' AND key = '$key'
END
	return @clients;
}

my $h = session($node, 'h');
my @clients = crowd($h, 1);

$h->run('SELECT pg_advisory_unlock(1)');
$_->{run}->finish for @clients;
is((grep { $_->{out} =~ /^10$/m } @clients), $sessions, 'all get the value');
is( $h->run("SELECT loads, waits, hits FROM cache_stats WHERE name = 'c'"),
	'1|' . ($sessions - 1) . '|0',
	'one has loaded it, the others have waited');

@clients = crowd($h, 2);
terminate($node, $h->run("SELECT pid FROM pg_locks WHERE $flight AND granted"));
waiting($sessions - 1, $gate, 'the one who loads is ended, and the others load at once');
is($h->run('SELECT count(*) FROM cache_flights'), 0, 'each for itself');
$h->run('SELECT pg_advisory_unlock(1)');
$_->{run}->finish for @clients;
is((grep { $_->{out} =~ /^20$/m } @clients), $sessions - 1, 'the others get the value');
is($h->run("SELECT loads, waits FROM cache_stats WHERE name = 'c'"), "$sessions|0", 'each has loaded it');

# It has been stored, and when it is gone the next ones wait again.
$h->run('UPDATE item SET price = price + 1 WHERE id = 2');
@clients = crowd($h, 2);
$h->run('SELECT pg_advisory_unlock(1)');
$_->{run}->finish for @clients;
is($h->run("SELECT loads, waits FROM cache_stats WHERE name = 'c'"), '1|' . ($sessions - 1), 'one for all again');
is($h->run('SELECT count(*) FROM cache_flights'), 0, 'nothing is in flight');
is($h->run("SELECT count(*) FROM pg_locks WHERE $flight"), 0, 'no lock is left');
is(mismatches($node), '', 'the oracle');
$h->quit;
$node->stop;
done_testing();
