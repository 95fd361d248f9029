# All ways to get a value on a standby; and a server whose WAL is minimal, which has none.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use StandbyTest;
use Test::More;

my $keys = 20;
my $cluster = new_cluster(setup => sub { setup_item($_[0], $keys) });
my ($primary, $standby) = @$cluster{qw(primary standby)};
my $minimal;
my %calls = (
	'cache_get' =>
	  "SELECT count(*) FROM generate_series(1, $keys) AS i WHERE cache_get('c', i) IS NOT DISTINCT FROM to_jsonb(loader(i))",
	'cache_get_as' =>
	  "SELECT count(*) FROM generate_series(1, $keys) AS i WHERE cache_get_as(NULL::integer, 'c', i) IS NOT DISTINCT FROM loader(i)",
	'cache_get_many' =>
	  "SELECT count(*) FROM cache_get_many('c', (SELECT array_agg(i) FROM generate_series(1, $keys) AS i)) AS m WHERE value IS NOT DISTINCT FROM to_jsonb(loader(key))",
);

foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ')
{
	my $session = session($standby, 's', "SET default_transaction_isolation = '$isolation'");

	foreach my $call (sort keys %calls)
	{
		my $before;

		$primary->safe_psql('postgres', 'UPDATE item SET price = price + 1');
		catch_up($primary, $standby);
		is($session->run($calls{$call}), $keys, "$call, $isolation: after a write");
		$before = hits($standby);
		is($session->run($calls{$call}), $keys, "$call, $isolation: again");
		cmp_ok(hits($standby) - $before, '>=', $keys, "$call, $isolation: from the cache");
	}
	$session->quit;
}
is((split /\|/, $standby->safe_psql('postgres', 'SELECT wal, state FROM cache_standby'))[1], 'following', 'it follows');
is($primary->safe_psql('postgres', 'SELECT wal, state FROM cache_standby'), 't|primary', 'the primary');

# A standby that does not follow counts all the same, and says why.
$standby->append_conf('postgresql.conf', 'cache.wal = off');
$standby->restart;
is($standby->safe_psql('postgres', $calls{cache_get}), $keys, 'with cache.wal = off');
is($standby->safe_psql('postgres', "SELECT reason, count FROM cache_bypasses WHERE cache = 'c' AND count > 0"), "standby|$keys", 'all are bypasses');
is($standby->safe_psql('postgres', 'SELECT state, since, floor FROM cache_standby'), 'off||', 'and the view says why');
$standby->stop;
$primary->stop;

$minimal = new_node('minimal', conf => "cache.wal = on\nwal_level = minimal\nmax_wal_senders = 0");
setup_item($minimal, $keys);
$minimal->safe_psql('postgres', 'SELECT count(got) FROM oracle; UPDATE item SET price = price + 1');
is(mismatches($minimal), '', 'minimal WAL: exact');
is($minimal->safe_psql('postgres', 'SELECT wal, state FROM cache_standby'), 'f|primary', 'and nothing is written for standbys');
$minimal->stop;
done_testing();
