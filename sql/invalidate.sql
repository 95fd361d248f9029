--
-- cache_invalidate(): one key, or the whole cache.
--
\set SHOW_CONTEXT never
-- A sequence that counts loads: an invalidated key is loaded again.
CREATE FUNCTION load(a int, b text) RETURNS text
LANGUAGE sql IMMUTABLE AS 'SELECT a || b';
SELECT cache_create('c', 'load(int, text)');
CREATE FUNCTION load1(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a';
SELECT cache_create('one', 'load1(int)');
CREATE FUNCTION load0() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
SELECT cache_create('zero', 'load0()');
CREATE VIEW counts AS SELECT name, entries, hits, loads, invalidations FROM cache_stats ORDER BY name;

SELECT cache_get('c', 1, 'x'), cache_get('c', 2, 'x'), cache_get('one', 1), cache_get('zero');
SELECT cache_get('c', 1, 'x'), cache_get('c', 2, 'x'), cache_get('one', 1), cache_get('zero');
SELECT * FROM counts;
SELECT cache_invalidate('c', 1, 'x');
SELECT cache_get('c', 1, 'x'), cache_get('c', 2, 'x');
SELECT * FROM counts;
-- keys are coerced as those of a get
SELECT cache_invalidate('c', '2', 'x'::varchar), cache_invalidate('one', 1::smallint);
SELECT * FROM counts;
-- the whole cache; with no arguments it is the same thing
SELECT cache_invalidate('c'), cache_invalidate('zero');
SELECT cache_get('c', 1, 'x'), cache_get('c', 2, 'x'), cache_get('zero');
SELECT * FROM counts;
-- what is not there
SELECT cache_invalidate('c', 99, 'y');
SELECT cache_invalidate('c', NULL, NULL);
SELECT cache_get('c', NULL, 'x') IS NULL, cache_get('c', NULL, 'x') IS NULL;
SELECT cache_invalidate('c', NULL, 'x');
SELECT * FROM counts WHERE name = 'c';

-- bad arguments
SELECT cache_invalidate(NULL);
\echo :SQLSTATE
SELECT cache_invalidate(NULL, 1);
\echo :SQLSTATE
SELECT cache_invalidate('nowhere');
\echo :SQLSTATE
SELECT cache_invalidate('nowhere', 1);
\echo :SQLSTATE
SELECT cache_invalidate('');
\echo :SQLSTATE
SELECT cache_invalidate('c', 1);
\echo :SQLSTATE
SELECT cache_invalidate('c', 1, 'x', 2);
\echo :SQLSTATE
SELECT cache_invalidate('c', 'one', 'x');
\echo :SQLSTATE
SELECT cache_invalidate('c', 1.5, 'x');
\echo :SQLSTATE

-- transactional: at once for the transaction itself, never after rollback
SELECT cache_get('one', 1), cache_get('one', 1);
SELECT cache_stats_reset();
BEGIN;
SELECT cache_invalidate('one', 1);
SELECT cache_get('one', 1), cache_get('one', 1);
SELECT hits, loads, bypasses FROM cache_stats WHERE name = 'one';
ROLLBACK;
SELECT cache_get('one', 1);
SELECT hits, loads, bypasses FROM cache_stats WHERE name = 'one';
BEGIN;
SAVEPOINT s;
SELECT cache_invalidate('one');
ROLLBACK TO s;
COMMIT;
SELECT cache_get('one', 1);
SELECT hits, loads, bypasses FROM cache_stats WHERE name = 'one';
BEGIN;
SAVEPOINT s;
SELECT cache_invalidate('one', 1);
RELEASE s;
COMMIT;
SELECT cache_get('one', 1), cache_get('one', 1);
SELECT hits, loads, bypasses FROM cache_stats WHERE name = 'one';
-- prepared
BEGIN;
SELECT cache_invalidate('one', 1);
PREPARE TRANSACTION 'invalidates';
SELECT cache_get('one', 1), cache_get('one', 1);
COMMIT PREPARED 'invalidates';
SELECT cache_get('one', 1), cache_get('one', 1);
SELECT hits, loads, bypasses FROM cache_stats WHERE name = 'one';

-- a great many keys
SELECT count(cache_get('one', i)) FROM generate_series(1, 30000) i;
BEGIN;
SELECT count(*) FROM (SELECT cache_invalidate('one', i) FROM generate_series(1, 30000) i) x;
SELECT cache_get('one', 1), cache_get('one', 30000);
COMMIT;
SELECT entries FROM cache_stats WHERE name = 'one';
