-- The caches of another database, for the test of DDL commands.
CREATE SCHEMA lab;
CREATE TABLE public.far (k int PRIMARY KEY, v text);
INSERT INTO public.far VALUES (1, 'one'), (2, 'two');
CREATE FUNCTION public.load_far(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM far WHERE k = $1';
CREATE TABLE public.far_secret (k int PRIMARY KEY, v text);
INSERT INTO public.far_secret VALUES (1, 'hush'), (2, 'hush, hush');
GRANT SELECT ON public.far_secret TO regress_group;
CREATE FUNCTION public.load_far_invoker(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM far_secret WHERE k = $1';
CREATE FUNCTION public.load_far_shared(a int) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE a
    WHEN 0 THEN (SELECT string_agg(to_jsonb(r)::text, ',' ORDER BY oid) FROM pg_authid r)
    WHEN 1 THEN (SELECT string_agg(concat_ws(',', datname, datdba, datacl, datconnlimit, dattablespace), ',' ORDER BY oid) FROM pg_database r)
    WHEN 2 THEN (SELECT string_agg(to_jsonb(r)::text, ',' ORDER BY roleid, member) FROM pg_auth_members r)
    ELSE concat((SELECT string_agg(to_jsonb(r)::text, ',' ORDER BY oid) FROM pg_tablespace r), (SELECT string_agg(to_jsonb(r)::text, ',' ORDER BY setdatabase, setrole) FROM pg_db_role_setting r),
                (SELECT string_agg(to_jsonb(r)::text, ',' ORDER BY objoid, classoid) FROM pg_shdescription r), (SELECT string_agg(to_jsonb(r)::text, ',' ORDER BY oid) FROM pg_parameter_acl r),
                (SELECT string_agg(subname, ',' ORDER BY oid) FROM pg_subscription r)) END $$;
SELECT cache_create('far', 'load_far(int)'), cache_watch('far', 'far', 'k');
SELECT cache_create('far_invoker', 'load_far_invoker(int)'), cache_watch('far_invoker', 'far_secret', 'k');
SELECT cache_create('far_shared', 'load_far_shared(int)');
CREATE TABLE lab.checks (n serial, cache text PRIMARY KEY, role text, keys int[]);
INSERT INTO lab.checks (cache, role, keys) VALUES ('far', NULL, '{1,2}'), ('far_invoker', 'regress_caller', '{1,2}'), ('far_shared', NULL, '{0,1,2,3}');
