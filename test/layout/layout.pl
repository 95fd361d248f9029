#!/usr/bin/perl
#
# Proves that the sources keep to the floors of test/layout/rules:
#
#   perl test/layout/layout.pl [RULES [SOURCES]]
#
# Two things tie a file to another one: that it includes its header, and that it
# uses a function or a variable of it, as the object files tell (so the
# extension has to be built). No tie may lead to a floor that the rules do not
# name, and no files may be tied in a circle; a header and its .c file are one.
# What breaks a rule is printed with the file, the line and the rule.

use strict;
use warnings;

my $rules = shift // 'test/layout/rules';
my $src = shift // 'src';

my (@floors, %may, %bare, %line_of_rule);
open my $in, '<', $rules or die "$rules: $!\n";
while (<$in>)
{
	next if /^\s*(#|$)/;
	my ($floor, @uses) = split;
	if ($floor eq 'bare') { $bare{$_} = 1 for @uses; next }
	die "$rules:$.: $floor is there twice\n" if $may{$floor};
	push @floors, $floor;
	$may{$floor} = { map { $_ => 1 } @uses };
	$line_of_rule{$floor} = $.;
}
close $in;
for my $i (0 .. $#floors)
{
	for my $used (keys %{ $may{ $floors[$i] } })
	{
		my ($j) = grep { $floors[$_] eq $used } 0 .. $#floors;
		die "$rules:$line_of_rule{$floors[$i]}: there is no $used\n" if !defined $j;
		die "$rules:$line_of_rule{$floors[$i]}: $used is not below $floors[$i]\n"
		  if $j <= $i;
	}
}

# The sources, as units: folder/name without .c or .h.
my (@files, %unit_is);
for my $file (glob("$src/*.[ch] $src/*/*.[ch]"))
{
	(my $name = $file) =~ s{^\Q$src\E/}{};
	push @files, $name;
	(my $unit = $name) =~ s/\.[ch]$//;
	$unit_is{$unit} = 1;
}
die "$src: no sources there\n" if !@files;

# floor_of gives the floor that a unit is on.
sub floor_of
{
	my ($unit) = @_;
	return $1 if $unit =~ m{^(\w+)/};
	return $may{"$unit.c"} ? "$unit.c" : $unit;
}

my $failed = 0;

sub complain
{
	print join('', @_), "\n";
	$failed++;
}

my %told;
for my $file (@files)
{
	(my $unit = $file) =~ s/\.[ch]$//;
	my $floor = floor_of($unit);
	complain("$src/$file:1: is on a floor $floor ($rules: there is none)")
	  if !$may{$floor} && !$told{$floor}++;
}

# Ties: {from}{to} = what is used there, as file:line and how.
my %ties;

sub tie_units
{
	my ($from, $to, $where) = @_;
	return if $from eq $to;
	push @{ $ties{$from}{$to} }, $where;
}

# What objects define and use.
my (%defined_in, %uses);
for my $unit (sort keys %unit_is)
{
	next if !-e "$src/$unit.c";
	die "$src/$unit.o is not there: build first\n" if !-e "$src/$unit.o";
	open my $nm, '-|', 'nm', '-g', "$src/$unit.o" or die "nm: $!\n";
	while (<$nm>)
	{
		my ($kind, $symbol) = /([A-Z]) (\w+)$/ or next;
		if ($kind eq 'U') { $uses{$unit}{$symbol} = 1 }
		else { $defined_in{$symbol} = $unit }
	}
	close $nm or die "nm $src/$unit.o failed\n";
}

for my $file (@files)
{
	(my $unit = $file) =~ s/\.[ch]$//;
	my $floor = floor_of($unit);
	my $comment = 0;
	open my $fh, '<', "$src/$file" or die "$src/$file: $!\n";
	while (my $line = <$fh>)
	{
		if (my ($header) = $line =~ /^#include "([^"]+)\.h"/)
		{
			if ($unit_is{$header})
			{
				tie_units($unit, $header, "$src/$file:$.: includes $header.h");
			}
			elsif ($bare{$floor} && $header ne 'c')
			{
				complain("$src/$file:$.: includes $header.h ($rules: $floor is bare of "
					  . "PostgreSQL's headers)");
			}
		}
		# Words outside of comments
		my $code = $line;
		$code =~ s{/\*.*?\*/}{}g;
		if ($comment) { $code =~ s{^.*?\*/}{} ? ($comment = 0) : next }
		$comment = 1 if $code =~ s{/\*.*$}{};
		for my $word ($code =~ /\b([A-Za-z_]\w*)\b/g)
		{
			next if !$uses{$unit}{$word} || !$defined_in{$word};
			tie_units($unit, $defined_in{$word}, "$src/$file:$.: uses $word");
			delete $uses{$unit}{$word};
		}
	}
	close $fh;
}

# What a macro or an inline function of a header uses has no line of its own.
for my $unit (sort keys %uses)
{
	for my $symbol (sort keys %{ $uses{$unit} })
	{
		next if !$defined_in{$symbol};
		tie_units($unit, $defined_in{$symbol}, "$src/$unit.c: uses $symbol");
	}
}

# Floors
for my $from (sort keys %ties)
{
	my $floor = floor_of($from);
	for my $to (sort keys %{ $ties{$from} })
	{
		my $below = floor_of($to);
		next if $floor eq $below || !$may{$floor} || $may{$floor}{$below};
		complain("$_ ($rules:$line_of_rule{$floor}: $floor may not use $below)")
		  for @{ $ties{$from}{$to} };
	}
}

# Circles: what is left when whatever uses nothing that is left is taken away,
# and then whatever is used by nothing that is left.
my %left = map { $_ => 1 } keys %unit_is;
my $again = 1;
while ($again)
{
	$again = 0;
	for my $unit (sort keys %left)
	{
		my $uses = grep { $left{$_} } keys %{ $ties{$unit} };
		my $used = grep { $left{$_} && $ties{$_}{$unit} } keys %ties;
		next if $uses && $used;
		delete $left{$unit};
		$again = 1;
	}
}
for my $from (sort keys %left)
{
	for my $to (grep { $left{$_} } sort keys %{ $ties{$from} })
	{
		complain("$ties{$from}{$to}[0] (in a circle)");
	}
}

print scalar(@files), " files, ", scalar(@floors), " floors: ",
  $failed ? "$failed ties that the rules forbid\n" : "no tie that they forbid\n";
exit($failed ? 1 : 0);
