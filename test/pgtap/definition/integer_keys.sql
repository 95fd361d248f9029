-- Integers of different lengths that are equal are the same key: each kind of
-- column watched for each kind of loader's argument, negative numbers as well.
\ir ../exact.psql
SELECT plan(18);
CREATE TABLE pair AS
SELECT c, k FROM unnest('{smallint,int,bigint}'::text[]) c, unnest('{smallint,int,bigint}'::text[]) k;
-- psql runs the columns of each row in turn
SELECT format('CREATE TABLE numbers (k %s PRIMARY KEY, v int)', c),
  'INSERT INTO numbers SELECT k, 0 FROM unnest(''{-32768,-32767,-256,-2,-1,0,1,2,255,32767}''::int[]) k',
  format('CREATE FUNCTION number(a %s) RETURNS int LANGUAGE sql STABLE AS ''SELECT v FROM numbers WHERE k = a''', k),
  format('SELECT cache_create(''numbers'', ''number(%s)'')', k),
  'SELECT cache_watch(''numbers'', ''numbers'', ''k'')',
  format('SELECT cache_get(''numbers'', k::%s) FROM numbers', k),
  format('SELECT is(hits(''numbers'', ''SELECT count(cache_get(''''numbers'''', k::%s)) FROM numbers''), 10::bigint, ''key %1$s'')', k),
  'UPDATE numbers SET v = v + 1',
  format('SELECT is(sum(cache_get(''numbers'', k::%s)::int), 10::bigint, ''key %1$s, column %s'') FROM numbers', k, c),
  'SELECT cache_drop(''numbers'')',
  format('DROP FUNCTION number(%s)', k),
  'DROP TABLE numbers'
FROM pair \gexec
SELECT * FROM finish();
