# ALTER EXTENSION UPDATE of a database in use: with the new library the old SQL objects
# go on to work, and afterwards everything is as if it had been made by this version,
# object by object; what there was before has not changed.
use strict;
use warnings;
use CacheTest;
use Test::More;

my $node = new_node('node');
my @versions = split /\n/, $node->safe_psql('postgres', <<'END');
SELECT version FROM pg_available_extension_versions WHERE name = 'cache' ORDER BY string_to_array(version, '.')::int[];
END
my $version = $node->safe_psql('postgres', "SELECT default_version FROM pg_available_extensions WHERE name = 'cache'");

is($versions[-1], $version, 'the last version is the default');
is( $node->safe_psql('postgres', "SELECT count(*) FROM pg_extension_update_paths('cache') WHERE path IS NULL AND string_to_array(source, '.')::int[] < string_to_array(target, '.')::int[]"),
	0, 'there is a way from each version to each later one');

# All that there is of the extension, each object with all its properties.
my $objects = <<'END';
SELECT extversion, nspname, extowner::regrole, (SELECT array_agg(format('%s %s', c::regclass, d)) FROM unnest(extconfig, extcondition) u (c, d))
FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'cache';
WITH member AS (
  SELECT classid, objid, pg_describe_object(classid, objid, 0) AS description, obj_description(objid, classid::regclass::name) AS comment
  FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cache'))
SELECT description, comment,
  (SELECT ROW(pg_get_functiondef(p.oid), proowner::regrole, proacl, procost, prorows, provolatile, proparallel, proisstrict) FROM pg_proc p WHERE p.oid = objid AND classid = 'pg_proc'::regclass),
  (SELECT ROW(relkind, relpersistence, relowner::regrole, relacl, reloptions, relnatts, CASE relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END) FROM pg_class c WHERE c.oid = objid AND classid = 'pg_class'::regclass),
  (SELECT array_agg(ROW(attnum, attname, format_type(atttypid, atttypmod), attnotnull, attcollation, attacl, atthasdef, attstorage) ORDER BY attnum)
   FROM pg_attribute WHERE attrelid = objid AND classid = 'pg_class'::regclass AND attnum > 0),
  (SELECT array_agg(pg_get_indexdef(indexrelid) ORDER BY 1) FROM pg_index WHERE indrelid = objid AND classid = 'pg_class'::regclass),
  (SELECT ROW(typtype, typcategory, typlen, typbyval, typalign, typstorage, typcollation, typinput, typoutput, typreceive, typsend, typowner::regrole, typacl) FROM pg_type t WHERE t.oid = objid AND classid = 'pg_type'::regclass),
  (SELECT ROW(castfunc, castcontext, castmethod) FROM pg_cast c WHERE c.oid = objid AND classid = 'pg_cast'::regclass),
  (SELECT ROW(fdwowner::regrole, fdwhandler, fdwvalidator, fdwacl, fdwoptions) FROM pg_foreign_data_wrapper w WHERE w.oid = objid AND classid = 'pg_foreign_data_wrapper'::regclass),
  (SELECT array_agg(ROW(pg_describe_object(refclassid, refobjid, refobjsubid), deptype) ORDER BY pg_describe_object(refclassid, refobjid, refobjsubid))
   FROM pg_depend d WHERE d.classid = member.classid AND d.objid = member.objid),
  (SELECT ROW(initprivs, privtype) FROM pg_init_privs i WHERE i.objoid = objid AND i.classoid = classid)
FROM member ORDER BY description COLLATE "C";
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'cache%'
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e');
END

# What there is of caches
my $caches = <<'END';
SELECT name, id, owner, loader_schema, loader_name, loader_args, ttl, max_cost, entry_cost, redis, settings, key_collations FROM cache_definition ORDER BY name;
SELECT key, value, expires, cost FROM cache_value ORDER BY key;
SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE '!cache%' ORDER BY 1, 2;
END
my $dependencies = <<'END';
SELECT regexp_replace(pg_describe_object(classid, objid, objsubid), '_\d+_[0-9a-f]{8}', '') AS depender, pg_describe_object(refclassid, refobjid, refobjsubid) AS referenced, deptype FROM pg_depend
WHERE 'pg_foreign_server'::regclass IN (classid, refclassid) OR (classid = 'pg_trigger'::regclass AND refclassid IN ('pg_proc'::regclass, 'pg_extension'::regclass)) ORDER BY 1, 2, 3;
SELECT srvname, srvtype, srvowner::regrole, srvacl, srvoptions FROM pg_foreign_server ORDER BY 1;
END

$node->safe_psql('postgres', 'CREATE ROLE keeper; CREATE ROLE gone');

# shop makes a database with the extension in a version, and caches of all kinds.
sub shop
{
	my ($db, $from) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, "CREATE EXTENSION cache VERSION '$from'");
	$node->safe_psql($db, <<'END');
GRANT CREATE ON SCHEMA public TO keeper, gone;
SET ROLE keeper;
CREATE TABLE item (id integer PRIMARY KEY, part integer, price integer);
CREATE TABLE part (id integer, price integer) PARTITION BY LIST (id);
CREATE TABLE part1 PARTITION OF part DEFAULT;
INSERT INTO item SELECT i, i, 10 * i FROM generate_series(1, 10) i;
INSERT INTO part SELECT i, i FROM generate_series(1, 10) i;
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT price + (SELECT price FROM part WHERE part.id = item.part) FROM item WHERE id = $1';
CREATE FUNCTION items_of(part) RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT id FROM item WHERE part = $1.id';
SELECT cache_create('c', 'loader(integer)', ttl => '1 day', max_cost => 100000), cache_create('kept');
SELECT cache_watch('c', 'item', 'id'), cache_watch('c', 'part', keys => 'items_of(part)');
SELECT cache_set('kept', 'a', '1'), cache_set('kept', 'b', '[2]', ttl => '10 years');
RESET ROLE;
SELECT cache_create('whole', 'loader(integer)'), cache_watch('whole', 'item'), cache_watch('whole', 'part');
CREATE VIEW oracle AS SELECT id, cache_get('c', id) AS got, cache_get('whole', id) AS got2, to_jsonb(loader(id)) AS want FROM generate_series(1, 11) AS id;
END
	return;
}

sub exact
{
	my ($title, $db) = @_;

	is($node->safe_psql($db, 'SELECT * FROM oracle WHERE got IS DISTINCT FROM want OR got2 IS DISTINCT FROM want'), '', "$title: exact");
	return;
}

# works asserts that caches answer from memory, and that all writes are seen.
sub works
{
	my ($title, $db) = @_;
	my $hits = "SELECT count(got) FROM oracle; SELECT hits > 0 FROM cache_stats WHERE name = 'c'";

	exact($title, $db);
	is($node->safe_psql($db, $hits), "10\nt", "$title: it caches");
	foreach my $write ('UPDATE item SET price = price + 1 WHERE id = 3', 'UPDATE part SET price = price + 1 WHERE id = 4', 'UPDATE part1 SET price = price + 1', 'UPDATE item SET part = part % 10 + 1')
	{
		$node->safe_psql($db, $write);
		exact("$title: $write", $db);
	}
	is($node->safe_psql($db, "SELECT cache_get('kept', 'a'), cache_get('kept', 'b')"), '1|[2]', "$title: what was set");
	is($node->safe_psql($db, 'SELECT cache, object, problem FROM cache_check()'), '', "$title: no problems");
	return;
}

shop('fresh', $version);
my $fresh = $node->safe_psql('fresh', $objects);
my $depending = $node->safe_psql('fresh', $dependencies);
works('fresh', 'fresh');
$node->safe_psql('postgres', 'DROP DATABASE fresh');

foreach my $from (grep { $_ ne $version } @versions)
{
	shop('used', $from);
	is($node->safe_psql('used', "SELECT extversion FROM pg_extension WHERE extname = 'cache'"), $from, "$from is installed");
	works("$from with the new library", 'used');
	$node->safe_psql('used', <<'END');
SET ROLE keeper;
SELECT cache_create('temporary', 'loader(integer)'), cache_watch('temporary', 'item', 'id'), cache_alter('temporary', max_cost => 10000);
SELECT cache_get('temporary', 1), cache_unwatch('temporary', 'item'), cache_drop('temporary');
END
	my $before = $node->safe_psql('used', $caches);

	# A session that goes on
	my $other = session($node, 'other', '\\c used', 'SELECT count(got) FROM oracle');
	$node->safe_psql('used', "BEGIN; ALTER EXTENSION cache UPDATE; ROLLBACK");
	is($node->safe_psql('used', $caches), $before, "$from: rolled back, nothing has changed");
	works("$from: rolled back", 'used');
	$before = $node->safe_psql('used', $caches);
	$node->safe_psql('used', 'ALTER EXTENSION cache UPDATE');
	is($node->safe_psql('used', $caches), $before, "$from: no cache has changed");
	is($node->safe_psql('used', $objects), $fresh, "$from: the extension's objects are those of a new one");
	is($node->safe_psql('used', $dependencies), $depending, "$from: so is what caches depend on");
	like($other->run("UPDATE item SET price = 1 WHERE id = 1; SELECT got = want FROM oracle WHERE id = 1; SELECT cache_alter('c', ttl => '1 hour')"), qr/^t$/m, "$from: a session that goes on");
	$other->quit;
	works("$from: updated", 'used');
	$node->safe_psql('used', 'ALTER EXTENSION cache UPDATE');
	is($node->safe_psql('used', $objects), $fresh, "$from: there is nothing left to update");
	$node->safe_psql('used', 'DROP VIEW oracle; DROP EXTENSION cache');
	is($node->safe_psql('used', 'SELECT count(*) FROM pg_foreign_server'), 0, "$from: DROP EXTENSION needs no CASCADE");
	$node->safe_psql('postgres', 'DROP DATABASE used');

	# An owner and a loader that are gone, as the old version let them
	shop('used', $from);
	$node->safe_psql('used', <<'END');
SET ROLE gone;
SELECT cache_create('orphan', 'loader(integer)');
RESET ROLE;
DROP OWNED BY gone;
DROP FUNCTION items_of(part) CASCADE;
DROP VIEW oracle;
DROP FUNCTION loader(integer);
END
	$node->safe_psql('postgres', 'DROP ROLE gone');
	$node->safe_psql('used', 'ALTER EXTENSION cache UPDATE');
	is( $node->safe_psql('used', 'SELECT cache, problem FROM cache_check() ORDER BY 1, 2'), <<'END' =~ s/\n$//r, "$from: caches whose loader or owner is gone");
c|the loader is gone or cannot be one
orphan|the loader is gone or cannot be one
orphan|the owner is gone, so that only superusers can change the cache
whole|the loader is gone or cannot be one
END
	is($node->safe_psql('used', "SELECT cache_alter('orphan', owner => 'keeper'), cache_drop('c'); SELECT srvname, srvowner::regrole FROM pg_foreign_server ORDER BY 1"),
		"|\ncache kept|keeper\ncache orphan|keeper\ncache whole|postgres", "$from: their anchors");
	$node->safe_psql('postgres', 'DROP DATABASE used; CREATE ROLE gone');
}

# Without the library
shop('used', $versions[0]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$node->safe_psql('used', 'ALTER EXTENSION cache UPDATE');
is($node->safe_psql('used', $objects), $fresh, 'without the library: the objects');
is($node->safe_psql('used', $dependencies), $depending, 'without the library: what caches depend on');
isnt($node->psql('used', 'DROP FUNCTION loader(integer)'), 0, 'without the library: DROP FUNCTION is refused');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cache'");
$node->restart;
works('updated without the library', 'used');

done_testing();
