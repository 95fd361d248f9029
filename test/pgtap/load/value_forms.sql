-- A value has two forms, in the loader's own type and as jsonb: what one load has given
-- serves gets of both, as exactly as if each had loaded for itself.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_alice, regress_cache_bob;
CREATE ROLE regress_cache_alice;
CREATE ROLE regress_cache_bob;
RESET client_min_messages;
SELECT plan(90);

CREATE TABLE source (k int PRIMARY KEY, v text);
INSERT INTO source SELECT i, NULL FROM generate_series(1, 3) AS i;
GRANT SELECT ON source TO PUBLIC;
-- loads runs a query and gives how often the loader has run by it.
CREATE FUNCTION loads(cache text, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint := counter(cache, 'loads');
BEGIN
  PERFORM run(query);
  RETURN counter(cache, 'loads') - before;
END $$;
-- make makes a cache of values of a type, all of them this one.
CREATE FUNCTION make(cache text, type text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE FUNCTION %I(a int) RETURNS %s LANGUAGE sql STABLE AS $f$SELECT coalesce(v, %L)::%2$s FROM source WHERE k = a$f$',
                 cache, type, value);
  PERFORM cache_create(cache, format('%I(int)', cache)::regprocedure), cache_watch(cache, 'source', 'k');
END $$;
-- gets asserts that gets of three keys in both forms are exact, and how many loads they take: the first key as jsonb
-- first, the second in the loader's own type first, the third as jsonb first.
CREATE FUNCTION gets(cache text, type text, jsonb_first bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  get_as text := format('SELECT cache_get_as(NULL::%s, %L, %%s)', type, cache);
  get text := format('SELECT cache_get(%L, %%s)', cache);
BEGIN
  RETURN NEXT is(ARRAY[loads(cache, format(get, 1)), loads(cache, format(get_as, 1)),
                       loads(cache, format(get_as, 2)), loads(cache, format(get, 2)),
                       loads(cache, format(get, 3)), loads(cache, format(get_as, 3))],
                 ARRAY[1, jsonb_first, 1, 0, 1, 0], cache);
  RETURN NEXT is(ARRAY[run(format(get, 1)), run(format(get_as, 1)), run(format(get, 2)), run(format(get_as, 2)),
                       run(format(get, 3)), run(format(get_as, 3))],
                 array_cat(array_cat(direct, direct), direct), cache || ' is exact')
  FROM (SELECT ARRAY[run(format('SELECT to_jsonb(%I(1))', cache)), run(format('SELECT %I(1)', cache))]) AS d (direct);
  RETURN NEXT is((SELECT count(*) FROM cache_verify(cache)), 0::bigint, cache || ' is verified');
END $$;
CREATE TYPE pair AS (a int, "b c" text);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE types (type text, value text, jsonb_first bigint, n serial);
-- Of what cannot be had back from jsonb, a load as jsonb has the other form stored as
-- well, once that is wanted.
INSERT INTO types VALUES ('boolean', 'true', 0), ('smallint', '-7', 0), ('integer', '-2147483648', 0),
  ('bigint', '9223372036854775807', 0), ('numeric', '1.50', 0), ('numeric', 'NaN', 0), ('numeric', '-Infinity', 0), ('numeric', '1e-1000', 0),
  ('text', E'a"\\\u00e4\n', 0), ('text', '', 0), ('varchar', 'x ', 0),
  ('bpchar', 'x ', 1), ('double precision', '0.1', 1), ('timestamptz', '2000-01-01 00:00 UTC', 1),
  ('integer[]', '{1,NULL}', 1), ('pair', '(1,x)', 1), ('pair[]', '{"(1,x)",NULL}', 1), ('json', '{"a": 1,  "a": 2}', 1), ('positive', '7', 1);
SELECT make(format('%s: %s', n, type), type, value) FROM types;
SELECT gets(format('%s: %s', n, type), type, jsonb_first) FROM types;

-- settings: those of the cache, whoever asks
SET TimeZone = 'Asia/Kolkata';
SET extra_float_digits = 0;
CREATE FUNCTION at(a int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT coalesce(v, ''2000-01-01 00:00 UTC'')::timestamptz FROM source WHERE k = a';
CREATE FUNCTION third(a int) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT coalesce(v, ''1'')::float8 / 3 FROM source WHERE k = a';
SELECT cache_create('at', 'at(int)'), cache_watch('at', 'source', 'k');
SELECT cache_create('third', 'third(int)'), cache_watch('third', 'source', 'k');
RESET TimeZone;
RESET extra_float_digits;
SELECT cache_get_as(NULL::timestamptz, 'at', 1) = at(1), cache_get_as(NULL::float8, 'third', 1) = third(1);
SELECT is(cache_get('at', 1), '"2000-01-01T05:30:00+05:30"', 'TimeZone of the cache');
SELECT is(cache_get('third', 1)::text, '0.333333333333333', 'extra_float_digits of the cache');
SELECT is(counter('at', 'loads') + counter('third', 'loads'), 2::bigint, 'loaded once');
SELECT is(current_setting('TimeZone') <> 'Asia/Kolkata', true, 'and what was set before is set again');

-- NULL; and strict loaders
CREATE FUNCTION nothing(a int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT v::timestamptz FROM source WHERE k = a';
SELECT cache_create('nothing', 'nothing(int)'), cache_watch('nothing', 'source', 'k');
SELECT is(cache_get_as(NULL::timestamptz, 'nothing', 1), NULL, 'NULL');
SELECT is(cache_get('nothing', 1), NULL, 'NULL as jsonb');
SELECT is(ARRAY[counter('nothing', 'loads'), counter('nothing', 'hits')], ARRAY[1, 1]::bigint[], 'is made of it');

-- writes: both forms are gone; one's own are seen
SELECT cache_get('third', 2) IS NOT NULL, cache_get_as(NULL::float8, 'third', 2) IS NOT NULL;
UPDATE source SET v = '2' WHERE k = 1;
SELECT is(loads('third', 'SELECT cache_get(''third'', 1)'), 1::bigint, 'a write');
SELECT is(cache_get('third', 1)::float8, cache_get_as(NULL::float8, 'third', 1)::numeric::float8, 'is seen in both');
BEGIN;
UPDATE source SET v = '4' WHERE k = 2;
SELECT is(cache_get_as(NULL::float8, 'third', 2), third(2), 'an own write');
SELECT is(cache_get('third', 2)::text, '1.33333333333333', 'as jsonb');
ROLLBACK;
SELECT is(cache_get('third', 2)::text, '0.333333333333333', 'and rolled back');
UPDATE source SET v = NULL;

-- a ttl: of what was loaded
CREATE FUNCTION ttl(a int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at(a)';
SELECT cache_create('ttl', 'ttl(int)', ttl => '1 day');
SELECT cache_get_as(NULL::timestamptz, 'ttl', 1) IS NULL;
SELECT statement_timestamp() + cache_ttl('ttl', 1) AS expires \gset
SELECT cache_get('ttl', 1) IS NULL;
SELECT is(statement_timestamp() + cache_ttl('ttl', 1), :'expires', 'expires when that does');
SELECT is(counter('ttl', 'entries'), 2::bigint, 'and is stored');

-- many keys
CREATE FUNCTION many(a int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at(a)';
SELECT cache_create('many', 'many(int)'), cache_watch('many', 'source', 'k');
SELECT count(cache_get_as(NULL::timestamptz, 'many', k)) FROM generate_series(1, 2) AS k;
SELECT is(array_agg(value), ARRAY[to_jsonb(at(2)), to_jsonb(at(3)), to_jsonb(at(2)), to_jsonb(at(1))], 'many keys')
FROM cache_get_many('many', '{2,3,2,1}'::int[]);
SELECT is(ARRAY[counter('many', 'loads'), counter('many', 'hits')], ARRAY[3, 3]::bigint[], 'one of them was to be loaded');

-- roles of a SECURITY INVOKER loader
CREATE FUNCTION whose(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user || k FROM source WHERE k = a';
SELECT cache_create('whose', 'whose(int)'), cache_watch('whose', 'source', 'k');
SELECT is(run('SELECT cache_get_as(NULL::text, ''whose'', 1)', 'regress_cache_alice'), 'regress_cache_alice1', 'what one role loads');
SELECT is(run('SELECT cache_get(''whose'', 1)', 'regress_cache_bob'), '"regress_cache_bob1"', 'is not for another');
SELECT is(run('SELECT cache_get(''whose'', 1)', 'regress_cache_alice'), '"regress_cache_alice1"', 'but for itself');
SELECT is(ARRAY[counter('whose', 'loads'), counter('whose', 'hits')], ARRAY[2, 1]::bigint[], 'two loads');

-- composite types that are altered
CREATE FUNCTION paired(a int) RETURNS pair LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT format(''(%s,%s)'', k, v)::pair FROM source WHERE k = a); END';
SELECT cache_create('paired', 'paired(int)'), cache_watch('paired', 'source', 'k');
SELECT cache_get_as(NULL::pair, 'paired', 1) IS NULL;
ALTER TYPE pair RENAME ATTRIBUTE "b c" TO d;
SELECT is(cache_get('paired', 1), to_jsonb(paired(1)), 'an attribute is renamed');
SELECT cache_get_as(NULL::pair, 'paired', 1) IS NULL;
ALTER TYPE pair ALTER ATTRIBUTE d TYPE varchar(10), ALTER ATTRIBUTE a TYPE bigint;
SELECT is(cache_get('paired', 1), to_jsonb(paired(1)), 'or gets another type');
SELECT is(cache_get_as(NULL::pair, 'paired', 1)::text, paired(1)::text, 'and as it is');

-- a conversion that reads tables: a cast to json
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TABLE smiley (mood mood PRIMARY KEY, smiley text);
INSERT INTO smiley VALUES ('happy', ':-)'), ('sad', ':-(');
CREATE FUNCTION mood_json(m mood) RETURNS json LANGUAGE sql STABLE AS 'SELECT to_json(smiley) FROM smiley WHERE mood = m';
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
CREATE FUNCTION mood(a int) RETURNS mood LANGUAGE sql STABLE AS 'SELECT coalesce(v, ''happy'')::mood FROM source WHERE k = a AND k > 1';
SELECT cache_create('mood', 'mood(int)'), cache_watch('mood', 'source', 'k');
SELECT cache_get_as(NULL::mood, 'mood', 2), cache_get_as(NULL::mood, 'mood', 3);
SELECT is(cache_get('mood', 2), '":-)"', 'a cast');
UPDATE smiley SET smiley = ';-)' WHERE mood = 'happy';
SELECT is(cache_get('mood', 2), '";-)"', 'reads a table that is not watched: not stored');
SELECT is(counter('mood', 'loads'), 2::bigint, 'but not loaded either');
SELECT cache_watch('mood', 'smiley');
SELECT cache_get_as(NULL::mood, 'mood', 2), cache_get('mood', 2), cache_get('mood', 2);
UPDATE smiley SET smiley = ':-D' WHERE mood = 'happy';
SELECT is(cache_get('mood', 2), '":-D"', 'which is watched now');

-- in a load: whoever uses what was made depends on what was loaded
CREATE FUNCTION outer_(a int) RETURNS jsonb LANGUAGE plpgsql STABLE AS 'BEGIN RETURN cache_get(''at'', a); END';
SELECT cache_create('outer', 'outer_(int)'), cache_watch('outer', 'source', 'k');
UPDATE source SET v = NULL;
SELECT cache_get_as(NULL::timestamptz, 'at', 3) IS NULL;
SELECT is(loads('at', 'SELECT cache_get(''outer'', 3)'), 0::bigint, 'made within a load');
UPDATE source SET v = '2001-01-01 00:00 UTC';
SELECT is(cache_get('outer', 3), '"2001-01-01T05:30:00+05:30"', 'a write');

-- compressed values
UPDATE source SET v = repeat('long ', 2000);
SET cache.compression = pglz;
CREATE FUNCTION long(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT v FROM source WHERE k = a';
CREATE FUNCTION longs(a int) RETURNS text[] LANGUAGE sql STABLE AS 'SELECT ARRAY[v] FROM source WHERE k = a';
SELECT cache_create('long', 'long(int)'), cache_watch('long', 'source', 'k');
SELECT cache_create('longs', 'longs(int)'), cache_watch('longs', 'source', 'k');
SELECT exact('long', '1', 'long', 'compressed');
SELECT length(cache_get_as(NULL::text, 'long', 2)), array_length(cache_get_as(NULL::text[], 'longs', 2), 1);
SELECT is(cache_get('long', 2), to_jsonb(long(2)), 'compressed text');
SELECT is(cache_get('longs', 2), to_jsonb(longs(2)), 'compressed array');
SELECT is(counter('long', 'loads') + counter('longs', 'loads'), 3::bigint, 'loaded once');
RESET cache.compression;

SELECT * FROM finish();
DROP OWNED BY regress_cache_alice, regress_cache_bob;
DROP ROLE regress_cache_alice, regress_cache_bob;
