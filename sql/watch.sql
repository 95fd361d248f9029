--
-- cache_watch() and cache_unwatch(): what can be watched.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k int, "Key Two" int, s text, n numeric, d date, v int);
INSERT INTO t VALUES (1, 2, 'a', 1.5, '2020-01-01', 10);
CREATE FUNCTION load(a int) RETURNS int
LANGUAGE sql STABLE AS 'SELECT sum(v)::int FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)');
-- Triggers of a watch have random names: show what they do.
CREATE VIEW watches AS
SELECT tgrelid::regclass AS relation, tgtype::int::bit(7) AS type,
       tgenabled, tgparentid <> 0 AS inherited,
       string_to_array(rtrim(encode(tgargs, 'escape'), E'\\000'), E'\\000') AS arguments
FROM pg_trigger WHERE tgfoid = 'cache_trigger'::regproc
ORDER BY tgrelid::regclass::text, tgtype, tgargs;
SELECT cache_watch('c', 't', 'k');
SELECT * FROM watches;
SELECT cache_get('c', 1);
UPDATE t SET v = 11;
SELECT cache_get('c', 1);

-- bad arguments
SELECT cache_watch(NULL, 't', 'k');
\echo :SQLSTATE
SELECT cache_watch('', 't', 'k');
\echo :SQLSTATE
SELECT cache_watch('nowhere', 't', 'k');
\echo :SQLSTATE
SELECT cache_watch('c', NULL, 'k');
\echo :SQLSTATE
SELECT cache_watch('c', 'no_such_table', 'k');
\echo :SQLSTATE
SELECT cache_watch('c', 0, 'k');
\echo :SQLSTATE
SELECT cache_watch('c', 't', NULL);
\echo :SQLSTATE
SELECT cache_watch('c', 't', VARIADIC NULL::text[]);
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'no_such_column');
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'K');
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'ctid');
\echo :SQLSTATE
SELECT cache_watch('c', 't', '');
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'k', 'v');
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'k');
\echo :SQLSTATE
-- columns that do not compare like the key
SELECT cache_watch('c', 't', 's');
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'n');
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'd');
\echo :SQLSTATE
ALTER TABLE t ADD j json;
SELECT cache_watch('c', 't', 'j');
\echo :SQLSTATE
ALTER TABLE t DROP j;
SELECT cache_watch('c', 't', '........pg.dropped.7........');
\echo :SQLSTATE

-- by other columns as well, and by none
SELECT cache_watch('c', 't', 'Key Two');
SELECT cache_watch('c', 't');
SELECT cache_watch('c', 't');
\echo :SQLSTATE
SELECT * FROM watches;
SELECT cache_unwatch('c', 't');
SELECT * FROM watches;
SELECT cache_unwatch('c', 't');
\echo :SQLSTATE
SELECT cache_unwatch('nowhere', 't');
\echo :SQLSTATE
SELECT cache_unwatch(NULL, 't');
\echo :SQLSTATE
SELECT cache_unwatch('c', NULL);
\echo :SQLSTATE
SELECT cache_unwatch('c', 0);
\echo :SQLSTATE

-- relations that are not tables
CREATE VIEW v AS SELECT * FROM t;
SELECT cache_watch('c', 'v', 'k');
\echo :SQLSTATE
CREATE MATERIALIZED VIEW mv AS SELECT * FROM t;
SELECT cache_watch('c', 'mv', 'k');
\echo :SQLSTATE
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE ft (k int) SERVER files OPTIONS (filename '/dev/null');
SELECT cache_watch('c', 'ft', 'k');
\echo :SQLSTATE
CREATE SEQUENCE sq;
SELECT cache_watch('c', 'sq', 'last_value');
\echo :SQLSTATE
CREATE INDEX ix ON t (k);
SELECT cache_watch('c', 'ix', 'k');
\echo :SQLSTATE
CREATE TYPE ct AS (k int);
SELECT cache_watch('c', 'ct', 'k');
\echo :SQLSTATE
CREATE TEMP TABLE tt (k int);
SELECT cache_watch('c', 'tt', 'k');
\echo :SQLSTATE
SELECT cache_watch('c', 'pg_class', 'relnatts');
\echo :SQLSTATE
SELECT cache_watch('c', 'pg_catalog.pg_attribute');
\echo :SQLSTATE
SELECT cache_watch('c', 'pg_toast.pg_toast_1255', 'chunk_seq');
\echo :SQLSTATE

-- what reads a foreign table or a materialized view needs a ttl
CREATE FUNCTION read_ft() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM ft';
CREATE FUNCTION read_mv() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM mv';
SELECT cache_create('ft', 'read_ft()'), cache_create('mv', 'read_mv()');
SELECT cache_get('ft'), cache_get('ft');
SELECT cache_get('mv'), cache_get('mv');
SELECT name, hits, bypasses, entries FROM cache_stats WHERE name IN ('ft', 'mv') ORDER BY name;
SELECT cache_alter('ft', ttl => '1 hour'), cache_alter('mv', ttl => '1 hour');
SELECT cache_get('ft'), cache_get('ft');
SELECT cache_get('mv'), cache_get('mv');
SELECT name, hits, entries FROM cache_stats WHERE name IN ('ft', 'mv') ORDER BY name;

-- unlogged tables and tables of a loader with several keys
CREATE UNLOGGED TABLE u (a int, b text COLLATE "C", c smallint);
CREATE FUNCTION three(x int, y text, z int) RETURNS bigint
LANGUAGE sql STABLE AS 'SELECT count(*) FROM u WHERE a = x AND b = y AND c = z';
SELECT cache_create('three', 'three(int, text, int)');
SELECT cache_watch('three', 'u', 'a', 'b');
\echo :SQLSTATE
SELECT cache_watch('three', 'u', 'b', 'a', 'c');
\echo :SQLSTATE
SELECT cache_watch('three', 'u', 'a', 'b', 'c');
SELECT cache_get('three', 1, 'x', 3), cache_get('three', 1, 'x', 3);
INSERT INTO u VALUES (1, 'x', 3);
SELECT cache_get('three', 1, 'x', 3);
TRUNCATE u;
SELECT cache_get('three', 1, 'x', 3);

-- partitioned tables: partitions inherit the row trigger
CREATE TABLE p (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE FUNCTION load_p(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM p WHERE k = a';
SELECT cache_create('p', 'load_p(int)');
SELECT cache_watch('p', 'p', 'k');
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
SELECT * FROM watches WHERE relation::text LIKE 'p%';
SELECT cache_unwatch('p', 'p1');
\echo :SQLSTATE
SELECT cache_unwatch('p', 'p');
SELECT * FROM watches WHERE relation::text LIKE 'p%';

-- transactional
BEGIN;
SELECT cache_watch('c', 't', 'k');
ROLLBACK;
SELECT count(*) FROM watches WHERE relation = 't'::regclass;
SELECT cache_watch('c', 't', 'k');
BEGIN;
SELECT cache_unwatch('c', 't');
ROLLBACK;
SELECT cache_get('c', 1), cache_get('c', 1);
UPDATE t SET v = 12;
SELECT cache_get('c', 1), load(1);

-- disabled, the watch counts as none
ALTER TABLE t DISABLE TRIGGER ALL;
\set VERBOSITY terse
SELECT cache_get('c', 1), load(1);
\set VERBOSITY default
UPDATE t SET v = 13;
SELECT cache_get('c', 1), load(1);
ALTER TABLE t ENABLE TRIGGER ALL;
SELECT cache_get('c', 1), load(1);
-- ENABLE TRIGGER leaves it to ordinary sessions: watch again
SELECT cache_unwatch('c', 't');
SELECT cache_watch('c', 't', 'k');
SELECT cache_get('c', 1), load(1);
UPDATE t SET v = 14;
SELECT cache_get('c', 1), load(1);

-- dropped column, dropped table
DROP VIEW v;
DROP MATERIALIZED VIEW mv;
ALTER TABLE t DROP k;
INSERT INTO t VALUES (5, 'b', 1, NULL, 1);
\set VERBOSITY sqlstate
SELECT cache_get('c', 1);
\set VERBOSITY default
DROP TABLE t;
SELECT name, entries FROM cache_stats WHERE name = 'c';

-- the trigger function by itself
SELECT cache_trigger();
\echo :SQLSTATE
CREATE TABLE f (k int);
CREATE TRIGGER before BEFORE INSERT ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger('c', 'k');
INSERT INTO f VALUES (1);
\echo :SQLSTATE
DROP TRIGGER before ON f;
CREATE TRIGGER nameless AFTER INSERT ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger();
INSERT INTO f VALUES (1);
\echo :SQLSTATE
DROP TRIGGER nameless ON f;
CREATE TRIGGER statement AFTER INSERT ON f FOR EACH STATEMENT EXECUTE FUNCTION cache_trigger('c', 'k');
INSERT INTO f VALUES (1);
\echo :SQLSTATE
DROP TRIGGER statement ON f;
-- of a cache or a column that is not there: does nothing
CREATE TRIGGER nowhere AFTER INSERT ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger('nowhere', 'k');
CREATE TRIGGER column_too AFTER INSERT ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger('c', 'no_such_column');
INSERT INTO f VALUES (1);
SELECT * FROM f;

-- a watch that does not work: what is said leads to its repair
CREATE TABLE r (k int, v int) PARTITION BY LIST (k);
CREATE TABLE r1 PARTITION OF r DEFAULT;
CREATE FUNCTION load_r(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM r WHERE k = a';
SELECT cache_create('r', 'load_r(int)');
CREATE TRIGGER "row" AFTER INSERT OR UPDATE OR DELETE ON r FOR EACH ROW EXECUTE FUNCTION cache_trigger('r', 'k');
CREATE TRIGGER whole BEFORE TRUNCATE ON r EXECUTE FUNCTION cache_trigger('r', 'k');
SELECT cache_get('r', 1);
SELECT cache_watch('r', 'r', 'k');
SELECT cache_watch('r', 'r', 'k', if_not_exists => true);
SELECT object, problem, hint FROM cache_check() WHERE cache = 'r' ORDER BY object, problem;
ALTER TABLE public.r ENABLE ALWAYS TRIGGER "row", ENABLE ALWAYS TRIGGER whole;
SELECT object, problem, hint FROM cache_check() WHERE cache = 'r';
SELECT cache_get('r', 1);
SELECT entries FROM cache_stats WHERE name = 'r';
SELECT cache_watch('r', 'r', 'k');
-- of a partition
ALTER TABLE r1 ENABLE TRIGGER USER;
SELECT cache_get('r', 1);
ALTER TABLE public.r1 ENABLE ALWAYS TRIGGER "row";
SELECT cache_get('r', 1);
SELECT entries FROM cache_stats WHERE name = 'r';
-- what ENABLE ALWAYS does not mend
DROP TRIGGER whole ON r;
SELECT cache_watch('r', 'r', 'k');
SELECT cache_unwatch('r', 'r'), cache_watch('r', 'r', 'k');
SELECT object, problem, hint FROM cache_check() WHERE cache = 'r';
DROP TABLE r;
SELECT cache_drop('r');
