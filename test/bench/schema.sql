-- The data that most measurements share: 100,000 items with a value of 400
-- bytes, and what may look one up.
CREATE EXTENSION cache;
SELECT setseed(0.5);

CREATE FUNCTION naive_put(int, jsonb) RETURNS void LANGUAGE c STRICT AS :'naive';
CREATE FUNCTION naive_get(int) RETURNS jsonb LANGUAGE c STRICT STABLE AS :'naive';
CREATE FUNCTION naive_copy(int) RETURNS bytea LANGUAGE c STRICT STABLE AS :'naive';
CREATE FUNCTION naive_redis_connect(text) RETURNS void LANGUAGE c STRICT AS :'naive';
CREATE FUNCTION naive_redis(int) RETURNS text LANGUAGE c STRICT STABLE AS :'naive';
CREATE FUNCTION naive_redis_many(int[]) RETURNS bigint LANGUAGE c STRICT STABLE AS :'naive';
CREATE FUNCTION naive_redis_rows(int[]) RETURNS TABLE (key int, value text) LANGUAGE c STRICT STABLE AS :'naive';
CREATE FUNCTION naive_trigger() RETURNS trigger LANGUAGE c AS :'naive';

CREATE TABLE item (id int PRIMARY KEY, value jsonb NOT NULL);
INSERT INTO item
SELECT i, jsonb_build_object('id', lpad(i::text, 6, '0'), 'name', 'item ' || lpad(i::text, 6, '0'),
         'price', 1000 + i % 9000, 'tags',
         jsonb_build_array(md5(i::text), md5('a' || i)), 'text',
         left(repeat(md5('b' || i), 10), 230))
FROM generate_series(1, 100000) i;
VACUUM ANALYZE item;

-- A lookup by primary key, in both languages; the first is the caches' loader.
CREATE FUNCTION item_plpgsql(int) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
  v jsonb;
BEGIN
  SELECT value INTO v FROM item WHERE id = $1;
  RETURN v;
END $$;
CREATE FUNCTION item_sql(int) RETURNS jsonb LANGUAGE sql STABLE
AS 'SELECT value FROM item WHERE id = $1';

-- What people build where there is no cache: a table of values, with expiry.
CREATE UNLOGGED TABLE cached (cache text, key text, value jsonb,
  expires timestamptz, PRIMARY KEY (cache, key));
INSERT INTO cached SELECT 'item', id, value, now() + interval '1 day' FROM item;
VACUUM ANALYZE cached;
CREATE FUNCTION cached_get(cache text, key text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
  v jsonb;
BEGIN
  SELECT c.value INTO v FROM cached c
  WHERE c.cache = cached_get.cache AND c.key = cached_get.key AND c.expires > now();
  RETURN v;
END $$;

-- An aggregate over 2,000 rows.
CREATE TABLE sale (id int PRIMARY KEY, customer int NOT NULL, amount numeric NOT NULL);
INSERT INTO sale SELECT i, 1 + i % 100, round((random() * 1000)::numeric, 2)
FROM generate_series(1, 200000) i;
CREATE INDEX ON sale (customer);
VACUUM ANALYZE sale;
CREATE FUNCTION sale_total(int) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('count', count(*), 'total', sum(amount), 'largest', max(amount))
  FROM sale WHERE customer = $1
$$;

-- Keys to look up, in this order.
CREATE TABLE random_key AS SELECT id AS k FROM item ORDER BY random();
CREATE TABLE random_keys AS
SELECT array_agg(k) AS keys FROM (SELECT k, row_number() OVER () AS n FROM random_key) numbered GROUP BY n / 100;
CREATE TABLE hot_key AS SELECT (1 + floor(random() * 1000))::int AS k
FROM generate_series(1, 100000);
CREATE TABLE zipf_key AS SELECT floor(exp(random() * ln(100001)))::int AS k
FROM generate_series(1, 100000);
CREATE TABLE one_key AS SELECT 1 AS k FROM generate_series(1, 100000);
VACUUM ANALYZE random_key, hot_key, zipf_key, one_key;

SELECT cache_create('item', 'item_plpgsql(int)');
SELECT cache_watch('item', 'item', 'id');
SELECT cache_create('total', 'sale_total(int)');
SELECT cache_watch('total', 'sale', 'customer');
SELECT count(naive_put(id, value)), count(cache_get('item', id)) FROM item;
SELECT count(cache_get('total', customer)) FROM generate_series(1, 100) customer;
DO $$
BEGIN
  ASSERT (SELECT min(pg_column_size(value)) = 400 AND max(pg_column_size(value)) = 400
    FROM item), (SELECT min(pg_column_size(value)) || ' ' || max(pg_column_size(value)) FROM item);
  ASSERT (SELECT bool_and(cache_get('item', id) = value AND naive_get(id) = value)
    FROM item), 'values differ';
END $$;
