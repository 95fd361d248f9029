-- A write through a partitioned table locks the partition that its row ends in, and
-- no other: with and without watches, on the parent or on some partition.
\ir ../exact.psql
SELECT plan(9);
CREATE TABLE p (k int, v int) PARTITION BY LIST (k);
SELECT format('CREATE TABLE p%s PARTITION OF p FOR VALUES IN (%s)', i, i) FROM generate_series(1, 30) i
\gexec
CREATE TABLE deep PARTITION OF p FOR VALUES IN (31, 32) PARTITION BY LIST (k);
CREATE TABLE deep31 PARTITION OF deep FOR VALUES IN (31);
CREATE TABLE deep32 PARTITION OF deep FOR VALUES IN (32);
CREATE FUNCTION load1(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM p1 WHERE k = a';
CREATE FUNCTION load31(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM deep31 WHERE k = a';
CREATE FUNCTION load(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM p WHERE k = a';
SELECT cache_create('c1', 'load1(int)'), cache_create('c31', 'load31(int)'), cache_create('c', 'load(int)');

-- The partitions that the transaction has locked after this statement.
CREATE FUNCTION locked(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  found text;
BEGIN
  EXECUTE statement;
  SELECT string_agg(DISTINCT relation::regclass::text, ' ') INTO found FROM pg_locks
  WHERE pid = pg_backend_pid() AND relation::regclass::text ~ '^(p|deep)[0-9]+$';
  RETURN found;
END $$;

SELECT is(locked('INSERT INTO p VALUES (1, 1)'), 'p1', 'no watches');
SELECT cache_watch('c1', 'p1', 'k'), cache_watch('c31', 'deep31', 'k');
SELECT is(locked('INSERT INTO p VALUES (2, 1)'), 'p2', 'watches of other partitions');
SELECT is(locked('INSERT INTO p VALUES (31, 1)'), 'deep31', 'a watched partition of a partition');
SELECT cache_get('c1', 1), cache_get('c31', 31);

-- What is written through the parent is known at once.
CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF cache_get('c1', 1) IS DISTINCT FROM to_jsonb(load1(1)) OR
     cache_get('c31', 31) IS DISTINCT FROM to_jsonb(load31(31)) THEN
    RAISE 'not exact in a trigger';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER " first" AFTER INSERT ON p1 FOR EACH ROW EXECUTE FUNCTION seen();
CREATE TRIGGER " first" AFTER INSERT ON deep31 FOR EACH ROW EXECUTE FUNCTION seen();
SELECT lives_ok('INSERT INTO p VALUES (1, 10)', 'a trigger of the statement sees it');
SELECT lives_ok('INSERT INTO deep VALUES (31, 10)', 'of a partition of a partition, too');
SELECT ok(cache_get('c1', 1) = '11' AND cache_get('c31', 31) = '11', 'afterwards');
DROP TRIGGER " first" ON p1;
DROP TRIGGER " first" ON deep31;

SELECT cache_watch('c', 'p', 'k');
SELECT is(locked('INSERT INTO p VALUES (3, 1)'), 'p3', 'the parent is watched');
SELECT is(locked('UPDATE p SET v = 2 WHERE k = 3'), 'p3', 'an update');
SELECT is(cache_get('c', 3), '2', 'and is right');
SELECT * FROM finish();
