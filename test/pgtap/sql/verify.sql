-- cache_verify(): keys and values of all kinds of types, collations, roles, many
-- and large keys. What is planted is a loader that reads a table which is not
-- watched, under a ttl: once the table is written, all that is cached is wrong.
\ir ../exact.psql
SET client_min_messages = warning;
CREATE EXTENSION citext;
DROP ROLE IF EXISTS regress_cache_verifier, regress_cache_other;
CREATE ROLE regress_cache_verifier;
CREATE ROLE regress_cache_other;
GRANT CREATE ON SCHEMA public TO regress_cache_verifier;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE salt (v text);
INSERT INTO salt VALUES ('');
GRANT SELECT, UPDATE ON salt TO PUBLIC;

CREATE TABLE kinds (n serial, type text, value text);
INSERT INTO kinds (type, value) VALUES
  ('bool', 'true'), ('"char"', 'c'), ('smallint', '-7'), ('int', '2147483647'), ('bigint', '-9223372036854775808'),
  ('numeric', '1.10'), ('numeric', 'NaN'), ('float8', '-0'), ('real', 'Infinity'), ('oid', '4294967295'),
  ('text', ''), ('text', 'with "quotes", a \ and é'), ('text', repeat('long', 200)), ('varchar(5)', 'abcde'), ('char(5)', 'ab'),
  ('name', 'a name'), ('citext', 'CiText'), ('bytea', '\x00ff00'), ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
  ('date', '2020-02-29'), ('time', '23:59:59.999999'), ('timetz', '12:00:00+02'), ('timestamp', '2020-01-01 10:00:00'),
  ('timestamptz', '2020-01-01 10:00:00+00'), ('interval', '1 mon -3 days'), ('mood', 'ok'), ('positive', '5'),
  ('int[]', '{1,NULL,3}'), ('int[]', '[2:3]={1,2}'), ('text[]', '{a,"b c"}'), ('mood[]', '{sad}'),
  ('int4range', '[1,5)'), ('int4multirange', '{[1,2),[5,9)}'), ('jsonb', '{"a": [1, 2.0, null]}'),
  ('inet', '10.1.2.3/8'), ('macaddr', '08:00:2b:01:02:03'), ('pair', '(1,x)'), ('pair', '(,)'), ('pair[]', '{"(1,x)",NULL}'),
  ('regclass', 'pg_class'), ('pg_lsn', '0/1'), ('int', NULL), ('text', NULL);
SELECT plan(6 + (SELECT count(*) FROM kinds)::int * 2 + 18);

SELECT has_function('cache_verify', ARRAY['text', 'integer']);
SELECT function_returns('cache_verify', ARRAY['text', 'integer'], 'setof record');
SELECT volatility_is('cache_verify', ARRAY['text', 'integer'], 'volatile');
SELECT isnt(obj_description('cache_verify'::regproc), NULL, 'a comment');
SELECT is(run('SELECT cache_verify(''nowhere'')'), 'ERROR 42704', 'no such cache');
SELECT is(run('SELECT cache_verify(''nowhere'', 0)'), 'ERROR 22023', 'an empty sample');

-- The value is the key and the salt; with a native entry, in a composite type.
CREATE TYPE salted AS (k text, salt text);
SELECT unnest(ARRAY[
  format('CREATE FUNCTION load_%s(k %s) RETURNS salted LANGUAGE sql STABLE AS ''SELECT ROW(k::text, v)::salted FROM salt''', n, type),
  format('SELECT cache_create(''kind_%s'', oid, ttl => ''1 day'') FROM pg_proc WHERE proname = ''load_%s''', n, n)])
FROM kinds
\gexec
-- verified asserts what cache_verify() returns: nothing if the salt is the same,
-- else the key, for each form, with what was loaded then and what is now.
CREATE FUNCTION verified(n int, type text, value text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  cache text := 'kind_' || n;
  literal text := coalesce(quote_literal(value), 'NULL') || '::' || type;
  as_text text;
  as_output text;
BEGIN
  UPDATE salt SET v = 'before';
  EXECUTE format('SELECT k::text, CASE WHEN %s IS NOT NULL THEN format(''%%s'', k) END FROM (SELECT %s) v (k)', quote_nullable(value), literal)
    INTO as_text, as_output;
  RETURN NEXT is(run(format('SELECT count(*) FROM cache_verify(%L)', cache)), '0', type || ': ' || coalesce(left(value, 40), 'NULL'));
  UPDATE salt SET v = 'after';
  RETURN NEXT is(
    ARRAY(SELECT concat_ws('|', coalesce(key, 'NULL'), cached, loaded) FROM cache_verify(cache)),
    array_fill(concat_ws('|', coalesce(as_output, 'NULL'), jsonb_build_object('k', as_text, 'salt', 'before'),
                         jsonb_build_object('k', as_text, 'salt', 'after')), ARRAY[2]),
    type || ': ' || coalesce(left(value, 40), 'NULL') || ', planted');
END $$;
UPDATE salt SET v = 'before';
SELECT format('SELECT cache_get(''kind_%s'', %s), cache_get_as(NULL::salted, ''kind_%s'', %s)', n, literal, n, literal)
FROM kinds, LATERAL (SELECT coalesce(quote_literal(value), 'NULL') || '::' || type AS literal) l
\gexec
SELECT verified(n, type, value) FROM kinds ORDER BY n;

-- Collations: an entry for each, whose loader is called with it again.
SET client_min_messages = error;
CREATE FUNCTION load_order(a text, b text) RETURNS text LANGUAGE sql STABLE AS 'SELECT (a < b) || v FROM salt';
SELECT cache_create('order', 'load_order(text, text)', ttl => '1 day');
UPDATE salt SET v = '';
SELECT cache_get('order', 'a', 'B'), cache_get('order', 'a' COLLATE "C", 'B'), cache_get('order', 'a' COLLATE "en-x-icu", 'B');
SELECT is_empty('SELECT * FROM cache_verify(''order'')', 'collations: each is loaded with its own');
UPDATE salt SET v = '!';
SELECT bag_eq('SELECT key, cached::text, loaded::text FROM cache_verify(''order'')',
  $$VALUES ('["a","B"]', '"false"', '"false!"'), ('["a","B"]', '"false"', '"false!"'), ('["a","B"]', '"true"', '"true!"')$$, 'collations: planted');
-- Equal keys of different bytes
CREATE FUNCTION load_equal(a numeric) RETURNS text LANGUAGE sql STABLE AS 'SELECT a || v FROM salt';
SELECT cache_create('equal', 'load_equal(numeric)', ttl => '1 day');
SELECT cache_get('equal', 1.0), cache_get('equal', 1.00), cache_get('equal', 1);
SELECT is_empty('SELECT * FROM cache_verify(''equal'')', 'equal keys: each is loaded by itself');
UPDATE salt SET v = '?';
SELECT bag_eq('SELECT key, cached::text FROM cache_verify(''equal'')', $$VALUES ('1', '"1!"'), ('1.0', '"1.0!"'), ('1.00', '"1.00!"')$$, 'equal keys: planted');

-- Settings: of the loader, not of the session.
CREATE TABLE moment (at timestamptz);
INSERT INTO moment VALUES ('2020-01-01 00:00+00');
CREATE FUNCTION load_moment(k int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM moment';
SET timezone = 'Asia/Tokyo';
SELECT cache_create('moment', 'load_moment(int)', ttl => '1 day');
SELECT cache_get('moment', 1), cache_get_as(NULL::timestamptz, 'moment', 1);
SET timezone = 'UTC';
SELECT is_empty('SELECT * FROM cache_verify(''moment'')', 'settings');
UPDATE moment SET at = '2021-01-01 00:00+00';
SELECT bag_eq('SELECT cached::text, loaded::text FROM cache_verify(''moment'')',
  $$VALUES ('"2020-01-01T09:00:00+09:00"', '"2021-01-01T09:00:00+09:00"'), ('"2020-01-01T09:00:00+09:00"', '"2021-01-01T09:00:00+09:00"')$$, 'settings: planted');
SELECT is(current_setting('timezone'), 'UTC', 'and are restored');

-- Roles: the owner, or a superuser, and only what is cached for this role.
UPDATE salt SET v = '';
CREATE FUNCTION load_role(k int) RETURNS text LANGUAGE sql STABLE AS 'SELECT k || v FROM salt';
SET ROLE regress_cache_verifier;
SELECT cache_create('invoker', 'load_role(int)', ttl => '1 day');
RESET ROLE;
CREATE FUNCTION load_definer(k int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT k || v FROM salt';
SELECT cache_create('definer', 'load_definer(int)', ttl => '1 day');
SELECT run('SELECT cache_get(''invoker'', 1)', 'regress_cache_verifier');
SELECT cache_get('invoker', 2);
SELECT run('SELECT cache_get(''definer'', 3)', 'regress_cache_other');
UPDATE salt SET v = '*';
SELECT is(run('SELECT string_agg(key, '','') FROM cache_verify(''invoker'')', 'regress_cache_verifier'), '1', 'the owner sees entries of its own');
SELECT is(run('SELECT string_agg(key, '','') FROM cache_verify(''invoker'')'), '2', 'a superuser its own');
SELECT is(run('SELECT string_agg(key, '','') FROM cache_verify(''definer'')'), '3', 'entries of a definer''s loader are anybody''s');
SELECT is(run('SELECT cache_verify(''definer'')', 'regress_cache_other'), 'ERROR 42501', 'readers may not see keys');
SELECT is(run('SELECT cache_verify(''definer'')', 'regress_cache_verifier'), 'ERROR 42501', 'nor owners of other caches');
REVOKE EXECUTE ON FUNCTION load_role(int) FROM PUBLIC;
SELECT is(run('SELECT cache_verify(''invoker'')', 'regress_cache_verifier'), 'ERROR 42501', 'without EXECUTE on the loader not even the owner');
GRANT EXECUTE ON FUNCTION load_role(int) TO PUBLIC;

-- More keys than are copied at a time, and long ones
CREATE FUNCTION load_long(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT length(k) || v FROM salt';
SELECT cache_create('long', 'load_long(text)', ttl => '1 day'), cache_create('many', 'load_role(int)', ttl => '1 day');
SELECT count(cache_get('many', i)) FROM generate_series(1, 5000) i;
SELECT count(cache_get('long', repeat(i::text, 15000))) FROM generate_series(1, 40) i;
SELECT is((SELECT count(*) FROM cache_verify('many')) + (SELECT count(*) FROM cache_verify('long')), 0::bigint, 'many keys');
UPDATE salt SET v = '#';
SELECT is((SELECT count(DISTINCT key::int) FROM cache_verify('many')), 5000::bigint, 'many keys: planted');
SELECT is((SELECT count(DISTINCT key) FROM cache_verify('long') WHERE loaded::text = format('"%s#"', length(key))), counter('long', 'entries'), 'long keys: planted');
-- A sample is as large as asked for, and another one each time.
SELECT is((SELECT count(*) FROM cache_verify('many', 100)), 100::bigint, 'a sample');
SELECT cmp_ok((SELECT count(DISTINCT key) FROM generate_series(1, 20) i, LATERAL cache_verify('many', 20 + 0 * i)), '>', 100::bigint, 'samples differ');
SET client_min_messages = warning;
DROP OWNED BY regress_cache_verifier, regress_cache_other CASCADE;
DROP ROLE regress_cache_verifier, regress_cache_other;
SELECT * FROM finish();
