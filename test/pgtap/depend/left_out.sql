-- Relations of which a load only hears while it is planned: they are named in
-- functions that it does not come to call.  Without them it is an error.
\ir ../exact.psql
SET client_min_messages = error;
SELECT plan(68);
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 5), (2, 20);
CREATE TABLE o (x int, y int);
INSERT INTO o VALUES (1, 1);
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.p (y int);

-- A function that PostgreSQL parses in order to inline it, and does not.
CREATE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT max(y) FROM o';
CREATE FUNCTION load_scalar(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT CASE WHEN v > 10 THEN v ELSE f() END FROM t WHERE id = k';
CREATE FUNCTION load_scalar_plpgsql(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT CASE WHEN v > 10 THEN v ELSE f() END FROM t WHERE id = k); END';
-- One that another one calls, which is inlined.
CREATE FUNCTION g(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT CASE WHEN $1 > 10 THEN $1 ELSE f() END';
CREATE FUNCTION load_nested(k int) RETURNS int LANGUAGE sql STABLE AS 'SELECT g(v) FROM t WHERE id = k';
-- One that is not in the plan.
CREATE FUNCTION load_folded(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT v FROM t WHERE id = k AND (f() = 1 OR true)';
-- Of any type, with a name in a WITH, in a subquery; a set; by a default.
CREATE FUNCTION h(anyelement) RETURNS anyelement LANGUAGE sql STABLE AS
  'WITH w AS (SELECT y FROM (SELECT y FROM o) s) SELECT $1 FROM w LIMIT 1';
CREATE FUNCTION load_polymorphic(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT CASE WHEN v > 10 THEN v ELSE h(v) END FROM t WHERE id = k';
CREATE FUNCTION many() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT y FROM o';
CREATE FUNCTION load_set(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT CASE WHEN v > 10 THEN v ELSE (SELECT max(m) FROM many() m) END FROM t WHERE id = k';
CREATE FUNCTION with_default(int, int DEFAULT f()) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1; END';
CREATE FUNCTION load_default(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT CASE WHEN v > 10 THEN v ELSE with_default(v) END FROM t WHERE id = k';
CREATE VIEW tv AS SELECT id, CASE WHEN v > 10 THEN v ELSE f() END AS v FROM t;
CREATE FUNCTION load_view(k int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM tv WHERE id = k';
-- A row type that is gone when the function has been inlined.
CREATE FUNCTION of_row() RETURNS int LANGUAGE sql STABLE AS 'SELECT coalesce((NULL::o).y, 20)';
CREATE FUNCTION load_row(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT CASE WHEN v > 10 THEN v ELSE of_row() END FROM t WHERE id = k';
CREATE FUNCTION of_rows() RETURNS int LANGUAGE sql STABLE AS 'SELECT coalesce((''{}''::o[])[1].y, 20)';
CREATE FUNCTION load_rows(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT CASE WHEN v > 10 THEN v ELSE of_rows() END FROM t WHERE id = k';
-- The constraint of a domain, and a cast.
CREATE FUNCTION positive(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 > (SELECT min(y) FROM o)';
CREATE DOMAIN checked AS int CHECK (VALUE > 10 OR positive(VALUE));
CREATE FUNCTION load_domain(k int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v::checked::int FROM t WHERE id = k';
CREATE FUNCTION load_domain_plpgsql(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  'DECLARE r checked := 11; BEGIN r := (SELECT v FROM t WHERE id = k); RETURN r; END';

CREATE TABLE names (name text);
INSERT INTO names SELECT unnest('{scalar,scalar_plpgsql,nested,folded,polymorphic,set,default,view,row,rows,domain,domain_plpgsql}'::text[]);
SELECT cache_create(name, format('load_%s(int)', name)::regprocedure), cache_watch(name, 't', 'id') FROM names;
CREATE FUNCTION all_agree(label text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT agrees(name, '2', 'load_' || name, label || ': ' || name) FROM names $$;
DISCARD PLANS;
SELECT all_agree('loaded');
SELECT is(hits(name, format('SELECT cache_get(%L, 2)', name)), 1::bigint, 'stored: ' || name) FROM names WHERE name <> 'set';
ALTER TABLE o RENAME TO oo;
DISCARD PLANS;
SELECT all_agree('a table is called otherwise');
ALTER TABLE oo RENAME TO o;
DISCARD PLANS;
SELECT all_agree('it is called so again');
ALTER TABLE o RENAME y TO z;
DISCARD PLANS;
SELECT all_agree('a column is called otherwise');
ALTER TABLE o RENAME z TO y;

-- No other table matters.
SELECT cache_get('scalar', 2);
CREATE TABLE beside (x int, f int);
ALTER TABLE beside ADD more int;
SELECT is(hits('scalar', 'SELECT cache_get(''scalar'', 2)'), 1::bigint, 'a table that nobody speaks of concerns no cache');

-- PL/pgSQL keeps plans for the session, and what is kept says it again: in the
-- cache's next generation, to other caches, in expressions without a plan's
-- execution, and of what the planner itself has had read.
CREATE TABLE a (y int);
CREATE FUNCTION read_a() RETURNS int LANGUAGE sql STABLE AS 'SELECT coalesce(max(y), 0) FROM a';
CREATE FUNCTION load_generation(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT CASE WHEN v > 10 THEN v ELSE read_a() END FROM t WHERE id = k); END';
CREATE TABLE b (y int);
CREATE FUNCTION read_b() RETURNS int LANGUAGE sql STABLE AS 'SELECT coalesce(max(y), 0) FROM b';
CREATE FUNCTION helper(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT CASE WHEN v > 10 THEN v ELSE read_b() END FROM t WHERE id = k); END';
CREATE FUNCTION load_one(k int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN helper(k); END';
CREATE FUNCTION load_other(k int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN helper(k); END';
CREATE TABLE c (y int);
CREATE FUNCTION read_c() RETURNS int LANGUAGE sql STABLE AS 'SELECT coalesce(max(y), 0) FROM c';
CREATE FUNCTION load_simple(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  'DECLARE r int; BEGIN SELECT v INTO r FROM t WHERE id = k; RETURN CASE WHEN r > 10 THEN r ELSE read_c() END; END';
CREATE TABLE d (y int);
INSERT INTO d VALUES (20);
CREATE FUNCTION read_d() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT max(y) FROM d); END';
CREATE FUNCTION load_estimated(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT v FROM t WHERE id = k AND (v > 10 OR v = read_d())); END';
SELECT cache_create(name, format('load_%s(int)', name)::regprocedure, ttl => CASE name WHEN 'estimated' THEN interval '1 day' END),
       cache_watch(name, 't', 'id')
FROM unnest('{generation,one,other,simple,estimated}'::text[]) name;

-- Until plans are kept; what has been read is known for this generation.
CREATE PROCEDURE warm() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 20 LOOP
    PERFORM cache_get('generation', 1), cache_get('one', 1), cache_get('simple', 1), cache_get('estimated', 1);
    PERFORM cache_invalidate('estimated', 1);
    COMMIT;
  END LOOP;
  PERFORM cache_invalidate('generation'), cache_invalidate('simple'), cache_invalidate('estimated');
  COMMIT;
  PERFORM cache_get('generation', 2), cache_get('other', 2), cache_get('simple', 2), cache_get('estimated', 2);
END $$;
CALL warm();
SELECT is(hits(name, format('SELECT cache_get(%L, 2)', name)), 1::bigint, 'kept: ' || name)
FROM unnest('{generation,other,simple,estimated}'::text[]) name;
SELECT format('ALTER TABLE %I RENAME TO %s', name, name || name) FROM unnest('{a,b,c,d}'::text[]) name \gexec
SELECT is(hits(name, format('SELECT cache_get(%L, 2)', name)), 0::bigint, 'a table of a kept plan is called otherwise: ' || name)
FROM unnest('{generation,other,simple,estimated}'::text[]) name;
SELECT * FROM finish();
