--
-- Values: NULL, large, larger than the cache.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, ''),
  (4, repeat('compressed ', 100000)),
  (5, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100000) i));
ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
INSERT INTO t VALUES (6, repeat('external ', 100000));
CREATE FUNCTION load(a int) RETURNS text
LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k');
CREATE VIEW oracle AS
SELECT k, length(v),
       cache_get('c', k) IS NOT DISTINCT FROM to_jsonb(load(k)) AS get,
       cache_get_as(NULL::text, 'c', k) IS NOT DISTINCT FROM load(k) AS get_as
FROM t ORDER BY k;
SELECT * FROM oracle;
SELECT * FROM oracle;
SELECT entries, hits, misses, loads FROM cache_stats;
UPDATE t SET v = v || 'b';
SELECT * FROM oracle;
-- the rows that toasted values came from are gone
SELECT cache_get_as(NULL::text, 'c', 6) = load(6) AS exact;
DELETE FROM t WHERE k > 3;
VACUUM t;
SELECT cache_get_as(NULL::text, 'c', 6) IS NULL AS gone, * FROM oracle;

-- larger than any entry may be: loaded every time
CREATE FUNCTION filler(n int) RETURNS text
LANGUAGE sql IMMUTABLE AS 'SELECT repeat(''x'', n)';
SELECT cache_create('filler', 'filler(int)');
SELECT length(cache_get_as(NULL::text, 'filler', 200000000));
SELECT length(cache_get_as(NULL::text, 'filler', 200000000));
SELECT entries, hits, loads, rejected, bypasses FROM cache_stats WHERE name = 'filler';
-- larger than its cache
SELECT cache_alter('filler', max_cost => 100000);
SELECT cache_stats_reset('filler');
SELECT length(cache_get_as(NULL::text, 'filler', 110000)), length(cache_get_as(NULL::text, 'filler', 110000));
SELECT length(cache_get_as(NULL::text, 'filler', 1000)), length(cache_get_as(NULL::text, 'filler', 1000));
SELECT entries, hits, loads, rejected, bypasses FROM cache_stats WHERE name = 'filler';
-- larger than jsonb can be: as to_jsonb() would say
SELECT cache_create('too_long', 'filler(int)');
SELECT length(cache_get('too_long', 300000000)::text);
\echo :SQLSTATE
SELECT cache_get('too_long', 3);

-- jsonb as it is
CREATE FUNCTION document(k int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT (ARRAY['null', '{}', '[]', '{"a": {"b": [1, 2.50, "x", null, true]}}', '"text"', '1e20', NULL])[k]::jsonb $$;
SELECT cache_create('document', 'document(int)');
SELECT k, cache_get('document', k) AS miss, cache_get('document', k) AS hit,
       cache_get('document', k) IS NULL AS "null"
FROM generate_series(1, 7) k;
SELECT hits, loads FROM cache_stats WHERE name = 'document';

-- a composite type whose layout changes
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION pair_of(k int) RETURNS pair LANGUAGE plpgsql STABLE AS
  'DECLARE p pair; BEGIN p.a := k; p.b := ''x''; RETURN p; END';
SELECT cache_create('pair', 'pair_of(int)');
SELECT cache_get('pair', 1), cache_get_as(NULL::pair, 'pair', 1);
SELECT cache_get('pair', 1), cache_get_as(NULL::pair, 'pair', 1);
ALTER TYPE pair ADD ATTRIBUTE c numeric;
SELECT cache_get('pair', 1), cache_get_as(NULL::pair, 'pair', 1);
ALTER TYPE pair DROP ATTRIBUTE b;
CREATE OR REPLACE FUNCTION pair_of(k int) RETURNS pair LANGUAGE plpgsql STABLE AS
  'DECLARE p pair; BEGIN p.a := k; p.c := 2; RETURN p; END';
SELECT cache_get('pair', 1), cache_get_as(NULL::pair, 'pair', 1);
SELECT cache_get('pair', 1), (cache_get_as(NULL::pair, 'pair', 1)).c;
