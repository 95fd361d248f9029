--
-- Who may do what: the error messages.
--
\set SHOW_CONTEXT never
CREATE ROLE regress_cache_owner;
CREATE ROLE regress_cache_member IN ROLE regress_cache_owner;
CREATE ROLE regress_cache_other;
CREATE TABLE t (k int, v int);
GRANT SELECT ON t TO PUBLIC;
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
REVOKE ALL ON FUNCTION load(int) FROM PUBLIC;

-- creating needs EXECUTE on the loader
SET ROLE regress_cache_owner;
SELECT cache_create('c', 'load(int)');
\echo :SQLSTATE
RESET ROLE;
GRANT EXECUTE ON FUNCTION load(int) TO regress_cache_owner;
SET ROLE regress_cache_owner;
SELECT cache_create('c', 'load(int)');
-- watching needs TRIGGER on the table
SELECT cache_watch('c', 't', 'k');
\echo :SQLSTATE
RESET ROLE;
GRANT TRIGGER ON t TO regress_cache_owner;
SET ROLE regress_cache_owner;
SELECT cache_watch('c', 't', 'k');
SELECT cache_get('c', 1);

-- others
SET ROLE regress_cache_other;
SELECT cache_get('c', 1);
\echo :SQLSTATE
SELECT cache_get_as(NULL::int, 'c', 1);
\echo :SQLSTATE
SELECT cache_invalidate('c', 1);
\echo :SQLSTATE
SELECT cache_invalidate('c');
\echo :SQLSTATE
SELECT cache_alter('c', ttl => '1 day');
\echo :SQLSTATE
SELECT cache_watch('c', 't');
\echo :SQLSTATE
SELECT cache_unwatch('c', 't');
\echo :SQLSTATE
SELECT cache_drop('c');
\echo :SQLSTATE
SELECT cache_stats_reset('c');
\echo :SQLSTATE
CREATE TEMP TABLE mine (k int);
CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON mine
FOR EACH ROW EXECUTE FUNCTION cache_trigger('c', 'k');
\echo :SQLSTATE
CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON mine
FOR EACH ROW EXECUTE FUNCTION cache_trigger();
\echo :SQLSTATE
INSERT INTO cache_definition SELECT * FROM cache_definition;
\echo :SQLSTATE
UPDATE cache_definition SET owner = 'regress_cache_other';
\echo :SQLSTATE
DELETE FROM cache_definition;
\echo :SQLSTATE
SELECT name, owner FROM cache_definition;

-- a member of the owner's role
SET ROLE regress_cache_member;
SELECT cache_get('c', 1);
SELECT cache_alter('c', ttl => '1 day');
SELECT cache_drop('c');
RESET ROLE;

-- USAGE on the loader's schema
CREATE SCHEMA hidden;
CREATE FUNCTION hidden.load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.t WHERE k = a';
SELECT cache_create('hidden', 'hidden.load(int)');
SELECT cache_watch('hidden', 't', 'k');
GRANT INSERT, UPDATE ON t TO regress_cache_other;
SELECT cache_get('hidden', 1);
SET ROLE regress_cache_other;
SELECT cache_get('hidden', 1);
\echo :SQLSTATE
-- writing is not reading
INSERT INTO t VALUES (1, 5);
SELECT name, entries FROM cache_stats;
RESET ROLE;
SELECT cache_get('hidden', 1);

DROP TABLE t CASCADE;
DROP OWNED BY regress_cache_owner, regress_cache_member, regress_cache_other;
DROP ROLE regress_cache_owner, regress_cache_member, regress_cache_other;
