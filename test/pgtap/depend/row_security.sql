-- Row security: what depends on it is never stored. Policies count at once.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_tenant, regress_cache_plain;
CREATE ROLE regress_cache_tenant;
CREATE ROLE regress_cache_plain;
SELECT plan(24);
CREATE TABLE docs (k int, tenant text, v text);
INSERT INTO docs VALUES (1, 'a', 'doc of a'), (1, 'b', 'doc of b');
GRANT SELECT ON docs TO regress_cache_tenant, regress_cache_plain;
CREATE FUNCTION doc(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT string_agg(v, '','' ORDER BY tenant) FROM public.docs WHERE k = a';
CREATE FUNCTION doc_plpgsql(a int) RETURNS text LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT string_agg(v, '','' ORDER BY tenant) FROM public.docs WHERE k = a); END';
SELECT cache_create('doc', 'doc(int)'), cache_watch('doc', 'docs', 'k');
SELECT cache_create('plpgsql', 'doc_plpgsql(int)'), cache_watch('plpgsql', 'docs', 'k');
SELECT agrees('doc', '1', 'doc', 'without row security', 'regress_cache_tenant');
SELECT is(hits('doc', 'SELECT cache_get(''doc'', 1)', 'regress_cache_tenant'), 1::bigint, 'hot');

-- enabled while hot
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
SELECT agrees('doc', '1', 'doc', 'enabled while hot: nothing is visible', 'regress_cache_tenant');
SELECT is(run('SELECT cache_get(''doc'', 1)', 'regress_cache_tenant'), NULL, 'nothing at all');
-- a policy created while hot
CREATE POLICY by_tenant ON docs FOR SELECT USING (tenant = current_setting('my.tenant', true));
SET my.tenant = 'a';
SELECT is(run('SELECT cache_get(''doc'', 1)', 'regress_cache_tenant'), '"doc of a"', 'one user of the role');
SET my.tenant = 'b';
SELECT is(run('SELECT cache_get(''doc'', 1)', 'regress_cache_tenant'), '"doc of b"', 'another user of the role, told apart by a setting');
SELECT is(run('SELECT cache_get_as(NULL::text, ''doc'', 1)', 'regress_cache_tenant'), 'doc of b', 'as text');
SELECT is(run('SELECT cache_get(''plpgsql'', 1)', 'regress_cache_tenant'), '"doc of b"', 'PL/pgSQL');
SET my.tenant = 'a';
SELECT is(run('SELECT cache_get(''plpgsql'', 1)', 'regress_cache_tenant'), '"doc of a"', 'PL/pgSQL, the other user');
SELECT is(hits('doc', 'SELECT cache_get(''doc'', 1)', 'regress_cache_tenant'), 0::bigint, 'nothing is stored');
-- also with a ttl
SELECT cache_alter('doc', ttl => '1 hour');
SELECT agrees('doc', '1', 'doc', 'with a ttl', 'regress_cache_tenant');
SELECT is(hits('doc', 'SELECT cache_get(''doc'', 1)', 'regress_cache_tenant'), 0::bigint, 'nothing is stored with a ttl');
SELECT cache_alter('doc', ttl => '0');
-- a policy altered
ALTER POLICY by_tenant ON docs USING (tenant = 'b');
SELECT agrees('doc', '1', 'doc', 'a policy altered', 'regress_cache_tenant');
DROP POLICY by_tenant ON docs;
CREATE POLICY for_all ON docs FOR SELECT USING (true);
SELECT agrees('doc', '1', 'doc', 'another policy', 'regress_cache_tenant');
DROP POLICY for_all ON docs;
SELECT agrees('doc', '1', 'doc', 'a policy dropped', 'regress_cache_tenant');
-- the owner of the table is exempt, until forced
SELECT agrees('doc', '1', 'doc', 'superuser');
-- BYPASSRLS given and taken
ALTER ROLE regress_cache_plain BYPASSRLS;
SELECT agrees('doc', '1', 'doc', 'BYPASSRLS', 'regress_cache_plain');
ALTER ROLE regress_cache_plain NOBYPASSRLS;
SELECT agrees('doc', '1', 'doc', 'NOBYPASSRLS while hot', 'regress_cache_plain');
-- row_security = off: an error, as for a direct call
SET row_security = off;
SELECT is(run('SELECT cache_get(''doc'', 1)', 'regress_cache_tenant'), run('SELECT to_jsonb(doc(1))', 'regress_cache_tenant'), 'row_security = off');
RESET row_security;
-- a view of a table with row security
CREATE POLICY by_tenant ON docs FOR SELECT USING (tenant = current_setting('my.tenant', true));
CREATE VIEW doc_view WITH (security_invoker) AS SELECT * FROM docs;
GRANT SELECT ON doc_view TO PUBLIC;
CREATE FUNCTION doc_of_view(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT string_agg(v, '','') FROM public.doc_view WHERE k = a';
SELECT cache_create('view', 'doc_of_view(int)'), cache_watch('view', 'docs', 'k');
SELECT run('SELECT cache_get(''view'', 1)', 'regress_cache_tenant');
SET my.tenant = 'b';
SELECT is(run('SELECT cache_get(''view'', 1)', 'regress_cache_tenant'), '"doc of b"', 'through a view');

-- without the guard, the second user gets the first one's
SET my.tenant = 'a';
SET cache.removed_guard = 'row_security';
SELECT is(run('SELECT cache_get(''plpgsql'', 1)', 'regress_cache_tenant'), '"doc of a"', 'without the guard: the first user');
SET my.tenant = 'b';
SELECT is(run('SELECT cache_get(''plpgsql'', 1)', 'regress_cache_tenant'), '"doc of b"', 'the policy''s use of a setting is a guard of its own');
DROP POLICY by_tenant ON docs;
CREATE FUNCTION tenant() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN current_setting(''my.tenant''); END';
CREATE POLICY by_function ON docs FOR SELECT USING (tenant = tenant());
SELECT cache_alter('plpgsql', trust => 'tenant()');
SET my.tenant = 'a';
SELECT run('SELECT cache_get(''plpgsql'', 1)', 'regress_cache_tenant');
SET my.tenant = 'b';
SELECT is(run('SELECT cache_get(''plpgsql'', 1)', 'regress_cache_tenant'), '"doc of a"', 'guard row_security: another user''s rows');
SET cache.removed_guard = '';
SELECT cache_alter('plpgsql', trust => '');
SELECT cache_invalidate('plpgsql');
SELECT is(run('SELECT cache_get(''plpgsql'', 1)', 'regress_cache_tenant'), '"doc of b"', 'with all guards');
SELECT * FROM finish();
DROP OWNED BY regress_cache_tenant, regress_cache_plain CASCADE;
DROP ROLE regress_cache_tenant, regress_cache_plain;
