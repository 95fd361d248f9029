-- What a session knows of the watches below a partitioned table follows the table's
-- partitions, as they come, go and change, and only them.
\ir ../exact.psql
SELECT plan(12);
CREATE TABLE p (k int, v int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE deep PARTITION OF p FOR VALUES IN (31, 32, 33) PARTITION BY LIST (k);
CREATE TABLE deep31 PARTITION OF deep FOR VALUES IN (31);
CREATE TABLE late (k int, v int);
CREATE TABLE tree (k int, v int) PARTITION BY LIST (k);
CREATE TABLE tree41 PARTITION OF tree FOR VALUES IN (41);

-- A cache for each table, and a trigger that compares before that of the watch, whose
-- name begins with an exclamation mark.
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  loaded jsonb;
BEGIN
  EXECUTE format('SELECT to_jsonb(load_%s(%s))', TG_TABLE_NAME, NEW.k) INTO loaded;
  IF cache_get(TG_TABLE_NAME, NEW.k) IS DISTINCT FROM loaded THEN
    RAISE 'not exact in a trigger of %', TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$;
SELECT format('CREATE FUNCTION load_%s(a int) RETURNS bigint LANGUAGE sql STABLE AS ''SELECT sum(v) FROM %s WHERE k = a''', t, t),
  format('SELECT cache_create(%L, %L)', t, format('load_%s(int)', t)),
  format('CREATE TRIGGER " first" AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION look()', t)
FROM unnest('{p1, deep31, late, tree41}'::text[]) t
\gexec

-- written writes a row through the parent and says how often the cache was hit then.
CREATE FUNCTION written(key int, cache text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint;
BEGIN
  EXECUTE 'SELECT cache_get($1, $2)' USING cache, key;
  before := counter(cache, 'hits');
  EXECUTE 'INSERT INTO p VALUES ($1, 1)' USING key;
  RETURN counter(cache, 'hits') - before;
END $$;

SET client_min_messages = error;
SELECT lives_ok('INSERT INTO p VALUES (1, 1), (31, 1)', 'no watches');
SELECT cache_watch('deep31', 'deep31', 'k');
SELECT is(written(31, 'deep31'), 0::bigint, 'a partition of a partition is watched');
SELECT is(written(31, 'deep31'), 0::bigint, 'it still is');
SELECT cache_watch('p1', 'p1', 'k');
SELECT is(written(1, 'p1'), 0::bigint, 'so is a partition');

-- Partitions that are watched when they come
SELECT cache_watch('late', 'late', 'k'), cache_watch('tree41', 'tree41', 'k');
SELECT lives_ok('INSERT INTO p VALUES (1, 1)', 'they are not there yet');
ALTER TABLE deep ATTACH PARTITION late FOR VALUES IN (33);
SELECT is(written(33, 'late'), 0::bigint, 'a watched table becomes a partition');
ALTER TABLE p ATTACH PARTITION tree FOR VALUES IN (41);
SELECT is(written(41, 'tree41'), 0::bigint, 'and a partitioned one with a watched partition');

-- Partitions that go, and watches
ALTER TABLE deep DETACH PARTITION late;
SELECT lives_ok('INSERT INTO p VALUES (31, 1)', 'after one has gone');
SELECT lives_ok('INSERT INTO late VALUES (33, 1)', 'it is watched for itself');
SELECT cache_unwatch('deep31', 'deep31');
SELECT cache_watch('deep31', 'deep31', 'k');
SELECT is(written(31, 'deep31'), 0::bigint, 'watched again');

-- More tables change than are remembered.
SELECT cache_unwatch('deep31', 'deep31');
SELECT lives_ok('INSERT INTO p VALUES (31, 1)', 'not watched');
BEGIN;
SELECT cache_watch('deep31', 'deep31', 'k');
SELECT format('CREATE TABLE another%s (i serial PRIMARY KEY)', i) FROM generate_series(1, 100) i
\gexec
COMMIT;
SELECT is(written(31, 'deep31'), 0::bigint, 'watched, and a hundred tables made');
SELECT * FROM finish();
