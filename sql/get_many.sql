--
-- cache_get_many(): many keys in one call.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 3000) i;
CREATE FUNCTION load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k');

-- in the array's order, with duplicates and nulls
SELECT * FROM cache_get_many('c', ARRAY[3, 1, 2]);
SELECT * FROM cache_get_many('c', ARRAY[1, 5, 1, NULL, 5, 0, 1, NULL, 4]);
SELECT hits, misses, loads FROM cache_stats;
SELECT * FROM cache_get_many('c', '[5:7]={7,6,5}'::int[]);
SELECT * FROM cache_get_many('c', ARRAY[[1, 2, 3], [4, 5, NULL]]);
SELECT * FROM cache_get_many('c', '{}'::int[]);
SELECT * FROM cache_get_many('c', NULL::int[]);
SELECT key, value, pg_typeof(key) FROM cache_get_many('c', ARRAY[1, 2]::smallint[]);
SELECT cache_get_many('c', ARRAY[1, 2]);
SELECT cache_get_many('c', ARRAY[n, n + 1]) FROM generate_series(1, 2) n;
SELECT t.k, m.* FROM t, cache_get_many('c', ARRAY[t.k, t.k * 2]) WITH ORDINALITY m WHERE t.k < 3;
SELECT m.* FROM (VALUES (ARRAY[1]), (NULL), (ARRAY[2, 3])) a (keys), cache_get_many('c', keys) m;
PREPARE many AS SELECT * FROM cache_get_many('c', $1::int[]);
EXECUTE many ('{1,2}');
EXECUTE many ('{}');

-- what is new is seen; more keys than are looked at together
UPDATE t SET v = 'new' WHERE k IN (2, 2500);
SELECT count(*), count(DISTINCT m.key), bool_and(m.value IS NOT DISTINCT FROM to_jsonb(load(m.key)))
FROM cache_get_many('c', (SELECT array_agg(k ORDER BY k DESC) FROM t)) m;
SELECT cache_stats_reset('c');
SELECT count(value), array_agg(key) = array_agg(ordinality::int) AS ordered
FROM cache_get_many('c', (SELECT array_agg(k ORDER BY k) FROM t)) WITH ORDINALITY;
SELECT hits, misses FROM cache_stats;
BEGIN;
UPDATE t SET v = 'own' WHERE k % 2 = 0;
SELECT * FROM cache_get_many('c', ARRAY[1, 2, 3, 4]);
ROLLBACK;
SELECT * FROM cache_get_many('c', ARRAY[1, 2, 3, 4]);
SET cache.enabled = off;
SELECT * FROM cache_get_many('c', ARRAY[1, 2, 3001, NULL]);
RESET cache.enabled;

-- a loader that is not strict sees the nulls; one that is, does not
CREATE FUNCTION load_null(a int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT coalesce(''v'' || a, ''none'')';
CREATE FUNCTION load_strict(a int) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ''v'' || a';
SELECT cache_create('null', 'load_null(int)'), cache_create('strict', 'load_strict(int)');
SELECT * FROM cache_get_many('null', ARRAY[1, NULL, 1, NULL]);
SELECT * FROM cache_get_many('strict', ARRAY[1, NULL, 1, NULL]);
SELECT name, hits, loads FROM cache_stats WHERE name IN ('null', 'strict') ORDER BY name;

-- a load that fails
CREATE FUNCTION load_bad(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 10 / a';
SELECT cache_create('bad', 'load_bad(int)');
SELECT * FROM cache_get_many('bad', ARRAY[1, 2, 0, 3]);
SELECT * FROM cache_get_many('bad', ARRAY[1, 2, 3]);

-- a load that asks for others
CREATE FUNCTION load_sum(a int) RETURNS int LANGUAGE sql STABLE
AS 'SELECT sum(length(value #>> ''{}'')) FROM cache_get_many(''c'', ARRAY[a, a + 1])';
SELECT cache_create('sum', 'load_sum(int)'), cache_watch('sum', 't');
SELECT * FROM cache_get_many('sum', ARRAY[1, 2, 9]);
UPDATE t SET v = 'longer than before' WHERE k = 2;
SELECT * FROM cache_get_many('sum', ARRAY[1, 2, 9]);

-- a load that changes the definition: the others are loaded by the new one
CREATE FUNCTION load_first(a int) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF a = 2 THEN
    PERFORM alter_it();
  END IF;
  RETURN 'first';
END $$;
CREATE FUNCTION load_second(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''second''';
CREATE FUNCTION alter_it() RETURNS void LANGUAGE sql VOLATILE AS $$ SELECT cache_alter('alter', 'load_second(int)') $$;
SELECT cache_create('alter', 'load_first(int)');
SELECT * FROM cache_get_many('alter', ARRAY[1, 2, 3]);

-- errors
CREATE FUNCTION load_two(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE FUNCTION load_none() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
SELECT cache_create('two', 'load_two(int, int)'), cache_create('none', 'load_none()');
SELECT * FROM cache_get_many('two', ARRAY[1, 2]);
\echo :SQLSTATE
SELECT * FROM cache_get_many('two', '{}'::int[]);
\echo :SQLSTATE
SELECT * FROM cache_get_many('none', ARRAY[1]);
\echo :SQLSTATE
SELECT * FROM cache_get_many('no such cache', NULL::int[]);
\echo :SQLSTATE
SELECT * FROM cache_get_many(NULL, ARRAY[1]);
\echo :SQLSTATE
SELECT * FROM cache_get_many('c', ARRAY['1', '2']);
SELECT * FROM cache_get_many('c', ARRAY[1.0, 2.00]);
SELECT * FROM cache_get_many('c', ARRAY[1.5]);
\echo :SQLSTATE
SELECT * FROM cache_get_many('c', ARRAY[99999999999]);
\echo :SQLSTATE
SELECT * FROM cache_get_many('c', ARRAY[true]);
\echo :SQLSTATE

-- an array without a type
SELECT * FROM cache_get_many('c', '{2, 1,NULL,002}');
SELECT pg_typeof(key) FROM cache_get_many('c', '{1}');
SELECT * FROM cache_get_many('c', '{}');
SELECT * FROM cache_get_many('c', NULL);
SELECT * FROM cache_get_many('c', '{1,one}');
\echo :SQLSTATE
SELECT * FROM cache_get_many('c', '1');
\echo :SQLSTATE
SELECT * FROM cache_get_many('two', '{1}');
\echo :SQLSTATE
SELECT * FROM cache_get_many('none', '{1}');
\echo :SQLSTATE
SELECT * FROM cache_get_many('no such cache', '{}');
\echo :SQLSTATE
SELECT * FROM cache_get_many(NULL, '{}');
\echo :SQLSTATE
CREATE FUNCTION load_set(a int[]) RETURNS int LANGUAGE sql STABLE AS 'SELECT cardinality(a)';
SELECT cache_create('set', 'load_set(int[])');
SELECT * FROM cache_get_many('set', '{1}');
\echo :SQLSTATE
PREPARE untyped_many AS SELECT * FROM cache_get_many('c', $1);
EXECUTE untyped_many('{1,2}');
EXECUTE untyped_many(NULL);
DEALLOCATE untyped_many;

--
-- cache_ttl(): how long a value may still be used
--
SELECT cache_ttl('c', 1), cache_ttl('c', 3001), cache_ttl('c', NULL);
SELECT cache_create('timed', 'load_null(int)', ttl => '1 hour'), cache_create('timed all', 'load_none()', ttl => '1 day');
SELECT cache_ttl('timed', 1), cache_ttl('timed all');
SELECT cache_get('timed', 1), cache_get('timed all');
SELECT cache_ttl('timed', 1) BETWEEN '57 minutes' - interval '10 seconds' AND '1 hour' AS hour,
  cache_ttl('timed all') BETWEEN interval '22 hours' AND '1 day' AS day, cache_ttl('timed', 2);
-- of the value in the loader's own type, where there is no other
SELECT cache_get_as(NULL::text, 'timed', 2);
SELECT cache_ttl('timed', 2) IS NOT NULL AS native;
PREPARE ttl AS SELECT cache_ttl('timed', $1) IS NOT NULL AS untyped;
EXECUTE ttl (1);
-- it neither loads nor counts
SELECT cache_stats_reset('timed');
SELECT cache_ttl('timed', 1) IS NOT NULL, cache_ttl('timed', 3) IS NOT NULL;
SELECT hits, misses, loads FROM cache_stats WHERE name = 'timed';
-- what a get would not use is none
BEGIN;
SELECT cache_invalidate('timed', 1);
SELECT cache_ttl('timed', 1);
ROLLBACK;
SELECT cache_ttl('timed', 1) IS NOT NULL AS still;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT cache_ttl('timed', 1);
COMMIT;
SET cache.enabled = off;
SELECT cache_ttl('timed', 1);
RESET cache.enabled;
SELECT cache_invalidate('timed', 1);
SELECT cache_ttl('timed', 1);
SELECT cache_ttl('timed');
\echo :SQLSTATE
SELECT cache_ttl('timed', 'x');
\echo :SQLSTATE
SELECT cache_ttl('no such cache', 1);
\echo :SQLSTATE
-- what a load makes of it is not stored
CREATE FUNCTION load_ttl(a int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT cache_ttl(''timed'', a) IS NULL';
SELECT cache_create('of ttl', 'load_ttl(int)', ttl => '1 day');
SELECT cache_get('of ttl', 1), cache_get('of ttl', 1);
SELECT cache_get('timed', 1);
SELECT cache_get('of ttl', 1);
