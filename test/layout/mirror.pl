#!/usr/bin/perl
#
# Proves that the tests mirror the sources, so that whoever changes a folder of
# src/ finds its tests by name:
#
#   perl test/layout/mirror.pl
#
# Each layer keeps its tests in folders of the names of src/'s; those that are
# about several go to the topmost of these, or to "whole". No two tests of a layer
# have the same name. All that a test needs is there: what is expected of it, and
# its folder, where its place does not tell that. And for each guard there is a test
# that takes it out, for each stop point one that stops there.

use strict;
use warnings;

my %layers = (
	unit => [ 'test/unit/*/*', qr{^test/unit/(\w+)/(\w+)_test\.c$}, 'build' ],
	pgtap => [ 'test/pgtap/*/*', qr{^test/pgtap/(\w+)/(\w+)\.sql$} ],
	isolation => [ 'test/isolation/*/specs/*', qr{^test/isolation/(\w+)/specs/(\w+)\.spec$} ],
	tap => [ 'test/tap/*/*', qr{^test/tap/(\w+)/(\w+)\.pl$} ]);
my $failed = 0;
my $count = 0;

sub complain
{
	print @_, "\n";
	$failed++;
}

sub check_folder
{
	my ($where, $folder) = @_;
	complain("$where: src/ has no folder $folder")
	  if !-d "src/$folder" && $folder ne 'whole';
}

# The layers whose tests are in folders
for my $layer (sort keys %layers)
{
	my ($glob, $pattern, $skip) = @{ $layers{$layer} };
	my %seen;
	for my $file (glob $glob)
	{
		# Directories are of the test beside them that has their name.
		next if -d $file && (-e "$file.pl" || $skip && $file =~ m{/$skip/});
		next if $skip && $file =~ m{/$skip/};
		my ($folder, $name) = $file =~ $pattern
		  or complain("$file: not a test of layer $layer") and next;
		$count++;
		check_folder($file, $folder);
		complain("$file: $seen{$name} has this name, too") if $seen{$name};
		$seen{$name} = $file;
		complain("$file: nothing is expected of it")
		  if $layer eq 'isolation' && !-e "test/isolation/$folder/expected/$name.out";
	}
	for my $file (glob "test/$layer/*.*")
	{
		complain("$file: in no folder") if $file !~ /\.psql$/;
	}
}
for my $file (glob 'test/isolation/*/expected/*.out')
{
	complain("$file: there is no such test")
	  if !-e ($file =~ s{/expected/(\w+?)(_\d)?\.out$}{/specs/$1.spec}r);
}

# The regression tests, whose folders are in a list
my $list = 'test/regress/folders';
my %folder_of;
open my $in, '<', $list or die "$list: $!\n";
while (<$in>)
{
	next if /^\s*(#|$)/;
	my ($folder, @names) = split;
	check_folder("$list:$.", $folder);
	for my $name (@names)
	{
		complain("$list:$.: there is no sql/$name.sql") if !-e "sql/$name.sql";
		complain("$list:$.: $name is there twice") if $folder_of{$name};
		$folder_of{$name} = $folder;
	}
}
close $in;
for my $file (grep { !/^sql\/cache--/ } glob 'sql/*.sql')
{
	my ($name) = $file =~ m{/(\w+)\.sql$};
	$count++;
	complain("$file: $list does not say its folder") if !$folder_of{$name};
	complain("$file: nothing is expected of it") if !-e "expected/$name.out";
}
for my $file (glob 'expected/*.out')
{
	complain("$file: there is no such test")
	  if !-e ($file =~ s{^expected/(\w+?)(_\d)?\.out$}{sql/$1.sql}r);
}

# Guards and stop points
my $tests = '';
for my $file (glob 'test/tap/*/*.pl test/isolation/*/specs/*.spec test/pgtap/*/*.sql sql/*.sql')
{
	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	$tests .= <$in>;
}
for my $file (glob 'src/*.[ch] src/*/*.[ch]')
{
	open my $in, '<', $file or die "$file: $!\n";
	while (<$in>)
	{
		while (/\b(GUARD_REMOVED|STOP_POINT)\("(\w+)"\)/g)
		{
			complain("$file:$.: no test knows the ", $1 eq 'STOP_POINT' ? 'stop point' : 'guard', " \"$2\"")
			  if $tests !~ /['"\$][\w, ]*\b$2\b[\w, ]*['"\$]/;
		}
	}
	close $in;
}

print "$count tests: ", $failed ? "$failed mistakes\n" : "each in a folder of src/\n";
exit($failed ? 1 : 0);
