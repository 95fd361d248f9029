# Caches without a loader against a table that is written by the same statements:
# sessions set, remove and read at random, in random transactions, and compare all
# keys under one snapshot. Also what becomes of values in crashes, dumps, and on a
# standby.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('keyvalue', allows_streaming => 1);
my $seconds = $ENV{KEYVALUE_TIME} // 8;
my $dir = $node->basedir;

$node->safe_psql('postgres', <<'END');
SELECT cache_create('kv'), cache_create('few', max_cost => 5, entry_cost => 1);

-- Its rows are there from the beginning, so that two who write the same key always
-- meet.
CREATE TABLE model (cache text, key text, value jsonb, expires timestamptz, PRIMARY KEY (cache, key));
INSERT INTO model SELECT c, 'k' || i FROM unnest('{kv,few}'::text[]) c, generate_series(1, 12) i;

-- A value that is about to expire may have been removed by others, which this
-- statement, if it began before, may see or not.
CREATE FUNCTION compare(which text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  bad record;
BEGIN
  SELECT * INTO bad FROM (
    SELECT k, cache_get(which, k) AS got, many.value AS many,
      cache_ttl(which, k) IS NULL AS endless, m.*, clock_timestamp() AS at
    FROM cache_get_many(which, ARRAY(SELECT 'k' || i FROM generate_series(1, 12) i)) many (k, value)
      JOIN model m ON m.cache = which AND m.key = many.k
    OFFSET 0) x
  WHERE CASE WHEN expires <= statement_timestamp() THEN got IS NOT NULL OR many IS NOT NULL
             WHEN expires <= at THEN false
             ELSE got IS DISTINCT FROM value OR many IS DISTINCT FROM value
               OR endless IS DISTINCT FROM (expires IS NULL) END;
  IF FOUND THEN
    RAISE 'mismatch: %', bad USING ERRCODE = 'XX001';
  END IF;
END $$;

-- One statement of a transaction.
CREATE FUNCTION step() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  which text := CASE WHEN random() < 0.7 THEN 'kv' ELSE 'few' END;
  k text := 'k' || ceil(12 * random() ^ 2);
  v jsonb := CASE WHEN random() < 0.9 THEN to_jsonb(random()::text) END;
  t interval := CASE WHEN random() < 0.3 THEN (random() + 0.001) * interval '30 ms' END;
  dice float := random();
BEGIN
  IF dice < 0.45 THEN
    UPDATE model m SET value = v, expires = statement_timestamp() + t WHERE m.cache = which AND m.key = k;
    PERFORM cache_set(which, k, v, t);
  ELSIF dice < 0.55 THEN
    UPDATE model m SET value = NULL, expires = NULL WHERE m.cache = which AND m.key = k;
    PERFORM cache_invalidate(which, k);
  ELSIF dice < 0.58 THEN
    -- In one order, or two would wait for each other.
    PERFORM FROM model m WHERE m.cache = which ORDER BY m.key FOR UPDATE;
    UPDATE model m SET value = NULL, expires = NULL WHERE m.cache = which;
    PERFORM cache_invalidate(which);
  ELSIF dice < 0.7 THEN
    BEGIN
      PERFORM step();
      PERFORM compare(which);
      IF random() < 0.5 THEN
        RAISE 'undo';
      END IF;
    EXCEPTION WHEN raise_exception THEN
      NULL;
    END;
  END IF;
  PERFORM compare(which);
END $$;
END

# The isolation levels, ends of transactions, and savepoints of psql's kind.
my %scripts = (
	single => "SELECT step();\n",
	committed => "BEGIN;\nSELECT step();\nSELECT step();\nSAVEPOINT s;\nSELECT step();\nROLLBACK TO s;\nSELECT step();\nCOMMIT;\n",
	undone => "BEGIN;\nSELECT step();\nSELECT step();\nROLLBACK;\n",
	repeatable => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT compare('kv');\nSELECT step();\n"
	  . "SELECT compare('few');\nSELECT step();\nCOMMIT;\n",
	serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT step();\nSELECT compare('kv');\nCOMMIT;\n",
	prepared => "\\set end random(0, 1)\nBEGIN;\nSELECT step();\nPREPARE TRANSACTION 'p:client_id';\nSELECT 1;\n"
	  . "\\if :end\nCOMMIT PREPARED 'p:client_id';\n\\else\nROLLBACK PREPARED 'p:client_id';\n\\endif\n",
	read => "BEGIN READ ONLY;\nSELECT compare('kv'), compare('few');\nCOMMIT;\n",);

my @files;
foreach my $name (sort keys %scripts)
{
	
	append_to_file("$dir/$name.pgbench", $scripts{$name});
	push @files, '-f', "$dir/$name.pgbench" . ($name eq 'single' || $name eq 'read' ? '@2' : '@1');
}

my $clients = 6;
my ($out, $err) = ('', '');
my $ok = IPC::Run::run(
	[
		'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', $clients, '-j', 2,
		'-T', $seconds, '--max-tries=0', @files, 'postgres'
	],
	'>', \$out, '2>', \$err);
ok($ok, 'a table says the same, for every snapshot') or diag($out, $err);
unlike($err, qr/mismatch/, 'no mismatch');
like($out, qr/actually processed: [1-9]\d\d/, 'and much was tried');
is($node->safe_psql('postgres', "SELECT count(*) FROM cache_stats WHERE hits > 100 AND bypasses > 10"), 2,
	'from memory and past it');
$node->safe_psql('postgres', "SELECT compare('kv'), compare('few')");

# What has expired does not pile up.
$node->safe_psql('postgres', "SELECT cache_set('kv', 'e' || i, '1', '1 ms') FROM generate_series(1, 1000) i");
$node->safe_psql('postgres', "SELECT cache_set('kv', 'n' || i, '1') FROM generate_series(1, 700) i");
is($node->safe_psql('postgres', "SELECT count(*) FROM cache_value WHERE key LIKE 'e%'"), 0, 'what has expired is removed');
my $rr = session($node, 'rr', "SET default_transaction_isolation = 'repeatable read'");
$rr->run("SELECT cache_set('kv', 'e' || i, '1', '1 ms') FROM generate_series(1, 10) i");
$rr->run("SELECT cache_set('kv', 'n', '1')") for 1 .. 2;
is($node->safe_psql('postgres', "SELECT count(*) FROM cache_value WHERE key LIKE 'e%'"), 0, 'under REPEATABLE READ too');
$rr->quit;

# A dropped cache leaves nothing, whatever the snapshot of who drops it sees.
my $dropper = session($node, 'dropper');
$node->safe_psql('postgres', "SELECT cache_create('gone')");
$dropper->run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$node->safe_psql('postgres', "SELECT cache_set('gone', 'k', '1')");
$dropper->run("SELECT cache_drop('gone'); COMMIT");
is($node->safe_psql('postgres', q{SELECT count(*) FROM cache_value v WHERE NOT EXISTS
	(SELECT FROM cache_definition d WHERE d.id = v.cache)}), 0, 'nothing of a dropped cache is left');
$dropper->quit;

# A standby can neither read nor set.
$node->safe_psql('postgres', "SELECT cache_set('kv', 'k', '1')");
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT cache_get('kv', 'k'), cache_ttl('kv', 'k'), (cache_get_many('kv', '{k}'::text[])).value"),
	'||', 'on a standby there is nothing');
my ($status, $stdout, $stderr) = $standby->psql('postgres', "SELECT cache_set('kv', 'k', '1')");
like($stderr, qr/cannot execute cache_set\(\) during recovery/, 'and nothing can be set');
$standby->promote;
is($standby->safe_psql('postgres', "SELECT cache_get('kv', 'k') IS NULL, cache_set('kv', 'k', '2')"), 't|', 'promoted: empty');
is($standby->safe_psql('postgres', "SELECT cache_get('kv', 'k')"), '2', 'and in use');
$standby->stop;

# Definitions are dumped, values are not.
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', "$dir/dump.sql", 'postgres' ], 'dump');
$node->safe_psql('restored', "\\i $dir/dump.sql");
is($node->safe_psql('restored', "SELECT string_agg(name, ' ' ORDER BY name), (SELECT count(*) FROM cache_value) FROM cache_definition"),
	'few kv|0', 'caches without a loader are dumped and restored, empty');
is($node->safe_psql('restored', "SELECT cache_set('kv', 'k', '3'); SELECT cache_get('kv', 'k')"), "\n3", 'and can be used');

# A restart keeps values, a crash does not; a prepared transaction survives both.
$node->safe_psql('postgres', "BEGIN; SELECT cache_set('kv', 'prepared', '1'); PREPARE TRANSACTION 'p'");
$node->restart;
is($node->safe_psql('postgres', "SELECT cache_get('kv', 'k'), cache_get('kv', 'prepared')"), '1|', 'restart: kept');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', "SELECT cache_get('kv', 'k') IS NULL, cache_get('kv', 'k') IS NULL"), 't|t', 'crash: gone');
$node->safe_psql('postgres', "COMMIT PREPARED 'p'");
is($node->safe_psql('postgres', "SELECT cache_get('kv', 'prepared') IS NULL"), 't', 'and what was prepared before it');
$node->safe_psql('postgres', "SELECT cache_set('kv', 'k', '4')");
is($node->safe_psql('postgres', "SELECT cache_get('kv', 'k')"), '4', 'and in use again');
$node->stop;

done_testing();
