#!/usr/bin/perl
#
# Proves that layout.pl finds what it is there to find. A small house of three
# floors, policy among them, is sound; then one thing is wrong in it, which has to
# be told with the file, the line and the rule, and nothing else.

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $rules = <<'END';
# floor		may use
main.c		upper policy lower
upper		policy lower
policy
lower

bare		policy
END

# The sources, by file
my %sound = (
	'main.c' => <<'END',
#include "upper/total.h"

int			main_total(void);

int
main_total(void)
{
	return total();
}
END
	'upper/total.h' => "extern int\ttotal(void);\nextern int\ttotals;\n",
	'upper/total.c' => <<'END',
#include "server.h"
#include "lower/sum.h"
#include "policy/choice.h"
#include "upper/total.h"

int			totals;

int
total(void)
{
	totals++;
	return sum(choice(1), 2);
}
END
	'policy/choice.h' => "extern int\tchoice(int of);\n",
	'policy/choice.c' => <<'END',
#include "c.h"
#include "policy/choice.h"

int
choice(int of)
{
	return of;
}
END
	'lower/sum.h' => "extern int\tsum(int a, int b);\n",
	'lower/sum.c' => <<'END',
#include "server.h"
#include "lower/sum.h"

/*
 * Who calls this has called total(),
 * and choice().
 */
int
sum(int a, int b)
{
	return a + b;				/* totals */
}
END
	'lower/part.h' => "extern int\tpart(int a);\n",
	'lower/part.c' => <<'END',
#include "lower/part.h"
#include "lower/sum.h"

int
part(int a)
{
	return sum(a, 1);
}
END
);

# check builds the house, with these changes, and gives what layout.pl says of it,
# line by line, and whether it was content. undef takes a file away; touched: the
# time of a file becomes another one.
sub check
{
	my (%changes) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my ($touched, $time) = @{ delete $changes{touched} // [] };
	my %files = (rules => $rules, 'include/server.h' => '', 'include/c.h' => '');

	$files{"src/$_"} = $sound{$_} for keys %sound;
	$files{$_} = $changes{$_} for keys %changes;
	foreach my $name (grep { defined $files{$_} } sort keys %files)
	{
		make_path(dirname("$dir/$name"));
		open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
		print $out $files{$name};
		close $out or die "$dir/$name: $!\n";
	}
	foreach my $name (grep { /\.c$/ } sort keys %files)
	{
		my $object = $name =~ s/c$/o/r;
		system('cc', '-c', '-O0', "-I$dir/src", "-I$dir/include", '-o', "$dir/$object", "$dir/$name") == 0
		  or die "$name cannot be compiled\n";
	}
	utime $time, $time, "$dir/$touched" if $touched;
	my @said = qx(cd '$dir' && perl '$FindBin::Bin/layout.pl' rules src 2>&1);
	chomp @said;
	return ($?, @said);
}

# finds asserts that exactly these lines are told of a house with these changes, and
# how many they are.
sub finds
{
	my ($title, $changes, @expected) = @_;
	my ($status, @said) = check(%$changes);
	my $summary = pop @said;

	is_deeply([ sort @said ], [ sort @expected ], $title);
	like($summary, qr/: ${\scalar @expected} ties that the rules forbid$/, '... and counted');
	isnt($status, 0, '... and it fails');
	return;
}

# with gives a source in which one line has become another.
sub with
{
	my ($name, $old, $new) = @_;
	my $text = $sound{$name};

	die "$name has no $old\n" unless $text =~ s/\Q$old\E/$new/;
	return ("src/$name" => $text);
}

# A sound house
my ($status, @said) = check();
is_deeply(\@said, ['9 files, 4 floors: no tie that they forbid'], 'a sound house');
is($status, 0, '... and it succeeds');

# Ties that lead to a floor that the rules do not name
finds(
	'an include of a floor above',
	{ with('lower/sum.c', "sum.h\"\n", "sum.h\"\n#include \"upper/sign.h\"\n"), 'src/upper/sign.h' => '' },
	'src/lower/sum.c:3: includes upper/sign.h (rules:5: lower may not use upper)');
finds(
	'an include of a floor beside',
	{ with('policy/choice.c', "choice.h\"\n", "choice.h\"\n#include \"lower/sum.h\"\n") },
	'src/policy/choice.c:3: includes lower/sum.h (rules:4: policy may not use lower)');
finds(
	'an include in a header',
	{ 'src/lower/part.h' => "#include \"policy/choice.h\"\nextern int\tpart(int a);\n" },
	'src/lower/part.h:1: includes policy/choice.h (rules:5: lower may not use policy)');
finds(
	'a call without an include, where it is made',
	{ with('lower/part.c', "return sum(a, 1);\n", "extern int choice(int of);\n\n\treturn choice(a);\n") },
	'src/lower/part.c:7: uses choice (rules:5: lower may not use policy)');
finds(
	'a call behind what looks like a comment, and is none',
	{ with('lower/part.c', "return sum(a, 1);\n", "extern int choice(int of);\n\tchar *open = \"/*\", quote = '\"';\n\n\treturn choice(a + quote + *open);\n") },
	'src/lower/part.c:7: uses choice (rules:5: lower may not use policy)');
finds(
	'a call by a macro, which has no line',
	{
		with('lower/part.c', 'sum(a, 1)', 'CHOOSE(a)'),
		'src/lower/part.h' => "extern int\tpart(int a);\n#define PASTE(a, b) a##b\n#define CHOOSE(a) PASTE(cho, ice)(a)\nextern int\tPASTE(cho, ice) (int);\n"
	},
	'src/lower/part.c: uses choice (rules:5: lower may not use policy)');

finds(
	'what a header defines, and another one has included',
	{
		rules => $rules =~ s/^main.c.*$/main.c\t\tupper/mr,
		'src/upper/total.h' => "#include \"lower/size.h\"\nextern int\ttotal(void);\nextern int\ttotals;\n",
		'src/lower/size.h' => "#define SIZE 3\ntypedef enum Side\n{\n\tLEFT,\n\tRIGHT\n} Side;\ntypedef int (*Measure) (int of);\n"
		  . "static inline int\nside_size(void)\n{\n\treturn SIZE;\n}\n",
		with('main.c', "return total();\n", "Side side = LEFT; /* RIGHT */\n\tMeasure of = 0;\n\n\treturn total() + side_size() + side + !of\n\t\t+ SIZE + sizeof(\"RIGHT\");\n")
	},
	map { "src/main.c:$_ (rules:2: main.c may not use lower)" }
	  '8: uses Side', '8: uses LEFT', '9: uses Measure', '11: uses side_size', '12: uses SIZE');

# Includes that are not told from the root
finds(
	'an include beside, by its name alone',
	{ with('lower/part.c', 'lower/sum.h', 'sum.h') },
	'src/lower/part.c:2: includes sum.h (it has to be a header, named from src)');
finds(
	'an include by way of a folder above',
	{ with('lower/part.c', '"lower/sum.h"', "\"lower/sum.h\"\n#include \"../upper/total.h\"") },
	'src/lower/part.c:3: includes ../upper/total.h (it has to be a header, named from src)');
finds(
	'an include of what is no header',
	{
		with('lower/part.c', '"lower/sum.h"', '"upper/table.inc"'),
		'src/upper/table.inc' => "extern int\tsum(int a, int b);\n"
	},
	'src/lower/part.c:2: includes upper/table.inc (it has to be a header, named from src)');
finds(
	'an include that is written otherwise',
	{ with('lower/part.c', '#include "lower/sum.h"', "#include \"lower/sum.h\"\n#  include <upper/total.h>") },
	'src/lower/part.c:3: includes upper/total.h (rules:5: lower may not use upper)');
finds(
	'a folder within a folder',
	{ 'src/lower/attic/box.h' => '' },
	'src/lower/attic/box.h:1: is in a folder within a folder, which nobody compiles');

# What has to be counted
my %counted = (
	rules => "$rules\ncounted\t\tlower/count.h lock try_lock\n",
	'src/lower/count.h' => "extern int\tcounted, lock(void), try_lock(void);\n#define lock()\t(counted++, lock())\n");
finds(
	'what is counted, without the header that does',
	{
		%counted,
		with('lower/part.c', "return sum(a, 1);\n", "extern int lock(void), try_lock(void);\n\n\treturn lock() + try_lock();\n")
	},
	map { "src/lower/part.c:7: uses $_ without lower/count.h (rules: that counts it)" } 'lock', 'try_lock');
finds(
	'the same where it is included too late',
	{
		%counted,
		'src/lower/part.h' => "extern int\tpart(int a);\nextern int\tlock(void);\n#include \"lower/count.h\"\n",
	},
	'src/lower/part.h:2: uses lock without lower/count.h (rules: that counts it)');
($status, @said) = check(
	%counted,
	with('lower/part.c', "\"lower/sum.h\"\n", "\"lower/sum.h\"\n#include \"lower/count.h\"\n\nint\nhold(void)\n{\n\treturn lock();\t\t/* or try_lock */\n}\n"));
is_deeply(\@said, ['10 files, 4 floors: no tie that they forbid'], 'what is counted, with the header');

# Circles
finds(
	'a circle of includes, within one floor',
	{ with('lower/sum.c', "sum.h\"\n", "sum.h\"\n#include \"lower/part.h\"\n") },
	'src/lower/part.c:2: includes lower/sum.h (in a circle)',
	'src/lower/sum.c:3: includes lower/part.h (in a circle)');
finds(
	'a circle of calls',
	{ with('lower/sum.c', 'return a + b;', "extern int part(int a);\n\n\treturn a ? part(b) : b;") },
	'src/lower/part.c:2: includes lower/sum.h (in a circle)',
	'src/lower/sum.c:11: uses part (in a circle)');
finds(
	'a variable that is used from below, which is a circle as well',
	{ with('lower/sum.c', 'return a + b;', "extern int totals;\n\n\treturn a + b + totals;") },
	'src/lower/sum.c:11: uses totals (in a circle)',
	'src/lower/sum.c:11: uses totals (rules:5: lower may not use upper)',
	'src/upper/total.c:2: includes lower/sum.h (in a circle)');

# PostgreSQL's headers in policy
finds(
	'a header of PostgreSQL in policy, besides c.h',
	{ with('policy/choice.c', '"c.h"', '"server.h"') },
	"src/policy/choice.c:1: includes server.h (rules: policy is bare of PostgreSQL's headers)");
finds(
	'the same in a header',
	{ 'src/policy/choice.h' => "extern int\tchoice(int of);\n#include \"server.h\"\n" },
	"src/policy/choice.h:2: includes server.h (rules: policy is bare of PostgreSQL's headers)");

# Folders and files that no rule is there for
finds(
	'an unknown folder',
	{ 'src/attic/box.c' => "int\t\t\tbox;\n", 'src/attic/lid.h' => '' },
	'src/attic/box.c:1: is on a floor attic (rules: there is none)');
finds(
	'an unknown file',
	{ 'src/shed.c' => "int\t\t\tshed;\n" },
	'src/shed.c:1: is on a floor shed (rules: there is none)');

# Rules that cannot be kept
foreach my $broken (
	[ 'a floor that uses itself', "lower\n", "lower\t\tlower\n", qr/^rules:5: lower is not below lower$/ ],
	[ 'a floor that uses one above', "lower\n", "lower\t\tupper\n", qr/^rules:5: upper is not below lower$/ ],
	[ 'a floor that there is not', "upper\t\t", "upper\t\tcellar ", qr/^rules:3: there is no cellar$/ ],
	[ 'a bare floor that there is not', "bare\t\t", "bare\t\tcellar ", qr/^rules:7: there is no cellar$/ ],
	[ 'what a header counts that there is not', "bare\t\t", "counted\tlower/none.h\nbare\t\t", qr/^rules:7: there is no lower\/none.h$/ ],
	[ 'a floor that is there twice', "bare\t\t", "lower\nbare\t\t", qr/^rules:7: lower is there twice$/ ])
{
	my ($title, $old, $new, $expected) = @$broken;

	($status, @said) = check(rules => $rules =~ s/^\Q$old\E/$new/mr);
	like("@said", $expected, "rules with $title");
	isnt($status, 0, '... are an error');
}

# An object that is not of its source
my $old = time - 100;
($status, @said) = check(touched => [ 'src/lower/part.o', $old ]);
like("@said", qr/^src\/lower\/part\.o is older than its source: build first$/, 'an old object');
isnt($status, 0, '... is an error');

done_testing();
