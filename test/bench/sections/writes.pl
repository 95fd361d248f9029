# Reads while a part of the operations writes the same 1,000 keys.
use strict;
use warnings;
use utf8;

use Bench;

sub section_writes
{
	my $session = session();
	query($session, 'CREATE TABLE written (id int PRIMARY KEY, value jsonb) WITH (fillfactor = 20)');
	query($session, 'INSERT INTO written SELECT id, value FROM item WHERE id <= 1000');
	query($session, 'CREATE FUNCTION written_load(int) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT value FROM written WHERE id = $1); END $$');
	query($session, "SELECT cache_create('written', 'written_load(int)'); SELECT cache_watch('written', 'written', 'id')");

	my $key = '\set k random(1, 1000)';
	my $write = "$key\nUPDATE written SET value = value WHERE id = :k";
	my %read = (
		cache => "$key\nSELECT cache_get('written', :k::int)",
		loader => "$key\nSELECT written_load(:k)");
	my @permille = (0, 1, 10, 100, 500);
	my %hit_ratio;
	my $took = rounds(map {
		my $writes = $_;
		map {
			my $kind = $_;
			"$kind $writes" => sub
			{
				query($session, 'VACUUM written');
				query($session, "SELECT count(cache_get('written', id)) FROM written; SELECT cache_stats_reset('written')");
				my $run = pgbench(clients => 8, seconds => 1,
					scripts => [ [ $read{$kind}, 1000 - $writes ], $writes ? [ $write, $writes ] : () ]);
				push @{ $hit_ratio{$writes} }, 100 * query($session, "SELECT hit_ratio FROM cache_stats WHERE name = 'written'")
				  if $kind eq 'cache';
				return 1000 * ($run->{scripts}[0] // $run)->{latency};
			}
		} qw(cache loader)
	} @permille);
	table('Reads while others write the same 1,000 keys, 8 clients',
		[ 'writes', 'a read by cache_get, µs', 'times that without writes', 'hit ratio, %', 'a read by the loader, µs', 'times cache_get' ],
		map {
			[ "@{[ $_ / 10 ]} %", spread($took->{"cache $_"}), spread(versus($took->{"cache $_"}, $took->{'cache 0'})),
			  spread($hit_ratio{$_}), spread($took->{"loader $_"}), spread(versus($took->{"loader $_"}, $took->{"cache $_"})) ]
		} @permille);
	query($session, "SELECT cache_drop('written'); DROP TABLE written CASCADE");
	return;
}

1;
