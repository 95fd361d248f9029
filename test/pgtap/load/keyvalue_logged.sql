-- Caches without a loader that are logged: what SQL says of them, who may dump and restore
-- what was set in them, and what is written past them.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_alice;
CREATE ROLE regress_cache_alice;
RESET client_min_messages;
SELECT plan(50);

-- is_logged gives what is known of a cache, and in which table its rows are.
CREATE FUNCTION is_logged(cache text) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', logged, (SELECT count(*) FROM cache_value_logged v WHERE v.cache = d.id AND v.name = d.name),
    (SELECT count(*) FROM cache_value v WHERE v.cache = d.id)) FROM cache_definition d WHERE name = $1
$$;

SELECT cache_create('kept', logged => true), cache_create('lost'), cache_create('off', logged => NULL);
SELECT is((SELECT array_agg(name || ' ' || logged ORDER BY name) FROM cache_definition), '{"kept true","lost false","off false"}', 'definitions say it');
SELECT is((SELECT relpersistence FROM pg_class WHERE oid = 'cache_value_logged'::regclass), 'p', 'the table is an ordinary one');
SELECT cache_set(c, 'a', '1'), cache_set(c, 'b', '2', ttl => '1 hour'), cache_set(c, 'n', NULL, cost => 7) FROM unnest('{kept,lost}'::text[]) c;
SELECT is(is_logged('kept'), 't 3 0', 'logged');
SELECT is(is_logged('lost'), 'f 0 3', 'not logged');
SELECT is(cache_get('kept', 'a'), '1', 'a get');
SELECT is(hits('kept', 'SELECT cache_get(''kept'', ''a'')'), 1::bigint, 'from memory');
SELECT is(cache_get('kept', 'n'), NULL, 'a null');
SELECT ok(cache_ttl('kept', 'b') BETWEEN '59 minutes' AND '1 hour', 'its ttl');
SELECT cache_set('kept', 'x', '1', ttl => '1 microsecond');
SELECT is(cache_get('kept', 'x'), NULL, 'expired');
SELECT cache_set('kept', 'a', '2');
SELECT is(is_logged('kept'), 't 3 0', 'and removed by who sets something');
SELECT is(cache_get('kept', 'a'), '2', 'set again');

-- with a loader there is nothing to log
CREATE FUNCTION load(text) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT throws_ok('SELECT cache_create(''c'', ''load(text)'', logged => true)', '42809', 'cache "c" has a loader, so it cannot be logged', 'with a loader');
SELECT lives_ok('SELECT cache_create(''c'', ''load(text)'', logged => false)', 'or just so');
SELECT throws_ok('SELECT cache_alter(''c'', logged => true)', '42809', 'cache "c" has a loader, so it cannot be logged', 'nor later');
SELECT lives_ok('SELECT cache_alter(''c'', logged => false)', 'that it is not can be said');
SELECT throws_ok('SELECT cache_watch(''c'', ''cache_value_logged'')', '0A000', 'table "cache_value_logged" cannot be watched', 'no watches');

-- back and forth
SELECT cache_alter('kept', logged => false), cache_alter('lost', logged => true);
SELECT is(is_logged('kept') || ', ' || is_logged('lost'), 'f 0 3, t 3 0', 'moved');
SELECT is(cache_get('kept', 'a'), '2', 'with its values');
SELECT ok(cache_ttl('lost', 'b') BETWEEN '59 minutes' AND '1 hour', 'and times');
SELECT is((SELECT cost FROM cache_value_logged WHERE key = 'n'), 7::bigint, 'and costs');
SELECT cache_alter('lost', logged => true, ttl => '1 day'), cache_alter('lost', ttl => '0');
SELECT is(is_logged('lost'), 't 3 0', 'what is not named stays');
BEGIN;
SELECT cache_alter('kept', logged => true);
SELECT cache_set('kept', 'c', '3');
SELECT is(is_logged('kept'), 't 4 0', 'in a transaction');
SELECT is((SELECT array_agg(value::text) FROM cache_get_many('kept', '{a,c}'::text[])), '{2,3}', 'gets in it');
ROLLBACK;
SELECT is(is_logged('kept'), 'f 0 3', 'rolled back');
SELECT is((SELECT array_agg(value::text) FROM cache_get_many('kept', '{a,c}'::text[])), '{2,NULL}', 'gets after it');
BEGIN;
SELECT cache_set('kept', 'a', '3');
DECLARE before CURSOR FOR SELECT cache_get('kept', 'a')::text;
SELECT cache_alter('kept', logged => true);
SELECT cache_set('kept', 'a', '4');
SELECT results_eq('FETCH before', '{3}'::text[], 'a cursor that is older than the move');
SELECT is(cache_get('kept', 'a'), '4', 'and what is newer');
COMMIT;
SELECT is(cache_get('kept', 'a'), '4', 'committed');
SELECT is(is_logged('kept'), 't 3 0', 'it is logged again');
SELECT cache_create('many');
SELECT count(cache_set('many', i::text, to_jsonb(i))) FROM generate_series(1, 20000) i;
SELECT cache_alter('many', logged => true);
SELECT is((SELECT count(*) FROM generate_series(1, 20000) i WHERE cache_get('many', i::text) = to_jsonb(i)), 20000::bigint, 'very many');
SELECT cache_invalidate('many', '1');
SELECT is(is_logged('many'), 't 19999 0', 'one is removed');
SELECT cache_invalidate('many');
SELECT is(is_logged('many') || coalesce(cache_get('many', '2')::text, ''), 't 0 0', 'all are');
SELECT cache_set('many', '1', '1');
SELECT cache_drop('many');
SELECT is((SELECT count(*) FROM cache_value_logged WHERE name = 'many'), 0::bigint, 'dropped');

-- what is written by hand is seen, and rolled back
SELECT cache_get('kept', 'a'), cache_get('kept', 'hand');
UPDATE cache_value_logged SET value = '"by hand"' WHERE key = 'a' AND name = 'kept';
SELECT is(cache_get('kept', 'a'), '"by hand"', 'UPDATE');
INSERT INTO cache_value_logged (cache, key, value, name) VALUES (0, 'hand', '1', 'kept');
SELECT is(cache_get('kept', 'hand'), '1', 'INSERT finds the cache by its name');
DELETE FROM cache_value_logged WHERE key = 'hand';
SELECT is(cache_get('kept', 'hand'), NULL, 'DELETE');
BEGIN;
DELETE FROM cache_value_logged WHERE name = 'kept';
SELECT is(cache_get('kept', 'a'), NULL, 'in a transaction');
ROLLBACK;
SELECT is(cache_get('kept', 'a'), '"by hand"', 'rolled back');
SELECT throws_ok('CREATE TABLE t (a int); CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION cache_restore_value(); INSERT INTO t VALUES (1)',
  '39P01', NULL, 'the trigger is for that table');

-- whose they are
SELECT is(run('SELECT * FROM cache_value_logged', 'regress_cache_alice'), 'ERROR 42501', 'nobody reads the table');
SET ROLE regress_cache_alice;
\set ON_ERROR_STOP 0
COPY cache_value_logged TO STDOUT;
\set refused :LAST_ERROR_SQLSTATE
\set ON_ERROR_STOP 1
RESET ROLE;
SELECT is(:'refused'::text, '42501', 'or copies what is not his');
SELECT is(run('INSERT INTO cache_value_logged (cache, key, name) VALUES (1, ''k'', ''kept'')', 'regress_cache_alice'), 'ERROR 42501', 'or writes to it');
SELECT is(run('SELECT cache_alter(''kept'', logged => false)', 'regress_cache_alice'), 'ERROR 42501', 'or moves it');
SELECT cache_drop('kept'), cache_drop('lost');
SET ROLE regress_cache_alice;
SELECT lives_ok('SELECT cache_create(''hers'', logged => true), cache_set(''hers'', ''a'', ''1'')', 'her own');
\copy cache_value_logged (cache, key, value, expires, cost, name) TO '/dev/null'
\set copied :ROW_COUNT
SELECT is(:copied, 1, 'she copies');
COPY cache_value_logged (cache, key, value, expires, cost, name) FROM stdin;
1	a	"another"	\N	\N	hers
1	b	2	\N	\N	hers
1	c	3	2001-01-01	\N	hers
\.
RESET ROLE;
SELECT is(is_logged('hers'), 't 3 0', 'and restores, with the id that the cache has');
SELECT is((SELECT array_agg(value::text) FROM cache_get_many('hers', '{a,b,c}'::text[])), '{1,2,NULL}', 'what is there already stays');
-- to a cache that is not logged nothing is restored
SELECT cache_alter('hers', logged => false);
SET client_min_messages = error;
COPY cache_value_logged (cache, key, value, expires, cost, name) FROM stdin;
1	z	2	\N	\N	hers
2	z	2	\N	\N	to come
\.
RESET client_min_messages;
SELECT is(is_logged('hers'), 'f 0 3', 'not where it is not logged');
SELECT is((SELECT cache FROM cache_value_logged WHERE name = 'to come'), 2::bigint, 'the definition may come later');
REASSIGN OWNED BY regress_cache_alice TO CURRENT_USER;
SELECT is(cache_get('hers', 'b'), '2', 'handed over');

SELECT * FROM finish();
DROP OWNED BY regress_cache_alice;
DROP ROLE regress_cache_alice;
