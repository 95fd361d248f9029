-- Every kind of write, under the oracle: in the writing transaction and in the
-- triggers that it fires, rolled back to a savepoint, and committed.
\ir exact.psql
SET client_min_messages = warning;
CREATE TABLE t (k int PRIMARY KEY, v int, note text);
CREATE TABLE child (id serial PRIMARY KEY, k int DEFAULT 1 REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE, v int);
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

-- The loader reads all of them.
CREATE FUNCTION total(a int) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT concat_ws('/', (SELECT sum(v) FROM t WHERE k = a), (SELECT sum(v) FROM child WHERE k = a),
                   (SELECT sum(v) FROM child_null WHERE k = a), (SELECT sum(v) FROM child_null WHERE k IS NULL AND a = 0),
                   (SELECT sum(v) FROM child_default WHERE k = a),
                   (SELECT sum(v) FROM p WHERE k = a), (SELECT sum(v) FROM g WHERE k = a), a) $$;
SELECT cache_create('c', 'total(int)');
SELECT cache_watch('c', r, 'k') FROM unnest('{t,child,p,g}'::regclass[]) r;
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
  TRUNCATE t, child, child_null, child_default, p, g, apart, loose;
  INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 10) i;
  INSERT INTO child (k, v) SELECT i % 5 + 1, i FROM generate_series(1, 10) i;
  INSERT INTO child_null (k, v) SELECT i + 5, i FROM generate_series(1, 3) i;
  INSERT INTO child_default (k, v) SELECT i + 7, i FROM generate_series(1, 3) i;
  INSERT INTO p SELECT i, i * 100 FROM generate_series(1, 12) i;
  INSERT INTO g (base, v) SELECT i, i * 3 FROM generate_series(1, 10) i;
  INSERT INTO loose SELECT i, i FROM generate_series(20, 22) i;
  SET LOCAL session_replication_role = origin;
END $$;
CREATE FUNCTION state() RETURNS text LANGUAGE sql STABLE AS
  'SELECT md5(string_agg(total(a) || whole(1), '','' ORDER BY a)) FROM generate_series(0, 25) a';
CREATE TABLE before (state text);
-- gets reads all keys of both caches.
CREATE FUNCTION gets(cache text, n int) RETURNS bigint LANGUAGE sql AS
  'SELECT count(cache_get(cache, a) IS NULL) FROM generate_series(0, n - 1) a';
-- right asserts the oracle for all keys of both caches.
CREATE FUNCTION right_now(label text) RETURNS text LANGUAGE sql AS $$
  SELECT is((SELECT string_agg(format('%s is %s, not %s', a, got, want), '; ')
             FROM (SELECT a, cache_get('c', a) AS got, to_jsonb(total(a)) AS want FROM generate_series(0, 25) a
                   UNION ALL SELECT -a, cache_get('whole', a), to_jsonb(whole(a)) FROM generate_series(1, 2) a OFFSET 0) x
             WHERE got IS DISTINCT FROM want), NULL, label) $$;

CREATE TABLE writes (n serial, name text, statement text);
INSERT INTO writes (name, statement) VALUES
  ('INSERT', 'INSERT INTO t VALUES (11, 110)'),
  ('INSERT of many rows', 'INSERT INTO t SELECT i, i FROM generate_series(11, 20) i'),
  ('INSERT into a child', 'INSERT INTO child (k, v) VALUES (3, 33)'),
  ('UPDATE', 'UPDATE t SET v = v + 1 WHERE k = 3'),
  ('UPDATE of all rows', 'UPDATE t SET v = v + k'),
  ('UPDATE of the key', 'UPDATE child SET k = 7 WHERE k = 2'),
  ('UPDATE that permutes keys', 'UPDATE child SET k = k % 5 + 1'),
  ('UPDATE FROM', 'UPDATE t SET v = p.v FROM p WHERE p.k = t.k AND t.k > 3'),
  ('UPDATE of a key by a BEFORE trigger', 'INSERT INTO t VALUES (11, 4242)'),
  ('DELETE', 'DELETE FROM p WHERE k = 4'),
  ('DELETE of all rows', 'DELETE FROM p'),
  ('DELETE USING', 'DELETE FROM child USING t WHERE t.k = child.k AND t.v > 30'),
  ('MERGE', 'MERGE INTO t USING (VALUES (1, 5), (2, 6), (11, 7)) s (k, v) ON t.k = s.k
     WHEN MATCHED AND s.v = 5 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v)'),
  ('MERGE into a partitioned table', 'MERGE INTO p USING (VALUES (1, 5), (6, 6), (13, 7)) s (k, v) ON p.k = s.k
     WHEN MATCHED AND s.v = 5 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v)'),
  ('ON CONFLICT DO UPDATE', 'INSERT INTO t VALUES (2, 1), (12, 1) ON CONFLICT (k) DO UPDATE SET v = excluded.v - 1'),
  ('ON CONFLICT DO UPDATE WHERE false', 'INSERT INTO p VALUES (2, 1) ON CONFLICT (k) DO UPDATE SET k = 3 WHERE false'),
  ('ON CONFLICT DO NOTHING', 'INSERT INTO t VALUES (2, 1), (13, 1) ON CONFLICT DO NOTHING'),
  ('COPY', 'COPY t (k, v) FROM PROGRAM ''printf "11,5\n12,6\n"'' CSV'),
  ('COPY into a partitioned table', 'COPY p FROM PROGRAM ''printf "0,5\n13,6\n"'' CSV'),
  ('COPY into a partition', 'COPY p3 FROM PROGRAM ''printf "14,6\n"'' CSV'),
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
  ('DETACH PARTITION', 'ALTER TABLE p DETACH PARTITION p1'),
  ('ATTACH PARTITION', 'ALTER TABLE p DETACH PARTITION p3; ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (20) TO (30)'),
  ('a partition attached and written', 'CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (50) TO (60); ALTER TABLE p DETACH PARTITION p4;
     INSERT INTO p4 VALUES (50, 1); ALTER TABLE p ATTACH PARTITION p4 FOR VALUES FROM (50) TO (60); UPDATE p SET k = k + 49 WHERE k = 5'),
  ('DROP of a partition', 'DROP TABLE p2b'),
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
  ('session_replication_role = replica', 'SET LOCAL session_replication_role = replica; UPDATE t SET v = v + 1 WHERE k = 2'),
  ('a rewrite of the table', 'ALTER TABLE child ALTER v TYPE int USING v * 2'),
  ('a column dropped and added', 'ALTER TABLE g DROP v; ALTER TABLE g ADD v int DEFAULT 9'),
  ('DROP TABLE', 'DROP TABLE child; CREATE TABLE child (k int, v int)');

SELECT plan((SELECT count(*) FROM writes)::int * 9 + 13);
SELECT unnest(ARRAY[
  'SELECT fill()',
  'SELECT gets(''c'', 26), gets(''whole'', 3)',
  format('SELECT is(hits(''c'', ''SELECT gets(''''c'''', 26)'') + hits(''whole'', ''SELECT gets(''''whole'''', 3)''), 29::bigint, %L)', name || ': all hot before'),
  'TRUNCATE before',
  'INSERT INTO before VALUES (state())',
  'BEGIN', 'SAVEPOINT s', statement,
  format('SELECT right_now(%L)', name || ': in a savepoint'),
  'ROLLBACK TO s',
  format('SELECT right_now(%L)', name || ': rolled back to the savepoint'),
  'COMMIT',
  format('SELECT right_now(%L)', name || ': after the rollback'),
  format('SELECT is(state(), (SELECT state FROM before), %L)', name || ': nothing has changed'),
  'SELECT gets(''c'', 26), gets(''whole'', 3)',
  'BEGIN', statement,
  format('SELECT right_now(%L)', name || ': before commit'),
  CASE WHEN name ~ 'DETACH|ATTACH|attached|DROP|column' THEN 'ROLLBACK' ELSE 'COMMIT' END,
  format('SELECT right_now(%L)', name || ': after commit'),
  format('SELECT right_now(%L)', name || ': and again'),
  CASE WHEN name ~ 'DETACH|ATTACH|attached|DROP|column|false$' THEN format('SELECT pass(%L)', name)
       ELSE format('SELECT isnt(state(), (SELECT state FROM before), %L)', name || ': it has changed something') END])
FROM writes ORDER BY n
\gexec

-- The same in one implicit transaction each, and prepared ones.
SELECT fill();
SELECT gets('c', 26);
UPDATE t SET v = v + 1; 
SELECT right_now('autocommit');
BEGIN;
UPDATE t SET v = v + 1;
UPDATE p SET v = v + 1 WHERE k = 2;
PREPARE TRANSACTION 'write';
SELECT right_now('prepared');
SELECT gets('c', 26);
COMMIT PREPARED 'write';
SELECT right_now('commit prepared');
BEGIN;
DELETE FROM child;
PREPARE TRANSACTION 'write';
SELECT gets('c', 26);
ROLLBACK PREPARED 'write';
SELECT right_now('rollback prepared');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT gets('c', 26);
UPDATE t SET v = v + 1;
SELECT right_now('repeatable read');
COMMIT;
SELECT right_now('repeatable read, committed');

-- Without its guard, each of these goes wrong.
SELECT fill();
SELECT gets('c', 26), gets('whole', 3);
SET cache.removed_guard = 'own';
BEGIN;
UPDATE g SET v = v + 1000 WHERE k = 5;
SELECT isnt(cache_get('c', 5), to_jsonb(total(5)), 'guard own: a stale value in the writing transaction');
ROLLBACK;
SELECT gets('c', 26), gets('whole', 3);
SET cache.removed_guard = 'statement';
SELECT throws_like('UPDATE t SET v = v + 1000', '% of UPDATE on t%', 'guard statement: a stale value in a trigger');
SELECT gets('c', 26), gets('whole', 3);
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
CREATE TABLE heir () INHERITS (parent);
INSERT INTO heir VALUES (1, 5);
SELECT is(cache_get('parent', 1), '15', 'an inheritance child');
SELECT is(hits('parent', 'SELECT cache_get(''parent'', 1)'), 0::bigint, 'is not stored while it is not watched');
SELECT cache_watch('parent', 'heir', 'k');
SELECT exact('parent', '1', 'of_parent', 'watched as well');
SELECT * FROM finish();
