-- A schema for each tenant: what is said of loaders that find names by the
-- search_path of the session that created their cache.
SET check_function_bodies = off;
CREATE SCHEMA tenant_a;
CREATE SCHEMA tenant_b;
CREATE TABLE tenant_a.cfg (name text PRIMARY KEY, value text);
CREATE TABLE tenant_b.cfg (name text PRIMARY KEY, value text);
CREATE TABLE cfg_of_all (name text PRIMARY KEY, value text);
INSERT INTO tenant_a.cfg VALUES ('k', 'of a');
INSERT INTO tenant_b.cfg VALUES ('k', 'of b');
INSERT INTO cfg_of_all VALUES ('k', 'of all');
CREATE FUNCTION tenant_a.helper(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT value FROM tenant_a.cfg WHERE name = k';
CREATE FUNCTION bare(k text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT value FROM CFG AS c WHERE c.name = k); END';
CREATE FUNCTION qualified(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT cfg.value FROM "tenant_a" . "cfg" WHERE cfg.name = k';
CREATE FUNCTION elsewhere(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT value FROM public.cfg_of_all WHERE name = k';
CREATE FUNCTION nested(k text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN helper(k); END';
CREATE FUNCTION inner_bare(k text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT value FROM cfg WHERE name = k); END';
CREATE FUNCTION dynamic(k text) RETURNS text LANGUAGE plpgsql STABLE AS $$DECLARE v text; BEGIN EXECUTE 'SELECT value FROM c' || 'fg' INTO v; RETURN v; END$$;
CREATE FUNCTION hidden(k text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN public.inner_bare(k); END';
CREATE FUNCTION own_path(k text) RETURNS text LANGUAGE sql STABLE SET search_path = tenant_a, pg_temp AS 'SELECT value FROM cfg WHERE name = k';
SET search_path = tenant_a, public;
CREATE FUNCTION public.bound(k text) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT value FROM cfg WHERE name = k; END;

-- Creating a cache under a search_path of this session's own
SELECT cache_create('bare', 'bare(text)');
SELECT cache_create('qualified', 'qualified(text)');
SELECT cache_create('elsewhere', 'elsewhere(text)');
SELECT cache_create('nested', 'nested(text)');
SELECT cache_create('hidden', 'hidden(text)');
SELECT cache_create('dynamic', 'dynamic(text)');
SELECT cache_create('own_path', 'own_path(text)');
SELECT cache_create('bound', 'bound(text)');
SELECT cache_create('plain');
SELECT cache_alter('bare', ttl => '1 hour');
SELECT cache_alter('bare', 'bare(text)', ttl => '0');
BEGIN;
RESET search_path;
SET LOCAL search_path = "$user", tenant_b, tenant_a, public;
SELECT cache_create('local', 'public.bare(text)');
ROLLBACK;

-- The hint: the schema in the loader, or a search_path of the loader's
RESET search_path;
CREATE FUNCTION hinted(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT value FROM cfg WHERE name = k';
SET search_path = tenant_a, public;
SELECT cache_create('hinted', 'hinted(text)');
SELECT cache_drop('hinted');
BEGIN;
ALTER FUNCTION hinted(text) SET search_path = tenant_a, public, pg_temp;
SELECT cache_create('hinted', 'hinted(text)');
ROLLBACK;
DROP FUNCTION hinted(text);

-- Using caches under the search_path of another tenant: a WARNING for each, once.
-- In the loader's text, "cfg" of the function "qualified" has its schema.
SELECT cache_watch(name, 'tenant_a.cfg', 'name') FROM unnest('{bare,qualified,nested,dynamic,hidden,own_path,bound}'::text[]) name;
SELECT cache_watch('elsewhere', 'cfg_of_all', 'name');
SELECT name, cache_get(name, 'k') FROM unnest('{bare,elsewhere,qualified,nested,dynamic,hidden,own_path,bound}'::text[]) name;
SET search_path = tenant_b, public;
SELECT cache_get('bare', 'k');
SELECT cache_get('bare', 'k');
SELECT cache_get_as(NULL::text, 'hidden', 'k');
SELECT cache_get_as(NULL::text, 'hidden', 'k');
SELECT cache_get_many('nested', '{k}'::text[]);
SELECT name, cache_get(name, 'k') FROM unnest('{elsewhere,qualified,nested,dynamic,own_path,bound,bare}'::text[]) name;
SELECT cache, object, problem FROM cache_check() ORDER BY 1;
SELECT DISTINCT hint FROM cache_check() ORDER BY 1;

-- In other sessions: without a table of that name nothing is said when it is
-- used, but by cache_check(); and nothing at all where sessions have the schema
-- by default.
\c
SELECT cache_get('bare', 'k');
SELECT cache, object, problem FROM cache_check() ORDER BY 1;
SET search_path = tenant_a;
SELECT public.cache_get('bare', 'k');
SELECT cache, object, problem FROM public.cache_check() ORDER BY 1;
CREATE TEMP TABLE cfg (name text, value text);
SELECT public.cache_get('bare', 'k');
SELECT cache, object, problem FROM public.cache_check() ORDER BY 1;
RESET search_path;
\set dbname :DBNAME
ALTER DATABASE :"dbname" SET search_path = tenant_a, public;
\c
SELECT cache_create('by_default', 'bare(text)');
SELECT cache_watch('by_default', 'tenant_a.cfg', 'name');
SELECT cache_get('by_default', 'k'), cache_get('bare', 'k');
SELECT cache, object, problem FROM cache_check() ORDER BY 1;
ALTER DATABASE :"dbname" RESET search_path;

-- A search_path that the client has brought along is of this session's own.
\c -reuse-previous=on "options='-c search_path=tenant_b,public'"
SELECT cache_create('by_client', 'bare(text)');
SELECT cache_get('by_default', 'k');
SELECT cache_get('by_default', 'k');
\c -reuse-previous=on "options=''"

-- A role's own schema is not; the same path may mean another schema for another
-- role.
CREATE ROLE regress_tenant;
CREATE SCHEMA AUTHORIZATION regress_tenant CREATE TABLE cfg (name text PRIMARY KEY, value text);
GRANT USAGE ON SCHEMA tenant_a TO regress_tenant;
GRANT SELECT ON tenant_a.cfg TO regress_tenant;
GRANT CREATE ON SCHEMA public TO regress_tenant;
SET ROLE regress_tenant;
CREATE FUNCTION of_role(k text) RETURNS text LANGUAGE sql STABLE AS 'SELECT value FROM cfg WHERE name = k';
SELECT cache_create('of_role', 'of_role(text)');
RESET ROLE;
SELECT cache_get('bare', 'k');
SET ROLE regress_tenant;
SELECT cache_get('bare', 'k');
SELECT cache_get('bare', 'k');
RESET ROLE;

SET check_function_bodies = off;

-- Views and partitions: names in a view are bound, those of partitions are not
-- the loader's.
CREATE TABLE tenant_a.log (id int) PARTITION BY RANGE (id);
CREATE TABLE tenant_a.log_1 PARTITION OF tenant_a.log FOR VALUES FROM (0) TO (10);
CREATE TABLE tenant_a.line (id int);
CREATE VIEW tenant_a.lines AS SELECT id FROM tenant_a.line;
CREATE TABLE tenant_b.log_1 (id int);
CREATE TABLE tenant_b.line (id int);
CREATE FUNCTION of_partition(k int) RETURNS int LANGUAGE sql STABLE AS 'SELECT id FROM log WHERE id = k';
CREATE FUNCTION of_view(k int) RETURNS int LANGUAGE sql STABLE AS 'SELECT id FROM lines WHERE id = k';
SET search_path = tenant_a, public;
SET client_min_messages = warning;
SELECT cache_create('of_partition', 'of_partition(int)'), cache_create('of_view', 'of_view(int)');
SELECT cache_watch('of_partition', 'log', 'id'), cache_watch('of_view', 'line', 'id');
RESET client_min_messages;
SELECT cache_get('of_partition', 1), cache_get('of_view', 1);
SET search_path = tenant_b, public;
SELECT cache_get('of_partition', 1), cache_get('of_view', 1);
SELECT cache, object, problem FROM cache_check() ORDER BY 1;
CREATE VIEW tenant_b.lines AS SELECT 1 AS id;
SELECT cache_get('of_view', 1);
SELECT cache_get('of_view', 1);
SELECT cache, object, problem FROM cache_check() ORDER BY 1;

DROP OWNED BY regress_tenant;
DROP ROLE regress_tenant;
