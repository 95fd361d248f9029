# Entries that differ in size and load time, on synthetic traces: see costs.c.
use strict;
use warnings;

use Bench;

sub section_costs
{
	my @policies = (
		[ tinylfu => 'W-TinyLFU (this cache)' ],
		[ lru => 'LRU' ],
		[ gdsf => 'GDSF by load time' ],
		[ 'gdsf-lfu' => 'GDSF with TinyLFU\'s frequencies and admission' ]);
	my %score;
	for my $seed (1 .. $ENV{ROUNDS})
	{
		for (qx(test/bench/costs/build/costs $seed))
		{
			my ($size, $policy, @scores) = split;
			push @{ $score{$size}{$policy}[$_] }, $scores[$_] for 0 .. 2;
		}
	}
	table('Sizes of 100 B to 100 kB, load times of 0.1 to 100 ms: percent, by simulation',
		[ 'cache size, % of all bytes', 'policy', 'hits', 'bytes hit', 'load time saved', 'times W-TinyLFU' ],
		map {
			my $size = $_;
			map {
				my ($policy, $name) = @$_;
				my $scores = $score{$size}{$policy};
				[ $size, $name, (map { spread($_) } @$scores),
				  spread(versus($scores->[2], $score{$size}{tinylfu}[2])) ]
			} @policies
		} sort { $a <=> $b } keys %score);
	text("\nEach round is another synthetic trace (`costs.c` describes it and the policies); the last column is of the load time saved.");
	return;
}

1;
