-- Where gets are called from: SQL, PL/pgSQL, prepared statements, views, other
-- functions, LATERAL; and one place that calls for changing caches.
\ir ../exact.psql
SELECT plan(29);
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 20) i;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION load_text(a text) RETURNS text LANGUAGE sql STABLE AS 'SELECT a || count(*) FROM t';
CREATE FUNCTION load_all() RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT jsonb_object_agg(k, v) FROM t';
SELECT cache_create('int', 'load(int)'), cache_watch('int', 't', 'k');
SELECT cache_create('text', 'load_text(text)'), cache_watch('text', 't');
SELECT cache_create('all', 'load_all()'), cache_watch('all', 't');
SELECT same('int', 'load', 'SELECT k FROM t', 'all keys, from a table');
SELECT same('int', 'load', 'SELECT k FROM t', 'again');
SELECT is(hits('int', 'SELECT sum(cache_get(''int'', k)::int) FROM t'), 20::bigint, 'all of them are hits');

-- the name is a column: one call site, several caches
SELECT results_eq(
  'SELECT cache_get(name, 5) FROM (VALUES (''int''), (''int''), (''big'')) v (name) WHERE name <> ''big''',
  ARRAY['50', '50']::jsonb[], 'a name from VALUES');
CREATE FUNCTION load_big(a bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''big '' || v FROM t WHERE k = a';
SELECT cache_create('big', 'load_big(bigint)'), cache_watch('big', 't', 'k');
SELECT results_eq(
  'SELECT cache_get(name, k) FROM (VALUES (''int'', 1), (''big'', 1), (''int'', 2), (''big'', 2), (''big'', 1)) v (name, k)',
  ARRAY['10', '"big 10"', '20', '"big 20"', '"big 10"']::jsonb[], 'changing caches with different types of keys');
SELECT throws_ok(
  'SELECT cache_get(name, 1) FROM (VALUES (''int''), (''all'')) v (name)', '22023', NULL, 'and different numbers of keys');
SELECT throws_ok('SELECT cache_get(name, 1) FROM (VALUES (''int''), (NULL)) v (name)', '22004', NULL, 'a name that becomes NULL');

-- LATERAL, subqueries, WHERE, ORDER BY, aggregates, CASE
SELECT is((SELECT sum(x.v::int) FROM t, LATERAL cache_get('int', t.k) AS x (v)), (SELECT sum(v) FROM t), 'LATERAL');
SELECT is((SELECT count(*) FROM t WHERE cache_get('int', k) = to_jsonb(v)), 20::bigint, 'in WHERE');
SELECT is((SELECT k FROM t ORDER BY cache_get_as(NULL::int, 'int', k) DESC LIMIT 1), 20, 'in ORDER BY');
SELECT is((SELECT jsonb_object_agg(k, cache_get('int', k)) FROM t), cache_get('all'), 'in an aggregate');
SELECT is((SELECT sum(cache_get_as(NULL::int, 'int', k)) OVER (ORDER BY k) FROM t LIMIT 1), 10::bigint, 'in a window function');
SELECT is((SELECT count(*) FROM t a JOIN t b ON cache_get_as(NULL::int, 'int', a.k) = b.v), 20::bigint, 'in a join');
SELECT is((WITH RECURSIVE r (k) AS (SELECT 1 UNION ALL SELECT cache_get_as(NULL::int, 'int', k) / 10 + 1 FROM r WHERE k < 20)
           SELECT max(k) FROM r), 20, 'in a recursive query');

-- views and functions
CREATE VIEW by_view AS SELECT k, cache_get('int', k) AS v FROM t;
SELECT is((SELECT v FROM by_view WHERE k = 3), '30', 'in a view');
CREATE FUNCTION by_sql(a int) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT cache_get(''int'', a)';
CREATE FUNCTION by_plpgsql(a int) RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE r int;
BEGIN
  r := cache_get_as(NULL::int, 'int', a);
  RETURN r;
END $$;
CREATE FUNCTION by_volatile(a int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE seen text := '';
BEGIN
  seen := cache_get('int', a)::text;
  UPDATE t SET v = v + 1 WHERE k = a;
  seen := seen || ' ' || (cache_get('int', a)) || ' ' || cache_get_as(NULL::int, 'int', a) || ' ' || load(a);
  BEGIN
    UPDATE t SET v = v + 1 WHERE k = a;
    seen := seen || ' ' || cache_get('int', a);
    RAISE EXCEPTION 'undo';
  EXCEPTION WHEN raise_exception THEN
    seen := seen || ' ' || cache_get('int', a);
  END;
  RETURN seen;
END $$;
SELECT is(by_sql(4), '40', 'in a SQL function');
SELECT is(by_plpgsql(4), 40, 'in a simple expression of PL/pgSQL');
SELECT is(hits('int', 'SELECT by_plpgsql(4)'), 1::bigint, 'which is a hit');
SELECT is(by_volatile(6), '60 61 61 61 62 61', 'between writes and subtransactions of a volatile function');
SELECT is(by_volatile(6), '61 62 62 62 63 62', 'again');
SELECT is(cache_get('int', 6), '62', 'and afterwards');

-- prepared statements, through changes of the plan and of the cache
PREPARE get(int) AS SELECT cache_get('int', $1);
SET plan_cache_mode = force_generic_plan;
EXECUTE get(7) \gset a_
UPDATE t SET v = 71 WHERE k = 7;
EXECUTE get(7) \gset b_
CREATE OR REPLACE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT -v FROM t WHERE k = a';
EXECUTE get(7) \gset c_
DROP FUNCTION load(int) CASCADE;
CREATE FUNCTION load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''again '' || v FROM t WHERE k = a';
SELECT cache_create('int', 'load(int)'), cache_watch('int', 't', 'k');
SELECT lives_ok('EXECUTE get(7)', 'a prepared statement finds a function that was made again');
SELECT run('EXECUTE get(7)') AS cache_get \gset d_
SELECT cache_drop('int');
SELECT throws_ok('EXECUTE get(7)', '42704', NULL, 'a prepared statement after cache_drop()');
SELECT cache_create('int', 'load_text(text)'), cache_watch('int', 't');
SELECT run('SELECT cache_get(''int'', ''7'')') AS cache_get \gset e_
SELECT is(ARRAY[:'a_cache_get', :'b_cache_get', :'c_cache_get', :'d_cache_get', :'e_cache_get'],
          ARRAY['70', '71', '-71', '"again 71"', '"720"'], 'a prepared statement follows changes');
SELECT throws_ok('EXECUTE get(7)', '42804', NULL, 'until the keys have another type');
RESET plan_cache_mode;

-- cursors see their own snapshot
SELECT cache_create('cursor', 'load_big(bigint)'), cache_watch('cursor', 't', 'k');
SELECT cache_get('cursor', 8);
BEGIN;
DECLARE c CURSOR FOR SELECT cache_get('cursor', 8) AS got, to_jsonb(load_big(8)) AS want FROM generate_series(1, 4);
FETCH c \gset c1_
UPDATE t SET v = 88 WHERE k = 8;
FETCH c \gset c2_
SELECT is(cache_get('cursor', 8), '"big 88"', 'own write beside a cursor');
FETCH c \gset c3_
ROLLBACK;
SELECT is(ARRAY[:'c1_got', :'c2_got', :'c3_got'], ARRAY[:'c1_want', :'c2_want', :'c3_want'], 'a cursor keeps its snapshot');
SELECT is(cache_get('cursor', 8), '"big 80"', 'after the rollback');

-- a holdable cursor is filled at commit
BEGIN;
UPDATE t SET v = 89 WHERE k = 8;
DECLARE h CURSOR WITH HOLD FOR SELECT cache_get('cursor', 8) AS got;
COMMIT;
FETCH h \gset h_
CLOSE h;
SELECT is(:'h_got'::text, '"big 89"', 'a holdable cursor');
SELECT * FROM finish();
