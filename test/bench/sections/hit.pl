# A hit in the executor, net of the row scan.
use strict;
use warnings;

use Bench;
use Peers;

# What to measure: name, expression, times a round, only for random keys
sub hit_rivals
{
	my ($session) = @_;
	my @rivals = (
		[ 'copy of the value alone', 'naive_copy(k)', 10 ],
		[ 'naive table', 'naive_get(k)', 10 ],
		[ '**cache_get**', "cache_get('item', k)", 10 ],
		[ 'SQL function by primary key', 'item_sql(k)', 2 ],
		[ 'PL/pgSQL function by primary key (the loader)', 'item_plpgsql(k)', 2 ],
		[ 'UNLOGGED cache table with expiry', "cached_get('item', k::text)", 1, 1 ]);

	if (my $socket = peer_start('redis', $session))
	{
		query($session, "SELECT naive_redis_connect('$socket')");
		push @rivals, [ 'Redis from the backend (hiredis)', 'naive_redis(k)::jsonb', 1, 1 ];
	}
	if (query($session, "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgmemcache'")
		&& (my $socket = peer_start('memcached', $session)))
	{
		query($session, 'CREATE EXTENSION IF NOT EXISTS pgmemcache');
		query($session, "SELECT memcache_server_add('$socket')");
		push @rivals, [ 'pgmemcache', "memcache_get('item:' || k)::jsonb", 1, 1 ];
	}
	return @rivals;
}

sub hit_keys
{
	my ($session, $title, $table, @rivals) = @_;
	my %scan;

	my $took = rounds(
		'scan' => sub { per_row($session, 'k', $table, 10) },
		map {
			my ($name, $expression, $times) = @$_;
			$name => sub { per_row($session, $expression, $table, $times) }
		} @rivals);
	my %net;
	for my $rival (@rivals)
	{
		my $name = $rival->[0];
		$net{$name} = [ map { $took->{$name}[$_] - $took->{scan}[$_] } 0 .. $ENV{ROUNDS} - 1 ];
	}
	my $hit = $net{'**cache_get**'};
	table($title,
		[ 'lookup', 'ns', 'times the naive table', 'times cache_get' ],
		map { [ $_->[0], spread($net{ $_->[0] }), spread(versus($net{ $_->[0] }, $net{'naive table'})),
			  spread(versus($net{ $_->[0] }, $hit)) ] } @rivals);
	return \%net;
}

sub section_hit
{
	my $session = session();
	warm($session);
	my @rivals = hit_rivals($session);
	my ($naive, $hit, $loader) = ('naive table', '**cache_get**', 'PL/pgSQL function by primary key (the loader)');

	my $net = hit_keys($session, 'A hit in the executor, net of the row scan: 100,000 keys at random',
		'random_key', @rivals);
	text("\nAims: of cache_get, times the naive table, "
		  . aim(versus($net->{$hit}, $net->{$naive}), '<=', 1.25)
		  . '; of the loader, times cache_get, ' . aim(versus($net->{$loader}, $net->{$hit}), '>=', 8) . '.');

	$net = hit_keys($session, 'The same, 1,000 hot keys', 'hot_key', grep { !$_->[3] } @rivals);
	my @more = map { $net->{$hit}[$_] - $net->{$naive}[$_] } 0 .. $ENV{ROUNDS} - 1;
	text("\nAims: of cache_get, times the naive table, "
		  . aim(versus($net->{$hit}, $net->{$naive}), '<=', 1.25)
		  . '; or in ns more than it, of which it needs ' . spread(\@more) . ', ' . aim(\@more, '<=', 60)
		  . '; of the loader, times cache_get, ' . aim(versus($net->{$loader}, $net->{$hit}), '>=', 20) . '.');
	return;
}

1;
