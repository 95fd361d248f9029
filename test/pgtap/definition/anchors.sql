-- Caches as objects of the database: what they depend on, and what depends on them;
-- whose they are.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_leaver, regress_cache_team, regress_cache_other;
CREATE ROLE regress_cache_leaver;
CREATE ROLE regress_cache_team;
CREATE ROLE regress_cache_other;
GRANT CREATE ON SCHEMA public TO regress_cache_leaver, regress_cache_team;
SELECT * FROM no_plan();
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 10);

-- make makes a cache with two watches, and everything that a DROP could reach it by;
-- left gives what there is of caches, anchors and watches.
CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  CREATE SCHEMA s;
  CREATE DOMAIN s.key AS int;
  CREATE TABLE s.rows (k int, v int);
  CREATE FUNCTION s.load(a s.key) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.t WHERE k = a';
  CREATE FUNCTION s.load_row(a s.rows) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.t WHERE k = a.k';
  PERFORM cache_create('c', 's.load(s.key)'), cache_watch('c', 't', 'k'), cache_watch('c', 's.rows', 'k');
  PERFORM cache_create('row', 's.load_row(s.rows)'), cache_watch('row', 't');
END $$;
CREATE FUNCTION left_over(OUT caches text[], OUT servers text[], OUT watches text[], OUT triggers int) LANGUAGE sql AS $$
  SELECT ARRAY(SELECT name::text FROM cache_definition ORDER BY 1), ARRAY(SELECT srvname::text FROM pg_foreign_server ORDER BY 1),
    ARRAY(SELECT DISTINCT cache FROM cache_watches ORDER BY 1), (SELECT count(*)::int FROM pg_trigger WHERE tgfoid = 'cache_trigger'::regproc)
$$;

-- What is refused without CASCADE, and what goes with it.
SELECT unnest(ARRAY[
  'SELECT make()',
  format('SELECT throws_ok(%L, ''2BP01'', NULL, %L)', command, command || ' is refused'),
  'SELECT is((SELECT cardinality(caches) FROM left_over()), 2, ''nothing has gone'')',
  'SELECT cache_get(''c'', 1)',
  format('SELECT lives_ok(%L, %L)', command || ' CASCADE', command || ' CASCADE'),
  format('SELECT is(caches::text || servers::text || watches::text || triggers, %L, %L) FROM left_over()', rest, command || ' takes along what it should'),
  'SELECT lives_ok(''UPDATE t SET v = v + 1'', ''a write afterwards'')',
  'DROP SCHEMA IF EXISTS s CASCADE'])
FROM (VALUES
  ('DROP FUNCTION s.load(s.key)', '{row}{"cache row"}{row}2'),
  ('DROP DOMAIN s.key', '{row}{"cache row"}{row}2'),
  ('DROP TABLE s.rows', '{c}{"cache c"}{c}2'),
  ('DROP SCHEMA s', '{}{}{}0'),
  ('DROP ROUTINE s.load(s.key), s.load_row(s.rows)', '{}{}{}0')) v (command, rest)
\gexec
SELECT is(caches, '{}', 'nothing is left') FROM left_over();

-- The message names the cache.
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION load2(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION detail_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text;
BEGIN
  EXECUTE command;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RETURN detail;
END $$;
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_create('Odd "name"', 'load(int)');
SELECT is(detail_of('DROP FUNCTION load(int)'), E'server cache c depends on function load(integer)\nserver cache Odd "name" depends on function load(integer)', 'the detail');
SELECT cache_drop('Odd "name"');

-- Rolled back, the cache is as it was, and hot.
SELECT cache_get('c', 1);
BEGIN;
DROP FUNCTION load(int) CASCADE;
SELECT throws_ok('SELECT cache_get(''c'', 1)', '42704', NULL, 'gone in this transaction');
ROLLBACK;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'still hot');
UPDATE t SET v = 11;
SELECT is(cache_get('c', 1), '11', 'and watched');
-- to a savepoint
BEGIN;
SAVEPOINT a;
DROP FUNCTION load(int) CASCADE;
ROLLBACK TO a;
UPDATE t SET v = 12;
SELECT is(cache_get('c', 1), '12', 'rolled back to a savepoint');
COMMIT;
SELECT is(cache_get('c', 1), '12', 'and committed');

-- Another loader; one that is renamed or replaced.
SELECT cache_alter('c', 'load2(int)');
SELECT lives_ok('DROP FUNCTION load(int)', 'the former loader can be dropped');
ALTER FUNCTION load2(int) RENAME TO load;
CREATE OR REPLACE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v + 1 FROM t WHERE k = a';
SELECT is(cache_get('c', 1), '13', 'it is followed');
SELECT throws_ok('DROP FUNCTION load(int)', '2BP01', NULL, 'by the dependency too');
SELECT cache_alter('c', ttl => '1 day');
SELECT throws_ok('DROP FUNCTION load(int)', '2BP01', NULL, 'after another alteration');
SELECT cache_create('system', 'pg_catalog.upper(text)');
SELECT is(cache_get('system', 'a'), '"A"', 'a loader of the system');
SELECT cache_drop('system');

-- The anchor itself.
SELECT is(run('CREATE SERVER "cache forged" TYPE ''forged'' FOREIGN DATA WRAPPER cache', 'regress_cache_other'), 'ERROR 42501', 'nobody else makes one');
SELECT is(run('DROP SERVER "cache c" CASCADE', 'regress_cache_other'), 'ERROR 42501', 'nor drops one');
SELECT is(run('ALTER SERVER "cache c" OWNER TO regress_cache_other', 'regress_cache_other'), 'ERROR 42501', 'nor takes one');
ALTER SERVER "cache c" RENAME TO renamed;
SELECT throws_ok('DROP FUNCTION load(int)', '2BP01', NULL, 'renamed');
SELECT cache_alter('c', ttl => '2 days');
SELECT is((SELECT count(*) FROM pg_foreign_server), 1::bigint, 'and found');
CREATE FOREIGN DATA WRAPPER others;
CREATE SERVER "cache taken" FOREIGN DATA WRAPPER others;
SELECT cache_create('taken', 'load(int)'), cache_create(repeat('n', 63), 'load(int)'), cache_create(repeat('ä', 31), 'load(int)'), cache_create(repeat('n', 57) || 'x', 'load(int)');
SELECT cache_alter('taken', ttl => '1 day'), cache_alter(repeat('ä', 31), ttl => '1 day'), cache_alter(repeat('n', 63), ttl => '1 day');
SELECT is((SELECT array_agg(srvtype ORDER BY srvtype COLLATE "C") FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = srvfdw WHERE fdwname = 'cache'),
          (SELECT array_agg(name::text ORDER BY name::text COLLATE "C") FROM cache_definition), 'one for each cache, whatever its name');
SELECT cmp_ok((SELECT max(octet_length(srvname::text)) FROM pg_foreign_server), '<=', 63, 'of names that fit');
DROP SERVER renamed;
SELECT is(run('SELECT cache_get(''c'', 1)'), 'ERROR 42704', 'DROP SERVER drops the cache');
SELECT is(triggers, 0, 'and its watches') FROM left_over();
DROP FUNCTION load(int) CASCADE;
SELECT is(servers, '{"cache taken"}', 'only what is others'' is left') FROM left_over();
DROP FOREIGN DATA WRAPPER others CASCADE;

-- Owners.
CREATE FUNCTION handed_over() RETURNS text[] LANGUAGE sql AS $$
  SELECT ARRAY(SELECT format('%s %s %s', name, owner, (SELECT srvowner::regrole FROM pg_foreign_server WHERE srvtype = name::text))
               FROM cache_definition ORDER BY name)
$$;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.t WHERE k = a';
GRANT SELECT, TRIGGER ON t TO regress_cache_leaver, regress_cache_team;
SET ROLE regress_cache_leaver;
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_create('kv'), cache_set('kv', 'a', '1');
RESET ROLE;
SELECT is(handed_over(), '{c regress_cache_leaver regress_cache_leaver,kv regress_cache_leaver regress_cache_leaver}', 'the owner of its anchor');
SELECT throws_ok('DROP ROLE regress_cache_leaver', '2BP01', NULL, 'DROP ROLE is refused');
SELECT alike(detail_of('DROP ROLE regress_cache_leaver'), '%owner of server cache c%owner of server cache kv%', 'and says why');
-- cache_alter()
SELECT is(run('SELECT cache_alter(''kv'', owner => ''regress_cache_team'')', 'regress_cache_leaver'), 'ERROR 42501', 'an owner who cannot become the new one');
SELECT is(run('SELECT cache_alter(''kv'', owner => ''regress_cache_other'')', 'regress_cache_other'), 'ERROR 42501', 'who is not the owner');
SELECT is(run('SELECT cache_alter(''kv'', owner => 0)'), 'ERROR 42704', 'no role');
SELECT is(run('SELECT cache_alter(''kv'', owner => ''nobody_of_this_name'')'), 'ERROR 42704', 'not a role');
GRANT regress_cache_team TO regress_cache_leaver;
SELECT is(run('SELECT cache_alter(''kv'', owner => ''regress_cache_team'')', 'regress_cache_leaver'), '', 'one who can');
SELECT is(handed_over(), '{c regress_cache_leaver regress_cache_leaver,kv regress_cache_team regress_cache_team}', 'has given it away');
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_team'), '1', 'with what was set');
SELECT cache_alter('kv', owner => 'regress_cache_leaver');
SELECT is(handed_over(), '{c regress_cache_leaver regress_cache_leaver,kv regress_cache_leaver regress_cache_leaver}', 'a superuser may do all');
BEGIN;
SELECT cache_alter('kv', owner => 'regress_cache_team');
ROLLBACK;
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_leaver'), '1', 'rolled back');
-- REASSIGN OWNED, by somebody who has both roles, and is no superuser
SELECT is(run('REASSIGN OWNED BY regress_cache_leaver TO regress_cache_team', 'regress_cache_other'), 'ERROR 42501', 'by others it is refused');
SELECT is(run('REASSIGN OWNED BY regress_cache_team TO regress_cache_other', 'regress_cache_team'), 'ERROR 42501', 'to a role that one has not, too');
SET ROLE regress_cache_leaver;
REASSIGN OWNED BY regress_cache_leaver TO regress_cache_team;
RESET ROLE;
SELECT is(handed_over(), '{c regress_cache_team regress_cache_team,kv regress_cache_team regress_cache_team}', 'REASSIGN OWNED by a member hands over');
SELECT exact('c', '1', 'load', 'it works for its new owner');
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_team'), '1', 'as does what was set');
SELECT is(run('SELECT cache_alter(''c'', ttl => ''1 day'')', 'regress_cache_team'), '', 'who may alter it');
REVOKE regress_cache_team FROM regress_cache_leaver;
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_leaver'), 'ERROR 42501', 'not the former one');
REASSIGN OWNED BY regress_cache_team TO regress_cache_leaver;
SELECT is(handed_over(), '{c regress_cache_leaver regress_cache_leaver,kv regress_cache_leaver regress_cache_leaver}', 'REASSIGN OWNED by a superuser');
ALTER SERVER "cache kv" OWNER TO regress_cache_team;
SELECT is(handed_over(), '{c regress_cache_leaver regress_cache_leaver,kv regress_cache_team regress_cache_team}', 'ALTER SERVER is followed');
-- DROP OWNED
SELECT cache_get('c', 1);
BEGIN;
DROP OWNED BY regress_cache_leaver, regress_cache_team;
ROLLBACK;
SELECT is(hits('c', 'SELECT cache_get(''c'', 1)'), 1::bigint, 'DROP OWNED, rolled back');
DROP OWNED BY regress_cache_leaver, regress_cache_team;
SELECT is(caches::text || servers::text || triggers, '{}{}0', 'DROP OWNED drops caches and watches') FROM left_over();
SELECT is((SELECT count(*) FROM cache_value), 0::bigint, 'and what was set');
SELECT lives_ok('DROP ROLE regress_cache_leaver, regress_cache_team, regress_cache_other', 'then roles can be dropped');

-- Caches without an anchor, as an older release has made them or a restore without the
-- library has: the first command that asks for it makes it good.
CREATE ROLE regress_cache_leaver;
CREATE PROCEDURE forget_anchors() LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL allow_system_table_mods = on;
  DELETE FROM pg_depend WHERE (classid = 'pg_foreign_server'::regclass OR refclassid = 'pg_foreign_server'::regclass);
  DELETE FROM pg_shdepend WHERE classid = 'pg_foreign_server'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database());
  DELETE FROM pg_foreign_server;
END $$;
CREATE PROCEDURE restore_anchors() LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL allow_system_table_mods = on;
  DELETE FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND refclassid = 'pg_foreign_server'::regclass;
  DELETE FROM pg_depend WHERE classid = 'pg_foreign_server'::regclass AND refclassid = 'pg_proc'::regclass;
  UPDATE pg_depend SET deptype = 'n' WHERE classid = 'pg_foreign_server'::regclass;
END $$;
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_alter('c', owner => 'regress_cache_leaver'), cache_create('kv');
SELECT unnest(ARRAY[
  format('CALL %s()', how),
  format('SELECT %s(%L, %s %L)', assertion, command, CASE assertion WHEN 'throws_ok' THEN '''2BP01'', NULL,' ELSE '' END, command || ' after ' || how),
  format('SELECT is(caches::text || servers::text || watches::text || triggers, %L, %L) FROM left_over()', rest, 'made good by ' || command || ' after ' || how)])
FROM (VALUES ('forget_anchors'), ('restore_anchors')) w (how), (VALUES
  ('DROP FUNCTION load(int)', 'throws_ok', '{c,kv}{}{c}2'), ('DROP ROLE regress_cache_leaver', 'throws_ok', '{c,kv}{}{c}2'),
  ('SELECT cache_alter(''kv'', ttl => ''1 day'')', 'lives_ok', '{c,kv}{"cache c","cache kv"}{c}2'),
  ('SELECT cache_create(''c'', ''load(int)'', if_not_exists => true)', 'lives_ok', '{c,kv}{"cache c","cache kv"}{c}2'),
  ('SELECT cache_watch(''c'', ''t'', ''k'', if_not_exists => true)', 'lives_ok', '{c,kv}{"cache c","cache kv"}{c}2'),
  ('REASSIGN OWNED BY regress_cache_leaver TO regress_cache_leaver', 'lives_ok', '{c,kv}{"cache c","cache kv"}{c}2')) v (command, assertion, rest)
WHERE NOT (assertion = 'throws_ok' AND how = 'restore_anchors')
\gexec
CALL restore_anchors();
SELECT throws_ok('DROP FUNCTION load(int)', '2BP01', NULL, 'after restore_anchors');
CALL forget_anchors();
DROP FUNCTION load(int) CASCADE;
SELECT is(caches::text || servers::text || watches::text || triggers, '{kv}{"cache kv"}{}0', 'DROP FUNCTION CASCADE') FROM left_over();
CALL forget_anchors();
SELECT cache_alter('kv', owner => 'regress_cache_leaver');
CALL forget_anchors();
DROP OWNED BY regress_cache_leaver;
SELECT is(caches::text || servers::text, '{}{}', 'DROP OWNED') FROM left_over();
DROP ROLE regress_cache_leaver;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.t WHERE k = a';
SELECT cache_create('c', 'load(int)'), cache_watch('c', 't', 'k'), cache_create('kv'), cache_set('kv', 'a', '1');
CALL restore_anchors();
SELECT lives_ok('DROP EXTENSION cache', 'DROP EXTENSION needs no CASCADE');
SELECT is((SELECT count(*) FROM pg_foreign_server), 0::bigint, 'and leaves nothing');
SELECT * FROM finish();
