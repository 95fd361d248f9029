# The first second after a restart: how many gets are hits.
use strict;
use warnings;
use utf8;

use Bench;

my $warm_keys = 200_000;
my $warm_memory = 'cache.memory=64MB';
my @warm_script = ("\\set k random_zipfian(1, $warm_keys, 1.1)\nSELECT cache_get('warm', :k::int)");

# warm_hits runs the load and returns what share of its gets were hits, in percent.
sub warm_hits
{
	my ($seconds) = @_;
	my $session = session();
	query($session, "SELECT cache_stats_reset('warm')");
	pgbench(clients => 8, seconds => $seconds, scripts => \@warm_script);
	return query($session, "SELECT 100 * hit_ratio FROM cache_stats WHERE name = 'warm'");
}

# warm_round fills the memory, restarts the server, and returns {before, after, wrote,
# loaded, entries}: shares of hits, and milliseconds.
sub warm_round
{
	my ($size) = @_;
	my @settings = ($warm_memory, "cache.warm_restart=$size");
	restart(@settings);
	query(session(), "SELECT count(cache_get('warm', k)) FROM generate_series($warm_keys, 1, -1) k");
	warm_hits(5);
	my %got = (before => warm_hits(1));
	my $from = -s "$ENV{PGHOST}/log";
	restart(@settings);
	$got{after} = warm_hits(1);
	open my $log, '<', "$ENV{PGHOST}/log" or die "log: $!\n";
	seek $log, $from, 0;
	while (<$log>)
	{
		$got{wrote} = $1 if /wrote \d+ cached values .* in (\d+) ms/;
		@got{qw(entries loaded)} = ($1, $2) if /loaded (\d+) of \d+ cached values .* in (\d+) ms/;
	}
	return \%got;
}

sub section_warm
{
	my $session = session();
	query($session, "CREATE TABLE warm_item (id int PRIMARY KEY, value text);
		INSERT INTO warm_item SELECT i, (SELECT string_agg(md5(i || '.' || n), '') FROM generate_series(1, 12) n) FROM generate_series(1, $warm_keys) i;
		VACUUM ANALYZE warm_item;
		CREATE FUNCTION warm_load(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT value FROM warm_item WHERE id = \$1';
		SELECT cache_create('warm', 'warm_load(int)'), cache_watch('warm', 'warm_item', 'id')");
	undef $session;
	my $got = rounds(warm => sub { warm_round('1GB') }, cold => sub { warm_round(0) });
	my %figures = map {
		my $name = $_;
		$name => { map { my $what = $_; $what => [ map { $_->{$what} // 0 } @{ $got->{$name} } ] } qw(before after wrote loaded entries) }
	} qw(warm cold);
	table("After a restart: $warm_keys keys of 400 bytes, zipfian, 8 clients, $warm_memory",
		[ '', 'hits before, %', 'hits in the first second, %', 'written in, ms', 'loaded in, ms', 'entries' ],
		[ 'cache.warm_restart=1GB', map { spread($figures{warm}{$_}) } qw(before after wrote loaded entries) ],
		[ 'cache.warm_restart=0', (map { spread($figures{cold}{$_}) } qw(before after)), '', '', '' ]);
	text('Hits in the first second, ' . aim($figures{warm}{after}, '>=', 95));
	restart();
	return;
}

1;
