--
-- max_cost and entry_cost: never exceeded.
--
\set SHOW_CONTEXT never
CREATE FUNCTION load(k int) RETURNS text
LANGUAGE sql IMMUTABLE AS 'SELECT repeat(''v'', k % 1000)';
-- in entries
SELECT cache_create('ten', 'load(int)', max_cost => 10, entry_cost => 1);
SELECT count(cache_get('ten', k)) FROM generate_series(1, 1000) k;
SELECT entries, cost, evictions + rejected = loads - 10 AS balanced FROM cache_stats WHERE name = 'ten';
SELECT count(cache_get('ten', k)) FROM generate_series(1, 1000) k;
SELECT entries, cost FROM cache_stats WHERE name = 'ten';
-- in entries of 3
SELECT cache_alter('ten', entry_cost => 3);
SELECT count(cache_get('ten', k)) FROM generate_series(1, 1000) k;
SELECT entries, cost FROM cache_stats WHERE name = 'ten';
SELECT cache_alter('ten', max_cost => 3);
SELECT count(cache_get('ten', k)) FROM generate_series(1, 1000) k;
SELECT entries <= 1 AS one, cost <= 3 AS cost FROM cache_stats WHERE name = 'ten';
-- in bytes
SELECT cache_create('bytes', 'load(int)', max_cost => 100000);
SELECT count(cache_get('bytes', k)) FROM generate_series(1, 3000) k;
SELECT cost <= 100000 AS within, cost > 50000 AS used, cost = bytes AS bytes FROM cache_stats WHERE name = 'bytes';
-- a byte
SELECT cache_create('byte', 'load(int)', max_cost => 1);
SELECT cache_get('byte', 3), cache_get('byte', 3);
SELECT entries, cost, hits, rejected FROM cache_stats WHERE name = 'byte';
-- none: the pool
SELECT cache_alter('ten', max_cost => 0, entry_cost => 0);
SELECT count(cache_get('ten', k)) FROM generate_series(1, 1000) k;
SELECT entries, cost = bytes AS bytes FROM cache_stats WHERE name = 'ten';
-- what is used often stays
SELECT cache_create('often', 'load(int)', max_cost => 100, entry_cost => 1);
DO $$
BEGIN
  FOR i IN 1 .. 20 LOOP
    PERFORM cache_get('often', k) FROM generate_series(1, 50) k;
  END LOOP;
  PERFORM cache_get('often', k) FROM generate_series(1000, 1400) k;
END $$;
SELECT cache_stats_reset('often');
SELECT count(cache_get('often', k)) FROM generate_series(1, 50) k;
SELECT hits >= 20 AS stayed FROM cache_stats WHERE name = 'often';
