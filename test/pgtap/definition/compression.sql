-- Large values are kept compressed, if that is wanted, and are the same values.
\ir ../exact.psql
CREATE TYPE big AS (a int, b text, c jsonb);

-- native, json: does it shrink in its own type, and as jsonb?
CREATE TABLE kinds (n int, type text, value text, native boolean, json boolean);
INSERT INTO kinds VALUES
  (1, 'text', 'repeat(''ab'', 4000)', true, true),
  (2, 'text', 'repeat(''ab'', 900)', false, false),
  (3, 'text', 'repeat('''', 900)', false, false),
  (4, 'text', 'NULL::text', NULL, NULL),
  (5, 'text', '(SELECT string_agg(md5(i::text), '''') FROM generate_series(1, 200) AS i)', false, false),
  (6, 'varchar(20000)', 'repeat(''ab'', 9000)', true, true),
  (7, 'bytea', 'decode(repeat(''00ff'', 5000), ''hex'')', true, true),
  (8, 'jsonb', '(SELECT jsonb_object_agg(''key'' || i, ''value'') FROM generate_series(1, 500) AS i)', true, true),
  (9, 'text[]', '(SELECT array_agg(''word '' || i % 7) FROM generate_series(1, 900) AS i)', true, true),
  (10, 'big', 'ROW(1, repeat(''b'', 5000), jsonb_build_array(repeat(''c'', 5000)))::big', true, true),
  (11, 'tsvector', '(SELECT string_agg(repeat(''x'', 100) || i, '' '')::tsvector FROM generate_series(1, 60) AS i)', true, true),
  (12, 'oidvector', 'repeat(''1 2 3 '', 300)::oidvector', false, true),
  (13, 'int', '5', false, false);
SELECT format('CREATE FUNCTION load_%s() RETURNS %s LANGUAGE sql IMMUTABLE AS $$ SELECT %s $$', n, type, value),
  format('SELECT cache_create(''kind_%s'', ''load_%1$s()'')', n)
FROM kinds \gexec

-- The parts of their sizes that values have, in their own type and as jsonb.
CREATE FUNCTION part(n int, type text, native boolean) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  part numeric;
BEGIN
  EXECUTE CASE WHEN native THEN
    format('SELECT pg_column_size(cache_get_as(NULL::%s, ''kind_%s''))::numeric / pg_column_size(load_%2$s())', type, n)
  ELSE
    format('SELECT pg_column_size(cache_get(''kind_%s''))::numeric / pg_column_size(to_jsonb(load_%1$s()))', n)
  END INTO part;
  RETURN part;
END $$;

SELECT CASE WHEN 'lz4' = ANY (enumvals) THEN 'lz4' ELSE 'pglz' END AS best
FROM pg_settings WHERE name = 'cache.compression' \gset
SELECT plan(3 * 3 * (SELECT count(*) FROM kinds)::int + 2);

-- What was cached before stays as it is.
SELECT format('SET cache.compression = %s', method), 'SELECT cache_invalidate(name) FROM cache_definition',
  format('SELECT exact(''kind_'' || n, '''', ''load_'' || n, %L || type || '' '' || n) FROM kinds', method || ': '),
  format($$SELECT is(part(n, type, true) < 0.75, CASE WHEN native IS NOT NULL THEN native AND %L <> 'off' END, %1$L || ': size in its own type ' || n) FROM kinds$$, method),
  format($$SELECT is(part(n, type, false) < 0.75, CASE WHEN json IS NOT NULL THEN json AND %L <> 'off' END, %1$L || ': size as jsonb ' || n) FROM kinds$$, method)
FROM unnest(ARRAY['off', 'pglz', :'best']) AS method \gexec

CREATE ROLE compression_user;
SELECT is(run('SET cache.compression = pglz', 'compression_user'), 'ERROR 42501', 'for superusers');
SELECT is(run('SET cache.compression = zip'), 'ERROR 22023', 'methods that there are not');
DROP ROLE compression_user;
SELECT * FROM finish();
