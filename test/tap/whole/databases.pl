# Several databases in one server do not see each other's entries, and nothing that
# was cached is found again in a database, or by an extension, of the same name.
use strict;
use warnings;
use CacheTest;
use Test::More;

my $keys = 5;
my $node = new_node('databases');
my $fill = 'SELECT count(got) FROM oracle';

sub fill
{
	$node->safe_psql($_, $fill) for @_, @_;
	return;
}

# exact checks that the oracle holds everywhere.
sub exact
{
	my ($title, @databases) = @_;

	is(join('', map { mismatches($node, $_) } @databases), '', $title);
	return;
}

sub stats
{
	my ($db) = @_;

	return $node->safe_psql($db, 'SELECT name, entries, hits > 0 FROM cache_stats ORDER BY name');
}

# What all databases share is changed in one of them: each cache of the other reads
# a shared catalog, but for what VACUUM leaves there, and what all DDL does.
sub changes_are_known
{
	my ($writer, $reader) = @_;
	my $wrong = 'SELECT string_agg(catalog, $$, $$) FROM shared WHERE NOT exact';
	my $loads = 'SELECT sum(loads) FROM cache_stats WHERE name NOT IN ($$pg_replication_origin$$, $$pg_database$$)';
	my $tablespace = PostgreSQL::Test::Utils::tempdir();
	my $system = 'SET allow_system_table_mods = on';
	my @commands = (
		'CREATE ROLE ann', 'COMMENT ON ROLE ann IS $$a role$$', 'ALTER ROLE ann CREATEDB',
		'ALTER ROLE ann SET work_mem = $$1MB$$', 'ALTER ROLE ALL SET work_mem = $$2MB$$',
		'ALTER ROLE ALL RESET ALL', 'ALTER ROLE ann RENAME TO bob', 'CREATE GROUP g', 'GRANT g TO bob',
		'ALTER GROUP g ADD USER postgres', 'REVOKE g FROM bob', 'ALTER USER bob VALID UNTIL $$2030-01-01$$',
		'CREATE DATABASE other', 'COMMENT ON DATABASE other IS $$a database$$', 'GRANT CREATE ON DATABASE other TO bob',
		'ALTER DATABASE other CONNECTION LIMIT 7', 'ALTER DATABASE other SET work_mem = $$1MB$$',
		'ALTER DATABASE other OWNER TO bob', 'ALTER DATABASE other RENAME TO third',
		'ALTER DATABASE third REFRESH COLLATION VERSION', 'REASSIGN OWNED BY bob TO postgres',
		"CREATE TABLESPACE aside LOCATION '$tablespace'", 'COMMENT ON TABLESPACE aside IS $$a place$$',
		'GRANT CREATE ON TABLESPACE aside TO bob', 'ALTER TABLESPACE aside SET (random_page_cost = 2)',
		'ALTER TABLESPACE aside OWNER TO bob', 'ALTER TABLESPACE aside RENAME TO there',
		'ALTER DATABASE third SET TABLESPACE there',
		'GRANT SET ON PARAMETER log_duration TO bob', 'GRANT ALTER SYSTEM ON PARAMETER log_duration TO bob',
		'CREATE SUBSCRIPTION news CONNECTION $$dbname=none$$ PUBLICATION p WITH (connect = false, slot_name = NONE)',
		'COMMENT ON SUBSCRIPTION news IS $$what is new$$', 'ALTER SUBSCRIPTION news SET PUBLICATION q WITH (refresh = false)',
		'ALTER SUBSCRIPTION news RENAME TO olds', 'ALTER SUBSCRIPTION olds OWNER TO postgres',
		'SELECT pg_replication_origin_create($$somewhere$$)', 'SELECT pg_replication_origin_drop($$somewhere$$)',
		'BEGIN; SAVEPOINT s; COMMENT ON ROLE bob IS $$another$$; RELEASE s; COMMIT',
		'DO $$BEGIN COMMENT ON ROLE bob IS $q$one more$q$; END$$',
		'BEGIN; COMMENT ON ROLE bob IS $$prepared$$; PREPARE TRANSACTION $$p$$', 'COMMIT PREPARED $$p$$',
		"$system; INSERT INTO pg_shseclabel VALUES (\$\$bob\$\$::regrole, \$\$pg_authid\$\$::regclass, \$\$nobody\$\$, \$\$secret\$\$)",
		"$system; DELETE FROM pg_shseclabel",
		"$system; UPDATE pg_database SET datconnlimit = 9 WHERE datname = \$\$third\$\$",
		'DROP SUBSCRIPTION olds', 'DROP DATABASE third', 'DROP TABLESPACE there', 'DROP OWNED BY bob', 'DROP ROLE bob', 'DROP GROUP g');

	$node->safe_psql($reader, <<'END');
DO $do$
DECLARE shared text;
  columns text;
BEGIN
  FOR shared, columns IN SELECT relname, string_agg(attname, ', ') FROM pg_class JOIN pg_attribute a ON attrelid = pg_class.oid
    WHERE relisshared AND relkind = 'r' AND relname <> 'pg_shdepend'
      AND attnum > 0 AND NOT attisdropped AND atttypid <> 'xid'::regtype GROUP BY relname LOOP
    EXECUTE format('CREATE FUNCTION load_%1$s(integer) RETURNS text LANGUAGE sql STABLE AS
      $$SELECT string_agg(to_jsonb(c)::text, '' '' ORDER BY c::text) FROM (SELECT %2$s FROM pg_catalog.%1$I) c$$',
      shared, columns);
    PERFORM cache_create(shared, format('load_%s(integer)', shared)::regprocedure);
  END LOOP;
END$do$;
CREATE FUNCTION load(catalog text) RETURNS text LANGUAGE plpgsql AS
  $$DECLARE result text; BEGIN EXECUTE format('SELECT load_%s(1)', catalog) INTO result; RETURN result; END$$;
CREATE VIEW shared AS SELECT name AS catalog,
  cache_get(name::text, 1) IS NOT DISTINCT FROM to_jsonb(load(name::text)) AS exact FROM cache_definition;
END
	$node->safe_psql($reader, $wrong) for 1 .. 2;
	cmp_ok($node->safe_psql($reader, 'SELECT sum(hits) FROM cache_stats'), '>', 0, 'shared catalogs are cached');
	foreach my $command (@commands)
	{
		$node->safe_psql($writer, $command);
		is($node->safe_psql($reader, $wrong), '', "in another database: $command");
		$node->safe_psql($reader, $wrong);
	}
	my $before = $node->safe_psql($reader, $loads);
	$node->safe_psql($writer, $_)
	  for 'VACUUM', 'CREATE TABLE leave (i integer)', 'GRANT SELECT ON leave TO PUBLIC', 'DROP TABLE leave',
	  'BEGIN; COMMENT ON ROLE postgres IS $$never$$; ROLLBACK',
	  'BEGIN; SAVEPOINT s; COMMENT ON ROLE postgres IS $$never$$; ROLLBACK TO s; COMMIT';
	is($node->safe_psql($reader, $wrong), '', 'what changes nothing that is shared');
	is($node->safe_psql($reader, $loads), $before, 'leaves other databases alone');
	$node->safe_psql($writer, 'SET cache.removed_guard = $$shared_catalogs$$; COMMENT ON ROLE postgres IS $$unheard of$$');
	is($node->safe_psql($reader, $wrong), 'pg_shdescription', 'nothing is known without the guard');
	return;
}

# Two databases with the same names in them
foreach my $db (qw(one two))
{
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION cache');
	setup_item($node, $keys, $db);
}
$node->safe_psql('two', 'UPDATE item SET price = price + 1000');
fill(qw(one two));
exact('two databases', qw(one two));
is(stats('one'), 'c|' . ($keys + 1) . '|t', 'the entries of one');
is(stats('two'), 'c|' . ($keys + 1) . '|t', 'the entries of the other');
$node->safe_psql('one', 'UPDATE item SET price = 1 WHERE id = 1');
exact('a write in one', qw(one two));
is(stats('two'), 'c|' . ($keys + 1) . '|t', 'leaves the other alone');
$node->safe_psql('one', "SELECT cache_invalidate('c')");
$node->safe_psql('one',
	"CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT -price FROM item WHERE id = \$1'");
exact('DDL in one', qw(one two));
$node->safe_psql('one', "SELECT cache_drop('c')");
exact('a cache dropped in one', 'two');

# A copy of a database has the same caches, with the same identifiers.
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE two');
fill(qw(two copy));
$node->safe_psql('copy', 'UPDATE item SET price = 7');
fill(qw(two copy));
exact('a copy', qw(two copy));
$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO renamed');
exact('a renamed copy', qw(two renamed));

# Dropped, and another one of the same name and content
$node->safe_psql('postgres', 'DROP DATABASE renamed');
$node->safe_psql('postgres', 'CREATE DATABASE renamed TEMPLATE two');
exact('created again', qw(two renamed));
$node->safe_psql('renamed', 'UPDATE item SET price = 8');
exact('and written', qw(two renamed));
$node->safe_psql('postgres', 'DROP DATABASE two');
$node->safe_psql('postgres', 'CREATE DATABASE two');
$node->safe_psql('two', 'CREATE EXTENSION cache');
is(stats('two'), '', 'a new database of an old name has no caches');
setup_item($node, $keys, 'two');
$node->safe_psql('two', 'UPDATE item SET price = 9');
fill('two');
exact('and then its own', qw(two renamed));

# The extension dropped and created again, under a session that has used it
setup_item($node, $keys);
fill('postgres');
my $session = session($node, 'old', $fill);
my $open = session($node, 'open', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
$node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION cache CASCADE');
like(($node->psql('postgres', "SELECT cache_get('c', 1)"))[2], qr/does not exist/, 'no extension, no function');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal'), 0, 'no triggers are left');
$session->run('SELECT cache_get(\'c\', 1)');
like($session->errors, qr/does not exist/, 'neither in a session that has used it');
$node->safe_psql('postgres', 'UPDATE item SET price = price + 500');
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION cache;
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'id');
CREATE VIEW oracle AS SELECT id, cache_get('c', id) AS got, loader(id) AS want,
  cache_get('c', id) IS NOT DISTINCT FROM to_jsonb(loader(id)) AS exact
  FROM generate_series(1, 6) AS id;
END
is($session->run('SELECT * FROM oracle WHERE NOT exact'), '', 'created again: a session that has used the old one');
is($open->run('SELECT * FROM oracle WHERE NOT exact'), '', 'created again: an old snapshot');
fill('postgres');
exact('created again: a new session', 'postgres');
is(stats('postgres'), 'c|' . ($keys + 1) . '|t', 'created again: it caches');
$open->run('ROLLBACK');

# The same in one transaction that is rolled back
$session->run($_)
  for 'BEGIN', 'SET LOCAL client_min_messages = error', 'DROP EXTENSION cache CASCADE', 'ROLLBACK';
is($session->run('SELECT * FROM oracle WHERE NOT exact'), '', 'a dropped extension comes back');
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1');
exact('and is watched', qw(postgres two renamed));
$_->quit for $session, $open;

# Two that share catalogs
$node->safe_psql('postgres', $_) for 'CREATE DATABASE reader', 'CREATE DATABASE writer';
$node->safe_psql('reader', 'CREATE EXTENSION cache');
changes_are_known('writer', 'reader');

$node->stop;
done_testing();
