-- cache_get_many() against single gets and direct calls: arrays of all kinds of
-- types, random arrays, transactions; and what it says of itself.
\ir ../exact.psql
SET client_min_messages = warning;
CREATE EXTENSION citext;
RESET client_min_messages;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);

-- The type of the key, and an array of it or of another type that becomes it.
CREATE TABLE arrays (n serial, type text, value text);
INSERT INTO arrays (type, value) VALUES
  ('smallint', '''{1,2,NULL,-3}''::smallint[]'), ('int', 'ARRAY[3, 1, 3, NULL]'), ('int', '''{1,2}''::smallint[]'),
  ('bigint', 'ARRAY[1, 2, 9223372036854775807]'), ('bigint', 'ARRAY[5, NULL, 5]'),
  ('numeric', 'ARRAY[1.0, 1.00, 1, NULL, ''NaN'']::numeric[]'), ('numeric', 'ARRAY[1, 2]'), ('float8', 'ARRAY[0.0, -0.0, ''Infinity'']::float8[]'),
  ('float8', 'ARRAY[1, 2]'), ('text', 'ARRAY[''a'', '''', NULL, ''ä'', repeat(''long'', 3000)]'), ('text', 'ARRAY[''a'', ''b'']::varchar[]'),
  ('text', 'ARRAY[''a'', ''b'']::name[]'), ('varchar', 'ARRAY[''a'', ''b'']'), ('char(3)', 'ARRAY[''a'', ''b'']::char(3)[]'),
  ('name', 'ARRAY[''a'']::name[]'), ('citext', 'ARRAY[''a'', ''A'', ''b'']::citext[]'),
  ('uuid', 'ARRAY[''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11''::uuid, NULL]'), ('bytea', 'ARRAY[''\x00''::bytea, ''\x'']'),
  ('date', 'ARRAY[date ''2020-02-29'', ''infinity'']'), ('timestamptz', 'ARRAY[date ''2020-02-29'']'),
  ('timestamptz', 'ARRAY[timestamptz ''2020-01-01 10:00+05'']'), ('interval', 'ARRAY[interval ''1 month'', ''30 days'']'),
  ('bool', 'ARRAY[true, false, NULL]'), ('mood', 'ARRAY[''sad'', ''happy'']::mood[]'), ('positive', 'ARRAY[1, 2]'),
  ('int', 'ARRAY[1, 2]::positive[]'), ('pair', 'ARRAY[ROW(1, ''x''), ROW(NULL, NULL), NULL]::pair[]'),
  ('jsonb', 'ARRAY[''{"a": 1}'', ''null'', NULL]::jsonb[]'), ('int4range', 'ARRAY[int4range(1, 5), ''empty'']'), ('inet', 'ARRAY[''10.1.2.3/8''::inet]'),
  ('text', '''{}''::text[]'), ('int', 'NULL::int[]'), ('int', '''[0:1][2:3]={{1,2},{NULL,4}}''::int[]'), ('oid', 'ARRAY[1, 2]::oid[]'),
  ('text', '(SELECT array_agg(i::text) FROM generate_series(1, 2500) i)'), ('int', '(SELECT array_agg(i % 700) FROM generate_series(1, 2500) i)');
SELECT plan((SELECT count(*) FROM arrays)::int * 3 + 18);
SELECT format('CREATE FUNCTION load_%s(a %s) RETURNS text LANGUAGE sql STABLE AS %L', n, type,
    CASE WHEN n % 2 = 0 THEN 'SELECT ''<'' || a::text || ''>''' ELSE 'SELECT coalesce(a::text, ''nothing'')' END),
  format('SELECT cache_create(''c%s'', ''load_%s(%s)'', max_cost => %L)', n, n, type, CASE WHEN n % 3 = 0 THEN 2000 END)
FROM arrays ORDER BY n \gexec

SELECT results_eq(
  format('SELECT * FROM cache_get_many(''c%s'', %s)', n, value),
  format('SELECT u.key, to_jsonb(load_%s(u.key)) FROM (SELECT unnest(%s) AS key) u', n, value),
  format('%s by %s', type, left(value, 50)))
FROM (SELECT * FROM arrays, generate_series(1, 2) again ORDER BY again, n) x;

-- the same arrays without a type: keys come back as their texts
SELECT results_eq(
  format('SELECT key COLLATE "C", value FROM cache_get_many(''c%s'', %L)', n, run('SELECT (' || value || ')::' || type || '[]')),
  format('SELECT CASE WHEN u.key IS DISTINCT FROM NULL THEN format(''%%s'', u.key) END COLLATE "C", to_jsonb(load_%s(u.key)) FROM (SELECT unnest((%s)::%s[]) AS key) u', n, value, type),
  format('%s by an array without a type: %s', type, left(value, 50)))
FROM arrays ORDER BY n;

-- random arrays, with the single gets in between; most entries do not stay
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t SELECT i, i FROM generate_series(1, 200) i;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)', max_cost => 20, entry_cost => 1), cache_watch('c', 't', 'k');
CREATE FUNCTION keys(n int) RETURNS int[] LANGUAGE sql VOLATILE AS
  'SELECT array_agg(CASE WHEN random() < 0.9 THEN ceil(random() * 210)::int END) FROM generate_series(1, n)';
CREATE FUNCTION wrong(keys int[]) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT count(*) FILTER (WHERE m.value IS DISTINCT FROM to_jsonb(load(m.key))
    OR m.key IS DISTINCT FROM keys[ordinality] OR cache_get('c', m.key) IS DISTINCT FROM m.value) + abs(count(*) - coalesce(cardinality(keys), 0))
  FROM cache_get_many('c', keys) WITH ORDINALITY m (key, value, ordinality)
$$;
SELECT is((SELECT sum(wrong(keys((random() * 100)::int))) FROM generate_series(1, 50)), 0::numeric, 'random arrays');
BEGIN;
UPDATE t SET v = v + 1 WHERE k % 2 = 0;
SELECT is((SELECT sum(wrong(keys((random() * 100)::int))) FROM generate_series(1, 10)), 0::numeric, 'in a transaction that has written');
ROLLBACK;
SELECT is((SELECT sum(wrong(keys((random() * 100)::int))) FROM generate_series(1, 10)), 0::numeric, 'rolled back');
CREATE FUNCTION in_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF wrong(keys(20)) > 0 THEN
    RAISE 'wrong in a trigger';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION in_trigger();
SELECT lives_ok('UPDATE t SET v = v + 1 WHERE k < 50', 'in a trigger, of rows to come too');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT is(wrong(keys(100)), 0::bigint, 'SERIALIZABLE');
COMMIT;

-- a value of each kind of loader
CREATE FUNCTION load_json(a int) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT jsonb_build_object(''v'', a)';
CREATE FUNCTION load_row(a int) RETURNS t LANGUAGE sql STABLE AS 'SELECT t FROM t WHERE k = a';
CREATE FUNCTION load_array(a int) RETURNS int[] LANGUAGE sql STABLE AS 'SELECT ARRAY[a, NULL]';
SELECT cache_create('json', 'load_json(int)'), cache_create('row', 'load_row(int)'), cache_create('array', 'load_array(int)');
SELECT cache_watch('row', 't', 'k');
SELECT results_eq(format('SELECT value FROM cache_get_many(%L, ARRAY[1, NULL, 2, 1])', name),
  format('SELECT to_jsonb(load_%s(k)) FROM unnest(ARRAY[1, NULL, 2, 1]) k', name), 'values of ' || name)
FROM unnest('{json,row,array}'::text[]) name, generate_series(1, 2);
SELECT is(hits('row', 'SELECT count(*) FROM cache_get_many(''row'', ARRAY[1, 2, 1])'), 3::bigint, 'hits are counted one by one');

-- privileges are those of single gets
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_alice;
CREATE ROLE regress_cache_alice;
RESET client_min_messages;
SELECT is(run('SELECT count(*) FROM cache_get_many(''json'', ARRAY[1])', 'regress_cache_alice'), '1', 'who may call the loader');
REVOKE EXECUTE ON FUNCTION load_json(int) FROM PUBLIC;
SELECT is(run('SELECT count(*) FROM cache_get_many(''json'', ARRAY[1])', 'regress_cache_alice'), 'ERROR 42501', 'who may not, though all are hits');
SELECT is(run('SELECT count(*) FROM cache_get_many(''json'', ''{}''::int[])', 'regress_cache_alice'), 'ERROR 42501', 'nor without keys');
SELECT is(run('SELECT cache_ttl(''json'', 1)', 'regress_cache_alice'), 'ERROR 42501', 'nor ask how long');

SELECT results_eq($$SELECT DISTINCT provolatile::text, prorettype::regtype::text, proretset, prorows > 0, procost > 10, proparallel::text
  FROM pg_proc WHERE proname = 'cache_get_many'$$, $$VALUES ('s', 'record', true, true, true, 'u')$$, 'how it is declared');
SELECT is((SELECT count(*) FROM pg_proc WHERE proname IN ('cache_get_many', 'cache_ttl', 'cache_set') AND obj_description(oid, 'pg_proc') IS NULL),
  0::bigint, 'comments');
SELECT * FROM finish();
DROP OWNED BY regress_cache_alice;
DROP ROLE regress_cache_alice;
