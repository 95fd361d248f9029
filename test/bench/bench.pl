#!/usr/bin/perl
# Measures the cache against what can be measured beside it in the same run.
#
#   perl bench.pl [section ...]
#
# on the scratch server of bench.sh, whose environment it needs. Everything that
# is compared takes turns in rounds; a figure is the median of the rounds, with
# the least and the greatest of them, and a ratio is made within each round. So
# what else the machine does hits both sides.
use strict;
use warnings;
use Bench;
use Peers;

my @all = qw(hit clients latency scaling miss writes watch beside costs traces memory compression warm redis standby);
my @sections = @ARGV ? @ARGV : @all;
for my $section (@sections)
{
	grep { $_ eq $section } @all
	  or die "no such section: $section; there are: @all\n";
}

# A signal must not leave the peers' servers behind; END stops them.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
END { peers_stop() }

my $started = time;
text("# Results of `make bench`\n");
text(machine() . "\n");
text("Figures are medians of $ENV{ROUNDS} rounds in which all that is compared"
	  . " took turns, in brackets the least and the greatest; ratios are made within"
	  . " each round. Clients and servers share this machine.");
for my $section (@sections)
{
	require "./test/bench/sections/$section.pl";
	main->can("section_$section")->();
}
text(sprintf "\nThe run has taken %d s, with a load average of %s at its end.", time - $started, load());
