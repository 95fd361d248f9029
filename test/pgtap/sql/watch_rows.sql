-- cache_watches counts the rows that each watch has seen, when they are committed.
\ir ../exact.psql
SELECT plan(10);
CREATE TABLE t (k int, l int);
CREATE TABLE p (k int, v int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
CREATE FUNCTION load(a int) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT (SELECT count(*) FROM t WHERE k = a OR l = a) + (SELECT count(*) FROM p WHERE k = a)';
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_watch('c', 't', 'l'), cache_watch('c', 'p', 'k'), cache_watch('c', 'p');
SELECT cache_get('c', 1);
CREATE FUNCTION seen() RETURNS text LANGUAGE sql AS
  $$SELECT string_agg(format('%s %s: %s', relation, array_to_string(key_columns, ','), rows), '; ' ORDER BY relation::text, key_columns) FROM cache_watches$$;
SELECT is(seen(), 'p : 0; p k: 0; t k: 0; t l: 0', 'nothing yet');
INSERT INTO t SELECT i, i FROM generate_series(1, 10) i;
SELECT is(seen(), 'p : 0; p k: 0; t k: 10; t l: 10', 'rows inserted');
BEGIN;
DELETE FROM t WHERE k > 5;
SELECT is(seen(), 'p : 0; p k: 0; t k: 10; t l: 10', 'not before the commit');
ROLLBACK;
SELECT is(seen(), 'p : 0; p k: 0; t k: 10; t l: 10', 'nor if it is rolled back');
UPDATE t SET l = 1 WHERE k <= 3;
SELECT is(seen(), 'p : 0; p k: 0; t k: 13; t l: 13', 'rows updated');
INSERT INTO p VALUES (1, 1), (2, 1);
INSERT INTO p1 VALUES (1, 1);
SELECT is(seen(), 'p : 3; p k: 3; t k: 13; t l: 13', 'partitions count for their parent');
TRUNCATE t;
SELECT is(seen(), 'p : 3; p k: 3; t k: 13; t l: 13', 'TRUNCATE has no rows');
SELECT cache_unwatch('c', 't');
SELECT is(seen(), 'p : 3; p k: 3', 'a watch that has ended');
SELECT cache_watch('c', 't', 'k');
INSERT INTO t VALUES (1, 1);
SELECT is(seen(), 'p : 3; p k: 3; t k: 1', 'begins anew');

-- There are counts for 32 watches.
DO $$
BEGIN
  FOR i IN 1 .. 33 LOOP
    PERFORM cache_unwatch('c', 't'), cache_watch('c', 't', 'k');
    INSERT INTO t VALUES (1, 1);
    COMMIT;
  END LOOP;
END $$;
SELECT is(seen(), 'p : 3; p k: 3; t k: ', 'no place for more watches');
SELECT * FROM finish();
