# What of cache.memory becomes values: overhead, and what other sizes leave behind.
use strict;
use warnings;

use Bench;

my $memory_bytes = 8 * 1024 * 1024;
my $many_passes = 20;

# A cache for each size, whose loader makes a value of just that size.
sub memory_caches
{
	my ($session) = @_;
	for my $size (100, 200, 400, 700, 1000, 10000)
	{
		my $length = $size - 4;
		query($session, "CREATE FUNCTION load_$size(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT repeat(''x'', $length)'");
		query($session, "SELECT cache_create('size_$size', 'load_$size(int)')");
	}
	return;
}

# fill gets more keys of a size than find place, from `first` on and several times,
# until what was there before is forgotten.
sub memory_fill
{
	my ($session, $size, $first, $passes) = @_;
	my $last = $first + int 1.2 * $memory_bytes / ($size + 50);
	query($session, "SELECT count(cache_get_as(NULL::text, 'size_$size', k)) FROM generate_series($first, $last) k")
	  for 1 .. $passes;
	return;
}

sub memory_entries
{
	my ($session, $size) = @_;
	return split /\|/, query($session, "SELECT entries, bytes FROM cache_stats WHERE name = 'size_$size'");
}

sub section_memory
{
	my @settings = ("cache.memory=${\($memory_bytes / 1024)}kB");
	restart(@settings);
	memory_caches(session());

	my (@rows, %fresh);
	my (%sum, $n);
	for my $size (100, 200, 400, 700, 1000, 10000)
	{
		restart(@settings);
		my $session = session();
		memory_fill($session, $size, 1, 2);
		my ($entries, $bytes) = memory_entries($session, $size);
		my $all = $memory_bytes / $entries - $size;
		my $own = $bytes / $entries - $size;
		my $tables = query($session, "SELECT sum(bytes) FROM cache_memory WHERE part IN ('buckets', 'policy')") / $entries;
		push @rows, [ $size, $entries, map { sprintf '%.1f', $_ } $own, $tables, $own + $tables, $all ];
		$fresh{$size} = $entries;
		next if $size > 1000;
		$sum{entry} += $own + $tables;
		$sum{all} += $all;
		$n++;
	}
	table('Memory: bytes an entry needs beyond its value',
		[ 'bytes of the value', 'entries in 8 MB', 'header, key, rounding', 'buckets, policy', 'together',
			'all that is in cache.memory' ], @rows);
	text(sprintf "\nAim: together, mean of 100 to 1,000 bytes, of which it has %.1f, %s; and of all that is in cache.memory, "
		  . "fences for 8 MB and the reserve for compaction too, %.1f. An int key's own 4 bytes are among them, "
		  . "a value's length word is not stored.",
		$sum{entry} / $n, aim([ $sum{entry} / $n ], '<=', 64), $sum{all} / $n);

	restart(@settings);
	my $session = session();
	my $first = 1;
	@rows = ();
	for my $size (100, 1000, 10000, 100)
	{
		memory_fill($session, $size, $first, $many_passes);
		$first += 10_000_000;
		my ($entries) = memory_entries($session, $size);
		my $times = $entries / $fresh{$size};
		push @rows, [ $size, $entries, $fresh{$size}, number($times),
			@rows == 3 ? aim([$times], '>=', 0.95) : '' ];
	}
	table('Capacity after other sizes, from the top down',
		[ 'bytes of the value', 'entries', 'of a fresh server', 'times', 'aim' ], @rows);
	text("\nEach size is got $many_passes times over, with a fifth more keys than find place.");
	query($session, "SELECT cache_drop(name) FROM cache_definition WHERE name LIKE 'size%'");
	undef $session;
	restart();
	return;
}

1;
