-- Restoring without being a superuser: who copies into cache_definition, or makes the
-- server that stands for a cache, can do what cache_create() would let him, and no more.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_restorer, regress_cache_team, regress_cache_other, regress_cache_nobody;
CREATE ROLE regress_cache_team;
CREATE ROLE regress_cache_restorer IN ROLE regress_cache_team;
CREATE ROLE regress_cache_other;
CREATE ROLE regress_cache_nobody;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_cache_restorer;
SELECT * FROM no_plan();
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 10), (2, 20);
GRANT ALL ON t TO regress_cache_restorer, regress_cache_nobody;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.t WHERE k = a';
CREATE FUNCTION secret(a int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT v FROM public.t WHERE k = a';
REVOKE EXECUTE ON FUNCTION secret(int) FROM PUBLIC;
SELECT cache_create('old', 'load(int)'), cache_watch('old', 't', 'k');

-- owners gives whose a cache is, by its definition and by its server.
CREATE FUNCTION owners(cache text) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', d.owner, srvowner::regrole) FROM cache_definition d LEFT JOIN pg_foreign_server ON srvtype = d.name WHERE d.name = cache
$$;

-- does executes a command as a role and gives its SQLSTATE, if it fails.
CREATE FUNCTION does(command text, role text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text;
BEGIN
  PERFORM set_config('role', role, true);
  BEGIN
    EXECUTE command;
  EXCEPTION WHEN OTHERS THEN
    state := 'ERROR ' || sqlstate;
  END;
  PERFORM set_config('role', 'none', true);
  RETURN state;
END $$;

SELECT is(does('INSERT INTO cache_definition SELECT * FROM cache_definition', 'regress_cache_restorer'), 'ERROR 42501', 'INSERT');
SELECT is(does('UPDATE cache_definition SET redis = true', 'regress_cache_restorer'), 'ERROR 42501', 'UPDATE');
SELECT is(does('COPY cache_definition FROM PROGRAM ''true''', 'regress_cache_restorer'), 'ERROR 42501', 'COPY FROM PROGRAM');
SELECT is(does('COPY cache_definition FROM ''/dev/null''', 'regress_cache_restorer'), 'ERROR 42501', 'COPY of a file');

-- What is accepted: one's own, a role's that one can become, somebody else's.
SET ROLE regress_cache_restorer;
COPY cache_definition (name, id, version, owner, loader_schema, loader_name, loader_args, ttl, max_cost, entry_cost, redis, settings, key_collations, trust) FROM stdin;
mine	1	1	regress_cache_restorer	public	load	{int}	\N	\N	\N	f	{"search_path=pg_temp, public",TimeZone=Asia/Tokyo}	\N	\N
team	2	2	regress_cache_team	public	load	{pg_catalog.int4}	1 hour	1000	10	t	{search_path=nowhere,TimeZone=nowhere}	{NULL}	{gone(int),pg_catalog.now()}
other	3	3	regress_cache_other	public	load	{integer}	\N	\N	\N	f	{}	\N	\N
roleless	4	4	no such role	\N	\N	\N	\N	\N	\N	f	{}	\N	\N
old	5	5	regress_cache_restorer	public	load	{int}	\N	\N	\N	f	{}	\N	\N
\.
RESET ROLE;
SELECT is(ARRAY[owners('mine'), owners('team'), owners('other'), owners('roleless'), owners('old')], ARRAY[
  'regress_cache_restorer regress_cache_restorer', 'regress_cache_team regress_cache_team', 'regress_cache_restorer regress_cache_restorer',
  'regress_cache_restorer regress_cache_restorer', current_user || ' ' || current_user], 'owners');
SELECT is((SELECT count(*) FROM cache_definition WHERE id < 10 OR version < 10), 0::bigint, 'with ids of their own');
SELECT is((SELECT settings[1:2] FROM cache_definition WHERE name = 'mine'), '{"search_path=public, pg_temp",TimeZone=Asia/Tokyo}', 'recorded anew');
SELECT is((SELECT ROW(ttl, max_cost, entry_cost, redis, loader_args, trust, settings[1])::text FROM cache_definition WHERE name = 'team'),
  ROW('1 hour'::interval, 1000, 10, true, '{integer}'::text[], '{pg_catalog.now()}'::text[], 'search_path=pg_temp')::text, 'options');
SELECT is(run('SELECT cache_watch(''mine'', ''t'', ''k'')', 'regress_cache_restorer'), '', 'watched');
SELECT exact('mine', '1', 'load', 'hot');
UPDATE t SET v = 11 WHERE k = 1;
SELECT exact('mine', '1', 'load', 'and written');
SELECT is(run('SELECT cache_alter(''team'', ttl => ''1 day'')', 'regress_cache_restorer'), '', 'altered by its owner');
SELECT is(run('SELECT cache_alter(''team'', ttl => ''1 day'')', 'regress_cache_other'), 'ERROR 42501', 'and by nobody else');
SELECT is(run('SELECT cache_set(''roleless'', ''k'', ''1''), cache_get(''roleless'', ''k'')', 'regress_cache_restorer'), '', 'a cache without a loader');

SELECT is(does('INSERT INTO cache_definition SELECT * FROM cache_definition', 'regress_cache_restorer'), 'ERROR 42501', 'the rights are what they were');

-- Servers.
SELECT is(does('CREATE SERVER "cache x" TYPE ''x'' FOREIGN DATA WRAPPER cache', 'regress_cache_nobody'), 'ERROR 42501', 'who may not create in the database');
SELECT is(does('CREATE SERVER second TYPE ''old'' FOREIGN DATA WRAPPER cache', 'regress_cache_restorer'), 'ERROR 42710', 'another server for somebody''s cache');
SELECT is(does('CREATE SERVER IF NOT EXISTS second TYPE ''old'' FOREIGN DATA WRAPPER cache', 'regress_cache_restorer'), NULL, 'or not');
SELECT is(does('CREATE SERVER typeless FOREIGN DATA WRAPPER cache', 'regress_cache_restorer'), 'ERROR 42501', 'a server for none');
SELECT is(does('CREATE SERVER x TYPE ''x'' FOREIGN DATA WRAPPER cache OPTIONS (a ''b'')', 'regress_cache_restorer'), 'ERROR 42501', 'options');
SELECT is(does('CREATE SERVER "cache x" TYPE ''x'' FOREIGN DATA WRAPPER cache', 'regress_cache_restorer'), NULL, 'a server for a cache to come');
SELECT is(does('ALTER SERVER "cache x" OWNER TO regress_cache_other', 'regress_cache_restorer'), 'ERROR 42501', 'given to a role that one cannot become');
SELECT is(does('ALTER SERVER "cache x" OWNER TO regress_cache_team', 'regress_cache_restorer'), NULL, 'given to one that one can');
SELECT is(does('ALTER SERVER "cache old" OWNER TO regress_cache_restorer', 'regress_cache_restorer'), 'ERROR 42501', 'a server of others');
CREATE TABLE own (k int, v int);
ALTER TABLE own OWNER TO regress_cache_team;
SELECT is(does('CREATE TRIGGER w AFTER INSERT OR UPDATE OR DELETE ON own FOR EACH ROW EXECUTE FUNCTION cache_trigger(''x'', ''v'')', 'regress_cache_other'), 'ERROR 42501', 'a watch for it, by others');
SELECT is(does('CREATE TRIGGER w AFTER INSERT OR UPDATE OR DELETE ON own FOR EACH ROW EXECUTE FUNCTION cache_trigger(''x'', ''v'')', 'regress_cache_restorer'), NULL, 'a watch for it, by its owner');
SELECT is(does('CREATE TRIGGER z AFTER INSERT OR UPDATE OR DELETE ON own FOR EACH ROW EXECUTE FUNCTION cache_trigger(''z'', ''v'')', 'regress_cache_restorer'), 'ERROR 42501', 'a watch for none');
SELECT cache_create('x', 'load(int)');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'own'::regclass), 0::bigint, 'somebody else creates the cache, and the watch is gone');
SELECT is(owners('x'), current_user || ' ' || current_user, 'who has a server of his own');
SELECT is(does('DROP SERVER "cache x"', 'regress_cache_restorer'), 'ERROR 42501', 'so that it can be dropped by no other');
SELECT is(does('CREATE SERVER "cache y" TYPE ''y'' FOREIGN DATA WRAPPER cache', 'regress_cache_restorer'), NULL, 'a server without a cache');
SELECT is(does('DROP SERVER "cache y"', 'regress_cache_restorer'), NULL, 'is dropped by its owner');
SELECT is(does('ALTER SERVER "cache mine" OWNER TO regress_cache_team', 'regress_cache_restorer'), NULL, 'a cache is given away');
SELECT is(owners('mine'), 'regress_cache_team regress_cache_team', 'as a whole');
DROP OWNED BY regress_cache_restorer, regress_cache_team, regress_cache_other, regress_cache_nobody;
SELECT is(ARRAY(SELECT name::text FROM cache_definition ORDER BY 1), '{old,x}', 'DROP OWNED');
DROP ROLE regress_cache_restorer, regress_cache_team, regress_cache_other, regress_cache_nobody;

SELECT * FROM finish();
