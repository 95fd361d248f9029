--
-- cache_get() and cache_get_as(): keys as arguments of a function call.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k int, name text, v numeric);
INSERT INTO t VALUES (1, 'one', 1.10), (2, 'two', NULL);
CREATE FUNCTION value_of(a int) RETURNS numeric
LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION two(a int, b text) RETURNS text
LANGUAGE sql STABLE AS 'SELECT a || coalesce(b, ''(null)'') || count(*) FROM t';
CREATE FUNCTION strict_two(a int, b text) RETURNS text
LANGUAGE sql STABLE STRICT AS 'SELECT a || b || count(*) FROM t';
CREATE FUNCTION no_keys() RETURNS bigint
LANGUAGE sql STABLE AS 'SELECT count(*) FROM t';
SELECT cache_create('value', 'value_of(int)'), cache_watch('value', 't', 'k');
SELECT cache_create('two', 'two(int, text)'), cache_watch('two', 't');
SELECT cache_create('strict', 'strict_two(int, text)'), cache_watch('strict', 't');
SELECT cache_create('none', 'no_keys()'), cache_watch('none', 't');

-- miss, hit, no such row
SELECT cache_get('value', 1), cache_get('value', 1), cache_get('value', 3);
SELECT cache_get_as(NULL::numeric, 'value', 1), cache_get_as(NULL::numeric, 'value', 1);
-- a cached NULL is a hit
SELECT cache_get('value', 2) IS NULL, cache_get('value', 2) IS NULL;
SELECT hits, misses, loads, bypasses, entries FROM cache_stats WHERE name = 'value';

-- no keys
SELECT cache_get('none'), cache_get('none'), cache_get_as(NULL::bigint, 'none');

-- NULL keys: of a strict loader NULL, without a load; else a key like any other
SELECT cache_get('two', 1, NULL), cache_get('two', 1, NULL);
SELECT cache_get('two', NULL, NULL) IS NULL;
SELECT cache_get('strict', 1, NULL) IS NULL, cache_get('strict', NULL, 'x') IS NULL,
       cache_get_as(NULL::text, 'strict', NULL, NULL) IS NULL;
SELECT name, hits, misses, loads FROM cache_stats WHERE name IN ('two', 'strict') ORDER BY name;

-- names of caches
SELECT cache_get('nowhere', 1);
\echo :SQLSTATE
SELECT cache_get(NULL, 1);
\echo :SQLSTATE
SELECT cache_get(NULL::text);
\echo :SQLSTATE
SELECT cache_get('', 1);
\echo :SQLSTATE
SELECT cache_get('Value', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::numeric, 'nowhere', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::numeric, NULL, 1);
\echo :SQLSTATE

-- too many keys, or too few
SELECT cache_get('value');
\echo :SQLSTATE
SELECT cache_get('value', 1, 2);
\echo :SQLSTATE
SELECT cache_get('two', 1);
\echo :SQLSTATE
SELECT cache_get('none', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::numeric, 'value');
\echo :SQLSTATE
SELECT cache_get('value', VARIADIC array_fill(1, ARRAY[101]));
\echo :SQLSTATE

-- types of keys: as arguments of a function call
SELECT cache_get('value', '1'), cache_get('value', 1::smallint);
SELECT cache_get('value', 'one');
\echo :SQLSTATE
SELECT cache_get('value', 1::bigint), cache_get('value', 1.0), cache_get('value', 1::float8);
SELECT cache_get('value', 99999999999);
\echo :SQLSTATE
SELECT cache_get('value', 1e10);
\echo :SQLSTATE
SELECT cache_get('value', 1.5);
\echo :SQLSTATE
SELECT cache_get('value', '1'::text), cache_get('value', '1'::varchar), cache_get('value', '1'::char(5)), cache_get('value', '1'::name);
SELECT cache_get('value', 'one'::text);
\echo :SQLSTATE
SELECT cache_get('value', ARRAY[1]);
\echo :SQLSTATE
SELECT cache_get('value', true);
\echo :SQLSTATE
SELECT cache_get('two', 1, 'a'::varchar), cache_get('two', 1, 'a'::name), cache_get('two', 1, 'a'::char(3));
SELECT cache_get('two', 1, 2);
\echo :SQLSTATE
SELECT cache_get('two', '1', '2');
SELECT cache_get('value', '99999999999');
\echo :SQLSTATE

-- VARIADIC arrays
SELECT cache_get('value', VARIADIC ARRAY[1]), cache_get('value', VARIADIC '{1}'::int[]);
SELECT cache_get('value', VARIADIC ARRAY[1, 2]);
\echo :SQLSTATE
SELECT cache_get('value', VARIADIC NULL::int[]);
\echo :SQLSTATE
SELECT cache_get('none', VARIADIC '{}'::text[]);
SELECT cache_get('two', VARIADIC ARRAY['1', '2']);
SELECT cache_get('value', VARIADIC 1);
\echo :SQLSTATE

-- cache_get_as() wants the loader's own type
SELECT cache_get_as(NULL::int, 'value', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::float8, 'value', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL, 'value', 1);
\echo :SQLSTATE
SELECT cache_get_as('literal', 'value', 1);
\echo :SQLSTATE
SELECT cache_get_as(0.0, 'value', 1);
CREATE FUNCTION anonymous(a int) RETURNS record LANGUAGE sql STABLE AS 'SELECT a, ''x''::text';
SELECT cache_create('anonymous', 'anonymous(int)');
SELECT cache_get('anonymous', 1);
SELECT cache_get_as(NULL::record, 'anonymous', 1);
\echo :SQLSTATE
CREATE FUNCTION outputs(a int, OUT b int, OUT c text) LANGUAGE sql STABLE AS 'SELECT a, ''x''::text';
SELECT cache_create('outputs', 'outputs(int)');
SELECT cache_get('outputs', 1), cache_get('outputs', 1);

-- prepared statements: parameters without a type get the keys' types
CREATE FUNCTION five(a int, b text, c date, d uuid, e numeric) RETURNS text LANGUAGE sql STABLE AS 'SELECT concat_ws('' '', a, b, c, d, e)';
SELECT cache_create('five', 'five(int, text, date, uuid, numeric)');
PREPARE untyped AS SELECT cache_get('value', $1), cache_get_as(NULL::numeric, 'value', $1);
EXECUTE untyped('1');
EXECUTE untyped(NULL);
EXECUTE untyped('one');
\echo :SQLSTATE
PREPARE untyped_two AS SELECT cache_get('two', $1, $2);
EXECUTE untyped_two('1', 'x');
EXECUTE untyped_two(NULL, NULL);
PREPARE mixed AS SELECT cache_get('two', $1, 'x'::text), cache_get('two', 1, $2);
EXECUTE mixed('1', 'y');
PREPARE untyped_five AS SELECT cache_get('five', $1, $2, $3, $4, $5);
EXECUTE untyped_five('1', 'x', '2020-02-29', '{A0EEBC999C0B4EF8BB6D6BB9BD380A11}', '1.50');
PREPARE untyped_name AS SELECT cache_get($1, $2);
EXECUTE untyped_name('value', '1');
SELECT name, parameter_types FROM pg_prepared_statements WHERE name IN ('untyped', 'mixed', 'untyped_five', 'untyped_name') ORDER BY name;
PREPARE elsewhere AS SELECT cache_get('value', $1) WHERE 1 = $1;
\echo :SQLSTATE
PREPARE typed(text, int) AS SELECT cache_get($1, $2);
EXECUTE typed('value', 1);
EXECUTE typed('value', 1);
EXECUTE typed(NULL, 1);
\echo :SQLSTATE
EXECUTE typed('nowhere', 1);
\echo :SQLSTATE
EXECUTE typed('value', 2);

-- the loader's own errors are passed on
CREATE FUNCTION inverse(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1 / a; END';
SELECT cache_create('inverse', 'inverse(int)');
SELECT cache_get('inverse', 0);
\echo :SQLSTATE
SELECT cache_get('inverse', 1);

-- domains as keys check their constraints as a call would
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE FUNCTION of_domain(a positive) RETURNS int LANGUAGE sql STABLE AS 'SELECT a::int';
SELECT cache_create('domain', 'of_domain(positive)');
SELECT cache_get('domain', 5), cache_get('domain', '6'), cache_get('domain', 7::positive);
SELECT cache_get('domain', -5);
\echo :SQLSTATE
SELECT cache_get('domain', '-5');
\echo :SQLSTATE

-- switched off
SET cache.enabled = off;
SELECT cache_get('value', 1), cache_get_as(NULL::numeric, 'value', 1);
SELECT cache_get('value', 'one');
\echo :SQLSTATE
RESET cache.enabled;
SET cache.enabled = 'maybe';
\echo :SQLSTATE
SET cache.memory = '1GB';
\echo :SQLSTATE
SET cache.no_such_setting = 1;
\echo :SQLSTATE

-- no temporary schema is made where names are looked up there first
SET search_path = pg_temp, public;
SELECT cache_get('value', 1);
SELECT pg_my_temp_schema() = 0 AS none;
RESET search_path;
