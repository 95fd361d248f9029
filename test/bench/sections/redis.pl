# The Redis tier, where this build of the extension has one.
use strict;
use warnings;
use utf8;

use Bench;
use Peers;
use Time::HiRes qw(sleep time);

# redis_address points the server to a Redis, or to none, and waits for the state.
sub redis_address
{
	my ($session, $address, $state) = @_;
	my $patience = time + 20;
	query($session, "ALTER SYSTEM SET cache.redis_addr = '$address'");
	query($session, 'SELECT pg_reload_conf()');
	while (query($session, 'SELECT state FROM cache_redis') ne $state)
	{
		die "Redis does not become '$state'\n" if time > $patience;
		query($session, "SELECT cache_get('remote', k) FROM random_key ORDER BY random() LIMIT 10");
		sleep 0.05;
	}
	return;
}

# Part of the gets since the last call that Redis has answered
sub redis_share
{
	my ($session) = @_;
	my $share = query($session, "SELECT redis_hits::float8 / nullif(hits + redis_hits + misses, 0) FROM cache_stats WHERE name = 'remote'");
	query($session, "SELECT cache_stats_reset('remote')");
	return $share || 0;
}

# redis_fill gets all items until Redis has nearly all of them. In the order in which
# the peer was filled: where values are in memory matters for how fast they are read.
sub redis_fill
{
	my ($session) = @_;
	for (1 .. 10)
	{
		redis_share($session);
		query($session, "SELECT count(cache_get('remote', id)) FROM (SELECT id FROM item ORDER BY id) item");
		last if redis_share($session) > 0.95;
		sleep 0.5;
	}
	return;
}

sub section_redis
{
	my $session = session();
	if (!query($session, "SELECT count(*) FROM pg_settings WHERE name = 'cache.redis_addr'"))
	{
		text("\nThe Redis tier: left out, this build of the extension has none.");
		return;
	}
	my $socket = peer_start('redis', $session);
	if (!$socket)
	{
		text("\nThe Redis tier: left out, there is no redis-server.");
		return;
	}

	# As little memory as may be, so that Redis has to answer.
	undef $session;
	restart('cache.memory=1MB', 'cache.redis_force=on');
	$session = session();
	query($session, "SELECT cache_create('remote', 'item_plpgsql(int)', redis => true); SELECT cache_watch('remote', 'item', 'id')");
	redis_address($session, $socket, 'up');
	redis_fill($session);
	query($session, "SELECT naive_redis_connect('$socket')");

	my @shares;
	my $gets = rounds(
		'GET through hiredis' => sub { per_row($session, 'naive_redis(k)', 'random_key', 1) / 1000 },
		'the same, read as jsonb' => sub { per_row($session, 'naive_redis(k)::jsonb', 'random_key', 1) / 1000 },
		'cache_get' => sub
		{
			redis_share($session);
			my $took = per_row($session, "cache_get('remote', k)", 'random_key', 1) / 1000;
			push @shares, 100 * redis_share($session);
			return $took;
		});
	table('A get that Redis answers, over a socket',
		[ 'get', 'µs', 'times the GET', 'aim' ],
		map {
			my $times = versus($gets->{$_}, $gets->{'GET through hiredis'});
			[ $_, spread($gets->{$_}), spread($times), $_ eq 'cache_get' ? aim($times, '<=', 1.3) : '' ]
		} 'GET through hiredis', 'the same, read as jsonb', 'cache_get');
	text("\nOf these gets Redis has answered " . spread(\@shares) . ' percent.');

	my @many_shares;
	my $many = rounds(
		'MGET through hiredis' => sub { milliseconds($session, 'SELECT sum(naive_redis_many(keys)) FROM random_keys') },
		'the same, as rows of text' => sub { milliseconds($session, 'SELECT count(value) FROM random_keys, naive_redis_rows(keys)') },
		'the same, as rows of jsonb' =>
		  sub { milliseconds($session, 'SELECT count(value::jsonb) FROM random_keys, naive_redis_rows(keys)') },
		'cache_get_many' => sub
		{
			redis_share($session);
			my $took = milliseconds($session, "SELECT count(value) FROM random_keys, cache_get_many('remote', keys)");
			push @many_shares, 100 * redis_share($session);
			return $took;
		});
	my $ours = $many->{'cache_get_many'};
	table('100 keys at once that Redis answers, over a socket',
		[ 'call', 'µs', 'cache_get_many takes', 'aim' ],
		(map {
			my $times = versus($ours, $many->{$_});
			[ $_, spread($many->{$_}), spread($times) . ' times that', aim($times, '<=', 1.5) ]
		} 'MGET through hiredis', 'the same, as rows of text', 'the same, as rows of jsonb'),
		[ 'cache_get_many', spread($ours), '', '' ]);
	text("\nOf these gets Redis has answered " . spread(\@many_shares) . ' percent.');

	my $update = "\\set k random(1, 100000)\nUPDATE item SET value = value WHERE id = :k";
	my %states = (off => '', up => $socket, down => "$ENV{SCRATCH}/nowhere.socket");
	my $runs = rounds(
		(map {
			my $state = $_;
			"get $state" => sub
			{
				redis_address($session, $states{$state}, $state);
				return per_row($session, "cache_get('remote', k)", 'random_key', 1) / 1000;
			}
		} qw(off down)),
		(map {
			my $state = $_;
			"write $state" => sub
			{
				redis_address($session, $states{$state}, $state);
				return pgbench(clients => 8, seconds => 3, scripts => [$update])->{tps};
			}
		} qw(off up)));
	my $down = versus($runs->{'get down'}, $runs->{'get off'});
	my $up = versus($runs->{'write up'}, $runs->{'write off'});
	table('What Redis costs those who do not use it',
		[ 'work', 'Redis off', 'Redis on', 'ratio', 'aim' ],
		[ 'a get that misses, µs; Redis is down', spread($runs->{'get off'}), spread($runs->{'get down'}), spread($down), 'no difference' ],
		[ 'UPDATE of a row, 8 clients, a second', spread($runs->{'write off'}), spread($runs->{'write up'}), spread($up), aim($up, '>=', 0.97) ]);
	query($session, $_) for "SELECT cache_drop('remote')", 'ALTER SYSTEM RESET cache.redis_addr';
	undef $session;
	restart();
	return;
}

1;
