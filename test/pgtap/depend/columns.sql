-- Updates that change no column that loads read leave what is cached; all others
-- do not. Each way in which a query can read a column is a trap of its own.
\ir ../exact.psql
SET client_min_messages = error;
SELECT * FROM no_plan();
CREATE TABLE usr (id int PRIMARY KEY, name text, seen int, note text, base int,
  twice int GENERATED ALWAYS AS (base * 2) STORED);
CREATE TABLE extra (pad int, id int PRIMARY KEY, v int, seen int, name text);
CREATE INDEX ON usr (id) WHERE note IS NOT NULL;
CREATE VIEW names AS SELECT id, name, note FROM usr;
CREATE VIEW wide_names AS SELECT n.*, e.v FROM names n JOIN extra e USING (id);
CREATE FUNCTION label(usr) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.name';
CREATE FUNCTION v_of(i int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT v FROM extra WHERE id = i); END';
CREATE FUNCTION rows_of(i int) RETURNS SETOF usr LANGUAGE sql STABLE AS 'SELECT * FROM usr WHERE id = i';
CREATE FUNCTION names_of(i int) RETURNS TABLE (n text) LANGUAGE sql STABLE AS 'SELECT name FROM usr WHERE id = i';
CREATE FUNCTION new_style(i int) RETURNS text LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT name FROM usr WHERE id = i; END;

-- Children with their columns in another order
CREATE TABLE part (id int, v int, seen int, extra int) PARTITION BY LIST (id);
CREATE TABLE part_1 (dropped int, seen int, extra int, v int, id int);
ALTER TABLE part_1 DROP COLUMN dropped;
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN (1);
CREATE TABLE part_2 (extra int, seen int, id int, v int) PARTITION BY LIST (id);
CREATE TABLE part_2_2 (v int, id int, seen int, extra int);
ALTER TABLE part_2 ATTACH PARTITION part_2_2 FOR VALUES IN (2);
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2);
CREATE TABLE parent (id int, v int, seen int);
CREATE TABLE child (seen int, own int, v int, id int);
ALTER TABLE child INHERIT parent;
CREATE TABLE key_table (k int PRIMARY KEY);
CREATE TABLE fk (id int PRIMARY KEY, k int REFERENCES key_table ON UPDATE CASCADE, seen int);
SELECT format('CREATE TABLE wide (id int PRIMARY KEY, %s)', string_agg(format('c%s int DEFAULT 0', i), ', '))
FROM generate_series(2, 80) i \gexec
CREATE TABLE long (id int PRIMARY KEY, body text, seen int);
ALTER TABLE long ALTER body SET STORAGE EXTERNAL;

CREATE PROCEDURE fill() LANGUAGE sql AS $$
  TRUNCATE usr, extra, part, parent, child, key_table, fk, wide, long;
  INSERT INTO usr SELECT i, 'n' || i, 0, 'o' || i, i FROM generate_series(1, 3) i;
  INSERT INTO extra SELECT 0, i, i, 0, 'n' || i FROM generate_series(1, 3) i;
  INSERT INTO part VALUES (1, 1, 1, 1), (2, 2, 2, 2);
  INSERT INTO parent VALUES (1, 1, 1);
  INSERT INTO child (id, v, seen, own) VALUES (1, 1, 1, 1);
  INSERT INTO key_table VALUES (1), (2);
  INSERT INTO fk VALUES (1, 1, 0);
  INSERT INTO wide (id) VALUES (1);
  INSERT INTO long VALUES (1, repeat('x', 10000), 0);
$$;

-- What the loader is, its tables, and updates: what they do to the entry of key 1
CREATE TABLE traps (n serial, label text, body text, tables text[], kept text[], lost text[], def text DEFAULT 'text LANGUAGE sql', options text DEFAULT '');
INSERT INTO traps (label, body, tables, kept, lost) VALUES
('a column', 'SELECT name FROM usr WHERE id = $1', '{usr}',
 ARRAY['UPDATE usr SET seen = seen + 1', 'UPDATE usr SET name = name', 'UPDATE usr SET note = NULL, base = 7 WHERE id = 1',
       'INSERT INTO usr (id, name) SELECT id, name FROM usr ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen = usr.seen + 1',
       'MERGE INTO usr USING extra e ON e.id = usr.id WHEN MATCHED THEN UPDATE SET seen = -1, name = usr.name',
       'UPDATE usr SET name = ''m'' WHERE id = 2'],
 ARRAY['UPDATE usr SET name = name || ''!''', 'DELETE FROM usr WHERE id = 1', 'INSERT INTO usr VALUES (1, ''n1'', 0, ''o1'', 1)',
       'UPDATE usr SET id = -id WHERE id = 1', 'UPDATE usr SET id = -id WHERE id = -1',
       'INSERT INTO usr (id, name) VALUES (1, ''up'') ON CONFLICT (id) DO UPDATE SET name = excluded.name']),
('a condition', 'SELECT name FROM usr WHERE id = $1 AND note IS NOT NULL', '{usr}',
 '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET note = NULL,UPDATE usr SET note = 1}'),
('a condition alone', 'SELECT 1 FROM usr WHERE id = $1 AND seen > 0', '{usr}',
 '{UPDATE usr SET name = name || 1}', '{UPDATE usr SET seen = 5,UPDATE usr SET seen = 0}'),
('count(*)', 'SELECT count(*) FROM usr WHERE id = $1', '{usr}', '{UPDATE usr SET name = name || 1}', '{DELETE FROM usr WHERE id = 1,"INSERT INTO usr VALUES (1)"}'),
('a whole row', 'SELECT to_json(u) FROM usr u WHERE id = $1', '{usr}', '{UPDATE usr SET name = name}', '{UPDATE usr SET seen = seen + 1,UPDATE usr SET base = 9}'),
('a row''s function', 'SELECT label(u) FROM usr u WHERE id = $1', '{usr}', '{UPDATE usr SET seen = seen}', '{UPDATE usr SET name = 3}'),
('a row''s field', 'SELECT (u).name FROM usr u WHERE id = $1', '{usr}', '{}', '{UPDATE usr SET name = 4}'),
('a row by way of a subquery', 'SELECT (s.u).name || (s.u).seen FROM (SELECT u FROM usr u OFFSET 0) s WHERE (s.u).id = $1', '{usr}', '{}', '{UPDATE usr SET seen = seen + 1}'),
('a subquery''s row', 'SELECT s FROM (SELECT id, name FROM usr OFFSET 0) s WHERE s.id = $1', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 5}'),
('all columns', 'SELECT concat(x.*) FROM (SELECT * FROM usr) x WHERE id = $1', '{usr}', '{}', '{UPDATE usr SET seen = seen + 1,UPDATE usr SET base = 10}'),
('a row of a join', 'SELECT j FROM (usr JOIN extra USING (id)) j WHERE j.id = $1', '{usr,extra}', '{}', '{UPDATE usr SET seen = seen + 1,UPDATE extra SET pad = pad + 1}'),
('JOIN USING', 'SELECT v FROM usr JOIN extra USING (id, name) WHERE id = $1', '{usr,extra}',
 '{UPDATE usr SET seen = seen + 1,UPDATE extra SET pad = pad + 1}', '{UPDATE extra SET v = v + 1,UPDATE usr SET name = 2,UPDATE extra SET name = 2}'),
('NATURAL JOIN', 'SELECT v FROM (SELECT id, seen FROM usr) u NATURAL JOIN extra e WHERE id = $1', '{usr,extra}',
 '{UPDATE usr SET name = 1,UPDATE extra SET pad = 2,UPDATE extra SET name = 3}', '{UPDATE usr SET seen = 3,UPDATE extra SET seen = 3}'),
('a join that is removed', 'SELECT u.name FROM usr u LEFT JOIN extra e ON e.id = u.id AND e.v > 0 WHERE u.id = $1', '{usr,extra}',
 '{UPDATE usr SET seen = seen + 1,UPDATE extra SET pad = pad + 1}', '{UPDATE usr SET name = 7}'),
('a self join', 'SELECT a.name FROM usr a JOIN usr b ON a.id = b.id WHERE b.note IS NOT NULL AND a.id = $1', '{usr}',
 '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET note = 2,UPDATE usr SET name = 8}'),
('views', 'SELECT name || v FROM wide_names WHERE id = $1', '{usr,extra}',
 '{UPDATE usr SET seen = seen + 1,UPDATE extra SET pad = pad + 1}', '{UPDATE usr SET name = 9,UPDATE extra SET v = v + 1}'),
('a view''s row', 'SELECT n FROM names n WHERE id = $1', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET note = note || 1,UPDATE usr SET name = 10}'),
('sublinks', 'SELECT name FROM usr u WHERE id = $1 AND EXISTS (SELECT FROM extra e WHERE e.id = u.id AND v > 0) AND seen NOT IN (SELECT pad FROM extra WHERE name = ''none'')', '{usr,extra}',
 '{UPDATE usr SET base = 3,UPDATE extra SET seen = seen + 1}', '{UPDATE extra SET v = -v,UPDATE extra SET v = -v,UPDATE usr SET name = 11,UPDATE extra SET pad = pad + 1}'),
('a CTE', 'WITH c AS MATERIALIZED (SELECT id, name, note FROM usr) SELECT name FROM c WHERE id = $1', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 12}'),
('an order', 'SELECT string_agg(name, '','' ORDER BY note) FROM usr WHERE id = $1 OR id > 0 GROUP BY $1', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET note = -id}'),
('a group', 'SELECT name || count(*) FROM usr WHERE id = $1 GROUP BY id', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 13}'),
('a window', 'SELECT rank() OVER (ORDER BY note) FROM usr WHERE id = $1', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET note = 13}'),
('a generated column', 'SELECT twice FROM usr WHERE id = $1', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET base = base + 1}'),
('UNION ALL', 'SELECT name FROM usr WHERE id = $1 UNION ALL SELECT name FROM extra WHERE id = $1 ORDER BY 1 LIMIT 1', '{usr,extra}',
 '{UPDATE usr SET seen = seen + 1,UPDATE extra SET seen = seen + 1}', '{UPDATE extra SET name = 0,UPDATE usr SET name = 0}'),
('min and max', 'SELECT max(seen) - min(base) FROM usr WHERE id = $1', '{usr}', '{UPDATE usr SET name = 14}', '{UPDATE usr SET seen = seen + 1,UPDATE usr SET base = 8}'),
('functions that read', 'SELECT name || v_of(id) FROM usr WHERE id = $1', '{usr,extra}', '{UPDATE extra SET pad = 9,UPDATE usr SET seen = seen + 1}', '{UPDATE extra SET v = v + 1}'),
('rows of a function', 'SELECT name FROM rows_of($1)', '{usr}', '{UPDATE usr SET name = name}', '{UPDATE usr SET name = 15}'),
('rows of an inlined function', 'SELECT n FROM names_of($1)', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 16}'),
('a function of the new style', 'SELECT new_style($1)', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 17}'),
('a partition', 'SELECT v FROM part WHERE id = $1', '{part}', '{UPDATE part SET seen = seen + 1 WHERE id = 1,UPDATE part_1 SET extra = extra + 1}', '{UPDATE part SET v = v + 1,UPDATE part_1 SET v = v + 1}'),
('partitions', 'SELECT sum(v) FROM part WHERE id = $1 OR id > $1', '{part}', '{UPDATE part SET seen = seen + 1 WHERE id = 1}', '{UPDATE part SET v = v + 1}'),
('a row of a partition', 'SELECT p FROM part p WHERE id = $1', '{part}', '{UPDATE part SET seen = seen WHERE id = 1}', '{UPDATE part SET seen = seen + 1}'),
('a child', 'SELECT sum(v) FROM parent WHERE id = $1', '{parent,child}', '{UPDATE ONLY parent SET seen = seen + 1,UPDATE child SET own = own + 1}', '{UPDATE parent SET v = v + 1,UPDATE child SET v = v + 1}'),
('a foreign key', 'SELECT k FROM fk WHERE id = $1', '{fk}', '{UPDATE fk SET seen = seen + 1}', '{UPDATE key_table SET k = k + 10 WHERE k = 1}'),
('the 70th column', 'SELECT c70 FROM wide WHERE id = $1', '{wide}', '{UPDATE wide SET c62 = c62 + 1,UPDATE wide SET c2 = 3}', '{UPDATE wide SET c70 = c70 + 1,UPDATE wide SET c71 = c71 + 1}'),
('the 62nd column', 'SELECT c62 FROM wide WHERE id = $1', '{wide}', '{UPDATE wide SET c63 = c63 + 1,UPDATE wide SET c80 = 3}', '{UPDATE wide SET c62 = c62 + 1}'),
('the 63rd column', 'SELECT c63 FROM wide WHERE id = $1', '{wide}', '{UPDATE wide SET c62 = c62 + 1}', '{UPDATE wide SET c63 = c63 + 1}'),
('values out of line', 'SELECT md5(body) FROM long WHERE id = $1', '{long}', '{UPDATE long SET seen = seen + 1,UPDATE long SET body = repeat(left(body\, 1)\, 10000)}', '{UPDATE long SET body = repeat(''y''\, 10000)}');
INSERT INTO traps (label, body, tables, kept, lost, def, options) VALUES
('PL/pgSQL', 'DECLARE n text; BEGIN SELECT name INTO n FROM usr WHERE id = $1; IF n = ''note'' THEN RETURN (SELECT note FROM usr WHERE id = $1); END IF; RETURN n; END', '{usr}',
 '{UPDATE usr SET note = note || 1}', '{UPDATE usr SET name = ''note'',UPDATE usr SET note = note || 2,UPDATE usr SET name = 19}', 'text LANGUAGE plpgsql', ''),
('a statement that is made up', 'DECLARE n text; BEGIN EXECUTE format(''SELECT %I FROM usr WHERE id = $1'', ''name'') INTO n USING $1; RETURN n; END', '{usr}',
 '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 20}', 'text LANGUAGE plpgsql', ''),
('a cursor', 'DECLARE r record; BEGIN FOR r IN SELECT name FROM usr WHERE id = $1 LOOP RETURN r.name; END LOOP; RETURN NULL; END', '{usr}',
 '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 21}', 'text LANGUAGE plpgsql', ''),
('system columns', 'SELECT ctid || name FROM usr WHERE id = $1', '{usr}', '{}', '{UPDATE usr SET seen = seen + 1,UPDATE usr SET name = name}', 'text LANGUAGE sql', ', ttl => ''1 day'''),
('code that nobody sees', 'SELECT currtid2(''usr'', ''(0,1)'')::text || (SELECT count(*) FROM usr WHERE id = $1)', '{usr}', '{}', '{UPDATE usr SET seen = seen + 1}', 'text LANGUAGE sql', ', ttl => ''1 day'''),
('an unwatched table and the clock', 'SELECT name || to_char(now(), ''YYYY'') || (SELECT count(*) FROM key_table) FROM usr WHERE id = $1', '{usr}', '{UPDATE usr SET seen = seen + 1}', '{UPDATE usr SET name = 22}', 'text LANGUAGE sql', ', ttl => ''1 day''');

-- Once by keys, and once as a whole: then nothing of the cache is lost either.
CREATE FUNCTION setting_up(t traps, whole boolean) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT 'CALL fill()'
  UNION ALL SELECT format('CREATE FUNCTION load_%s(int) RETURNS %s STABLE AS %L', t.n, t.def, CASE t.def WHEN 'text LANGUAGE sql' THEN format('SELECT x::text FROM (%s) y (x)', t.body) ELSE t.body END)
  UNION ALL SELECT format('SELECT cache_create(''c'', ''load_%s(int)''%s)', t.n, t.options)
  UNION ALL SELECT format('SELECT cache_watch(''c'', %L%s)', r, CASE WHEN NOT whole THEN ', ''id''' END) FROM unnest(t.tables) r $$;
CREATE FUNCTION trying(t traps, whole boolean, change text, kept boolean) RETURNS SETOF text LANGUAGE sql AS $$
  VALUES ('SELECT cache_get(''c'', k) FROM generate_series(1, 3) k'), (change),
    (format('SELECT is(hits(''c'', ''SELECT cache_get(''''c'''', 1)''), %s::bigint, %L)', kept::int,
            format('%s%s: %s %s', t.label, CASE WHEN whole THEN ', as a whole' END, CASE WHEN kept THEN 'kept by' ELSE 'lost by' END, left(change, 70)))),
    (format('SELECT same(''c'', ''load_%s'', ''SELECT generate_series(1, 3)'', %L)', t.n, t.label || ': exact')) $$;
SELECT s FROM traps t, unnest(ARRAY[false, true]) whole,
  LATERAL (SELECT 1, * FROM setting_up(t, whole)
           UNION ALL SELECT 2, l.* FROM unnest(t.kept) k, LATERAL trying(t, whole, k, NOT whole OR k NOT LIKE '%SET name = ''m''%') l
           UNION ALL SELECT 3, l.* FROM unnest(t.lost) k, LATERAL trying(t, whole, k, false) l
           UNION ALL SELECT 4, l.* FROM unnest(t.kept) k, LATERAL trying(t, whole, k, NOT whole OR k NOT LIKE '%SET name = ''m''%') l WHERE t.label <> 'PL/pgSQL'
           UNION ALL SELECT 5, 'SELECT cache_drop(''c'')'
           UNION ALL SELECT 6, format('DROP FUNCTION load_%s', t.n)) x (at, s)
ORDER BY t.n, whole, at \gexec

-- Two tables in one transaction matter together; a savepoint may leave more than there
-- was, but never less.
CALL fill();
CREATE FUNCTION load_u(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT u.name || v FROM usr u JOIN extra USING (id) WHERE id = i';
SELECT cache_create('c', 'load_u(int)'), cache_watch('c', 'usr', 'id'), cache_watch('c', 'extra', 'id');
SELECT cache_get('c', 1), cache_get('c', 2);
BEGIN; UPDATE usr SET seen = seen + 1; UPDATE extra SET v = v + 1; COMMIT;
SELECT same('c', 'load_u', 'VALUES (1), (2)', 'both tables, the second of which matters');
BEGIN; UPDATE usr SET seen = seen + 1; SAVEPOINT s; UPDATE usr SET name = name || 1; ROLLBACK TO s; COMMIT;
SELECT same('c', 'load_u', 'VALUES (1), (2)', 'rolled back to a savepoint');
BEGIN; SAVEPOINT s; UPDATE usr SET name = name || 1; ROLLBACK TO s; UPDATE usr SET seen = seen + 1; COMMIT;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'what was rolled back does not matter');
BEGIN; SAVEPOINT s; UPDATE usr SET seen = seen + 1; RELEASE s; UPDATE usr SET name = name || 1; COMMIT;
SELECT same('c', 'load_u', 'VALUES (1), (2)', 'a released savepoint');
BEGIN; UPDATE usr SET seen = seen + 1; SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 0::bigint, 'the transaction itself loads'); COMMIT;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'and afterwards it is still there');

-- A trigger in front of the update has its say.
CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.name := new.name || ''!''; RETURN new; END';
CREATE TRIGGER rename BEFORE UPDATE ON usr FOR EACH ROW WHEN (new.seen > 100) EXECUTE FUNCTION rename();
SELECT cache_get('c', 1);
UPDATE usr SET seen = 99;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'before the trigger does anything');
UPDATE usr SET seen = 101;
SELECT same('c', 'load_u', 'VALUES (1), (2)', 'a trigger changes what is read');
DROP TRIGGER rename ON usr;

-- Rows from before a column was added, and one that is gone
ALTER TABLE usr DROP COLUMN note CASCADE;
ALTER TABLE usr ADD COLUMN later int DEFAULT 7, ADD COLUMN later_null int;
SELECT cache_get('c', 1);
UPDATE usr SET seen = 1, later = 7, later_null = NULL;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'columns that were added');
CREATE OR REPLACE FUNCTION load_u(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT u.name || v || coalesce(later, 0) FROM usr u JOIN extra USING (id) WHERE id = i';
SELECT cache_get('c', 1);
UPDATE usr SET later = 7;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'set to what it was by default');
UPDATE usr SET later = 8;
SELECT same('c', 'load_u', 'VALUES (1), (2)', 'set to something else');

-- A hit in a load reads the columns that its cache's loads read.
CREATE FUNCTION load_outer(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT cache_get(''c'', i)::text';
SELECT cache_create('outer', 'load_outer(int)'), cache_watch('outer', 'usr', 'id'), cache_watch('outer', 'extra', 'id');
SELECT cache_get('c', 1); SELECT cache_get('outer', 1);
UPDATE usr SET seen = seen + 1;
SELECT is(hits('outer', 'SELECT cache_get(''outer'', 1)'), 1::bigint, 'a hit in a load');
UPDATE extra SET v = v + 1;
SELECT same('outer', 'load_outer', 'VALUES (1), (2)', 'a hit in a load: exact');

-- More rows than keys are kept in mind.
INSERT INTO usr (id, name, seen) SELECT i, 'm' || i, 0 FROM generate_series(100, 20000) i;
SELECT count(cache_get('c', i)) FROM generate_series(1, 3) i;
UPDATE usr SET seen = seen + 1;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'of very many rows a column that is not read');
UPDATE usr SET name = name || 'x';
SELECT same('c', 'load_u', 'VALUES (1), (2)', 'and one that is');

-- A function that is trusted may read anything.
CREATE FUNCTION blind(i int) RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN currtid2(''usr'', ''(0,1)'')::text; END';
CREATE FUNCTION load_b(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name || blind(i) FROM usr WHERE id = i';
SELECT cache_create('blind', 'load_b(int)', trust => 'blind(int)'), cache_watch('blind', 'usr', 'id');
SELECT cache_get('blind', 1);
SELECT is(hits('blind', 'SELECT cache_get(''blind'', 1)'), 1::bigint, 'what is trusted is stored');
UPDATE usr SET seen = seen + 1;
SELECT is(hits('blind', 'SELECT cache_get(''blind'', 1)'), 0::bigint, 'and goes with each update');
SELECT * FROM finish();
