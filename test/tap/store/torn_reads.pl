# Readers take no lock, while others evict, move and replace what they read: none
# ever gets a part of one value and a part of another. The values carry checksums.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{TORN_SECONDS} // 4;
my $scripts = 'test/torture';
my $node = new_node('torn', conf => "cache.memory = 1MB\nsynchronous_commit = off");

$node->safe_psql('postgres', slurp_file("$scripts/torn.sql"));
$node->command_ok(
	[
		qw(pgbench -n -M prepared -c 8 -j 2 -T), $seconds,
		'-f', "$scripts/torn_read.pgbench\@1", '-f', "$scripts/torn_write.pgbench\@1", 'postgres'
	],
	'every value is whole');
my ($hits, $evictions, $invalidations) = split /\|/, $node->safe_psql('postgres',
	"SELECT hits, evictions, invalidations FROM cache_stats WHERE name = 'torn'");
note("$hits hits, $evictions evictions, $invalidations invalidations");
cmp_ok($hits, '>', 0, 'there were hits');
cmp_ok($evictions, '>', 0, 'and evictions');
cmp_ok($invalidations, '>', 0, 'and invalidations');
$node->stop;
done_testing();
