-- Watches whose keys are told by a function: what it may return, from which
-- tables, as whom and under which settings it runs; that other keys stay; and what
-- happens when it is renamed, replaced or dropped.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_writer, regress_cache_owner;
CREATE ROLE regress_cache_writer;
CREATE ROLE regress_cache_owner;
SELECT plan(98);

CREATE TABLE orders (id int PRIMARY KEY, customer int, region text);
CREATE TABLE lines (gone int, id int, order_id int, amount int, note text);
ALTER TABLE lines DROP gone;
INSERT INTO orders SELECT i, i, 'r' || i FROM generate_series(1, 5) i;
INSERT INTO lines SELECT i, i, i * 10, 'line' FROM generate_series(1, 5) i;
CREATE FUNCTION spent(c int) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.order_id WHERE o.customer = c';
CREATE FUNCTION spent_in(c int, r text) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.order_id WHERE o.customer = c AND o.region = r';
SELECT cache_create('spent', 'spent(int)'), cache_watch('spent', 'orders', 'customer');
SELECT cache_create('spent_in', 'spent_in(int, text)'), cache_watch('spent_in', 'orders', 'customer', 'region');

-- What a function may return. After a write of one line the one key is loaded
-- again, the others are hits.
CREATE TYPE place AS (gone int, customer int, region text);
ALTER TYPE place DROP ATTRIBUTE gone;
CREATE DOMAIN customer_number AS int;
CREATE FUNCTION of_scalar(l lines) RETURNS int LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_set(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_bigint(l lines) RETURNS SETOF bigint LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_domain(l lines) RETURNS customer_number LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_plpgsql(l lines) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT customer FROM orders WHERE id = l.order_id); END';
CREATE FUNCTION of_plpgsql_set(l lines) RETURNS SETOF int LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN QUERY SELECT customer FROM orders WHERE id = l.order_id; RETURN NEXT 1000; END';
CREATE FUNCTION of_strict(l lines) RETURNS int STRICT LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_table1(l lines) RETURNS TABLE (c int) LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_settings(l lines) RETURNS int LANGUAGE sql STABLE SET search_path = public AS 'SELECT customer FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_atomic(l lines) RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT customer FROM orders WHERE id = (l).order_id; END;
CREATE FUNCTION of_table(l lines) RETURNS TABLE (c int, r text) LANGUAGE sql STABLE AS 'SELECT customer, region FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_out(l lines, OUT c int, OUT r text) LANGUAGE sql STABLE AS 'SELECT customer, region FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_composite(l lines) RETURNS place LANGUAGE sql STABLE AS 'SELECT customer, region FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_composites(l lines) RETURNS SETOF place LANGUAGE sql STABLE AS 'SELECT customer, region FROM orders WHERE id = l.order_id';
CREATE FUNCTION of_plpgsql_table(l lines) RETURNS TABLE (c int, r text) LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN QUERY SELECT customer, region FROM orders WHERE id = l.order_id; END';
CREATE FUNCTION of_plpgsql_row(l lines) RETURNS place LANGUAGE plpgsql STABLE AS
  'DECLARE p place; BEGIN SELECT customer, region INTO p FROM orders WHERE id = l.order_id; RETURN p; END';
CREATE FUNCTION gets(cache text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF cache = 'spent' THEN
    RETURN (SELECT count(cache_get('spent', i) IS NULL) FROM generate_series(1, 6) i);
  END IF;
  RETURN (SELECT count(cache_get('spent_in', i, 'r' || i) IS NULL) FROM generate_series(1, 6) i);
END $$;
CREATE FUNCTION wrong() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s %s is %s, not %s', c, i, got, want), '; ')
  FROM (SELECT 'spent' AS c, i, cache_get('spent', i) AS got, to_jsonb(spent(i)) AS want FROM generate_series(1, 6) i
        UNION ALL SELECT 'spent_in', i, cache_get('spent_in', i, 'r' || i), to_jsonb(spent_in(i, 'r' || i)) FROM generate_series(1, 6) i OFFSET 0) x
  WHERE got IS DISTINCT FROM want $$;
SELECT unnest(ARRAY[
  format('SELECT cache_watch(%L, ''lines'', keys => ''%s(lines)'')', cache, f), format('SELECT gets(%L)', cache),
  'UPDATE lines SET amount = amount + 1 WHERE id = 2',
  format('SELECT is(hits(%L, ''SELECT gets(''%L'')''), 5::bigint, %L)', cache, cache, f || ': other keys stay'),
  'INSERT INTO lines VALUES (6, 3, 7)', 'UPDATE lines SET order_id = 4 WHERE id = 6',
  format('SELECT is(hits(%L, ''SELECT gets(''%L'')''), 4::bigint, %L)', cache, cache, f || ': the keys of the old and the new row do not'),
  'DELETE FROM lines WHERE id = 6',
  format('SELECT is(wrong(), NULL, %L)', f || ': exact'),
  format('SELECT cache_unwatch(%L, ''lines'')', cache)])
FROM (VALUES ('spent', 'of_scalar'), ('spent', 'of_set'), ('spent', 'of_bigint'), ('spent', 'of_domain'), ('spent', 'of_plpgsql'), ('spent', 'of_plpgsql_set'),
        ('spent', 'of_strict'), ('spent', 'of_table1'), ('spent', 'of_settings'), ('spent', 'of_atomic'),
        ('spent_in', 'of_table'), ('spent_in', 'of_out'), ('spent_in', 'of_composite'), ('spent_in', 'of_composites'),
        ('spent_in', 'of_plpgsql_table'), ('spent_in', 'of_plpgsql_row')) v (cache, f)
\gexec

-- What it must not be.
CREATE FUNCTION of_volatile(l lines) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION of_other(o orders) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION of_two(l lines, i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION of_text(l lines) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''x''';
CREATE FUNCTION of_numeric(l lines) RETURNS SETOF numeric LANGUAGE sql STABLE AS 'SELECT 1.0';
CREATE FUNCTION of_record(l lines) RETURNS record LANGUAGE sql STABLE AS 'SELECT 1, 2';
CREATE FUNCTION of_three(l lines, OUT a int, OUT b text, OUT c int) LANGUAGE sql STABLE AS 'SELECT 1, ''x'', 2';
SELECT throws_ok(format('SELECT cache_watch(%L, ''lines'', keys => %L)', cache, f), state, NULL, f || ': refused')
FROM (VALUES ('spent', 'of_volatile(lines)', '42P13'), ('spent', 'of_other(orders)', '42P13'), ('spent', 'of_two(lines, int)', '42P13'),
        ('spent', 'of_text(lines)', '42804'), ('spent', 'of_numeric(lines)', '42804'), ('spent', 'of_record(lines)', '42P13'),
        ('spent_in', 'of_three(lines)', '42P13'), ('spent_in', 'of_scalar(lines)', '42P13'), ('spent', 'of_table(lines)', '42P13'),
        ('spent', NULL, '22004')) v (cache, f, state);
SELECT cache_watch('spent', 'lines', keys => 'of_scalar(lines)'), cache_watch('spent_in', 'lines', keys => 'of_out(lines)');
SELECT throws_ok('SELECT cache_watch(''spent'', ''lines'', keys => ''of_scalar(lines)'')', '42710', NULL, 'twice');
CREATE FUNCTION spent_text(c text) RETURNS text LANGUAGE sql STABLE AS 'SELECT c';
SELECT cache_create('alone', 'spent(int)'), cache_watch('alone', 'lines', keys => 'of_scalar(lines)');
SELECT throws_ok('SELECT cache_alter(''alone'', loader => ''spent_text(text)'')', '42804', NULL, 'another loader, which the key function does not fit');
SELECT cache_drop('alone');
DROP FUNCTION of_atomic(lines);

-- Wide and missing values.
ALTER TABLE lines ADD added int DEFAULT 3;
CREATE FUNCTION of_added(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT l.added WHERE length(l.note) > 10';
SELECT cache_watch('spent', 'lines', keys => 'of_added(lines)');
ALTER TABLE lines ALTER note SET STORAGE EXTERNAL;
SELECT gets('spent');
UPDATE lines SET note = repeat('x', 100000) WHERE id = 1;
SELECT is(hits('spent', 'SELECT gets(''spent'')'), 4::bigint, 'a toasted value and one that was added later');
UPDATE lines SET amount = amount + 1 WHERE id = 1;
SELECT is(hits('spent', 'SELECT gets(''spent'')'), 4::bigint, 'read from disk');
SELECT is(wrong(), NULL, 'exact');

-- Renamed, replaced, dropped.
ALTER FUNCTION of_scalar(lines) RENAME TO "Of ""Scalar";
ALTER TABLE lines RENAME TO order_lines;
ALTER TABLE order_lines RENAME order_id TO order_number;
CREATE SCHEMA apart;
ALTER FUNCTION "Of ""Scalar"(order_lines) SET SCHEMA apart;
ALTER TABLE order_lines SET SCHEMA apart;
ALTER SCHEMA apart RENAME TO shop;
ALTER TABLE shop.order_lines SET SCHEMA public;
ALTER TABLE order_lines RENAME order_number TO order_id;
ALTER TABLE order_lines RENAME TO lines;
SELECT gets('spent'), gets('spent_in');
UPDATE lines SET amount = amount + 1 WHERE id = 2;
SELECT is(hits('spent', 'SELECT gets(''spent'')'), 5::bigint, 'renamed: only one key is loaded');
SELECT is(wrong(), NULL, 'renamed: exact');
CREATE OR REPLACE FUNCTION of_out(l lines, OUT c int, OUT r text) LANGUAGE sql STABLE AS 'SELECT 5, ''r5''';
SELECT gets('spent_in');
UPDATE lines SET amount = amount + 1 WHERE id = 5;
SELECT is(hits('spent_in', 'SELECT gets(''spent_in'')'), 5::bigint, 'replaced: one key');
SELECT is(wrong(), NULL, 'replaced: exact');
ALTER FUNCTION of_out(lines) VOLATILE;
SELECT gets('spent_in');
UPDATE lines SET amount = amount + 1 WHERE id = 1;
SELECT is(hits('spent_in', 'SELECT gets(''spent_in'')'), 0::bigint, 'a function that may not be one any more: all keys');
SELECT is(wrong(), NULL, 'and exact');
SELECT throws_ok('DROP FUNCTION of_out(lines)', '2BP01', NULL, 'the watch depends on its function');
DROP FUNCTION of_out(lines) CASCADE;
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'lines'::regclass AND pg_get_triggerdef(oid) LIKE '%spent_in%'), 0::bigint, 'CASCADE drops it');
SELECT is(wrong(), NULL, 'exact without the watch');

-- Who may name one, and as whom it runs.
CREATE FUNCTION of_lines(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
SELECT cache_unwatch('spent', 'lines'), cache_watch('spent', 'lines', keys => 'of_lines(lines)');
GRANT ALL ON lines, orders TO regress_cache_owner;
GRANT CREATE ON SCHEMA public TO regress_cache_owner;
SELECT run('SELECT cache_create(''theirs'', ''spent(int)'')', 'regress_cache_owner');
SELECT is(run('SELECT cache_watch(''theirs'', ''lines'', keys => ''of_lines(lines)'')', 'regress_cache_owner'), 'ERROR 42501', 'TRIGGER on the table is not enough');
SELECT is(run('CREATE TRIGGER x AFTER INSERT ON lines FOR EACH ROW EXECUTE FUNCTION cache_trigger(''theirs'', '''', ''public'', ''of_lines'', ''public'', ''lines'')',
              'regress_cache_owner'), 'ERROR 42501', 'nor by CREATE TRIGGER');
ALTER TABLE lines OWNER TO regress_cache_owner;
SELECT is(run('SELECT cache_watch(''theirs'', ''lines'', keys => ''of_lines(lines)'')', 'regress_cache_owner'), '', 'its owner may');
REVOKE EXECUTE ON FUNCTION of_set(lines) FROM PUBLIC;
SELECT is(run('SELECT cache_watch(''theirs'', ''lines'', keys => ''of_set(lines)'')', 'regress_cache_owner'), 'ERROR 42501', 'with EXECUTE on the function');
SELECT run('SELECT cache_drop(''theirs'')', 'regress_cache_owner');
REVOKE EXECUTE ON FUNCTION of_lines(lines) FROM PUBLIC;
GRANT INSERT ON lines TO regress_cache_writer;
SELECT gets('spent');
SELECT is(run('WITH w AS (INSERT INTO lines VALUES (7, 3, 7) RETURNING 1) SELECT count(*) FROM w', 'regress_cache_writer'), 'ERROR 42501', 'a writer who may not read what the function reads');
GRANT SELECT ON orders TO regress_cache_writer;
SELECT gets('spent');
SELECT is(run('WITH w AS (INSERT INTO lines VALUES (7, 3, 7) RETURNING 1) SELECT count(*) FROM w', 'regress_cache_writer'), '1', 'EXECUTE on the function is not needed');
SELECT is(hits('spent', 'SELECT gets(''spent'')'), 5::bigint, 'one key');
REVOKE SELECT ON orders FROM regress_cache_writer;
ALTER FUNCTION of_lines(lines) SECURITY DEFINER SET search_path = public;
SELECT gets('spent');
SELECT is(run('WITH w AS (INSERT INTO lines VALUES (8, 4, 7) RETURNING 1) SELECT count(*) FROM w', 'regress_cache_writer'), '1', 'a SECURITY DEFINER function reads as its owner');
SELECT is(hits('spent', 'SELECT gets(''spent'')'), 5::bigint, 'and one key again');
SELECT is(wrong(), NULL, 'exact');
CREATE FUNCTION of_escape(l lines) RETURNS int LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM set_config('role', 'postgres', false), set_config('session_authorization', 'postgres', false); RETURN 1; END $$;
ALTER FUNCTION of_escape(lines) OWNER TO regress_cache_owner;
SELECT cache_watch('spent', 'lines', keys => 'of_escape(lines)');
SELECT is(run('WITH w AS (INSERT INTO lines VALUES (9, 4, 7) RETURNING 1) SELECT count(*) FROM w', 'regress_cache_writer'), 'ERROR 42501', 'it cannot become another role');
DROP FUNCTION of_escape(lines) CASCADE;
CREATE FUNCTION of_error(l lines) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1 / (l.amount - 13)';
SELECT cache_watch('spent', 'lines', keys => 'of_error(lines)');
SELECT throws_ok('INSERT INTO lines VALUES (9, 4, 13)', '22012', NULL, 'its errors are those of the write');
DROP FUNCTION of_error(lines) CASCADE;
SELECT is(wrong(), NULL, 'and nothing has changed');

-- It runs under the settings recorded with the cache.
SET TimeZone = 'Asia/Tokyo';
CREATE FUNCTION of_zone(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS
  $$ SELECT extract(hour FROM '2020-01-01 00:00+00'::timestamptz)::int + 1 $$;
RESET TimeZone;
SELECT cache_watch('spent', 'lines', keys => 'of_zone(lines)');
SELECT gets('spent');
SET TimeZone = 'Asia/Tokyo';
UPDATE lines SET amount = amount + 1 WHERE id = 4;
SELECT is(current_setting('TimeZone'), 'Asia/Tokyo', 'the writer keeps his settings');
RESET TimeZone;
SELECT is(hits('spent', 'SELECT gets(''spent'')'), 4::bigint, 'keys 1 and 4');
DROP FUNCTION of_zone(lines) CASCADE;

-- What it must not depend on: then the whole cache goes.
CREATE TABLE unwatched (k int);
INSERT INTO unwatched VALUES (1);
CREATE FUNCTION of_unwatched(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT k FROM unwatched';
CREATE FUNCTION of_session(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT length(current_setting(''test.x'', true))';
CREATE FUNCTION of_clock(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT extract(hour FROM now())::int';
CREATE FUNCTION of_cache(l lines) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT cache_get_as(NULL::bigint, ''unwatched'', 1)::int';
CREATE FUNCTION of_unwatched_value(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(k) FROM unwatched';
SELECT cache_create('unwatched', 'of_unwatched_value(int)'), cache_watch('unwatched', 'unwatched');
SELECT cache_get_as(NULL::bigint, 'unwatched', 1), cache_get_as(NULL::bigint, 'unwatched', 1);
SELECT unnest(ARRAY[format('SELECT cache_watch(''spent'', ''lines'', keys => ''%s(lines)'')', f), 'SELECT gets(''spent'')',
  'UPDATE lines SET amount = amount + 1 WHERE id = 4',
  format('SELECT is(hits(''spent'', ''SELECT gets(''''spent'''')''), 0::bigint, %L)', f || ': all keys'), format('DROP FUNCTION %s(lines) CASCADE', f)])
FROM unnest('{of_unwatched,of_session,of_clock,of_cache}'::text[]) f
\gexec
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
SELECT cache_alter('spent', ttl => '1 hour');
UPDATE lines SET amount = amount + 1 WHERE id = 4;
SELECT is(wrong(), NULL, 'row level security');
ALTER TABLE orders DISABLE ROW LEVEL SECURITY;
SELECT cache_alter('spent', ttl => '0');

-- A child of the table whose rows the function takes; and of one that is its own
-- mapping.
CREATE TABLE more_lines (extra int, PRIMARY KEY (id)) INHERITS (lines);
SELECT cache_watch('spent', 'more_lines', keys => 'of_lines(lines)');
SELECT gets('spent');
INSERT INTO more_lines (id, order_id, amount) VALUES (1, 2, 5);
SELECT is(hits('spent', 'SELECT gets(''spent'')'), 5::bigint, 'a child''s row for the parent''s function');
SELECT is(wrong(), NULL, 'exact');
CREATE TABLE tree (id int PRIMARY KEY, parent int, v int);
INSERT INTO tree VALUES (1, NULL, 1), (2, 1, 1), (3, 2, 1), (4, NULL, 1), (5, 4, 1);
CREATE FUNCTION ancestors(t tree) RETURNS SETOF int LANGUAGE sql STABLE AS $$
  WITH RECURSIVE up AS (SELECT t.id, t.parent UNION SELECT p.id, p.parent FROM tree p JOIN up ON p.id = up.parent) SELECT id FROM up $$;
CREATE FUNCTION total(a int) RETURNS bigint LANGUAGE sql STABLE AS $$
  WITH RECURSIVE down AS (SELECT id, v FROM tree WHERE id = a UNION ALL SELECT c.id, c.v FROM tree c JOIN down ON c.parent = down.id) SELECT sum(v) FROM down $$;
SELECT cache_create('tree', 'total(int)'), cache_watch('tree', 'tree', keys => 'ancestors(tree)');
CREATE FUNCTION tree_gets() RETURNS bigint LANGUAGE sql AS 'SELECT count(cache_get(''tree'', i) IS NULL) FROM generate_series(1, 6) i';
SELECT tree_gets();
UPDATE tree SET v = 10 WHERE id = 3;
SELECT is(hits('tree', 'SELECT tree_gets()'), 3::bigint, 'a tree: the path to the root');
UPDATE tree SET parent = 5 WHERE id = 2;
SELECT same('tree', 'total', 'SELECT generate_series(1, 6)', 'a subtree moved');
SELECT is(hits('tree', 'SELECT tree_gets()'), 6::bigint, 'hot');
WITH w AS (UPDATE tree SET parent = 1 WHERE id = 2) INSERT INTO tree VALUES (6, 3, 7);
SELECT same('tree', 'total', 'SELECT generate_series(1, 6)', 'moved and grown in one statement');
SELECT * FROM finish();
DROP OWNED BY regress_cache_writer, regress_cache_owner CASCADE;
DROP ROLE regress_cache_writer, regress_cache_owner;
