-- Loaders that call other caches: a hit inside a load counts as reading all
-- that the inner cache's loader reads.
\ir ../exact.psql
SET client_min_messages = error;
SELECT plan(26);
CREATE TABLE base (k int PRIMARY KEY, v int);
INSERT INTO base VALUES (1, 10), (2, 20);
CREATE TABLE more (k int PRIMARY KEY, v int);
INSERT INTO more VALUES (1, 1), (2, 2);
CREATE FUNCTION inner_load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM base WHERE k = a';
CREATE FUNCTION outer_load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT cache_get_as(NULL::int, ''inner'', a) + v FROM more WHERE k = a';
CREATE FUNCTION outest_load(a int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN cache_get_as(NULL::int, ''outer'', a) * 2; END';
SELECT cache_create('inner', 'inner_load(int)'), cache_watch('inner', 'base', 'k');
SELECT cache_create('outer', 'outer_load(int)'), cache_watch('outer', 'more', 'k');
SELECT cache_create('outest', 'outest_load(int)'), cache_watch('outest', 'more', 'k');

-- on a miss of the inner cache
SELECT is(cache_get('outer', 1), '11', 'a miss in a miss');
SELECT is(hits('outer', 'SELECT cache_get(''outer'', 1)'), 0::bigint, 'reads a table that the outer cache does not watch');
UPDATE base SET v = 100 WHERE k = 1;
SELECT is(cache_get('outer', 1), '101', 'exact');
-- on a hit of the inner cache
SELECT cache_get_as(NULL::int, 'inner', 2);
SELECT is(cache_get('outer', 2), '22', 'a hit in a miss');
SELECT cmp_ok(hits('inner', 'SELECT cache_get(''outer'', 2)'), '>=', 1::bigint, 'it is a hit');
SELECT is(hits('outer', 'SELECT cache_get(''outer'', 2)'), 0::bigint, 'and reads what the inner one reads: not stored');
UPDATE base SET v = 200 WHERE k = 2;
SELECT is(cache_get('outer', 2), '202', 'exact');
SELECT is(cache_get('outest', 2), '404', 'three deep');
UPDATE base SET v = 210 WHERE k = 2;
SELECT is(cache_get('outest', 2), '424', 'exact');

-- watched by all
SELECT cache_watch('outer', 'base', 'k'), cache_watch('outest', 'base');
SELECT exact('outer', '1', 'outer_load', 'all watched');
SELECT exact('outest', '1', 'outest_load', 'three deep, all watched');
UPDATE base SET v = 300 WHERE k = 1;
SELECT is(cache_get('outest', 1), '602', 'the innermost table written');
UPDATE more SET v = 5 WHERE k = 1;
SELECT is(cache_get('outest', 1), '610', 'the middle one written');
BEGIN;
UPDATE base SET v = 400 WHERE k = 1;
SELECT is(cache_get('outest', 1), '810', 'own writes');
ROLLBACK;
SELECT is(cache_get('outest', 1), '610', 'rolled back');
SELECT cache_drop('outest');

-- an expiry is inherited
CREATE TABLE unwatched (v int);
INSERT INTO unwatched VALUES (1);
CREATE FUNCTION old_load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM unwatched';
CREATE FUNCTION of_old(a int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN cache_get_as(NULL::int, ''old'', a); END';
SELECT cache_create('old', 'old_load(int)', ttl => '100 milliseconds');
SELECT cache_create('of_old', 'of_old(int)');
SELECT cache_get('old', 1), cache_get('of_old', 1);
SELECT is(hits('of_old', 'SELECT cache_get(''of_old'', 1)'), 0::bigint, 'unwatched by the outer, whatever the inner''s ttl');
SELECT cache_alter('of_old', ttl => '1 day');
SELECT cache_get('old', 1);
SELECT cache_get('of_old', 1);
UPDATE unwatched SET v = 2;
SELECT pg_sleep(0.2);
SELECT is(cache_get('of_old', 1), '2', 'the outer entry does not outlive the inner');

-- what the inner reads is forbidden: temporary tables
CREATE FUNCTION temp_load(a int) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(v) FROM mine); END';
CREATE FUNCTION of_temp(a int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN cache_get(''temp'', a); END';
SELECT cache_create('temp', 'temp_load(int)'), cache_create('of_temp', 'of_temp(int)', ttl => '1 day');
CREATE TEMP TABLE mine (v int);
INSERT INTO mine VALUES (1);
SELECT is(cache_get('of_temp', 1), '"1"', 'an inner load that must not be stored');
UPDATE mine SET v = 2;
SELECT is(cache_get('of_temp', 1), '"2"', 'keeps the outer one from being stored');

-- rights: an inner cache of an invoker within a definer
DROP ROLE IF EXISTS regress_cache_nested;
CREATE ROLE regress_cache_nested;
CREATE FUNCTION who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
CREATE FUNCTION of_who() RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT public.cache_get(''who'')';
SELECT cache_create('who', 'who()'), cache_create('of_who', 'of_who()');
SELECT agrees('who', '', 'who', 'the inner cache', 'regress_cache_nested');
SELECT agrees('of_who', '', 'of_who', 'within a definer', 'regress_cache_nested');
SELECT agrees('of_who', '', 'of_who', 'for the owner');

-- writes while a load is under way: the inner value is loaded under the same snapshot
SELECT is(cache_get('outer', 2), to_jsonb(outer_load(2)), 'the outer cache is exact');
-- without the guard
SELECT cache_unwatch('outer', 'base');
SELECT cache_get_as(NULL::int, 'inner', 1);
SET cache.removed_guard = 'nested_hit';
SELECT cache_get('outer', 1);
SELECT is(hits('outer', 'SELECT cache_get(''outer'', 1)'), 1::bigint, 'without the guard it is stored');
UPDATE base SET v = 999 WHERE k = 1;
SELECT isnt(cache_get('outer', 1), to_jsonb(outer_load(1)), 'guard nested_hit: a stale value');
SET cache.removed_guard = 'unwatched';
CREATE FUNCTION plain(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM unwatched';
SELECT cache_create('plain', 'plain(int)');
SELECT cache_get('plain', 1);
UPDATE unwatched SET v = 77;
SELECT isnt(cache_get('plain', 1), to_jsonb(plain(1)), 'guard unwatched: a stale value');
SET cache.removed_guard = '';
SELECT * FROM finish();
DROP OWNED BY regress_cache_nested;
DROP ROLE regress_cache_nested;
