-- Everything but the key that a value depends on is a prefix of the key. Entries know
-- theirs by a number; there are fewer numbers than prefixes here.
\ir ../exact.psql
SELECT plan(8);
CREATE TABLE item (id int PRIMARY KEY, price int);
INSERT INTO item SELECT i, 10 * i FROM generate_series(1, 3) AS i;
CREATE FUNCTION load(id int) RETURNS text LANGUAGE sql STABLE
AS 'SELECT current_user || '':'' || price FROM item WHERE item.id = $1';
SELECT cache_create('c', 'load(int)');
SELECT cache_watch('c', 'item', 'id');
CREATE TABLE roles AS SELECT 'prefix_role_' || i AS role FROM generate_series(1, 24) AS i;
SELECT format('CREATE ROLE %I', role), format('GRANT SELECT ON item TO %I', role) FROM roles \gexec

-- wrong: what the roles do not get as they should, each key in two types; NULL if nothing.
CREATE FUNCTION wrong() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(role || ' ' || id || ': ' || coalesce(got, 'NULL'), ', ')
  FROM (SELECT role, id, run(format('SELECT (cache_get(''c'', %s) #>> ''{}'') || '' '' || cache_get_as(NULL::text, ''c'', %1$s)', id), role) AS got,
          format('%1$s:%2$s %1$s:%2$s', role, price) AS want
        FROM item, roles OFFSET 0) AS answers
  WHERE got IS DISTINCT FROM want $$;
-- bad: how many answers are wrong, and how many were not hits; the second of the two
-- types is made of the first.
CREATE FUNCTION bad() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before bigint := counter('c', 'hits');
  bad text := wrong();
BEGIN
  RETURN concat_ws(', ', bad, 2 * 3 * 24 - (counter('c', 'hits') - before) || ' are not hits');
END $$;

SELECT is(bad(), '72 are not hits', 'many roles');
SELECT is(bad(), '0 are not hits', 'each has its entries');
UPDATE item SET price = price + 1 WHERE id = 2;
SELECT is(bad(), '24 are not hits', 'a write invalidates those of a key');
SELECT cache_invalidate('c');
SELECT is(bad(), '72 are not hits', 'a new generation');
SELECT is(bad(), '0 are not hits', 'has its own');

-- cache_verify finds an entry without a number as well: here the watch names the wrong
-- column.
GRANT TRIGGER ON item TO prefix_role_24;
SET ROLE prefix_role_24;
SELECT cache_create('v', 'load(int)');
SELECT cache_watch('v', 'item', 'price');
RESET ROLE;
SELECT count(run(format('SELECT cache_get(''v'', %s)', id), role)) FROM (SELECT role, id FROM roles, item ORDER BY role <> 'prefix_role_3', role) AS gets;
UPDATE item SET price = price + 1 WHERE id = 3;
SELECT is(run('SELECT cache_get(''v'', 3)', role), format('"%s:30"', role), 'what ' || role || ' had is left')
FROM unnest('{prefix_role_3,prefix_role_24}'::text[]) AS role;
SELECT is(run('SELECT string_agg(key || '' '' || cached || '' '' || loaded, '', '') FROM cache_verify(''v'')', 'prefix_role_24'),
  '3 "prefix_role_24:30" "prefix_role_24:31"', 'cache_verify finds it');
SELECT cache_drop('v');
SELECT format('REVOKE ALL ON item FROM %I', role), format('REVOKE ALL ON SCHEMA public FROM %I', role),
  format('DROP ROLE %I', role) FROM roles \gexec
SELECT * FROM finish();
