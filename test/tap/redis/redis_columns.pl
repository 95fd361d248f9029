# What a value in Redis was made from comes with it: an update that mattered to
# nothing that the server knew of, since it has started, may matter to that value.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');

# A server that does not know after a restart what loads have read, as it does not of
# what a standby has loaded.
my $node = redis_node('columns', $redis, conf => "cache.removed_guard = 'restored_reads'");
my $note = 'UPDATE item SET note = note + 1 WHERE id = 1';
my $probe = "SELECT cache_get('c', 1) IS NOT DISTINCT FROM to_jsonb(loader(1))";

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# The note is read where there is no price: so it is of key 1 only.
setup_redis($node, 1);
sql(<<'END');
SELECT cache_drop('c'), cache_drop('d');
DROP FUNCTION loader(integer) CASCADE;
DROP TABLE item CASCADE;
CREATE TABLE item (id integer PRIMARY KEY, price integer, note integer DEFAULT 1);
INSERT INTO item VALUES (1, NULL), (2, 2);
CREATE FUNCTION loader(i integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
  p integer;
BEGIN
  SELECT price INTO p FROM item WHERE id = i;
  RETURN coalesce(p, (SELECT note FROM item WHERE id = i));
END $$;
SELECT cache_create('c', 'loader(integer)', redis => true);
END

# values_in_redis gives a copy of them, and leaves the server as if just started.
sub values_in_redis
{
	my $copy;

	sql("SELECT cache_invalidate('c')");
	sync($node, $redis);
	sql("SELECT cache_get('c', 2)");
	sql("SELECT cache_get('c', 1)");
	sync($node, $redis);
	$copy = $redis->copy(names($node, 'c'));
	$node->restart;
	wait_state($node, 'up');
	return $copy;
}

# update_note changes what the server does not know to be read.
sub update_note
{
	my ($title) = @_;

	sql("SELECT cache_get('c', 2)");
	sql("SELECT cache_stats_reset('c')");
	sql($note);
	is(sql("SELECT cache_get('c', 2)"), 2, $title);
	is(sql("SELECT hits FROM cache_stats WHERE name = 'c'"), 1, "$title: another key is still there");
	sync($node, $redis);
	return;
}

foreach my $watch ("cache_watch('c', 'item')", "cache_watch('c', 'item', 'id')")
{
	my $copy;

	sql("SELECT cache_unwatch('c', 'item', true), $watch");
	$copy = values_in_redis();
	is(sql($probe), 't', "$watch: a value is used");
	is(sql("SELECT redis_hits FROM cache_stats WHERE name = 'c'"), 1, "$watch: from Redis");

	$copy = values_in_redis();
	update_note("$watch: an update");
	$redis->paste($copy);
	is(sql($probe), 't', "$watch: what the value was made from is respected");

	$copy = values_in_redis();
	update_note("$watch: an update before a restart");
	$node->restart;
	wait_state($node, 'up');
	$redis->paste($copy);
	is(sql($probe), 't', "$watch: also after a restart");

	next if $watch =~ /id/;
	$copy = values_in_redis();
	update_note('without the guard');
	$redis->paste($copy);
	is(sql("SET cache.removed_guard = 'recalled'; $probe"), 'f', "$watch: not so without the guard");
	sql("SELECT cache_invalidate('c')");
}
$node->stop;
done_testing();
