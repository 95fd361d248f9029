-- What happens between two executions of one prepared write: whatever changes the
-- table, the watch or the cache, in this session, in another one or in a
-- subtransaction that is rolled back, the next write has to hit the right key.
-- The changes, the endings and the kinds of tables are data.
\ir ../exact.psql
SET client_min_messages = warning;
CREATE EXTENSION dblink;

CREATE TABLE changes (n serial, name text, ddl text);
INSERT INTO changes (name, ddl) VALUES
  ('nothing', 'SELECT 1'),
  ('another column gets the name', 'ALTER TABLE t DROP COLUMN k; ALTER TABLE t RENAME spare TO k'),
  ('a column in front is dropped', 'ALTER TABLE t DROP COLUMN pad'),
  ('the column is dropped and made again', 'ALTER TABLE t DROP COLUMN k; ALTER TABLE t ADD COLUMN k int; UPDATE t SET k = id'),
  ('another type', 'ALTER TABLE t ALTER COLUMN k TYPE bigint USING k + 8589934592'),
  ('the columns change names', 'ALTER TABLE t RENAME k TO other; ALTER TABLE t RENAME spare TO k; ALTER TABLE t RENAME other TO spare;
     CREATE OR REPLACE FUNCTION total(a bigint) RETURNS bigint LANGUAGE sql STABLE AS ''SELECT sum(v) FROM t WHERE spare = a'''),
  ('another table gets the name', 'ALTER TABLE t RENAME TO former; CREATE TABLE t (spare int, k int, id int PRIMARY KEY, v bigint);
     INSERT INTO t SELECT spare, k, id, v FROM former; SELECT cache_watch(''c'', ''t'', ''k'')'),
  ('another watch', 'SELECT cache_unwatch(''c'', ''t''), cache_watch(''c'', ''t'', ''spare'');
     CREATE OR REPLACE FUNCTION total(a bigint) RETURNS bigint LANGUAGE sql STABLE AS ''SELECT sum(v) FROM t WHERE spare = a'''),
  ('a watch of the whole cache', 'SELECT cache_unwatch(''c'', ''t''), cache_watch(''c'', ''t'')'),
  ('a second cache', 'SELECT cache_create(''d'', ''total(bigint)''), cache_watch(''d'', ''t'', ''k'')'),
  ('another cache of the same name', 'SELECT cache_drop(''c''); SELECT cache_create(''c'', ''total(bigint)''); SELECT cache_watch(''c'', ''t'', ''k'')'),
  ('another cache of the same name, the triggers made by hand', 'DO $d$ DECLARE made text;
     BEGIN
       SELECT string_agg(pg_get_triggerdef(oid) || format(''; ALTER TABLE t ENABLE ALWAYS TRIGGER %I'', tgname), ''; '') INTO made
       FROM pg_trigger WHERE tgrelid = ''t''::regclass;
       PERFORM cache_drop(''c'');
       EXECUTE made;
       UPDATE t SET v = v + 1;
       PERFORM cache_create(''c'', ''total(bigint)'');
     END $d$'),
  ('the triggers are renamed', 'DO $d$ DECLARE name text;
     BEGIN
       FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = ''t''::regclass LOOP
         EXECUTE format(''ALTER TRIGGER %I ON t RENAME TO %I'', name, ''x'' || name);
       END LOOP;
     END $d$'),
  ('another loader', 'CREATE FUNCTION total2(a bigint) RETURNS bigint LANGUAGE sql STABLE AS ''SELECT 2 * sum(v) FROM t WHERE k = a'';
     SELECT cache_alter(''c'', loader => ''total2(bigint)'')');

CREATE FUNCTION change(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE (SELECT c.ddl FROM changes c WHERE c.n = change.n);
END $$;

-- fresh makes everything anew.
CREATE FUNCTION fresh(kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM cache_drop(name) FROM cache_definition;
  DROP TABLE IF EXISTS t, former, aside CASCADE;
  DROP FUNCTION IF EXISTS total2;
  IF kind = 'partitioned' THEN
    CREATE TABLE t (id int PRIMARY KEY, pad int, k int, spare int, v bigint) PARTITION BY RANGE (id);
    CREATE TABLE t1 (v bigint, pad int, spare int, k int, id int NOT NULL);
    ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (1) TO (6);
    CREATE TABLE t2 PARTITION OF t DEFAULT;
  ELSE
    CREATE TABLE t (id int PRIMARY KEY, pad int, k int, spare int, v bigint);
  END IF;
  INSERT INTO t SELECT i, 0, i, 10 - i, 100 * i FROM generate_series(1, 9) i;
  CREATE OR REPLACE FUNCTION total(a bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM t WHERE k = a';
  CREATE TABLE aside (k int);
  PERFORM cache_create('c', 'total(bigint)'), cache_watch('c', CASE kind WHEN 'by hand' THEN 'aside' ELSE 't' END::regclass, 'k');
END $$;
-- by_hand makes the triggers as a restore does, in a session that knows the cache.
CREATE FUNCTION by_hand() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  CREATE TRIGGER "!row" AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION cache_trigger('c', 'k');
  CREATE TRIGGER "!truncate" BEFORE TRUNCATE ON t EXECUTE FUNCTION cache_trigger('c', 'k');
  ALTER TABLE t ENABLE ALWAYS TRIGGER "!row", ENABLE ALWAYS TRIGGER "!truncate";
END $$;

SELECT fresh('plain');
CREATE FUNCTION keys() RETURNS SETOF bigint LANGUAGE sql AS
  'SELECT generate_series(0, 10)::bigint UNION SELECT k FROM t ORDER BY 1';
CREATE FUNCTION load(a bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  loaded bigint;
BEGIN
  EXECUTE format('SELECT %s($1)', (SELECT loader_name FROM cache_definition WHERE name = 'c')) INTO loaded USING a;
  RETURN loaded;
END $$;
CREATE FUNCTION gets() RETURNS bigint LANGUAGE sql AS
  $$SELECT count(cache_get('c', k)) FROM (SELECT keys() AS k OFFSET 0) x$$;
CREATE FUNCTION wrong() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s is %s, not %s', k, got, want), '; ')
  FROM (SELECT k, cache_get('c', k) AS got, to_jsonb(load(k)) AS want FROM keys() k OFFSET 0) x
  WHERE got IS DISTINCT FROM want $$;
CREATE FUNCTION there(query text) RETURNS text LANGUAGE sql AS
  $$SELECT answer FROM dblink('other', query) AS d (answer text)$$;
SELECT dblink_connect('other', format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
                                      current_setting('port'), current_database(), current_user));

-- right asserts that all keys were hot in both sessions, and are right in both.
CREATE FUNCTION hot(label text) RETURNS text LANGUAGE sql AS $$
  SELECT gets(), there('SELECT gets()');
  SELECT is(hits('c', 'SELECT gets()'), (SELECT count(*) FROM keys()), label || ': all hot') $$;
CREATE FUNCTION right_now(label text) RETURNS text LANGUAGE sql AS $$
  SELECT is(concat_ws('; there: ', wrong(), there('SELECT wrong()')), '', label) $$;

-- @ stands for the change.
CREATE TABLE endings (n serial, name text, steps text[]);
INSERT INTO endings (name, steps) VALUES
  ('here', '{"EXECUTE bump(1)", "EXECUTE bump(2)", "SELECT change(@)"}'),
  ('elsewhere', '{"EXECUTE bump(1)", "EXECUTE bump(2)", "SELECT there(''SELECT change(@)'')"}'),
  ('in a transaction', '{"EXECUTE bump(1)", BEGIN, "SELECT change(@)", "EXECUTE bump(2)", COMMIT}'),
  ('in a subtransaction', '{"EXECUTE bump(1)", BEGIN, "SAVEPOINT s", "SELECT change(@)", "RELEASE s", "EXECUTE bump(2)", COMMIT}'),
  ('rolled back', '{"EXECUTE bump(1)", BEGIN, "SELECT change(@)", "EXECUTE bump(2)", ROLLBACK}'),
  ('rolled back to a savepoint', '{BEGIN, "SAVEPOINT s", "SELECT change(@)", "EXECUTE bump(1)", "ROLLBACK TO s", "EXECUTE bump(2)", COMMIT}'),
  ('rolled back to a savepoint behind a write', '{BEGIN, "EXECUTE bump(1)", "SAVEPOINT s", "SELECT change(@)", "EXECUTE bump(1)", "ROLLBACK TO s", "EXECUTE bump(2)", COMMIT}'),
  ('by an error', '{"EXECUTE bump(1)", "DO $d$ BEGIN PERFORM change(@); UPDATE t SET v = v + 1 WHERE id = 1; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN UPDATE t SET v = v + 1 WHERE id = 2; END $d$"}');
CREATE TABLE kinds (n serial, name text, steps text[]);
INSERT INTO kinds (name, steps) VALUES
  ('plain', '{}'), ('partitioned', '{}'), ('by hand', '{"SELECT gets(), there(''SELECT gets()'')", "SELECT by_hand()"}');
CREATE VIEW runs AS
  SELECT c.n * 1000 + e.n * 10 + k.n AS n, concat_ws(', ', c.name, e.name, k.name) AS label, k.name AS kind,
    k.steps || ARRAY(SELECT replace(step, '@', c.n::text) FROM unnest(e.steps) WITH ORDINALITY s (step, i) ORDER BY i) AS steps
  FROM changes c, endings e, kinds k;
PREPARE bump(int) AS UPDATE t SET v = v + 1 WHERE id = $1;

SELECT plan((SELECT count(*) * 3 FROM runs)::int + 2);
SELECT unnest(ARRAY[format('SELECT fresh(%L)', kind)] || steps
  || ARRAY[format('SELECT hot(%L)', label), 'EXECUTE bump(3)', 'EXECUTE bump(4)', format('SELECT right_now(%L)', label || ': the next write'),
           'SELECT there(''UPDATE t SET v = v + 1'')', format('SELECT right_now(%L)', label || ': a write elsewhere')])
FROM runs ORDER BY n
\gexec

-- Without the guard it goes wrong.
SELECT fresh('plain');
EXECUTE bump(1);
SET cache.removed_guard = 'kept';
SELECT change(n) FROM changes WHERE name = 'another column gets the name';
SELECT hot('guard kept');
EXECUTE bump(3);
SELECT isnt(wrong(), NULL, 'guard kept: a write has hit another key');
SELECT * FROM finish();
