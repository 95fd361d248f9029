-- Keys of up to eight parts, some with a type and some without, in every
-- mixture: parameters as drivers send them, literals, columns; and which types
-- parameters get.
\ir ../exact.psql
SELECT plan(8 * 5 + 30);
CREATE TABLE parts (n serial, type text, value text);
INSERT INTO parts (type, value) VALUES ('int', '7'), ('text', 'it''s'), ('date', '2024-02-29'),
  ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), ('numeric', '1.50'), ('bigint', '9007199254740993'),
  ('timestamptz', '2024-03-31 01:30:00+00'), ('boolean', 'true');
SELECT unnest(ARRAY[
  format('CREATE FUNCTION load_%s(%s) RETURNS text LANGUAGE sql STABLE AS $f$SELECT concat_ws(''|'', ''x'', %s)$f$',
    n, string_agg(type, ', ' ORDER BY p), string_agg('$' || p, ', ' ORDER BY p)),
  format('SELECT cache_create(%L, ''load_%s(%s)'', ttl => ''1 hour'')', 'c' || n, n, string_agg(type, ', ' ORDER BY p))])
FROM generate_series(1, 8) n, LATERAL (SELECT parts.n AS p, type FROM parts WHERE parts.n <= n.n) x GROUP BY n ORDER BY n \gexec

-- spell spells the keys of a call, of a kind for each part: u, a parameter
-- without a type; l, a literal without a type; p, a parameter with a type; t, a
-- literal with a type; c, a column.
CREATE FUNCTION spell(kinds text[]) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(CASE kinds[n] WHEN 'u' THEN '$' || number WHEN 'p' THEN format('$%s::%s', number, type)
    WHEN 'l' THEN quote_literal(value) WHEN 't' THEN format('%L::%s', value, type)
    WHEN 'c' THEN format('(SELECT %L::%s FROM parts LIMIT 1)', value, type) END, ', ' ORDER BY n)
  FROM (SELECT *, sum((kinds[n] IN ('u', 'p'))::int) OVER (ORDER BY n) AS number FROM parts WHERE n <= cardinality(kinds)) p
$$;
-- wrong tries such a call of every function and says what is wrong, if anything.
CREATE FUNCTION wrong(kinds text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  n int := cardinality(kinds);
  keys text := spell(kinds);
  given text := (SELECT '(' || string_agg(quote_literal(value), ', ' ORDER BY p.n) || ')' FROM parts p WHERE kinds[p.n] IN ('u', 'p'));
  direct text := (SELECT 'x|' || string_agg(CASE type WHEN 'boolean' THEN 't' ELSE value END, '|' ORDER BY p.n) FROM parts p WHERE p.n <= cardinality(kinds));
  want text[] := (SELECT array_agg(type::regtype::text ORDER BY p.n) FROM parts p WHERE p.n <= cardinality(kinds) AND kinds[p.n] IN ('u', 'p'));
  got text[];
  result record;
BEGIN
  EXECUTE format('PREPARE g AS SELECT cache_get(''c%1$s'', %2$s) #>> ''{}'' AS a, cache_get_as(NULL::text, ''c%1$s'', %2$s) AS b', n, keys);
  EXECUTE format('PREPARE t AS SELECT cache_ttl(''c%1$s'', %2$s) AS t', n, keys);
  EXECUTE format('PREPARE i AS SELECT cache_invalidate(''c%1$s'', %2$s)', n, keys);
  got := (SELECT nullif(parameter_types::text[], '{}') FROM pg_prepared_statements WHERE name = 'g');
  IF got IS DISTINCT FROM want THEN
    RETURN NEXT format('types of %s: %s', keys, got);
  END IF;
  EXECUTE 'EXECUTE g' || coalesce(given, '') INTO result;
  IF result.a IS DISTINCT FROM direct OR result.b IS DISTINCT FROM direct THEN
    RETURN NEXT format('values of %s: %s', keys, result);
  END IF;
  EXECUTE 'EXECUTE t' || coalesce(given, '') INTO result;
  IF result.t IS NULL OR result.t NOT BETWEEN '50 min' AND '1 hour' THEN
    RETURN NEXT format('time of %s: %s', keys, result);
  END IF;
  BEGIN
    EXECUTE 'EXECUTE i' || coalesce(given, '');
    EXECUTE 'EXECUTE t' || coalesce(given, '') INTO result;
    IF result.t IS NOT NULL THEN
      RETURN NEXT format('invalidated %s: %s', keys, result);
    END IF;
    RAISE EXCEPTION 'undo';
  EXCEPTION WHEN raise_exception THEN
  END;
  DEALLOCATE ALL;
END $$;
-- mixtures gives all mixtures of two kinds.
CREATE FUNCTION mixtures(n int, a text, b text) RETURNS SETOF text[] LANGUAGE sql AS $$
  SELECT ARRAY(SELECT CASE WHEN m & (1 << i) = 0 THEN a ELSE b END FROM generate_series(0, n - 1) i)
  FROM generate_series(0, (1 << n) - 1) m
$$;

SELECT is(array_agg(w) FILTER (WHERE w IS NOT NULL), NULL, format('all mixtures of %s parameters without a type and %s', n, what))
FROM generate_series(1, 8) n, (VALUES ('t', 'typed values'), ('l', 'literals'), ('p', 'typed parameters'), ('c', 'columns')) k (kind, what)
LEFT JOIN LATERAL (SELECT w FROM mixtures(n, 'u', kind) m, wrong(m) w) x ON true
GROUP BY n, what, kind ORDER BY kind, n;
SELECT setseed(0.5);
CREATE TABLE random_kinds AS SELECT n, ARRAY(SELECT (ARRAY['u', 'l', 'p', 't', 'c'])[ceil(random() * 5 + 0 * n * i)] FROM generate_series(1, n) i) AS kinds
FROM generate_series(2, 8) n, generate_series(1, 30);
SELECT is((SELECT array_agg(w) FROM random_kinds, wrong(kinds) w WHERE n = r.n), NULL, format('random mixtures of %s of all kinds', r.n))
FROM generate_series(1, 8) r (n);

-- a dynamic query of PL/pgSQL: its USING has types, text for what has none
CREATE FUNCTION by_using(m int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  r text;
  k text := (SELECT string_agg(CASE WHEN m & (1 << (n - 1)) = 0 THEN '$' || n ELSE format('$%s::%s', n, type) END, ', ' ORDER BY n) FROM parts);
  v text[] := (SELECT array_agg(value ORDER BY n) FROM parts);
BEGIN
  EXECUTE format('SELECT cache_get_as(NULL::text, ''c8'', %s)', k) INTO r USING v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8];
  RETURN r;
END $$;
SELECT is((SELECT array_agg(DISTINCT by_using(m)) FROM generate_series(0, 255) m),
  ARRAY[(SELECT 'x|' || string_agg(CASE type WHEN 'boolean' THEN 't' ELSE value END, '|' ORDER BY n) FROM parts)], 'USING texts in all mixtures');
CREATE FUNCTION by_literal() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  EXECUTE 'SELECT cache_get_as(NULL::text, ''c3'', $1, $2, $3)' INTO r USING 7, 'a', '2024-02-29';
  RETURN r;
END $$;
SELECT is(by_literal(), 'x|7|a|2024-02-29', 'USING literals');

-- the types that are found
CREATE FUNCTION types_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE types text;
BEGIN
  BEGIN
    EXECUTE 'PREPARE x AS ' || query;
    types := (SELECT parameter_types::text FROM pg_prepared_statements WHERE name = 'x');
    DEALLOCATE x;
  EXCEPTION WHEN OTHERS THEN
    types := 'ERROR ' || sqlstate;
  END;
  RETURN types;
END $$;
SELECT is(types_of(query), types, label) FROM (VALUES
  ('SELECT cache_get(''c1'', $1)', '{integer}', 'of the key'),
  ('SELECT cache_get($1, $2)', '{text,cache_key}', 'not known with the name'),
  ('SELECT cache_get(''c''||''1'', $1)', '{cache_key}', 'nor is an expression a name'),
  ('SELECT cache_get(''no such cache'', $1)', '{cache_key}', 'no such cache'),
  ('SELECT cache_get(NULL, $1)', '{cache_key}', 'no name'),
  ('SELECT cache_get(''c1'', $1, $2)', '{cache_key,cache_key}', 'another number of keys'),
  ('SELECT cache_get(''c2'', 1::int, $1), cache_get(''c1'', $2)', '{text,integer}', 'two calls'),
  ('SELECT cache_get(''c2'', $1, $2), cache_ttl(''c2'', $1, $2), cache_get(''c3'', $1, $2, $3)', '{integer,text,date}', 'the same parameters in several calls'),
  ('SELECT cache_get(''c1'', $1), cache_get(''c8'', 1, ''a'', ''2024-02-29'', $2, $1, 5, ''2024-02-29'', true)', '{cache_key,uuid}', 'keys of different types'),
  ('SELECT cache_get(''c1'', $1), $1::int', '{cache_key}', 'cast elsewhere'),
  ('SELECT cache_get(''c1'', $1::bigint)', '{bigint}', 'another type, explicitly'),
  ('SELECT (SELECT cache_get(''c1'', $1)) UNION ALL SELECT * FROM (WITH w AS (SELECT cache_get(''c2'', $2, ''a'')) TABLE w) x', '{integer,integer}', 'in subqueries'),
  ('SELECT 1 FROM parts WHERE n = $1 AND cache_get(''c2'', $1, type) IS NOT NULL', '{integer}', 'a type by a comparison'),
  ('SELECT format(''%s'', $1), cache_get(''c2'', 5, $1)', '{text}', 'in functions that give no type'),
  ('INSERT INTO parts (value) SELECT cache_get_as(NULL::text, ''c2'', $1, ''x''::text) RETURNING cache_get(''c2'', 5, $2)', '{integer,text}', 'in INSERT'),
  ('UPDATE parts SET value = cache_get_as(NULL::text, ''c2'', n, $1) WHERE n = $2', '{text,integer}', 'in UPDATE'),
  ('DELETE FROM parts WHERE cache_get(''c2'', n, $1) IS NULL', '{text}', 'in DELETE'),
  ('VALUES (cache_get(''c2'', 3, $1))', '{text}', 'in VALUES'),
  ('SELECT * FROM cache_get(''c2'', 3, $1), LATERAL cache_get(''c1'', $2) b', '{text,integer}', 'in FROM'),
  ('SELECT * FROM cache_get_many(''c1'', $1)', '{cache_key}', 'an array'),
  ('SELECT cache_get(key1 => $1, name => ''c1'')', '{cache_key}', 'by name'),
  ('SELECT $1::cache_key, cache_get(''c1'', $1)', '{cache_key}', 'who wants a cache_key shall have it'),
  ('SELECT lower($1)', '{text}', 'others are left alone')) v (query, types, label);
SELECT is(types_of('SELECT cache_get(''c1'', $1) WHERE 1 = $1'), 'ERROR 42883', 'a key that is something else later has to be given a type');
SELECT is(types_of('SELECT cache_get(''c2'', $1, ''a''::text) WHERE 1 = $1'), 'ERROR 42P08', 'in a mixture, too');
SELECT is(types_of('SELECT cache_get(''c1'', $1::int) WHERE 1 = $1'), '{integer}', 'as the hint says');

-- what was built on the first release's functions stays
SET client_min_messages = warning;
DROP EXTENSION cache CASCADE;
CREATE EXTENSION cache VERSION '1.0';
CREATE VIEW of_first AS SELECT cache_get('c1', '7') AS a, cache_get_as(NULL::text, 'c4', '7', 'a', '2024-02-29', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11') AS b;
ALTER EXTENSION cache UPDATE;
RESET client_min_messages;
SELECT cache_create('c1', 'load_1(int)'), cache_create('c4', 'load_4(int, text, date, uuid)');
SELECT results_eq('TABLE of_first', $$VALUES ('"x|7"'::jsonb, 'x|7|a|2024-02-29|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')$$, 'a view of 1.0');
SELECT is(types_of('SELECT cache_get(''c4'', $1, $2, ''2024-02-29''::date, $3)'), '{integer,text,uuid}', 'and its calls know more after the update');
SELECT * FROM finish();
