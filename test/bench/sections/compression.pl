# Documents that do not all find place: what compressing them costs, and gives.
use strict;
use warnings;
use utf8;

use Bench;

my @methods = ('off', 'pglz', 'lz4');

sub section_compression
{
	my $session = session();
	query($session, <<'END');
SET client_min_messages = warning;
CREATE TABLE document (id int PRIMARY KEY, body jsonb NOT NULL);
INSERT INTO document SELECT i, jsonb_build_object('id', i, 'rows', (
  SELECT jsonb_agg(jsonb_build_object('sku', md5((i * 100 + n)::text), 'name', 'item ' || n, 'price', (i * n) % 10000,
    'currency', 'EUR', 'in_stock', n % 3 > 0)) FROM generate_series(1, 60) n))
FROM generate_series(1, 8000) i;
VACUUM ANALYZE document;
CREATE TABLE wanted AS SELECT floor(exp(random() * ln(8001)))::int AS k FROM generate_series(1, 20000);
VACUUM ANALYZE wanted;
CREATE FUNCTION load_document(int) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT body FROM document WHERE id = $1';
END
	undef $session;
	restart('cache.memory=16MB');
	$session = session();
	@methods = query($session, "SELECT unnest(enumvals) FROM pg_settings WHERE name = 'cache.compression'");
	query($session, "SELECT cache_create('document', 'load_document(int)')");
	query($session, "SELECT cache_watch('document', 'document', 'id')");

	my (%entries, %ratio);
	my $get = "cache_get('document', k)";
	my $each = sub
	{
		my ($expression) = @_;
		return milliseconds($session, "SELECT count($expression) FROM wanted") / 20;
	};
	my $took = rounds(map {
		my $method = $_;
		"$method get" => sub
		{
			query($session, "SET cache.compression = $method");
			query($session, "SELECT cache_invalidate('document')");
			$each->($get) for 1 .. 2;
			query($session, "SELECT cache_stats_reset('document')");
			my $time = $each->($get);
			my $row = query($session, "SELECT entries, 100 * hit_ratio FROM cache_stats WHERE name = 'document'");
			my ($n, $hits) = split /\|/, $row;
			push @{ $entries{$method} }, $n;
			push @{ $ratio{$method} }, $hits;
			return $time;
		},
		"$method look" => sub
		{
			query($session, "SET cache.compression = $method");
			query($session, "SELECT cache_invalidate('document')");
			$each->($get) for 1 .. 2;
			return $each->("$get -> 'id'");
		},
		"$method hit" => sub
		{
			query($session, "SET cache.compression = $method");
			query($session, "SELECT cache_invalidate('document')");
			my $one = "SELECT count(cache_get('document', 1) -> 'id') FROM wanted";
			milliseconds($session, $one);
			return milliseconds($session, $one) / 20;
		}
	} @methods);
	table('Documents of 10 kB, of which a part finds place in 16 MB, zipfian keys',
		[ '`cache.compression`', 'entries', 'hits, %', 'a get, µs', 'a get and a look into it, µs', 'times off', 'a hit and a look, µs' ],
		map { [ $_, spread($entries{$_}), spread($ratio{$_}), spread($took->{"$_ get"}), spread($took->{"$_ look"}),
			spread(versus($took->{"$_ look"}, $took->{'off look'})), spread($took->{"$_ hit"}) ] } @methods);
	query($session, "SELECT cache_drop('document')");
	undef $session;
	restart();
	return;
}

1;
