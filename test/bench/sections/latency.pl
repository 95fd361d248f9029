# How long a statement takes a single client, as a distribution.
use strict;
use warnings;
use utf8;

use Bench;
use Chart;

# Latencies of the transactions that pgbench has logged, in microseconds
sub latency_log
{
	my ($script) = @_;
	my @took;
	unlink glob "$ENV{SCRATCH}/tmp/log.*";
	pgbench(clients => 1, seconds => 1, scripts => [$script],
		options => [ '--log', "--log-prefix=$ENV{SCRATCH}/tmp/log", '--sampling-rate=0.2' ]);
	for my $name (glob "$ENV{SCRATCH}/tmp/log.*")
	{
		open my $log, '<', $name or die "$name: $!\n";
		push @took, map { (split)[2] } <$log>;
	}
	return [ sort { $a <=> $b } @took ];
}

sub percentile
{
	my ($sorted, $percent) = @_;
	return $sorted->[ $#$sorted * $percent / 100 ];
}

sub section_latency
{
	my $session = session();
	warm($session);
	query($session, 'SELECT count(cache_get(\'total\', customer)) FROM generate_series(1, 100) customer');
	query($session, "SELECT cache_create('never', 'item_plpgsql(int)', max_cost => 1, entry_cost => 1); SELECT cache_watch('never', 'item', 'id')");
	my $key = '\set k random(1, 100000)';
	my $customer = '\set k random(1, 100)';
	my @kinds = (
		[ 'cache_get, a hit' => "$key\nSELECT cache_get('item', :k::int)" ],
		[ 'naive table' => "$key\nSELECT naive_get(:k)" ],
		[ 'SELECT by primary key' => "$key\nSELECT value FROM item WHERE id = :k" ],
		[ 'the loader (PL/pgSQL)' => "$key\nSELECT item_plpgsql(:k)" ],
		[ 'cache_get, a miss' => "$key\nSELECT cache_get('never', :k::int)" ],
		[ 'cache_get, the aggregate' => "$customer\nSELECT cache_get('total', :k::int)" ],
		[ 'aggregate over 2,000 rows' => "$customer\nSELECT sale_total(:k)" ]);
	my $logs = rounds(map {
		my ($name, $script) = @$_;
		$name => sub { latency_log($script) }
	} @kinds);
	my @rows;
	my %series;
	for my $kind (@kinds)
	{
		my ($name) = @$kind;
		push @rows, [ $name, map {
			my $percent = $_;
			spread([ map { percentile($_, $percent) } @{ $logs->{$name} } ])
		} 50, 90, 99, 99.9 ];
		my @all = sort { $a <=> $b } map { @$_ } @{ $logs->{$name} };
		$series{$name} = [ grep { $_->[0] <= 3000 } map { [ percentile(\@all, $_), $_ ] } 0 .. 99, 99.9 ];
	}
	table('Latency of a statement, 1 client, in microseconds',
		[ 'statement', 'median', '90 %', '99 %', '99.9 %' ], @rows);
	chart('latency.svg', 'Part of the statements that took at most so long, 1 client',
		[ map { $_->[0] } @kinds ], [ 1, 640, 280 ], {
			title => 'percent of the statements',
			x_label => 'microseconds',
			x_ticks => [ 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000 ],
			x_range => [ 3, 3000 ],
			y_range => [ 0, 100 ],
			series => \%series,
		});
	query($session, "SELECT cache_drop('never')");
	return;
}

1;
