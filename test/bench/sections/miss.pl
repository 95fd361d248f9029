# A miss: the loader, and what the cache adds to it.
use strict;
use warnings;
use utf8;

use Bench;

sub section_miss
{
	my $session = session();
	query($session, "SELECT cache_create('missing', 'item_plpgsql(int)')");
	query($session, "SELECT cache_create('bounded', 'item_plpgsql(int)', max_cost => 1000, entry_cost => 1)");
	query($session, "SELECT cache_watch(name, 'item', 'id') FROM unnest('{missing,bounded}'::text[]) name");

	my $took = rounds(
		'loader' => sub { per_row($session, 'item_plpgsql(k)', 'random_key', 1) / 1000 },
		'miss and fill' => sub
		{
			query($session, "SELECT cache_invalidate('missing')");
			return per_row($session, "cache_get('missing', k)", 'random_key', 1) / 1000;
		},
		'miss in a full cache' => sub
		{
			return per_row($session, "cache_get('bounded', k)", 'random_key', 1) / 1000;
		});
	my %aim = ('miss and fill' => 3);
	table('A miss, in microseconds',
		[ 'get', 'µs', 'more than the loader, µs', 'aim' ],
		map {
			my $name = $_;
			my @more = map { $took->{$name}[$_] - $took->{loader}[$_] } 0 .. $ENV{ROUNDS} - 1;
			[ $name, spread($took->{$name}), spread(\@more), $aim{$name} ? aim(\@more, '<=', $aim{$name}) : '' ]
		} 'loader', 'miss and fill', 'miss in a full cache');
	query($session, "SELECT cache_drop(name) FROM unnest('{missing,bounded}'::text[]) name");
	return;
}

1;
