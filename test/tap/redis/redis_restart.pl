# Restarts: what is in Redis stays good over a restart in good order, and is of no use
# after a crash.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $rows;
my $redis = start_redis('redis');
my $node = redis_node('restart', $redis, conf => 'restart_after_crash = on');
my ($fill, $exact);

# size sets how many rows are looked at.
sub size
{
	$rows = shift;
	$fill = "SELECT count(cache_get('c', id)) FROM generate_series(1, $rows) AS id";
	$exact = "SELECT count(*) FROM generate_series(1, $rows) AS id
	  WHERE cache_get('c', id) IS DISTINCT FROM to_jsonb(loader(id))";
	return;
}

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# counts gives the gets that Redis has answered, and the runs of the loader.
sub counts
{
	return split /\|/, sql("SELECT redis_hits, loads FROM cache_stats WHERE name = 'c'");
}

# fill puts all values into Redis, in portions that the queue has room for.
sub fill
{
	my ($portion) = (1000);

	for (my $id = 1; $id <= $rows; $id += $portion)
	{
		sql("SELECT count(cache_get('c', id)) FROM generate_series($id, $id + $portion - 1) AS id");
		wait_for($node, 'queued = 0 FROM cache_redis');
	}
	$redis->wait_entries($rows);
	return;
}

# renew does so from the start.
sub renew
{
	sql('UPDATE item SET price = price + 1');
	sync($node, $redis);
	$redis->command('FLUSHALL');
	fill();
	return;
}

# warm checks that nearly all first gets are answered by Redis, and that none of these
# has run the loader.
sub warm
{
	my ($title) = @_;
	my ($hits, $loads);

	wait_state($node, 'up');
	sql("SELECT cache_stats_reset('c')");
	is(sql($fill), $rows, "$title: values");
	($hits, $loads) = counts();
	cmp_ok($hits, '>=', 0.95 * $rows, "$title: Redis answers ($hits)");
	is($hits + $loads, $rows, "$title: the loader does not run for those");
	is(sql($exact), 0, "$title: the oracle");
	return;
}

# cold checks that none is.
sub cold
{
	my ($title) = @_;

	wait_state($node, 'up');
	sql("SELECT cache_stats_reset('c')");
	is(sql($fill), $rows, "$title: values");
	is(join(' ', counts()), "0 $rows", "$title: Redis answers nothing");
	is(sql($exact), 0, "$title: the oracle");
	return;
}

size(10000);
setup_redis($node, $rows);
fill();
$node->restart;
warm('a restart');
$node->stop('smart');
$node->start;
warm('and another one');

# What was written before the restart is respected after it.
$redis->keep;
sql('UPDATE item SET price = price + 1 WHERE id % 10 = 0');
sync($node, $redis);
$node->restart;
wait_state($node, 'up');
$redis->put_back;
is(sql($exact), 0, 'old copies after a restart');
cmp_ok(redis_row($node, 'stale'), '>=', $rows / 10, 'are refused');
$redis->wait_entries($rows);

# More memory, and less, has other fences.
foreach my $memory (qw(32MB 4MB 16MB))
{
	$redis->keep;
	sql('UPDATE item SET price = price + 1 WHERE id % 100 = 0');
	sync($node, $redis);
	$node->adjust_conf('postgresql.conf', 'cache.memory', $memory);
	$node->restart;
	wait_state($node, 'up');
	$redis->put_back;
	is(sql($exact), 0, "old copies after a restart with $memory");
	note(join ' ', "with $memory, redis_hits and loads:", counts());
	cmp_ok((counts())[0], '>', 0, "Redis answers after a restart with $memory");
	sync($node, $redis);
}

# From here on, fewer of them do.
size(1000);
sql("DELETE FROM item WHERE id > $rows");

# What loads depend on is known after a restart as it was before, though nothing has
# been loaded since.
sql('CREATE TABLE first (i integer)');
renew();
$node->restart;
sql('CREATE TABLE second (i integer)');
warm('a restart, and a table that nobody reads');
renew();
$node->restart;
sql("CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price + 1 FROM item WHERE id = \$1'");
cold('a restart, and another loader');

# A time to live goes on over a restart.
sql(<<'END');
CREATE TABLE rate (id integer PRIMARY KEY, price integer);
INSERT INTO rate VALUES (1, 1), (2, 1);
CREATE FUNCTION load_rate(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM rate WHERE id = $1';
SELECT cache_create('long', 'load_rate(integer)', redis => true, ttl => '1 hour');
SELECT cache_create('short', 'load_rate(integer)', redis => true, ttl => '2 seconds');
END
sync($node, $redis);
$redis->outlive(2, sub {
	sql("SELECT cache_invalidate('long'), cache_invalidate('short')");
	sql("SELECT cache_get('long', 1), cache_get('short', 1)");
});
my $loaded = sql('SELECT now()');
sql('UPDATE rate SET price = 2');
$node->restart;
wait_state($node, 'up');
is(sql("SELECT cache_get('long', 1)"), 1, 'a value with a long ttl is still used');
wait_for($node, "now() > '$loaded'::timestamptz + interval '2 seconds'");
is(sql("SELECT cache_get('short', 1)"), 2, 'one with a short ttl is not');

# A state file that is damaged, cut off, or of another server is as good as none.
my $file = $node->data_dir . '/pg_stat/cache.state';

sub damaged
{
	my ($title, $damage) = @_;
	my $state;

	renew();
	$node->stop;
	ok(-f $file, "$title: there is a state file");
	open my $in, '<:raw', $file or die "$file: $!";
	$state = do { local $/; <$in> };
	close $in;
	open my $out, '>:raw', $file or die "$file: $!";
	print $out $damage->($state);
	close $out;
	$node->start;
	ok(!-f $file, "$title: it is gone after the start");
	cold($title);
	return;
}

sql("SELECT cache_drop('long'), cache_drop('short')");
damaged('a flipped bit', sub { my ($s) = @_; substr($s, length($s) / 2, 1) ^= "\x01"; return $s; });
damaged('half of it', sub { return substr($_[0], 0, length($_[0]) / 2); });
damaged('nothing in it', sub { return ''; });

# crc32c gives the checksum that a state file ends in.
sub crc32c
{
	my ($crc) = 0xffffffff;

	foreach my $byte (unpack 'C*', shift)
	{
		$crc ^= $byte;
		$crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
	}
	return $crc;
}

# another gives a file that differs in one thing, and is otherwise in order.
sub another
{
	my ($file, $from, $to) = @_;
	my $body = substr($file, 0, -4);

	is(crc32c($body), unpack('L', substr($file, -4)), 'its checksum');
	ok($body =~ s/$from/$to/, "it names what is changed: $from");
	return $body . pack('L', crc32c($body));
}

damaged('another C library', sub { return another($_[0], '(?<=, 2[.])\d', 'x'); }) if $^O eq 'linux';
damaged('another ICU', sub { return another($_[0], '(?<=, icu )\d', 'x'); })
  if $^O eq 'linux' && sql("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'") > 0;

# Crashes
foreach my $how ('immediate', 'a backend is killed')
{
	renew();
	$redis->keep;
	sql('UPDATE item SET price = price + 1 WHERE id % 10 = 0');
	if ($how eq 'immediate')
	{
		$node->stop('immediate');
		$node->start;
	}
	else
	{
		crash($node);
	}
	$redis->put_back;
	cold($how);
}
renew();
$node->restart;
warm('a restart after crashes');
$node->stop;
done_testing();
