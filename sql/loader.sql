--
-- Loaders that change, fail or are gone.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 10), (2, 20);
CREATE FUNCTION load(a int) RETURNS int
LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)');
SELECT cache_watch('c', 't', 'k');
SELECT cache_get('c', 1);

-- altered so that it cannot be a loader any more
ALTER FUNCTION load(int) VOLATILE;
SELECT cache_get('c', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::int, 'c', 1);
\echo :SQLSTATE
SELECT cache_invalidate('c', 1);
\echo :SQLSTATE
-- writers never fail, and the whole cache can be invalidated
UPDATE t SET v = 11 WHERE k = 1;
SELECT cache_invalidate('c');
SELECT name, entries FROM cache_stats;
ALTER FUNCTION load(int) STABLE;
SELECT cache_get('c', 1), load(1);

-- strict or not: another definition, at once
SELECT cache_get('c', NULL) IS NULL;
ALTER FUNCTION load(int) STRICT;
SELECT cache_get('c', NULL) IS NULL;
CREATE OR REPLACE FUNCTION load(a int) RETURNS int
LANGUAGE sql STABLE AS 'SELECT coalesce(sum(v), -1)::int FROM t WHERE k = a';
SELECT cache_get('c', NULL), load(NULL);
SELECT cache_get('c', 3), load(3);

-- dropped: not while there is a cache
DROP FUNCTION load(int);
\echo :SQLSTATE
BEGIN;
DROP FUNCTION load(int) CASCADE;
SELECT cache_get('c', 1);
\echo :SQLSTATE
ROLLBACK;
SELECT cache_get('c', 1), cache_get('c', 1);
SELECT hits > 0 AS hit FROM cache_stats;

-- gone, as where definitions alone have been restored; and made again
SET allow_system_table_mods = on;
DELETE FROM pg_depend WHERE classid = 'pg_foreign_server'::regclass AND refobjid = 'load(int)'::regprocedure;
RESET allow_system_table_mods;
DROP FUNCTION load(int);
SELECT cache_get('c', 1);
\echo :SQLSTATE
SELECT cache_invalidate('c', 1);
\echo :SQLSTATE
SELECT cache_watch('c', 't');
\echo :SQLSTATE
UPDATE t SET v = 12 WHERE k = 1;
INSERT INTO t VALUES (3, 30);
DELETE FROM t WHERE k = 3;
SELECT cache_alter('c', ttl => '1 hour');
SELECT cache_alter('c', ttl => '0');
SELECT name, entries FROM cache_stats;
CREATE FUNCTION load(a int) RETURNS text
LANGUAGE sql STABLE AS 'SELECT v::text FROM t WHERE k = a';
SELECT cache_get('c', 1), load(1);
SELECT cache_get_as(NULL::text, 'c', 1);
SELECT cache_get_as(NULL::int, 'c', 1);
\echo :SQLSTATE
UPDATE t SET v = 13 WHERE k = 1;
SELECT cache_get('c', 1), load(1);

-- dropped with its schema
CREATE SCHEMA s;
CREATE FUNCTION s.load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT cache_create('d', 's.load(int)');
SELECT cache_get('d', 1);
\set VERBOSITY terse
DROP SCHEMA s CASCADE;
\set VERBOSITY default
SELECT cache_get('d', 1);
\echo :SQLSTATE

-- an argument's type dropped
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE moods (m mood, m2 text, n int);
CREATE FUNCTION load_mood(a mood) RETURNS int
LANGUAGE sql STABLE AS 'SELECT n FROM moods WHERE m::text = a::text';
SELECT cache_create('mood', 'load_mood(mood)');
SELECT cache_watch('mood', 'moods', 'm');
SELECT cache_get('mood', 'good');
ALTER TABLE moods ALTER m TYPE text;
\set VERBOSITY terse
DROP TYPE mood CASCADE;
\set VERBOSITY default
INSERT INTO moods VALUES ('good', 'x', 1);
SELECT name, entries FROM cache_stats ORDER BY name;
SELECT cache_get('mood', 'good');
\echo :SQLSTATE
INSERT INTO moods VALUES ('bad', 'x', 1);

-- a loader that fails: nothing is cached, and nothing stays behind
CREATE FUNCTION fails(a int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF (SELECT v FROM t WHERE k = a) > 0 THEN
    RAISE EXCEPTION 'no value for %', a USING ERRCODE = 'no_data_found';
  END IF;
  RETURN a;
END $$;
SELECT cache_create('fails', 'fails(int)');
SELECT cache_watch('fails', 't', 'k');
SET TimeZone = 'America/New_York';
SELECT cache_get('fails', 1);
\echo :SQLSTATE
SHOW TimeZone;
SELECT cache_get('fails', 1);
\echo :SQLSTATE
DO $$
BEGIN
  PERFORM cache_get('fails', 1);
EXCEPTION WHEN no_data_found THEN
  RAISE NOTICE '%, in %', sqlerrm, current_setting('TimeZone');
END $$;
RESET TimeZone;
SELECT cache_get('fails', 5), cache_get('fails', 5);
UPDATE t SET v = 0 WHERE k = 1;
SELECT cache_get('fails', 1);
SELECT cache_get('fails', 1);
SELECT entries, hits, loads FROM cache_stats WHERE name = 'fails';

-- a loader that calls itself through its own cache
CREATE FUNCTION fib(n int) RETURNS numeric LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF n < 2 THEN RETURN n; END IF;
  RETURN cache_get_as(NULL::numeric, 'fib', n - 1) + cache_get_as(NULL::numeric, 'fib', n - 2);
END $$;
SELECT cache_create('fib', 'fib(int)');
SELECT cache_get_as(NULL::numeric, 'fib', 90);
SELECT entries, loads FROM cache_stats WHERE name = 'fib';
CREATE FUNCTION endless(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN cache_get_as(NULL::int, 'endless', n + 1);
END $$;
SELECT cache_create('endless', 'endless(int)');
SET max_stack_depth = '500kB';
\set VERBOSITY sqlstate
SELECT cache_get('endless', 1);
\set VERBOSITY default
RESET max_stack_depth;
SELECT cache_get('fib', 90);

-- a table that is not watched: a warning, once a session
CREATE TABLE "Not Watched" (k int);
CREATE FUNCTION count_them() RETURNS bigint
LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM "Not Watched"); END';
SELECT cache_create('it''s', 'count_them()');
SELECT cache_get('it''s');
SELECT cache_get('it''s');
INSERT INTO "Not Watched" VALUES (1);
SELECT cache_get('it''s');
-- what the hint says
SELECT cache_watch('it''s', 'public."Not Watched"');
SELECT cache_get('it''s');
SELECT cache_get('it''s');
SELECT entries, hits, misses, loads, bypasses FROM cache_stats WHERE name = 'it''s';

-- the clock and the session
CREATE FUNCTION clock() RETURNS boolean
LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT now() > ''2000-01-01'' FROM t LIMIT 1); END';
SELECT cache_create('clock', 'clock()');
SELECT cache_watch('clock', 't');
SELECT cache_get('clock');
SELECT cache_get('clock');
SELECT cache_alter('clock', ttl => '1 hour');
SELECT cache_get('clock');
SELECT cache_get('clock');
SELECT entries, hits, bypasses FROM cache_stats WHERE name = 'clock';
CREATE FUNCTION session() RETURNS text
LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT current_setting(''my.name'') FROM t LIMIT 1); END';
SELECT cache_create('session', 'session()', ttl => '1 hour');
SET my.name = 'one';
SELECT cache_get('session');
SET my.name = 'two';
SELECT cache_get('session');
SELECT entries, hits, bypasses FROM cache_stats WHERE name = 'session';

-- a definition with a setting that cannot be made any more
CREATE TEXT SEARCH CONFIGURATION english_too (COPY = pg_catalog.english);
SET default_text_search_config = 'public.english_too';
CREATE FUNCTION words(k text) RETURNS text
LANGUAGE sql STABLE AS 'SELECT k || (SELECT count(*) FROM t)';
SELECT cache_create('words', 'words(text)');
SELECT cache_watch('words', 't');
RESET default_text_search_config;
SELECT cache_get('words', 'a');
DROP TEXT SEARCH CONFIGURATION english_too;
SELECT cache_get('words', 'a'), words('a');
SELECT cache_get('words', 'a'), words('a');
SHOW default_text_search_config;
DO $$
DECLARE n int;
BEGIN
  BEGIN
    PERFORM cache_get('words', 'b');
  EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE '%', sqlerrm;
  END;
  SELECT count(*) INTO n FROM t;
  RAISE NOTICE '% rows', n;
END $$;
SELECT cache_alter('words', loader => 'words(text)');
SELECT cache_get('words', 'a'), cache_get('words', 'a');
SELECT entries, hits FROM cache_stats WHERE name = 'words';

-- a loader that writes does not get far
CREATE FUNCTION writes(k int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
  INSERT INTO t VALUES (k, 0);
  RETURN 1;
END $$;
SELECT cache_create('writes', 'writes(int)');
SELECT cache_get('writes', 77);
\echo :SQLSTATE
