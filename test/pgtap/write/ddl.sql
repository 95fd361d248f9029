-- DDL: whatever a loader depends on may change, be renamed or be gone.
\ir ../exact.psql
SET client_min_messages = error;
CREATE SCHEMA app;
DROP ROLE IF EXISTS regress_cache_ddl;
CREATE ROLE regress_cache_ddl;
CREATE TYPE app.level AS ENUM ('low', 'high');
CREATE TABLE app.items (id int PRIMARY KEY, name text, level app.level DEFAULT 'low', price numeric);
INSERT INTO app.items VALUES (1, 'one', 'low', 1.5), (2, 'two', 'high', 2.5);
CREATE TABLE app.rates (id int PRIMARY KEY, rate numeric);
INSERT INTO app.rates VALUES (1, 2);
CREATE VIEW app.dear AS SELECT id, price * 2 AS price FROM app.items;
CREATE FUNCTION app.tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 0.1';
CREATE FUNCTION app.load(a int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT name || '' '' || level || '' '' || app.tax(price) || '' '' || (SELECT price FROM app.dear d WHERE d.id = a) FROM app.items WHERE id = a';
CREATE FUNCTION app.load_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT name || app.tax(price) FROM app.items WHERE id = a) || (SELECT sum(rate) FROM app.rates); END';
CREATE FUNCTION app.load_atomic(a int) RETURNS numeric LANGUAGE sql STABLE BEGIN ATOMIC
  SELECT price + rate FROM app.items i JOIN app.rates r ON true WHERE i.id = a; END;
SELECT cache_create('sql', 'app.load(int)'), cache_watch('sql', 'app.items', 'id');
SELECT cache_create('plpgsql', 'app.load_plpgsql(int)'), cache_watch('plpgsql', 'app.items', 'id'), cache_watch('plpgsql', 'app.rates');
SELECT cache_create('atomic', 'app.load_atomic(int)'), cache_watch('atomic', 'app.items', 'id'), cache_watch('atomic', 'app.rates');

-- What is done, in order; after each of them all three caches are exact, in the
-- transaction, after a rollback of it, and after the commit; and hot again.
-- Loaders are called by what they are named then.
CREATE TABLE changes (n serial, statement text);
INSERT INTO changes (statement) VALUES
  ('CREATE OR REPLACE FUNCTION app.tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS ''SELECT $1 * 0.2'''),
  ('CREATE OR REPLACE VIEW app.dear AS SELECT id, price * 3 AS price FROM app.items'),
  ('ALTER TYPE app.level RENAME VALUE ''low'' TO ''lower'''),
  ('ALTER TABLE app.items ALTER name TYPE varchar(100)'),
  ('ALTER TABLE app.items ADD extra int DEFAULT 5'),
  ('ALTER TABLE app.items DROP extra'),
  ('ALTER FUNCTION app.load(int) SET extra_float_digits = 0'),
  ('ALTER FUNCTION app.load(int) RESET ALL'),
  ('ALTER FUNCTION app.load(int) SECURITY DEFINER'),
  ('ALTER FUNCTION app.load(int) SECURITY INVOKER'),
  ('ALTER FUNCTION app.load(int) OWNER TO CURRENT_USER'),
  ('CREATE OR REPLACE FUNCTION app.load_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS
    ''BEGIN RETURN ''''new '''' || (SELECT name || app.tax(price) FROM app.items WHERE id = a) || (SELECT sum(rate) FROM app.rates); END'''),
  ('CREATE OR REPLACE FUNCTION app.load(a int) RETURNS text LANGUAGE sql STABLE AS ''SELECT ''''new '''' || name FROM app.items WHERE id = a'''),
  ('GRANT SELECT ON app.items TO regress_cache_ddl'),
  ('CREATE RULE nothing AS ON UPDATE TO app.items DO ALSO NOTHING'),
  ('DROP RULE nothing ON app.items'),
  ('CREATE INDEX items_name ON app.items (name)'),
  ('ALTER TABLE app.items RENAME name TO label; ALTER TABLE app.items RENAME label TO name'),
  ('TRUNCATE app.rates; INSERT INTO app.rates VALUES (1, 9)');
SELECT plan((SELECT count(*) FROM changes)::int * 5 + 47);
CREATE FUNCTION all_same(label text) RETURNS text LANGUAGE sql AS $$
  SELECT is(string_agg(format('%s: %s is %s, not %s', c, a, got, want), '; '), NULL, label)
  FROM (SELECT 'sql' AS c, a, cache_get('sql', a) AS got, to_jsonb(app.load(a)) AS want FROM generate_series(0, 3) a
        UNION ALL SELECT 'plpgsql', a, cache_get('plpgsql', a), to_jsonb(app.load_plpgsql(a)) FROM generate_series(0, 3) a
        UNION ALL SELECT 'atomic', a, cache_get('atomic', a), to_jsonb(app.load_atomic(a)) FROM generate_series(0, 3) a OFFSET 0) x
  WHERE got IS DISTINCT FROM want $$;
CREATE FUNCTION all_hits() RETURNS bigint LANGUAGE sql AS $$
  SELECT hits('sql', 'SELECT count(cache_get(''sql'', a) IS NULL) FROM generate_series(0, 3) a')
       + hits('plpgsql', 'SELECT count(cache_get(''plpgsql'', a) IS NULL) FROM generate_series(0, 3) a')
       + hits('atomic', 'SELECT count(cache_get(''atomic'', a) IS NULL) FROM generate_series(0, 3) a') $$;
SELECT unnest(ARRAY[
  'SELECT all_hits()',
  'BEGIN', statement,
  format('SELECT all_same(%L)', 'in the transaction: ' || left(statement, 70)),
  'ROLLBACK',
  format('SELECT all_same(%L)', 'rolled back: ' || left(statement, 70)),
  'SELECT all_hits()',
  statement,
  format('SELECT all_same(%L)', 'committed: ' || left(statement, 70)),
  format('SELECT is(all_hits(), 12::bigint, %L)', 'hot again: ' || left(statement, 70)),
  'UPDATE app.items SET price = price + 1, name = name || ''!''',
  format('SELECT all_same(%L)', 'written: ' || left(statement, 70))])
FROM changes ORDER BY n
\gexec

-- What does not flush.
CREATE FUNCTION harmless(statement text) RETURNS text LANGUAGE sql AS
  $$ SELECT is(all_hits(), 12::bigint, 'does not flush: ' || statement) $$;
SELECT all_hits();
SELECT unnest(ARRAY[statement, format('SELECT harmless(%L)', statement)])
FROM unnest(ARRAY[
  'CREATE TEMP TABLE scratch (a int)', 'CREATE INDEX ON scratch (a)', 'ALTER TABLE scratch ADD b int', 'CREATE TEMP VIEW scratch_view AS SELECT 1',
  'CREATE TEMP SEQUENCE scratch_seq', 'CREATE TEMP TABLE scratch_as AS SELECT 1 AS a', 'SELECT 1 INTO TEMP scratch_into', 'TRUNCATE scratch',
  'DROP TABLE scratch', 'DROP VIEW scratch_view', 'ANALYZE app.items', 'VACUUM app.rates', 'SET work_mem = ''5MB''', 'RESET work_mem',
  'CREATE INDEX i ON app.items (price)', 'REINDEX INDEX app.i', 'DROP INDEX app.i']) WITH ORDINALITY s (statement, n) ORDER BY n
\gexec

-- Renames are followed.
ALTER TABLE app.items RENAME id TO item_id;
CREATE OR REPLACE FUNCTION app.load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM app.items WHERE item_id = a';
CREATE OR REPLACE FUNCTION app.load_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT name FROM app.items WHERE item_id = a); END';
SELECT all_hits();
SELECT is(all_hits(), 12::bigint, 'hot after the rename of a key column');
UPDATE app.items SET price = 7, name = 'seven' WHERE item_id = 1;
SELECT all_same('rename of a key column');
SELECT is(all_hits(), 12::bigint, 'one key was written, and only that was loaded again') FROM (SELECT cache_get('sql', 1)) x;
ALTER TABLE app.items RENAME TO goods;
CREATE OR REPLACE FUNCTION app.load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM app.goods WHERE item_id = a';
CREATE OR REPLACE FUNCTION app.load_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT name FROM app.goods WHERE item_id = a); END';
SELECT all_hits();
UPDATE app.goods SET name = 'renamed' WHERE item_id = 1;
SELECT all_same('rename of a table');
CREATE SCHEMA shop;
ALTER TABLE app.goods SET SCHEMA shop;
CREATE OR REPLACE FUNCTION app.load(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM shop.goods WHERE item_id = a';
CREATE OR REPLACE FUNCTION app.load_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT name FROM shop.goods WHERE item_id = a); END';
SELECT all_hits();
UPDATE shop.goods SET name = 'moved' WHERE item_id = 1;
SELECT all_same('another schema for a table');
ALTER FUNCTION app.load(int) RENAME TO retrieve;
SELECT is(cache_get('sql', 1), to_jsonb(app.retrieve(1)), 'rename of the loader');
SELECT is(hits('sql', 'SELECT cache_get(''sql'', 1)'), 1::bigint, 'and a hit');
ALTER FUNCTION app.retrieve(int) SET SCHEMA shop;
SELECT is(cache_get('sql', 1), to_jsonb(shop.retrieve(1)), 'another schema for the loader');
UPDATE shop.goods SET name = 'loader moved' WHERE item_id = 1;
SELECT is(cache_get('sql', 1), '"loader moved"', 'still watched');
ALTER SCHEMA shop RENAME TO store;
CREATE OR REPLACE FUNCTION store.retrieve(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM store.goods WHERE item_id = a';
SELECT is(cache_get('sql', 1), to_jsonb(store.retrieve(1)), 'rename of the schema');
UPDATE store.goods SET name = 'schema renamed' WHERE item_id = 1;
SELECT is(cache_get('sql', 1), '"schema renamed"', 'still watched');
BEGIN;
ALTER FUNCTION store.retrieve(int) RENAME TO undone;
SELECT is(cache_get('sql', 1), '"schema renamed"', 'a rename in this transaction');
ROLLBACK;
SELECT is(cache_get('sql', 1), '"schema renamed"', 'rolled back');
-- rename of a type of the keys
CREATE TABLE by_level (level app.level, n int);
CREATE FUNCTION of_level(l app.level) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(n) FROM by_level WHERE level = l';
SELECT cache_create('level', 'of_level(app.level)'), cache_watch('level', 'by_level', 'level');
SELECT cache_get('level', 'high');
ALTER TYPE app.level RENAME TO degree;
SELECT is(cache_get('level', 'high'), NULL, 'rename of a type');
INSERT INTO by_level VALUES ('high', 5);
SELECT is(cache_get('level', 'high'), '5', 'still watched');
ALTER TYPE app.degree SET SCHEMA public;
INSERT INTO by_level VALUES ('high', 5);
SELECT is(cache_get('level', 'high'), '10', 'another schema for a type');
ALTER TYPE degree ADD VALUE 'highest';
SELECT is(cache_get('level', 'highest'), NULL, 'a new value of an enum');
INSERT INTO by_level VALUES ('highest', 1);
SELECT is(cache_get('level', 'highest'), '1', 'is watched');

-- Two columns renamed so that they change places, under a BEGIN ATOMIC loader.
CREATE TABLE swap (k int, j int, v int);
INSERT INTO swap VALUES (1, 2, 0), (2, 1, 0);
CREATE FUNCTION of_swap(a int) RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT v FROM swap WHERE k = a; END;
SELECT cache_create('swap', 'of_swap(int)'), cache_watch('swap', 'swap', 'k');
ALTER TABLE swap RENAME k TO x;
ALTER TABLE swap RENAME j TO k;
SELECT is(cache_get('swap', 1), '0', 'columns renamed twice');
UPDATE swap SET v = 5 WHERE x = 1;
SELECT is(cache_get('swap', 1), to_jsonb(of_swap(1)), 'the watch follows its column');

-- A key column renamed through a partitioned table, with partitions of other
-- layouts; and a partition whose triggers are disabled.
CREATE TABLE p (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (gone int, v int, k int);
ALTER TABLE p2 DROP gone;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
INSERT INTO p VALUES (1, 1), (11, 11);
CREATE FUNCTION of_p(a int) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(v) FROM p WHERE p.k = a); END';
SELECT cache_create('p', 'of_p(int)'), cache_watch('p', 'p', 'k');
SELECT cache_get('p', 1), cache_get('p', 11);
ALTER TABLE p RENAME k TO key;
CREATE OR REPLACE FUNCTION of_p(a int) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(v) FROM p WHERE key = a); END';
SELECT exact('p', '1', 'of_p');
SELECT exact('p', '11', 'of_p');
UPDATE p SET v = v + 1 WHERE key = 11;
SELECT is(cache_get('p', 11), '12', 'a key column of partitions renamed');
SELECT is(hits('p', 'SELECT cache_get(''p'', 1)'), 1::bigint, 'other keys stay');
INSERT INTO p1 VALUES (1, 5);
SELECT is(cache_get('p', 1), '6', 'a partition written');
ALTER TABLE p1 DISABLE TRIGGER ALL;
SELECT cache_get('p', 1);
INSERT INTO p1 VALUES (1, 5);
SELECT is(cache_get('p', 1), to_jsonb(of_p(1)), 'a partition whose triggers are disabled is not watched');

-- Gets in defaults, constraints and generated values.
CREATE TABLE uses (k int, v int DEFAULT cache_get_as(NULL::bigint, 'p', 11), CHECK (cache_get('p', k) IS NULL OR v IS NOT NULL));
INSERT INTO uses (k) VALUES (11), (99);
UPDATE p SET v = 50 WHERE key = 11;
INSERT INTO uses (k) VALUES (11);
SELECT results_eq('SELECT v FROM uses ORDER BY v', '{12,12,50}'::int[], 'in a DEFAULT and a CHECK');

-- Another number of keys, under a watch of the whole table.
CREATE FUNCTION of_p2(a int, b int) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(v) + b FROM p WHERE key = a); END';
SELECT cache_create('keys', 'of_p(int)'), cache_watch('keys', 'p');
SELECT cache_get('keys', 11);
SELECT cache_alter('keys', loader => 'of_p2(int, int)');
SELECT is(cache_get('keys', 11, 1), '51', 'a loader with another number of keys');
UPDATE p SET v = 60 WHERE key = 11;
SELECT is(cache_get('keys', 11, 1), '61', 'is watched');
SELECT throws_ok('SELECT cache_get(''keys'', 11)', '22023', NULL, 'and has its keys');
SELECT * FROM finish();
DROP OWNED BY regress_cache_ddl;
DROP ROLE regress_cache_ddl;
