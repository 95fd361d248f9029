-- Keys and values of all kinds of types, with 0 to 6 arguments.
\ir ../exact.psql
SET client_min_messages = warning;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN text_domain AS text;
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN pair_domain AS pair;
CREATE TYPE nested AS (p pair, ps pair[], m mood);
CREATE TABLE row_type (id int, note text, at date);
ALTER TABLE row_type ADD gone int;
ALTER TABLE row_type DROP gone;
CREATE TYPE float_range AS RANGE (subtype = float8);
RESET client_min_messages;

-- A cache for each type of key: its loader returns the key as text.
CREATE TABLE key_types (n serial, type text, value text);
INSERT INTO key_types (type, value) VALUES
  ('smallint', '(-7)::smallint'), ('int', '2147483647'), ('bigint', '-9223372036854775808'),
  ('numeric', '1.10'), ('numeric', '''NaN'''), ('numeric(10,2)', '1'),
  ('real', '1.5'), ('float8', '-0.0'), ('float8', '''Infinity'''),
  ('text', '''a''::text'), ('text', ''''''), ('varchar', '''varchar''::varchar'),
  ('varchar(20)', '''v''::varchar(5)'), ('char(10)', '''c''::char(10)'),
  ('"char"', '''c''::"char"'), ('name', '''a_name''::name'),
  ('citext', '''CiText''::citext'), ('text', '''citext''::citext'),
  ('uuid', '''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11''::uuid'),
  ('uuid', '''{A0EEBC99-9c0b4ef8-bb6d6bb9-bd380a11}'''),
  ('bytea', '''\x00ff''::bytea'), ('bytea', '''\x'''),
  ('date', 'date ''2020-02-29'''), ('date', '''infinity'''),
  ('time', 'time ''23:59:59.999999'''), ('timetz', '''12:00+02'''),
  ('timestamp', 'timestamp ''2020-01-01 10:00'''),
  ('timestamptz', 'timestamptz ''2020-01-01 10:00+05'''), ('timestamptz', 'date ''2020-01-01'''),
  ('interval', 'interval ''1 month -3 days'''), ('bool', 'true'), ('bool', '''off'''),
  ('oid', '4294967295'), ('regclass', '''pg_class'''), ('pg_lsn', '''0/1'''), ('xid8', '''5'''),
  ('mood', '''ok''::mood'), ('mood', '''sad'''),
  ('positive', '5'), ('positive', '6::positive'), ('text_domain', '''d''::text_domain'),
  ('int[]', 'ARRAY[1, NULL, 3]'), ('int[]', '''{}'''), ('int[]', '''[2:3]={1,2}'''),
  ('text[]', 'ARRAY[''a'', ''b'']'), ('numeric[]', 'ARRAY[1.0, 2]'), ('mood[]', '''{sad}'''),
  ('int4range', 'int4range(1, 5)'), ('int4range', '''(1,3]'''), ('numrange', '''empty'''),
  ('tstzrange', 'tstzrange(''2020-01-01'', NULL)'), ('float_range', '''[1,2.5)'''),
  ('int4multirange', '''{[1,2),[5,9)}'''), ('datemultirange', '''{}'''),
  ('jsonb', '''{"a": [1, 2.0, null]}''::jsonb'), ('jsonb', '''null'''),
  ('inet', '''10.1.2.3/8''::inet'), ('cidr', '''10.0.0.0/8'''), ('inet', '''::1'''),
  ('macaddr', '''08:00:2b:01:02:03'''), ('macaddr8', '''08:00:2b:01:02:03:04:05'''),
  ('pair', 'ROW(1, ''x'')::pair'), ('pair', '''(,)'''), ('row_type', 'ROW(1, ''x'', ''2020-01-01'')::row_type'),
  ('pair[]', 'ARRAY[ROW(1, ''x'')::pair, NULL]'), ('pair_domain', 'ROW(2, ''y'')::pair'),
  ('nested', 'ROW(ROW(1, ''x''), ARRAY[ROW(2, ''y'')::pair], ''ok'')::nested'),
  ('hstore', '''a=>1''::hstore'), ('int', 'NULL'), ('text', 'NULL::text'), ('pair', 'NULL');

-- A cache for each type of value: its loader returns the value.
CREATE TABLE value_types (n serial, type text, value text);
INSERT INTO value_types (type, value)
SELECT DISTINCT ON (type, value) type, value FROM key_types ORDER BY type, value;
INSERT INTO value_types (type, value) VALUES
  ('json', '''{"b": 1,  "a": 2}'''), ('json[]', 'ARRAY[''{"b":  1}''::json]'),
  ('jsonb', '''[1, "two", null]'''), ('jsonb', 'NULL'), ('jsonb[]', 'ARRAY[''{"b":  1}''::jsonb]'),
  ('xml', '''<a>text &amp; more</a>'''), ('money', '12.5::numeric::money'), ('bit(3)', 'B''101'''), ('varbit', 'B'''''),
  ('tsvector', 'to_tsvector(''simple'', ''a b'')'), ('tsquery', '''a & b'''),
  ('point', '''(1,2)'''), ('box', '''(1,2),(3,4)'''), ('polygon', '''((0,0),(1,1),(2,0))'''), ('point[]', 'ARRAY[point ''(1,2)'']'),
  ('path', '''[(0,0),(1,1)]'''), ('circle', '''<(0,0),5>'''), ('refcursor', '''c'''),
  ('tid', '''(0,1)'''), ('pg_snapshot', '''10:20:10,14'''), ('cstring[]', 'ARRAY[''x''::cstring]'),
  ('int2vector', '''1 2 3'''), ('oidvector', '''1 2 3'''), ('regprocedure', '''now()'''), ('regtype', '''int'''),
  ('text', 'repeat(''large'', 100000)'), ('bytea', 'decode(repeat(''00ff'', 50000), ''hex'')'),
  ('text[]', 'array_fill(repeat(''x'', 1000), ARRAY[100])'), ('int[]', 'array_fill(7, ARRAY[2, 3, 4])'),
  ('nummultirange', '''{[1.5,2.5)}'''), ('tstzmultirange', '''{}'''), ('name[]', 'ARRAY[''n''::name]'),
  ('pair', '(NULL::pair)'), ('pair', 'ROW(NULL, NULL)::pair'), ('pair', 'ROW(1, repeat(''toasted'', 10000))::pair'),
  ('pair[]', 'array_fill(ROW(1, repeat(''y'', 1000))::pair, ARRAY[20])'),
  ('pair_domain[]', 'ARRAY[ROW(1, ''x'')::pair_domain]'), ('mood[]', 'ARRAY[''sad'', NULL]::mood[]'),
  ('positive[]', 'ARRAY[1, 2]::positive[]'), ('float8', '0.1::float8 + 0.2'), ('real', '''NaN'''),
  ('timestamptz', '''-infinity'''), ('interval', '''-1 year 2 days 03:04:05.678'''), ('numeric', '1e100'),
  ('void_domain', 'NULL');
DELETE FROM value_types WHERE type = 'void_domain';

SELECT plan((SELECT count(*) FROM key_types)::int + (SELECT count(*) FROM value_types)::int + 15);

SELECT unnest(ARRAY[
  format('CREATE FUNCTION key_%s(k %s) RETURNS text LANGUAGE sql STABLE AS ''SELECT coalesce(k::text, ''''(null)'''')''', n, type),
  format('SELECT cache_create(''key_%s'', oid) FROM pg_proc WHERE proname = ''key_%s''', n, n)])
FROM key_types ORDER BY n
\gexec
SELECT unnest(ARRAY[
  format('CREATE FUNCTION value_%s(k int) RETURNS %s LANGUAGE sql STABLE AS $f$SELECT (%s)::%s$f$', n, type, value, type),
  format('SELECT cache_create(''value_%s'', ''value_%s(int)'')', n, n)])
FROM value_types ORDER BY n
\gexec
SELECT format('SELECT exact(''key_%s'', %L, ''key_%s'', %L)', n, value, n, 'key of type ' || type || ': ' || value)
FROM key_types ORDER BY n
\gexec
SELECT format('SELECT exact(''value_%s'', ''1'', ''value_%s'', %L)', n, n, 'value of type ' || type || ': ' || left(value, 60))
FROM value_types ORDER BY n
\gexec

-- 0 to 6 arguments of mixed types
SELECT unnest(ARRAY[
  format('CREATE FUNCTION arguments_%s(%s) RETURNS text LANGUAGE sql STABLE AS ''SELECT concat_ws(''''/'''', %s)''', n,
         array_to_string(types[1:n], ', '), array_to_string(ARRAY['''''x'''''] || names[1:n], ', ')),
  format('SELECT cache_create(''arguments_%s'', oid) FROM pg_proc WHERE proname = ''arguments_%s''', n, n),
  format('SELECT exact(''arguments_%s'', %L, ''arguments_%s'')', n, array_to_string(keys[1:n], ', '), n)])
FROM generate_series(0, 6) n,
  (VALUES ('{int,text,numeric,mood,int[],pair}'::text[], '{$1,$2,$3,$4,$5,$6}'::text[],
           ARRAY['1', '''two''', '3.0', '''ok''', '''{5}''', '''(6,six)'''])) v (types, names, keys)
\gexec

-- one call that mixes literals without a type, implicit casts and the type itself
SELECT is(cache_get('arguments_3', '1', 'two'::varchar, 3), cache_get('arguments_3', 1::smallint, 'two', '3'),
          'literals and implicit casts');
-- a VARIADIC loader takes its array as a key
CREATE FUNCTION sum_of(VARIADIC ns int[]) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(n) FROM unnest(ns) n';
SELECT cache_create('sum', 'sum_of(int[])');
SELECT is(cache_get_as(NULL::bigint, 'sum', ARRAY[1, 2, 3]), sum_of(1, 2, 3), 'VARIADIC loader');
-- a VARIADIC array of keys: all elements are of one type
CREATE FUNCTION three(a int, b bigint, c numeric) RETURNS text LANGUAGE sql STABLE AS 'SELECT a || ''/'' || b || ''/'' || c';
SELECT cache_create('three', 'three(int, bigint, numeric)');
SELECT is(cache_get_as(NULL::text, 'three', VARIADIC ARRAY[1, 2, 3]), three(1, 2, 3), 'VARIADIC array of keys, coerced one by one');
SELECT is(cache_get_as(NULL::text, 'three', VARIADIC ARRAY[1, 2, NULL]), three(1, 2, NULL), 'with a NULL in it');
-- the same keys by another way are the same entry
SELECT is(hits('three', 'SELECT cache_get_as(NULL::text, ''three'', 1, 2, 3)'), 1::bigint, 'the same entry by single keys');

-- types with an implicit cast to text keep their own meaning
CREATE FUNCTION padded(k char(10)) RETURNS int LANGUAGE sql STABLE AS 'SELECT octet_length(k)';
SELECT cache_create('padded', 'padded(char)');
SELECT exact('padded', '''c''::char(10)', 'padded', 'padding of char(n)');
CREATE FUNCTION sign_of(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT k';
CREATE FUNCTION sign_of(k pair) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''pair '' || k::text';
SELECT cache_create('sign', 'sign_of(pair)');
CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).b';
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
SELECT exact('sign', 'ROW(1, ''x'')::pair', 'sign_of', 'a composite with an implicit cast to text');
CREATE FUNCTION truth(k boolean) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''is '' || k';
SELECT cache_create('truth', 'truth(boolean)');
SELECT exact('truth', '''yes''', 'truth', 'a literal for a boolean');
DROP CAST (pair AS text);
SELECT * FROM finish();
