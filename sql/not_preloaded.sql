--
-- A server without shared_preload_libraries = 'cache'.
--
\set SHOW_CONTEXT never
CREATE EXTENSION cache;
CREATE TABLE t (k int PRIMARY KEY, v int);
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';

-- every function says what to do
SELECT cache_create('c', 'load(int)');
\echo :SQLSTATE
SELECT cache_alter('c', ttl => '1 hour');
\echo :SQLSTATE
SELECT cache_drop('c');
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'k');
\echo :SQLSTATE
SELECT cache_watch('c', 't', keys => 'cache_trigger()');
\echo :SQLSTATE
SELECT cache_unwatch('c', 't');
\echo :SQLSTATE
SELECT cache_get('c');
\echo :SQLSTATE
SELECT cache_get('c', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::int, 'c');
\echo :SQLSTATE
SELECT cache_get_as(NULL::int, 'c', 1);
\echo :SQLSTATE
SELECT cache_invalidate('c');
\echo :SQLSTATE
SELECT cache_invalidate('c', 1);
\echo :SQLSTATE
SELECT * FROM cache_stats;
\echo :SQLSTATE
SELECT * FROM cache_bypasses;
\echo :SQLSTATE
SELECT * FROM cache_flights;
\echo :SQLSTATE
SELECT * FROM cache_redis;
\echo :SQLSTATE
SELECT * FROM cache_check();
\echo :SQLSTATE
SELECT cache_stats_reset();
\echo :SQLSTATE
SELECT cache_stats_reset('c');
\echo :SQLSTATE
SELECT * FROM cache_rate_limit('a', 1, '1 minute');
\echo :SQLSTATE
SELECT * FROM cache_rate_limits;
\echo :SQLSTATE
SELECT * FROM cache_verify('c');
\echo :SQLSTATE
SELECT cache_get(NULL, NULL);
\echo :SQLSTATE
SELECT cache_trigger();
\echo :SQLSTATE
SELECT name FROM cache_definition;

-- owners can be dumped and restored
SELECT current_user::text::cache_owner = current_user AS known, 'Nobody''s own'::cache_owner AS kept;

-- writes on a watched table work: here as a dump restores its triggers
CREATE TRIGGER "!cache_watch_1_1" AFTER INSERT OR UPDATE OR DELETE ON t
FOR EACH ROW EXECUTE FUNCTION cache_trigger('c', 'k');
CREATE TRIGGER "!cache_watch_1_1_truncate" BEFORE TRUNCATE ON t
FOR EACH STATEMENT EXECUTE FUNCTION cache_trigger('c', 'k');
INSERT INTO t VALUES (1, 10), (2, 20);
UPDATE t SET v = v + 1;
DELETE FROM t WHERE k = 2;
INSERT INTO t VALUES (1, 0) ON CONFLICT (k) DO UPDATE SET v = 12;
COPY t FROM stdin;
3	30
\.
SELECT * FROM t ORDER BY k;
TRUNCATE t;
ALTER TABLE t RENAME k TO key;
INSERT INTO t VALUES (1, 10);
SELECT count(*) FROM t;

-- the library comes too late by LOAD
LOAD 'cache';
SELECT cache_get('c', 1);
\echo :SQLSTATE
INSERT INTO t VALUES (2, 20);

-- triggers that cache_watch() has not made itself need CASCADE
\set VERBOSITY terse
DROP EXTENSION cache CASCADE;
INSERT INTO t VALUES (3, 30);
