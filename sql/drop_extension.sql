--
-- DROP EXTENSION and CREATE EXTENSION again: nothing is left.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 10);
CREATE TABLE p (k int, v int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT (SELECT v FROM t WHERE k = a) + coalesce((SELECT sum(v) FROM p WHERE k = a), 0)::int';
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_watch('c', 'p', 'k');
SELECT cache_get('c', 1), cache_get('c', 1);

-- rolled back
BEGIN;
DROP EXTENSION cache;
INSERT INTO p VALUES (1, 1);
ROLLBACK;
SELECT cache_get('c', 1);
INSERT INTO p VALUES (1, 1);
SELECT cache_get('c', 1), load(1);
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('t'::regclass, 'p'::regclass, 'p1'::regclass);

-- no CASCADE is needed for the watches
DROP EXTENSION cache;
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('t'::regclass, 'p'::regclass, 'p1'::regclass);
UPDATE t SET v = 20;
INSERT INTO p VALUES (1, 2);
TRUNCATE p;
SELECT cache_get('c', 1);
\echo :SQLSTATE
SELECT load(1);

-- again: the old values are not found
CREATE EXTENSION cache;
SELECT name FROM cache_definition;
SELECT * FROM cache_stats;
SELECT cache_get('c', 1);
\echo :SQLSTATE
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_watch('c', 'p', 'k');
SELECT cache_get('c', 1), load(1);
UPDATE t SET v = 30;
SELECT cache_get('c', 1), load(1);
SELECT hits, loads FROM cache_stats;

-- a view that uses it needs CASCADE, as with any extension
CREATE VIEW uses AS SELECT cache_get('c', 1);
\set VERBOSITY sqlstate
DROP EXTENSION cache;
\set VERBOSITY terse
DROP EXTENSION cache CASCADE;
\set VERBOSITY default

-- in another schema, away from the search_path
CREATE SCHEMA apart;
CREATE EXTENSION cache SCHEMA apart;
SELECT apart.cache_create('c', 'load(int)'), apart.cache_watch('c', 't', 'k'), apart.cache_watch('c', 'p');
SELECT apart.cache_get('c', 1), apart.cache_get('c', 1);
SELECT apart.cache_get_as(NULL::int, 'c', 1);
UPDATE t SET v = 40;
SELECT apart.cache_get('c', 1), load(1);
SELECT hits, loads FROM apart.cache_stats;
-- not relocatable: its objects know each other by place
ALTER EXTENSION cache SET SCHEMA public;
SELECT apart.cache_get('c', 1);
DROP TABLE t;
DROP EXTENSION cache;
DROP TABLE p;
DROP SCHEMA apart;
CREATE EXTENSION cache VERSION '0.0';
\echo :SQLSTATE
