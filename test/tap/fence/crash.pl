# Restarts and crashes. The fences begin empty, so what has survived in prepared
# transactions has to be respected, and nothing that was cached may be found.
use strict;
use warnings;
use CacheTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = 50;
my $node = new_node('crash', conf => 'restart_after_crash = on');
setup_item($node, $keys);

my $fill = 'SELECT count(got) FROM oracle';

# A prepared transaction that has changed two keys survives a restart of each
# kind, and is committed or rolled back after it.
foreach my $mode (qw(fast immediate))
{
	foreach my $end (qw(COMMIT ROLLBACK))
	{
		my $old;

		$node->safe_psql('postgres', $fill);
		$node->safe_psql('postgres',
			"BEGIN; UPDATE item SET price = price + 1 WHERE id <= 2; PREPARE TRANSACTION 'survivor'");
		$node->stop($mode);
		$node->start;
		$node->safe_psql('postgres', $fill) for 1 .. 2;
		is(mismatches($node), '', "$mode restart: before $end PREPARED");
		$old = session($node, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
		$node->safe_psql('postgres', "$end PREPARED 'survivor'");
		$node->safe_psql('postgres', $fill) for 1 .. 2;
		is(mismatches($node), '', "$mode restart: after $end PREPARED");
		is($old->run('SELECT * FROM oracle WHERE NOT exact'), '', "$mode restart: an old snapshot");
		$old->quit;
	}
}

# What was committed before the crash, but not yet seen by any reader
$node->safe_psql('postgres', $fill);
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1');
$node->stop('immediate');
$node->start;
is(mismatches($node), '', 'immediate shutdown after a commit');

# What clients do over and over while the server or a backend goes away
my %load = (
	fills => "UPDATE item SET price = price + 1 WHERE id = (random() * $keys)::integer;\n"
	  . "SELECT cache_get('c', (random() * $keys)::integer);\n" x 5,
	writes => "BEGIN; UPDATE item SET price = price + 1 WHERE id = (random() * $keys)::integer;\n"
	  . "SAVEPOINT a; DELETE FROM item WHERE id = (random() * $keys)::integer; ROLLBACK TO a; COMMIT;\n"
	  . "SELECT cache_invalidate('c', 1);\n");

# start_load starts the clients, and returns when they have done something.
sub start_load
{
	my @clients;

	$node->safe_psql('postgres', "SELECT cache_stats_reset('c')");
	foreach my $what (sort keys %load)
	{
		my $script = PostgreSQL::Test::Utils::tempdir() . "/$what.sql";
		my %client = (err => '');

		append_to_file($script, $load{$what} x 20000);
		$client{run} = IPC::Run::start [
			'psql', '-Xq', '-o', '/dev/null', '-d', $node->connstr('postgres'), '-f', $script
		  ],
		  '<', \undef, '2>', \$client{err};
		push @clients, \%client;
	}
	$node->safe_psql('postgres', <<'END');
DO $$BEGIN
  WHILE (SELECT misses < 20 OR invalidations < 20 FROM cache_stats WHERE name = 'c') LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
END$$
END
	return @clients;
}

# end_load waits for their end, and says how many have lost their connection.
sub end_load
{
	my @clients = @_;

	$_->{run}->finish for @clients;
	my @lost = grep { $_->{err} =~ /connection to server was lost|server closed the connection/ } @clients;
	diag(map { "a client's errors: $_->{err}" } @clients) if @lost < @clients;
	return scalar @lost;
}

# A backend is killed while others fill and write: the server restarts itself.
foreach my $parked (qw(loaded published copied missed))
{
	my $victim = session($node, 'victim', "SET cache.stop_points = '$parked'");
	my $h = session($node, 'h');
	my $pid = $victim->run('SELECT pg_backend_pid()');

	my @clients = start_load();

	hold($h, $parked);
	$victim->park($parked eq 'published'
		? 'UPDATE item SET price = price - 1 WHERE id = 3'
		: "SELECT cache_invalidate('c', -1); SELECT cache_get('c', -1)");
	kill 'KILL', $pid;
	is(end_load(@clients), scalar @clients, "kill -9 at '$parked': all are disconnected");
	eval { $_->quit } for $victim, $h;
	$node->poll_query_until('postgres', 'SELECT true');
	is(mismatches($node), '', "kill -9 at '$parked': after recovery");
	$node->safe_psql('postgres', 'UPDATE item SET price = price + 1');
	is(mismatches($node), '', "kill -9 at '$parked': after another write");
	$node->safe_psql('postgres', "SELECT cache_stats_reset('c')");
	$node->safe_psql('postgres', $fill) for 1 .. 2;
	is($node->safe_psql('postgres', "SELECT hits > 0 FROM cache_stats WHERE name = 'c'"),
		't', "kill -9 at '$parked': the cache is used again");
}

# The server goes away in the middle of everything.
foreach my $signal (qw(immediate kill9))
{
	my @clients = start_load();

	$signal eq 'kill9' ? $node->kill9 : $node->stop('immediate');
	is(end_load(@clients), scalar @clients, "$signal under load: all are disconnected");

	# What is left of the old server has to go away first.
	until ($node->start(fail_ok => 1))
	{
		$node->stop('fast', fail_ok => 1);
		select(undef, undef, undef, 0.1);
	}
	is(mismatches($node), '', "$signal under load: after recovery");
}

# Somebody has called a key function and is prepared when the server stops; what the
# function read is changed afterwards, by somebody who has to know of him.
$node->safe_psql('postgres', <<'END');
CREATE TABLE orders (id integer PRIMARY KEY, customer integer);
CREATE TABLE lines (order_id integer, amount integer);
INSERT INTO orders VALUES (1, 1);
CREATE FUNCTION spent(integer) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(amount) FROM lines JOIN orders ON id = order_id WHERE customer = $1';
CREATE FUNCTION customer_of(l lines) RETURNS integer LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
SELECT cache_create('spent', 'spent(integer)'), cache_watch('spent', 'orders', 'customer'),
  cache_watch('spent', 'lines', keys => 'customer_of(lines)');
END
foreach my $how (qw(fast immediate))
{
	my $spent = "SELECT string_agg(k::text, ' ') FROM generate_series(1, 3) k WHERE cache_get('spent', k) IS DISTINCT FROM to_jsonb(spent(k))";

	$node->safe_psql('postgres', "BEGIN; INSERT INTO lines VALUES (1, 10); PREPARE TRANSACTION 'line'");
	$node->stop($how);
	$node->start;
	$node->safe_psql('postgres', 'UPDATE orders SET customer = customer + 1');
	is($node->safe_psql('postgres', $spent), '', "$how stop: exact");
	$node->safe_psql('postgres', "COMMIT PREPARED 'line'");
	is($node->safe_psql('postgres', $spent), '', "$how stop: exact when the prepared transaction has committed");

	# The other way round
	$node->safe_psql('postgres', "BEGIN; UPDATE orders SET customer = customer - 1; PREPARE TRANSACTION 'move'");
	$node->stop($how);
	$node->start;
	{
		my $writer = session($node, 'writer', 'BEGIN', 'INSERT INTO lines VALUES (1, 10)');

		$node->safe_psql('postgres', "COMMIT PREPARED 'move'");
		is($node->safe_psql('postgres', $spent), '', "$how stop: exact after the move");
		$writer->run('COMMIT');
		$writer->quit;
	}
	is($node->safe_psql('postgres', $spent), '', "$how stop: exact after the move and the line");
}
$node->stop;
done_testing();
