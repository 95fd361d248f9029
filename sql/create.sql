--
-- cache_create(), cache_alter(), cache_drop(): what can be a cache.
--
\set SHOW_CONTEXT never
CREATE TABLE sizes (id int PRIMARY KEY, spec jsonb);
INSERT INTO sizes VALUES (1, '{"cpu": 2}'), (2, '{"cpu": 4}');
CREATE FUNCTION load_size(size int) RETURNS jsonb
LANGUAGE sql STABLE AS 'SELECT spec FROM sizes WHERE id = size';
CREATE FUNCTION load_text(k text) RETURNS text
LANGUAGE sql IMMUTABLE AS 'SELECT upper(k)';

-- what a cache is
SELECT cache_create('size', 'load_size(int)');
SELECT cache_watch('size', 'sizes', 'id');
SELECT cache_get('size', 1);
SELECT name, loader_schema, loader_name, loader_args, ttl, max_cost, entry_cost, redis
FROM cache_definition;

-- names
SELECT cache_create(NULL, 'load_size(int)');
\echo :SQLSTATE
SELECT cache_create('', 'load_size(int)');
\echo :SQLSTATE
SELECT cache_create(repeat('n', 63), 'load_size(int)');
SELECT cache_get(repeat('n', 63), 1) = load_size(1) AS exact;
SELECT cache_create(repeat('n', 64), 'load_size(int)');
\echo :SQLSTATE
SELECT cache_create(repeat('n', 100000), 'load_size(int)');
\echo :SQLSTATE
-- 63 bytes, not characters; a name that is too long is never cut
SELECT cache_create(repeat('ä', 32), 'load_size(int)');
\echo :SQLSTATE
SELECT cache_create(repeat('ä', 31), 'load_size(int)');
SELECT cache_get(repeat('n', 64), 1);
\echo :SQLSTATE
SELECT cache_drop(repeat('n', 64));
\echo :SQLSTATE
SELECT cache_drop(repeat('n', 63));
SELECT cache_drop(repeat('ä', 31));
SELECT cache_create('Size "of" a; %s \ thing', 'load_size(int)');
SELECT cache_get('Size "of" a; %s \ thing', 2) = load_size(2) AS exact;
SELECT cache_watch('Size "of" a; %s \ thing', 'sizes', 'id');
SELECT cache_drop('Size "of" a; %s \ thing');
SELECT cache_create('size', 'load_size(int)');
\echo :SQLSTATE
-- names are not folded
SELECT cache_create('SIZE', 'load_size(int)');
SELECT cache_drop('SIZE');

-- loaders
SELECT cache_create('bad', 'no_such_function(int)');
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(text)');
\echo :SQLSTATE
SELECT cache_create('bad', 0);
\echo :SQLSTATE
CREATE FUNCTION bad_volatile(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
SELECT cache_create('bad', 'bad_volatile(int)');
\echo :SQLSTATE
CREATE FUNCTION bad_set(int) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT cache_create('bad', 'bad_set(int)');
\echo :SQLSTATE
CREATE FUNCTION bad_table(int) RETURNS TABLE (a int, b int) LANGUAGE sql STABLE AS 'SELECT 1, 2';
SELECT cache_create('bad', 'bad_table(int)');
\echo :SQLSTATE
CREATE FUNCTION bad_poly(anyelement) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT cache_create('bad', 'bad_poly(anyelement)');
\echo :SQLSTATE
CREATE FUNCTION bad_poly_array(int, VARIADIC anyarray) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT cache_create('bad', 'bad_poly_array(int, anyarray)');
\echo :SQLSTATE
CREATE FUNCTION bad_void(int) RETURNS void LANGUAGE plpgsql STABLE AS 'BEGIN END';
SELECT cache_create('bad', 'bad_void(int)');
\echo :SQLSTATE
CREATE FUNCTION bad_trigger() RETURNS trigger LANGUAGE plpgsql STABLE AS 'BEGIN RETURN NULL; END';
SELECT cache_create('bad', 'bad_trigger()');
\echo :SQLSTATE
CREATE AGGREGATE bad_agg(int) (sfunc = int4pl, stype = int);
SELECT cache_create('bad', 'bad_agg(int)');
\echo :SQLSTATE
SELECT cache_create('bad', 'pg_catalog.row_number()');
\echo :SQLSTATE
CREATE PROCEDURE bad_procedure(int) LANGUAGE sql AS 'SELECT 1';
SELECT cache_create('bad', 'bad_procedure(int)');
\echo :SQLSTATE
CREATE FUNCTION bad_key(json) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT cache_create('bad', 'bad_key(json)');
\echo :SQLSTATE
CREATE FUNCTION bad_key(int, box) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT cache_create('bad', 'bad_key(int, box)');
\echo :SQLSTATE
CREATE FUNCTION bad_key(point[]) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT cache_create('bad', 'bad_key(point[])');
\echo :SQLSTATE

-- ttl and costs
SELECT cache_create('bad', 'load_size(int)', ttl => '0');
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', ttl => '-1 second');
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', ttl => '1 day -25 hours');
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', ttl => '170000000 years');
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', max_cost => 0);
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', max_cost => -1);
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', entry_cost => 0);
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', entry_cost => -9223372036854775808);
\echo :SQLSTATE
SELECT cache_create('bad', 'load_size(int)', max_cost => 10, entry_cost => 11);
\echo :SQLSTATE
SELECT cache_create('large', 'load_size(int)', max_cost => 9223372036854775807,
                    entry_cost => 9223372036854775807);
SELECT cache_get('large', 1) = load_size(1) AS exact;
SELECT cache_drop('large');

-- nothing is left of what failed
SELECT name FROM cache_definition;

-- all options
SELECT cache_create('full', 'load_size(int)', '1 hour', 1000000, 100, true);
SELECT ttl, max_cost, entry_cost, redis FROM cache_definition WHERE name = 'full';

-- NULL leaves an option as it is, zero removes it
SELECT cache_alter('full');
SELECT ttl, max_cost, entry_cost, redis FROM cache_definition WHERE name = 'full';
SELECT cache_alter('full', ttl => '2 hours', max_cost => 500, entry_cost => 5, redis => false);
SELECT ttl, max_cost, entry_cost, redis FROM cache_definition WHERE name = 'full';
SELECT cache_alter('full', entry_cost => 501);
\echo :SQLSTATE
SELECT cache_alter('full', max_cost => 4);
\echo :SQLSTATE
SELECT cache_alter('full', max_cost => -1);
\echo :SQLSTATE
SELECT cache_alter('full', entry_cost => -1);
\echo :SQLSTATE
SELECT cache_alter('full', ttl => '-1 second');
\echo :SQLSTATE
SELECT ttl, max_cost, entry_cost, redis FROM cache_definition WHERE name = 'full';
SELECT cache_alter('full', ttl => '0', max_cost => 0, entry_cost => 0);
SELECT ttl, max_cost, entry_cost, redis FROM cache_definition WHERE name = 'full';
SELECT cache_alter('full', loader => 'load_text(text)');
SELECT cache_get('full', 'loud');
SELECT cache_alter('full', loader => 'bad_volatile(int)');
\echo :SQLSTATE
SELECT cache_get('full', 'loud');
SELECT cache_alter('no_such_cache');
\echo :SQLSTATE
SELECT cache_alter(NULL);
\echo :SQLSTATE

-- a watch that does not fit another loader
SELECT cache_alter('size', loader => 'load_text(text)');
\echo :SQLSTATE
SELECT cache_get('size', 1);

-- all of it is transactional
BEGIN;
SELECT cache_create('gone', 'load_size(int)');
SELECT cache_get('gone', 1);
ROLLBACK;
SELECT cache_get('gone', 1);
\echo :SQLSTATE
BEGIN;
SELECT cache_drop('size');
SELECT cache_get('size', 1);
ROLLBACK;
SELECT cache_get('size', 1);
BEGIN;
SELECT cache_alter('full', loader => 'load_size(int)');
SELECT cache_get('full', 1);
ROLLBACK;
SELECT cache_get('full', 'loud');
BEGIN READ ONLY;
SELECT cache_create('ro', 'load_size(int)');
\echo :SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT cache_get('size', 2);
COMMIT;

-- dropped, with its watches, and created again
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'sizes'::regclass;
SELECT cache_drop('size');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'sizes'::regclass;
SELECT cache_get('size', 1);
\echo :SQLSTATE
SELECT cache_drop('size');
\echo :SQLSTATE
SELECT cache_drop(NULL);
\echo :SQLSTATE
SELECT cache_create('size', 'load_text(text)');
SELECT cache_get('size', '1');
SELECT cache_drop('size');
SELECT cache_drop('full');
SELECT count(*) FROM cache_stats;
