# Hit ratios on the traces of a directory, with what hitratio.tsv says of peers.
use strict;
use warnings;

use Bench;
use Chart;
use List::Util qw(sum);

my %trace_names = (lru => 'LRU', arc => 'ARC', lirs => 'LIRS', s3fifo => 'S3-FIFO', sieve => 'SIEVE',
	belady => 'optimum', caffeine => 'Caffeine', wtinylfu_libcachesim => 'W-TinyLFU (libCacheSim)');

sub section_traces
{
	my $directory = $ENV{TRACES};
	if (!$directory)
	{
		text("\nHit ratios on traces: left out; TRACES=directory names one with traces and hitratio.tsv.");
		return;
	}
	open my $tsv, '<', "$directory/hitratio.tsv" or die "$directory/hitratio.tsv: $!\n";
	my ($header, @rows) = map { chomp; [split /\t/] } <$tsv>;
	my @peers = @$header[ 4 .. $#$header ];
	my @traces = do { my %seen; grep { !$seen{$_}++ } map { $_->[0] } @rows };
	my (%ratio, @panels);

	for my $trace (@traces)
	{
		my @mine = grep { $_->[0] eq $trace } @rows;
		my @sizes = map { $_->[3] } @mine;
		my @ours = qx(test/hitratio/build/hitratio $directory/$trace.gz @sizes);
		die "the simulator has failed\n" if $? != 0;
		chomp @ours;
		my %series;
		for my $i (0 .. $#mine)
		{
			my %hits = ('cache', $ours[$i], map { $peers[$_], $mine[$i][ $_ + 4 ] } 0 .. $#peers);
			for my $name (keys %hits)
			{
				push @{ $series{ $trace_names{$name} // $name } }, [ $sizes[$i], $hits{$name} ];
				push @{ $ratio{$name}{$trace} }, $hits{$name};
			}
		}
		push @panels, { title => $trace, x_label => 'entries', x_ticks => [ @sizes[ 0, -1 ] ],
			series => \%series };
	}

	my @names = ('cache', @peers);
	table('Hit ratio on the traces, in percent, mean over the sizes',
		[ 'trace', map { $trace_names{$_} // $_ } @names ],
		map {
			my $trace = $_;
			[ $trace, map { sprintf '%.1f', sum(@{ $ratio{$_}{$trace} }) / @{ $ratio{$_}{$trace} } } @names ]
		} @traces);
	my $rows = @rows;
	text("\nMean over all $rows rows: " . join(', ', map {
		my @all = map { @$_ } values %{ $ratio{$_} };
		($trace_names{$_} // $_) . sprintf ' %.1f', sum(@all) / @all
	} @names) . '.');
	chart('hitratio.svg', 'Hit ratio in percent against the number of entries',
		[ map { $trace_names{$_} // $_ } @names ], [ 3, 270, 200 ], @panels);
	return;
}

1;
