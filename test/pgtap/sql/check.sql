-- cache_check: empty on a healthy database; each kind of problem, made and undone.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_gone;
CREATE ROLE regress_cache_gone;
CREATE TABLE t (k int PRIMARY KEY, v int);
CREATE TABLE orders (id int PRIMARY KEY, k int);
CREATE TABLE p (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (k);
CREATE TABLE p2a PARTITION OF p2 DEFAULT;
CREATE TABLE apart (k int, v int);
CREATE FUNCTION load(a int) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT (SELECT sum(v) FROM t WHERE k = a) + (SELECT sum(v) FROM p WHERE k = a) + (SELECT count(*) FROM orders WHERE k = a)';
CREATE FUNCTION key_of(o orders) RETURNS int LANGUAGE sql STABLE AS 'SELECT o.k';
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_watch('c', 'p', 'k'), cache_watch('c', 'orders', keys => 'key_of(orders)');
CREATE FUNCTION gets() RETURNS bigint LANGUAGE sql AS 'SELECT count(cache_get(''c'', i) IS NULL) FROM generate_series(1, 20) i';

-- problems gives what cache_check says of objects, in short.
CREATE FUNCTION problems() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(DISTINCT format('%s %s: %s', cache, object, regexp_replace(problem, '"[^"]*"', 'x', 'g')), '; ') FROM cache_check() $$;
CREATE FUNCTION trigger_of(rel regclass, kind text DEFAULT 'ROW') RETURNS text LANGUAGE sql AS $$
  SELECT quote_ident(tgname) FROM pg_trigger WHERE tgrelid = rel AND tgname LIKE '!cache%' AND pg_get_triggerdef(oid) LIKE '%FOR EACH ' || kind || '%' $$;

CREATE TABLE problems (n serial, label text, make text, expected text, undo text);
INSERT INTO problems (label, make, expected, undo) VALUES
  ('a trigger disabled', 'ALTER TABLE t DISABLE TRIGGER @t@', 'c public.t: trigger x of the watch is disabled%', 'ALTER TABLE t ENABLE ALWAYS TRIGGER @t@'),
  ('not for replicas', 'ALTER TABLE t ENABLE TRIGGER @t@', 'c public.t: trigger x of the watch is disabled%', 'ALTER TABLE t ENABLE ALWAYS TRIGGER @t@'),
  ('for replicas only', 'ALTER TABLE t ENABLE REPLICA TRIGGER @t@', 'c public.t: trigger x of the watch is disabled%', 'ALTER TABLE t ENABLE ALWAYS TRIGGER @t@'),
  ('the trigger for TRUNCATE disabled', 'ALTER TABLE t DISABLE TRIGGER @truncate@', 'c public.t: trigger x of the watch is disabled%', 'ALTER TABLE t ENABLE ALWAYS TRIGGER @truncate@'),
  ('a partition''s trigger disabled', 'ALTER TABLE p2a DISABLE TRIGGER ALL', 'c public.p2a: trigger x of the watch is disabled%', 'ALTER TABLE p2a ENABLE ALWAYS TRIGGER @p2a@'),
  ('the trigger for TRUNCATE dropped', 'DROP TRIGGER @truncate@ ON t', 'c public.t: the watch has lost its trigger for TRUNCATE', '@again@'),
  ('the trigger for rows dropped', 'DROP TRIGGER @t@ ON t', 'c public.t: the watch has lost its trigger for rows', '@again@'),
  ('a watch ended', 'SELECT cache_unwatch(''c'', ''t'')', 'c public.t: the loader reads a table that is not watched%', 'SELECT cache_watch(''c'', ''t'', ''k'')'),
  ('a partition attached later', 'CREATE TABLE p3 PARTITION OF p DEFAULT', NULL, 'DROP TABLE p3'),
  ('an inheritance child', 'CREATE TABLE heir () INHERITS (t)', 'c public.heir: the child of a watched table is not watched', 'DROP TABLE heir'),
  ('a column that was exchanged', 'ALTER TABLE t DROP k; ALTER TABLE t ADD k text', 'c public.t: the watch''s columns are gone or do not fit%', 'ALTER TABLE t DROP k; ALTER TABLE t ADD k int'),
  ('a key function that became volatile', 'ALTER FUNCTION key_of(orders) VOLATILE', 'c public.orders: the watch''s key function is gone%', 'ALTER FUNCTION key_of(orders) STABLE'),
  ('row level security', 'ALTER TABLE orders ENABLE ROW LEVEL SECURITY', 'c public.orders: the loader reads a table with row level security%', 'ALTER TABLE orders DISABLE ROW LEVEL SECURITY'),
  ('a loader that became volatile', 'ALTER FUNCTION load(int) VOLATILE', 'c public.load(integer): the loader has become volatile%', 'ALTER FUNCTION load(int) STABLE'),
  ('a trigger for no cache', 'CREATE TRIGGER nobody AFTER INSERT ON apart FOR EACH ROW EXECUTE FUNCTION cache_trigger(''nobody'', ''k'')',
     'nobody public.apart: trigger nobody watches for a cache that does not exist', 'DROP TRIGGER nobody ON apart'),
  ('a materialized view', 'CREATE MATERIALIZED VIEW m AS SELECT 1 AS v; CREATE OR REPLACE FUNCTION load(a int) RETURNS bigint LANGUAGE sql STABLE AS ''SELECT v FROM m''',
     'c public.m: the loader reads what cannot be watched%', 'SELECT cache_alter(''c'', ttl => ''1 hour'')'),
  ('with a ttl', 'SELECT', NULL, 'SELECT cache_alter(''c'', ttl => ''0''); CREATE OR REPLACE FUNCTION load(a int) RETURNS bigint LANGUAGE sql STABLE AS
     ''SELECT (SELECT sum(v) FROM t WHERE k = a) + (SELECT sum(v) FROM p WHERE k = a)''');
SELECT plan((SELECT count(*) FROM problems)::int * 2 + 8);
SELECT gets(), gets();
SELECT is(problems(), NULL, 'healthy');
CREATE PROCEDURE play(what text) LANGUAGE plpgsql AS $$
DECLARE s text;
BEGIN
  what := replace(what, '@again@', 'SELECT cache_unwatch(''c'', ''t''); SELECT cache_watch(''c'', ''t'', ''k'')');
  FOREACH s IN ARRAY string_to_array(what, '; ') LOOP
    s := replace(s, '@t@', coalesce(trigger_of('t'), ''));
    s := replace(s, '@truncate@', coalesce(trigger_of('t', 'STATEMENT'), ''));
    s := replace(s, '@p2a@', coalesce(trigger_of('p2a'), ''));
    EXECUTE s;
  END LOOP;
END $$;
CREATE FUNCTION gets_anyway() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM gets(); EXCEPTION WHEN OTHERS THEN NULL; END';
SELECT unnest(ARRAY[
  format('CALL play(%L)', make), 'SELECT gets_anyway()', 'SELECT gets_anyway()',
  CASE WHEN expected IS NULL THEN format('SELECT is(problems(), NULL, %L)', label) ELSE format('SELECT alike(problems(), %L, %L)', expected, label) END,
  format('CALL play(%L)', undo), 'SELECT gets_anyway()', 'SELECT gets_anyway()',
  CASE WHEN label LIKE 'a materialized%' THEN 'SELECT pass()' ELSE format('SELECT is(problems(), NULL, %L)', label || ': and undone') END])
FROM problems ORDER BY n
\gexec

-- Caches that are no use, and whose owner is gone.
CREATE FUNCTION echo(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a';
SELECT cache_create('useless', 'echo(int)');
SELECT count(cache_get('useless', i)) FROM generate_series(1, 99) i;
SELECT is(problems(), NULL, 'not hit yet');
SELECT cache_get('useless', 100);
SELECT is(problems(), 'useless useless: none of 100 gets was answered from the cache', 'never hit');
SELECT cache_get('useless', 100);
SELECT is(problems(), NULL, 'hit');
GRANT CREATE ON SCHEMA public TO regress_cache_gone;
SELECT run('SELECT cache_create(''orphan'', ''echo(int)'')', 'regress_cache_gone');
REASSIGN OWNED BY regress_cache_gone TO CURRENT_USER;
DROP OWNED BY regress_cache_gone;
-- as where a dump is restored without its roles
UPDATE cache_definition SET owner = 'regress_cache_gone' WHERE name = 'orphan';
DROP ROLE regress_cache_gone;
SELECT alike(problems(), 'orphan orphan: the owner is gone%', 'an owner that is gone');
SELECT cache_drop('orphan');
SELECT is((SELECT array_agg(key) FROM jsonb_each((SELECT to_jsonb(c) FROM (SELECT * FROM cache_check() UNION ALL SELECT '', '', '', '' LIMIT 1) c))),
          '{hint,cache,object,problem}', 'its columns');
CREATE ROLE regress_cache_gone;
ALTER TABLE t DISABLE TRIGGER ALL;
SELECT is(run('SELECT count(*) FROM cache_check()', 'regress_cache_gone'), '2', 'anybody may ask');
SELECT is((SELECT count(DISTINCT hint) FROM cache_check() WHERE hint LIKE 'ALTER TABLE public.t ENABLE ALWAYS TRIGGER %'), 2::bigint, 'with a hint each');
DROP ROLE regress_cache_gone;
SELECT * FROM finish();
