-- A library and SQL objects of different versions, as between the installation of a
-- new release and ALTER EXTENSION UPDATE: calls say what to do, writes go on, and what
-- was cached before is not believed afterwards.
\ir ../exact.psql
SELECT plan(17);
CREATE TABLE t (k int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 10);
CREATE FUNCTION load(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
SELECT cache_create('c', 'load(int)'), cache_create('kept');
SELECT cache_watch('c', 't', 'k');
SELECT cache_set('kept', 'a', '1');
SELECT exact('c', '1', 'load');

-- the definitions as another release has them
ALTER TABLE cache_definition ADD COLUMN later int;
SELECT is(run(query), 'ERROR 55000', query)
FROM unnest(ARRAY['SELECT cache_get(''c'', 1)', 'SELECT cache_get(''kept'', ''a'')', 'SELECT cache_set(''kept'', ''a'', ''2'')',
                  'SELECT cache_alter(''c'', ttl => ''1 day'')', 'SELECT cache_create(''d'')', 'SELECT cache_drop(''c'')',
                  'SELECT cache_watch(''c'', ''t'')', 'SELECT count(*) FROM cache_check()']) query;
SELECT throws_ok('SELECT cache_get(''c'', 1)', '55000', 'extension "cache" and its library are of different versions', 'it says why');
SELECT lives_ok('UPDATE t SET v = 20', 'a write of a watched table');
SELECT lives_ok('ALTER TABLE t RENAME v TO w; ALTER TABLE t RENAME w TO v', 'renames');
SELECT lives_ok('TRUNCATE t', 'a TRUNCATE');
INSERT INTO t VALUES (1, 30);

-- and as this one has them
SET allow_system_table_mods = on;
BEGIN;
DELETE FROM pg_attribute WHERE attrelid = 'cache_definition'::regclass AND attname = 'later';
UPDATE pg_class SET relnatts = relnatts - 1 WHERE oid = 'cache_definition'::regclass;
COMMIT;
RESET allow_system_table_mods;
SELECT exact('c', '1', 'load');
SELECT is(cache_get('kept', 'a'), '1', 'what was set is still there');
UPDATE t SET v = 40;
SELECT is(cache_get('c', 1), '40', 'and watches watch');
SELECT is((SELECT count(*) FROM cache_check()), 0::bigint, 'no problems');
SELECT * FROM finish();
