# From one client to two: gets a second, in the executor and through the protocol.
use strict;
use warnings;

use Bench;

sub section_scaling
{
	my $session = session();
	warm($session);
	my $nothing = 'copy of a value, nothing shared';
	my @kinds = (
		[ $nothing, 100_000, 'SELECT count(naive_copy(k)) FROM one_key' ],
		[ 'cache_get, one key', 100_000, "SELECT count(cache_get('item', k)) FROM one_key" ],
		[ 'cache_get, zipfian keys', 100_000, "SELECT count(cache_get('item', k)) FROM zipf_key" ],
		[ 'naive table, one key', 100_000, 'SELECT count(naive_get(k)) FROM one_key' ],
		[ 'naive table, zipfian keys', 100_000, 'SELECT count(naive_get(k)) FROM zipf_key' ],
		[ 'cache_get, one key, a statement each', 1, "SELECT cache_get('item', 1)" ]);
	my $rates = rounds(map {
		my ($name, $gets, $script) = @$_;
		map {
			my $clients = $_;
			"$name $clients" => sub
			{
				return $gets * pgbench(clients => $clients, seconds => 1, scripts => [$script])->{tps};
			}
		} 1, 2
	} @kinds);
	my %times = map { $_->[0] => versus($rates->{"$_->[0] 2"}, $rates->{"$_->[0] 1"}) } @kinds;
	table('One client and two',
		[ 'gets', 'a second by 1', 'a second by 2', 'times', 'part of what nothing shared has', 'aim' ],
		map {
			my ($name) = @$_;
			[ $name, spread($rates->{"$name 1"}), spread($rates->{"$name 2"}), spread($times{$name}),
			  spread(versus($times{$name}, $times{$nothing})),
			  $name =~ /^cache_get.*keys?$/ ? aim($times{$name}, '>=', 1.9) : '' ]
		} @kinds);
	text("\nWhat copies a value of its own shares nothing but the machine: more than that no cache can have here.");
	return;
}

1;
