#!/usr/bin/perl
#
# Proves that the sources keep to the floors of test/layout/rules:
#
#   perl test/layout/layout.pl [RULES [SOURCES]]
#
# Three things tie a file to another one: that it includes its header, that it
# uses a function or a variable of it, as the object files tell (so the
# extension has to be built), and that it uses what a header of it defines, which
# may have come with another header. No tie may lead to a floor that the rules do
# not name, and none of the first two kinds may close a circle; a header and its .c
# file are one. Who uses what has to be counted includes the header that counts it.
# What breaks a rule is printed with the file, the line and the rule.
#
# What it cannot see: who is called by a pointer, or through SQL; what the build
# left out that was looked at (#if).

use strict;
use warnings;

my $rules = shift // 'test/layout/rules';
my $src = shift // 'src';

my (@floors, %may, %bare, %counts, %line_of_rule);
open my $in, '<', $rules or die "$rules: $!\n";
while (<$in>)
{
	next if /^\s*(#|$)/;
	my ($floor, @uses) = split;
	if ($floor eq 'bare') { $bare{$_} = $. for @uses; next }
	if ($floor eq 'counted')
	{
		my $header = shift @uses;
		die "$rules:$.: there is no $header\n" if !-e "$src/$header";
		$counts{$_} = $header for @uses;
		next;
	}
	die "$rules:$.: $floor is there twice\n" if $may{$floor};
	push @floors, $floor;
	$may{$floor} = { map { $_ => 1 } @uses };
	$line_of_rule{$floor} = $.;
}
close $in;
for my $floor (keys %bare)
{
	die "$rules:$bare{$floor}: there is no $floor\n" if !$may{$floor};
}
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

for my $file (glob("$src/*/*/*.[ch]"))
{
	complain("$file:1: is in a folder within a folder, which nobody compiles");
}

# Ties: {from}{to} = what is used there, as file:line and how; and those by what
# headers define, which may be no more than the name of a struct.
my (%ties, %names);

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
	die "$src/$unit.o is older than its source: build first\n"
	  if -M "$src/$unit.o" > -M "$src/$unit.c";
	open my $nm, '-|', 'nm', '-g', "$src/$unit.o" or die "nm: $!\n";
	while (<$nm>)
	{
		my ($kind, $symbol) = /([A-Z]) (\w+)$/ or next;
		if ($kind eq 'U') { $uses{$unit}{$symbol} = 1 }
		else { $defined_in{$symbol} = $unit }
	}
	close $nm or die "nm $src/$unit.o failed\n";
}

# What headers define besides, by themselves: macros, types, members of enums,
# inline functions. What two of them define is left out.
my %header_of;
for my $file (grep { /\.h$/ } @files)
{
	(my $unit = $file) =~ s/\.h$//;
	open my $fh, '<', "$src/$file" or die "$src/$file: $!\n";
	my $text = do { local $/; <$fh> };
	close $fh;
	$text =~ s{/\*.*?\*/}{}gs;
	my @names = ($text =~ /^\s*#\s*define\s+(\w+)/mg, $text =~ /^\}\s*(\w+);/mg,
		$text =~ /^typedef\b[^;{]*?(\w+);/mg, $text =~ /^typedef\b[^;{]*?\(\*(\w+)\)/mg,
		$text =~ /^(\w+)\(/mg);
	push @names, $1 =~ /\b([A-Z]\w+)\b/g while $text =~ /\benum\b\s*\w*\s*\{(.*?)\}/gs;
	$header_of{$_}{$unit} = 1 for @names;
}

sub defined_by_header
{
	my ($word) = @_;
	my @units = keys %{ $header_of{$word} // {} };
	return @units == 1 ? $units[0] : undef;
}

# look_at_include says what a file includes, and whether it may name it so.
sub look_at_include
{
	my ($file, $where, $name, $quoted) = @_;
	(my $unit = $file) =~ s/\.[ch]$//;
	(my $folder = "$src/$file") =~ s{/[^/]*$}{};
	my $header = $name =~ s/\.h$//r;

	if ($name eq "$header.h" && $unit_is{$header})
	{
		tie_units($unit, $header, "$where: includes $name");
	}
	elsif (-e "$folder/$name" || -e "$src/$name")
	{
		complain("$where: includes $name (it has to be a header, named from $src)");
	}
	elsif ($quoted && $bare{ floor_of($unit) } && $name ne 'c.h')
	{
		complain("$where: includes $name ($rules: ", floor_of($unit),
			" is bare of PostgreSQL's headers)");
	}
}

for my $file (@files)
{
	(my $unit = $file) =~ s/\.[ch]$//;
	my $comment = 0;
	my (%included, %seen);
	open my $fh, '<', "$src/$file" or die "$src/$file: $!\n";
	while (my $line = <$fh>)
	{
		if (my ($mark, $name) = $line =~ /^\s*#\s*include\s*(["<])([^">]+)[">]/)
		{
			$included{$name} = 1;
			look_at_include($file, "$src/$file:$.", $name, $mark eq '"');
			next;
		}
		# Words outside of comments and strings
		my $code = $line;
		if ($comment) { $code =~ s{^.*?\*/}{} ? ($comment = 0) : next }
		$code =~ s{"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+'|/\*.*?\*/}{ }g;
		$comment = 1 if $code =~ s{/\*.*$}{};
		for my $word ($code =~ /\b([A-Za-z_]\w*)\b/g)
		{
			next if $seen{$word}++;
			my $counter = $counts{$word};
			complain("$src/$file:$.: uses $word without $counter ($rules: that counts it)")
			  if $counter && $file ne $counter && !$included{$counter};
			my $header = defined_by_header($word);
			if ($uses{$unit}{$word} && $defined_in{$word})
			{
				tie_units($unit, $defined_in{$word}, "$src/$file:$.: uses $word");
				delete $uses{$unit}{$word};
			}
			elsif ($header && $header ne $unit)
			{
				push @{ $names{$unit}{$header} }, "$src/$file:$.: uses $word";
			}
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
for my $kind (\%ties, \%names)
{
	for my $from (sort keys %$kind)
	{
		my $floor = floor_of($from);
		for my $to (sort keys %{ $kind->{$from} })
		{
			my $below = floor_of($to);
			next if $floor eq $below || !$may{$floor} || $may{$floor}{$below};
			complain("$_ ($rules:$line_of_rule{$floor}: $floor may not use $below)")
			  for @{ $kind->{$from}{$to} };
		}
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
