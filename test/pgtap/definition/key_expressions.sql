-- Keys that compare by expressions, and watches of expressions of columns: every
-- spelling is exact, after every kind of write; what may be an expression; that
-- renames are followed, and columns are held. Loads that find rows in another way
-- than their watches tell keys are noticed.
\ir ../exact.psql
SET client_min_messages = error;
SELECT plan(370);
CREATE EXTENSION citext;
CREATE TABLE usr (gone int, id int PRIMARY KEY, email text, name text);
ALTER TABLE usr DROP gone;
INSERT INTO usr VALUES (1, 'Ann@Example.com', 'Ann'), (2, 'bob@example.com', 'Bob');
CREATE FUNCTION by_email(e text) RETURNS text LANGUAGE sql STABLE AS 'SELECT string_agg(name, '','' ORDER BY id) FROM usr WHERE lower(email) = lower(e)';
-- wrong tells which spellings are not exact.
CREATE FUNCTION wrong(cache text, loader text, OUT problems text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format($q$SELECT string_agg(format('%%s is %%s, not %%s', k, got, want), '; ')
    FROM (SELECT k, cache_get(%L, k) AS got, to_jsonb(%s(k)) AS want
          FROM unnest('{ann@example.com,Ann@Example.com,ANN@EXAMPLE.COM,bob@example.com,BOB@example.com,carl@example.com,Carl@example.com}'::text[]) k OFFSET 0) x
    WHERE got IS DISTINCT FROM want$q$, cache, loader) INTO problems;
END $$;

CREATE FUNCTION has_hits(cache text, query text, expected int, label text) RETURNS text LANGUAGE sql AS
  'SELECT is(hits(cache, query), expected::bigint, label)';

-- Each way to say it, and all kinds of writes
CREATE FUNCTION writes() RETURNS TABLE (title text, command text) LANGUAGE sql AS $$VALUES
  ('UPDATE', 'UPDATE usr SET name = name || ''!'''),
  ('a spelling is written', 'UPDATE usr SET email = upper(email)'),
  ('a key is exchanged', 'UPDATE usr SET email = ''Carl@Example.com'' WHERE id = 1'),
  ('INSERT', 'INSERT INTO usr VALUES (3, ''ANN@example.com'', ''Anna'')'),
  ('a NULL', 'UPDATE usr SET email = NULL WHERE id = 3'),
  ('DELETE', 'DELETE FROM usr WHERE id = 1'),
  ('MERGE', 'MERGE INTO usr USING (VALUES (2, ''Ann@example.com''), (4, ''carl@EXAMPLE.com'')) v (i, e) ON id = i
             WHEN MATCHED THEN UPDATE SET email = e WHEN NOT MATCHED THEN INSERT VALUES (i, e, ''Merged'')'),
  ('TRUNCATE', 'TRUNCATE usr'),
  ('COPY', 'INSERT INTO usr VALUES (1, ''Ann@Example.com'', ''Ann''), (2, ''bob@example.com'', ''Bob'')')$$;
SELECT unnest(ARRAY[
  format('SELECT cache_create(''u'', ''by_email(text)'', key => %L)', key), format('SELECT cache_watch(''u'', ''usr'', %L)', watched)]
  || (SELECT array_agg(c) FROM writes(), LATERAL unnest(ARRAY[
        'SELECT wrong(''u'', ''by_email'')', command,
        format('SELECT is(wrong(''u'', ''by_email''), NULL, %L)', label || ', ' || title)]) c)
  || ARRAY['SELECT wrong(''u'', ''by_email'')',
           format('SELECT has_hits(''u'', ''SELECT wrong(''''u'''', ''''by_email'''')'', 7, %L)', label || ': all are stored'),
           'UPDATE usr SET name = ''Anne'' WHERE id = 1',
           format('SELECT has_hits(''u'', ''SELECT wrong(''''u'''', ''''by_email'''')'', 4, %L)', label || ': others stay'),
           'SELECT cache_drop(''u'')'])
FROM (VALUES ('lower($1)', 'email', 'a column'), ('lower($1)', 'lower(email)', 'an expression'), ('upper($1)', 'email', 'another one'),
             ('lower($1)', 'upper(email)', 'and upper'), ('lower($1::varchar)', 'email::varchar(50)', 'by way of other types')) v (key, watched, label)
\gexec

-- All that takes a key
SELECT cache_create('u', 'by_email(text)', key => 'lower($1)'), cache_watch('u', 'usr', 'email');
SELECT is((SELECT key FROM cache_definition), 'lower($1)', 'the definition says so');
SELECT wrong('u', 'by_email');
SELECT cache_invalidate('u', 'ANN@example.COM');
SELECT has_hits('u', 'SELECT wrong(''u'', ''by_email'')', 4, 'cache_invalidate() of any spelling is of all');
SELECT is((SELECT string_agg(value::text, ',') FROM cache_get_many('u', '{ann@example.com,Ann@Example.com,x}'::text[])), '"Anne","Anne"', 'cache_get_many()');
UPDATE usr SET name = 'Annie' WHERE id = 1;
SELECT is((SELECT string_agg(value::text, ',') FROM cache_get_many('u', '{ann@example.com,Ann@Example.com,x}'::text[])), '"Annie","Annie"', 'after a write');
SELECT is(cache_get_as(NULL::text, 'u', 'ANN@Example.com'), 'Annie', 'cache_get_as()');
SELECT is((SELECT count(*) FROM cache_verify('u')), 0::bigint, 'cache_verify() finds nothing');
SELECT is((SELECT count(*) FROM cache_check()), 0::bigint, 'nor does cache_check()');
BEGIN;
SELECT wrong('u', 'by_email');
UPDATE usr SET name = 'Mine' WHERE id = 1;
SELECT is(wrong('u', 'by_email'), NULL, 'own writes');
SAVEPOINT s;
UPDATE usr SET email = 'BOB@EXAMPLE.COM' WHERE id = 1;
SELECT is(wrong('u', 'by_email'), NULL, 'in a subtransaction');
ROLLBACK TO s;
SELECT is(wrong('u', 'by_email'), NULL, 'that is rolled back');
ROLLBACK;
SELECT is(wrong('u', 'by_email'), NULL, 'rolled back');
-- Another collation may spell in another way.
SELECT cache_get('u', 'Ann@Example.com' COLLATE "C");
SELECT has_hits('u', 'SELECT cache_get(''u'', ''Ann@Example.com'' COLLATE "C")', 0, 'under another collation nothing is stored');
INSERT INTO usr VALUES (9, U&'\0131', 'Turkish');
SELECT is(cache_get('u', 'I' COLLATE "tr-x-icu"), '"Turkish"', 'a loader spells by the collation of the call');
UPDATE usr SET name = 'Turk' WHERE id = 9;
SELECT is(cache_get('u', 'I' COLLATE "tr-x-icu"), '"Turk"', 'which is exact');
SET cache.removed_guard = 'normal_collation';
SELECT cache_get('u', 'I' COLLATE "tr-x-icu");
UPDATE usr SET name = 'Turkish' WHERE id = 9;
SELECT is(cache_get('u', 'I' COLLATE "tr-x-icu"), '"Turk"', 'guard normal_collation');
SET cache.removed_guard = '';
DELETE FROM usr WHERE id = 9;
-- A key function tells keys, too.
CREATE FUNCTION key_of(u usr) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(u.email)';
SELECT cache_unwatch('u', 'usr'), cache_watch('u', 'usr', keys => 'key_of(usr)');
SELECT wrong('u', 'by_email');
UPDATE usr SET name = 'Told' WHERE id = 1;
SELECT is(wrong('u', 'by_email'), NULL, 'by a key function');
SELECT has_hits('u', 'SELECT wrong(''u'', ''by_email'')', 7, 'is stored as well');

-- It is altered: what was stored is of no use.
SELECT cache_alter('u', key => 'upper($1)');
SELECT wrong('u', 'by_email');
UPDATE usr SET name = 'Altered' WHERE id = 1;
SELECT is(wrong('u', 'by_email'), NULL, 'altered');
SELECT cache_alter('u', redis => false);
SELECT is((SELECT key FROM cache_definition), 'upper($1)', 'other changes leave it');
CREATE FUNCTION by_email2(e text, i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM usr WHERE lower(email) = lower(e) AND id = i';
SELECT is(run('SELECT cache_alter(''u'', ''by_email2(text, int)'')'), 'ERROR 22023', 'a loader of other arguments needs other expressions');
SELECT cache_unwatch('u', 'usr');
SELECT cache_alter('u', 'by_email2(text, int)', key => ' lower($1), $2'), cache_watch('u', 'usr', 'email', 'id');
SELECT cache_get('u', 'Ann@example.com', 1), cache_get('u', 'ann@example.com', 2);
SELECT has_hits('u', 'SELECT cache_get(''u'', ''Ann@example.com'', 1)', 1, 'two arguments');
UPDATE usr SET name = 'Two' WHERE id = 1;
SELECT is(cache_get('u', k, 1), '"Two"', k) FROM unnest('{ann@example.com,Ann@example.com}'::text[]) k;
SELECT cache_alter('u', key => '');
SELECT is((SELECT key FROM cache_definition), NULL, 'removed');
SELECT cache_alter('u', key => '$1, $2');
SELECT is((SELECT key FROM cache_definition), NULL, 'as they are');
SELECT cache_drop('u');

-- Of a type that is not compared like the argument's; of a domain; of numbers
CREATE TABLE event (at timestamp, of numeric, tag varchar(20), doc jsonb);
INSERT INTO event VALUES ('2024-01-01 10:00', 1.0, 'Tea', '{"id": "a", "n": 7}'), ('2024-01-02 10:00', 2.50, 'tea', '{"id": "b", "n": 8}');
CREATE DOMAIN tag AS varchar(20) CHECK (value <> '');
CREATE FUNCTION on_day(d timestamp) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE at::date = d::date';
CREATE FUNCTION on_day(d date) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE date_trunc(''day'', at)::date = d';
CREATE FUNCTION of_floor(n numeric) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE floor(of) = floor(n)';
CREATE FUNCTION of_tag(t tag) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE lower(tag) = lower(t)';
CREATE FUNCTION of_tag(t varchar) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE lower(tag) = lower(t)';
CREATE FUNCTION of_doc(d text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE doc->>''id'' = d';
CREATE FUNCTION of_n(n int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE (doc->>''n'')::int = n';
SELECT unnest(ARRAY[
  format('SELECT cache_create(''e'', %L, key => %L)', signature, key), format('SELECT cache_watch(''e'', ''event'', %L)', watched),
  format('SELECT exact(''e'', %L, %L, %L)', keys, split_part(signature, '(', 1), label || ': stored'), command,
  format('SELECT is(cache_get(''e'', %s), to_jsonb(%s(%1$s)), %L)', keys, split_part(signature, '(', 1), label || ': exact'),
  'DELETE FROM event WHERE at > ''2024-02-01''', 'SELECT cache_drop(''e'')'])
FROM (VALUES
  ('on_day(timestamp)', '$1::date', 'at', 'timestamp ''2024-01-01 12:00''', 'INSERT INTO event (at) VALUES (''2024-01-01 13:00'')', 'a date of a timestamp'),
  ('on_day(date)', NULL, 'date_trunc(''day'', at)::date', 'date ''2024-01-01''', 'INSERT INTO event (at) VALUES (''2024-01-01 14:00'')', 'a day'),
  ('of_floor(numeric)', 'floor($1)', 'of', '1.5', 'INSERT INTO event VALUES (''2024-03-01'', 1.7)', 'a floor'),
  ('of_tag(tag)', 'lower($1)', 'tag', '''TEA''::tag', 'INSERT INTO event VALUES (''2024-03-01'', 1, ''tEA'')', 'a domain'),
  ('of_tag(varchar)', 'lower($1)', 'tag', '''TEA''::varchar', 'INSERT INTO event VALUES (''2024-03-01'', 1, ''tEA'')', 'a varchar'),
  ('of_doc(text)', NULL, 'doc->>''id''', '''a''', 'INSERT INTO event (at, doc) VALUES (''2024-03-01'', ''{"id": "a"}'')', 'in a document'),
  ('of_n(int)', NULL, '(doc->>''n'')::int', '7', 'INSERT INTO event (at, doc) VALUES (''2024-03-01'', ''{"n": 7}'')', 'a number in it'))
  v (signature, key, watched, keys, command, label)
\gexec

-- Partitions of other layouts, renames, and what holds columns
CREATE TABLE part (id int, email text, v int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 (v int, gone int, email text, id int);
ALTER TABLE part2 DROP gone;
INSERT INTO part VALUES (1, 'Ann', 1);
CREATE FUNCTION sum_of(e text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM part WHERE lower(email) = lower(e)';
SELECT cache_create('p', 'sum_of(text)', key => 'lower($1)'), cache_watch('p', 'part', 'lower(email)');
ALTER TABLE part ATTACH PARTITION part2 FOR VALUES FROM (10) TO (20);
SELECT cache_get('p', 'ANN');
INSERT INTO part VALUES (11, 'ann', 10);
SELECT is(cache_get('p', 'ANN'), '11', 'into a partition');
INSERT INTO part2 VALUES (100, 'Ann', 12);
SELECT is(cache_get('p', 'ANN'), '111', 'into it by itself');
UPDATE part SET id = id + 10 WHERE id = 1;
SELECT is(cache_get('p', 'ANN'), '111', 'from one to another');
SELECT is((SELECT key_columns::text || state FROM cache_watches), '{lower(email)}enabled', 'cache_watches');
SELECT is(run('ALTER TABLE part ALTER email TYPE varchar'), 'ERROR 0A000', 'the column has a type');
SELECT is(run('ALTER TABLE part DROP email'), 'ERROR 2BP01', 'and is held');
ALTER TABLE part RENAME email TO "E Mail";
ALTER TABLE part RENAME v TO email;
ALTER TABLE part RENAME TO parts;
SELECT is((SELECT relation || key_columns::text || state FROM cache_watches), 'parts{"lower(\"E Mail\")"}enabled', 'renames are followed');
CREATE OR REPLACE FUNCTION sum_of(e text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(email) FROM parts WHERE lower("E Mail") = lower(e)';
SELECT exact('p', '''ANN''', 'sum_of');
UPDATE part2 SET email = 1 WHERE id = 12;
SELECT is(cache_get('p', 'ANN'), '12', 'in partitions, too');
ALTER TABLE parts RENAME "E Mail" TO "lower(email)";
SELECT is((SELECT key_columns::text FROM cache_watches), '{"lower(\"lower(email)\")"}', 'a column that is called like an expression');
ALTER TABLE parts ADD xyz text;
SELECT is(run('SELECT cache_watch(''p'', ''parts'', ''lower(xyz)'')'), '', 'another one');
ALTER TABLE parts DROP xyz CASCADE;
SELECT is((SELECT count(*) FROM cache_watches), 1::bigint, 'with a column goes its watch');
SELECT is(run('SELECT cache_watch(''p'', ''parts'', ''lower("lower(email)")'')'), 'ERROR 42710', 'the same again');
SELECT is(run('SELECT cache_watch(''p'', ''parts'', ''lower("lower(email)")'', if_not_exists => true)'), '', 'is skipped');
SELECT is(run('SELECT cache_watch(''p'', ''parts'', ''lower(email)'')'), '', 'the column itself');
SELECT is((SELECT count(*) FROM cache_watches WHERE key_columns = '{lower(email)}'), 1::bigint, 'by its name');
SELECT cache_drop('p');
DROP TABLE parts;

-- What cannot be an expression
CREATE FUNCTION lower(citext, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1::text)';
CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE odd (id int, email text, c text COLLATE "C", n name, ci citext, at timestamptz);
CREATE FUNCTION by_odd(e text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM odd WHERE lower(email) = lower(e)';
SELECT cache_create('o', 'by_odd(text)', key => 'lower($1)');
SELECT is(run(format('SELECT cache_watch(''o'', ''odd'', %L)', what)), 'ERROR ' || state, 'watch ' || what)
FROM (VALUES ('nosuch', '42703'), ('lower(nosuch)', '42703'), ('lower(', '42601'), ('lower(email), id::text', '42601'), ('lower(email) FROM odd', '42601'),
  ('lower(email) AS x', '42601'), ('(SELECT 1)::text', '0A000'), ('max(email)||''''', '0A000'), ('unnest(ARRAY[email])', '0A000'), ('now()::text', '22023'), ('email || now()::text', '42P17'),
  ('at::date::text', '42P17'), ('''x''||''y''', '22023'), ('odd::text', '0A000'), ('ctid::text', '0A000'), ('lower($1)', '42P02'), ('lower(ci, '''')', '0A000'),
  ('length(email)', '42804'), ('id', '42804'), ('c', '42P21'), ('n', '42P21'), ('(email COLLATE nosuch)', '42704'), ('(email COLLATE anycase)', '0A000'), ('nosuch(email)', '42883'))
  v (what, state);
SELECT is(run(format('SELECT cache_alter(''o'', key => %L)', key)), 'ERROR ' || state, 'key ' || key)
FROM (VALUES ('lower(email)', '42703'), ('lower($2)', '42P02'), ('lower($1), $1', '22023'), ('1', '22023'), ('$1::json', '42883'), ('lower(', '42601'),
  ('$1::citext', '0A000'), ('now() || $1', '42P17'), ('by_odd($1)::text', '0A000'), ('(SELECT $1)', '0A000')) v (key, state);
SELECT cache_create('kv');
SELECT is(run('SELECT cache_alter(''kv'', key => ''lower($1)'')'), 'ERROR 42809', 'of a cache without a loader');
SELECT is(run('SELECT cache_watch(''o'', ''odd'', ''lower(c)'')'), '', 'under the column''s own collation');
SELECT is(run('SELECT cache_watch(''o'', ''odd'', ''lower(ci::text)'')'), '', 'of citext');
SELECT cache_drop('o'), cache_drop('kv');

-- An expression has to leave its results as they are.
CREATE TABLE hashed (h text, v int);
INSERT INTO hashed VALUES (md5('a'), 1), ('b', 2);
CREATE FUNCTION by_hash(k text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM hashed WHERE h = md5(k)';
CREATE FUNCTION by_lower(k text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM hashed WHERE h = lower(k)';
SELECT cache_create('h', 'by_hash(text)', key => 'md5($1)'), cache_watch('h', 'hashed', 'h');
SELECT cache_create('l', 'by_lower(text)', key => 'lower($1)'), cache_watch('l', 'hashed', 'h');
SELECT cache_get('h', 'a'), cache_get('l', 'B');
SELECT has_hits('l', 'SELECT cache_get(''l'', ''B'')', 1, 'one that does');
UPDATE hashed SET v = v + 1;
SELECT is(cache_get('h', 'a'), to_jsonb(by_hash('a')), 'one that does not');
SELECT is(cache_get('l', 'B'), to_jsonb(by_lower('B')), 'the key''s expression alone');
SELECT is((SELECT reason FROM cache_unstored), 'key expression', 'is told');
SET cache.removed_guard = 'settled';
SELECT cache_get('h', 'a');
UPDATE hashed SET v = v + 1;
SELECT isnt(cache_get('h', 'a'), to_jsonb(by_hash('a')), 'guard settled');
SET cache.removed_guard = '';
SELECT cache_drop('h'), cache_drop('l');

-- Conditions by which rows are not found as watches tell, and others
CREATE TABLE n (k text, k2 text COLLATE anycase, k3 citext, k4 text GENERATED ALWAYS AS (lower(k)) STORED, i int, at timestamp, v int);
CREATE TABLE m (k text, i int);
INSERT INTO n (k, k2, k3, i, at, v) SELECT 'Key' || i, 'Key' || i, 'Key' || i, i, '2024-01-01', i FROM generate_series(1, 100) i;
INSERT INTO m SELECT 'Key' || i, i FROM generate_series(1, 100) i;
CREATE FUNCTION finds(type text, watched text, condition text, expected int, language text, prefix text DEFAULT '') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  get text := format('SELECT cache_get(''n'', %s)', CASE type WHEN 'int' THEN '7' WHEN 'timestamp' THEN 'timestamp ''2024-01-01''' ELSE quote_literal('Key7') || '::' || type END);
BEGIN
  EXECUTE format('CREATE FUNCTION load_n(a %s) RETURNS bigint LANGUAGE %s STABLE AS %L', type, language,
    format(CASE language WHEN 'sql' THEN '%s' ELSE 'BEGIN RETURN (%s); END' END, format('SELECT sum(v) FROM n %s WHERE %s', prefix, condition)));
  PERFORM cache_create('n', format('load_n(%s)', type)::regprocedure), cache_watch('n', 'n', watched), cache_watch('n', 'm', if_not_exists => true);
  PERFORM set_config('test.get', get, false);
  RETURN;
END $$;
SELECT unnest(ARRAY[
  format('SELECT finds(%L, %L, %L, %s, %L, %L)', type, watched, condition, expected, language, prefix),
  format('SELECT unalike(coalesce(run(current_setting(''test.get'')), ''''), ''ERROR%%'', %L)', language || ': ' || condition),
  format('SELECT has_hits(''n'', current_setting(''test.get''), %s, %L)', expected, language || ': ' || condition),
  'SELECT cache_drop(''n'')', format('DROP FUNCTION load_n(%s)', type)])
FROM (VALUES
  ('text', 'k', 'n.k = a', 1, ''), ('text', 'k', 'n.k = $1 AND length(n.k) > 2', 1, ''), ('text', 'k', 'lower(n.k) = lower(a) AND n.k = a', 1, ''),
  ('text', 'k', 'lower(n.k) = lower(a)', 0, ''), ('text', 'k', 'n.k ILIKE a', 0, ''), ('text', 'k', 'n.k = lower(a) OR n.k = upper(a)', 0, ''),
  ('text', 'k', 'n.k = a OR lower(n.k) = lower(a)', 0, ''), ('text', 'k', 'n.k = a OR i = 1 AND n.k = ''x''', 0, ''), ('text', 'k', 'n.k IN (a, ''x'')', 0, ''),
  ('text', 'k', 'n.k IN (a, ''Key7'')', 1, ''), ('text', 'k', 'n.k = ''Key8''', 0, ''), ('text', 'k', 'n.k = (SELECT k FROM m WHERE m.k = a)', 1, ''), ('text', 'k', 'n.k = NULL', 1, ''),
  ('text', 'k', 'lower(n.k || n.i) = lower(a)', 0, ''), ('text', 'k', 'n.k = lower(a) || n.i', 0, ''), ('text', 'k', 'n.k || n.k4 = a', 0, ''), ('text', 'k', 'lower(n.k) = (SELECT lower(a))', 0, ''),
  ('text', 'k', 'lower(n.k) = (SELECT m.k FROM m WHERE m.k = a LIMIT 1)', 0, ''), ('text', 'k', 'n.k || (SELECT m.k FROM m WHERE m.i = n.i LIMIT 1) = a', 0, ''),
  ('text', 'k', 'n.k IS NOT DISTINCT FROM a', 1, ''), ('text', 'k', 'n.k COLLATE anycase = a', 0, ''), ('text', 'k', 'n.k COLLATE "C" = a', 1, ''),
  ('text', 'k', 'lower(n.k) = ANY (ARRAY[lower(a)])', 0, ''), ('text', 'k', 'm.k = a', 1, 'JOIN m USING (k)'), ('text', 'k', 'm.k = a AND m.i > 3', 1, 'LEFT JOIN m USING (k)'),
  ('text', 'k', 'n.k IN (SELECT k FROM m WHERE k = a) AND n.i < 90', 1, ''), ('varchar', 'k', 'n.k = a', 1, ''), ('text', 'k', 'n.k::varchar = a::varchar', 1, ''),
  ('text', 'k2', 'n.k2 = a', 1, ''), ('citext', 'k3', 'n.k3 = a', 1, ''), ('text', 'k4', 'n.k4 = a', 1, ''), ('text', 'lower(k)', 'lower(n.k) = a', 1, ''),
  ('int', 'i', 'n.i = a', 1, ''), ('int', 'i', 'n.i::bigint = a::bigint', 1, ''), ('int', 'i', 'n.i = a + 1', 0, ''), ('int', 'i', 'n.i % 10 = a', 0, ''),
  ('int', 'i', 'n.i::text = a::text', 1, ''), ('int', 'i', 'n.i IN (SELECT m.i FROM m WHERE m.i = a)', 1, ''), ('timestamp', 'at', 'date_trunc(''day'', n.at) = a', 0, ''),
  ('timestamp', 'at', 'n.at = a', 1, ''), ('timestamp', 'at', 'n.at::date = a::date', 0, '')) v (type, watched, condition, expected, prefix),
  unnest('{sql,plpgsql}'::text[]) language
WHERE language = 'sql' OR condition <> 'n.k = lower(a) || n.i'
\gexec
-- PL/pgSQL can change the key before, and reads other rows after.
CREATE FUNCTION before_k(a text) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN a := upper(a); RETURN (SELECT sum(v) FROM n WHERE k = a); END';
CREATE FUNCTION after_k(a text) RETURNS bigint LANGUAGE plpgsql STABLE AS 'DECLARE other text; BEGIN SELECT ''Key'' || n.i + 1 INTO other FROM n WHERE k = a; RETURN (SELECT sum(v) FROM n WHERE k = other); END';
CREATE FUNCTION inner_k(a text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM n WHERE k = a';
CREATE FUNCTION outer_k(a text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT inner_k(a) + inner_k(''Key'' || right(a, 1)::int + 1)';
CREATE FUNCTION fine_k(a text) RETURNS bigint LANGUAGE plpgsql STABLE AS 'DECLARE b text := a; BEGIN RETURN (SELECT sum(v) FROM n WHERE k = b) + inner_k(a); END';
SELECT unnest(ARRAY[
  format('SELECT cache_create(''n'', %L, key => %L), cache_watch(''n'', ''n'', ''k'')', loader || '(text)', expression),
  format('SELECT count(cache_get(''n'', %L)) FROM generate_series(1, 8)', key), format('SELECT has_hits(''n'', %L, %s, %L)', format('SELECT cache_get(''n'', %L)', key), expected, loader || ' ' || key),
  'UPDATE n SET v = v + 1', format('SELECT is(cache_get(''n'', %L), to_jsonb(%s(%1$L)), %L)', key, loader, loader || ' ' || key || ' is exact'), 'SELECT cache_drop(''n'')'])
FROM (VALUES ('before_k', 'key7', 0), ('before_k', 'KEY7', 1), ('after_k', 'Key7', 0), ('outer_k', 'Key7', 0), ('fine_k', 'Key7', 1)) v (loader, key, expected),
  unnest(ARRAY[NULL, 'upper($1)']) expression
WHERE expression IS NULL OR key <> 'key7'
\gexec
-- What to do about it is told, and helps.
CREATE FUNCTION load_n2(a text, b int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM n WHERE lower(k) = lower(a) AND i = b';
SELECT unnest(ARRAY[
  format('CREATE FUNCTION load_n(a %s) RETURNS bigint LANGUAGE sql STABLE AS %L', type, 'SELECT sum(v) FROM n WHERE ' || condition),
  'SELECT cache_create(''n'', ''load_n(' || type || ')'')', format('SELECT cache_watch(''n'', ''n'', %L)', watched),
  format('SELECT cache_get(''n'', %s)', key),
  format('SELECT is((SELECT hint FROM cache_check()), %L, %L)', hint, condition),
  substring(hint from ': (SELECT .*)\.$'), format('SELECT exact(''n'', %L, ''load_n'', %L)', key, 'with that ' || condition),
  'SELECT cache_drop(''n'')', format('DROP FUNCTION load_n(%s)', type)])
FROM (VALUES
  ('text', 'k', 'lower(k) = lower(a)', '''KEY7''', 'Say how keys compare: SELECT cache_alter(''n'', key => ''lower($1)'').'),
  ('text', 'k', 'k = initcap(a)', '''KEY7''', 'Say how keys compare: SELECT cache_alter(''n'', key => ''initcap($1)'').'),
  ('text', 'k', 'lower(k) = a', '''key7''', 'Watch what the loader compares: SELECT cache_watch(''n'', ''public.n'', ''lower(k)'').'),
  ('timestamp', 'at', 'date_trunc(''day'', at) = a', 'timestamp ''2024-01-01''',
   'Watch what the loader compares: SELECT cache_watch(''n'', ''public.n'', ''date_trunc(''''day''''::text, at)'').'),
  ('int', 'i', 'i + 1 = a', '8', 'Watch what the loader compares: SELECT cache_watch(''n'', ''public.n'', ''(i + 1)'').'))
  v (type, watched, condition, key, hint)
\gexec
-- No expression is named that would be refused, or would not help; the whole table does.
CREATE FUNCTION spelled(a text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN lower(a); END';
SELECT unnest(ARRAY[
  format('CREATE FUNCTION load_n(a %s) RETURNS bigint LANGUAGE sql STABLE AS %L', type, 'SELECT sum(v) FROM n WHERE ' || condition),
  'SELECT cache_create(''n'', ''load_n(' || type || ')'')', format('SELECT cache_watch(''n'', ''n'', %L)', watched),
  format('SELECT cache_get(''n'', %s)', key),
  format('SELECT is((SELECT right(hint, 49) FROM cache_check()), ''or without any, which stands for the whole table.'', %L)', condition),
  'SELECT cache_watch(''n'', ''n'')', format('SELECT exact(''n'', %L, ''load_n'', %L)', key, 'so watched: ' || condition),
  'SELECT cache_drop(''n'')', format('DROP FUNCTION load_n(%s)', type)])
FROM (VALUES ('int', 'i', 'i = a + 1', '6'), ('text', 'k', 'spelled(k) = spelled(a)', '''KEY7'''), ('text', 'k', 'spelled(k) = a', '''key7''')) v (type, watched, condition, key)
\gexec
SELECT cache_create('n2', 'load_n2(text, int)'), cache_watch('n2', 'n', 'k', 'i');
SELECT cache_get('n2', 'KEY7', 7);
SELECT is((SELECT hint FROM cache_check()), 'Say how keys compare: SELECT cache_alter(''n2'', key => ''lower($1), $2'').', 'of two arguments');
SELECT cache_alter('n2', key => 'lower($1), $2');
SELECT exact('n2', '''KEY7'', 7', 'load_n2', 'with that');
SELECT cache_drop('n2');
-- By an index on the expression, in all kinds of scans; and what it is good for
CREATE INDEX ON n (lower(k));
CREATE FUNCTION load_k(a text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(lower(k)) FROM n WHERE lower(k) = lower(a)';
SELECT cache_create('k', 'load_k(text)'), cache_watch('k', 'n', 'k');
VACUUM n;
SELECT unnest(ARRAY[
  'SET enable_seqscan = ' || seqscan, 'SET enable_bitmapscan = ' || bitmapscan, 'SET enable_indexscan = ' || indexscan,
  'SELECT cache_get(''k'', ''KEY7'')', format('SELECT has_hits(''k'', ''SELECT cache_get(''''k'''', ''''KEY7'''')'', 0, %L)', label)])
FROM (VALUES ('on', 'off', 'off', 'a sequential scan'), ('off', 'on', 'off', 'a bitmap'), ('off', 'off', 'on', 'an index')) v (seqscan, bitmapscan, indexscan, label)
\gexec
-- and an index-only one, whose columns are those of the index
CREATE INDEX of_i_k ON n (i, k);
CREATE FUNCTION load_only(a text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(k) FROM n WHERE i > 0 AND lower(k) = lower(a)';
SELECT cache_create('only', 'load_only(text)'), cache_watch('only', 'n', 'k');
DROP INDEX n_lower_idx;
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT cache_get('only', 'KEY7');
SELECT has_hits('only', 'SELECT cache_get(''only'', ''KEY7'')', 0, 'an index-only scan');
SELECT cache_drop('only');
RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_indexscan;
SELECT is((SELECT object FROM cache_check() WHERE cache = 'k'), 'public.n', 'cache_check()');
SELECT is((SELECT object FROM cache_unstored WHERE cache = 'k' AND reason = 'narrow watch'), 'public.n', 'cache_unstored');
UPDATE n SET k = 'kEy7' WHERE i = 8;
SELECT is(cache_get('k', 'KEY7'), '2', 'exact');
SET cache.removed_guard = 'narrow';
SELECT cache_get('k', 'KEY7');
UPDATE n SET k = 'keY7' WHERE i = 9;
SELECT isnt(cache_get('k', 'KEY7'), to_jsonb(load_k('KEY7')), 'guard narrow');
SET cache.removed_guard = '';
-- What the hint says helps.
SELECT cache_alter('k', key => 'lower($1)');
SELECT exact('k', '''KEY7''', 'load_k', 'the key''s expression');
SELECT is((SELECT count(*) FROM cache_check() WHERE cache = 'k'), 0::bigint, 'nothing to complain about');
SELECT cache_alter('k', key => ''), cache_watch('k', 'n');
SELECT exact('k', '''KEY7''', 'load_k', 'the whole table');
SELECT cache_drop('k');

-- Functions of users are not called in parallel workers, where nobody would see them.
CREATE TABLE big (k int, v int);
INSERT INTO big SELECT i % 10, i FROM generate_series(1, 50000) i;
ANALYZE big;
CREATE FUNCTION half(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS 'BEGIN RETURN i / 2; END';
CREATE FUNCTION plain_sum(a int) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT sum(v) FROM big WHERE k = a';
CREATE FUNCTION half_sum(a int) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT sum(half(v)) FROM big WHERE k = a AND v < 1000';
CREATE FUNCTION half_sum_plpgsql(a int) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN (SELECT sum(half(v)) FROM big WHERE k = a AND v < 1000); END';
CREATE FUNCTION half_one(a int) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT half(a)::bigint FROM big WHERE k = a LIMIT 1';
SELECT current_setting('server_version_num')::int >= 160000 AS renamed \gset
\if :renamed
  \set force debug_parallel_query
\else
  \set force force_parallel_mode
\endif
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT unnest(ARRAY[
  format('SET %I = %s', :'force', force), format('SELECT cache_create(''b'', ''%s(int)''), cache_watch(''b'', ''big'', ''k'')', loader),
  format('SELECT exact(''b'', ''3'', %L, %L)', loader, loader || ', forced: ' || force), 'SELECT cache_drop(''b'')'])
FROM unnest('{plain_sum,half_sum,half_sum_plpgsql,half_one}'::text[]) loader, unnest('{off,on}'::text[]) force
\gexec
SET :force = off;
SET cache.removed_guard = 'seen';
SELECT cache_create('b', 'half_sum(int)'), cache_watch('b', 'big', 'k');
SELECT cache_get('b', 3);
SELECT is((SELECT reason FROM cache_unstored WHERE cache = 'b'), 'parallel plan', 'where workers call them, the result is not stored');
SET cache.removed_guard = '';
SELECT cache_drop('b');
SELECT * FROM finish();
