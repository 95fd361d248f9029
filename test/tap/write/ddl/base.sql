-- What the test of DDL commands (ddl.pl) works on: objects, caches that read them, and
-- the oracle. Run in the database that commands are run in.
--
-- Schemas: app has what loaders read, ahead and late are in front of it in the
-- search_path. ahead is empty, late is gone when the caches have been made. other
-- has what no cache has ever to do with; aside what commands make for some. lab has
-- the test's own.
CREATE SCHEMA lab;
CREATE SCHEMA app;
CREATE SCHEMA other;
CREATE SCHEMA aside;
CREATE SCHEMA ahead;
CREATE SCHEMA late;
CREATE SCHEMA postgres;
SET search_path = ahead, "$user", late, app, public, pg_temp;

-- Roles: group may read the secret; caller and definer are members, nobody else.
CREATE ROLE regress_group;
CREATE ROLE regress_caller IN ROLE regress_group;
CREATE ROLE regress_definer IN ROLE regress_group;
CREATE ROLE regress_helper IN ROLE regress_group;
CREATE ROLE regress_viewer IN ROLE regress_group;
CREATE ROLE regress_lease LOGIN;
CREATE ROLE regress_leases;
CREATE ROLE regress_owner;
CREATE ROLE regress_owners;
GRANT USAGE ON SCHEMA app, ahead TO PUBLIC;

-- make runs one of the statements below, to put back what a command has dropped.
CREATE TABLE lab.made (name text PRIMARY KEY, statement text);
CREATE FUNCTION lab.make(VARIADIC names text[]) RETURNS void LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
  statement text;
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY names LOOP
    SELECT m.statement INTO STRICT statement FROM lab.made m WHERE m.name = wanted;
    EXECUTE statement;
  END LOOP;
END $$;

INSERT INTO lab.made VALUES
-- beside everything
('beside', $$
  CREATE TABLE app.beside (k int PRIMARY KEY, v text);
  INSERT INTO app.beside VALUES (1, 'one'), (2, 'two') $$),
('load_beside', $$
  CREATE OR REPLACE FUNCTION app.load_beside(k int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT b.v FROM app.beside b WHERE b.k = $1' $$),
('load_beside_plpgsql', $$
  CREATE OR REPLACE FUNCTION app.load_beside_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'DECLARE r text; BEGIN SELECT b.v INTO r FROM beside b WHERE b.k = a; RETURN r; END' $$),
-- a table, as a whole row, so that its columns show
('t', $$
  CREATE TABLE app.goods (k int PRIMARY KEY, v varchar(20) DEFAULT 'none', n int CHECK (n >= 0), UNIQUE (n));
  INSERT INTO app.goods VALUES (1, 'one', 1), (2, 'two', 2) $$),
('load_table', $$
  CREATE OR REPLACE FUNCTION app.load_table(a int) RETURNS jsonb LANGUAGE sql STABLE AS
  'SELECT to_jsonb(goods) FROM goods WHERE k = $1' $$),
('tr', $$
  CREATE TABLE app.tr (k int PRIMARY KEY, v text, n int);
  INSERT INTO app.tr VALUES (1, 'one', 1), (2, 'two', 2) $$),
('load_rowtype', $$
  CREATE OR REPLACE FUNCTION app.load_rowtype(a int) RETURNS jsonb LANGUAGE plpgsql STABLE AS
  'DECLARE r tr%ROWTYPE; BEGIN SELECT * INTO r FROM tr WHERE tr.k = a; RETURN to_jsonb(r); END' $$),
('ta', $$
  CREATE TABLE app.ta (k int PRIMARY KEY, v text, n int);
  INSERT INTO app.ta VALUES (1, 'one', 1), (2, 'two', 2) $$),
('load_atomic', $$
  CREATE OR REPLACE FUNCTION app.load_atomic(a int) RETURNS text LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT v || n FROM app.ta WHERE ta.k = $1; END $$),
-- a view of a view
('tv', $$
  CREATE TABLE app.tv (k int PRIMARY KEY, v text);
  INSERT INTO app.tv VALUES (1, 'one'), (2, 'two') $$),
('v', $$
  CREATE OR REPLACE VIEW app.shown AS SELECT k, v FROM app.tv;
  CREATE OR REPLACE VIEW app.shown_too AS SELECT k, upper(v) AS v FROM app.shown $$),
('load_view', $$
  CREATE OR REPLACE FUNCTION app.load_view(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT v FROM shown_too WHERE k = $1' $$),
-- partitions, and inheritance
('p', $$
  CREATE TABLE app.p (k int, v int) PARTITION BY RANGE (k);
  CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (2);
  CREATE TABLE app.p2 PARTITION OF app.p FOR VALUES FROM (2) TO (4);
  INSERT INTO app.p VALUES (1, 10), (2, 20) $$),
('load_parts', $$
  CREATE OR REPLACE FUNCTION app.load_parts(a int) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT sum(v) FROM p WHERE k BETWEEN $1 AND $1 + 10' $$),
('parent', $$
  CREATE TABLE app.parent (k int, v int);
  CREATE TABLE app.child () INHERITS (app.parent);
  INSERT INTO app.parent VALUES (1, 10);
  INSERT INTO app.child VALUES (1, 1), (2, 20) $$),
('load_inherit', $$
  CREATE OR REPLACE FUNCTION app.load_inherit(a int) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT sum(v) FROM parent WHERE k = $1' $$),
-- functions, an aggregate, default arguments, overloading
('f', $$
  CREATE OR REPLACE FUNCTION app.f_sql(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + 1';
  CREATE OR REPLACE FUNCTION app.f_fixed(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + 10';
  CREATE OR REPLACE FUNCTION app.f_plpgsql(a int, b int DEFAULT 5) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN a * b; END';
  CREATE OR REPLACE FUNCTION app.f_over(a bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''bigint''';
  CREATE OR REPLACE AGGREGATE app.agg(int) (sfunc = int4pl, stype = int, initcond = 0) $$),
('load_routine', $$
  CREATE OR REPLACE FUNCTION app.load_routine(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT concat_ws('','', f_sql(a), f_fixed(7), f_plpgsql(a), f_over(a), (SELECT agg(b.k) FROM beside b))' $$),
('load_calls', $$
  CREATE OR REPLACE FUNCTION app.load_calls(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'DECLARE r int := f_fixed(7); BEGIN r := r + f_sql(a) + f_plpgsql(a); RETURN r || f_over(a); END' $$),
-- types
('types', $$
  CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
  CREATE TYPE app.pair AS (a int, b int);
  CREATE DOMAIN app.dom AS int CHECK (VALUE < 100);
  CREATE TYPE app.span AS RANGE (subtype = int) $$),
('load_type', $$
  CREATE OR REPLACE FUNCTION app.load_type(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT concat_ws('','', enum_range(NULL::mood), to_jsonb(ROW(a, 2)::pair), (a + 10)::dom, span(a, 9), max(x))
   FROM (VALUES (''ok''::mood), (''sad'')) v(x)' $$),
-- operators, casts, classes, collations, text search
('operators', $$
  CREATE OR REPLACE FUNCTION app.near(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 2';
  CREATE OPERATOR app.=== (FUNCTION = app.near, LEFTARG = int, RIGHTARG = int) $$),
('load_operator', $$
  CREATE OR REPLACE FUNCTION app.load_operator(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT concat_ws('','', a === 2, ROW(a, 2)::pair::text, ARRAY(SELECT x FROM (VALUES (ROW(1, 2)::pair), (ROW(2, 1)::pair)) v(x) ORDER BY x))' $$),
('coll', $$ CREATE COLLATION app.coll FROM "C" $$),
('load_collation', $$
  CREATE OR REPLACE FUNCTION app.load_collation(a int) RETURNS boolean LANGUAGE sql STABLE AS
  'SELECT (''a'' || $1) COLLATE coll < (''B'' || $1)' $$),
('search', $$
  CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = simple, STOPWORDS = english);
  CREATE TEXT SEARCH CONFIGURATION app.cfg (COPY = simple);
  ALTER TEXT SEARCH CONFIGURATION app.cfg ALTER MAPPING FOR asciiword WITH app.dict $$),
('load_search', $$
  CREATE OR REPLACE FUNCTION app.load_search(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT to_tsvector(''cfg'', ''the mice and '' || $1)::text' $$),
('load_conversion', $$
  CREATE OR REPLACE FUNCTION app.load_conversion(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT convert_from(convert_to(''x'' || $1, ''LATIN1''), ''LATIN1'')' $$),
-- names that something else could take
('named', $$
  CREATE TABLE app.t_named (k int PRIMARY KEY, v int);
  INSERT INTO app.t_named VALUES (1, 10), (2, 20);
  CREATE VIEW app.v_named AS SELECT k, v FROM app.t_named;
  CREATE TYPE app.ty_named AS (a int, b int);
  CREATE DOMAIN app.dom_named AS int;
  CREATE FUNCTION app.f_named(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a';
  CREATE FUNCTION app.minus_named(a int, b int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a - b';
  CREATE OPERATOR app.-~> (FUNCTION = app.minus_named, LEFTARG = int, RIGHTARG = int);
  CREATE AGGREGATE app.agg_named(int) (sfunc = int4pl, stype = int, initcond = 0);
  CREATE COLLATION app.coll_named FROM "C";
  CREATE TEXT SEARCH CONFIGURATION app.cfg_named (COPY = simple) $$),
('load_named', $$
  CREATE OR REPLACE FUNCTION app.load_named(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT concat_ws('','', f_named(t.v), v.v, t.v -~> 3, to_jsonb(ROW(t.v, 1)::ty_named), t.v::dom_named, (SELECT agg_named(v) FROM t_named))
   FROM t_named t JOIN v_named v USING (k) WHERE t.k = $1' $$),
('load_named_plpgsql', $$
  CREATE OR REPLACE FUNCTION app.load_named_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'DECLARE r t_named%ROWTYPE; n t_named.v%TYPE; d dom_named; c ty_named; BEGIN
     SELECT * INTO r FROM t_named t WHERE t.k = a; n := r.v; d := f_named(r.v); c := ROW(r.v, n -~> 3);
     RETURN concat_ws('','', to_jsonb(r), n, d, to_jsonb(c), (SELECT max(v) FROM v_named)); END' $$),
('load_own_path', $$
  CREATE OR REPLACE FUNCTION app.load_own_path(a int) RETURNS text LANGUAGE sql STABLE SET search_path = ahead, app, pg_temp AS
  'SELECT concat_ws('','', f_named(t.v), t.v -~> 3, t.v::dom_named, (''a'' COLLATE coll_named) < ''B'', to_tsvector(''cfg_named'', ''mice''))
   FROM t_named t WHERE t.k = $1' $$),
('load_absent', $$
  CREATE OR REPLACE FUNCTION app.load_absent(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'BEGIN IF to_regclass(''absent'') IS NULL THEN RETURN ''absent''; END IF; RETURN (SELECT count(*) FROM absent) || ''!''; END' $$),
('load_dynamic', $$
  CREATE OR REPLACE FUNCTION app.load_dynamic(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'DECLARE r text; BEGIN EXECUTE ''SELECT concat_ws('''','''', v, f_named(v)) FROM '' || ''t_'' || ''named WHERE k = $1'' INTO r USING a; RETURN r; END' $$),
-- rights
('secret', $$
  CREATE TABLE app.secret (k int PRIMARY KEY, v text);
  INSERT INTO app.secret VALUES (1, 'hush'), (2, 'hush, hush');
  GRANT SELECT ON app.secret TO regress_group $$),
('load_definer', $$
  CREATE OR REPLACE FUNCTION app.load_definer(a int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS
  'SELECT v FROM secret WHERE k = $1';
  ALTER FUNCTION app.load_definer(int) OWNER TO regress_definer $$),
('load_invoker', $$
  CREATE OR REPLACE FUNCTION app.load_invoker(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT v FROM secret WHERE k = a); END' $$),
-- rights of those whom a helper and a view belong to
('helper', $$
  CREATE OR REPLACE FUNCTION app.help(a int) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER AS
  'BEGIN RETURN (SELECT v FROM app.secret WHERE k = a); END';
  ALTER FUNCTION app.help(int) OWNER TO regress_helper $$),
('load_helped', $$
  CREATE OR REPLACE FUNCTION app.load_helped(a int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN help(a); END' $$),
('owned', $$
  CREATE OR REPLACE VIEW app.owned AS SELECT k, v FROM app.secret;
  ALTER VIEW app.owned OWNER TO regress_viewer $$),
('load_owned', $$
  CREATE OR REPLACE FUNCTION app.load_owned(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM owned WHERE k = $1' $$),
-- names that are put together
('dyn', $$
  CREATE TABLE app.t_dyn (k int PRIMARY KEY, v int);
  INSERT INTO app.t_dyn VALUES (1, 10), (2, 20);
  CREATE TYPE app.ty_dyn AS (a int, b int);
  CREATE DOMAIN app.dom_dyn AS int;
  CREATE TYPE app.enum_dyn AS ENUM ('x', 'y');
  CREATE FUNCTION app.f_dyn(a bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT a';
  CREATE AGGREGATE app.agg_dyn(int) (sfunc = int4pl, stype = int, initcond = 0) $$),
('load_dyn', $$
  CREATE OR REPLACE FUNCTION app.load_dyn(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'DECLARE r text; d text := ''d'' || ''yn''; BEGIN
     EXECUTE replace(''SELECT concat_ws('''','''', v, f_%(v), v::dom_%, to_jsonb(ROW(v, 1)::ty_%), ''''x''''::enum_%, (SELECT agg_%(v) FROM t_%)) FROM t_% WHERE k = $1'', ''%'', d) INTO r USING a;
     RETURN r; END' $$),
-- a table whose row type alone is used
('shape', $$ CREATE TABLE app.shape (a int, b text) $$),
('load_shape', $$
  CREATE OR REPLACE FUNCTION app.load_shape(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT jsonb_populate_record(NULL::shape, jsonb_build_object(''a'', a, ''b'', ''b'', ''c'', ''c''))::text' $$),
('load_shape_plpgsql', $$
  CREATE OR REPLACE FUNCTION app.load_shape_plpgsql(a int) RETURNS jsonb LANGUAGE plpgsql STABLE AS
  'DECLARE r shape; BEGIN r.a := a; RETURN to_jsonb(r); END' $$),
-- a function behind a domain's CHECK, a view, an aggregate, a default argument
('behind', $$
  CREATE OR REPLACE FUNCTION app.b_check(a int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT a < 100';
  CREATE OR REPLACE FUNCTION app.b_view(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + 1';
  CREATE OR REPLACE FUNCTION app.b_step(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
  CREATE OR REPLACE FUNCTION app.b_default() RETURNS int LANGUAGE sql STABLE AS 'SELECT 5' $$),
('before', $$
  CREATE DOMAIN app.dom_behind AS int CHECK (app.b_check(VALUE));
  CREATE VIEW app.v_behind AS SELECT k, app.b_view(k) AS v FROM app.beside;
  CREATE AGGREGATE app.agg_behind(int) (sfunc = app.b_step, stype = int, initcond = 0);
  CREATE FUNCTION app.f_behind(a int, b int DEFAULT app.b_default()) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + b' $$),
('load_behind', $$
  CREATE OR REPLACE FUNCTION app.load_behind(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT concat_ws('','', a::dom_behind, v.v, (SELECT agg_behind(k) FROM v_behind), f_behind(a)) FROM v_behind v WHERE v.k = a' $$),
-- functions that look into catalogs, each alone
('regs', $$
  CREATE TABLE app.regs (k int PRIMARY KEY, r regclass, p regproc, t regtype, o regrole, n regnamespace);
  INSERT INTO app.regs VALUES (1, 'app.goods', 'app.f_named', 'app.mood', 'regress_lease', 'other'), (2, 'other.o', 'other.fun', 'app.pair', 'regress_caller', 'app') $$),
('load_reg', $$ CREATE OR REPLACE FUNCTION app.load_reg(a int) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT to_jsonb(r) FROM regs r WHERE k = a' $$),
('load_reg_text', $$ CREATE OR REPLACE FUNCTION app.load_reg_text(a int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT r || '' '' || t::text FROM regs WHERE k = a); END' $$),
('load_literal', $$ CREATE OR REPLACE FUNCTION app.load_literal(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''app.goods''::regclass::text' $$),
('load_right', $$ CREATE OR REPLACE FUNCTION app.load_right(a int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT has_table_privilege(''regress_lease'', ''app.secret'', ''SELECT'')' $$),
('load_member', $$ CREATE OR REPLACE FUNCTION app.load_member(a int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT pg_has_role(''regress_lease'', ''regress_leases'', ''MEMBER'')' $$),
('load_viewdef', $$ CREATE OR REPLACE FUNCTION app.load_viewdef(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT pg_get_viewdef(''app.shown''::regclass)' $$),
('load_comment', $$ CREATE OR REPLACE FUNCTION app.load_comment(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT obj_description(''app.goods''::regclass, ''pg_class'')' $$),
('load_type_name', $$ CREATE OR REPLACE FUNCTION app.load_type_name(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT format_type(''app.mood''::regtype, NULL)' $$),
('load_schemas', $$ CREATE OR REPLACE FUNCTION app.load_schemas(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT concat_ws('','', current_schemas(false), current_schema())' $$),
('load_visible', $$ CREATE OR REPLACE FUNCTION app.load_visible(a int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT pg_table_is_visible(''app.goods''::regclass)' $$),
('xs', $$ CREATE SCHEMA xs; CREATE TABLE xs.a (k int); INSERT INTO xs.a VALUES (1) $$),
('load_xml', $$ CREATE OR REPLACE FUNCTION app.load_xml(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT schema_to_xml(''xs'', false, false, '''')::text' $$),
-- what cannot be watched, with a ttl; it never changes by itself
('mv', $$ CREATE MATERIALIZED VIEW app.mv AS SELECT 1 AS k, 'one'::text AS v $$),
('load_matview', $$
  CREATE OR REPLACE FUNCTION app.load_matview(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT string_agg(v, '','') FROM mv' $$);

-- Things that no cache reads, for commands to work on
CREATE TABLE other.o (i int PRIMARY KEY, t text);
CREATE TABLE aside.o (i int PRIMARY KEY, t text);
CREATE TABLE other.parts (i int, t text) PARTITION BY RANGE (i);
CREATE TABLE other.parts1 PARTITION OF other.parts FOR VALUES FROM (0) TO (10);
CREATE VIEW other.view AS SELECT 1 AS one;
CREATE FUNCTION other.fun(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE other.proc() LANGUAGE sql AS 'SELECT 1';
CREATE SEQUENCE other.seq;

-- Now make them all.
SELECT lab.make(VARIADIC array_agg(name)) FROM (SELECT name FROM lab.made ORDER BY name LIKE 'load%', name IN ('v', 'before', 'regs', 'owned'), name) x;

-- A foreign table, where there is a wrapper to have one of.
SELECT count(*) > 0 AS has_files FROM pg_available_extensions WHERE name = 'file_fdw' \gset
\if :has_files
CREATE EXTENSION file_fdw SCHEMA public;
INSERT INTO lab.made VALUES
('foreign', $$
  CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
  CREATE FOREIGN TABLE app.lines (line text) SERVER files OPTIONS (filename 'PG_VERSION') $$),
('load_foreign', $$
  CREATE OR REPLACE FUNCTION app.load_foreign(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT string_agg(line, '','') FROM lines' $$);
SELECT lab.make('foreign', 'load_foreign');
\endif

-- Catalogs: all of them but what README says is not followed, in some groups; of
-- large ones what users have made. And functions that look into them.
CREATE FUNCTION lab.digest(catalog text) RETURNS text LANGUAGE sql AS $$
  SELECT format('(SELECT sum(hashtextextended(concat_ws('','', %s), 0)) FROM pg_catalog.%I%s)',
                string_agg(quote_ident(attname), ', ' ORDER BY attnum), catalog,
                CASE WHEN catalog IN ('pg_attribute', 'pg_depend', 'pg_description', 'pg_operator', 'pg_amop', 'pg_amproc', 'pg_proc', 'pg_rewrite', 'pg_init_privs', 'pg_cast', 'pg_type', 'pg_opclass', 'pg_opfamily', 'pg_collation', 'pg_conversion', 'pg_ts_dict', 'pg_ts_config', 'pg_ts_config_map', 'pg_aggregate')
                     THEN format(' WHERE %s >= 16384', (SELECT quote_ident(attname) || CASE WHEN atttypid = 'regproc'::regtype THEN '::oid' ELSE '' END FROM pg_attribute WHERE attrelid = ('pg_catalog.' || catalog)::regclass AND attnum = 1)) ELSE '' END)
  FROM pg_attribute
  WHERE attrelid = ('pg_catalog.' || catalog)::regclass AND attnum > 0
    AND attname NOT IN ('relpages', 'reltuples', 'relallvisible', 'relallfrozen', 'relfrozenxid', 'relminmxid', 'relhasindex', 'relfilenode', 'datfrozenxid', 'datminmxid') $$;
DO $do$
DECLARE
  catalogs text[] := ARRAY(SELECT relname FROM pg_class
    WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'
      AND relname NOT IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_shdepend', 'pg_subscription_rel', 'pg_largeobject',
                          'pg_largeobject_metadata', 'pg_replication_origin') ORDER BY 1);
  per CONSTANT int := 9;
  body text := '';
BEGIN
  FOR i IN 0 .. (cardinality(catalogs) - 1) / per LOOP
    body := body || format(' IF k = %s THEN RETURN concat_ws('','', %s); END IF;', i,
      (SELECT string_agg(lab.digest(c), ', ') FROM unnest(catalogs[i * per + 1 : i * per + per]) c));
  END LOOP;
  EXECUTE format('CREATE FUNCTION lab.load_catalog(k int) RETURNS text LANGUAGE plpgsql STABLE AS %L', 'BEGIN ' || body || ' RETURN NULL; END');
END $do$;
CREATE FUNCTION lab.load_lookup(k int) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN CASE k
    WHEN 0 THEN concat_ws(',', to_regclass('absent') IS NULL, to_regclass('goods'), to_regclass('aside.o'), to_regproc('f_absent'), to_regtype('ty_absent'),
                          to_regnamespace('late'), to_regrole('regress_absent'))
    WHEN 1 THEN concat_ws(',', obj_description(to_regclass('app.goods'), 'pg_class'), col_description(to_regclass('app.goods'), 1),
                          shobj_description((SELECT oid FROM pg_roles WHERE rolname = 'regress_lease'), 'pg_authid'),
                          pg_get_viewdef(to_regclass('app.shown')), pg_get_functiondef(to_regprocedure('app.f_sql(int)')))
    WHEN 2 THEN concat_ws(',', (SELECT has_table_privilege(r.oid, to_regclass('app.secret'), 'SELECT') FROM pg_roles r WHERE rolname = 'regress_caller'),
                          (SELECT has_schema_privilege(r.oid, n.oid, 'USAGE') FROM pg_roles r, pg_namespace n WHERE rolname = 'regress_lease' AND nspname = 'aside'),
                          (SELECT pg_has_role(r.oid, g.oid, 'MEMBER') FROM pg_roles r, pg_roles g WHERE r.rolname = 'regress_lease' AND g.rolname = 'regress_leases'))
    WHEN 3 THEN (SELECT string_agg(concat_ws(' ', conname, pg_get_constraintdef(oid)), ',' ORDER BY conname) FROM pg_constraint WHERE connamespace >= 16384)
    WHEN 4 THEN (SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid) FROM pg_index WHERE indexrelid >= 16384)
    WHEN 5 THEN (SELECT string_agg(pg_get_triggerdef(oid), ',' ORDER BY oid) FROM pg_trigger WHERE NOT tgisinternal)
    WHEN 6 THEN current_schemas(true)::text
  END;
END $$;

-- Caches, the roles that use them, and their keys
CREATE TABLE lab.checks (n serial, cache text PRIMARY KEY, role text, keys int[]);
DO $do$
DECLARE
  loader record;
BEGIN
  FOR loader IN SELECT oid::regprocedure AS name, substr(proname, 6) AS cache FROM pg_proc WHERE proname LIKE 'load\_%' AND pronamespace IN ('app'::regnamespace, 'lab'::regnamespace) ORDER BY oid LOOP
    PERFORM cache_create(loader.cache, loader.name,
                         ttl => CASE WHEN loader.cache IN ('matview', 'foreign') THEN interval '1 day' END);
    INSERT INTO lab.checks (cache, role, keys) VALUES (loader.cache,
      CASE WHEN loader.cache IN ('invoker') THEN 'regress_caller' END,
      CASE WHEN loader.cache IN ('catalog', 'lookup') THEN '{0, 1, 2, 3, 4, 5, 6}'
           WHEN loader.cache IN ('matview', 'foreign', 'absent', 'literal', 'right', 'member', 'viewdef', 'comment', 'type_name', 'schemas', 'visible', 'xml', 'collation', 'search', 'conversion') THEN '{1}' ELSE '{1, 2}'::int[] END);
  END LOOP;
END $do$;
INSERT INTO lab.made VALUES
('watch_beside', $$ SELECT cache_watch('beside', 'app.beside', 'k'), cache_watch('beside_plpgsql', 'app.beside', 'k'), cache_watch('routine', 'app.beside') $$),
('watch_t', $$ SELECT cache_watch('table', 'app.goods', 'k') $$),
('watch_tr', $$ SELECT cache_watch('rowtype', 'app.tr', 'k') $$),
('watch_ta', $$ SELECT cache_watch('atomic', 'app.ta', 'k') $$),
('watch_tv', $$ SELECT cache_watch('view', 'app.tv', 'k') $$),
('watch_p', $$ SELECT cache_watch('parts', 'app.p') $$),
('watch_parent', $$ SELECT cache_watch('inherit', 'app.parent', 'k') $$),
('watch_child', $$ SELECT cache_watch('inherit', 'app.child', 'k') $$),
('unwatch_t', $$ SELECT cache_unwatch('table', 'app.goods') $$),
('watch_named', $$ SELECT cache_watch('named', 'app.t_named'), cache_watch('named_plpgsql', 'app.t_named'), cache_watch('own_path', 'app.t_named', 'k'), cache_watch('dynamic', 'app.t_named', 'k') $$),
('watch_secret', $$ SELECT cache_watch('definer', 'app.secret', 'k'), cache_watch('invoker', 'app.secret', 'k'), cache_watch('helped', 'app.secret', 'k'), cache_watch('owned', 'app.secret', 'k') $$),
('watch_more', $$ SELECT cache_watch('dyn', 'app.t_dyn'), cache_watch('behind', 'app.beside'), cache_watch('reg', 'app.regs', 'k'),
                         cache_watch('reg_text', 'app.regs', 'k'), cache_watch('xml', 'xs.a') $$);
SELECT lab.make(VARIADIC array_agg(name)) FROM lab.made WHERE name LIKE 'watch\_%';
DROP SCHEMA late, postgres;
