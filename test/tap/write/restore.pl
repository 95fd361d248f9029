# Definitions, watches, owners and what depends on what survive pg_dump and pg_restore,
# in whatever order things come back, over what there is already, without the library,
# and pg_dumpall.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('origin');
my $dir = PostgreSQL::Test::Utils::tempdir;
my $dump = "$dir/shop.dump";

# A database with all kinds of watches; the things have names that need quotes, and
# sort so that a cache comes before what it is made of.
$node->safe_psql('postgres', <<'END');
CREATE ROLE former LOGIN;
CREATE ROLE writer LOGIN;
CREATE DATABASE shop OWNER former;
END
$node->safe_psql('shop', <<'END');
CREATE EXTENSION cache;
CREATE SCHEMA "z Shop" AUTHORIZATION former;
SET ROLE former;
SET search_path = "z Shop", public;
CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN customer_number AS integer;
CREATE TABLE orders (id integer PRIMARY KEY, "the ""Customer" integer);
CREATE TABLE lines (gone integer, order_id integer, amount integer);
ALTER TABLE lines DROP gone;
CREATE TABLE parted (k integer, v integer) PARTITION BY RANGE (k);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (3);
CREATE TABLE parted2 (v integer, k integer);
ALTER TABLE parted ATTACH PARTITION parted2 DEFAULT;
CREATE TABLE spelled (gone integer, "a Word" text, v integer);
ALTER TABLE spelled DROP gone;
INSERT INTO spelled VALUES ('a', 1), ('A', 2), ('b', 4);
CREATE TABLE words (w text COLLATE anycase, v integer);
INSERT INTO orders SELECT i, i FROM generate_series(1, 5) i;
INSERT INTO lines SELECT i, 10 * i FROM generate_series(1, 5) i;
INSERT INTO parted SELECT i, 100 * i FROM generate_series(1, 5) i;
INSERT INTO words VALUES ('a', 1), ('A', 2), ('b', 4);
CREATE FUNCTION "a Loader"(c customer_number) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = order_id WHERE "the ""Customer" = c';
CREATE FUNCTION loader2(k integer) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM parted WHERE parted.k = $1';
CREATE FUNCTION loader3(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM words WHERE w = $1';
CREATE FUNCTION loader4(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM spelled WHERE lower("a Word") = lower($1)';
CREATE FUNCTION "key Of"(l lines) RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT "the ""Customer" FROM orders WHERE id = l.order_id';
SELECT cache_create('a "Cache', '"a Loader"(customer_number)', max_cost => 100000),
  cache_create('parted', 'loader2(integer)', ttl => '1 hour'), cache_create('words', 'loader3(text)'),
  cache_create('spelled', 'loader4(text)', key => 'lower($1)');
SELECT cache_watch('a "Cache', 'orders', 'the "Customer'), cache_watch('a "Cache', 'lines', keys => '"key Of"(lines)'),
  cache_watch('parted', 'parted', 'k'), cache_watch('words', 'words', 'w'),
  cache_watch('spelled', 'spelled', 'lower("a Word")');
CREATE VIEW oracle AS
  SELECT 1 AS n, i::text AS key, cache_get('a "Cache', i) AS got, to_jsonb("a Loader"(i)) AS want FROM generate_series(1, 6) i
  UNION ALL SELECT 2, i::text, cache_get('parted', i), to_jsonb(loader2(i)) FROM generate_series(1, 6) i
  UNION ALL SELECT 3, w, cache_get('words', w), to_jsonb(loader3(w)) FROM unnest('{a,A,B}'::text[]) w
  UNION ALL SELECT 4, w, cache_get('spelled', w), to_jsonb(loader4(w)) FROM unnest('{a,A,B}'::text[]) w;
GRANT USAGE ON SCHEMA "z Shop" TO writer;
GRANT ALL ON ALL TABLES IN SCHEMA "z Shop" TO writer;
END

# The owner is renamed, from another database, and somebody else has the name.
$node->safe_psql('postgres', 'ALTER ROLE former RENAME TO "Keeper"; CREATE ROLE former');

# What is known of caches and watches, without what differs from cluster to cluster
my $definitions = <<'END';
SELECT name, id, version, owner, loader_schema, loader_name, loader_args, ttl, max_cost, settings, key_collations, key
FROM cache_definition ORDER BY name;
SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
WHERE tgname LIKE '!cache%' ORDER BY tgrelid::regclass::text, tgname;
SELECT d.objid IS NOT NULL, count(*) FROM pg_trigger t LEFT JOIN pg_depend d ON d.objid = t.oid AND d.classid = 'pg_trigger'::regclass
  AND d.refobjid = '"z Shop"."key Of"("z Shop".lines)'::regprocedure
WHERE tgname LIKE '!cache%' AND pg_get_triggerdef(t.oid) LIKE '%key Of%' GROUP BY 1;
SELECT count(*) FROM pg_trigger t JOIN pg_depend d ON d.objid = t.oid AND d.deptype = 'x' WHERE tgname LIKE '!cache%';
SELECT pg_describe_object(classid, objid, objsubid) AS depender, pg_describe_object(refclassid, refobjid, refobjsubid) AS referenced, deptype FROM pg_depend
WHERE 'pg_foreign_server'::regclass IN (classid, refclassid) ORDER BY 1, 2;
END
my $servers = 'SELECT srvname, srvtype, srvowner::regrole FROM pg_foreign_server ORDER BY srvname';
my $expected = $node->safe_psql('shop', $definitions);

# complains asserts that commands, in a transaction that is rolled back, end with an
# error like this.
sub complains
{
	my ($title, $server, $db, $commands, $error) = @_;
	my (undef, undef, $errors) = $server->psql($db, "BEGIN; $commands");

	like($errors, $error, $title);
	return;
}

# works asserts that all caches of a database are exact, hot, and still so after
# writes of each table; by its owner, and after changes that only an owner may make.
sub works
{
	my ($title, $server, $db, %options) = @_;
	my $owner = $options{owner} // '"Keeper"';
	my $path = 'SET search_path = "z Shop", public;';
	my $wrong = "$path SELECT * FROM oracle WHERE got IS DISTINCT FROM want";
	my $hits = 'SELECT sum(hits) FROM cache_stats';
	my ($before, $after);

	is($server->safe_psql($db, $definitions), $expected, "$title: definitions and watches");
	is($server->safe_psql($db, $servers), join("\n", map { "cache $_|$_|$owner" } 'a "Cache', 'parted', 'spelled', 'words'), "$title: anchors");
	complains("$title: DROP FUNCTION", $server, $db, 'DROP FUNCTION "z Shop".loader2(integer)', qr/server cache parted depends on function "z Shop".loader2\(integer\)/);
	complains("$title: DROP COLUMN", $server, $db, 'ALTER TABLE "z Shop".spelled DROP "a Word"', qr/other objects depend on it/);
	complains("$title: DROP SCHEMA", $server, $db, 'DROP SCHEMA "z Shop" CASCADE; SELECT 1/count(*) FROM cache_definition', qr/division by zero/);
	complains("$title: DROP EXTENSION", $server, $db, 'DROP VIEW "z Shop".oracle; DROP EXTENSION cache; SELECT 1/0', qr/division by zero/);
	is($server->safe_psql($db, 'SELECT * FROM cache_check()'), $options{problems} // '', "$title: no problems");
	is($server->safe_psql($db, $wrong), '', "$title: exact");
	$before = $server->safe_psql($db, "$path SELECT count(got) FROM oracle; $hits");
	$after = $server->safe_psql($db, "$path SELECT count(got) FROM oracle; $hits");
	isnt($after, $before, "$title: it caches");
	foreach my $write (
		'UPDATE orders SET "the ""Customer" = 6 WHERE id = 1',
		'INSERT INTO lines VALUES (1, 7), (2, 7)',
		'UPDATE parted SET k = k + 1',
		'INSERT INTO parted2 VALUES (7, 5)',
		"INSERT INTO words VALUES ('A', 8), ('b', 8)",
		"INSERT INTO spelled VALUES ('A', 8), ('b', 8)",
		'TRUNCATE parted1',
		'DELETE FROM lines')
	{
		$server->safe_psql($db, "SET ROLE writer; $path $write");
		is($server->safe_psql($db, $wrong), '', "$title: exact after $write");
	}
	$server->safe_psql($db, "SET ROLE $owner; $path SELECT cache_alter('words', ttl => '1 day'), cache_unwatch('parted', 'parted'), cache_watch('parted', 'parted', 'k'), cache_drop('a \"Cache')");
	isnt($server->psql($db, "SET ROLE former; SELECT cache_alter('words', ttl => '1 day')"), 0, "$title: nobody else may");
	is($server->safe_psql($db, $wrong =~ s/oracle/oracle WHERE n > 1 AND/r =~ s/WHERE got/got/r), '', "$title: its owner may change it");
	return;
}

is( $node->safe_psql('shop', <<"END"), "t|Keeper\nf|a role to come", 'owners in binary');
CREATE TEMP TABLE owners (owner) AS SELECT owner FROM cache_definition WHERE name = 'words' UNION ALL SELECT 'a role to come'::cache_owner;
\\copy owners to '$dir/owners' binary
TRUNCATE owners;
\\copy owners from '$dir/owners' binary
SELECT to_regrole(quote_ident(owner)) IS NOT NULL, owner FROM owners ORDER BY 1 DESC;
END
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'shop' ], 'pg_dump');

# restored gives a new database, restored with these options, each time a list.
sub restored
{
	my ($db, @steps) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	foreach my $step (@steps)
	{
		$node->command_ok([ 'pg_restore', '-e', '-d', $db, @$step, $dump ], "pg_restore into $db: @$step");
	}
	return;
}

restored('again', []);
works('restored', $node, 'again');
restored('jobs', [ '-j', '2' ]);
works('restored in parallel', $node, 'jobs');

# The triggers are there before any data, that of the definitions included.
restored('late', [ '--section=pre-data' ], [ '--section=post-data' ], [ '--section=data' ]);
works('data restored last', $node, 'late');

# The items after the data in the opposite order, then the data of the definitions.
{
	my $list = `pg_restore -l $dump`;
	my @post = reverse grep { / TRIGGER / } split /^/, $list;
	my @rest = grep { !/^;/ && !/ TRIGGER / && !/TABLE DATA public cache_definition/ } split /^/, $list;
	my @last = grep { /TABLE DATA public cache_definition/ } split /^/, $list;

	ok(@post == 10 && @last == 1, 'there are triggers and definitions');
	append_to_file("$dir/rest", join('', @rest));
	append_to_file("$dir/post", join('', @post));
	append_to_file("$dir/last", join('', @last));
	restored('reversed', [ '-L', "$dir/rest" ], [ '-L', "$dir/post" ], [ '-L', "$dir/last" ]);
	works('triggers restored in the opposite order', $node, 'reversed');
}

# As a plain script; and without owners, when the caches' owner stays.
$node->safe_psql('postgres', 'CREATE DATABASE script');
$node->command_ok([ 'pg_dump', '-f', "$dir/script.sql", 'shop' ], 'pg_dump as a script');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', "$dir/out", '-d', 'script', '-f', "$dir/script.sql" ], 'psql');
works('restored as a script', $node, 'script');
restored('ownerless', [ '--no-owner', '--section=pre-data' ], [ '--no-owner', '--section=data' ], [ '--no-owner', '--section=post-data' ]);
$node->safe_psql('ownerless',
	'GRANT ALL ON SCHEMA "z Shop" TO "Keeper"; GRANT USAGE ON SCHEMA "z Shop" TO writer; GRANT ALL ON ALL TABLES IN SCHEMA "z Shop" TO "Keeper"');
works('restored without owners', $node, 'ownerless');

# Over what is there already: as a script and by pg_restore, each time twice; nothing is
# dropped with CASCADE then.
$node->safe_psql('postgres', 'CREATE DATABASE cleaned');
$node->command_ok([ 'pg_dump', '--clean', '--if-exists', '-f', "$dir/clean.sql", 'shop' ], 'pg_dump --clean --if-exists');
unlike(slurp_file("$dir/clean.sql"), qr/CASCADE/, 'without CASCADE');
foreach my $times ('first', 'second', 'third')
{
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', "$dir/out", '-d', 'cleaned', '-f', "$dir/clean.sql" ], "the $times time");
	works("cleaned the $times time", $node, 'cleaned');
}
foreach my $options ([], ['-1'])
{
	$node->command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', @$options, '-d', 'cleaned', $dump ], "pg_restore --clean --if-exists @$options");
	works("cleaned by pg_restore @$options", $node, 'cleaned');
}

# Data alone, where the caches are already.
$node->command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', '-d', 'cleaned', $dump ], 'pg_restore --clean --if-exists');
$node->safe_psql('cleaned', 'SET search_path = "z Shop"; TRUNCATE orders, lines, parted, spelled, words');
$node->command_ok([ 'pg_restore', '-e', '-1', '--data-only', '-d', 'cleaned', $dump ], 'pg_restore --data-only');
works('data alone', $node, 'cleaned');
$node->safe_psql('cleaned', "SELECT cache_drop('words')");
$node->safe_psql('cleaned', 'SET search_path = "z Shop"; TRUNCATE orders, lines, parted, spelled, words');
$node->command_ok([ 'pg_restore', '-e', '--data-only', '-d', 'cleaned', $dump ], 'pg_restore --data-only, where some of them are');
is($node->safe_psql('cleaned', 'SELECT name FROM cache_definition ORDER BY name'), "a \"Cache\nparted\nspelled\nwords", 'the others are restored');

# By the owner of a database, who is no superuser: the extension is there already, and
# the owners of the dump are not his to be. What he cannot do is not the caches'.
$node->safe_psql('postgres', 'CREATE ROLE dbo LOGIN; CREATE ROLE nobody LOGIN');

# theirs gives a new database of somebody else's.
sub theirs
{
	my ($db) = @_;

	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $db");
	$node->safe_psql('postgres', "CREATE DATABASE $db OWNER dbo");
	$node->safe_psql($db, 'CREATE EXTENSION cache; CREATE EXTENSION IF NOT EXISTS plpgsql');
	return;
}

# renewed asserts that all caches are there, as dbo's, and work.
sub renewed
{
	my ($title, $db) = @_;
	my $parts = $definitions =~ s/name, id, version, owner, //r =~ s/SELECT tgrelid.*tgname;\n//sr;
	my $path = 'SET search_path = "z Shop", public;';
	my $wrong = "$path SELECT * FROM oracle WHERE got IS DISTINCT FROM want";
	my $count = "$path SELECT count(got) FROM oracle; SELECT sum(hits) FROM cache_stats";
	my $before;

	is($node->safe_psql($db, $parts), $node->safe_psql('shop', $parts), "$title: definitions and what depends on them");
	is($node->safe_psql($db, 'SELECT count(*), sum((owner::text = $$dbo$$)::int), min(id) <> (SELECT 0) FROM cache_definition'), '4|4|t', "$title: owners");
	is($node->safe_psql($db, $servers), join("\n", map { "cache $_|$_|dbo" } 'a "Cache', 'parted', 'spelled', 'words'), "$title: anchors");
	is($node->safe_psql($db, 'SELECT * FROM cache_check()'), '', "$title: no problems");
	is($node->safe_psql($db, $wrong), '', "$title: exact");
	$before = $node->safe_psql($db, $count);
	isnt($node->safe_psql($db, $count), $before, "$title: it caches");
	foreach my $write ('UPDATE orders SET "the ""Customer" = 6 WHERE id = 1', 'INSERT INTO lines VALUES (1, 7), (2, 7)', 'UPDATE parted SET k = k + 1', "INSERT INTO words VALUES ('A', 8), ('b', 8)", 'TRUNCATE parted1')
	{
		$node->safe_psql($db, "SET ROLE dbo; $path $write");
		is($node->safe_psql($db, $wrong), '', "$title: exact after $write");
	}
	$node->safe_psql($db, "SET ROLE dbo; $path SELECT cache_alter('words', ttl => '1 day'), cache_unwatch('parted', 'parted'), cache_watch('parted', 'parted', 'k'), cache_drop('a \"Cache')");
	is($node->safe_psql($db, 'SELECT count(*) FROM cache_definition'), 3, "$title: its owner may change it");
	return;
}

foreach my $options ([], ['-1'], [ '-j', '2' ])
{
	theirs('owned');
	$node->command_ok([ 'pg_restore', '-e', @$options, '-U', 'dbo', '--no-owner', '--no-comments', '-d', 'owned', $dump ], "pg_restore by the owner @$options");
	renewed("by the owner @$options", 'owned');
}
theirs('owned');
$node->command_ok([ 'pg_restore', '-e', '--role', 'dbo', '--no-owner', '--no-comments', '-d', 'owned', $dump ], 'pg_restore --role');
renewed('by --role', 'owned');

# Again, by its new owner: dumped, and restored with owners.
$node->command_ok([ 'pg_dump', '-U', 'dbo', '-Fc', '--no-comments', '-f', "$dir/owned.dump", 'owned' ], 'pg_dump by the owner');
theirs('second');
$node->command_ok([ 'pg_restore', '-e', '-U', 'dbo', '-d', 'second', "$dir/owned.dump" ], 'pg_restore with owners');
is($node->safe_psql('second', "$servers; SELECT name, owner FROM cache_definition ORDER BY 1"), "cache parted|parted|dbo\ncache spelled|spelled|dbo\ncache words|words|dbo\nparted|dbo\nspelled|dbo\nwords|dbo", 'restored with owners');
is($node->safe_psql('second', 'SET search_path = "z Shop", public; SELECT * FROM cache_check(); SELECT * FROM oracle WHERE n > 1 AND got IS DISTINCT FROM want'), '', 'with owners: exact');

# Data alone, where his caches are; and where the definitions come before their loaders.
$node->safe_psql('second', 'SET search_path = "z Shop"; TRUNCATE orders, lines, parted, words');
$node->command_ok([ 'pg_restore', '-e', '-1', '--data-only', '-U', 'dbo', '-d', 'second', "$dir/owned.dump" ], 'pg_restore --data-only by the owner');
is($node->safe_psql('second', 'SET search_path = "z Shop", public; SELECT * FROM oracle WHERE n > 1 AND got IS DISTINCT FROM want'), '', 'data alone: exact');
theirs('owned');
my (undef, $refused) = run_command([ 'pg_restore', '--data-only', '-U', 'dbo', '-d', $node->connstr('owned'), "$dir/owned.dump" ]);
like($refused, qr/loader function .* of cache .* does not exist\nHINT: +Create the function/, 'data without the rest');
is($node->safe_psql('owned', 'SELECT count(*) FROM cache_definition'), 0, 'gives no caches');

# By somebody who may not create anything.
(undef, undef, $refused) = $node->psql('owned', 'SET ROLE nobody; CREATE SERVER "cache c" TYPE \'c\' FOREIGN DATA WRAPPER cache');
like($refused, qr/permission denied for foreign-data wrapper cache.*HINT: .*owner of the database.*cache_create/s, 'a hint for others');
$node->safe_psql('postgres', "DROP DATABASE $_") for qw(owned second);

# In other formats, under other names.
$node->command_ok([ 'pg_dump', '-Fd', '-j', '2', '-f', "$dir/shop.dir", 'shop' ], 'pg_dump -Fd -j');
$node->safe_psql('postgres', 'CREATE DATABASE "Other Name"');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', 'Other Name', "$dir/shop.dir" ], 'pg_restore -j of a directory');
works('restored from a directory', $node, 'Other Name');
$node->safe_psql('postgres', 'DROP DATABASE "Other Name"');
{
	append_to_file("$dir/moved.sql", slurp_file("$dir/script.sql") =~ s/z Shop/Moved To/gr);
	$node->safe_psql('postgres', 'CREATE DATABASE moved');
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', "$dir/out", '-d', 'moved', '-f', "$dir/moved.sql" ], 'into another schema, by a change of the script');
	foreach my $write ('UPDATE orders SET "the ""Customer" = 6 WHERE id = 2', "INSERT INTO words VALUES ('A', 8), ('b', 8)", 'DELETE FROM lines')
	{
		is($node->safe_psql('moved', "SET search_path = \"Moved To\", public; SELECT * FROM cache_check(); $write; SELECT * FROM oracle WHERE got IS DISTINCT FROM want"), '', "in another schema: exact after $write");
	}
	$node->safe_psql('postgres', 'DROP DATABASE moved');
}

# A schema without the caches: the triggers of watches are there, and do nothing until
# somebody makes the caches; that he watches the tables is no news then.
$node->command_ok([ 'pg_dump', '-n', '"z Shop"', '-f', "$dir/schema.sql", 'shop' ], 'pg_dump -n');
$node->safe_psql('postgres', 'CREATE DATABASE partial');
$node->safe_psql('partial', 'CREATE EXTENSION cache');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', "$dir/out", '-d', 'partial', '-f', "$dir/schema.sql" ], 'psql');
$node->safe_psql('partial', "SET search_path = \"z Shop\"; UPDATE words SET v = v + 1; TRUNCATE parted1; $_") for 'UPDATE lines SET amount = 2', 'DELETE FROM orders WHERE id = 1';
is($node->safe_psql('partial', q{SELECT count(*), count(DISTINCT object) FROM cache_check() WHERE problem LIKE '%watches for a cache that does not exist'}), '12|7', 'cache_check of watches without caches');
(undef, undef, $refused) = $node->psql('partial', <<'END');
SET search_path = "z Shop", public;
SELECT cache_create('parted', 'loader2(integer)'), cache_create('words', 'loader3(text)'), cache_create('spelled', 'loader4(text)', key => 'lower($1)'), cache_create('a "Cache', '"a Loader"(customer_number)');
SELECT cache_watch('parted', 'parted', 'k');
END
like($refused, qr/already watched for cache "parted" by these columns\nHINT: .*if_not_exists/, 'a hint for what is watched already');
$node->safe_psql('partial', <<'END');
SET search_path = "z Shop", public;
SELECT cache_watch('a "Cache', 'orders', 'the "Customer', if_not_exists => true), cache_watch('a "Cache', 'lines', keys => '"key Of"(lines)', if_not_exists => true),
  cache_watch('parted', 'parted', 'k', if_not_exists => true), cache_watch('words', 'words', 'w', if_not_exists => true), cache_watch('spelled', 'spelled', 'lower("a Word")', if_not_exists => true);
END
is($node->safe_psql('partial', 'SET search_path = "z Shop", public; SELECT * FROM cache_check(); SELECT * FROM oracle WHERE got IS DISTINCT FROM want'), '', 'the caches are made afterwards');
foreach my $write ('UPDATE orders SET "the ""Customer" = 6 WHERE id = 2', "INSERT INTO words VALUES ('A', 8), ('b', 8)", 'UPDATE parted SET k = k + 1', 'DELETE FROM lines')
{
	is($node->safe_psql('partial', "SET search_path = \"z Shop\", public; $write; SELECT * FROM oracle WHERE got IS DISTINCT FROM want"), '', "a schema alone: exact after $write");
}
$node->safe_psql('postgres', 'DROP DATABASE partial');

# A table alone, without the extension: the errors say what is missing.
$node->command_ok([ 'pg_dump', '-t', '"z Shop".words', '-f', "$dir/table.sql", 'shop' ], 'pg_dump -t');
$node->safe_psql('postgres', 'CREATE DATABASE partial');
$node->safe_psql('partial', q{CREATE SCHEMA "z Shop"; CREATE COLLATION "z Shop".anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)});
(undef, $refused) = run_command([ 'psql', '-Xq', '-d', $node->connstr('partial'), '-f', "$dir/table.sql" ]);
like($refused, qr/function public.cache_trigger\(\) does not exist/, 'a table without the extension');
is($node->safe_psql('partial', 'SELECT count(*) FROM "z Shop".words'), 3, 'but with its rows');
$node->safe_psql('postgres', 'DROP DATABASE partial');

# The schema alone has no definitions, which are data; then the data.
restored('later', [ '--schema-only' ]);
is($node->safe_psql('later', 'SET search_path = "z Shop", public; INSERT INTO words VALUES (1, 1); DELETE FROM words; SELECT count(*) FROM cache_definition'), 0, '--schema-only has no caches');
$node->command_ok([ 'pg_restore', '-e', '--data-only', '-d', 'later', $dump ], 'pg_restore --data-only');
works('the schema first, then the data', $node, 'later');
$node->safe_psql('postgres', 'DROP DATABASE later');

# Where extension 1.0 is there already: its definitions lack columns, of which the
# error tells; once updated, all is well.
$node->safe_psql('postgres', 'CREATE DATABASE late10');
$node->safe_psql('late10', q{CREATE EXTENSION cache VERSION '1.0'});
(undef, $refused) = run_command([ 'pg_restore', '-e', '-1', '-d', $node->connstr('late10'), $dump ]);
like($refused, qr/foreign-data wrapper "cache" does not exist|column "trust"/, 'into extension 1.0');
$node->safe_psql('late10', 'ALTER EXTENSION cache UPDATE');
$node->command_ok([ 'pg_restore', '-e', '-1', '-d', 'late10', $dump ], 'after ALTER EXTENSION UPDATE');
works('where 1.0 was', $node, 'late10');
$node->safe_psql('postgres', 'DROP DATABASE late10');

# Made by extension 1.0, which has no anchors.
$node->safe_psql('postgres', 'CREATE DATABASE first');
$node->safe_psql('first', <<'END');
CREATE EXTENSION cache VERSION '1.0';
CREATE FUNCTION load(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE TABLE t (k integer);
SELECT cache_create('c', 'load(integer)'), cache_watch('c', 't', 'k'), cache_create('kept');
END
foreach my $options ([], ['--inserts'])
{
	$node->safe_psql('postgres', 'CREATE DATABASE second');
	$node->command_ok([ 'pg_dump', @$options, '-f', "$dir/first.sql", 'first' ], "pg_dump @$options of 1.0");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', "$dir/out", '-d', 'second', '-f', "$dir/first.sql" ], 'psql');
	complains("a dump of 1.0 @$options: DROP FUNCTION", $node, 'second', 'DROP FUNCTION load(integer)', qr/server cache c depends on function load\(integer\)/);
	$node->safe_psql('second', "SELECT cache_alter('c', ttl => '1 day')");
	is( $node->safe_psql('second', "$servers; SELECT count(*) FROM pg_depend WHERE 'pg_foreign_server'::regclass IN (classid, refclassid)"),
		"cache c|c|postgres\ncache kept|kept|postgres\n5", "a dump of 1.0 @$options: anchors");
	$node->safe_psql('second', "CREATE ROLE lone; SELECT cache_alter('kept', owner => 'lone')");
	complains('DROP ROLE in another database', $node, 'postgres', 'DROP ROLE lone', qr/1 object in database second/);
	$node->safe_psql('second', 'DROP OWNED BY lone');
	$node->safe_psql('postgres', 'DROP ROLE lone');
	$node->safe_psql('postgres', 'DROP DATABASE second');
}
$node->safe_psql('postgres', 'DROP DATABASE first');

# Data alone, with all triggers switched off meanwhile: pg_restore does not switch
# them on as they were. Nothing is stored then, and cache_check says so.
restored('off', [ '--schema-only' ], [ '--data-only', '--disable-triggers' ]);
is($node->safe_psql('off', 'SELECT DISTINCT cache, object FROM cache_check() ORDER BY 1, 2'),
	"a \"Cache|\"z Shop\".lines\na \"Cache|\"z Shop\".orders\nparted|\"z Shop\".parted1\nparted|\"z Shop\".parted2\nspelled|\"z Shop\".spelled\nwords|\"z Shop\".words",
	'--disable-triggers: the watches are not what they were');
is($node->safe_psql('off', 'SET search_path = "z Shop", public; SELECT count(got) FROM oracle; UPDATE lines SET amount = 1; SELECT * FROM oracle WHERE got IS DISTINCT FROM want'),
	16, '--disable-triggers: exact');
$node->safe_psql('off', <<'END');
DO $$
DECLARE hint text;
BEGIN
  FOR hint IN SELECT split_part(c.hint, ';', 1) FROM cache_check() c LOOP
    EXECUTE hint;
  END LOOP;
END$$;
END
$node->safe_psql('off', 'SET search_path = "z Shop", public; SELECT count(got) FROM oracle');
works('switched on again by the hints', $node, 'off');

# Who restores is the superuser for as long as it takes, but for nothing else: not for a
# table of his own that gets the name of the definitions' just then, and its triggers.
$node->safe_psql('postgres', <<'END');
CREATE SCHEMA other AUTHORIZATION former;
CREATE TABLE seen (who name);
GRANT INSERT ON seen TO PUBLIC;
SET ROLE former;
CREATE FUNCTION other.look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NULL; END';
END
my $holder = session($node, 'holder');
foreach my $removed ('', 'restored_table')
{
	hold($holder, 'restoring');
	my $restore = client($node, "SET application_name = 'restorer'", "SET cache.removed_guard = '$removed'", 'SET ROLE former',
		'SET search_path = other, public', "SET cache.stop_points = 'restoring'", 'COPY cache_definition FROM STDIN');
	ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'restorer' AND wait_event_type = 'Lock')"), 'it is about to');
	$node->safe_psql('postgres', <<'END');
SET ROLE former;
CREATE TABLE other.cache_definition (name name);
CREATE TRIGGER look BEFORE INSERT ON other.cache_definition FOR EACH STATEMENT EXECUTE FUNCTION other.look();
END
	release($holder, 'restoring');
	$restore->{run}->finish;
	if ($removed eq '')
	{
		like($restore->{err}, qr/permission denied for table cache_definition/, 'another table is not restored');
		is($node->safe_psql('postgres', 'SELECT * FROM seen'), '', 'nor does its trigger run');
	}
	else
	{
		is($node->safe_psql('postgres', 'SELECT who = current_user FROM seen'), 't', 'not so without the guard');
	}
	$node->safe_psql('postgres', 'DROP TABLE other.cache_definition');
}
$holder->quit;
$node->safe_psql('postgres', 'DROP SCHEMA other CASCADE; DROP TABLE seen');

# Another cluster: a role of this name with another OID, and then none at all.
my $other = new_node('other');
$other->safe_psql('postgres', 'CREATE ROLE a; CREATE ROLE "Keeper"; CREATE ROLE former; CREATE ROLE writer; CREATE DATABASE shop');
command_ok([ 'pg_restore', '-e', '-d', $other->connstr('shop'), $dump ], 'pg_restore in another cluster');
works('in another cluster', $other, 'shop');

# Without the library, twice; then with it.
$other->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$other->restart;
$other->safe_psql('postgres', 'CREATE DATABASE bare');
foreach my $times ('first', 'second')
{
	command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', '-d', $other->connstr('bare'), $dump ], "pg_restore without the library, the $times time");
}
$other->append_conf('postgresql.conf', "shared_preload_libraries = 'cache'");
$other->restart;
isnt($other->psql('bare', 'DROP FUNCTION "z Shop".loader2(integer)'), 0, 'DROP FUNCTION, the first command with the library');
$other->safe_psql('bare', "SELECT cache_drop('nothing', if_exists => true)");
works('restored without the library', $other, 'bare');
$other->safe_psql('postgres', 'DROP DATABASE bare');
$other->safe_psql('postgres', 'CREATE DATABASE nobody');
$other->safe_psql('shop', 'REASSIGN OWNED BY "Keeper" TO CURRENT_USER; DROP OWNED BY "Keeper"');
$other->safe_psql('postgres', 'REASSIGN OWNED BY "Keeper" TO CURRENT_USER; DROP ROLE "Keeper"');
command_ok([ 'pg_restore', '-e', '--no-owner', '-d', $other->connstr('nobody'), $dump ], 'pg_restore where there is no such role');
works('where there is no such role', $other, 'nobody', owner => 'postgres',
	problems => join("\n", map { "$_|$_|the owner is gone, so that only superusers can change the cache|Give the cache to a role: cache_alter(..., owner => ...)." } 'a "Cache', 'parted', 'spelled', 'words'));

# The whole cluster as one script, in which the roles come first.
$node->safe_psql('postgres', "DROP DATABASE $_") for qw(again jobs late reversed script ownerless cleaned off);
$other->safe_psql('postgres', "DROP DATABASE $_") for qw(shop nobody);
$other->safe_psql('postgres', 'DROP ROLE a, former, writer');
$node->command_ok([ 'pg_dumpall', '-f', "$dir/all.sql" ], 'pg_dumpall');
$other->command_ok([ 'psql', '-Xq', '-o', "$dir/out", '-d', 'postgres', '-f', "$dir/all.sql" ], 'psql');
works('after pg_dumpall', $other, 'shop');
$other->stop;

done_testing();
