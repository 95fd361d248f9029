-- What is refused of definitions that are copied by others than superusers, as a
-- restore does. Nothing of such a command is inserted.
\set SHOW_CONTEXT never
CREATE ROLE regress_cache_restorer;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a';
CREATE FUNCTION secret(a int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT a';
REVOKE EXECUTE ON FUNCTION secret(int) FROM PUBLIC;

SET ROLE regress_cache_restorer;
COPY cache_definition (name, id, version, owner, loader_schema, loader_name, loader_args, redis, settings) FROM stdin;
good	1	1	regress_cache_restorer	public	load	{int}	f	{}
bad	1	1	regress_cache_restorer	public	secret	{int}	f	{}
\.
COPY cache_definition (name, id, version, owner, loader_schema, loader_name, loader_args, redis, settings) FROM stdin;
bad	1	1	regress_cache_restorer	public	gone	{int}	f	{}
\.
COPY cache_definition (name, id, version, owner, loader_schema, loader_name, loader_args, redis, settings) FROM stdin;
bad	1	1	regress_cache_restorer	public	load	{int}	f	{role=postgres}
\.
COPY cache_definition (name, id, version, owner, redis, settings) FROM stdin;
	1	1	regress_cache_restorer	f	{}
\.
COPY cache_definition (name, id, version, owner, redis) FROM stdin;
bad	1	1	regress_cache_restorer	f
\.
COPY cache_definition (id, version, owner, redis) FROM stdin;
1	1	regress_cache_restorer	f
\.
COPY cache_definition (name, id, version, owner, loader_name, redis, settings) FROM stdin;
bad	1	1	regress_cache_restorer	load	f	{}
\.
COPY cache_definition (name, id, version, owner, loader_schema, loader_name, loader_args, redis, settings) FROM stdin;
bad	1	1	regress_cache_restorer	public	load	{NULL}	f	{}
\.
COPY cache_definition (name, id, version, owner, loader_schema, loader_name, loader_args, redis, settings) FROM stdin;
bad	1	1	regress_cache_restorer	public	load	{int}	f	{NULL}
\.
COPY cache_definition (name, id, version, owner, ttl, redis, settings) FROM stdin;
bad	1	1	regress_cache_restorer	-1 day	f	{}
\.
COPY cache_definition (name, id, version, owner, max_cost, entry_cost, redis, settings) FROM stdin;
bad	1	1	regress_cache_restorer	10	20	f	{}
\.
COPY cache_definition (name, id, version, owner, redis, settings) FROM stdin;
twice	1	1	regress_cache_restorer	f	{}
twice	1	1	regress_cache_restorer	f	{}
\.
COPY cache_definition (name, id, version, owner, redis, settings) FROM stdin WHERE name <> 'good';
\.
RESET ROLE;
SET session_replication_role = replica;
SET ROLE regress_cache_restorer;
COPY cache_definition (name, id, version, owner, redis, settings) FROM stdin;
\.
RESET ROLE;
RESET session_replication_role;
-- What was set in caches that are logged is for their owners; superusers may also come
-- before the definition.
SELECT cache_create('theirs', logged => true);
SELECT cache_create('unlogged');
SET ROLE regress_cache_restorer;
COPY cache_definition (name, id, version, owner, loader_schema, loader_name, loader_args, redis, settings, logged) FROM stdin;
bad	1	1	regress_cache_restorer	public	load	{int}	f	{}	t
\.
COPY cache_value_logged (cache, key, name) FROM stdin;
1	k	theirs
\.
COPY cache_value_logged (cache, key, name) FROM stdin;
1	k	bad
\.
COPY cache_value_logged (cache, key, name) FROM stdin;
1	k	\N
\.
COPY cache_value_logged (cache, key, name) FROM stdin;
1	\N	theirs
\.
RESET ROLE;
COPY cache_value_logged (cache, key, name) FROM stdin;
1	k	theirs
1	k	to come
1	k	unlogged
2	k	unlogged
\.
SELECT v.cache = d.id AS its, v.name, v.key FROM cache_value_logged v LEFT JOIN cache_definition d USING (name) ORDER BY name;
SELECT cache_drop('theirs'), cache_drop('unlogged');
REVOKE EXECUTE ON FUNCTION cache_create(text, regprocedure, interval, bigint, bigint, boolean, boolean, text, text, boolean) FROM PUBLIC;
SET ROLE regress_cache_restorer;
COPY cache_definition (name, id, version, owner, redis, settings) FROM stdin;
\.
RESET ROLE;
GRANT EXECUTE ON FUNCTION cache_create(text, regprocedure, interval, bigint, bigint, boolean, boolean, text, text, boolean) TO PUBLIC;
SELECT name FROM cache_definition;
DROP FUNCTION load(int), secret(int);
DROP ROLE regress_cache_restorer;
