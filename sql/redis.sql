--
-- Redis where there is none: its settings, and the view cache_redis. What it
-- does is tested with a real one.
--
\set SHOW_CONTEXT never
SELECT column_name, data_type FROM information_schema.columns
WHERE table_name = 'cache_redis' ORDER BY ordinal_position;
SELECT state, connections, gets, queued FROM cache_redis;

-- off by default; such a cache works as any other
CREATE TABLE t (k int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'one');
CREATE FUNCTION load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)', redis => true);
SELECT cache_watch('c', 't', 'k');
SELECT cache_get('c', 1);
UPDATE t SET v = 'uno';
SELECT cache_get('c', 1);
SELECT cache_alter('c', redis => false);
SELECT cache_get('c', 1);
SELECT cache_invalidate('c', 1);
SELECT name, redis_hits FROM cache_stats;
SELECT state, gets, messages, queued FROM cache_redis;

-- an address is checked when it is set
ALTER SYSTEM SET cache.redis_addr = 'localhost';
\echo :SQLSTATE
ALTER SYSTEM SET cache.redis_addr = 'localhost:';
ALTER SYSTEM SET cache.redis_addr = 'localhost:0';
ALTER SYSTEM SET cache.redis_addr = 'localhost:65536';
ALTER SYSTEM SET cache.redis_addr = 'localhost:12a';
ALTER SYSTEM SET cache.redis_addr = ':6379';
ALTER SYSTEM SET cache.redis_addr = '::1:6379';
ALTER SYSTEM SET cache.redis_addr = '[::1]';
ALTER SYSTEM SET cache.redis_addr = '[]:6379';
ALTER SYSTEM SET cache.redis_addr = 'redis://localhost:6379';
SELECT format('ALTER SYSTEM SET cache.redis_addr = %L', '/' || repeat('x', 200)) \gexec
SELECT format('ALTER SYSTEM SET cache.redis_addr = %L', repeat('x', 300) || ':1') \gexec
SELECT format('ALTER SYSTEM SET cache.redis_prefix = %L', repeat('x', 101)) \gexec
\set VERBOSITY sqlstate
ALTER SYSTEM SET cache.redis_pool_size = 0;
ALTER SYSTEM SET cache.redis_timeout = 0;
ALTER SYSTEM SET cache.redis_db = -1;
SET cache.redis_addr = 'localhost:6379';

-- who may see what
CREATE ROLE regress_cache_reader;
SET ROLE regress_cache_reader;
SHOW cache.redis_password;
SHOW cache.redis_username;
SELECT count(*) FROM pg_settings WHERE name IN ('cache.redis_username', 'cache.redis_password');
SELECT state FROM cache_redis;
SET cache.redis_force = on;
RESET ROLE;
DROP ROLE regress_cache_reader;
