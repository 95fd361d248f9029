--
-- cache_verify(): what is cached against what the loader gives.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k int PRIMARY KEY, owner int, v text);
INSERT INTO t SELECT i, i % 10, 'v' || i FROM generate_series(1, 20) i;
CREATE FUNCTION load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)');
SELECT cache_watch('c', 't', 'k');
SELECT * FROM cache_verify('c');
SELECT count(cache_get('c', i)), count(cache_get_as(NULL::text, 'c', i)) FROM generate_series(1, 21) i;
SELECT * FROM cache_verify('c');
UPDATE t SET v = 'other' WHERE k = 3;
INSERT INTO t VALUES (21, 1, 'new');
SELECT * FROM cache_verify('c');
-- looking does not count as gets, nor as loads
SELECT hits, misses, loads, bypasses FROM cache_stats;

-- a wrong watch: the column holds something else
SELECT cache_unwatch('c', 't');
SELECT cache_watch('c', 't', 'owner');
SELECT count(cache_get('c', i)), count(cache_get_as(NULL::text, 'c', i)) FROM generate_series(1, 22) i;
SELECT * FROM cache_verify('c');
UPDATE t SET v = 'unnoticed' WHERE k = 15;
DELETE FROM t WHERE k = 16;
INSERT INTO t VALUES (22, 0, 'unnoticed');
SELECT * FROM cache_verify('c') ORDER BY key;
SELECT * FROM cache_verify(sample => 1000, name => 'c') ORDER BY key;
-- a sample of all but a few has to find some
SELECT count(*) >= 4 AS enough, count(*) <= 6 AS not_too_many FROM cache_verify('c', 42);
SELECT count(*) <= 1 AS one FROM cache_verify('c', 1);
-- what the caller would not get from the cache is not looked at
BEGIN;
SELECT cache_invalidate('c', 15);
SELECT * FROM cache_verify('c') ORDER BY key;
ROLLBACK;
BEGIN;
SELECT cache_invalidate('c');
SELECT * FROM cache_verify('c');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM cache_verify('c');
COMMIT;
SET cache.enabled = off;
SELECT * FROM cache_verify('c');
RESET cache.enabled;
-- repaired
SELECT cache_invalidate('c', 15), cache_invalidate('c', 16), cache_invalidate('c', 22);
SELECT * FROM cache_verify('c');

-- texts decide: numbers that are equal may look different
CREATE TABLE n (v numeric);
INSERT INTO n VALUES (1.0);
CREATE FUNCTION load_n() RETURNS numeric LANGUAGE sql STABLE AS 'SELECT v FROM n';
SELECT cache_create('n', 'load_n()', ttl => '1 day');
SELECT cache_get('n'), cache_get_as(NULL::numeric, 'n');
UPDATE n SET v = 1.00;
SELECT * FROM cache_verify('n');

-- a value may be NULL, the jsonb null, or nothing
CREATE TABLE j (k text, l int, v jsonb);
INSERT INTO j VALUES ('a', 1, 'null'), ('b', 2, NULL), ('c', 3, '{"a": 1}');
CREATE FUNCTION load_j(a text, b int) RETURNS jsonb LANGUAGE sql STABLE
AS 'SELECT v FROM j WHERE k IS NOT DISTINCT FROM a AND l IS NOT DISTINCT FROM b';
SELECT cache_create('j', 'load_j(text, int)', ttl => '1 day');
SELECT cache_get('j', k, l) FROM j;
SELECT cache_get('j', NULL, 4), cache_get('j', 'a "quoted", one', 5);
SELECT * FROM cache_verify('j');
UPDATE j SET v = CASE k WHEN 'a' THEN NULL WHEN 'b' THEN 'null' ELSE '{"a": 2}'::jsonb END;
INSERT INTO j VALUES (NULL, 4, '[]'), ('a "quoted", one', 5, '""');
SELECT * FROM cache_verify('j') ORDER BY key;

-- a loader that fails
CREATE FUNCTION load_e(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 100 / count(*)::int FROM n WHERE v > a';
SELECT cache_create('e', 'load_e(int)', ttl => '1 day');
SELECT cache_get('e', 0);
UPDATE n SET v = 0;
\set SHOW_CONTEXT always
SELECT * FROM cache_verify('e');
\echo :SQLSTATE
\set SHOW_CONTEXT never

-- errors
SELECT cache_verify(NULL);
\echo :SQLSTATE
SELECT cache_verify('nowhere');
\echo :SQLSTATE
SELECT cache_verify('');
\echo :SQLSTATE
SELECT cache_verify('c', 0);
\echo :SQLSTATE
SELECT cache_verify('c', -1);
\echo :SQLSTATE
SET allow_system_table_mods = on;
DELETE FROM pg_depend WHERE classid = 'pg_foreign_server'::regclass AND refobjid = 'load_e(int)'::regprocedure;
RESET allow_system_table_mods;
DROP FUNCTION load_e(int);
SELECT cache_verify('e');
\echo :SQLSTATE

-- keys and values are for the owner, who may call the loader
CREATE ROLE regress_cache_owner;
CREATE ROLE regress_cache_reader;
GRANT SELECT ON t TO regress_cache_owner, regress_cache_reader;
SET ROLE regress_cache_reader;
SELECT cache_verify('c');
\echo :SQLSTATE
RESET ROLE;
SET ROLE regress_cache_owner;
SELECT cache_create('owned', 'load(int)', ttl => '1 day');
SELECT cache_get('owned', 1);
RESET ROLE;
UPDATE t SET v = 'another' WHERE k = 1;
-- entries of an invoker's loader are those of a role: these are not ours
SELECT * FROM cache_verify('owned');
SELECT cache_get('owned', 1);
SET ROLE regress_cache_owner;
SELECT * FROM cache_verify('owned');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION load(int) FROM PUBLIC;
SET ROLE regress_cache_owner;
SELECT * FROM cache_verify('owned');
\echo :SQLSTATE
RESET ROLE;
SELECT cache_drop('owned');
DROP OWNED BY regress_cache_owner, regress_cache_reader;
DROP ROLE regress_cache_owner, regress_cache_reader;
