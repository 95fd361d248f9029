-- Whatever column a watch accepts for a key: a write to any row that is equal to a
-- key, under the collation of the key, is heard of. Brute force over all types that
-- can be hashed, each with those that it compares with, and over collations.
\ir ../exact.psql
SELECT plan(16);
SET client_min_messages = error;
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION plain (provider = icu, locale = 'und');
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE mood AS ENUM ('0', 'ab', 'AB');
CREATE TYPE two AS (a text, b integer);
CREATE TYPE two_folded AS (a text COLLATE folded, b integer);
CREATE TYPE named AS (a name);
CREATE TYPE named_folded AS (a name COLLATE folded);
CREATE TYPE folded_range AS RANGE (subtype = text, collation = folded);
CREATE TYPE name_range AS RANGE (subtype = name, collation = folded);
CREATE DOMAIN word AS text;
CREATE DOMAIN folded_word AS text COLLATE folded;
CREATE DOMAIN numbers AS integer[];

-- values lists literals, of which each type takes what it can.
CREATE VIEW literals AS SELECT unnest(ARRAY['0', '00', '1', '-1', '1.0', '1.00', '-0', 'NaN', '1e0', '0.1', 'ab', 'AB', 'Ab', 'aB', 'ab ',
  'AB  ', ' ab', '', 'Ab'::char(4)::text, 't', 'f', '2020-01-01', '2020-01-01 00:00', '2020-01-01 00:00+00', '2020-01-01 01:00+01',
  '1 day', '24 hours', '30 days', '1 mon', '00:00', '24:00', '00:00+00', '01:00+01', '{}', '{1,2}', '{ab,AB}', '{AB,ab}',
  '{1.0}', '{1.00}', '[1,2)', '[1,1]', '(0,2)', 'empty', '[ab,ac)', '[AB,AC)', '{[1,2)}', '{[1,1]}', '(ab,1)', '(AB,1)', '(ab)',
  '(AB)', '10.0.0.1', '10.0.0.1/32', '10.0.0.0/8', '08:00:2b:01:02:03', '08002b010203', '0/1', '00/01', '(0,1)',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'A0EEBC999C0B4EF8BB6D6BB9BD380A11', '{"a": 1}', '{"a": 1.0}', '\xab', '\xAB',
  'postgres=r/postgres']) AS literal;
CREATE FUNCTION literals(type text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE result text[] := '{}'; literal text;
BEGIN
  FOR literal IN SELECT * FROM literals LOOP
    BEGIN
      EXECUTE format('SELECT %L::%s', literal, type);
      result := result || literal;
    EXCEPTION WHEN OTHERS THEN
    END;
  END LOOP;
  RETURN result;
END $$;

-- Types by their hash operator families; and those that have theirs from what they
-- consist of.
CREATE TABLE types AS
SELECT DISTINCT c.opcfamily AS family, format_type(t.oid, NULL) AS type
FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod AND amname = 'hash'
JOIN pg_type t ON t.oid = opcintype OR (opcintype = 'text'::regtype AND t.oid = 'varchar'::regtype)
WHERE opcdefault AND typtype <> 'p' AND typname NOT IN ('unknown', 'cid');
INSERT INTO types SELECT f.family, type FROM
  (VALUES (1, 'mood'), (2, 'two'), (3, 'two_folded'), (4, 'named'), (5, 'named_folded'), (6, 'folded_range'), (7, 'name_range'),
    (8, 'integer[]'), (8, 'numbers'), (9, 'numeric[]'), (10, 'text[]'), (11, 'name[]'), (12, 'char(4)[]'), (13, 'int4range'),
    (14, 'int4multirange'), (15, 'two_folded[]'), (16, 'bigint[]'), (17, 'folded_range[]')) AS f (family, type);
INSERT INTO types SELECT family, unnest('{word,folded_word}'::text[]) FROM types WHERE type = 'text';
INSERT INTO types SELECT family, 'character(4)' FROM types WHERE type = 'character';

ALTER TABLE types ADD literals text[];
UPDATE types SET literals = literals(type);
UPDATE types SET literals = '{ab,AB,Ab,"ab ","AB  "," ab","",0}' WHERE cardinality(literals) > 30;

-- pair tries a column for a key: the keys that were not heard of, or why not tried.
CREATE TABLE tried (key text, col text, collation_of_column text, other text, accepted boolean, wrong text, hits bigint);
CREATE FUNCTION pair(key text, col text, collation_of_column text, other text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE literal text;
BEGIN
  DROP TABLE IF EXISTS item, other_item CASCADE;
  DROP FUNCTION IF EXISTS loader;
  EXECUTE format('CREATE TABLE item (k %s%s, v integer)', col, coalesce(' COLLATE ' || collation_of_column, ''));
  FOREACH literal IN ARRAY (SELECT literals FROM types WHERE type = col LIMIT 1) LOOP
    EXECUTE format('INSERT INTO item SELECT %L::%s, 0 WHERE NOT EXISTS (SELECT FROM item WHERE k::text COLLATE "C" = %1$L::%2$s::text COLLATE "C")', literal, col);
  END LOOP;
  -- The key is compared as the watches say that it is.
  EXECUTE format('CREATE FUNCTION loader(a %s) RETURNS text LANGUAGE sql STABLE AS ''SELECT sum(v)::text || count(*) FROM item WHERE k = a%s''',
    key, coalesce(' COLLATE ' || coalesce(collation_of_column, other, CASE WHEN 'name' IN (key, col) THEN '"C"' END), ''));
  PERFORM cache_create('c', format('loader(%s)', key)::regprocedure);
  PERFORM cache_watch('c', 'item', 'k');
  IF other IS NOT NULL THEN
    EXECUTE format('CREATE TABLE other_item (k %s COLLATE %s)', key, other);
    PERFORM cache_watch('c', 'other_item', 'k');
  END IF;
EXCEPTION WHEN feature_not_supported OR datatype_mismatch OR undefined_function OR invalid_function_definition
  OR indeterminate_collation OR collation_mismatch THEN
  INSERT INTO tried VALUES (key, col, collation_of_column, other, false, sqlerrm, 0);
END $$;
CREATE PROCEDURE try(key text, col text, collation_of_column text, other text) LANGUAGE plpgsql AS $$
DECLARE row tid; found text; wrong text := ''; keys text[] := (SELECT literals FROM types WHERE type = key LIMIT 1);
BEGIN
  PERFORM pair(key, col, collation_of_column, other);
  COMMIT;
  IF EXISTS (SELECT FROM cache_definition) THEN
    FOR row IN SELECT ctid FROM item LOOP
      EXECUTE format('SELECT count(cache_get(''c'', l::%s)) FROM unnest(%L::text[]) l', key, keys);
      COMMIT;
      UPDATE item SET v = v + 1 WHERE ctid = row;
      COMMIT;
      EXECUTE format('SELECT string_agg(k::text, '', '') FROM unnest(%L::text[]) l, LATERAL (SELECT l::%s AS k) x
        WHERE cache_get(''c'', k) IS DISTINCT FROM to_jsonb(loader(k))', keys, key) INTO found;
      wrong := wrong || coalesce(found || '; ', '');
      COMMIT;
    END LOOP;
    INSERT INTO tried SELECT key, col, collation_of_column, other, true, wrong, counter('c', 'hits');
    PERFORM cache_drop('c');
  END IF;
END $$;

-- Each type with each other: what does not compare alike is refused, so a
-- sample of one type of each family will do for those.
SELECT format('CALL try(%L, %L, NULL, NULL)', k.type, c.type)
FROM types k JOIN types c ON k.family = c.family OR (k.type, c.type) IN (('text', 'character'), ('integer', 'numeric'), ('date', 'timestamp without time zone')) \gexec
-- Those that have collations, under others; by the column, or by another watch.
SELECT format('CALL try(%L, %L, %L, %L)', k.type, c.type, a, b)
FROM types k JOIN types c USING (family), (VALUES ('folded', NULL), ('plain', NULL), (NULL, 'folded'), ('"C"', 'folded'), (NULL, 'plain')) AS x (a, b)
WHERE (SELECT count(*) FROM pg_type t WHERE t.oid IN (k.type::regtype, c.type::regtype) AND typcollation <> 0) = (CASE WHEN k.type = c.type THEN 1 ELSE 2 END)
  AND k.type <> 'citext' \gexec

SELECT is(string_agg(format('key %s, column %s %s, %s: %s', key, col, collation_of_column, other, wrong), E'\n'), NULL, 'all that is accepted is exact')
FROM tried WHERE accepted AND wrong <> '';
SELECT cmp_ok((SELECT count(*) FROM tried WHERE accepted AND hits > 0), '>', 90::bigint, 'many are');
SELECT cmp_ok((SELECT count(*) FROM tried WHERE accepted AND key <> col), '>', 15::bigint, 'of different types, too');
SELECT ok(bool_and(accepted), 'names and texts, under each collation') FROM tried WHERE key IN ('name', 'text', 'word') AND col IN ('name', 'text', 'word');
SELECT ok(NOT bool_or(accepted), 'names inside are not, under a nondeterministic collation')
FROM tried WHERE key IN ('name_range', 'named_folded') OR (key = 'name[]' AND 'folded' IN (collation_of_column, other));
SELECT ok(bool_and(accepted), 'but under others') FROM tried WHERE key IN ('named') OR (key = 'name[]' AND coalesce(collation_of_column, other, 'plain') = 'plain');

-- A call may bring a collation that the watches do not know of.
CREATE TABLE fruit (name text, name_folded text COLLATE folded, price integer);
INSERT INTO fruit VALUES ('pear', 'pear', 1);
CREATE FUNCTION price(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(price) FROM fruit WHERE name = $1';
CREATE FUNCTION price_folded(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(price) FROM fruit WHERE name_folded = $1';
CREATE FUNCTION price_of_word(folded_word) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(price) FROM fruit WHERE name = $1';
SELECT cache_create('p', 'price(text)'), cache_create('f', 'price_folded(text)'), cache_create('w', 'price_of_word(folded_word)') \g /dev/null
SELECT cache_watch('p', 'fruit', 'name'), cache_watch('f', 'fruit', 'name_folded'), cache_watch('w', 'fruit', 'name') \g /dev/null
SELECT is(hits('p', $$SELECT cache_get('p', 'PEAR' COLLATE folded), cache_get('p', 'PEAR' COLLATE folded)$$), 0::bigint, 'keys under another collation are not cached');
SELECT is((SELECT array_agg(b.reason) FROM cache_bypasses b WHERE cache = 'p'), '{collation}', 'which is counted as the reason');
SELECT is(hits('f', $$SELECT cache_get('f', 'PEAR' COLLATE folded) FROM generate_series(1, 3)$$), 2::bigint, 'under the same they are');
SELECT is(hits('f', $$SELECT cache_get('f', 'PEAR') FROM generate_series(1, 3)$$), 2::bigint, 'and under the default');
SELECT is(hits('w', $$SELECT cache_get('w', 'PEAR') FROM generate_series(1, 3)$$), 2::bigint, 'or that of their type');
UPDATE fruit SET price = 2;
SELECT is(cache_get('p', 'PEAR' COLLATE folded), to_jsonb(price('PEAR' COLLATE folded)), 'exact after a write: another collation');
SELECT is(cache_get('f', 'PEAR' COLLATE folded), to_jsonb(price_folded('PEAR' COLLATE folded)), 'the same');
SELECT is(cache_get('w', 'PEAR'), to_jsonb(price_of_word('PEAR')), 'that of the type');
SELECT is(cache_get('p', 'pear' COLLATE plain), to_jsonb(price('pear' COLLATE plain)), 'one that tells all strings apart');

-- What is coerced to the loader's type gets that type's collation, unless another
-- is named: as in a direct call.
CREATE FUNCTION collation_of_word(folded_word) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN pg_collation_for($1); END';
CREATE FUNCTION collation_of_name(name) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN pg_collation_for($1); END';
CREATE FUNCTION collation_of_text(text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN pg_collation_for($1); END';
CREATE FUNCTION collation_of_two(text, folded_word) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN pg_collation_for($1); END';
SELECT cache_create(name, (name || arguments)::regprocedure) FROM (VALUES ('collation_of_word', '(folded_word)'), ('collation_of_name', '(name)'),
  ('collation_of_text', '(text)'), ('collation_of_two', '(text,folded_word)')) AS c (name, arguments) \g /dev/null
CREATE TABLE words AS SELECT 'a'::varchar AS plain, 'b'::text COLLATE "C" AS c, 'c'::folded_word AS folded, 'd'::name AS name;
SELECT is(string_agg(concat_ws(' ', loader, keys, got, want), '; '), NULL, 'collations of keys of other types')
FROM (SELECT loader, keys, run(format('SELECT to_jsonb(collation_of_%s(%s)) FROM words', loader, keys)) AS want,
        run(format('SELECT cache_get(''collation_of_%s'', %s) FROM words', loader, keys)) AS got
      FROM (SELECT loader, keys FROM unnest('{word,name,text}'::text[]) loader,
              unnest(ARRAY['plain', 'c', 'folded', 'name', $$'P'$$, $$'P'::text$$, $$'P'::name$$, $$'P'::folded_word$$, $$'P' COLLATE "C"$$,
                $$'P' COLLATE folded$$, 'plain COLLATE folded', 'name COLLATE plain', 'lower(c)', 'lower(c COLLATE folded)',
                $$'P'::folded_word COLLATE "C"$$]) keys
            UNION ALL
            SELECT 'two', unnest(ARRAY[$$'P', 'Q'$$, 'plain, folded', $$'P', folded$$, $$'P'::text, 'Q'$$, $$'P' COLLATE "C", 'Q'$$,
              $$'P', 'Q' COLLATE "C"$$])) calls OFFSET 0) x
WHERE got IS DISTINCT FROM want;
SELECT * FROM finish();
