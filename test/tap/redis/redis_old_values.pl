# Old values that come back in Redis, as from a backup or a replica that lags: none
# is used once it is not what the loader gives, although some have been loaded by
# the very transaction that changed it, and some changes were prepared, or
# committed, before a restart.
use strict;
use warnings;
use CacheTest;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my $node = redis_node('old', $redis);

setup_item($node, 20);
$node->safe_psql('postgres', <<'END');
SELECT cache_alter('c', redis => true);
END

my %kept;

# fill_with runs SQL that loads a key, and returns when Redis has one value more.
sub fill_with
{
	my ($run) = @_;
	my $before = redis_row($node, 'fills');

	$run->();
	wait_for($node, "fills > $before FROM cache_redis");
	%kept = (%{ $redis->copy }, %kept);
	return;
}

sub load
{
	my ($id) = @_;
	fill_with(sub { get($id) });
	return;
}

# put_back gives Redis each value that it ever had, the first for each key, when all
# that was to be deleted has been: the key that is loaded here comes after that.
my $last = 1000;

sub put_back
{
	load(++$last);
	$redis->paste(\%kept);
	return;
}

sub write_row { return $node->safe_psql('postgres', "UPDATE item SET price = price + 1 WHERE id = $_[0]") }
sub get { return $node->safe_psql('postgres', "SELECT cache_get('c', $_[0])") }

load(1);
$node->restart;
put_back();
is(get(1), '10', 'after a restart, a value that is still right');
is(redis_row($node, 'hits'), 1, 'is taken from Redis');
write_row(1);
put_back();
is(get(1), '11', 'after a write it is not');
is(redis_row($node, 'stale'), 1, 'because it is too old');

# Nothing is remembered of the write but what is in the file.
load(2);
write_row(2);
$node->restart;
put_back();
is(get(2), '21', 'written before a restart');

# What a transaction has done itself, its snapshots see: nobody else.
load(3);
my $own = session($node, 'own');
$own->run('BEGIN');
$own->run('UPDATE item SET price = 0 WHERE id = 20');
$own->run('SAVEPOINT s');
$own->run('UPDATE item SET price = 1 WHERE id = 4');
$own->run('ROLLBACK TO SAVEPOINT s');
fill_with(sub { $own->run(q{SELECT cache_get('c', 4)}) });
$own->run('UPDATE item SET price = 41 WHERE id = 4');
$own->run('COMMIT');
put_back();
is(get(4), '41', 'loaded by the transaction that has written it afterwards');
$own->quit;

# Prepared, and committed after a restart.
load(5);
$node->safe_psql('postgres', <<'END');
BEGIN;
UPDATE item SET price = 51 WHERE id = 5;
PREPARE TRANSACTION 'five';
END
put_back();
is(get(5), '50', 'prepared');
$node->restart;
put_back();
is(get(5), '50', 'prepared, after a restart');
$node->safe_psql('postgres', q{COMMIT PREPARED 'five'});
put_back();
is(get(5), '51', 'committed after a restart');

is(mismatches($node), '', 'all is exact');

done_testing();
