# pg_upgrade: caches of every kind come through as they were, by copying and by
# linking, in each database that has the extension, and nothing that was known before
# is believed afterwards.
#
# By default from this server's version to itself. OLDBINDIR names the directory of an
# older server's programs, where the extension is installed as well:
#
#   make check LAYERS=tap TESTS=upgrade OLDBINDIR=/usr/lib/postgresql/15/bin
#
# "make check" installs it there, which needs that server's development files.
use strict;
use warnings;
use CacheTest;
use File::Copy;
use RedisTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $redis = start_redis('redis');
my $dir = PostgreSQL::Test::Utils::tempdir;
my @old = $ENV{OLDBINDIR} ? (install_path => $ENV{OLDBINDIR} =~ s{/bin/*$}{}r) : ();

# cluster makes a server that preloads the library; checksums, which some versions
# have by default, have to be the same in both.
sub cluster
{
	my ($name, @options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, @options);

	$node->init(extra => ['--data-checksums']);
	$node->append_conf('postgresql.conf', <<"END");
shared_preload_libraries = 'cache'
cache.memory = 16MB
cache.redis_addr = '${\$redis->addr}'
cache.redis_force = on
cache.redis_timeout = 5s
END
	return $node;
}

my $node = cluster('old', @old);
$node->start;

# Caches of every kind; names that need quotes.
$node->safe_psql('postgres', <<'END');
CREATE ROLE former;
CREATE ROLE writer;
CREATE DATABASE "a Shop" OWNER former;
CREATE DATABASE other;
END
$node->safe_psql('a Shop', <<'END');
CREATE EXTENSION cache;
CREATE SCHEMA "z Shop" AUTHORIZATION former;
SET ROLE former;
SET search_path = "z Shop", public;
CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN customer_number AS integer;
CREATE TYPE pair AS (a integer, b text);
CREATE TABLE orders (id integer PRIMARY KEY, "the ""Customer" integer);
CREATE TABLE lines (gone integer, order_id integer, amount integer);
ALTER TABLE lines DROP gone;
CREATE TABLE parted (k integer, v integer) PARTITION BY RANGE (k);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (3);
CREATE TABLE parted2 (v integer, dropped integer, k integer) PARTITION BY LIST (k);
ALTER TABLE parted2 DROP dropped;
CREATE TABLE parted3 PARTITION OF parted2 DEFAULT;
ALTER TABLE parted ATTACH PARTITION parted2 DEFAULT;
CREATE TABLE words (w text COLLATE anycase, v integer);
CREATE TABLE prices (product integer, currency varchar, valid date, price numeric);
CREATE TABLE rates (rate numeric);
CREATE TABLE parents (k integer, v integer);
CREATE TABLE children (extra integer) INHERITS (parents);
CREATE TABLE twice (id integer, double integer GENERATED ALWAYS AS (id * 2) STORED, v timestamptz);
INSERT INTO orders SELECT i, i FROM generate_series(1, 5) i;
INSERT INTO lines SELECT i, 10 * i FROM generate_series(1, 5) i;
INSERT INTO parted SELECT i, 100 * i FROM generate_series(1, 5) i;
INSERT INTO words VALUES ('a', 1), ('A', 2), ('b', 4);
INSERT INTO prices SELECT i, 'EUR', '2000-01-01', i + 0.50 FROM generate_series(1, 5) i;
INSERT INTO rates VALUES (1.10);
INSERT INTO parents VALUES (1, 1), (2, 2);
INSERT INTO children VALUES (1, 3), (3, 4);
INSERT INTO twice (id, v) SELECT i, '2000-01-01 00:00 UTC' FROM generate_series(1, 5) i;
CREATE VIEW dear AS SELECT product, price * rate AS price FROM prices, rates WHERE price > 2;
CREATE FUNCTION "a Loader"(c customer_number) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = order_id WHERE "the ""Customer" = c';
CREATE FUNCTION "key Of"(l lines) RETURNS SETOF integer LANGUAGE sql STABLE AS
  'SELECT "the ""Customer" FROM orders WHERE id = l.order_id';
CREATE FUNCTION l_parted(k integer) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM parted WHERE parted.k = $1';
CREATE FUNCTION l_words(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM words WHERE w = $1';
CREATE FUNCTION l_price(integer, text) RETURNS numeric LANGUAGE sql STABLE AS
  'SELECT max(price) FROM prices WHERE product = $1 AND currency = $2';
CREATE FUNCTION l_dear(integer) RETURNS numeric LANGUAGE sql STABLE SECURITY DEFINER AS
  'SELECT price FROM dear WHERE product = $1';
CREATE FUNCTION l_parents(integer) RETURNS pair LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT ROW(sum(v), $1)::pair FROM parents WHERE k = $1); END';
CREATE FUNCTION l_twice(integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT v::text FROM twice WHERE double = $1';
CREATE FUNCTION l_all() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM rates';
SELECT cache_create('a "Cache', '"a Loader"(customer_number)', max_cost => 100000),
  cache_create('parted', 'l_parted(integer)', ttl => '1 hour'),
  cache_create('words', 'l_words(text)'),
  cache_create('price', 'l_price(integer, text)', max_cost => 1000, entry_cost => 1),
  cache_create('dear', 'l_dear(integer)', redis => true),
  cache_create('parents', 'l_parents(integer)'),
  cache_create('all', 'l_all()'),
  cache_create('Kept', ttl => '1 day', logged => true);
SET TimeZone = 'Asia/Kolkata';
SELECT cache_create('twice', 'l_twice(integer)');
SELECT cache_watch('a "Cache', 'orders', 'the "Customer'), cache_watch('a "Cache', 'lines', keys => '"key Of"(lines)'),
  cache_watch('parted', 'parted', 'k'), cache_watch('words', 'words', 'w'),
  cache_watch('price', 'prices', 'product', 'currency'),
  cache_watch('dear', 'prices', 'product'), cache_watch('dear', 'rates'),
  cache_watch('parents', 'parents', 'k'), cache_watch('parents', 'children', 'k'),
  cache_watch('all', 'rates'), cache_watch('twice', 'twice', 'double');
SELECT cache_set('Kept', 'a', '1'), cache_set('Kept', 'a "b', '"two"'), cache_set('Kept', 'c', '[3]', ttl => '10 years'),
  cache_set('Kept', 'gone', 'null', ttl => '1 ms');
CREATE VIEW oracle AS
  SELECT 'a "Cache' AS cache, i::text AS key, cache_get('a "Cache', i) AS got, to_jsonb("a Loader"(i)) AS want FROM generate_series(1, 6) i
  UNION ALL SELECT 'parted', i::text, cache_get('parted', i), to_jsonb(l_parted(i)) FROM generate_series(1, 6) i
  UNION ALL SELECT 'words', w, cache_get('words', w), to_jsonb(l_words(w)) FROM unnest('{a,A,B}'::text[]) w
  UNION ALL SELECT 'price', i::text, cache_get('price', i, 'EUR'), to_jsonb(l_price(i, 'EUR')) FROM generate_series(1, 6) i
  UNION ALL SELECT 'dear', i::text, cache_get('dear', i), to_jsonb(l_dear(i)) FROM generate_series(1, 6) i
  UNION ALL SELECT 'parents', i::text, cache_get('parents', i), to_jsonb(l_parents(i)) FROM generate_series(1, 6) i
  UNION ALL SELECT 'all', '', cache_get('all'), to_jsonb(l_all())
  UNION ALL SELECT 'twice', i::text, cache_get('twice', i), to_jsonb(to_char(v AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD HH24:MI:SS+05:30')) FROM twice, LATERAL (SELECT double) AS d(i);
GRANT USAGE ON SCHEMA "z Shop" TO writer;
GRANT ALL ON ALL TABLES IN SCHEMA "z Shop" TO writer;
END

# Another database, with the extension elsewhere, and a cache of the same name and
# other contents.
$node->safe_psql('other', <<'END');
CREATE SCHEMA "Ext";
CREATE EXTENSION cache SCHEMA "Ext";
GRANT USAGE ON SCHEMA "Ext" TO PUBLIC;
GRANT CREATE ON SCHEMA public TO former;
SET ROLE former;
SET search_path = public, "Ext";
CREATE TABLE words (w text PRIMARY KEY, v integer);
INSERT INTO words VALUES ('a', 10), ('b', 40);
CREATE FUNCTION load(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM words WHERE w = $1';
SELECT cache_create('words', 'load(text)', max_cost => 5000), cache_create('Kept');
SELECT cache_watch('words', 'words', 'w');
SELECT cache_set('Kept', 'a', '{"other": true}');
CREATE VIEW oracle AS SELECT 'words' AS cache, w AS key, cache_get('words', w) AS got, to_jsonb(load(w)) AS want
  FROM unnest('{a,b,c}'::text[]) w;
GRANT ALL ON words, oracle TO writer;
END

# The owner of it all has another name by now, and somebody else has the old one.
$node->safe_psql('postgres', 'ALTER ROLE former RENAME TO "The ""Keeper"; CREATE ROLE former');

# What differs between databases: the path; what was set in the cache without a loader;
# and writes, each of which changes what some get of its cache answers.
my %databases = (
	'a Shop' => {
		path => 'SET search_path = "z Shop", public;',
		loader => 'l_words(text)',
		kept => 'a=1 a "b="two" c=[3] gone=-',
		writes => [
			[ 'a "Cache', 'UPDATE orders SET "the ""Customer" = 6 WHERE id = 1' ],
			[ 'a "Cache', 'INSERT INTO lines VALUES (2, 7)' ],
			[ 'a "Cache', 'DELETE FROM lines WHERE order_id = 3' ],
			[ 'parted', 'UPDATE parted SET k = k + 1' ],
			[ 'parted', 'INSERT INTO parted2 VALUES (7, 5)' ],
			[ 'parted', 'UPDATE parted3 SET v = v + 1' ],
			[ 'parted', 'TRUNCATE parted3' ],
			[ 'words', "INSERT INTO words VALUES ('A', 8), ('b', 8)" ],
			[ 'price', 'UPDATE prices SET price = price + 1 WHERE product = 3' ],
			[ 'dear', 'DELETE FROM prices WHERE product = 4' ],
			[ 'dear', 'UPDATE rates SET rate = 2' ],
			[ 'all', 'INSERT INTO rates VALUES (3)' ],
			[ 'parents', 'INSERT INTO parents VALUES (2, 9)' ],
			[ 'parents', 'UPDATE children SET v = v + 1' ],
			[ 'twice', "UPDATE twice SET v = v + '1 hour'" ],
		],
	},
	'other' => {
		path => 'SET search_path = public, "Ext";',
		loader => 'load(text)',
		kept => 'a={"other": true} a "b=- c=- gone=-',
		writes => [
			[ 'words', "INSERT INTO words VALUES ('c', 1)" ],
			[ 'words', 'UPDATE words SET v = v + 1' ],
			[ 'words', 'TRUNCATE words' ],
		],
	});

# What is known of caches and watches
my $definitions = <<'END';
SELECT name, id, version, owner, loader_schema, loader_name, loader_args, ttl, max_cost, entry_cost, redis, settings, key_collations
FROM cache_definition ORDER BY name;
SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
WHERE tgname LIKE '!cache%' ORDER BY tgrelid::regclass::text, tgname;
SELECT count(*) FROM pg_trigger t JOIN pg_depend d ON d.objid = t.oid AND d.deptype = 'x' WHERE tgname LIKE '!cache%';
END
my $wrong = 'SELECT * FROM oracle WHERE got IS DISTINCT FROM want';
my $kept = <<'END';
SELECT string_agg(k || '=' || coalesce(cache_get('Kept', k)::text, '-'), ' ' ORDER BY k COLLATE "C") FROM unnest('{a,"a \"b",c,gone}'::text[]) k
END

sub sql
{
	my ($server, $db, $query, $role) = @_;

	return $server->safe_psql($db, ($role ? "SET ROLE $role;" : '') . "$databases{$db}{path} $query");
}

# hot fills all caches and asserts that the answers are right, and then in memory.
sub hot
{
	my ($title, $server, $db) = @_;
	my $runs = 'SELECT name, loads, bypasses, redis_hits FROM cache_stats ORDER BY name';
	my $before;

	is(sql($server, $db, $wrong), '', "$title: exact");
	$before = sql($server, $db, $runs);
	sql($server, $db, 'SELECT count(got) FROM oracle');
	is(sql($server, $db, $runs), $before, "$title: all in memory");
	return;
}

# complains asserts that commands, in a transaction that is rolled back, end with an
# error like this.
sub complains
{
	my ($title, $server, $db, $commands, $error) = @_;
	my (undef, undef, $errors) = $server->psql($db, "BEGIN; $databases{$db}{path} $commands");

	like($errors, $error, $title);
	return;
}

# works asserts that all caches of a database are what they were, and that the writes
# invalidate.
sub works
{
	my ($title, $server, $db, $expected) = @_;
	my ($before, $changed);

	is(sql($server, $db, $definitions), $expected, "$title: definitions and watches");
	complains("$title: DROP FUNCTION", $server, $db, "DROP FUNCTION $databases{$db}{loader}", qr/server cache words depends on function/);
	complains("$title: DROP ROLE", $server, $db, 'DROP ROLE "The ""Keeper"', qr/owner of server cache words/);
	complains("$title: DROP EXTENSION", $server, $db, 'DROP VIEW oracle; DROP EXTENSION cache; SELECT 1/0', qr/division by zero/);
	is(sql($server, $db, 'SELECT * FROM cache_check()'), '', "$title: no problems");
	is(sql($server, $db, $kept), $databases{$db}{kept}, "$title: what was set is still there");
	is(sql($server, $db, $wrong), '', "$title: exact");
	is(sql($server, $db, 'SELECT name FROM cache_stats WHERE redis_hits > 0'), '', "$title: nothing is taken from Redis");
	foreach my $write (@{ $databases{$db}{writes} })
	{
		my ($cache, $query) = @$write;
		my $state = "SELECT string_agg(key || '=' || coalesce(got::text, '-'), ' ' ORDER BY key) FROM oracle WHERE cache = '$cache'";

		sql($server, $db, $wrong);
		$before = sql($server, $db, $state);
		sql($server, $db, $query, 'writer');
		is(sql($server, $db, $wrong), '', "$title: exact after $query");
		isnt(sql($server, $db, $state), $before, "$title: $cache has changed");
	}
	sql($server, $db, "SELECT cache_set('Kept', 'a', '5'), cache_invalidate('Kept', 'c')", '"The ""Keeper"');
	like(sql($server, $db, $kept), qr/^a=5 a "b=\S+ c=- gone=-$/, "$title: sets");
	return;
}

# upgrade makes a new cluster of the old one, which is stopped.
sub upgrade
{
	my ($name, @options) = @_;
	my $new = cluster($name);

	chdir $dir or die "$dir: $!";
	command_ok(
		[
			'pg_upgrade', '--no-sync', '-d', $node->data_dir, '-D', $new->data_dir,
			'-b', $node->config_data('--bindir'), '-B', $new->config_data('--bindir'),
			'-s', $new->host, '-p', $node->port, '-P', $new->port, @options
		],
		"$name: pg_upgrade");

	# As if it had been kept with the statistics
	copy("$dir/cache.state", $new->data_dir . '/pg_stat/cache.state') or die "cache.state: $!";
	$new->start;
	like(slurp_file($new->logfile), qr{file "pg_stat/cache.state" does not describe the present state},
		"$name: the state of the old cluster is not believed");
	return $new;
}

my %expected;
foreach my $db (sort keys %databases)
{
	hot('before', $node, $db);
	is(sql($node, $db, 'SELECT * FROM cache_check()'), '', 'before: no problems');
	is(sql($node, $db, $kept), $databases{$db}{kept}, 'before: what was set');
	$expected{$db} = sql($node, $db, $definitions);
}
$redis->wait_entries(6);
$node->stop;
ok(-s $node->data_dir . '/pg_stat/cache.state', 'there is a state');
copy($node->data_dir . '/pg_stat/cache.state', "$dir/cache.state") or die "cache.state: $!";

# Copied by a new server that does not preload the library, and then linked by one
# that does: the old cluster is of no use after that.
foreach my $mode ([ 'copied', '-O', '-c shared_preload_libraries=' ], [ 'linked', '--link' ])
{
	my $new = upgrade(@$mode);
	my $name = $mode->[0];

	foreach my $db (sort keys %databases)
	{
		works("$name: $db", $new, $db, $expected{$db});
		hot("$name: $db", $new, $db);
		isnt($new->psql($db, "SET ROLE former; $databases{$db}{path} SELECT cache_alter('words', ttl => '1 day')"), 0, "$name: $db: nobody else may");
		sql($new, $db, "SELECT cache_alter('words', ttl => '1 day'), cache_unwatch('words', 'words'), cache_watch('words', 'words', 'w'), cache_drop('Kept')",
			'"The ""Keeper"');
		is(sql($new, $db, $wrong), '', "$name: $db: its owner may change it");
	}
	$new->stop;
}
done_testing();
