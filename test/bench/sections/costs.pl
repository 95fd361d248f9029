# Entries that differ in size and load time, on synthetic traces: see costs.c.
use strict;
use warnings;

use Bench;

sub section_costs
{
	my @traces = (
		[ independent => 'independent' ],
		[ by_size => 'in proportion to the size, about' ],
		[ alike => 'all alike' ],
		[ shift => 'independent; popularity shifts' ],
		[ scan => 'independent; scans' ]);
	my @policies = (
		[ hit_ratio => 'W-TinyLFU (this cache)' ],
		[ load_time => '**this cache, load_time**' ],
		[ gdsf => 'GDSF by load time' ],
		[ lru => 'LRU' ]);
	my %score;
	for my $seed (1 .. $ENV{ROUNDS})
	{
		for (qx(test/bench/costs/build/costs $seed))
		{
			my ($trace, $size, $policy, @scores) = split;
			push @{ $score{$trace}{$size}{$policy}[$_] }, $scores[$_] for 0 .. 2;
		}
	}
	table('Sizes of 100 B to 100 kB, load times of 0.1 to 100 ms: percent, by simulation',
		[ 'cache size, % of all bytes', 'policy', 'hits', 'bytes hit', 'load time saved', 'times W-TinyLFU' ],
		map {
			my $size = $_;
			map {
				my ($policy, $name) = @$_;
				my $scores = $score{independent}{$size}{$policy};
				[ $size, $name, (map { spread($_) } @$scores),
				  spread(versus($scores->[2], $score{independent}{$size}{hit_ratio}[2])) ]
			} @policies
		} (1, 5, 20));
	text("\nEach round is another synthetic trace (`costs.c` describes them and the policies); the last column is of the load time saved.");
	table('Load time saved, in percent, where load times are of other kinds',
		[ 'load times', 'cache size, % of all bytes', map { $_->[1] } @policies ],
		map {
			my ($trace, $name) = @$_;
			map {
				my $size = $_;
				[ $name, $size, map { spread($score{$trace}{$size}{ $_->[0] }[2]) } @policies ]
			} (1, 5, 20)
		} @traces[1 .. $#traces]);
	return;
}

1;
