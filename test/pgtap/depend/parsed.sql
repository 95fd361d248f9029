-- Objects that are named where a load hears of them only while it is planned.  One
-- table for each way, and one way after the other: a table that any load is known to
-- speak of concerns all caches.
\ir ../exact.psql
SET client_min_messages = error;
SELECT plan(60);
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 5), (2, 20);
CREATE TABLE ways (name text, helper text, language text, loader text);
INSERT INTO ways VALUES
-- A function that is parsed, and not called: that writes, or names a class.
('insert', $$int LANGUAGE sql STABLE AS 'INSERT INTO o_insert VALUES (1, 1) RETURNING y'$$, 'sql', 'SELECT CASE WHEN v > 10 THEN v ELSE f_insert() END FROM t WHERE id = k'),
('update', $$int LANGUAGE sql STABLE AS 'UPDATE o_update SET y = 1 RETURNING y'$$, 'sql', 'SELECT CASE WHEN v > 10 THEN v ELSE f_update() END FROM t WHERE id = k'),
('delete', $$int LANGUAGE sql STABLE AS 'DELETE FROM o_delete RETURNING y'$$, 'sql', 'SELECT CASE WHEN v > 10 THEN v ELSE f_delete() END FROM t WHERE id = k'),
('class', $$int LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM pg_class WHERE oid = ''o_class''::regclass'$$, 'sql', 'SELECT CASE WHEN v > 10 THEN v ELSE f_class() END FROM t WHERE id = k'),
-- One that becomes a part of the query, where the class is a number.
('inlined', $$int LANGUAGE sql STABLE AS 'SELECT ''o_inlined''::pg_catalog.regclass::oid::int % 1'$$, 'sql', 'SELECT v + f_inlined() FROM t WHERE id = k'),
('expression', $$int LANGUAGE sql STABLE AS 'SELECT ''o_expression''::regclass::oid::int % 1'$$, 'plpgsql', 'BEGIN RETURN k + f_expression(); END'),
('set', $$SETOF int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE id = ''o_set''::regclass::oid::int % 1 + 2'$$, 'sql', 'SELECT f FROM f_set() f'),
('set_rows', $$SETOF int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE id = cardinality(''{}''::o_set_rows[]) + 2'$$, 'sql', 'SELECT f FROM f_set_rows() f'),
('constraint', $$boolean LANGUAGE sql STABLE AS 'SELECT count(*) < 0 FROM pg_class WHERE oid = ''o_constraint''::regclass'$$, 'sql', 'SELECT v::positive::int FROM t WHERE id = k'),
-- A row type in a query, which is folded or left out.
('rows', NULL, 'sql', $$SELECT v + cardinality('{}'::o_rows[]) FROM t WHERE id = k$$),
('array', NULL, 'sql', 'SELECT v + cardinality(ARRAY[]::o_array[]) FROM t WHERE id = k'),
('array_plpgsql', NULL, 'plpgsql', 'BEGIN RETURN k + cardinality(ARRAY[]::o_array_plpgsql[]); END'),
('text', NULL, 'sql', 'SELECT v FROM t WHERE id = k AND (true OR k::text::o_text[] IS NULL)'),
('recordset', NULL, 'sql', $$WITH unused AS (SELECT * FROM json_to_recordset('[]') AS r(a o_recordset)) SELECT v FROM t WHERE id = k$$),
('table', NULL, 'sql', $$WITH unused AS (SELECT * FROM xmltable('/a' PASSING (NULL::xml) COLUMNS a o_table PATH '.')) SELECT v FROM t WHERE id = k$$);
SELECT format('CREATE TABLE o_%s (x int, y int)', name) FROM ways \gexec
SELECT format('CREATE FUNCTION f_%s() RETURNS %s', name, helper) FROM ways WHERE helper IS NOT NULL \gexec
CREATE DOMAIN positive AS int CHECK (VALUE > 10 OR f_constraint());
SELECT format('CREATE FUNCTION load_%s(k int) RETURNS int LANGUAGE %s STABLE AS %L', name, language, loader) FROM ways \gexec
SELECT cache_create(name, format('load_%s(int)', name)::regprocedure), cache_watch(name, 't', 'id') FROM ways;
SELECT format('SELECT agrees(%1$L, ''2'', ''load_%1$s'', ''loaded: %1$s'')', name),
  format('SELECT is(hits(%1$L, ''SELECT cache_get(''''%1$s'''', 2)''), 1::bigint, ''stored: %1$s'')', name),
  format('ALTER TABLE o_%1$s RENAME TO oo_%1$s', name), 'DISCARD PLANS',
  format('SELECT agrees(%1$L, ''2'', ''load_%1$s'', ''a table is called otherwise: %1$s'')', name),
  format('ALTER TABLE oo_%1$s RENAME TO o_%1$s', name), 'DISCARD PLANS',
  format('SELECT agrees(%1$L, ''2'', ''load_%1$s'', ''it is called so again: %1$s'')', name)
FROM ways \gexec
SELECT * FROM finish();
