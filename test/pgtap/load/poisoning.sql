-- Nobody poisons an entry: temporary objects, schemas on the search_path,
-- settings, operators and casts of the caller.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_mallory;
CREATE ROLE regress_cache_mallory;
RESET client_min_messages;
CREATE EXTENSION dblink;
SELECT plan(56);
SELECT dblink_connect('other', format('dbname=%I host=%s port=%s user=%I', current_database(),
  split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), session_user));
-- other asks another session.
CREATE FUNCTION other(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  SELECT v INTO r FROM dblink('other', query) AS x (v text);
  RETURN r;
EXCEPTION WHEN OTHERS THEN
  RETURN 'ERROR ' || sqlstate;
END $$;
CREATE TABLE prices (k int PRIMARY KEY, v int);
INSERT INTO prices VALUES (1, 10), (2, 20);
CREATE FUNCTION price(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM prices WHERE k = a';
CREATE FUNCTION price_plpgsql(a int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT v FROM prices WHERE k = a); END';
SELECT cache_create('sql', 'price(int)'), cache_watch('sql', 'prices', 'k');
SELECT cache_create('plpgsql', 'price_plpgsql(int)'), cache_watch('plpgsql', 'prices', 'k');

-- a temporary table of the same name, on fill and on hit: pg_temp comes last
CREATE TEMP TABLE prices (k int, v int);
INSERT INTO pg_temp.prices VALUES (1, 666), (2, 666);
SELECT is(cache_get('sql', 1), '10', 'a temporary table, on fill');
SELECT is(cache_get('plpgsql', 1), '10', 'in PL/pgSQL');
SELECT is(other('SELECT cache_get(''sql'', 1)'), '10', 'nothing is stored for others');
SELECT is(other('SELECT cache_get(''plpgsql'', 1)'), '10', 'in PL/pgSQL');
SELECT is(other('SELECT cache_get(''sql'', 2)'), '20', 'filled by another session');
SELECT is(cache_get('sql', 2), '20', 'a temporary table, on hit');
SELECT is(cache_get_as(NULL::int, 'sql', 2), 20, 'as an integer');
DROP TABLE pg_temp.prices;
-- a schema on the search_path
CREATE SCHEMA evil;
GRANT ALL ON SCHEMA evil TO regress_cache_mallory;
CREATE TABLE evil.prices (k int, v int);
INSERT INTO evil.prices VALUES (1, 666), (2, 666);
SELECT cache_invalidate('sql'), cache_invalidate('plpgsql');
SET search_path = evil, public;
SELECT is(cache_get('sql', 1), '10', 'another search_path, on fill');
SELECT is(cache_get('plpgsql', 1), '10', 'in PL/pgSQL');
SELECT is(current_setting('search_path'), 'evil, public', 'which is restored');
SELECT is(other('SELECT cache_get(''sql'', 1)'), '10', 'nothing is stored for others');
SELECT is(other('SELECT cache_get(''sql'', 2)'), '20', 'filled by another session');
SELECT is(cache_get('sql', 2), '20', 'another search_path, on hit');
RESET search_path;

-- what a loader reads from a temporary table is never stored
CREATE FUNCTION of_temp() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(v) FROM session_data); END';
SELECT cache_create('temp', 'of_temp()', ttl => '1 hour');
CREATE TEMP TABLE session_data (v int);
INSERT INTO session_data VALUES (1);
SELECT is(cache_get('temp'), '1', 'a loader that reads a temporary table');
SELECT is(hits('temp', 'SELECT cache_get(''temp'')'), 0::bigint, 'is not stored');
UPDATE session_data SET v = 2;
SELECT is(cache_get('temp'), '2', 'and is exact');
SELECT is(other('SELECT cache_get(''temp'')'), 'ERROR 42P01', 'another session has no such table');
SET cache.removed_guard = 'temporary';
SELECT is(cache_get('temp'), '2', 'without the guard');
SELECT is(other('SELECT cache_get(''temp'')'), '2', 'guard temporary: another session gets it');
SET cache.removed_guard = '';
SELECT cache_invalidate('temp');
-- a temporary child of a watched table, made while the entry is hot
SELECT is(cache_get('sql', 1), '10', 'hot');
CREATE TEMP TABLE child () INHERITS (prices);
INSERT INTO child VALUES (1, 5), (7, 7);
CREATE FUNCTION price_sum(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM prices WHERE k = a';
SELECT is(cache_get('sql', 7), to_jsonb(price(7)), 'a temporary child');
SELECT is(other('SELECT cache_get(''sql'', 7)'), NULL, 'which others do not see');
DROP TABLE child;
SELECT cache_create('sum', 'price_sum(int)'), cache_watch('sum', 'prices', 'k');
SELECT cache_get('sum', 1);
CREATE TEMP TABLE child () INHERITS (prices);
INSERT INTO child VALUES (1, 5);
SELECT is(cache_get('sum', 1), to_jsonb(price_sum(1)), 'a temporary child, made while hot');
SELECT is(other('SELECT cache_get(''sum'', 1)'), '10', 'and in another session');
SELECT is(cache_get('sum', 1), to_jsonb(price_sum(1)), 'not to be found here');
DROP TABLE child;
SELECT is(cache_get('sum', 1), '10', 'dropped');
CREATE TEMP TABLE child (k int NOT NULL, v int);
INSERT INTO child VALUES (1, 5);
SELECT cache_get('sum', 1);
ALTER TABLE child INHERIT prices;
SELECT is(cache_get('sum', 1), to_jsonb(price_sum(1)), 'by ALTER TABLE INHERIT');
ALTER TABLE child NO INHERIT prices;
SELECT is(cache_get('sum', 1), to_jsonb(price_sum(1)), 'and NO INHERIT');
DROP TABLE child;

-- a temporary function
CREATE FUNCTION of_temp_function() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT pg_temp.secret()); END';
CREATE FUNCTION of_temp_simple() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN pg_temp.secret(); END';
SELECT cache_create('temp_function', 'of_temp_function()'), cache_create('temp_simple', 'of_temp_simple()');
CREATE FUNCTION pg_temp.secret() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''mine''::text';
SET client_min_messages = error;
SELECT is(cache_get('temp_function'), '"mine"', 'a loader that calls a temporary function');
SELECT isnt(other('SELECT cache_get(''temp_function'')'), '"mine"', 'another session has no such function');
SELECT is(cache_get('temp_simple'), '"mine"', 'in a simple expression');
SELECT isnt(other('SELECT cache_get(''temp_simple'')'), '"mine"', 'another session has no such function');
RESET client_min_messages;

-- settings that change how values look
CREATE FUNCTION looks(t timestamptz) RETURNS text LANGUAGE sql STABLE AS
  'SELECT concat_ws('' | '', t, t::date, interval ''1 day 2 hours'', ''\x0102''::bytea, 0.1::float8 + 0.2::float8, 12.5::numeric::money)';
SELECT cache_create('looks', 'looks(timestamptz)');
SELECT cache_get('looks', '2020-01-02 03:04:05Z') #>> '{}' AS looks \gset
SELECT is(:'looks', looks('2020-01-02 03:04:05Z'), 'under the settings of the creation');
SELECT cache_invalidate('looks');
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German';
SET IntervalStyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SELECT is(cache_get('looks', '2020-01-02 03:04:05Z') #>> '{}', :'looks', 'other settings, on fill');
SELECT is(cache_get_as(NULL::text, 'looks', '2020-01-02 03:04:05Z'), :'looks', 'as text');
SELECT is(current_setting('TimeZone') || current_setting('DateStyle') || current_setting('bytea_output'),
          'Asia/TokyoGerman, DMYescape', 'the caller''s settings are restored');
-- the key's text is read as the caller would
SELECT is(cache_get('looks', '02.01.2020 12:04:05'::timestamptz) #>> '{}', :'looks', 'a key read under the caller''s settings');
SELECT is(cache_get('looks', '02.01.2020 12:04:05') #>> '{}', :'looks', 'also a literal');
RESET TimeZone;
RESET DateStyle;
RESET IntervalStyle;
RESET bytea_output;
RESET extra_float_digits;
SELECT is(cache_get('looks', '2020-01-02 03:04:05Z') #>> '{}', :'looks', 'on hit');
-- each by itself, after it was as recorded, of every kind of setting
CREATE FUNCTION wrong_under(setting text, value text, k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  old text := current_setting(setting);
  t timestamptz := timestamptz '2021-01-01 00:00:00Z' + k * interval '1 day';
  got text;
BEGIN
  PERFORM cache_get('looks', t - interval '1 year');
  PERFORM set_config(setting, value, false);
  got := cache_get('looks', t) #>> '{}';
  PERFORM set_config(setting, old, false);
  RETURN CASE WHEN got = looks(t) THEN NULL ELSE setting || ': ' || got END;
END $$;
SELECT is(string_agg(wrong_under(setting, value, k::int), E'\n'), NULL, 'each setting by itself')
FROM (VALUES ('TimeZone', 'Asia/Tokyo'), ('DateStyle', 'German'), ('IntervalStyle', 'iso_8601'),
             ('bytea_output', 'escape'), ('extra_float_digits', '0'), ('search_path', 'evil, public')) AS s (setting, value),
     generate_series(1, 3) AS turn,
     LATERAL (SELECT turn * 10 + ascii(setting)) AS key (k);
-- to_jsonb() of a timestamp does not depend on them either
CREATE FUNCTION moment(k int) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS 'SELECT timestamptz ''2020-01-02 03:04:05Z'' + k * interval ''1 day''';
SELECT cache_create('moment', 'moment(int)');
SET TimeZone = 'Asia/Tokyo';
SELECT is(cache_get_as(NULL::timestamptz, 'moment', 1), moment(1), 'a timestamptz in another time zone');
SELECT cache_get('moment', 1);
RESET TimeZone;
SELECT is(cache_get('moment', 1), to_jsonb(moment(1)), 'as jsonb: in the time zone of the creation');
SELECT is(cache_get_as(NULL::timestamptz, 'moment', 1), moment(1), 'on hit');

-- operators, casts and functions planted in the caller's schema
SET ROLE regress_cache_mallory;
CREATE FUNCTION evil.eq(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.eq);
CREATE FUNCTION evil.cache_get(text, int) RETURNS jsonb LANGUAGE sql AS 'SELECT ''"evil"''::jsonb';
CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS 'SELECT ''"evil"''::jsonb';
CREATE FUNCTION evil.price(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 666';
RESET ROLE;
SELECT cache_invalidate('sql');
SET search_path = evil, pg_catalog, public;
SELECT public.is(public.cache_get('sql', 2), '20', 'a planted operator');
SELECT public.is(public.cache_get_as(NULL::int, 'sql', 2), 20, 'in the loader''s own type');
SELECT public.is((SELECT count(*) FROM public.cache_stats WHERE name OPERATOR(pg_catalog.=) 'sql'), 1::bigint, 'cache_stats');
INSERT INTO public.prices VALUES (3, 30);
SELECT public.is(public.cache_get('sql', 3), '30', 'and the watch');
RESET search_path;
SELECT is(other('SELECT cache_get(''sql'', 2)'), '20', 'nothing of it is stored');
-- a cache made under a search_path with an earlier schema keeps that
SET search_path = evil, public;
CREATE FUNCTION public.of_evil(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT min(v) FROM prices WHERE k OPERATOR(pg_catalog.=) a';
SELECT cache_create('evil', 'public.of_evil(int)'), cache_watch('evil', 'evil.prices', 'k');
RESET search_path;
SELECT is(cache_get('evil', 1), '666', 'the search_path of the creation');

-- the session and the clock
CREATE FUNCTION of_setting(k int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT current_setting(''my.tenant'', true) || max(v) FROM prices); END';
CREATE FUNCTION of_user() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT session_user || max(v) FROM prices); END';
CREATE FUNCTION of_clock() RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT now() FROM prices LIMIT 1); END';
CREATE FUNCTION of_simple() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';
CREATE FUNCTION of_date() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_date || '' '' || localtimestamp FROM prices LIMIT 1';
SET client_min_messages = error;
SELECT cache_create(c, f::regprocedure), cache_watch(c, 'prices') FROM (VALUES ('setting', 'of_setting(int)'), ('user', 'of_user()'),
  ('clock', 'of_clock()'), ('simple', 'of_simple()'), ('date', 'of_date()')) v (c, f);
SET my.tenant = 'one';
SELECT is(cache_get('setting', 1), '"one30"', 'current_setting()');
SET my.tenant = 'two';
SELECT is(cache_get('setting', 1), '"two30"', 'current_setting(), changed');
SELECT cache_alter('setting', ttl => '1 hour');
SELECT cache_get('setting', 1);
SET my.tenant = 'three';
SELECT is(cache_get('setting', 1), '"three30"', 'with a ttl as well');
SELECT cache_get('user');
SELECT is(hits('user', 'SELECT cache_get(''user'')'), 0::bigint, 'session_user');
SELECT cache_get('clock'), cache_get('simple'), cache_get('date');
SELECT is(cache_get_as(NULL::timestamptz, 'clock'), of_clock(), 'now()');
SELECT is(cache_get_as(NULL::timestamptz, 'simple'), of_simple(), 'now() in a SQL function without a table');
SELECT is(cache_get_as(NULL::text, 'date'), of_date(), 'current_date and localtimestamp');
RESET client_min_messages;
SELECT dblink_disconnect('other');
SELECT * FROM finish();
DROP OWNED BY regress_cache_mallory CASCADE;
DROP ROLE regress_cache_mallory;
