--
-- ttl: how long a value may be used.
--
\set SHOW_CONTEXT never
CREATE TABLE unwatched (v int);
INSERT INTO unwatched VALUES (1);
CREATE FUNCTION load(k int) RETURNS int
LANGUAGE sql STABLE AS 'SELECT k * v FROM unwatched';
SELECT cache_create('c', 'load(int)', ttl => '1 day');
-- by the user's own wish, an old value
SELECT cache_get('c', 5), cache_get('c', 5);
UPDATE unwatched SET v = 2;
SELECT cache_get('c', 5);
SELECT hits, loads, expirations FROM cache_stats;
SELECT cache_invalidate('c', 5);
SELECT cache_get('c', 5);
-- not by a transaction that has written: its changes are nobody else's yet
SELECT cache_invalidate('c');
BEGIN;
UPDATE unwatched SET v = 3;
SELECT cache_get('c', 5);
ROLLBACK;
SELECT cache_get('c', 5);

-- expired
SELECT cache_alter('c', ttl => '50 milliseconds');
SELECT cache_get('c', 5);
UPDATE unwatched SET v = 4;
SELECT pg_sleep(0.1);
SELECT cache_get('c', 5);
-- at most so old as the transaction in which it was loaded
BEGIN;
SELECT pg_sleep(0.1);
SELECT cache_get('c', 6);
UPDATE unwatched SET v = 5;
COMMIT;
SELECT cache_get('c', 6);

-- tiny and huge
SELECT cache_alter('c', ttl => '1 microsecond');
SELECT cache_get('c', 7);
SELECT cache_alter('c', ttl => '100000 years');
SELECT cache_get('c', 7), cache_get('c', 7);
SELECT cache_alter('c', ttl => '1 month 2 days -3 seconds');
SELECT cache_get('c', 7), cache_get('c', 7);
-- none: now the table would have to be watched
SELECT cache_alter('c', ttl => '0');
SELECT cache_get('c', 7), cache_get('c', 7);
UPDATE unwatched SET v = 6;
SELECT cache_get('c', 7);
