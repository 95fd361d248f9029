--
-- The views cache_stats and cache_bypasses, and cache_stats_reset().
--
\set SHOW_CONTEXT never
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_name IN ('cache_stats', 'cache_bypasses') ORDER BY table_name DESC, ordinal_position;
SELECT * FROM cache_stats;
CREATE TABLE t (k int, v text);
INSERT INTO t VALUES (1, 'one');
CREATE FUNCTION load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('a', 'load(int)'), cache_create('b', 'load(int)');
SELECT cache_watch('a', 't', 'k'), cache_watch('b', 't');
CREATE VIEW counts AS
SELECT name, entries, cost > 0 AND bytes > 0 AS filled, hits, redis_hits, misses, loads,
       bypasses, rejected, evictions, expirations, invalidations, hit_ratio,
       waits, failed_loads, flushes
FROM cache_stats ORDER BY name;
-- a cache that nobody has used
SELECT * FROM counts;
SELECT name, stats_reset = pg_postmaster_start_time() AS since_start FROM cache_stats ORDER BY name;
SELECT cache_get('a', 1), cache_get('a', 2), cache_get('b', 1);
SELECT * FROM counts;
SELECT cache_get('a', 1), cache_get('a', 2), cache_get('b', 1);
SELECT cache_get('a', 1);
SELECT * FROM counts;
-- bypasses
SET cache.enabled = off;
SELECT cache_get('a', 1);
RESET cache.enabled;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT cache_get('a', 1);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE;
SELECT cache_get('a', 1);
COMMIT;
SELECT * FROM counts;
SELECT * FROM cache_bypasses;
-- invalidations
UPDATE t SET v = 'uno' WHERE k = 1;
SELECT * FROM counts;
-- rolled back: gets count, invalidations do not
BEGIN;
SELECT cache_get('a', 1);
UPDATE t SET v = 'eins' WHERE k = 1;
SELECT cache_get('a', 1);
ROLLBACK;
SELECT * FROM counts;
SELECT * FROM cache_bypasses;
-- reset
BEGIN;
SELECT cache_stats_reset('a');
SELECT name, stats_reset > now() AS later FROM cache_stats ORDER BY name;
COMMIT;
SELECT * FROM counts;
SELECT * FROM cache_bypasses;
SELECT cache_stats_reset();
SELECT * FROM counts;
SELECT cache_stats_reset(NULL);
SELECT cache_stats_reset('nowhere');
\echo :SQLSTATE
SELECT cache_stats_reset('');
\echo :SQLSTATE
-- values stay where they are
SELECT cache_get('a', 1);
SELECT * FROM counts;
-- flushed within a transaction as well
BEGIN;
SELECT cache_get('a', 1);
SELECT hits FROM counts WHERE name = 'a';
SELECT cache_get('a', 1);
SELECT hits FROM counts WHERE name = 'a';
COMMIT;
-- no rights but those of everybody are needed
CREATE ROLE regress_cache_reader;
SET ROLE regress_cache_reader;
SELECT name, entries FROM cache_stats ORDER BY name;
SELECT cache_stats_reset('a');
\echo :SQLSTATE
-- all of one's own: none
SELECT cache_stats_reset();
SELECT hits > 0 AS counted FROM cache_stats WHERE name = 'a';
RESET ROLE;
DROP ROLE regress_cache_reader;
-- DDL flushes
SELECT cache_stats_reset();
CREATE OR REPLACE FUNCTION load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE a = k';
SELECT name, entries, invalidations, flushes FROM counts;
SELECT cache_drop('a');
SELECT name FROM counts;
-- the time of loads, in milliseconds
CREATE FUNCTION slow(a int) RETURNS text LANGUAGE sql IMMUTABLE
AS $$SELECT 'slow' FROM pg_sleep(0.02)$$;
SELECT cache_create('slow', 'slow(int)');
SELECT cache_get('slow', 1), cache_get('slow', 1), cache_get('slow', 2);
SELECT load_time >= 40 AS loaded FROM cache_stats WHERE name = 'slow';
SELECT cache_stats_reset('slow');
SELECT load_time FROM cache_stats WHERE name = 'slow';
SELECT cache_drop('slow');
-- loads that end with an error are loads
CREATE FUNCTION inverse(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1 / a';
SELECT cache_create('inverse', 'inverse(int)');
SELECT cache_get('inverse', 0);
SELECT cache_get('inverse', 1);
SELECT cache_get_as(NULL::int, 'inverse', 0);
BEGIN;
SELECT * FROM cache_get_many('inverse', '{0,1}'::int[]);
ROLLBACK;
SELECT misses, loads, failed_loads, bypasses FROM counts WHERE name = 'inverse';
-- results that may not be stored
CREATE FUNCTION when_() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';
SELECT cache_create('when', 'when_()');
SELECT cache_get('when') IS NOT NULL;
SELECT * FROM cache_bypasses WHERE cache = 'when';
-- what temporary objects may hide
CREATE TABLE parent (k int);
CREATE FUNCTION children(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM parent WHERE k = a';
SELECT cache_create('children', 'children(int)'), cache_watch('children', 'parent', 'k');
CREATE TEMP TABLE child () INHERITS (parent);
SET client_min_messages = error;
SELECT cache_get('children', 1);
RESET client_min_messages;
SELECT * FROM cache_bypasses WHERE cache = 'children';
SELECT s.name, s.bypasses = sum(b.count) AS sum FROM cache_stats s JOIN cache_bypasses b ON b.cache = s.name
GROUP BY 1, s.bypasses ORDER BY 1;
