-- Values that carry a checksum, of 100 bytes to 20 kB and one in 100 of 100 kB,
-- for the scripts torn_read.pgbench and torn_write.pgbench: in a small cache.memory
-- entries are evicted and moved all the time while others read them.
CREATE TABLE torn (id integer PRIMARY KEY, version integer NOT NULL DEFAULT 0);
INSERT INTO torn SELECT i FROM generate_series(1, 1000) i;
CREATE FUNCTION torn_value(key integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('key', key, 'sum', md5(key || body), 'body', body)
  FROM torn, LATERAL (SELECT repeat(md5(id || ' ' || version),
    CASE WHEN id % 100 = 0 THEN 3000 WHEN (id + version) % 10 = 0 THEN 600 ELSE 1 + (7 * id + version) % 60 END) AS body) b
  WHERE id = key
$$;
SELECT cache_create('torn', 'torn_value(integer)');
SELECT cache_watch('torn', 'torn', 'id');
-- torn_read reads keys at random, the lower the more often, and fails if a value
-- is not what was stored.
CREATE FUNCTION torn_read(n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  k integer;
  v jsonb;
BEGIN
  FOR i IN 1 .. n LOOP
    k := 1 + floor(1000 * random() ^ 3);
    v := cache_get('torn', k);
    IF v ->> 'sum' IS DISTINCT FROM md5(k || (v ->> 'body')) OR v -> 'key' IS DISTINCT FROM to_jsonb(k) THEN
      RAISE EXCEPTION 'torn value for key %', k USING DETAIL = left(v::text, 200);
    END IF;
  END LOOP;
END $$;
