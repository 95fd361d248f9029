-- Every kind of write, with every ending that a transaction can have, under the
-- oracle: with all keys hot before, in the writing transaction and in the triggers
-- that it fires, from another session meanwhile and afterwards, and under a
-- snapshot from before it. The kinds of writes and the endings are data.
\ir ../exact.psql
SET client_min_messages = warning;
CREATE EXTENSION dblink;
\pset fieldsep '\n'
CREATE TABLE t (k int PRIMARY KEY, v int, note text);
CREATE FUNCTION make_child() RETURNS void LANGUAGE sql AS
  'CREATE TABLE child (id serial PRIMARY KEY, k int DEFAULT 1 REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE, v int)';
SELECT make_child();
CREATE TABLE child_null (id serial PRIMARY KEY, k int REFERENCES t ON DELETE SET NULL ON UPDATE CASCADE, v int);
CREATE TABLE child_default (id serial PRIMARY KEY, k int DEFAULT 1 REFERENCES t ON DELETE SET DEFAULT ON UPDATE SET DEFAULT, v int);
CREATE TABLE p (k int, v int, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (5);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (5) TO (9) PARTITION BY LIST (k);
CREATE TABLE p2a (v int, k int NOT NULL);
ALTER TABLE p2 ATTACH PARTITION p2a FOR VALUES IN (5, 6);
CREATE TABLE p2b PARTITION OF p2 DEFAULT;
CREATE TABLE p3 PARTITION OF p DEFAULT;
CREATE TABLE loose (k int NOT NULL, v int);
CREATE TABLE g (base int, k int GENERATED ALWAYS AS (base + 1) STORED, v int);
CREATE TABLE apart (note text);
CREATE TABLE inh (k int, v int);
CREATE TABLE heir (extra int) INHERITS (inh);
CREATE TABLE loose_heir (v int, k int);
CREATE TABLE header (id int PRIMARY KEY, k int);
CREATE TABLE detail (header int, v int) PARTITION BY LIST (header);
CREATE TABLE detail1 PARTITION OF detail FOR VALUES IN (1, 2);
CREATE TABLE detail2 (v int, header int);
ALTER TABLE detail ATTACH PARTITION detail2 DEFAULT;
CREATE FUNCTION key_of(l detail) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT k FROM header WHERE id = l.header';

-- The loader reads all of them.
CREATE FUNCTION total(a int) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT concat_ws('/', (SELECT sum(v) FROM t WHERE k = a), (SELECT sum(v) FROM child WHERE k = a),
                   (SELECT sum(v) FROM child_null WHERE k = a), (SELECT sum(v) FROM child_null WHERE k IS NULL AND a = 0),
                   (SELECT sum(v) FROM child_default WHERE k = a),
                   (SELECT sum(v) FROM p WHERE k = a), (SELECT sum(v) FROM g WHERE k = a),
                   (SELECT sum(v) FROM inh WHERE k = a), (SELECT sum(v) FROM detail l JOIN header h ON h.id = l.header WHERE k = a), a) $$;
SELECT cache_create('c', 'total(int)');
SELECT cache_watch('c', r, 'k') FROM unnest('{t,child,p,g,inh,heir,header}'::regclass[]) r;
SELECT cache_watch('c', 'detail', keys => 'key_of(detail)');
-- This one has rows without a key, which concern the key 0: watch it as a whole.
SELECT cache_watch('c', 'child_null'), cache_watch('c', 'child_default', 'k');
-- A second cache, watched as a whole.
CREATE FUNCTION whole(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) * a FROM (SELECT v FROM t UNION ALL SELECT v FROM p) x';
SELECT cache_create('whole', 'whole(int)'), cache_watch('whole', 't'), cache_watch('whole', 'p');

-- Views, rules and triggers through which one can write.
CREATE VIEW updatable AS SELECT k, v FROM t WHERE k < 100;
CREATE VIEW ruled AS SELECT k, v FROM t;
CREATE RULE ruled_insert AS ON INSERT TO ruled DO INSTEAD INSERT INTO t VALUES (new.k, new.v);
CREATE RULE ruled_update AS ON UPDATE TO ruled DO INSTEAD UPDATE p SET v = new.v WHERE k = old.k;
CREATE RULE ruled_delete AS ON DELETE TO ruled DO INSTEAD (DELETE FROM t WHERE k = old.k; DELETE FROM p WHERE k = old.k);
CREATE RULE apart_also AS ON INSERT TO apart DO ALSO UPDATE t SET v = v + 1;
CREATE VIEW instead AS SELECT k, v FROM p;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE p SET v = new.v WHERE k = new.k;
  RETURN new;
END $$;
CREATE TRIGGER instead INSTEAD OF UPDATE ON instead FOR EACH ROW EXECUTE FUNCTION instead();
CREATE FUNCTION moves_key() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.k := 12; RETURN new; END';
CREATE TRIGGER moves_key BEFORE INSERT OR UPDATE ON t FOR EACH ROW WHEN (new.v = 4242) EXECUTE FUNCTION moves_key();
CREATE TRIGGER " first_moves_key" BEFORE INSERT OR UPDATE ON t FOR EACH ROW WHEN (new.v = 4243) EXECUTE FUNCTION moves_key();
CREATE TRIGGER "~~~last_moves_key" BEFORE INSERT OR UPDATE ON t FOR EACH ROW WHEN (new.v = 4244) EXECUTE FUNCTION moves_key();
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE p SET v = v + 7; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON g DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION later();
CREATE FUNCTION bump(a int) RETURNS int LANGUAGE sql AS 'UPDATE t SET v = v + 1 WHERE k = a; SELECT a';

-- Triggers that look at all keys while a statement is under way.
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong text;
BEGIN
  SELECT string_agg(format('%s is %s, not %s', a, got, want), '; ') INTO wrong
  FROM (SELECT a, cache_get('c', a) AS got, to_jsonb(total(a)) AS want FROM generate_series(0, 14) a
        UNION ALL SELECT -a, cache_get('whole', a), to_jsonb(whole(a)) FROM generate_series(1, 2) a OFFSET 0) x
  WHERE got IS DISTINCT FROM want;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION '% of % on %: %', tg_name, tg_op, tg_table_name, wrong;
  END IF;
  RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END;
END $$;
SELECT format('CREATE TRIGGER %I %s INSERT OR UPDATE OR DELETE ON %s FOR EACH %s EXECUTE FUNCTION look()',
              name, split_part(kind, ' ', 1), r, split_part(kind, ' ', 2))
FROM unnest('{t,child,p}'::regclass[]) r,
  (VALUES ('  first', 'BEFORE ROW'), ('~~last', 'BEFORE ROW'), ('  first_after', 'AFTER ROW'), ('~~last_after', 'AFTER ROW'),
          ('statement_before', 'BEFORE STATEMENT'), ('statement_after', 'AFTER STATEMENT')) v (name, kind)
\gexec

CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL session_replication_role = replica;
  TRUNCATE t, child, child_null, child_default, p, g, loose, inh, heir, loose_heir, header, detail;
  INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 8) i;
  INSERT INTO child (k, v) SELECT i % 5 + 1, i FROM generate_series(1, 6) i;
  INSERT INTO child_null (k, v) SELECT i + 5, i FROM generate_series(1, 3) i;
  INSERT INTO child_default (k, v) SELECT i + 5, i FROM generate_series(1, 3) i;
  INSERT INTO p SELECT i, i * 100 FROM generate_series(1, 9) i;
  INSERT INTO g (base, v) SELECT i, i * 3 FROM generate_series(1, 6) i;
  INSERT INTO loose SELECT i, i FROM generate_series(15, 17) i;
  INSERT INTO inh SELECT i, i * 5 FROM generate_series(1, 5) i;
  INSERT INTO heir SELECT i, i * 6 FROM generate_series(3, 7) i;
  INSERT INTO loose_heir (k, v) SELECT i, i * 7 FROM generate_series(6, 9) i;
  INSERT INTO header SELECT i, i % 3 + 4 FROM generate_series(1, 5) i;
  INSERT INTO detail SELECT i % 4 + 1, i * 8 FROM generate_series(1, 6) i;
  SET LOCAL session_replication_role = origin;
END $$;
CREATE FUNCTION enable_triggers(rel regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name name;
BEGIN
  FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = rel LOOP
    EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', rel, CASE WHEN name LIKE '!cache%' THEN 'ALWAYS' END, name);
  END LOOP;
END $$;
CREATE FUNCTION state() RETURNS text LANGUAGE sql STABLE AS
  'SELECT md5(string_agg(total(a) || whole(1), '','' ORDER BY a)) FROM generate_series(0, 17) a';
-- gets reads all keys of a cache.
CREATE FUNCTION gets(cache text, n int) RETURNS bigint LANGUAGE sql AS
  'SELECT count(cache_get(cache, a) IS NULL) FROM generate_series(0, n - 1) a';
-- all_hits reads all keys of both caches and gives how many were hits.
CREATE FUNCTION all_hits() RETURNS bigint LANGUAGE sql AS
  $$ SELECT hits(NULL, 'SELECT gets(''c'', 18), gets(''whole'', 3)') $$;
-- wrong lists what is not exact among all keys of both caches.
CREATE FUNCTION wrong() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s is %s, not %s', a, got, want), '; ')
  FROM (SELECT a, cache_get('c', a) AS got, to_jsonb(total(a)) AS want FROM generate_series(0, 17) a
        UNION ALL SELECT -a, cache_get('whole', a), to_jsonb(whole(a)) FROM generate_series(1, 2) a OFFSET 0) x
  WHERE got IS DISTINCT FROM want $$;
-- locked: does somebody keep readers away, the loader's as well as the cache's?
-- Only this test's sessions count: autovacuum takes such locks as well.
CREATE FUNCTION locked(mine boolean DEFAULT false) RETURNS boolean LANGUAGE sql AS $$
  SELECT EXISTS (SELECT FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
                 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
                   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND coalesce(a.backend_type, 'client backend') = 'client backend'
                   AND (mine OR l.pid IS DISTINCT FROM pg_backend_pid())) $$;
CREATE FUNCTION right_now(label text) RETURNS text LANGUAGE plpgsql AS
  'BEGIN RETURN CASE WHEN locked() THEN pass(label || '' (locked)'') ELSE is(wrong(), NULL, label) END; END';
-- right_there asks another session.
CREATE FUNCTION there(session text, query text) RETURNS text LANGUAGE sql AS
  'SELECT answer FROM dblink(session, query) AS d (answer text)';
CREATE FUNCTION right_there(session text, label text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF locked(mine => true) THEN
    RETURN pass(label || ' (locked)');
  END IF;
  RETURN is(there(session, 'SELECT wrong()'), NULL, label || ': in session ' || session);
END $$;
SELECT dblink_connect(name, format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
                                   current_setting('port'), current_database(), current_user))
FROM unnest('{other,old}'::text[]) name;

-- undo: what has to follow a commit, for the next write to find what it needs.
-- changes: whether it changes what the loaders give; if not, all keys stay hot.
CREATE TABLE writes (n serial, name text, statement text, undo text DEFAULT 'SELECT', changes boolean DEFAULT true);
INSERT INTO writes (name, statement) VALUES
  ('INSERT', 'INSERT INTO t VALUES (11, 110)'),
  ('INSERT of many rows', 'INSERT INTO t SELECT i, i FROM generate_series(11, 16) i'),
  ('INSERT into a child', 'INSERT INTO child (k, v) VALUES (3, 33)'),
  ('UPDATE', 'UPDATE t SET v = v + 1 WHERE k = 3'),
  ('UPDATE of all rows', 'UPDATE t SET v = v + k'),
  ('UPDATE of the key', 'UPDATE child SET k = 7 WHERE k = 2'),
  ('UPDATE that permutes keys', 'UPDATE child SET k = k % 5 + 1'),
  ('UPDATE FROM', 'UPDATE t SET v = p.v FROM p WHERE p.k = t.k AND t.k > 3'),
  ('a key changed by a BEFORE trigger', 'INSERT INTO t VALUES (11, 4242)'),
  ('by one whose name sorts first', 'INSERT INTO t VALUES (11, 4243)'),
  ('by one whose name sorts last', 'UPDATE t SET v = 4244 WHERE k = 8'),
  ('INSERT DEFAULT VALUES', 'INSERT INTO child DEFAULT VALUES; UPDATE child SET v = 5 WHERE v IS NULL'),
  ('more keys than are kept', 'INSERT INTO g (base, v) SELECT i, i FROM generate_series(0, 17000) i'),
  ('DELETE', 'DELETE FROM p WHERE k = 4'),
  ('DELETE of all rows', 'DELETE FROM p'),
  ('DELETE USING', 'DELETE FROM child USING t WHERE t.k = child.k AND t.v > 30'),
  ('MERGE', 'MERGE INTO t USING (VALUES (1, 5), (2, 6), (11, 7)) s (k, v) ON t.k = s.k
     WHEN MATCHED AND s.v = 5 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v)'),
  ('MERGE into a partitioned table', 'MERGE INTO p USING (VALUES (1, 5), (6, 6), (13, 7)) s (k, v) ON p.k = s.k
     WHEN MATCHED AND s.v = 5 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v)'),
  ('ON CONFLICT DO UPDATE', 'INSERT INTO t VALUES (2, 1), (12, 1) ON CONFLICT (k) DO UPDATE SET v = excluded.v - 1'),
  ('ON CONFLICT DO NOTHING', 'INSERT INTO t VALUES (2, 1), (13, 1) ON CONFLICT DO NOTHING'),
  ('COPY', 'COPY t (k, v) FROM PROGRAM ''printf "11,5\n12,6\n"'' CSV'),
  ('COPY into a partitioned table', 'COPY p FROM PROGRAM ''printf "0,5\n13,6\n"'' CSV'),
  ('COPY into a partition', 'COPY p3 FROM PROGRAM ''printf "14,6\n"'' CSV'),
  ('COPY FREEZE', 'TRUNCATE child; COPY child (k, v) FROM PROGRAM ''printf "1,5\n2,6\n"'' (FORMAT csv, FREEZE)'),
  ('TRUNCATE', 'TRUNCATE child'),
  ('TRUNCATE CASCADE', 'TRUNCATE t CASCADE'),
  ('TRUNCATE of several tables', 'TRUNCATE child, p, g'),
  ('ON DELETE CASCADE, SET NULL, SET DEFAULT', 'DELETE FROM t WHERE k > 2'),
  ('ON DELETE of one row', 'DELETE FROM t WHERE k = 6'),
  ('ON UPDATE CASCADE, SET DEFAULT', 'UPDATE t SET k = k + 10 WHERE k > 1'),
  ('INSERT into a partition', 'INSERT INTO p3 VALUES (13, 1)'),
  ('INSERT into a subpartition', 'DELETE FROM p2a; INSERT INTO p2a (k, v) VALUES (6, 1)'),
  ('UPDATE of a subpartition', 'UPDATE p2b SET v = -v'),
  ('UPDATE of a middle partition', 'UPDATE p2 SET v = -v'),
  ('DELETE from a partition', 'DELETE FROM p1 WHERE k = 1'),
  ('row movement', 'UPDATE p SET k = k + 12'),
  ('row movement by a partition''s parent', 'DELETE FROM p2a; UPDATE p2 SET k = 5 WHERE k = 7'),
  ('TRUNCATE of a partition', 'TRUNCATE p1'),
  ('TRUNCATE of a middle partition', 'TRUNCATE p2'),
  ('TRUNCATE of a subpartition', 'TRUNCATE p2a'),
  ('TRUNCATE of a partitioned table', 'TRUNCATE p'),
  ('INSERT into an inheritance child', 'INSERT INTO heir VALUES (4, 44)'),
  ('UPDATE of a parent and its children', 'UPDATE inh SET v = v + 1 WHERE k = 5'),
  ('UPDATE of the key in a child', 'UPDATE inh SET k = k + 1'),
  ('DELETE from a parent alone', 'DELETE FROM ONLY inh'),
  ('TRUNCATE of a parent and its children', 'TRUNCATE inh'),
  ('TRUNCATE of a child', 'TRUNCATE heir'),
  ('INSERT, keys by a function', 'INSERT INTO detail VALUES (1, 5), (3, 5)'),
  ('UPDATE, keys by a function', 'UPDATE detail SET v = v + 1 WHERE header = 2'),
  ('UPDATE of a column that the function reads', 'UPDATE detail SET header = header % 4 + 1'),
  ('DELETE, keys by a function', 'DELETE FROM detail WHERE header = 3'),
  ('what the function reads', 'UPDATE header SET k = 7 WHERE id = 1'),
  ('both in one statement', 'WITH w AS (UPDATE header SET k = k % 3 + 6) INSERT INTO detail VALUES (1, 5), (3, 5)'),
  ('one after the other', 'INSERT INTO header VALUES (9, 9); INSERT INTO detail VALUES (9, 1); UPDATE header SET k = 8 WHERE id = 9; UPDATE detail SET v = 2 WHERE header = 9;
     DELETE FROM header WHERE id = 9; DELETE FROM detail WHERE header = 9; INSERT INTO detail VALUES (2, 1)'),
  ('MERGE, keys by a function', 'MERGE INTO detail USING (VALUES (1, 5), (2, 6), (5, 7)) s (header, v) ON detail.header = s.header
     WHEN MATCHED AND s.v = 5 THEN DELETE WHEN MATCHED THEN UPDATE SET header = 3 WHEN NOT MATCHED THEN INSERT VALUES (s.header, s.v)'),
  ('COPY, keys by a function', 'COPY detail FROM PROGRAM ''printf "1,5\n3,6\n"'' CSV'),
  ('TRUNCATE, keys by a function', 'TRUNCATE detail2'),
  ('INSERT by a rule', 'INSERT INTO ruled VALUES (11, 1)'),
  ('UPDATE by a rule', 'UPDATE ruled SET v = 0 WHERE k < 3'),
  ('DELETE by a rule', 'DELETE FROM ruled WHERE k = 3'),
  ('an ALSO rule', 'INSERT INTO apart VALUES (''x'')'),
  ('an updatable view', 'UPDATE updatable SET v = v - 1'),
  ('INSERT into a view', 'INSERT INTO updatable VALUES (12, 12)'),
  ('an INSTEAD OF trigger', 'UPDATE instead SET v = v + 5 WHERE k IN (2, 6)'),
  ('a writable CTE', 'WITH w AS (UPDATE t SET v = v + 1 WHERE k < 4 RETURNING *) SELECT FROM w'),
  ('two writable CTEs and an INSERT', 'WITH d AS (DELETE FROM child WHERE k = 1 RETURNING v),
     i AS (INSERT INTO p SELECT 13, sum(v) FROM d RETURNING k) INSERT INTO t SELECT k, 5 FROM i'),
  ('a writable CTE that reads the cache', 'WITH w AS (UPDATE t SET v = v + 1 RETURNING k) SELECT count(cache_get(''c'', k)) FROM w'),
  ('RETURNING that reads the cache', 'UPDATE t SET v = v + 1 RETURNING cache_get(''c'', k), cache_get(''c'', k % 10 + 1)'),
  ('SET by the cache', 'UPDATE t SET v = length(cache_get_as(NULL::text, ''c'', k)) + length(cache_get_as(NULL::text, ''c'', k % 10 + 1))'),
  ('a function', 'SELECT bump(2)'),
  ('a function, in the order of a query', 'SELECT a, cache_get(''c'', a), bump(a), cache_get(''c'', a) FROM generate_series(1, 5) a'),
  ('a DO block', 'DO $d$ BEGIN FOR i IN 1 .. 5 LOOP UPDATE t SET v = v + i WHERE k = i; PERFORM cache_get(''c'', i), cache_get(''c'', i + 1); END LOOP; END $d$'),
  ('subtransactions', 'DO $d$ BEGIN FOR i IN 1 .. 6 LOOP BEGIN UPDATE t SET v = v + i WHERE k = i; PERFORM cache_get(''c'', i);
     IF i % 2 = 0 THEN RAISE EXCEPTION ''undo''; END IF; EXCEPTION WHEN raise_exception THEN PERFORM cache_get(''c'', i); END; END LOOP; END $d$'),
  ('WHERE CURRENT OF', 'DO $d$ DECLARE c CURSOR FOR SELECT * FROM t WHERE k < 4 FOR UPDATE; r record; BEGIN OPEN c; FETCH c INTO r; FETCH c INTO r;
     UPDATE t SET v = -1 WHERE CURRENT OF c; END $d$'),
  ('EXECUTE', 'PREPARE w (int) AS UPDATE t SET v = v + 1 WHERE k = $1; EXECUTE w (3); DEALLOCATE w'),
  ('EXPLAIN ANALYZE', 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) UPDATE t SET v = v + 1 WHERE k = 3'),
  ('a deferred trigger', 'UPDATE g SET v = v + 1 WHERE k = 2'),
  ('a generated column', 'UPDATE g SET base = base + 1'),
  ('session_replication_role = replica', 'SET LOCAL session_replication_role = replica; UPDATE t SET v = v + 1 WHERE k = 2');
INSERT INTO writes (name, statement, undo) VALUES
  ('DETACH PARTITION', 'ALTER TABLE p DETACH PARTITION p1', 'ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (5)'),
  ('DETACH and a write', 'ALTER TABLE p DETACH PARTITION p1; UPDATE p1 SET v = 0; UPDATE p SET v = v + 1',
     'ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (5)'),
  ('ATTACH of a table with rows', 'ALTER TABLE p DETACH PARTITION p3; ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (15) TO (18)',
     'ALTER TABLE p DETACH PARTITION loose; ALTER TABLE p ATTACH PARTITION p3 DEFAULT'),
  ('a partition attached and written', 'CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (50) TO (60); ALTER TABLE p DETACH PARTITION p4;
     INSERT INTO p4 VALUES (50, 1); ALTER TABLE p ATTACH PARTITION p4 FOR VALUES FROM (50) TO (60); UPDATE p SET k = k + 49 WHERE k = 5',
     'DROP TABLE p4'),
  ('DROP of a partition', 'DROP TABLE p2b', 'CREATE TABLE p2b PARTITION OF p2 DEFAULT'),
  ('INHERIT of a table with rows', 'ALTER TABLE loose_heir INHERIT inh', 'ALTER TABLE loose_heir NO INHERIT inh'),
  ('INHERIT and writes to it', 'ALTER TABLE loose_heir INHERIT inh; UPDATE loose_heir SET v = 0; UPDATE inh SET v = v + 1',
     'ALTER TABLE loose_heir NO INHERIT inh'),
  ('NO INHERIT', 'ALTER TABLE heir NO INHERIT inh', 'ALTER TABLE heir INHERIT inh'),
  ('ALTER TABLE DISABLE TRIGGER', 'ALTER TABLE p1 DISABLE TRIGGER ALL; UPDATE p SET v = v + 1', 'SELECT enable_triggers(''p1'')'),
  ('a rewrite of the table', 'ALTER TABLE child ALTER v TYPE int USING v * 2', 'SELECT'),
  ('a column dropped and added', 'ALTER TABLE g DROP v; ALTER TABLE g ADD v int DEFAULT 9', 'SELECT'),
  ('a generated column''s expression', 'ALTER TABLE g DROP k; ALTER TABLE g ADD k int GENERATED ALWAYS AS (base + 2) STORED',
     'SELECT cache_unwatch(''c'', ''g''); ALTER TABLE g DROP k; ALTER TABLE g ADD k int GENERATED ALWAYS AS (base + 1) STORED; SELECT cache_watch(''c'', ''g'', ''k'')'),
  ('DROP TABLE', 'DROP TABLE child; CREATE TABLE child (k int, v int)', 'DROP TABLE child; SELECT make_child(); SELECT cache_watch(''c'', ''child'', ''k'')'),
  ('a watch ended, a write, a watch', 'SELECT cache_unwatch(''c'', ''child''); UPDATE child SET v = v + 1; SELECT cache_watch(''c'', ''child'', ''k'')', 'SELECT');
INSERT INTO writes (name, statement, changes) VALUES
  ('SELECT FOR UPDATE', 'SELECT FROM t FOR UPDATE', false),
  ('SELECT FOR NO KEY UPDATE', 'SELECT FROM p FOR NO KEY UPDATE', false),
  ('SELECT FOR SHARE', 'SELECT FROM t FOR SHARE', false),
  ('SELECT FOR KEY SHARE', 'SELECT FROM child FOR KEY SHARE', false),
  ('ON CONFLICT DO UPDATE WHERE false', 'INSERT INTO p VALUES (2, 1) ON CONFLICT (k) DO UPDATE SET k = 3 WHERE false', false),
  ('UPDATE of no row', 'UPDATE t SET v = 0 WHERE k = 99', false),
  ('LOCK TABLE', 'LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE', false),
  ('CLUSTER', 'CLUSTER t USING t_pkey', false),
  ('CREATE INDEX', 'CREATE INDEX ON t (v)', false),
  ('a temporary table', 'DROP INDEX IF EXISTS t_v_idx', false);

-- How transactions end. @ stands for the write, ? for a look at all keys.
CREATE TABLE endings (n serial, name text, steps text[], lasting boolean);
INSERT INTO endings (name, steps, lasting) VALUES
  ('rolled back', '{BEGIN, SAVEPOINT s, @, RELEASE s, ?, ROLLBACK}', false),
  ('rolled back to a savepoint and done again', '{BEGIN, SAVEPOINT s, @, ?, ROLLBACK TO s, ?, @, COMMIT}', true),
  ('after a released savepoint', '{BEGIN, SAVEPOINT s, @, RELEASE s, ?, COMMIT}', true),
  ('rolled back when prepared', '{BEGIN, @, PREPARE TRANSACTION ''w'', ?, ROLLBACK PREPARED ''w''}', false),
  ('committed when prepared', '{BEGIN, @, PREPARE TRANSACTION ''w'', ?, COMMIT PREPARED ''w''}', true),
  ('committed', '{BEGIN, @, ?, COMMIT}', true);

-- One row for each write and ending: the steps and the looks at all keys.
CREATE VIEW runs AS
  SELECT w.n * 100 + e.n AS n, w.name || ', ' || e.name AS label, w.statement, e.steps, w.changes AND e.lasting AS changes, w.changes AS invalidates,
    CASE WHEN e.lasting THEN w.undo ELSE 'SELECT' END AS undo
  FROM writes w, endings e;
CREATE FUNCTION looks(label text) RETURNS text LANGUAGE sql AS $$
  SELECT format('SELECT right_now(%1$L), right_there(''other'', %1$L)', label) $$;
SELECT plan((SELECT sum(4 + 2 * (1 + cardinality(array_positions(steps, '?'))))::int FROM runs) + 29);
SELECT unnest(ARRAY[
    'SELECT fill()', 'SELECT gets(''c'', 18), gets(''whole'', 3)', format('SELECT is(all_hits(), 21::bigint, %L)', label || ': all hot before'),
    'SELECT set_config(''test.before'', state(), false) IS NULL',
    'SELECT dblink_exec(''old'', ''BEGIN ISOLATION LEVEL REPEATABLE READ''), there(''old'', ''SELECT 1'')']
  || ARRAY(SELECT CASE step WHEN '@' THEN statement WHEN '?' THEN looks(label || format(': step %s', i)) ELSE step END
           FROM unnest(steps) WITH ORDINALITY s (step, i) ORDER BY i)
  || ARRAY[
    looks(label || ': afterwards'),
    format('SELECT right_there(''old'', %L), dblink_exec(''old'', ''COMMIT'')', label || ': before it'),
    format('SELECT %s(state(), current_setting(''test.before''), %L)', CASE WHEN changes THEN 'isnt' ELSE 'is' END,
           label || CASE WHEN changes THEN ': it has changed something' ELSE ': nothing has changed' END),
    CASE WHEN invalidates THEN format('SELECT pass(%L)', label) ELSE format('SELECT is(all_hits(), 21::bigint, %L)', label || ': all hot still') END,
    undo])
FROM runs ORDER BY n
\gexec

-- What ends transactions itself, or cannot be in one.
CREATE PROCEDURE commits(n int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    UPDATE t SET v = v + i WHERE k = i;
    PERFORM cache_get('c', i), cache_get('c', i + 1);
    IF i % 3 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
    PERFORM gets('c', 18);
  END LOOP;
END $$;
SELECT unnest(ARRAY['SELECT gets(''c'', 18), gets(''whole'', 3)', statement, looks('by itself: ' || statement)])
FROM unnest(ARRAY[
  'SELECT fill()', 'UPDATE t SET v = v + 1', 'CALL commits(7)', 'DROP TABLE p3', 'ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY', 'UPDATE p1 SET v = 0',
  'ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (5)', 'CREATE TABLE p3 PARTITION OF p DEFAULT',
  'VACUUM FULL t', 'TRUNCATE p2a']) WITH ORDINALITY s (statement, n) ORDER BY n
\gexec
SELECT fill();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT gets('c', 18);
UPDATE t SET v = v + 1;
SELECT right_now('repeatable read');
COMMIT;
SELECT right_now('repeatable read, committed');

-- Without its guard, each of these goes wrong.
SELECT fill();
SELECT gets('c', 18), gets('whole', 3);
SET cache.removed_guard = 'own';
BEGIN;
UPDATE g SET v = v + 1000 WHERE k = 5;
SELECT isnt(cache_get('c', 5), to_jsonb(total(5)), 'guard own: a stale value in the writing transaction');
ROLLBACK;
SELECT gets('c', 18), gets('whole', 3);
SET cache.removed_guard = 'statement';
SELECT throws_like('UPDATE t SET v = v + 1000', '% of UPDATE on t%', 'guard statement: a stale value in a trigger');
SELECT gets('c', 18), gets('whole', 3);
SET cache.removed_guard = 'remove';
UPDATE g SET v = v + 1000 WHERE k = 5;
SELECT isnt(cache_get('c', 5), to_jsonb(total(5)), 'guard remove: a stale value after the commit');
SET cache.removed_guard = '';
SELECT cache_invalidate('c');
SELECT right_now('with all guards');

-- A child table is not watched with its parent: what reads it is not stored.
CREATE TABLE parent (k int, v int);
INSERT INTO parent VALUES (1, 10);
CREATE FUNCTION of_parent(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM parent WHERE k = a';
SELECT cache_create('parent', 'of_parent(int)'), cache_watch('parent', 'parent', 'k');
SELECT cache_get('parent', 1);
CREATE TABLE late_heir () INHERITS (parent);
INSERT INTO late_heir VALUES (1, 5);
SELECT is(cache_get('parent', 1), '15', 'an inheritance child');
SELECT is(hits('parent', 'SELECT cache_get(''parent'', 1)'), 0::bigint, 'is not stored while it is not watched');
SELECT cache_watch('parent', 'late_heir', 'k');
SELECT exact('parent', '1', 'of_parent', 'watched as well');
SELECT * FROM finish();
