# What takes long to load stays in memory, before what is used as often, if that is
# what cache.policy asks for, and only then: in a cache with a policy of its own as
# in the pool.
use strict;
use warnings;
use CacheTest;
use Test::More;

my $keys = 1000;
my $every = 50;     # of these keys, the load of one in so many takes 20 ms
my $slow = $keys / $every;
my $node = new_node('policy', conf => "cache.memory = 1MB\ncache.warm_restart = 0");

$node->safe_psql('postgres', <<"END");
CREATE FUNCTION loader(k integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS \$\$
BEGIN
  IF k % $every = 0 THEN
    PERFORM pg_sleep(0.02);
  END IF;
  RETURN repeat('x', 2000);
END\$\$;
SELECT cache_create('own', 'loader(integer)', max_cost => 100, entry_cost => 1),
  cache_create('pool', 'loader(integer)');
END

sub get
{
	my ($name, $step) = @_;

	$node->safe_psql('postgres',
		"SELECT count(cache_get('$name', k)) FROM generate_series($step, $keys, $step) AS k");
	return;
}

# stayed gets all keys in turn, several times over, and gives how many of those that
# are slow to load are in memory then.
sub stayed
{
	my ($name) = @_;

	get($name, 1) for 1 .. 6;
	$node->safe_psql('postgres', "SELECT cache_stats_reset('$name')");
	get($name, $every);
	return $node->safe_psql('postgres', "SELECT hits FROM cache_stats WHERE name = '$name'");
}

is($node->safe_psql('postgres', 'SHOW cache.policy'), 'hit_ratio', 'the default policy');
cmp_ok(stayed($_), '<=', $slow / 2, "$_: of keys that are used alike some stay") for qw(own pool);

$node->append_conf('postgresql.conf', 'cache.policy = load_time');
$node->restart;
cmp_ok(stayed($_), '>=', $slow * 3 / 4, "$_: what takes long to load stays") for qw(own pool);
is($node->safe_psql('postgres', "SELECT load_time >= 20 * loads FROM cache_stats WHERE name = 'own'"),
	't', 'load time is counted');
is($node->safe_psql('postgres', "SELECT cache_stats_reset('own'); SELECT load_time FROM cache_stats WHERE name = 'own'"),
	"\n0", 'since the last reset');
is($node->safe_psql('postgres', "SELECT entries <= 100 FROM cache_stats WHERE name = 'own'"),
	't', 'max_cost holds');

# Entries of other sizes, invalidations and a cache of another size
$node->safe_psql('postgres', "SELECT cache_alter('own', max_cost => 10)");
get('own', 1);
is($node->safe_psql('postgres', "SELECT entries <= 10 FROM cache_stats WHERE name = 'own'"),
	't', 'and another one');
$node->safe_psql('postgres', "SELECT cache_invalidate('pool')");
is($node->safe_psql('postgres',
		"SELECT count(*) FROM generate_series(1, 200) AS k WHERE cache_get('pool', k) IS DISTINCT FROM to_jsonb(loader(k))"),
	'0', 'answers are exact');

$node->stop;
done_testing();
