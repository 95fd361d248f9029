--
-- The view cache_memory: where every byte is.
--
\set SHOW_CONTEXT never
SELECT column_name, data_type FROM information_schema.columns
WHERE table_name = 'cache_memory' ORDER BY ordinal_position;
SELECT part FROM cache_memory;
CREATE VIEW whole AS
SELECT (SELECT sum(bytes) FROM cache_memory) =
       (SELECT sum(size) FROM pg_shmem_allocations WHERE name IN ('cache', 'cache rate limits')) AS whole;
-- (databases of other tests have entries, too)
CREATE VIEW of_entries AS
SELECT sum(bytes) FILTER (WHERE part = 'keys') AS keys,
       sum(bytes) FILTER (WHERE part = 'values') AS values,
       sum(bytes) FILTER (WHERE part = 'own policies') AS own_policies,
       sum(bytes) FILTER (WHERE part IN ('entry headers', 'keys', 'values', 'rounding')) -
       (SELECT sum(s.bytes) FROM cache_stats s) AS of_others,
       min(bytes) >= 0 AND sum(bytes) FILTER (WHERE part = 'arena') < 64 AS nothing_else
FROM cache_memory;
SELECT * FROM whole;
-- values of 100 and 1000 bytes without their length word; keys of 4 bytes
CREATE FUNCTION load(a int) RETURNS text LANGUAGE sql IMMUTABLE SECURITY DEFINER
AS 'SELECT repeat(''x'', CASE WHEN a > 100 THEN 1000 ELSE 100 END)';
SELECT cache_create('a', 'load(int)');
-- what others have left behind is swept up
SELECT count(cache_get('a', k)) FROM generate_series(1, 1000) k;
SELECT cache_invalidate('a');
SELECT count(cache_get('a', k)) FROM generate_series(1, 1000) k;
CREATE TEMP TABLE before AS SELECT * FROM of_entries;
SELECT count(cache_get_as(NULL::text, 'a', k)) FROM generate_series(1, 200) k;
SELECT * FROM whole;
SELECT o.keys - b.keys AS keys, o.values - b.values AS values, o.own_policies > b.own_policies AS own_policies, o.of_others = b.of_others AS all_entries, o.nothing_else
FROM of_entries o, before b;
-- written again, with another size; the old ones are gone
CREATE OR REPLACE FUNCTION load(a int) RETURNS text LANGUAGE sql IMMUTABLE SECURITY DEFINER
AS 'SELECT repeat(''y'', 10)';
SELECT cache_invalidate('a');
SELECT count(cache_get_as(NULL::text, 'a', k)) FROM generate_series(1, 200) k;
SELECT * FROM whole;
-- a policy of its own
SELECT cache_alter('a', max_cost => 100, entry_cost => 1);
SELECT count(cache_get_as(NULL::text, 'a', k)) FROM generate_series(1, 200) k;
SELECT * FROM whole;
SELECT o.own_policies > b.own_policies AS own_policies, o.nothing_else FROM of_entries o, before b;
SELECT cache_drop('a');
SELECT * FROM whole;
-- everybody may see it
CREATE ROLE regress_cache_memory;
SET ROLE regress_cache_memory;
SELECT count(*) > 0 FROM cache_memory;
RESET ROLE;
DROP ROLE regress_cache_memory;
DROP VIEW whole, of_entries;
DROP FUNCTION load(int);
