--
-- What migrations need: to be run again, and to see what there is.
--
CREATE TABLE t (k int PRIMARY KEY, l int, v int);
INSERT INTO t VALUES (1, 1, 10);
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION load2(a int, b int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a AND l = b';
CREATE FUNCTION key_of(r t) RETURNS int LANGUAGE sql STABLE AS 'SELECT r.k';

-- cache_create()
SELECT cache_create('c', 'load(int)', if_not_exists => true);
SELECT cache_create('c', 'load2(int, int)', if_not_exists => true);
SELECT cache_create('c', 'load(int)', if_not_exists => false);
\echo :SQLSTATE
SELECT cache_create('c', 'load(int)', if_not_exists => NULL);
\echo :SQLSTATE
SELECT loader_args FROM cache_definition;

-- cache_watch(): the same watch again
SELECT cache_watch('c', 't', 'k', if_not_exists => true);
SELECT cache_watch('c', 't', 'k', if_not_exists => true);
SELECT cache_watch('c', 't', ARRAY['k'], true);
SELECT cache_watch('c', 't', key_columns => '{k}', if_not_exists => true);
SELECT cache_watch('c', 't', 'k', if_not_exists => false);
\echo :SQLSTATE
SELECT cache_watch('c', 't', NULL, if_not_exists => true);
\echo :SQLSTATE
SELECT cache_watch('c', 't', key_columns => NULL, if_not_exists => true);
\echo :SQLSTATE
SELECT cache_watch('c', 't', 'k', 'l', if_not_exists => true);
\echo :SQLSTATE
SELECT cache_watch('nowhere', 't', 'k', if_not_exists => true);
\echo :SQLSTATE
SELECT cache_watch('c', 't', keys => 'key_of(t)', if_not_exists => true);
SELECT cache_watch('c', 't', keys => 'key_of(t)', if_not_exists => true);
SELECT cache_watch('c', 't', keys => 'key_of(t)');
\echo :SQLSTATE
SELECT cache_create('two', 'load2(int, int)');
SELECT cache_watch('two', 't', 'k', 'l', if_not_exists => true);
SELECT cache_watch('two', 't', 'k', 'l', if_not_exists => true);
SELECT cache_watch('two', 't', 'l', 'k', if_not_exists => true);
-- as a whole: then the others are of no use
SELECT cache_watch('c', 't', if_not_exists => true);
SELECT cache_watch('c', 't', if_not_exists => true);
SELECT cache_watch('c', 't', if_not_exists => NULL);
\echo :SQLSTATE
SELECT cache_watch('two', 't');
SELECT cache_unwatch('two', 't');
SELECT cache_watch('two', 't');
SELECT cache_watch('two', 't', 'k', 'l');

-- what is watched
SELECT * FROM cache_watches ORDER BY cache, relation, key_columns;
CREATE TABLE p (k int, v int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p DEFAULT;
SELECT cache_watch('c', 'p', 'k');
SELECT * FROM cache_watches WHERE relation = 'p'::regclass;
-- a partition's trigger alone
ALTER TABLE p1 DISABLE TRIGGER USER;
SELECT * FROM cache_watches WHERE relation = 'p'::regclass;
ALTER TABLE p1 ENABLE TRIGGER USER;
SELECT * FROM cache_watches WHERE relation = 'p'::regclass;
SELECT cache_unwatch('c', 'p'), cache_watch('c', 'p', 'k');
SELECT state FROM cache_watches WHERE relation = 'p'::regclass;
-- the one for TRUNCATE
DO $$BEGIN
  EXECUTE (SELECT format('DROP TRIGGER %I ON p', tgname) FROM pg_trigger
           WHERE tgrelid = 'p'::regclass AND tgname LIKE '%truncate');
END$$;
SELECT * FROM cache_watches WHERE relation = 'p'::regclass;
-- others
CREATE TABLE f (k int, v int);
CREATE TRIGGER forged AFTER INSERT ON f FOR EACH ROW WHEN (new.v > 5) EXECUTE FUNCTION cache_trigger('c', 'k');
CREATE TRIGGER truncated BEFORE TRUNCATE ON f EXECUTE FUNCTION cache_trigger('c', 'k');
ALTER TABLE f ENABLE ALWAYS TRIGGER forged, ENABLE ALWAYS TRIGGER truncated;
CREATE TRIGGER nowhere AFTER INSERT ON f FOR EACH ROW EXECUTE FUNCTION cache_trigger('nowhere');
SELECT * FROM cache_watches WHERE relation = 'f'::regclass ORDER BY cache;
DROP TABLE f;
-- for everybody
CREATE ROLE regress_cache_reader;
SET ROLE regress_cache_reader;
SELECT count(*) FROM cache_watches;
RESET ROLE;
DROP ROLE regress_cache_reader;

-- cache_unwatch() and cache_drop()
SELECT cache_unwatch('c', 'p', if_exists => true);
SELECT cache_unwatch('c', 'p', if_exists => true);
SELECT cache_unwatch('c', 'p');
\echo :SQLSTATE
SELECT cache_unwatch('nowhere', 'p', if_exists => true);
SELECT cache_unwatch('c', to_regclass('nowhere'), if_exists => true);
SELECT cache_unwatch('c', 0, if_exists => true);
SELECT cache_unwatch('c', to_regclass('nowhere'));
\echo :SQLSTATE
SELECT cache_drop('two', if_exists => true);
SELECT cache_drop('two', if_exists => true);
SELECT cache_drop('two', if_exists => NULL);
\echo :SQLSTATE
SELECT cache_drop(NULL, if_exists => true);
\echo :SQLSTATE

-- an entry's cost without a limit
SELECT cache_create('costs', 'load(int)', entry_cost => 1);
SELECT cache_alter('costs', max_cost => 10);
SELECT cache_alter('costs', max_cost => 0);
SELECT cache_alter('costs', entry_cost => 0);
