-- ttl, max_cost, entry_cost, cache_alter(), cache_stats, cache.enabled.
\ir ../exact.psql
SELECT plan(38);
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 200) i;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION load2(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT -v FROM t WHERE k = a';

-- ttl: on a table that is not watched
SELECT cache_create('ttl', 'load(int)', ttl => '1 hour');
SELECT exact('ttl', '1', 'load', 'miss and hit with a ttl');
UPDATE t SET v = 11 WHERE k = 1;
SELECT is(cache_get('ttl', 1), '10', 'an old value, by the user''s own wish');
SELECT is(hits('ttl', 'SELECT cache_get(''ttl'', 1)'), 1::bigint, 'a hit');
SELECT cache_alter('ttl', ttl => '100 milliseconds');
SELECT is(cache_get('ttl', 1), '11', 'cache_alter() empties the cache');
UPDATE t SET v = 12 WHERE k = 1;
SELECT pg_sleep(0.2);
SELECT is(cache_get('ttl', 1), '12', 'expired');
-- expired entries make room for others, and are counted
CREATE FUNCTION filler(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a';
SELECT cache_create('filler', 'filler(int)');
SELECT count(cache_get('ttl', k)) FROM generate_series(1001, 2000) k;
SELECT pg_sleep(0.2);
SELECT count(cache_get('filler', k)) FROM generate_series(1, 20000) k;
SELECT cmp_ok(counter('ttl', 'expirations'), '>=', 1000::bigint, 'counted as expirations');
SELECT is(counter('ttl', 'entries'), 0::bigint, 'none is left');
SELECT is(counter('filler', 'entries'), 20000::bigint, 'the others are');
SELECT cache_alter('ttl', ttl => '1 hour');
-- uncommitted changes of an unwatched table are never stored
BEGIN;
UPDATE t SET v = 13 WHERE k = 1;
SELECT is(cache_get('ttl', 1), '13', 'own write of an unwatched table');
ROLLBACK;
SELECT is(cache_get('ttl', 1), '12', 'is not stored');
BEGIN;
SAVEPOINT s;
UPDATE t SET v = 14 WHERE k = 2;
SELECT is(cache_get('ttl', 2), '14', 'own write in a savepoint');
ROLLBACK TO s;
SELECT is(cache_get('ttl', 2), '20', 'rolled back');
COMMIT;
SELECT is(cache_get('ttl', 2), '20', 'is not stored');

-- a ttl on a watched table: writes count at once
SELECT cache_create('both', 'load(int)', ttl => '1 hour'), cache_watch('both', 't', 'k');
SELECT exact('both', '3', 'load', 'ttl and watch');
UPDATE t SET v = 33 WHERE k = 3;
SELECT is(cache_get('both', 3), '33', 'a write counts at once');
SELECT cache_drop('both');

-- costs
SELECT cache_create('cost', 'load(int)', max_cost => 20, entry_cost => 2), cache_watch('cost', 't', 'k');
CREATE FUNCTION most(cache text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  most bigint := 0;
BEGIN
  FOR i IN 1 .. 200 LOOP
    PERFORM cache_get(cache, i), cache_get(cache, i % 7 + 1);
    most := greatest(most, counter(cache, 'cost'));
  END LOOP;
  RETURN most;
END $$;
SELECT is(most('cost'), 20::bigint, 'max_cost is reached and never exceeded');
SELECT is(counter('cost', 'entries'), 10::bigint, 'ten entries of two');
SELECT is(counter('cost', 'cost'), 20::bigint, 'cost');
SELECT cmp_ok(counter('cost', 'evictions') + counter('cost', 'rejected'), '>=', 190::bigint, 'evictions and rejections');
SELECT is(counter('cost', 'loads') - counter('cost', 'evictions') - counter('cost', 'rejected'), 10::bigint,
          'every load is stored, evicted or rejected');
SELECT same('cost', 'load', 'SELECT k FROM t', 'exact, whatever is evicted');
SELECT cache_alter('cost', max_cost => 10);
SELECT cmp_ok(most('cost'), '<=', 10::bigint, 'a lower max_cost');
SELECT cache_alter('cost', entry_cost => 10);
SELECT cmp_ok(most('cost'), '<=', 10::bigint, 'one entry');
SELECT cache_alter('cost', max_cost => 0, entry_cost => 0);
SELECT same('cost', 'load', 'SELECT k FROM t', 'without limits');
SELECT is(hits('cost', 'SELECT count(cache_get(''cost'', k)) FROM t'), 200::bigint, 'everything stays');
SELECT is(counter('cost', 'cost'), counter('cost', 'bytes'), 'an entry costs its bytes');
SELECT cache_alter('cost', max_cost => 5000);
SELECT cmp_ok(most('cost'), '<=', 5000::bigint, 'max_cost in bytes');
SELECT cache_alter('cost', max_cost => 0);

-- another loader
SELECT is(cache_get('cost', 5), '50', 'before');
SELECT cache_alter('cost', loader => 'load2(int)');
SELECT is(cache_get('cost', 5), '-50', 'another loader');
UPDATE t SET v = 55 WHERE k = 5;
SELECT is(cache_get('cost', 5), '-55', 'is watched as the former was');
BEGIN;
SELECT cache_alter('cost', loader => 'load(int)');
SELECT is(cache_get('cost', 5), '55', 'altered in this transaction');
ROLLBACK;
SELECT is(cache_get('cost', 5), '-55', 'and rolled back');
SELECT cache_alter('cost', redis => true);
SELECT ok((SELECT redis FROM cache_definition WHERE name = 'cost'), 'redis');

-- switched off for a session
SELECT cache_get('cost', 5);
SET cache.enabled = off;
SELECT is(hits('cost', 'SELECT cache_get(''cost'', 5)'), 0::bigint, 'off: no hits');
UPDATE t SET v = 56 WHERE k = 5;
SELECT is(cache_get('cost', 5), '-56', 'off: exact');
RESET cache.enabled;
SELECT is(cache_get('cost', 5), '-56', 'writes of a session that has it off invalidate');

-- counters
SELECT cache_stats_reset('cost');
SELECT cache_get('cost', 6), cache_get('cost', 6);
SELECT cache_get('cost', 6);
SELECT is((SELECT (hits, misses, loads, bypasses, hit_ratio)::text FROM cache_stats WHERE name = 'cost'),
          (hits, misses, loads, bypasses, ratio)::text, 'counters')
FROM (VALUES (2, 1, 1, 0, 2 / 3::float8)) v (hits, misses, loads, bypasses, ratio);
SELECT is(counter('cost', 'rejected'), 0::bigint, 'reset');
SELECT * FROM finish();
