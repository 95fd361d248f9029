--
-- Keys of unusual sizes.
--
\set SHOW_CONTEXT never
CREATE TABLE t (k text PRIMARY KEY DEFAULT '', n int);
ALTER TABLE t DROP CONSTRAINT t_pkey;
CREATE FUNCTION count_of(a text) RETURNS jsonb LANGUAGE sql STABLE AS
  'SELECT jsonb_build_object(''n'', (SELECT sum(n) FROM t WHERE k = a), ''length'', octet_length(a), ''md5'', md5(a))';
SELECT cache_create('c', 'count_of(text)'), cache_watch('c', 't', 'k');

-- the empty string is not NULL
SELECT cache_get('c', ''), cache_get('c', NULL) IS DISTINCT FROM cache_get('c', '');

-- a key just below the limit is stored
SELECT cache_stats_reset('c');
SELECT cache_get('c', repeat('a', 32700)) = count_of(repeat('a', 32700)) AS exact;
SELECT cache_get('c', repeat('a', 32700)) = count_of(repeat('a', 32700)) AS exact;
SELECT hits, loads, rejected FROM cache_stats;
-- one just above is not
SELECT cache_stats_reset('c');
SELECT cache_get('c', repeat('a', 32800)) = count_of(repeat('a', 32800)) AS exact;
SELECT cache_get('c', repeat('a', 32800)) = count_of(repeat('a', 32800)) AS exact;
SELECT hits, loads, rejected FROM cache_stats;
-- all around it
SELECT count(*), bool_and(cache_get('c', repeat('b', n)) = count_of(repeat('b', n))) AS exact
FROM generate_series(32700, 32800) n;
SELECT count(*), bool_and(cache_get('c', repeat('b', n)) = count_of(repeat('b', n))) AS exact
FROM generate_series(32700, 32800) n;

-- a megabyte, and keys that differ only at their ends
SELECT cache_get('c', repeat('x', 1048576)) = count_of(repeat('x', 1048576)) AS exact;
SELECT cache_get('c', repeat('x', 1048576) || 'y') = count_of(repeat('x', 1048576) || 'y') AS exact,
       cache_get('c', repeat('x', 1048576) || 'z') = count_of(repeat('x', 1048576) || 'z') AS exact;
SELECT cache_get('c', repeat('x', 32000) || 'y') = count_of(repeat('x', 32000) || 'y') AS exact,
       cache_get('c', repeat('x', 32000) || 'z') = count_of(repeat('x', 32000) || 'z') AS exact;

-- writes of them, stored plain, compressed and out of line
INSERT INTO t SELECT repeat('x', 32000) || 'z', 7;
INSERT INTO t SELECT repeat('x', 1048576) || 'z', 8;
INSERT INTO t SELECT string_agg(md5(i::text), ''), 9 FROM generate_series(1, 1000) i;
SELECT cache_get('c', repeat('x', 32000) || 'z') ->> 'n' AS n,
       cache_get('c', repeat('x', 1048576) || 'z') ->> 'n' AS n;
SELECT cache_get('c', k) = count_of(k) AS exact FROM t;
SELECT cache_get('c', k) = count_of(k) AS exact FROM t;
UPDATE t SET n = n + 1;
SELECT cache_get('c', k) = count_of(k) AS exact FROM t;
SELECT cache_invalidate('c', repeat('x', 1048576));

-- many keys: as many as a function can have arguments
SELECT format('CREATE FUNCTION many(%s) RETURNS int LANGUAGE sql STABLE AS ''SELECT $1 + $99''',
              string_agg('int', ', ')) FROM generate_series(1, 99)
\gexec
SELECT cache_create('many', oid::regprocedure) FROM pg_proc WHERE proname = 'many';
SELECT cache_get('many', VARIADIC array_agg(i)) FROM generate_series(1, 99) i;
SELECT cache_get('many', VARIADIC array_agg(i)) FROM generate_series(1, 99) i;
SELECT cache_get('many', VARIADIC array_agg(i)) FROM generate_series(2, 100) i;
SELECT hits, loads FROM cache_stats WHERE name = 'many';

-- equal keys with different bytes are one key to a write
CREATE TABLE amounts (a numeric, n int);
CREATE FUNCTION of_amount(x numeric) RETURNS text
LANGUAGE sql STABLE AS 'SELECT x || '':'' || count(*) FROM amounts WHERE a = x';
SELECT cache_create('amount', 'of_amount(numeric)'), cache_watch('amount', 'amounts', 'a');
SELECT cache_get('amount', 1), cache_get('amount', 1.0), cache_get('amount', 1.000);
INSERT INTO amounts VALUES (1.00, 1);
SELECT cache_get('amount', 1), cache_get('amount', 1.0), cache_get('amount', 1.000);
CREATE TABLE floats (f float8);
CREATE FUNCTION of_float(x float8) RETURNS bigint
LANGUAGE sql STABLE AS 'SELECT count(*) FROM floats WHERE f = x';
SELECT cache_create('float', 'of_float(float8)'), cache_watch('float', 'floats', 'f');
SELECT cache_get('float', 0.0), cache_get('float', '-0'), cache_get('float', 'NaN');
INSERT INTO floats VALUES (0), ('NaN');
SELECT cache_get('float', 0.0), cache_get('float', '-0'), cache_get('float', 'NaN');
CREATE TABLE chars (c char(8));
CREATE FUNCTION of_char(x char) RETURNS bigint
LANGUAGE sql STABLE AS 'SELECT count(*) FROM chars WHERE c = x';
SELECT cache_create('char', 'of_char(char)'), cache_watch('char', 'chars', 'c');
SELECT cache_get('char', 'a'), cache_get('char', 'a   '), cache_get('char', 'a'::char(20));
INSERT INTO chars VALUES ('a');
SELECT cache_get('char', 'a'), cache_get('char', 'a   '), cache_get('char', 'a'::char(20));
-- a column of another type that compares alike
CREATE TABLE bigs (k bigint);
CREATE FUNCTION of_int(x int) RETURNS bigint
LANGUAGE sql STABLE AS 'SELECT count(*) FROM bigs WHERE k = x';
SELECT cache_create('int', 'of_int(int)'), cache_watch('int', 'bigs', 'k');
SELECT cache_get('int', 5), cache_get('int', -5);
INSERT INTO bigs VALUES (5), (-5), (5000000000);
SELECT cache_get('int', 5), cache_get('int', -5);
