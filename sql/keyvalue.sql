--
-- Caches without a loader: cache_set() and what gets give for it.
--
\set SHOW_CONTEXT never
SELECT cache_create('kv');
SELECT name, loader_schema, loader_name, loader_args, settings, key_collations FROM cache_definition;
SELECT cache_get('kv', 'a');
SELECT cache_set('kv', 'a', '{"n": 1}');
SELECT cache_get('kv', 'a'), cache_get('kv', 'a'), cache_get_as(NULL::jsonb, 'kv', 'a');
SELECT hits, misses, loads, bypasses FROM cache_stats;
SELECT cache_set('kv', 'a', '{"n": 2}');
SELECT cache_get('kv', 'a');
-- absent keys are cached too, and so are values that are null
SELECT cache_get('kv', 'nothing');
SELECT cache_set('kv', 'null', NULL), cache_set('kv', 'json null', 'null');
SELECT cache_get('kv', 'null') IS NULL, cache_get('kv', 'json null') IS NULL;
SELECT cache_stats_reset('kv');
SELECT cache_get('kv', 'nothing'), cache_get('kv', 'null'), cache_get('kv', 'json null'), cache_get('kv', 'a');
SELECT hits, misses FROM cache_stats;
SELECT cache_set('kv', 'nothing', '"something"');
SELECT cache_get('kv', 'nothing');
-- keys are compared by their bytes
SELECT cache_set('kv', '', '"empty"'), cache_set('kv', 'ä', '"ä"'), cache_set('kv', 'A', '"A"');
SELECT cache_get('kv', ''), cache_get('kv', 'ä'), cache_get('kv', 'A'), cache_get('kv', 'a');
-- keys of any type that is a text, and parameters without a type
SELECT cache_get('kv', 'a'::varchar), cache_get('kv', 'a'::name), cache_get('kv', 'a  '::char(3));
PREPARE get AS SELECT cache_get('kv', $1), cache_get_as(NULL::jsonb, 'kv', $1), cache_ttl('kv', $1);
EXECUTE get ('a');
DEALLOCATE get;
SELECT cache_get('kv', VARIADIC ARRAY['a']);
SELECT cache_get('kv', NULL);
-- as all at once
SELECT * FROM cache_get_many('kv', ARRAY['a', NULL, 'no', 'ä', 'a']);

-- the transaction's own
BEGIN;
SELECT cache_set('kv', 'a', '3');
SELECT cache_get('kv', 'a');
SAVEPOINT s;
SELECT cache_set('kv', 'a', '4'), cache_set('kv', 'new', '4');
SELECT cache_get('kv', 'a'), cache_get('kv', 'new');
SELECT cache_invalidate('kv', 'a');
SELECT cache_get('kv', 'a');
ROLLBACK TO s;
SELECT cache_get('kv', 'a'), cache_get('kv', 'new');
ROLLBACK;
SELECT cache_get('kv', 'a');
DO $$
BEGIN
  PERFORM cache_set('kv', 'a', '5');
  ASSERT cache_get('kv', 'a') = '5', 'own set';
  BEGIN
    PERFORM cache_set('kv', 'a', '6');
    ASSERT cache_get('kv', 'a') = '6', 'in a block';
    RAISE 'undo';
  EXCEPTION WHEN raise_exception THEN
    ASSERT cache_get('kv', 'a') = '5', 'after the block';
  END;
END $$;
SELECT cache_get('kv', 'a');

-- invalidation removes
SELECT cache_invalidate('kv', 'a');
SELECT cache_get('kv', 'a');
SELECT cache_invalidate('kv', NULL);
SELECT cache_invalidate('kv');
SELECT cache_get('kv', 'ä'), cache_get('kv', 'nothing');
SELECT count(*) FROM cache_value;

-- time to live: of the key, or else of the cache; exact
SELECT cache_set('kv', 'short', '1', ttl => '1 hour'), cache_set('kv', 'long', '2');
SELECT cache_ttl('kv', 'short') BETWEEN '59 minutes 50 seconds' AND '1 hour' AS short, cache_ttl('kv', 'long'), cache_ttl('kv', 'no');
SELECT cache_alter('kv', ttl => '1 day');
SELECT cache_set('kv', 'short', '1', ttl => '1 hour'), cache_set('kv', 'default', '2');
BEGIN;
SELECT cache_set('kv', 'exact', '1') IS NOT NULL AS set, statement_timestamp() + interval '1 day' AS expires \gset
SELECT expires = :'expires' AS exact FROM cache_value WHERE key = 'exact';
COMMIT;
SELECT cache_get('kv', 'long'), cache_ttl('kv', 'long');
SELECT cache_alter('kv', ttl => '0');
-- expired: absent, and removed by and by when others are set
SELECT cache_set('kv', 'gone', '1', ttl => '1 microsecond');
SELECT cache_get('kv', 'gone'), cache_ttl('kv', 'gone');
SELECT cache_set('kv', k, '1', ttl => '1 microsecond') FROM unnest('{a,b,c}'::text[]) k;
SELECT cache_set('kv', 'other', '1');
SELECT key FROM cache_value ORDER BY key;
SELECT cache_set('kv', 'gone', '2');
SELECT cache_get('kv', 'gone');
SELECT cache_set('kv', 'gone', '3', ttl => '1000 years');
SELECT cache_get('kv', 'gone'), cache_ttl('kv', 'gone') > '999 years';

-- costs: of the entry, or else of the cache
SELECT cache_create('costs', max_cost => 100, entry_cost => 10);
SELECT cache_set('costs', k::text, to_jsonb(k), cost => CASE k WHEN 1 THEN 50 WHEN 2 THEN 1 END) FROM generate_series(1, 3) k;
SELECT cache_get('costs', k::text) FROM generate_series(1, 3) k;
SELECT entries, cost, rejected FROM cache_stats WHERE name = 'costs';
-- never in memory, but not lost
SELECT cache_set('costs', 'huge', '"huge"', cost => 101);
SELECT cache_get('costs', 'huge'), cache_get('costs', 'huge');
SELECT entries, cost, rejected FROM cache_stats WHERE name = 'costs';
-- nor is what is evicted
SELECT count(cache_set('costs', k::text, to_jsonb(k))) FROM generate_series(1, 200) k;
SELECT count(*) FROM generate_series(1, 200) k WHERE cache_get('costs', k::text) = to_jsonb(k);
SELECT entries <= 10 AS few, cost <= 100 AS cheap, rejected + evictions > 0 AS gone FROM cache_stats WHERE name = 'costs';

-- limits
SELECT cache_set('kv', repeat('k', 2049), '1');
\echo :SQLSTATE
SELECT cache_set('kv', repeat('k', 2047) || 'x', '"longest"');
SELECT cache_set('kv', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 64) i), '"of 2048 bytes"');
SELECT cache_get('kv', repeat('k', 2047) || 'x'), cache_get('kv', repeat('k', 2049)), cache_get('kv', repeat('k', 100000));
SELECT cache_get('kv', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 64) i));
\set VERBOSITY terse
SELECT cache_set('kv', 'large', to_jsonb(repeat('v', 40000000)));
\set VERBOSITY default
\echo :SQLSTATE
SELECT cache_set('kv', 'large', to_jsonb(repeat('v', 1000000)));
SELECT cache_get('kv', 'large') = to_jsonb(repeat('v', 1000000)) AS whole;
SELECT cache_set('kv', 'a', '1', ttl => '0');
\echo :SQLSTATE
SELECT cache_set('kv', 'a', '1', ttl => '-1 second');
\echo :SQLSTATE
SELECT cache_set('kv', 'a', '1', ttl => '300000 years');
\echo :SQLSTATE
SELECT cache_set('kv', 'a', '1', cost => 0);
\echo :SQLSTATE
SELECT cache_set('kv', 'a', '1', cost => -1);
\echo :SQLSTATE
SELECT cache_set('kv', NULL, '1');
\echo :SQLSTATE
SELECT cache_set(NULL, 'a', '1');
\echo :SQLSTATE
SELECT cache_set('no such cache', 'a', '1');
\echo :SQLSTATE
SELECT cache_get('kv');
\echo :SQLSTATE
SELECT cache_get('kv', 'a', 'b');
\echo :SQLSTATE
SELECT cache_get('kv', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::text, 'kv', 'a');
\echo :SQLSTATE
SELECT cache_watch('kv', 'cache_definition');
\echo :SQLSTATE
SELECT cache_watch('kv', 'cache_definition', keys => 'lower(text)'::regprocedure);
\echo :SQLSTATE
SELECT cache_alter('kv', 'lower(text)');
\echo :SQLSTATE
SELECT cache_create('lower', 'lower(text)');
SELECT cache_set('lower', 'a', '1');
\echo :SQLSTATE
BEGIN READ ONLY;
SELECT cache_set('kv', 'a', '1');
\echo :SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT cache_invalidate('kv', 'a');
ROLLBACK;
BEGIN READ ONLY;
SELECT cache_get('kv', 'gone');
ROLLBACK;

-- a loader that reads such a cache reads a table that nobody watches
CREATE FUNCTION outer_load(k text) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT cache_get(''kv'', k)';
SELECT cache_create('outer', 'outer_load(text)');
SELECT cache_get('outer', 'gone');
SELECT cache_watch('outer', 'cache_value');
SELECT cache_set('kv', 'gone', '4');
SELECT cache_get('outer', 'gone');
SELECT cache_get('outer', 'gone');
SELECT cache_set('kv', 'gone', '5');
SELECT cache_get('outer', 'gone');
-- with a ttl it is stored, but not for longer than what it has read is good
SELECT cache_alter('outer', ttl => '1 day');
SELECT cache_set('kv', 'gone', '6', ttl => '1 minute');
SELECT cache_get('outer', 'gone'), cache_get('outer', 'gone');
SELECT cache_ttl('outer', 'gone') <= '1 minute' AS bounded;
SELECT hits FROM cache_stats WHERE name = 'outer';

SELECT cache_alter('outer', ttl => '0');
SELECT cache_get('outer', 'gone');
SELECT cache, object, problem FROM cache_check() WHERE cache <> 'costs';

-- altering keeps what was set, dropping does not; another one begins anew
SELECT cache_set('kv', 'a', '7');
SELECT cache_alter('kv', max_cost => 1000000);
SELECT cache_get('kv', 'a');
BEGIN;
SELECT cache_drop('kv');
ROLLBACK;
SELECT cache_get('kv', 'a');
SELECT cache_drop('kv'), cache_drop('costs');
SELECT count(*) FROM cache_value;
BEGIN;
SELECT cache_create('kv');
SELECT cache_get('kv', 'a');
SELECT cache_set('kv', 'a', '8');
SELECT cache_get('kv', 'a');
COMMIT;
SELECT cache_get('kv', 'a');
-- the names of what is written are found wherever the extension is
ALTER SCHEMA public RENAME TO "else where";
SET search_path = "else where";
SELECT cache_set('kv', 'b', '10');
SELECT cache_get('kv', 'a'), cache_get('kv', 'b');
ALTER SCHEMA "else where" RENAME TO public;
RESET search_path;
SELECT cache_set('kv', 'b', '11');
SELECT cache_get('kv', 'b');
-- and no other ones
CREATE SCHEMA trap;
CREATE FUNCTION trap.caught(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''caught''; END';
CREATE FUNCTION trap.caught(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''caught''; END';
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.caught);
CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.caught);
CREATE TEMP TABLE cache_value (LIKE cache_value);
SET search_path = trap, pg_catalog, public;
SELECT cache_set('kv', 'b', '12'), cache_invalidate('kv', 'a');
SELECT cache_get('kv', 'a'), cache_get('kv', 'b');
RESET search_path;
DROP TABLE pg_temp.cache_value;

-- nobody else's business
SELECT relpersistence FROM pg_class WHERE oid = 'cache_value'::regclass;
