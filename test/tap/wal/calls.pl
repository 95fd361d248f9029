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

# Definitions change on the primary, and a session of the standby that is there follows.
{
	my $session = session($standby, 'd');
	my $other = "SELECT count(*) FROM generate_series(1, $keys) AS i WHERE cache_get('%s', i) IS NOT DISTINCT FROM to_jsonb(%s(i))";
	my $check = sub {
		my ($title, $cache, $loader) = @_;

		catch_up($primary, $standby);
		is($session->run(sprintf $other, $cache, $loader), $keys, $title) for 1 .. 2;
	};

	$primary->safe_psql('postgres', "CREATE FUNCTION loader2(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price * 2 FROM item WHERE id = \$1'");
	$check->('before', 'c', 'loader');
	$primary->safe_psql('postgres', "SELECT cache_create('e', 'loader2(integer)')");
	$check->('cache_create, nothing is watched', 'e', 'loader2');
	$primary->safe_psql('postgres', "SELECT cache_watch('e', 'item', 'id'); UPDATE item SET price = price + 1");
	$check->('cache_watch', 'e', 'loader2');
	$primary->safe_psql('postgres', 'UPDATE item SET price = price + 1');
	$check->('a write to what is watched', 'e', 'loader2');
	$primary->safe_psql('postgres', "SELECT cache_alter('e', loader => 'loader(integer)')");
	$check->('cache_alter', 'e', 'loader');
	$primary->safe_psql('postgres', "SELECT cache_unwatch('e', 'item'); UPDATE item SET price = price + 1");
	$check->('cache_unwatch', 'e', 'loader');
	$primary->safe_psql('postgres', "SELECT cache_drop('e'), cache_create('e', 'loader2(integer)'), cache_watch('e', 'item', 'id')");
	$check->('dropped and made anew', 'e', 'loader2');
	$session->quit;
}

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
