# Eight clients, prepared statements: what is left of it all behind the protocol.
use strict;
use warnings;

use Bench;
use Peers;

sub section_clients
{
	my $session = session();
	warm($session);
	query($session, 'SELECT count(cache_get(\'total\', customer)) FROM generate_series(1, 100) customer');
	my $key = '\set k random(1, 100000)';
	my $customer = '\set k random(1, 100)';
	my @rivals = (
		[ 'SELECT 1', 1, 'SELECT 1' ],
		[ 'naive table', 2, "$key\nSELECT naive_get(:k)" ],
		[ '**cache_get**', 2, "$key\nSELECT cache_get('item', :k::int)" ],
		[ 'cache_get, the key without a type', 1, "$key\nSELECT cache_get('item', :k)" ],
		[ 'SELECT by primary key', 1, "$key\nSELECT value FROM item WHERE id = :k" ],
		[ 'UNLOGGED cache table with expiry', 1,
			"$key\nSELECT value FROM cached WHERE cache = 'item' AND key = :k::text AND expires > now()" ],
		[ '**cache_get** of the aggregate', 1, "$customer\nSELECT cache_get('total', :k::int)" ],
		[ 'aggregate over 2,000 rows', 1, "$customer\nSELECT sale_total(:k)" ]);
	my @measures;
	for my $rival (@rivals)
	{
		my ($name, $seconds, $script) = @$rival;
		push @measures, $name => sub
		{
			return pgbench(clients => 8, seconds => $seconds, scripts => [$script])->{tps};
		};
	}
	for my $peer (qw(redis memcached))
	{
		my $socket = peer_start($peer, $session) // next;
		my $name = "\u$peer, a client of its own (Perl)";
		push @rivals, [$name];
		push @measures, $name => sub { peer_rate($peer, $socket, 8, 1) };
	}

	my $tps = rounds(@measures);
	my $hit = $tps->{'**cache_get**'};
	my %aim = (
		'naive table' => [ '>=', 0.97, $hit ],
		'SELECT by primary key' => [ '>=', 1.2, $hit ],
		'aggregate over 2,000 rows' => [ '>=', 100, $tps->{'**cache_get** of the aggregate'} ]);
	table('pgbench -M prepared, 8 clients',
		[ 'transaction', 'a second', 'times of it that cache_get has', 'aim' ],
		map {
			my ($name) = @$_;
			my ($sign, $limit, $ours) = @{ $aim{$name} // [ '', 0, $hit ] };
			my $times = versus($ours, $tps->{$name});
			[ $name, spread($tps->{$name}), spread($times), $sign ? aim($times, $sign, $limit) : '' ]
		} @rivals);
	return;
}

1;
