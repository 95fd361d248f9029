-- Caches without a loader: who may use them, in which transactions, from where.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_alice, regress_cache_bob, regress_cache_group;
CREATE ROLE regress_cache_alice;
CREATE ROLE regress_cache_bob;
CREATE ROLE regress_cache_group;
RESET client_min_messages;
SELECT plan(55);

-- its owner's role, and members of it
SELECT is(run('SELECT cache_create(''kv'')', 'regress_cache_group'), '', 'anybody may create one');
SELECT is(run('SELECT cache_set(''kv'', ''a'', ''1'')', 'regress_cache_group'), '', 'its owner sets');
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_group'), '1', 'and gets');
SELECT is(run('SELECT cache_get(''kv'', ''a'')'), '1', 'as does a superuser');
SELECT is(run(query, 'regress_cache_alice'), 'ERROR 42501', 'not anybody: ' || query) FROM (VALUES
  ('SELECT cache_get(''kv'', ''a'')'), ('SELECT cache_get_as(NULL::jsonb, ''kv'', ''a'')'),
  ('SELECT cache_get_many(''kv'', ARRAY[''a''])'), ('SELECT cache_ttl(''kv'', ''a'')'),
  ('SELECT cache_set(''kv'', ''a'', ''2'')'), ('SELECT cache_invalidate(''kv'', ''a'')'), ('SELECT cache_invalidate(''kv'')'),
  ('SELECT cache_alter(''kv'', ttl => ''1 day'')'), ('SELECT cache_drop(''kv'')'),
  ('SELECT * FROM cache_value'), ('INSERT INTO cache_value VALUES (1, ''a'')')) q (query);
GRANT regress_cache_group TO regress_cache_alice;
SELECT is(run('SELECT cache_set(''kv'', ''a'', ''2'')', 'regress_cache_alice'), '', 'a member sets');
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_alice'), '2', 'and gets');
SELECT is(hits('kv', 'SELECT cache_get(''kv'', ''a'')', 'regress_cache_group'), 1::bigint, 'entries are shared');
SELECT is(run('SELECT * FROM cache_value', 'regress_cache_alice'), 'ERROR 42501', 'the table is not');
REVOKE regress_cache_group FROM regress_cache_alice;
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_alice'), 'ERROR 42501', 'revoked while hot');
ALTER ROLE regress_cache_alice NOINHERIT;
GRANT regress_cache_group TO regress_cache_alice;
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_alice'), 'ERROR 42501', 'a member that does not inherit');
-- through a function of somebody who may
CREATE FUNCTION ask(k text) RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS 'SELECT public.cache_get(''kv'', k)';
SELECT is(run('SELECT ask(''a'')', 'regress_cache_bob'), '2', 'SECURITY DEFINER lends rights');

-- what runs as the table's owner is nothing of the caller's
CREATE FUNCTION public.caught() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught as %', current_user; END $$;
SELECT is(run('CREATE TRIGGER t BEFORE INSERT ON cache_value FOR EACH ROW EXECUTE FUNCTION caught()', 'regress_cache_group'),
  'ERROR 42501', 'no triggers on the table');
SELECT is(run('SELECT current_user || coalesce(cache_set(''kv'', ''a'', ''3'')::text, '''') || current_user', 'regress_cache_group'),
  'regress_cache_groupregress_cache_group', 'the role is the same afterwards');
SELECT run('SELECT cache_set(''kv'', repeat(''k'', 3000), ''3'')', 'regress_cache_group');
SELECT is(current_user::text, session_user::text, 'after an error too');

-- an owner that is gone: superusers remain
REASSIGN OWNED BY regress_cache_group TO CURRENT_USER;
DROP OWNED BY regress_cache_group;
DROP ROLE regress_cache_group;
SELECT is(run('SELECT cache_get(''kv'', ''a'')', 'regress_cache_bob'), 'ERROR 42501', 'the owner is gone');
SELECT is(run('SELECT cache_get(''kv'', ''a'')'), '3', 'superusers remain');

-- all isolation levels
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT cache_set('kv', 's', '1');
SELECT is(cache_get('kv', 's'), '1', 'SERIALIZABLE: own set');
COMMIT;
SELECT is(cache_get('kv', 's'), '1', 'afterwards');
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT is(cache_get('kv', 's'), '1', 'READ ONLY DEFERRABLE');
COMMIT;

-- from where sets are called: triggers, functions, one statement with many
CREATE TABLE t (k text PRIMARY KEY, v int);
CREATE FUNCTION copy_it() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM cache_set('kv', NEW.k, to_jsonb(NEW.v));
  IF cache_get('kv', NEW.k) <> to_jsonb(NEW.v) THEN
    RAISE 'not set';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER copy AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION copy_it();
INSERT INTO t SELECT 'k' || i, i FROM generate_series(1, 100) i;
SELECT is((SELECT count(*) FROM t WHERE cache_get('kv', k) = to_jsonb(v)), 100::bigint, 'from a trigger');
WITH w AS (UPDATE t SET v = v + 1 RETURNING *) SELECT count(cache_set('kv', 'w', to_jsonb(v))) FROM w;
SELECT is((SELECT count(*) FROM t WHERE cache_get('kv', k) = to_jsonb(v)), 100::bigint, 'of a data-modifying WITH');
BEGIN;
DECLARE c CURSOR FOR SELECT cache_get('kv', 'k1') AS v FROM generate_series(1, 2);
FETCH c;
SELECT cache_set('kv', 'k1', '"changed"');
SELECT is(cache_get('kv', 'k1'), '"changed"', 'changed after a cursor was opened');
ROLLBACK;
SELECT is(cache_get('kv', 'k1'), to_jsonb((SELECT v FROM t WHERE k = 'k1')), 'rolled back');

-- errors are those of the call, and leave what has been set before, where they are caught
SELECT is(run(query), error, query) FROM (VALUES
  ('SELECT cache_set(''kv'', ''e'', ''1'', ttl => ''-1 second'')', 'ERROR 22023'),
  ('SELECT cache_set(''kv'', ''e'', ''1'', cost => 0)', 'ERROR 22023'),
  ('SELECT cache_set(''kv'', NULL, ''1'')', 'ERROR 22004'),
  ('SELECT cache_set(''kv'', repeat(''k'', 2049), ''1'')', 'ERROR 54000'),
  ('SELECT cache_set(''kv'', ''e'', to_jsonb(repeat(''v'', 40000000)))', 'ERROR 54000')) q (query, error);
BEGIN;
SELECT cache_set('kv', 'e', '1');
SELECT is(run('SELECT cache_set(''kv'', ''e'', ''2'', ttl => ''0'')'), 'ERROR 22023', 'an error in a transaction');
SELECT is(cache_get('kv', 'e'), '1', 'what was set before it stays');
SELECT cache_set('kv', 'f', '2');
COMMIT;
SELECT is(cache_get('kv', 'e'), '1', 'when it has committed, too');
SELECT is(cache_get('kv', 'f'), '2', 'and what was set after it');
BEGIN READ ONLY;
SELECT is(run('SELECT cache_set(''kv'', ''e'', ''2'')'), 'ERROR 25006', 'READ ONLY');
COMMIT;
-- many in the order of their keys; of equal keys the last one counts
SELECT count(cache_set('kv', k, to_jsonb(n))) FROM (SELECT k, n FROM (VALUES ('o3', 1), ('o1', 2), ('o3', 3), ('o2', 4)) v (k, n) ORDER BY k, n) o;
SELECT is((SELECT array_agg(value::text) FROM cache_get_many('kv', ARRAY['o1', 'o2', 'o3'])), ARRAY['2', '4', '3'], 'in order');
SELECT is((SELECT array_agg(key::text ORDER BY ctid) FROM cache_value WHERE key LIKE 'o_'), ARRAY['o1', 'o2', 'o3'], 'as they were written');
BEGIN;
SELECT cache_set('kv', 'f', '3');
DECLARE old CURSOR FOR SELECT cache_get('kv', 'f')::text;
SELECT cache_set('kv', 'f', '4');
SELECT results_eq('FETCH old', ARRAY['3'], 'an older cursor');
COMMIT;

-- more keys than can be pending one by one
SELECT count(cache_set('kv', 'many' || i, to_jsonb(i))) FROM generate_series(1, 20000) i;
SELECT is((SELECT count(*) FROM generate_series(1, 20000) i WHERE cache_get('kv', 'many' || i) = to_jsonb(i)), 20000::bigint, 'very many sets');
BEGIN;
SELECT count(cache_set('kv', 'many' || i, '0')) FROM generate_series(1, 20000) i;
SELECT is((SELECT count(*) FROM generate_series(1, 20000) i WHERE cache_get('kv', 'many' || i) = '0'), 20000::bigint, 'in a transaction');
ROLLBACK;
SELECT is((SELECT count(*) FROM generate_series(1, 20000) i WHERE cache_get('kv', 'many' || i) = to_jsonb(i)), 20000::bigint, 'rolled back');

-- cache_verify() compares with the table; off is off
SELECT is_empty('SELECT * FROM cache_verify(''kv'')', 'nothing differs');
SELECT cache_get('kv', 'many1');
UPDATE cache_value SET value = '"by hand"' WHERE key = 'many1';
SELECT results_eq('SELECT * FROM cache_verify(''kv'')', $$VALUES ('many1', '1'::jsonb, '"by hand"'::jsonb)$$, 'what was written by hand is found');
SET cache.enabled = off;
SELECT is(cache_get('kv', 'many1'), '"by hand"', 'switched off');
SELECT cache_set('kv', 'many1', '"off"');
SELECT is(cache_get('kv', 'many1'), '"off"', 'set while switched off');
SET cache.enabled = on;
SELECT is(cache_get('kv', 'many1'), '"off"', 'and seen when it is on');

SELECT * FROM finish();
DROP OWNED BY regress_cache_alice, regress_cache_bob;
DROP ROLE regress_cache_alice, regress_cache_bob;
