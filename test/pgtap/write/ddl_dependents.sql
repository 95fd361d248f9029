-- DDL invalidates what depends on what it touches, and leaves the rest hot.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_depends_reader, regress_depends_group, regress_depends_owner, regress_depends_lease;
CREATE ROLE regress_depends_group;
CREATE ROLE regress_depends_owner;
CREATE ROLE regress_depends_reader;
CREATE SCHEMA ahead;
CREATE SCHEMA app;
CREATE SCHEMA aside;
CREATE SCHEMA apart;
GRANT USAGE ON SCHEMA app, ahead TO PUBLIC;
CREATE TABLE app.items (id int PRIMARY KEY, name text);
INSERT INTO app.items SELECT i, 'item ' || i FROM generate_series(1, 4) i;
CREATE TABLE app.others (id int PRIMARY KEY, name text);
INSERT INTO app.others SELECT i, 'other ' || i FROM generate_series(1, 4) i;
CREATE TABLE app.logs (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE aside.mine (id int, v text);
CREATE VIEW app.through AS SELECT id, name FROM app.others;
ALTER VIEW app.through OWNER TO regress_depends_owner;
GRANT SELECT ON app.others TO regress_depends_group, PUBLIC;
GRANT regress_depends_group TO regress_depends_owner;
GRANT USAGE, CREATE ON SCHEMA app TO regress_depends_owner;
CREATE TYPE app.pair AS (a int, b int);
CREATE TYPE app.unused AS (a int);
CREATE DOMAIN app.small AS int CHECK (VALUE < 1000);
CREATE FUNCTION app.helper(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1';
CREATE FUNCTION app.nobody(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1';
CREATE FUNCTION app.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER fire BEFORE INSERT ON app.items FOR EACH ROW EXECUTE FUNCTION app.fire();
CREATE FUNCTION app.plus(app.pair, app.pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a + $2.a';
CREATE OPERATOR app.<+> (LEFTARG = app.pair, RIGHTARG = app.pair, FUNCTION = app.plus);

-- Each reads something of its own.
SET search_path = ahead, app, public;
CREATE FUNCTION app.load_items(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name || helper(id) FROM items WHERE id = a';
CREATE FUNCTION app.load_through(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM through WHERE id = a';
CREATE FUNCTION app.load_catalog(a int) RETURNS text LANGUAGE sql STABLE AS
  $$SELECT string_agg(relname || coalesce(obj_description(oid), ''), ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'aside'::regnamespace$$;
CREATE FUNCTION app.load_names(a int) RETURNS text LANGUAGE sql STABLE AS
  $$SELECT coalesce(to_regclass('aside.later')::text, 'none') || has_table_privilege('regress_depends_reader', 'aside.mine', 'SELECT')$$;
CREATE FUNCTION app.load_pair(a int) RETURNS jsonb LANGUAGE plpgsql STABLE AS
  $$DECLARE p pair; s small := a; BEGIN p.a := s; RETURN to_jsonb(p); END$$;
CREATE TABLE app.shape (a int, b text);
CREATE TABLE app.sizes (v int);
CREATE FUNCTION app.load_row(a int) RETURNS jsonb LANGUAGE plpgsql STABLE AS
  $$DECLARE x sizes.v%TYPE := 7.0 / a; BEGIN
    RETURN to_jsonb(jsonb_populate_record(NULL::shape, jsonb_build_object('a', a))) || jsonb_build_object('x', x); END$$;
SELECT cache_create('row', 'app.load_row(int)');
SELECT cache_create('items', 'app.load_items(int)'), cache_watch('items', 'app.items', 'id');
SELECT cache_create('through', 'app.load_through(int)'), cache_watch('through', 'app.others', 'id');
SELECT cache_create('catalog', 'app.load_catalog(int)');
SELECT cache_create('names', 'app.load_names(int)');
SELECT cache_create('pair', 'app.load_pair(int)');
RESET search_path;

CREATE FUNCTION loaded(cache text) RETURNS bigint LANGUAGE sql AS $$ SELECT counter($1, 'loads') $$;
CREATE FUNCTION warm() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(cache || a, ' ') FROM (
    SELECT 'items' AS cache, a, cache_get('items', a) AS got, to_jsonb(app.load_items(a)) AS want FROM generate_series(1, 4) a
    UNION ALL SELECT 'through', a, cache_get('through', a), to_jsonb(app.load_through(a)) FROM generate_series(1, 4) a
    UNION ALL SELECT 'catalog', a, cache_get('catalog', a), to_jsonb(app.load_catalog(a)) FROM generate_series(1, 4) a
    UNION ALL SELECT 'names', a, cache_get('names', a), to_jsonb(app.load_names(a)) FROM generate_series(1, 4) a
    UNION ALL SELECT 'row', a, cache_get('row', a), app.load_row(a) FROM generate_series(1, 4) a
    UNION ALL SELECT 'pair', a, cache_get('pair', a), app.load_pair(a) FROM generate_series(1, 4) a OFFSET 0) x
  WHERE got IS DISTINCT FROM want $$;
ALTER FUNCTION warm() SET search_path = ahead, app, public;

-- What each command empties.  Of the caches that read catalogs nobody asks whether
-- it was in vain.
CREATE TABLE commands (n serial, command text, items bool, through bool, catalog bool, pair bool);
INSERT INTO commands (command, items, through, catalog, pair) VALUES
  ('SELECT 1', false, false, false, false),
  ('CREATE TABLE aside.new (id serial PRIMARY KEY, v text)', false, false, true, false),
  ('CREATE TABLE aside.copy AS SELECT * FROM app.items', false, false, true, false),
  ('CREATE TABLE app.logs_1 PARTITION OF app.logs FOR VALUES FROM (''2020-01-01'') TO (''2021-01-01'')', false, false, true, false),
  ('ALTER TABLE aside.new ADD x int DEFAULT 3', false, false, true, false),
  ('ALTER TABLE aside.new RENAME TO newer', false, false, true, false),
  ('GRANT SELECT ON aside.mine TO regress_depends_reader', false, false, true, false),
  ('COMMENT ON TABLE aside.mine IS ''mine''', false, false, true, false),
  ('CREATE INDEX ON aside.mine (id)', false, false, true, false),
  ('CREATE TEMP TABLE scratch (id serial PRIMARY KEY)', false, false, true, false),
  ('CREATE FUNCTION aside.fresh() RETURNS int LANGUAGE sql AS ''SELECT 1''', false, false, true, false),
  ('CREATE OR REPLACE FUNCTION app.nobody(int) RETURNS int LANGUAGE sql STABLE AS ''SELECT 2''', false, false, true, false),
  ('CREATE OR REPLACE FUNCTION app.fire() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END''', false, false, true, false),
  ('ALTER TYPE app.unused ADD ATTRIBUTE c int', false, false, true, false),
  ('CREATE DOMAIN aside.d AS int', false, false, true, false),
  ('CREATE TYPE pg_temp.mood AS ENUM (''good'')', false, false, true, false),
  ('CREATE TYPE aside.mood AS ENUM (''good'')', false, false, true, false),
  ('ALTER TYPE aside.mood RENAME VALUE ''good'' TO ''bad''', false, false, true, false),
  ('DROP TYPE aside.mood', false, false, true, false),
  ('CREATE TYPE app.ranks AS ENUM (''low'')', false, false, true, false),
  ('ALTER TABLE app.shape ADD r app.ranks', true, true, true, true),
  ('ALTER TYPE app.ranks RENAME VALUE ''low'' TO ''high''', true, true, true, true),
  ('CREATE SCHEMA elsewhere CREATE TABLE t (i int)', false, false, true, false),
  ('DROP SCHEMA elsewhere CASCADE', false, false, true, false),
  ('DROP TABLE aside.newer', false, false, true, false),
  ('CREATE TABLE aside.later (i int)', true, true, true, true),
  ('CREATE TABLE apart.later (i int)', false, false, true, false),
  ('SELECT cache_create(''another'', ''app.load_items(int)''), cache_watch(''another'', ''app.items'', ''id'')', false, false, true, false),
  ('SELECT cache_drop(''another'')', false, false, true, false),
  -- what some depend on
  ('ALTER TABLE app.items ADD extra int', true, false, true, false),
  ('GRANT SELECT ON app.items TO regress_depends_reader', true, false, true, false),
  ('CREATE POLICY p ON app.others USING (true)', false, true, true, false),
  ('DROP POLICY p ON app.others', false, true, true, false),
  ('CREATE OR REPLACE VIEW app.through AS SELECT id, name || ''!'' AS name FROM app.others', false, true, true, false),
  -- and what all may
  ('CREATE OR REPLACE FUNCTION app.helper(int) RETURNS int LANGUAGE sql STABLE AS ''SELECT $1 + 1''', true, true, true, true),
  ('CREATE TABLE ahead.items (id int, name text); SELECT cache_watch(''items'', ''ahead.items'', ''id'')', true, true, true, true),
  ('DROP TABLE ahead.items', true, false, true, false),
  ('CREATE TABLE apart.items (id int, name text)', false, false, true, false),
  ('ALTER TABLE apart.items SET SCHEMA ahead; SELECT cache_watch(''items'', ''ahead.items'', ''id'')', true, true, true, true),
  ('ALTER TABLE ahead.items RENAME TO itemsx', true, false, true, false),
  ('CREATE FUNCTION ahead.helper(int) RETURNS int LANGUAGE sql STABLE AS ''SELECT 7''', true, true, true, true),
  ('ALTER FUNCTION ahead.helper(int) RENAME TO helperx', true, true, true, true),
  ('DROP FUNCTION ahead.helperx(int)', false, false, true, false),
  ('CREATE FUNCTION ahead.helper(int) RETURNS int LANGUAGE sql STABLE AS ''SELECT 7''', true, true, true, true),
  ('DROP FUNCTION ahead.helper(int)', true, true, true, true),
  ('ALTER TABLE app.shape ADD c int', true, true, true, true),
  ('ALTER TABLE app.sizes ALTER v TYPE numeric', true, true, true, true),
  ('DROP TABLE app.shape; CREATE TABLE app.shape (a int, d int)', true, true, true, true),
  ('ALTER TYPE app.pair ADD ATTRIBUTE c int', true, true, true, true),
  ('ALTER DOMAIN app.small ADD CHECK (VALUE < 900)', true, true, true, true),
  ('CREATE OR REPLACE FUNCTION app.plus(app.pair, app.pair) RETURNS int LANGUAGE sql IMMUTABLE AS ''SELECT $1.a''', true, true, true, true),
  ('ALTER SCHEMA ahead RENAME TO behind', true, true, true, true),
  ('ALTER SCHEMA behind RENAME TO ahead', true, true, true, true),
  ('REVOKE regress_depends_group FROM regress_depends_owner', true, true, true, true),
  ('GRANT regress_depends_group TO regress_depends_owner', true, true, true, true),
  ('CREATE ROLE regress_depends_lease LOGIN IN ROLE regress_depends_group', false, false, true, false),
  ('ALTER ROLE regress_depends_lease VALID UNTIL ''2040-01-01''', false, false, true, false),
  ('DROP ROLE regress_depends_lease', false, false, true, false),
  ('ALTER ROLE regress_depends_group CREATEDB PASSWORD ''x'' VALID UNTIL ''2040-01-01''', false, false, true, false),
  ('ALTER ROLE regress_depends_group RENAME TO regress_depends_lease', true, true, true, true),
  ('ALTER ROLE regress_depends_lease RENAME TO regress_depends_group', true, true, true, true),
  ('ALTER ROLE regress_depends_group NOINHERIT', true, true, true, true),
  ('CREATE CAST (app.pair AS text) WITH INOUT', true, true, true, true),
  ('UPDATE pg_proc SET procost = 3 WHERE proname = ''nobody''', true, true, true, true);
SELECT plan((SELECT count(*) FROM commands)::int * 4);
CREATE FUNCTION in_order(before bigint[], label text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  c commands;
  emptied bool[];
BEGIN
  SELECT * INTO c FROM commands WHERE command = label ORDER BY n LIMIT 1;
  emptied := ARRAY[loaded('items') > before[1], loaded('through') > before[2], loaded('catalog') > before[3], loaded('pair') > before[4]];
  RETURN is(emptied, ARRAY[c.items, c.through, c.catalog, c.pair], 'emptied: ' || left(label, 70));
END $$;
CREATE FUNCTION all_loaded() RETURNS bigint[] LANGUAGE sql AS
  $$ SELECT ARRAY[loaded('items'), loaded('through'), loaded('catalog'), loaded('pair')] $$;
-- What is kept must not be a table: those that read catalogs depend on it.
CREATE FUNCTION keep() RETURNS void LANGUAGE sql AS $$ SELECT set_config('depends.before', all_loaded()::text, false) $$;
CREATE FUNCTION kept() RETURNS bigint[] LANGUAGE sql AS $$ SELECT current_setting('depends.before')::bigint[] $$;
SELECT warm();
SELECT unnest(ARRAY[
  'SELECT warm()', 'SELECT warm()', 'SELECT keep()',
  'BEGIN', 'SAVEPOINT s', command, 'ROLLBACK TO s', 'SELECT 1', 'COMMIT',
  'BEGIN', command, 'ROLLBACK',
  format('SELECT is(warm(), NULL, %L)', 'rolled back: ' || left(command, 70)),
  format('SELECT is(all_loaded(), kept(), %L)', 'left alone by what is rolled back: ' || left(command, 70)),
  command,
  format('SELECT is(warm(), NULL, %L)', 'exact: ' || left(command, 70)),
  format('SELECT in_order(kept(), %L)', command)])
FROM commands ORDER BY n
\gexec
DROP OWNED BY regress_depends_reader, regress_depends_group, regress_depends_owner;
DROP VIEW IF EXISTS app.through CASCADE;
DROP ROLE regress_depends_reader, regress_depends_group, regress_depends_owner;
SELECT * FROM finish();
