-- Keys that are not of the loader's type: numbers of other types, texts. What a
-- direct call takes is what it takes; the rest is exact, or an error.
\ir ../exact.psql
SET client_min_messages = warning;
CREATE EXTENSION citext;
RESET client_min_messages;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN big AS bigint;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE numbers (n serial, type text);
INSERT INTO numbers (type) VALUES ('smallint'), ('int'), ('bigint'), ('numeric'), ('real'), ('float8'), ('positive'), ('big'), ('oid');
CREATE TABLE texts (n serial, type text, value text);
INSERT INTO texts (type, value) VALUES ('int', '42'), ('int', ' 7 '), ('int', '1.5'), ('int', '99999999999'), ('int', ''), ('bigint', '-9223372036854775808'),
  ('numeric', '1.500'), ('float8', '0.1'), ('uuid', '{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'), ('uuid', 'no uuid'), ('date', '2024-02-29'), ('date', '2023-02-29'),
  ('timestamptz', '2024-03-31 01:30+02'), ('interval', '1 mon'), ('time', '23:59'), ('boolean', 'yes'), ('bytea', '\x00ff'), ('mood', 'sad'), ('mood', 'glad'),
  ('positive', '5'), ('positive', '-5'), ('int[]', '{1,NULL,3}'), ('int4range', '[1,3]'), ('jsonb', '{"a": 1}'), ('jsonb', 'no json'), ('inet', '10.1.2.3/8'),
  ('pair', '(1,x)'), ('oid', '4294967295'), ('text', 'as it is '), ('"char"', 'abc');
SELECT plan((SELECT count(*) FROM numbers a, numbers b)::int + (SELECT count(*) FROM texts)::int * 2 + 24);
SELECT unnest(ARRAY[
  format('CREATE FUNCTION load_%s(k %s) RETURNS text LANGUAGE sql STABLE AS ''SELECT ''''of '''' || k::text''', k, type),
  format('SELECT cache_create(%L, oid) FROM pg_proc WHERE proname = ''load_%s''', k, k)])
FROM (SELECT 'n' || n AS k, type FROM numbers UNION ALL SELECT 't' || n, type FROM texts) x ORDER BY k \gexec

-- as_number says what is wrong with a number of one type for a key of another.
CREATE FUNCTION as_number(cache text, given text, key text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  number text := format('(%L::%s)', value, given);
  direct text := run(format('SELECT load_%s(%s)', cache, number));
  same text := run(format('SELECT load_%s(%s::%s) WHERE %s::%s::%s = %s', cache, number, key, number, key, given, number));
  got text := run(format('SELECT cache_get_as(NULL::text, %L, %s)', cache, number));
  want text := coalesce(CASE WHEN direct <> 'ERROR 42883' THEN direct ELSE nullif(same, 'ERROR 42846') END, 'ERROR 42804');
BEGIN
  IF run('SELECT ' || number) LIKE 'ERROR%' OR got = want THEN
    RETURN NULL;
  END IF;
  RETURN format('%s: %s, not %s', number, got, want);
END $$;
SELECT is(array_agg(as_number('n' || k.n, g.type, k.type, v)) FILTER (WHERE as_number('n' || k.n, g.type, k.type, v) IS NOT NULL), NULL, format('%s for %s', g.type, k.type))
FROM numbers k, numbers g, unnest('{0,1,-1,42,32767,32768,-32769,2147483647,2147483648,-2147483649,4294967295,16777217,9007199254740993,9223372036854775807,9223372036854775808,1.0,1.5,0.1,-0.0,1e20,1e-20,NaN,Infinity}'::text[]) v
WHERE NOT (g.type = 'oid' AND k.type IN ('int', 'positive')) AND NOT (g.type = 'oid' AND k.type = 'oid')
GROUP BY k.n, k.type, g.type ORDER BY k.n, g.type;
SELECT is(run('SELECT cache_get_as(NULL::text, ''n2'', 4294967295::oid)'), 'ERROR 42804', 'oid for int, which would not be the same number');
SELECT is(run('SELECT cache_get_as(NULL::text, ''n7'', 7::oid)'), 'ERROR 42804', 'nor for a domain over it');
SELECT is(run('SELECT cache_get_as(NULL::text, ''n9'', 7::oid)'), 'of 7', 'oid for oid');
SELECT is(run('SELECT cache_get_as(NULL::text, ''n2'', NULL::bigint)'), run('SELECT load_n2(NULL)'), 'NULL as bigint for int');
SELECT is(run('SELECT cache_get_as(NULL::text, ''n2'', NULL::numeric)'), run('SELECT load_n2(NULL)'), 'NULL as numeric for int');
SELECT is(run('SELECT cache_get_as(NULL::text, ''n2'', true)'), 'ERROR 42804', 'boolean for int');
SELECT is(run('SELECT cache_get_as(NULL::text, ''n2'', date ''2020-01-01'')'), 'ERROR 42804', 'date for int');

-- texts are read as literals are
SELECT is((SELECT array_agg(DISTINCT run(format('SELECT cache_get_as(NULL::text, %L, %L::%s)', 't' || n, value, given))) FROM unnest('{text,varchar,cache_key,citext}'::text[]) given),
  ARRAY[run(format('SELECT load_t%s(%L)', n, value))], format('texts for %s: %s', type, value)) FROM texts ORDER BY n;
SELECT is(run(format('SELECT cache_get_as(NULL::text, %L, %L::char(50))', 't' || n, value)),
  run(format('SELECT load_t%s(%L)', n, rtrim(value))), format('char(n) for %s: %s', type, value)) FROM texts ORDER BY n;
SELECT is(run('SELECT cache_get_as(NULL::text, ''t1'', NULL::text)'), run('SELECT load_t1(NULL)'), 'NULL as text for int');
CREATE FUNCTION load_name(k name) RETURNS text LANGUAGE sql STABLE AS 'SELECT pg_collation_for(k) || k || (k < ''ä'')';
SELECT cache_create('name', 'load_name(name)');
SELECT exact('name', '''x''', 'load_name', 'a literal has the collation of the key''s type');
PREPARE name AS SELECT cache_get_as(NULL::text, 'name', $1) = load_name('x') AS same;
EXECUTE name('x') \gset
SELECT ok(:'same', 'so has a parameter');

-- all are the same key: one entry, and one row's
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t SELECT i, i FROM generate_series(1, 9) i;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k');
PREPARE untyped AS SELECT cache_get('c', $1);
PREPARE untyped_name AS SELECT cache_get($1, $2);
CREATE TABLE forms (n serial, query text);
INSERT INTO forms (query) VALUES ('SELECT cache_get(''c'', 3)'), ('SELECT cache_get(''c'', ''3'')'), ('SELECT cache_get(''c'', ''3''::text)'), ('SELECT cache_get(''c'', 3::bigint)'),
  ('SELECT cache_get(''c'', 3::smallint)'), ('SELECT cache_get(''c'', 3.00)'), ('SELECT cache_get(''c'', 3e0::float8)'), ('SELECT cache_get(''c'', ''3''::cache_key)'),
  ('SELECT cache_get(''c'', VARIADIC ARRAY[''3''])'), ('SELECT value FROM cache_get_many(''c'', ''{3}'')'), ('SELECT value FROM cache_get_many(''c'', ARRAY[3::bigint])'),
  ('SELECT value FROM cache_get_many(''c'', ARRAY[''3''])'), ('EXECUTE untyped(''3'')'), ('EXECUTE untyped_name(''c'', ''3'')');
SELECT cache_get('c', 3);
SELECT is(hits('c', (SELECT query FROM forms f WHERE f.n = n.n)), 1::bigint, (SELECT query FROM forms f WHERE f.n = n.n)) FROM forms n WHERE query NOT LIKE '%EXECUTE%' ORDER BY n;
CREATE FUNCTION wrong() RETURNS text[] LANGUAGE sql AS 'SELECT array_agg(query || '': '' || run(query)) FROM forms WHERE run(query) IS DISTINCT FROM load(3)::text';
SELECT is(wrong(), NULL, 'all give the same');
UPDATE t SET v = 33 WHERE k = 3;
SELECT is(wrong(), NULL, 'after a write, too');
SELECT cache_invalidate('c', 3::bigint);
SELECT is(wrong(), NULL, 'after an invalidation');
BEGIN;
UPDATE t SET v = 34 WHERE k = 3;
SELECT is(wrong(), NULL, 'in a transaction that has written');
ROLLBACK;
SELECT is(wrong(), NULL, 'which was rolled back');
SELECT * FROM finish();
