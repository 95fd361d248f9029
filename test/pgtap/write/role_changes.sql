-- Roles that come and go: what they are given and lose concerns their own entries of
-- SECURITY INVOKER loaders, and nobody else's, unless others use their rights.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_roles_app, regress_roles_upper, regress_roles_lease, regress_roles_other, regress_roles_owner, regress_roles_renamed, regress_roles_extra;
CREATE ROLE regress_roles_upper;
CREATE ROLE regress_roles_app IN ROLE regress_roles_upper;
CREATE ROLE regress_roles_owner IN ROLE regress_roles_app;
CREATE ROLE regress_roles_extra;
CREATE ROLE regress_roles_other IN ROLE regress_roles_app;
CREATE ROLE regress_roles_lease IN ROLE regress_roles_app;
CREATE TABLE cfg (id int PRIMARY KEY, tenant text, v text);
INSERT INTO cfg SELECT i, 'regress_roles_app', 'v' || i FROM generate_series(1, 4) i;
GRANT SELECT ON cfg TO regress_roles_app;
CREATE TABLE guarded (id int PRIMARY KEY, v text);
INSERT INTO guarded SELECT i, 'g' || i FROM generate_series(1, 4) i;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON guarded TO PUBLIC;
CREATE POLICY of_app ON guarded TO regress_roles_app USING (id < 3);
CREATE POLICY of_upper ON guarded TO regress_roles_upper USING (id = 4);
CREATE FUNCTION load_cfg(k int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM public.cfg WHERE id = k';
CREATE FUNCTION load_guarded(k int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM public.guarded WHERE id = k';
CREATE FUNCTION by_owner(k int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT v FROM public.cfg WHERE id = k';
ALTER FUNCTION by_owner(int) OWNER TO regress_roles_owner;
-- An inner cache, used with another role's rights
CREATE FUNCTION inner_get(k int) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER AS
  $$BEGIN RETURN public.cache_get('cfg', k); EXCEPTION WHEN insufficient_privilege THEN RETURN '"refused"'; END$$;
ALTER FUNCTION inner_get(int) OWNER TO regress_roles_owner;
CREATE FUNCTION as_owner(k int) RETURNS jsonb LANGUAGE plpgsql STABLE SET role = 'regress_roles_owner' AS
  $$BEGIN RETURN public.cache_get('cfg', k); END$$;
CREATE FUNCTION load_definer(k int) RETURNS text LANGUAGE sql STABLE AS 'SELECT public.by_owner(k)';
CREATE FUNCTION load_inner(k int) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT public.inner_get(k)';
CREATE FUNCTION load_as(k int) RETURNS jsonb LANGUAGE plpgsql STABLE AS 'BEGIN RETURN public.as_owner(k); END';
SELECT cache_create('cfg', 'load_cfg(int)'), cache_watch('cfg', 'cfg', 'id');
SELECT cache_create('guarded', 'load_guarded(int)'), cache_watch('guarded', 'guarded', 'id');
SELECT cache_create('definer', 'load_definer(int)'), cache_watch('definer', 'cfg', 'id');
SELECT cache_create('inner', 'load_inner(int)'), cache_watch('inner', 'cfg', 'id');
SELECT cache_create('as_owner', 'load_as(int)'), cache_watch('as_owner', 'cfg', 'id');

-- same gives what in the caches differs from what a direct call gives, errors included.
CREATE FUNCTION same(role text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  wrong text;
  c record;
BEGIN
  FOR c IN SELECT * FROM (VALUES ('cfg', 'load_cfg'), ('guarded', 'load_guarded'), ('definer', 'load_definer'),
    ('inner', 'load_inner'), ('as_owner', 'load_as')) x (cache, loader), generate_series(1, 4) k
  LOOP
    IF run(format('SELECT cache_get(%L, %s)', c.cache, c.k), role)
      IS DISTINCT FROM run(format('SELECT to_jsonb(public.%I(%s))', c.loader, c.k), role)
    THEN
      wrong := concat_ws(' ', wrong, c.cache || c.k);
    END IF;
  END LOOP;
  RETURN wrong;
END $$;
-- What policies decide is never stored.
CREATE FUNCTION loads() RETURNS bigint LANGUAGE sql AS $$ SELECT counter(NULL, 'loads') - counter('guarded', 'loads') $$;
CREATE FUNCTION keep() RETURNS void LANGUAGE sql AS $$ SELECT set_config('roles.before', loads()::text, false) $$;
CREATE FUNCTION more() RETURNS bool LANGUAGE sql AS $$ SELECT loads() > current_setting('roles.before')::bigint $$;

-- mine, others: whether the role's own entries, and those of others, are emptied
CREATE TABLE commands (n serial, command text, mine bool, others bool);
INSERT INTO commands (command, mine, others) VALUES
  ('ALTER ROLE regress_roles_lease VALID UNTIL ''2040-01-01''', false, false),
  ('ALTER ROLE regress_roles_lease LOGIN PASSWORD ''x'' CONNECTION LIMIT 7 CREATEDB', false, false),
  ('ALTER ROLE regress_roles_lease SET work_mem = ''8MB''', false, false),
  ('ALTER ROLE regress_roles_app VALID UNTIL ''2040-01-01''', false, false),
  ('ALTER ROLE regress_roles_owner VALID UNTIL ''2040-01-01''', false, false),
  ('CREATE ROLE regress_roles_renamed IN ROLE regress_roles_app; DROP ROLE regress_roles_renamed', false, false),
  ('REVOKE regress_roles_app FROM regress_roles_lease', true, false),
  ('GRANT regress_roles_upper TO regress_roles_lease', true, false),
  ('REVOKE regress_roles_upper FROM regress_roles_lease', true, false),
  ('GRANT regress_roles_app TO regress_roles_lease', true, false),
  ('ALTER ROLE regress_roles_lease NOINHERIT', true, false),
  ('ALTER ROLE regress_roles_lease INHERIT', true, false),
  ('ALTER ROLE regress_roles_lease BYPASSRLS', true, false),
  ('ALTER ROLE regress_roles_lease NOBYPASSRLS VALID UNTIL ''2041-01-01''', true, false),
  ('ALTER ROLE regress_roles_lease RENAME TO regress_roles_renamed; ALTER ROLE regress_roles_renamed RENAME TO regress_roles_lease', true, false),
  ('BEGIN; ALTER ROLE regress_roles_lease SUPERUSER; ALTER ROLE regress_roles_lease NOSUPERUSER; COMMIT', true, false),
  ('BEGIN; SAVEPOINT s; ALTER ROLE regress_roles_lease SUPERUSER; ROLLBACK TO s; ALTER ROLE regress_roles_lease VALID UNTIL ''2042-01-01''; COMMIT', false, false),
  ('BEGIN; SAVEPOINT s; REVOKE regress_roles_app FROM regress_roles_lease; RELEASE s; COMMIT', true, false),
  ('DO $q$BEGIN EXECUTE ''GRANT regress_roles_app TO regress_roles_lease'';END$q$', true, false),
  ('BEGIN; REVOKE regress_roles_app FROM regress_roles_lease; PREPARE TRANSACTION ''p''; COMMIT PREPARED ''p''', true, false),
  ('BEGIN; GRANT regress_roles_app TO regress_roles_lease; PREPARE TRANSACTION ''p''; ROLLBACK PREPARED ''p''', true, false),
  ('GRANT regress_roles_app TO regress_roles_lease', true, false),
  -- what others depend on
  ('GRANT regress_roles_extra TO regress_roles_other', false, true),
  ('ALTER ROLE regress_roles_extra NOINHERIT', false, true),
  ('REVOKE regress_roles_extra FROM regress_roles_other', false, true),
  ('REVOKE regress_roles_upper FROM regress_roles_app', true, true),
  ('GRANT regress_roles_upper TO regress_roles_app', true, true),
  ('REVOKE regress_roles_app FROM regress_roles_owner', true, true),
  ('GRANT regress_roles_app TO regress_roles_owner', true, true),
  ('ALTER ROLE regress_roles_owner NOINHERIT', true, true),
  ('ALTER ROLE regress_roles_owner INHERIT', true, true),
  ('ALTER ROLE regress_roles_app NOINHERIT', true, true),
  ('ALTER ROLE regress_roles_app INHERIT', true, true),
  ('UPDATE pg_authid SET rolvaliduntil = NULL WHERE rolname = ''regress_roles_other''', true, true),
  -- and the end of a lease
  ('DROP OWNED BY regress_roles_lease', false, false),
  ('REVOKE regress_roles_app FROM regress_roles_lease', true, false);
UPDATE commands SET mine = NULL WHERE command LIKE 'DROP OWNED%';
SELECT plan((SELECT count(*) FROM commands)::int * 4 + 8);
CREATE FUNCTION in_order(label text, who text, want bool) RETURNS text LANGUAGE sql AS
  $$ SELECT CASE WHEN want IS NULL THEN pass(label) ELSE is(more(), want, format('emptied for %s: %s', who, left(label, 90))) END $$;
CREATE FUNCTION warm() RETURNS text LANGUAGE sql AS
  $$ SELECT concat_ws(' ', same(), same('regress_roles_other'), same('regress_roles_lease')) $$;
SELECT unnest(ARRAY['SELECT warm()', 'SELECT warm()', 'SELECT keep()'] ||
  string_to_array(command, '; ') || ARRAY[
  'SELECT keep()',
  format('SELECT is(concat(same(), same(''regress_roles_other'')), '''', %L)', 'exact for others: ' || left(command, 90)),
  format('SELECT in_order(%L, ''others'', %L)', command, others),
  'SELECT keep()',
  format('SELECT is(same(''regress_roles_lease''), NULL, %L)', 'exact for the role: ' || left(command, 90)),
  format('SELECT in_order(%L, ''the role'', %L)', command, CASE WHEN others THEN NULL ELSE mine END)])
FROM commands ORDER BY n
\gexec

-- A session goes on as a role that is dropped.
CREATE EXTENSION dblink;
CREATE FUNCTION remote(query text) RETURNS text LANGUAGE plpgsql AS
  $$BEGIN RETURN (SELECT r FROM dblink('lease', query) d (r text)); EXCEPTION WHEN OTHERS THEN RETURN 'ERROR ' || sqlstate; END$$;
SELECT dblink_connect('lease', format('host=%s port=%s dbname=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()));
GRANT regress_roles_app TO regress_roles_lease;
SELECT dblink_exec('lease', 'SET ROLE regress_roles_lease');
SELECT is(remote($$SELECT cache_get('cfg', 1)$$), '"v1"', 'the lease reads');
SELECT is(remote($$SELECT cache_get('cfg', 1)$$), '"v1"', 'again');
SELECT warm();
SELECT keep();
DROP ROLE regress_roles_lease;
SELECT is(remote($$SELECT cache_get('cfg', 1)$$), 'ERROR 42501', 'a session of a role that is gone reads nothing that is hot');
SELECT is(remote($$SELECT to_jsonb(load_cfg(1))$$), 'ERROR 42501', 'nor does its loader');
SELECT is(remote($$SELECT cache_get('guarded', 1)$$), remote($$SELECT to_jsonb(load_guarded(1))$$), 'nor by policies');
SELECT is(remote($$SELECT cache_get('definer', 1)$$), remote($$SELECT to_jsonb(load_definer(1))$$), 'what all may, it may');
SELECT is(remote($$SELECT cache_get('guarded', 3)$$), remote($$SELECT to_jsonb(load_guarded(3))$$), 'and others nothing');
SELECT dblink_disconnect('lease');
SELECT keep();
SELECT same(), same('regress_roles_other');
SELECT is(more(), false, 'hot for all others');
DROP OWNED BY regress_roles_app, regress_roles_upper, regress_roles_other, regress_roles_owner CASCADE;
DROP ROLE regress_roles_app, regress_roles_upper, regress_roles_other, regress_roles_owner, regress_roles_extra;
SELECT * FROM finish();
