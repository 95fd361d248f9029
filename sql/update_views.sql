--
-- ALTER EXTENSION UPDATE: functions and views with new columns.  Who may call
-- them stays as it is, and so does what depends on them.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION cache;
CREATE EXTENSION cache VERSION '1.0';
CREATE ROLE regress_cache_asker;
CREATE ROLE regress_cache_reader;
REVOKE EXECUTE ON FUNCTION cache_rate_limit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cache_rate_limit TO regress_cache_asker;
REVOKE SELECT ON cache_stats FROM PUBLIC;
GRANT SELECT ON cache_stats TO regress_cache_reader;
-- with the new library
SET cache.rate_limit_clock = 1000000000;
SELECT * FROM cache_rate_limit('update', 1, '1 minute');
CREATE VIEW asked AS SELECT * FROM cache_rate_limit('update', 1, '1 minute');
CREATE VIEW hit_ratios AS SELECT name, hit_ratio FROM cache_stats;
CREATE FUNCTION in_sql() RETURNS interval LANGUAGE sql
BEGIN ATOMIC
  SELECT c FROM cache_rate_limit('update', 1, '1 minute') AS r (a, b, c);
END;
CREATE FUNCTION in_plpgsql() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer record;
  a boolean;
  b integer;
  c interval;
BEGIN
  answer := cache_rate_limit('update', 1, '1 minute');
  SELECT * INTO a, b, c FROM cache_rate_limit('update', 1, '1 minute');
  RETURN format('%s %s, %s %s', answer.allowed, answer.retry_after, a, c);
END $$;
SELECT * FROM asked;
SELECT in_sql(), in_plpgsql();

ALTER EXTENSION cache UPDATE;
SELECT * FROM asked;
SELECT in_sql(), in_plpgsql();
SELECT cache_create('c');
SELECT * FROM hit_ratios;
SELECT * FROM cache_rate_limit('update', 1, '1 minute');
SELECT count(waits) FROM cache_stats;
-- what 1.0 calls gives what it gave
CREATE FUNCTION rows_before(OUT name text, OUT entries bigint, OUT bytes bigint, OUT cost bigint, OUT hits bigint,
  OUT redis_hits bigint, OUT misses bigint, OUT loads bigint, OUT bypasses bigint, OUT rejected bigint,
  OUT evictions bigint, OUT expirations bigint, OUT invalidations bigint, OUT hit_ratio double precision,
  OUT load_time double precision)
RETURNS SETOF record LANGUAGE c AS '$libdir/cache', 'cache_stats_rows';
SELECT cache_get('c', 'a');
SELECT name, misses, loads, hit_ratio, load_time > 0 AS loaded FROM rows_before();
SET ROLE regress_cache_asker;
SELECT retry_after_seconds FROM cache_rate_limit('update', 1, '1 minute');
SELECT count(waits) FROM cache_stats;
\echo :SQLSTATE
SET ROLE regress_cache_reader;
SELECT * FROM cache_rate_limit('update', 1, '1 minute');
\echo :SQLSTATE
SELECT count(waits) FROM cache_stats;
RESET ROLE;
-- and they are dropped with the extension
SELECT count(*) FROM pg_proc WHERE proname ~ '^cache_.*before';
DROP EXTENSION cache CASCADE;
SELECT proname FROM pg_proc WHERE proname ~ '^cache_';
DROP ROLE regress_cache_asker, regress_cache_reader;
