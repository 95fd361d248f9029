-- Watches that do not do what they should: forged, disabled, of replicas, with
-- a condition; tables that writers may not otherwise see; keys under collations.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_writer, regress_cache_forger;
CREATE ROLE regress_cache_writer;
CREATE ROLE regress_cache_forger;
SELECT plan(60);
CREATE TABLE f (k int PRIMARY KEY, v int);
INSERT INTO f VALUES (1, 1), (2, 2);
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM f WHERE k = a';
SELECT cache_create('c', 'load(int)');

-- Triggers that look like a watch but are none: what they cover is not stored.
CREATE FUNCTION covers(label text, expected bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM cache_get('c', 1);
  RETURN is(hits('c', 'SELECT cache_get(''c'', 1)'), expected, label || CASE expected WHEN 0 THEN ': nothing is stored' ELSE ': stored' END);
END $$;
SELECT unnest(ARRAY[
  statement, format('SELECT covers(%L, 0)', label), 'UPDATE f SET v = v + 1',
  format('SELECT is(cache_get(''c'', 1), to_jsonb(load(1)), %L)', label || ': exact'), 'DROP TRIGGER forged ON f'])
FROM (VALUES
  ('a WHEN clause', 'CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON f FOR EACH ROW WHEN (pg_trigger_depth() > 5) EXECUTE FUNCTION cache_trigger(''c'', ''k'')'),
  ('a WHEN clause, DELETE only', 'CREATE TRIGGER forged AFTER DELETE ON f FOR EACH ROW WHEN (old.v = -99) EXECUTE FUNCTION cache_trigger(''c'', ''k'')'),
  ('some events only', 'CREATE TRIGGER forged AFTER INSERT OR DELETE ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger(''c'', ''k'')'),
  ('some columns only', 'CREATE TRIGGER forged AFTER INSERT OR UPDATE OF k OR DELETE ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger(''c'', ''k'')'),
  ('a statement trigger', 'CREATE TRIGGER forged AFTER TRUNCATE ON f FOR EACH STATEMENT EXECUTE FUNCTION cache_trigger(''c'', ''k'')'),
  ('another cache''s', 'CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger(''d'', ''k'')'),
  ('not ENABLE ALWAYS', 'CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger(''c'', ''k'')'))
  v (label, statement)
\gexec
-- Only the cache's owner can make one at all.
GRANT ALL ON f TO regress_cache_forger;
SELECT is(run('CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger(''c'', ''v'')', 'regress_cache_forger'),
          'ERROR 42501', 'a forged watch');
SELECT is(run('CREATE OR REPLACE TRIGGER forged AFTER INSERT ON f FOR EACH ROW EXECUTE FUNCTION public.cache_trigger(''nowhere'')', 'regress_cache_forger'),
          'ERROR 42501', 'of no cache');
SELECT is(run('SELECT cache_watch(''c'', ''f'', ''k'')', 'regress_cache_forger'), 'ERROR 42501', 'nor by cache_watch()');
REVOKE TRIGGER ON f FROM regress_cache_forger;
SELECT run('SELECT cache_create(''mine'', ''load(int)'')', 'regress_cache_forger');
SELECT is(run('SELECT cache_watch(''mine'', ''f'', ''k'')', 'regress_cache_forger'), 'ERROR 42501', 'one''s own cache needs TRIGGER on the table');
GRANT TRIGGER ON f TO regress_cache_forger;
SELECT is(run('SELECT cache_watch(''mine'', ''f'', ''k'')', 'regress_cache_forger'), '', 'with TRIGGER it can be watched');

-- A watch that is disabled in some way counts as none.
SELECT cache_watch('c', 'f', 'k');
SELECT covers('watched', 1);
CREATE FUNCTION triggers(how text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
  FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'f'::regclass AND NOT tgisinternal LOOP
    EXECUTE format('ALTER TABLE f %s TRIGGER %I', how, name);
  END LOOP;
END $$;
SELECT unnest(ARRAY[
  'SELECT covers(''watched'', 1)', format('SELECT triggers(%L)', how), format('SELECT covers(%L, %s)', how, stored),
  'UPDATE f SET v = v + 1', format('SELECT is(cache_get(''c'', 1), to_jsonb(load(1)), %L)', how || ': exact'),
  'SELECT triggers(''ENABLE ALWAYS'')', format('SELECT is(cache_get(''c'', 1), to_jsonb(load(1)), %L)', how || ', enabled again: exact')])
FROM (VALUES ('ENABLE REPLICA', 0), ('ENABLE', 0), ('DISABLE', 0), ('ENABLE ALWAYS', 1)) v (how, stored)
\gexec
SET session_replication_role = replica;
UPDATE f SET v = v + 1;
RESET session_replication_role;
SELECT is(cache_get('c', 1), to_jsonb(load(1)), 'session_replication_role = replica');

-- A writer who may not use the loader's schema.
CREATE SCHEMA hidden;
CREATE FUNCTION hidden.load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.f WHERE k = a';
SELECT cache_create('hidden', 'hidden.load(int)'), cache_watch('hidden', 'f', 'k');
GRANT INSERT, UPDATE, SELECT ON f TO regress_cache_writer;
SELECT cache_get('hidden', 1);
SELECT is(run('WITH w AS (UPDATE f SET v = 50 WHERE k = 1 RETURNING v) SELECT v FROM w', 'regress_cache_writer'), '50', 'a writer without USAGE on the loader''s schema');
SELECT is(cache_get('hidden', 1), '50', 'invalidates');
SELECT cmp_ok(run('SELECT count(*) FROM cache_stats', 'regress_cache_writer')::int, '>=', 2, 'and sees cache_stats');

-- Collations: of the name argument, of the keys, renamed.
CREATE FUNCTION upper_of(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT upper(k)';
SELECT cache_create('upper', 'upper_of(text)');
CREATE TABLE cache_names (n name, c text COLLATE "C", d text);
INSERT INTO cache_names VALUES ('upper', 'upper', 'upper');
SELECT is(cache_get(n, 'é'), to_jsonb(upper_of('é')), 'the collation of a name') FROM cache_names;
SELECT is(cache_get(c, 'é'), to_jsonb(upper_of('é')), 'a name under another collation') FROM cache_names;
SELECT is(cache_get(d, 'é' COLLATE "C"), to_jsonb(upper_of('é' COLLATE "C")), 'a key under another collation') FROM cache_names;
SELECT is(cache_get(d, 'é'), to_jsonb(upper_of('é')), 'and under the default one') FROM cache_names;
CREATE FUNCTION less(a text, b text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT a < b';
SELECT cache_create('less', 'less(text, text)');
CREATE COLLATION swedish (provider = icu, locale = 'sv');
SELECT is(cache_get('less', x, y), to_jsonb(less(x, y)), 'under ICU') FROM (VALUES ('ö' COLLATE swedish, 'z' COLLATE swedish)) v (x, y);
SELECT is(cache_get('less', x, y), to_jsonb(less(x, y)), 'under C') FROM (VALUES ('ö' COLLATE "C", 'z' COLLATE "C")) v (x, y);
SELECT is(cache_get('less', x, y COLLATE swedish), to_jsonb(less(x, y COLLATE swedish)), 'explicit') FROM (VALUES ('ö' COLLATE "C", 'z' COLLATE "C")) v (x, y);
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE words (k text COLLATE nocase, v int);
INSERT INTO words VALUES ('a', 1);
CREATE FUNCTION of_word(w text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM words WHERE words.k = w';
SELECT cache_create('word', 'of_word(text)'), cache_watch('word', 'words', 'k');
SELECT cache_get('word', 'A'), cache_get('word', 'a');
INSERT INTO words VALUES ('a', 10);
SELECT is(cache_get('word', 'A'), to_jsonb(of_word('A')), 'equal keys with different bytes');
ALTER COLLATION nocase RENAME TO anycase;
SELECT is(cache_get('word', 'A'), to_jsonb(of_word('A')), 'a collation renamed');
INSERT INTO words VALUES ('A', 100);
SELECT is(cache_get('word', 'a'), to_jsonb(of_word('a')), 'and written');
CREATE SCHEMA elsewhere;
ALTER COLLATION anycase SET SCHEMA elsewhere;
INSERT INTO words VALUES ('b', 5), ('A', 1000);
SELECT is(cache_get('word', 'a'), to_jsonb(of_word('a')), 'in another schema');
CREATE EXTENSION citext;
CREATE TABLE tags (k citext, v int);
CREATE FUNCTION of_tag(t citext) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM tags WHERE k = t';
SELECT cache_create('tag', 'of_tag(citext)'), cache_watch('tag', 'tags', 'k');
SELECT cache_get('tag', 'Blue'::citext), cache_get('tag', 'BLUE');
INSERT INTO tags VALUES ('blue', 1);
SELECT is(cache_get('tag', 'Blue'::citext), '1', 'citext');
SELECT is(cache_get('tag', 'BLUE'), '1', 'citext by a literal');

-- Catalogs: comments and large objects change without DDL's notice.
CREATE FUNCTION comment_of(t text) RETURNS text LANGUAGE sql STABLE AS 'SELECT obj_description(t::regclass, ''pg_class'')';
SELECT cache_create('comment', 'comment_of(text)');
SELECT cache_get('comment', 'f');
COMMENT ON TABLE f IS 'hello';
SELECT is(cache_get('comment', 'f'), '"hello"', 'COMMENT ON');
CREATE FUNCTION large(o oid) RETURNS bytea LANGUAGE sql STABLE AS 'SELECT data FROM pg_largeobject WHERE loid = o AND pageno = 0';
SELECT cache_create('large', 'large(oid)');
SELECT lo_from_bytea(4711, 'abc');
SELECT cache_get('large', 4711::oid), cache_get_as(NULL::bytea, 'large', 4711::oid);
SELECT lo_put(4711, 0, 'xyz');
SELECT is(cache_get_as(NULL::bytea, 'large', 4711::oid), 'xyz'::bytea, 'a large object written');
SELECT lo_unlink(4711);
SELECT is(cache_get_as(NULL::bytea, 'large', 4711::oid), NULL, 'and gone');
CREATE FUNCTION large_get(o oid) RETURNS bytea LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT lo_get(o)); END';
SELECT cache_create('large_get', 'large_get(oid)');
SELECT lo_from_bytea(4712, 'abc');
SELECT cache_get('large_get', 4712::oid), cache_get_as(NULL::bytea, 'large_get', 4712::oid);
SELECT lo_put(4712, 0, 'xyz');
SELECT is(cache_get_as(NULL::bytea, 'large_get', 4712::oid), 'xyz'::bytea, 'a large object read by a function');
SELECT lo_unlink(4712);
-- sequences and statistics
CREATE SEQUENCE counter_seq;
CREATE FUNCTION of_sequence() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT last_value FROM counter_seq';
SELECT cache_create('sequence', 'of_sequence()');
SELECT nextval('counter_seq'), nextval('counter_seq');
SELECT cache_get('sequence');
SELECT nextval('counter_seq');
SELECT is(cache_get('sequence'), '3', 'a sequence');

-- A watch that a restore makes, in a session that knows the cache already.
CREATE TABLE restored (k int, v int);
INSERT INTO restored VALUES (1, 10);
CREATE FUNCTION of_restored(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM restored WHERE k = a';
SELECT cache_create('restored', 'of_restored(int)');
SELECT cache_get('restored', 1);
CREATE TRIGGER watching AFTER INSERT OR UPDATE OR DELETE ON restored FOR EACH ROW EXECUTE FUNCTION cache_trigger('restored', 'k');
ALTER TABLE restored ENABLE ALWAYS TRIGGER watching;
SELECT exact('restored', '1', 'of_restored', 'a watch made by CREATE TRIGGER');
BEGIN;
SELECT cache_get('restored', 1);
SELECT is((SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'restored'::regclass), 1::bigint, 'a hit locks the table');
COMMIT;
SELECT * FROM finish();
DROP OWNED BY regress_cache_writer, regress_cache_forger CASCADE;
DROP ROLE regress_cache_writer, regress_cache_forger;
