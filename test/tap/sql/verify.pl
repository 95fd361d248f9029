# cache_verify() while others write and change functions: nothing is reported on a
# sound watch, ever, and a wrong one is found. It can be cancelled.
use strict;
use warnings;
use CacheTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = 200;
my $node = new_node('verify');
setup_item($node, $keys);
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE FUNCTION load_sum(integer) RETURNS bigint LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT sum(tax(price)) FROM item WHERE id % 10 = $1); END';
SELECT cache_create('whole', 'load_sum(integer)'), cache_watch('whole', 'item');
-- the wrong watch: a row's key is in another column
CREATE TABLE copy AS SELECT id, 1000 + id AS number, price FROM item;
CREATE FUNCTION load_copy(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price FROM copy WHERE id = $1';
SELECT cache_create('wrong', 'load_copy(integer)'), cache_watch('wrong', 'copy', 'number');
END

# What goes on meanwhile
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/writes", <<"END");
\\set n random(1, $keys)
BEGIN;
UPDATE item SET price = price + 1 WHERE id = :n;
SAVEPOINT a;
UPDATE item SET price = -1 WHERE id BETWEEN :n AND :n + 3;
ROLLBACK TO a;
SELECT cache_get('c', :n), cache_get('whole', :n % 10);
COMMIT;
END
append_to_file("$dir/fills", <<"END");
\\set n random(1, $keys)
SELECT cache_get('c', id), cache_get_as(NULL::integer, 'c', id), cache_get('whole', id % 10)
FROM generate_series(:n::integer, :n::integer + 10) id;
END
append_to_file("$dir/functions", <<'END');
DO $$BEGIN EXECUTE format('CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS %L',
  'SELECT $1 + ' || (random() * 9)::integer); END$$;
\sleep 20 ms
END

# race verifies a number of times, while others do these things.
sub race
{
	my ($title, $times, $planted, @others) = @_;
	my @jobs = map {
		my %job = (out => '');

		$job{run} = IPC::Run::start [
			'pgbench', '-n', '-c', $_ eq 'functions' ? 1 : 2, '-T', 600, '-f', "$dir/$_", $node->connstr('postgres')
		  ],
		  '<', \undef, '>', \$job{out}, '2>&1';
		\%job
	} @others;
	my $script = '';

	foreach my $i (1 .. $times)
	{
		my $level = $i % 2 ? 'READ COMMITTED' : 'REPEATABLE READ';

		# A snapshot that is older than some of what is cached. Keys may share
		# fences with those that are written, so not all can be used all the time.
		$script .= "BEGIN ISOLATION LEVEL $level;\n"
		  . "SELECT count(cache_get('c', i)) < 0 FROM generate_series(1, $keys) i;\n"
		  . "SELECT 'c', v FROM cache_verify('c') v;\nSELECT 'whole', v FROM cache_verify('whole') v;\n"
		  . "SELECT count(*) NOT BETWEEN least(1, $planted) AND $planted FROM cache_verify('wrong') WHERE key::integer BETWEEN 1 AND 70;\n"
		  . "SELECT 'wrong', v FROM cache_verify('wrong') v WHERE key::integer NOT BETWEEN 1 AND 70;\nCOMMIT;\n";
	}
	my ($status, $out, $err) = $node->psql('postgres', $script, extra_params => [ '-q' ]);
	my %lines = map { $_ => 1 } split /\n/, $out;

	is($status, 0, "$title: it runs") or diag($err);
	is(CORE::join(' ', sort keys %lines), 'f', "$title: nothing is reported but what was planted");
	foreach my $job (@jobs)
	{
		$job->{run}->pump_nb;
		ok($job->{run}->pumpable && $job->{out} !~ /error/, "$title: the others are at work") or diag($job->{out});
		$job->{run}->kill_kill;
	}
	return;
}

$node->safe_psql('postgres',
	"SELECT count(cache_get('wrong', id)) FROM copy; UPDATE copy SET price = -price WHERE id <= 70");
race('writers', 80, 70, 'writes', 'fills');
is( $node->safe_psql('postgres', "SELECT string_agg(key, ' ' ORDER BY key::integer) FROM cache_verify('wrong')"),
	"@{[1 .. 70]}",
	'a wrong watch is found, by its keys');

# With the first change of a function, what was planted is gone.
$node->safe_psql('postgres',
	q{CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1 + 1'});
race('DDL', 80, 0, 'writes', 'fills', 'functions');
is(mismatches($node), '', 'the cache is exact, too');

# A load that waits is cancelled as always.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION load_slow(integer) RETURNS integer LANGUAGE plpgsql STABLE AS
  'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN (SELECT price FROM item WHERE id = $1); END';
SELECT cache_create('slow', 'load_slow(integer)'), cache_watch('slow', 'item', 'id');
SELECT cache_get('slow', 1);
END
my ($holder, $v) = (session($node, 'holder'), session($node, 'v'));
$holder->run('SELECT pg_advisory_lock(7)');
my $pid = $v->run('SELECT pg_backend_pid()');
$v->park("SELECT * FROM cache_verify('slow')");
$holder->run("SELECT pg_cancel_backend($pid)");
$v->join;
like($v->errors, qr/canceling statement due to user request.*CONTEXT:.*verification of key 1 of cache "slow"/s, 'it can be cancelled');
$holder->run('SELECT pg_advisory_unlock(7)');
is($v->run("SELECT count(*) FROM cache_verify('slow')"), '0', 'and works afterwards');
$_->quit for $holder, $v;
$node->stop;
done_testing();
