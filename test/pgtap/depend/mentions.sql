-- What a loader names and does not read: without it the loader is an error.
\ir ../exact.psql
SET client_min_messages = error;
SELECT plan(53);
CREATE SCHEMA ahead;
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 10);
CREATE TABLE o (x int, y int);
CREATE VIEW ov AS SELECT x FROM o;
CREATE TABLE beside (x int);
CREATE FUNCTION many(k int) RETURNS SETOF int LANGUAGE sql STABLE AS
  'WITH unused AS (SELECT x FROM o) SELECT v FROM t WHERE id = k';
CREATE TABLE tenants (id int);
INSERT INTO tenants VALUES (1);
CREATE FUNCTION tenant() RETURNS int LANGUAGE sql STABLE AS 'SELECT max(id) FROM tenants';

CREATE FUNCTION load_with(k int) RETURNS int LANGUAGE sql STABLE AS
  'WITH unused AS (SELECT x FROM o) SELECT v FROM t WHERE id = k';
CREATE FUNCTION load_case(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT CASE WHEN true THEN v ELSE (SELECT x FROM o) END FROM t WHERE id = k';
CREATE FUNCTION load_column(k int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT v FROM (SELECT v, id, (SELECT x FROM ov) AS unused FROM t) s WHERE id = k';
CREATE FUNCTION load_inlined(k int) RETURNS int LANGUAGE sql STABLE AS 'SELECT m FROM many(k) m';
CREATE FUNCTION load_expression(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN CASE WHEN true THEN k ELSE (SELECT x FROM o) END; END';
CREATE FUNCTION load_dynamic(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  $$DECLARE r int; BEGIN EXECUTE 'SELECT v FROM t WHERE id = $1 AND (true OR EXISTS (SELECT FROM o' || 'v WHERE x = 1))' INTO r USING k; RETURN r; END$$;
-- The last one has its tenant estimated by the planner: that table it reads.
CREATE FUNCTION load_tenant(k int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE id = k AND id = tenant()';
SELECT cache_create(name, format('load_%s(int)', name)::regprocedure), cache_watch(name, 't', 'id')
FROM unnest('{with,case,column,inlined,expression,dynamic,tenant}'::text[]) name;
SELECT cache_watch('tenant', 'tenants');

CREATE FUNCTION all_agree(label text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT agrees(name, '1', 'load_' || name, label || ': ' || name)
  FROM unnest('{with,case,column,inlined,expression,dynamic}'::text[]) name $$;
SELECT all_agree('loaded');
SELECT is(hits('with', 'SELECT cache_get(''with'', 1)'), 1::bigint, 'it is stored');
DROP VIEW ov;
SELECT all_agree('a view is gone');
CREATE VIEW ov AS SELECT x, y FROM o;
SELECT all_agree('it is back');
ALTER TABLE o RENAME x TO z;
SELECT all_agree('a column is called otherwise');
ALTER TABLE o RENAME z TO x;
SELECT all_agree('it is called so again');
ALTER TABLE o RENAME TO oo;
SELECT all_agree('a table is called otherwise');
ALTER TABLE oo RENAME TO o;
SELECT all_agree('it is called so again');

-- What is read is not taken for left out: others do not depend on it.
SELECT cache_get('tenant', 1), cache_get('with', 1), cache_get('with', 1);
ALTER TABLE tenants ADD more int;
SELECT is(hits('with', 'SELECT cache_get(''with'', 1)'), 1::bigint, 'a table that the planner has had read concerns no other cache');
ALTER TABLE beside ADD more int;
SELECT is(hits('with', 'SELECT cache_get(''with'', 1)'), 1::bigint, 'nor does one that nobody names');

-- Nor is what one cache's load has read taken for read by another one's, which a
-- load of the first is a part of.
INSERT INTO t VALUES (2, 20);
CREATE TABLE once (y int);
CREATE FUNCTION several(k int) RETURNS SETOF int LANGUAGE sql STABLE AS
  'WITH unused AS (SELECT y FROM once) SELECT v FROM t WHERE id = k';
CREATE FUNCTION load_inner(k int) RETURNS int LANGUAGE plpgsql STABLE AS
  $$BEGIN
      IF k = 1 THEN RETURN (SELECT max(y) FROM once); END IF;
      RETURN (SELECT m FROM several(k) m);
    END$$;
CREATE FUNCTION load_outer(k int) RETURNS jsonb LANGUAGE plpgsql STABLE AS
  $$BEGIN RETURN cache_get('inner', k); END$$;
SELECT cache_create('inner', 'load_inner(int)'), cache_watch('inner', 't', 'id'), cache_watch('inner', 'once');
SELECT cache_create('outer', 'load_outer(int)'), cache_watch('outer', 't', 'id');
SELECT cache_get('inner', 1);
SELECT cache_get('outer', 2);
SELECT is(hits('outer', 'SELECT cache_get(''outer'', 2)'), 1::bigint, 'a load with a load inside is stored');
ALTER TABLE once RENAME TO twice;
SELECT agrees('outer', '2', 'load_outer', 'and depends on what that one speaks of');

-- An array type comes with its element's, and has a name of its own.
SET search_path = ahead, public;
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE FUNCTION load_moods(k int) RETURNS text LANGUAGE sql STABLE AS $$SELECT '{good}'::_mood::text$$;
SELECT cache_create('moods', 'load_moods(int)');
SELECT agrees('moods', '1', 'load_moods', 'an array type by its name');
CREATE TYPE ahead.mood AS ENUM ('bad', 'worse');
SELECT agrees('moods', '1', 'load_moods', 'another one takes its name');
DROP TYPE ahead.mood;
SELECT agrees('moods', '1', 'load_moods', 'and is gone');
CREATE TABLE ahead.mood (v int);
SELECT agrees('moods', '1', 'load_moods', 'that of a row type does');
RESET search_path;

-- A view of PostgreSQL's own that reads no catalog.
CREATE FUNCTION load_catalog_name(k int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT catalog_name::text FROM information_schema.information_schema_catalog_name';
SELECT cache_create('catalog_name', 'load_catalog_name(int)');
SELECT agrees('catalog_name', '1', 'load_catalog_name', 'through a view of PostgreSQL''s own');
CREATE OR REPLACE VIEW information_schema.information_schema_catalog_name AS
  SELECT 'another'::information_schema.sql_identifier AS catalog_name;
SELECT agrees('catalog_name', '1', 'load_catalog_name', 'which is replaced');
SELECT * FROM finish();
