-- Who may read what: nobody reads through the cache what he could not read
-- directly, also when rights are revoked while an entry is hot.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_alice, regress_cache_bob, regress_cache_group, regress_cache_owner;
CREATE ROLE regress_cache_alice;
CREATE ROLE regress_cache_bob;
CREATE ROLE regress_cache_group;
CREATE ROLE regress_cache_owner;
RESET client_min_messages;
GRANT CREATE ON SCHEMA public TO regress_cache_owner;
GRANT regress_cache_group TO regress_cache_alice;
CREATE TABLE secret (k int PRIMARY KEY, v text, w text);
INSERT INTO secret VALUES (1, 'one', 'wone'), (2, 'two', 'wtwo');
CREATE FUNCTION invoker(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM public.secret WHERE k = a';
CREATE FUNCTION definer(a int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT v FROM public.secret WHERE k = a';
CREATE FUNCTION whoami() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
CREATE FUNCTION whoami_definer() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT current_user::text';
SELECT cache_create('invoker', 'invoker(int)'), cache_watch('invoker', 'secret', 'k');
SELECT cache_create('definer', 'definer(int)'), cache_watch('definer', 'secret', 'k');
SELECT cache_create('whoami', 'whoami()'), cache_create('whoami_definer', 'whoami_definer()');
SELECT plan(104);

-- SECURITY INVOKER: the table's rights are the caller's
SELECT agrees('invoker', '1', 'invoker', 'superuser');
SELECT agrees('invoker', '1', 'invoker', 'a role without rights on the table', 'regress_cache_alice');
SELECT is(run('SELECT cache_get(''invoker'', 1)', 'regress_cache_alice'), 'ERROR 42501', 'is refused, though the entry is hot');
GRANT SELECT ON secret TO regress_cache_alice;
SELECT agrees('invoker', '1', 'invoker', 'granted', 'regress_cache_alice');
SELECT is(hits('invoker', 'SELECT cache_get(''invoker'', 1)', 'regress_cache_alice'), 1::bigint, 'hot for its own role');
SELECT agrees('invoker', '1', 'invoker', 'another role', 'regress_cache_bob');
REVOKE SELECT ON secret FROM regress_cache_alice;
SELECT agrees('invoker', '1', 'invoker', 'SELECT revoked while hot', 'regress_cache_alice');
GRANT SELECT (k, v) ON secret TO regress_cache_alice;
SELECT agrees('invoker', '1', 'invoker', 'granted by columns', 'regress_cache_alice');
REVOKE SELECT (v) ON secret FROM regress_cache_alice;
SELECT agrees('invoker', '1', 'invoker', 'a column revoked while hot', 'regress_cache_alice');
SELECT is(run('SELECT cache_get(''invoker'', 1)', 'regress_cache_alice'), 'ERROR 42501', 'is refused');
-- through a group
GRANT SELECT ON secret TO regress_cache_group;
SELECT agrees('invoker', '1', 'invoker', 'granted to a group', 'regress_cache_alice');
SELECT is(run('SELECT cache_get(''invoker'', 1)', 'regress_cache_alice'), '"one"', 'is allowed');
REVOKE regress_cache_group FROM regress_cache_alice;
SELECT agrees('invoker', '1', 'invoker', 'membership revoked while hot', 'regress_cache_alice');
SELECT is(run('SELECT cache_get(''invoker'', 1)', 'regress_cache_alice'), 'ERROR 42501', 'is refused');
GRANT regress_cache_group TO regress_cache_alice;
SELECT agrees('invoker', '1', 'invoker', 'membership granted again', 'regress_cache_alice');
ALTER ROLE regress_cache_alice NOINHERIT;
SELECT agrees('invoker', '1', 'invoker', 'NOINHERIT while hot', 'regress_cache_alice');
ALTER ROLE regress_cache_alice INHERIT;
-- rolled back, and in this transaction
BEGIN;
REVOKE SELECT ON secret FROM regress_cache_group;
SELECT agrees('invoker', '1', 'invoker', 'revoked in this transaction', 'regress_cache_alice');
ROLLBACK;
SELECT agrees('invoker', '1', 'invoker', 'and rolled back', 'regress_cache_alice');
-- the schema
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
SELECT is(run('SELECT public.cache_get(''invoker'', 1)', 'regress_cache_alice'), 'ERROR 42501', 'USAGE on the schema revoked while hot');
GRANT USAGE ON SCHEMA public TO PUBLIC;
SELECT agrees('invoker', '1', 'invoker', 'and granted again', 'regress_cache_alice');
-- superuser no longer
ALTER ROLE regress_cache_bob SUPERUSER;
SELECT agrees('invoker', '1', 'invoker', 'a new superuser', 'regress_cache_bob');
ALTER ROLE regress_cache_bob NOSUPERUSER;
SELECT is(run('SELECT cache_get(''invoker'', 1)', 'regress_cache_bob'), 'ERROR 42501', 'superuser no longer');

-- SECURITY DEFINER: shared
SELECT agrees('definer', '1', 'definer', 'definer, superuser');
SELECT is(hits('definer', 'SELECT cache_get(''definer'', 1)', 'regress_cache_bob'), 1::bigint, 'the entry of a definer is shared');
SELECT agrees('definer', '2', 'definer', 'definer, without rights on the table', 'regress_cache_bob');
-- EXECUTE
REVOKE EXECUTE ON FUNCTION definer(int) FROM PUBLIC;
SELECT agrees('definer', '1', 'definer', 'EXECUTE revoked while hot', 'regress_cache_bob');
SELECT is(run('SELECT cache_get(''definer'', 1)', 'regress_cache_bob'), 'ERROR 42501', 'is refused');
SELECT is(run('SELECT cache_get_as(NULL::text, ''definer'', 1)', 'regress_cache_bob'), 'ERROR 42501', 'as text too');
GRANT EXECUTE ON FUNCTION definer(int) TO regress_cache_group;
SELECT agrees('definer', '1', 'definer', 'EXECUTE by a group', 'regress_cache_alice');
-- ... at one call site, prepared while it was allowed
PREPARE get AS SELECT cache_get('definer', 1);
SET ROLE regress_cache_alice;
EXECUTE get;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION definer(int) FROM regress_cache_group;
SET ROLE regress_cache_alice;
SELECT throws_ok('EXECUTE get', '42501', NULL, 'a prepared statement, after EXECUTE was revoked');
RESET ROLE;
SELECT lives_ok('EXECUTE get', 'and as the owner');
SET ROLE regress_cache_bob;
SELECT throws_ok('EXECUTE get', '42501', NULL, 'and as somebody else');
RESET ROLE;
GRANT EXECUTE ON FUNCTION definer(int) TO PUBLIC;
-- who the loader thinks it is
SELECT agrees('whoami', '', 'whoami', 'current_user');
SELECT agrees('whoami', '', 'whoami', 'current_user of a role', 'regress_cache_alice');
SELECT agrees('whoami', '', 'whoami', 'current_user of another role', 'regress_cache_bob');
SELECT agrees('whoami_definer', '', 'whoami_definer', 'current_user of a definer', 'regress_cache_bob');
SET SESSION AUTHORIZATION regress_cache_bob;
SELECT is(cache_get('whoami'), '"regress_cache_bob"', 'SET SESSION AUTHORIZATION');
SELECT is(cache_get('whoami_definer'), to_jsonb(whoami_definer()), 'a definer under SET SESSION AUTHORIZATION');
SELECT throws_ok('SELECT cache_get(''invoker'', 2)', '42501', NULL, 'and no more rights');
RESET SESSION AUTHORIZATION;
SELECT is(cache_get('whoami'), to_jsonb(current_user::text), 'RESET SESSION AUTHORIZATION');
ALTER FUNCTION whoami_definer() OWNER TO regress_cache_owner;
SELECT agrees('whoami_definer', '', 'whoami_definer', 'after ALTER FUNCTION OWNER', 'regress_cache_bob');
ALTER FUNCTION definer(int) OWNER TO regress_cache_owner;
SELECT agrees('definer', '1', 'definer', 'an owner who may not read the table', 'regress_cache_bob');
SELECT is(run('SELECT cache_get(''definer'', 1)'), 'ERROR 42501', 'is refused also to the superuser');
ALTER FUNCTION definer(int) SECURITY INVOKER;
SELECT agrees('definer', '1', 'definer', 'turned into an invoker', 'regress_cache_bob');
SELECT agrees('definer', '1', 'definer', 'turned into an invoker, superuser');
-- callers that are definers themselves
CREATE FUNCTION by_definer(a int) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT public.cache_get(''invoker'', a)';
CREATE FUNCTION direct_by_definer(a int) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT to_jsonb(public.invoker(a))';
SELECT is(run('SELECT by_definer(2)', 'regress_cache_bob'), run('SELECT direct_by_definer(2)', 'regress_cache_bob'), 'within a definer');
SELECT is(run('SELECT cache_get(''invoker'', 2)', 'regress_cache_bob'), 'ERROR 42501', 'but not outside');
CREATE VIEW through AS SELECT cache_get('invoker', 2) AS v;
GRANT SELECT ON through TO PUBLIC;
SELECT is(run('SELECT v FROM through', 'regress_cache_bob'), 'ERROR 42501', 'functions in a view run as its reader');

-- owners only
GRANT SELECT ON secret TO regress_cache_bob;
SELECT is(run(query, 'regress_cache_bob'), 'ERROR 42501', 'not the owner: ' || query)
FROM unnest(ARRAY['SELECT cache_alter(''invoker'', ttl => ''1 day'')', 'SELECT cache_drop(''invoker'')',
                  'SELECT cache_watch(''invoker'', ''secret'')', 'SELECT cache_unwatch(''invoker'', ''secret'')',
                  'SELECT cache_stats_reset(''invoker'')', 'DELETE FROM cache_definition RETURNING name']) query;

-- invalidating: for those who may write to a watched table, and for the owner
CREATE TABLE parted (k int, v text) PARTITION BY LIST (k);
CREATE TABLE part PARTITION OF parted FOR VALUES IN (1);
CREATE FUNCTION parted(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM public.parted WHERE k = a';
CREATE FUNCTION unwatched(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a';
SELECT cache_create('parted', 'parted(int)'), cache_watch('parted', 'parted', 'k');
SELECT cache_create('unwatched', 'unwatched(int)'), cache_create('plain');
-- invalidates asserts that a role may invalidate a cache, or that it may not: by key and as a whole.
CREATE FUNCTION invalidates(cache text, role text, may boolean, label text) RETURNS text LANGUAGE sql AS $$
  SELECT is(ARRAY[run(format('SELECT cache_invalidate(%L, 1)', cache), role),
                  run(format('SELECT cache_invalidate(%L, ''1'')', cache), role),
                  run(format('SELECT cache_invalidate(%L)', cache), role)],
            array_fill(CASE WHEN may THEN '' ELSE 'ERROR 42501' END, ARRAY[3]), label)
$$;
SELECT invalidates('invoker', 'regress_cache_bob', false, 'who reads only may not invalidate');
SELECT invalidates('definer', 'regress_cache_bob', false, 'nor who may only call the loader');
SELECT run('SELECT cache_get(''invoker'', 1)');
SELECT is(hits('invoker', 'SELECT cache_get(''invoker'', 1)'), 1::bigint, 'and nothing is gone');
CREATE FUNCTION granted(privilege text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text[];
BEGIN
  EXECUTE format('GRANT %s ON secret TO regress_cache_bob', privilege);
  result := result || invalidates('invoker', 'regress_cache_bob', privilege ~ '^(INSERT|UPDATE|DELETE|TRUNCATE)$', privilege);
  EXECUTE format('REVOKE %s ON secret FROM regress_cache_bob', privilege);
  result := result || invalidates('invoker', 'regress_cache_bob', false, privilege || ' no longer');
  RETURN array_to_string(result, E'\n');
END $$;
SELECT granted(privilege) FROM unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,UPDATE (v)}'::text[]) AS privilege;
GRANT INSERT ON secret TO regress_cache_group;
SELECT invalidates('invoker', 'regress_cache_alice', true, 'by a group');
REVOKE INSERT ON secret FROM regress_cache_group;
GRANT pg_write_all_data TO regress_cache_bob;
SELECT invalidates('invoker', 'regress_cache_bob', true, 'who may write to all tables');
SELECT invalidates('unwatched', 'regress_cache_bob', false, 'not where nothing is watched');
SELECT is(run('SELECT cache_invalidate(''plain'', ''a'')', 'regress_cache_bob'), 'ERROR 42501', 'nor where there is no loader');
SELECT is(run('SELECT cache_invalidate(''plain'')', 'regress_cache_bob'), 'ERROR 42501', 'nor all of that');
REVOKE pg_write_all_data FROM regress_cache_bob;
REVOKE EXECUTE ON FUNCTION invoker(int) FROM PUBLIC;
REVOKE SELECT ON secret FROM regress_cache_bob;
GRANT DELETE ON secret TO regress_cache_bob;
SELECT is(run('SELECT cache_get(''invoker'', 1)', 'regress_cache_bob'), 'ERROR 42501', 'who writes but does not read');
SELECT invalidates('invoker', 'regress_cache_bob', true, 'may invalidate');
GRANT EXECUTE ON FUNCTION invoker(int) TO PUBLIC;
GRANT SELECT ON secret TO regress_cache_bob;
PREPARE invalidate AS SELECT cache_invalidate('invoker', 1);
SET ROLE regress_cache_bob;
SELECT lives_ok('EXECUTE invalidate', 'a prepared statement');
RESET ROLE;
REVOKE DELETE ON secret FROM regress_cache_bob;
SET ROLE regress_cache_bob;
SELECT throws_ok('EXECUTE invalidate', '42501', 'permission denied to invalidate cache "invoker"', 'is not allowed later');
RESET ROLE;
SELECT lives_ok('EXECUTE invalidate', 'but to a superuser');
GRANT UPDATE ON part TO regress_cache_bob;
SELECT invalidates('parted', 'regress_cache_bob', true, 'who may write to a partition');
-- the owner's role, and a function by which it lets others
SELECT run('SELECT cache_create(''of_group'', ''unwatched(int)'')', 'regress_cache_group');
SELECT invalidates('of_group', 'regress_cache_alice', true, 'a member of the owner''s role');
SELECT invalidates('of_group', 'regress_cache_bob', false, 'not a member');
GRANT CREATE ON SCHEMA public TO regress_cache_group;
SET ROLE regress_cache_group;
CREATE FUNCTION refresh(a int) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
  'SELECT cache_invalidate(''of_group'', a)';
RESET ROLE;
SELECT run('SELECT cache_get(''of_group'', 1)');
SELECT is(hits('of_group', 'SELECT cache_get(''of_group'', 1)'), 1::bigint, 'hot');
SELECT is(run('SELECT refresh(1)', 'regress_cache_bob'), NULL, 'by a function of the owner''s');
SELECT is(hits('of_group', 'SELECT cache_get(''of_group'', 1)'), 0::bigint, 'which invalidates');
-- counters are the owner's
GRANT pg_monitor TO regress_cache_bob;
SELECT is(run('SELECT cache_stats_reset(''of_group'')', 'regress_cache_bob'), 'ERROR 42501', 'who monitors does not reset');
REVOKE pg_monitor FROM regress_cache_bob;
SELECT is(run('SELECT cache_stats_reset(''of_group'')', 'regress_cache_alice'), '', 'members of the owner''s role do');

-- a role dropped and made again under its name is another role
GRANT TRIGGER ON secret TO regress_cache_owner;
SELECT run('SELECT cache_create(''owned'', ''invoker(int)'')', 'regress_cache_owner');
SELECT is(run('SELECT cache_alter(''owned'', ttl => ''1 day'')', 'regress_cache_owner'), '', 'the owner');
ALTER ROLE regress_cache_owner RENAME TO regress_cache_renamed;
SELECT is(run('SELECT cache_alter(''owned'', ttl => ''2 days'')', 'regress_cache_renamed'), '', 'the owner, renamed');
SELECT is(owner::text, 'regress_cache_renamed', 'its name now') FROM cache_definition WHERE name = 'owned';
SELECT is(cache_owner_send(owner), 'regress_cache_renamed'::bytea, 'in binary') FROM cache_definition WHERE name = 'owned';
ALTER ROLE regress_cache_renamed RENAME TO regress_cache_owner;
REASSIGN OWNED BY regress_cache_owner TO CURRENT_USER;
DROP OWNED BY regress_cache_owner;
DROP ROLE regress_cache_owner;
SELECT is(owner::text, current_user::text, 'handed over') FROM cache_definition WHERE name = 'owned';
CREATE ROLE regress_cache_owner;
SELECT is(run(query, 'regress_cache_owner'), 'ERROR 42501', 'made again: ' || query)
FROM unnest(ARRAY['SELECT cache_alter(''owned'', ttl => ''1 day'')', 'SELECT cache_drop(''owned'')']) query;
SELECT is(run('SELECT cache_get(''owned'', 1)'), '"one"', 'the cache works for its new owner');
SELECT is(run('SELECT cache_drop(''owned'')'), '', 'who can drop it');

-- the guard that makes revocations count
GRANT SELECT ON secret TO regress_cache_alice;
SELECT run('SELECT cache_get(''invoker'', 2)', 'regress_cache_alice');
SET cache.removed_guard = 'ddl';
REVOKE SELECT ON secret FROM regress_cache_alice, regress_cache_group;
SET cache.removed_guard = '';
SELECT is(run('SELECT cache_get(''invoker'', 2)', 'regress_cache_alice'), '"two"', 'guard ddl: a revoked right that still reads');

-- views and rules on top
CREATE VIEW on_top AS SELECT cache_get('invoker', 1) AS v;
CREATE VIEW on_top_direct AS SELECT to_jsonb(invoker(1)) AS v;
CREATE TABLE noted (v jsonb);
CREATE TABLE ruled (k int);
CREATE TABLE ruled_direct (k int);
CREATE RULE note AS ON INSERT TO ruled DO ALSO INSERT INTO noted SELECT cache_get('invoker', new.k);
CREATE RULE note AS ON INSERT TO ruled_direct DO ALSO INSERT INTO noted SELECT to_jsonb(invoker(new.k));
GRANT ALL ON on_top, on_top_direct, ruled, ruled_direct TO regress_cache_bob;
SELECT is(run('SELECT v FROM on_top', 'regress_cache_bob'), run('SELECT v FROM on_top_direct', 'regress_cache_bob'),
  'a view gives what it would without the cache');
SELECT is(run('INSERT INTO ruled VALUES (1) RETURNING k', 'regress_cache_bob'), run('INSERT INTO ruled_direct VALUES (1) RETURNING k', 'regress_cache_bob'),
  'and so does a rule');

-- the guards of reading
SELECT run('SELECT cache_get(''definer'', 1)');
SET cache.removed_guard = 'privileges';
SELECT is(run('SELECT cache_get(''definer'', 1)', 'regress_cache_bob'), '"one"', 'guard privileges: read without EXECUTE');
SELECT is(run('SELECT cache_invalidate(''definer'')', 'regress_cache_bob'), '', 'guard privileges: invalidated by somebody who only reads');
SET cache.removed_guard = 'role';
SELECT run('SELECT cache_get(''invoker'', 1)');
SELECT is(run('SELECT cache_get(''invoker'', 1)', 'regress_cache_bob'), '"one"', 'guard role: read from what another role has loaded');
SET cache.removed_guard = '';

SELECT * FROM finish();
DROP OWNED BY regress_cache_alice, regress_cache_bob, regress_cache_group, regress_cache_owner;
DROP ROLE regress_cache_alice, regress_cache_bob, regress_cache_group, regress_cache_owner;
