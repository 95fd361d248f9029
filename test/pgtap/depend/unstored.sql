-- What a load depends on: a value is stored only if all of it is known. Each case
-- is a loader, and the reason for which its values are not stored, or 'stored'.
-- This session has temporary objects (of pgTAP): what depends on whether there are
-- is for sessions without.
\ir ../exact.psql
SET client_min_messages = error;
SELECT plan(194);

CREATE TABLE t (k int PRIMARY KEY, v int, s text, ts timestamptz);
INSERT INTO t SELECT i, i * 10, 'x' || i, timestamptz '2020-01-01 00:00+00' + i * interval '1 hour' FROM generate_series(1, 20) i;
CREATE SEQUENCE seq;
SELECT nextval('seq');
CREATE VIEW v AS SELECT k, xmin::text AS age FROM t;
CREATE VIEW plain_view AS SELECT * FROM t;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (x int, d date);
CREATE DOMAIN below AS int CHECK (VALUE < current_setting('my.n')::int);
CREATE TYPE of_below AS (n below);
CREATE TYPE of_timetz AS (w timetz);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);

-- helpers: inlined, in one expression, two deep, folded, and so on
CREATE FUNCTION tenant() RETURNS text LANGUAGE sql STABLE AS $$SELECT current_setting('my.tenant')$$;
CREATE FUNCTION tenant_of_tenant() RETURNS text LANGUAGE sql STABLE AS $$SELECT tenant() || 'x'$$;
CREATE FUNCTION tenant_body() RETURNS text LANGUAGE sql STABLE RETURN current_setting('my.tenant');
CREATE FUNCTION tenant_plpgsql() RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN current_setting('my.tenant'); END$$;
CREATE FUNCTION liar() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN current_setting('my.tenant'); END$$;
CREATE FUNCTION liar_sql() RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT current_setting('my.tenant')$$;
CREATE FUNCTION calls_liar(a int) RETURNS text LANGUAGE sql STABLE AS 'SELECT s || liar() FROM t WHERE k = a';
CREATE FUNCTION today_sql() RETURNS date LANGUAGE sql STABLE AS $$SELECT 'today'::date$$;
CREATE FUNCTION today_deep() RETURNS date LANGUAGE sql STABLE AS 'SELECT today_sql() - 1';
CREATE FUNCTION with_default(a int, d date DEFAULT CURRENT_DATE) RETURNS date LANGUAGE plpgsql STABLE AS 'BEGIN RETURN d + a; END';
CREATE FUNCTION with_setting(a int, d text DEFAULT current_setting('my.tenant')) RETURNS text LANGUAGE sql STABLE AS 'SELECT d';
CREATE FUNCTION volatile_one() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION step(s text, i int) RETURNS text LANGUAGE sql STABLE AS $$SELECT s || current_setting('my.tenant')$$;
CREATE AGGREGATE agg(int) (sfunc = step, stype = text, initcond = '');
CREATE FUNCTION hash_less(int, int) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT $1 < $2 + current_setting('my.n')::int$$;
CREATE OPERATOR <<< (leftarg = int, rightarg = int, function = hash_less);
CREATE FUNCTION to_pair(text) RETURNS pair LANGUAGE sql STABLE AS $$SELECT ROW(current_setting('my.n')::int, NULL)::pair$$;
CREATE CAST (text AS pair) WITH FUNCTION to_pair(text) AS ASSIGNMENT;
CREATE FUNCTION catches(a int) RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN (SELECT v / 0 FROM t WHERE k = a); EXCEPTION WHEN OTHERS THEN RETURN 'caught'; END$$;
CREATE FUNCTION value_of(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION rows_to(a int) RETURNS SETOF t LANGUAGE plpgsql STABLE AS 'BEGIN RETURN QUERY SELECT * FROM t WHERE k <= a; RETURN QUERY EXECUTE ''SELECT * FROM t WHERE k = $1'' USING a; END';
CREATE FUNCTION largest(VARIADIC anyarray) RETURNS anyelement LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT max(x) FROM unnest($1) x); END';
SELECT cache_create('values', 'value_of(int)'), cache_watch('values', 't');

CREATE TABLE cases (n serial, reason text, name text, returns text, language text, body text);
INSERT INTO cases (reason, name, returns, language, body) VALUES
-- the session
('session', 'inlined', 'text', 'plpgsql', $$BEGIN RETURN tenant() || a; END$$),
('session', 'inlined_twice', 'text', 'plpgsql', $$BEGIN RETURN tenant_of_tenant(); END$$),
('session', 'body', 'int', 'plpgsql', $$BEGIN IF tenant_body() = 'a' THEN RETURN 1; END IF; RETURN 2; END$$),
('session', 'helper', 'text', 'plpgsql', $$BEGIN RETURN tenant_plpgsql(); END$$),
('session', 'default_argument', 'text', 'plpgsql', $$BEGIN RETURN with_setting(a); END$$),
('session', 'default_of_variable', 'text', 'plpgsql', $$DECLARE x text := current_setting('my.tenant'); BEGIN RETURN x; END$$),
('session', 'elsif', 'int', 'plpgsql', $$BEGIN IF a > 100 THEN RETURN 1; ELSIF current_setting('my.tenant') = 'a' THEN RETURN 2; END IF; RETURN 3; END$$),
('session', 'case_of', 'int', 'plpgsql', $$BEGIN CASE current_setting('my.tenant') WHEN 'a' THEN RETURN 1; ELSE RETURN 2; END CASE; END$$),
('session', 'exit_when', 'int', 'plpgsql', $$DECLARE n int := 0; BEGIN LOOP n := n + 1; EXIT WHEN n > current_setting('my.n')::int; END LOOP; RETURN n; END$$),
('session', 'while_loop', 'int', 'plpgsql', $$DECLARE n int := 0; BEGIN WHILE n < current_setting('my.n')::int LOOP n := n + 1; END LOOP; RETURN n; END$$),
('session', 'for_bound', 'int', 'plpgsql', $$DECLARE n int := 0; BEGIN FOR i IN 1 .. current_setting('my.n')::int LOOP n := n + i; END LOOP; RETURN n; END$$),
('session', 'for_each', 'text', 'plpgsql', $$DECLARE x text; BEGIN FOREACH x IN ARRAY ARRAY[current_setting('my.tenant')] LOOP RETURN x; END LOOP; END$$),
('session', 'cursor_argument', 'int', 'plpgsql', $$DECLARE c CURSOR (q int) FOR SELECT q; x int; BEGIN OPEN c(current_setting('my.n')::int); FETCH c INTO x; CLOSE c; RETURN x; END$$),
('session', 'for_cursor', 'int', 'plpgsql', $$DECLARE c CURSOR (q int) FOR SELECT q AS x; BEGIN FOR r IN c(current_setting('my.n')::int) LOOP RETURN r.x; END LOOP; END$$),
('session', 'dynamic_text', 'text', 'plpgsql', $$DECLARE x text; BEGIN EXECUTE format('SELECT %L', current_setting('my.tenant')) INTO x; RETURN x; END$$),
('session', 'dynamic_using', 'text', 'plpgsql', $$DECLARE x text; BEGIN EXECUTE 'SELECT $1' INTO x USING current_setting('my.tenant'); RETURN x; END$$),
('session', 'aggregate_of', 'text', 'sql', $$SELECT agg(v) FROM t WHERE k = a$$),
('session', 'operator_of', 'bigint', 'sql', $$SELECT count(*) FROM t WHERE v <<< a$$),
('session', 'operator_plpgsql', 'boolean', 'plpgsql', $$BEGIN RETURN a <<< 3; END$$),
('session', 'cast_of', 'int', 'plpgsql', $$DECLARE p pair; BEGIN p := a::text; RETURN p.x; END$$),
('session', 'domain_of', 'int', 'plpgsql', $$DECLARE x below := a; BEGIN RETURN x; END$$),
('session', 'domain_cast', 'int', 'sql', $$SELECT (v - v + a)::below FROM t WHERE k = a$$),
('session', 'folded', 'text', 'plpgsql', $$BEGIN RETURN liar(); END$$),
('session', 'folded_query', 'text', 'plpgsql', $$BEGIN RETURN (SELECT liar() FROM t WHERE k = a); END$$),
('session', 'folded_sql', 'text', 'sql', $$SELECT liar() FROM t WHERE k = a$$),
('session', 'folded_inlined', 'text', 'plpgsql', $$BEGIN RETURN liar_sql(); END$$),
('session', 'folded_deep', 'text', 'plpgsql', $$BEGIN RETURN calls_liar(a); END$$),
('session', 'who', 'text', 'plpgsql', $$BEGIN RETURN session_user; END$$),
('session', 'process', 'boolean', 'plpgsql', $$DECLARE x int; BEGIN x := pg_backend_pid(); RETURN x > 0; END$$),
-- the clock
('clock', 'now_plpgsql', 'boolean', 'plpgsql', $$BEGIN RETURN now() > '2020-01-01'; END$$),
('clock', 'current_date_plpgsql', 'date', 'plpgsql', $$BEGIN RETURN CURRENT_DATE; END$$),
('clock', 'age_of', 'boolean', 'plpgsql', $$BEGIN RETURN age(timestamp '2020-01-01') > '1 day'; END$$),
('clock', 'default_date', 'date', 'plpgsql', $$BEGIN RETURN with_default(a); END$$),
('clock', 'literal', 'date', 'plpgsql', $$BEGIN RETURN 'today'::date; END$$),
('clock', 'literal_folded', 'date', 'sql', $$SELECT 'today'::date - 1 FROM t WHERE k = a$$),
('clock', 'literal_dynamic', 'date', 'plpgsql', $$DECLARE d date; BEGIN EXECUTE 'SELECT ''today''::date - 1' INTO d; RETURN d; END$$),
('clock', 'literal_inlined', 'date', 'sql', $$SELECT today_sql() FROM t WHERE k = a$$),
('clock', 'literal_inlined_plpgsql', 'date', 'plpgsql', $$BEGIN RETURN today_deep(); END$$),
('clock', 'literal_array', 'date[]', 'plpgsql', $$BEGIN RETURN '{epoch,today}'::date[]; END$$),
('clock', 'literal_range', 'daterange', 'plpgsql', $$BEGIN RETURN '[yesterday,tomorrow)'::daterange; END$$),
('clock', 'literal_row', 'text', 'plpgsql', $$BEGIN RETURN ('(1,today)'::pair)::text; END$$),
('clock', 'literal_escapes', 'date', 'plpgsql', $$BEGIN RETURN E'\x74oday'::date; END$$),
('clock', 'literal_pieces', 'date', 'plpgsql', $$BEGIN RETURN 'to'
  'day'::date; END$$),
('clock', 'literal_dollars', 'date', 'sql', 'SELECT $q$today$q$::date FROM t WHERE k = a'),
('clock', 'text_assigned', 'date', 'plpgsql', $$DECLARE d date; BEGIN d := 'today'; RETURN d; END$$),
('clock', 'text_default', 'date', 'plpgsql', $$DECLARE d date := 'today'; BEGIN RETURN d; END$$),
('clock', 'text_returned', 'date', 'plpgsql', $$BEGIN RETURN CASE WHEN a = 1 THEN 'today' ELSE 'epoch' END; END$$),
('clock', 'text_of_field', 'date', 'plpgsql', $$DECLARE p pair; BEGIN p.d := 'today'; RETURN p.d; END$$),
('clock', 'text_cast', 'date', 'sql', $$SELECT 'today'::text::date$$),
('clock', 'json_cast', 'date', 'plpgsql', $$BEGIN RETURN (jsonb_populate_record(NULL::pair, '{"d": "today"}')).d; END$$),
('clock', 'offset_of_zone', 'timetz', 'sql', $$SELECT timetz '12:00'$$),
-- where a function reads a text as what catalogs say that a type is
('session', 'domain_in_array', 'text', 'sql', $$SELECT ('{' || a || '}')::below[]::text$$),
('session', 'domain_in_row', 'text', 'sql', $$SELECT (('(' || a || ')')::of_below)::text$$),
('session', 'domain_of_json', 'int', 'sql', $$SELECT (jsonb_populate_record(NULL::of_below, jsonb_build_object('n', a))).n$$),
('session', 'domain_of_columns', 'int', 'sql', $$SELECT n FROM jsonb_to_record(jsonb_build_object('n', a)) AS x (n below)$$),
('session', 'domain_of_field', 'int', 'plpgsql', $$DECLARE x of_below; BEGIN x := ROW(a); RETURN x.n; END$$),
('clock', 'offset_in_row', 'text', 'sql', $$SELECT (jsonb_populate_record(NULL::of_timetz, '{"w": "12:00"}')).w::text$$),
-- other things that change without notice, or are one session's
('session', 'language', 'text', 'sql', $$SELECT pg_describe_object('pg_class'::regclass, 't'::regclass, 0)$$),
('temporary objects', 'looked_up', 'boolean', 'sql', $$SELECT to_regproc(s) IS NULL FROM t WHERE k = a$$),
('volatile function', 'volatile_helper', 'int', 'plpgsql', $$BEGIN RETURN volatile_one(); END$$),
('state of the server', 'release', 'text', 'sql', $$SELECT version()$$),
('state of the server', 'size', 'int', 'sql', $$SELECT pg_column_size(s) FROM t WHERE k = a$$),
('caught error', 'caught', 'text', 'plpgsql', $$BEGIN RETURN catches(a); END$$),
('caught error', 'caught_deep', 'text', 'sql', $$SELECT string_agg(catches(k), ',') FROM t WHERE k = a$$),
('unwatched table', 'sequence_row', 'bigint', 'sql', $$SELECT last_value FROM seq$$),
('system columns', 'through_view', 'text', 'sql', $$SELECT v::text FROM v WHERE k = a$$),
('system columns', 'place', 'tid', 'sql', $$SELECT ctid FROM t WHERE k = a$$),
('system columns', 'tuples', 'boolean', 'sql', $$SELECT sum(reltuples) > 0 FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace$$),
('sample', 'sampled', 'bigint', 'sql', $$SELECT count(*) FROM t TABLESAMPLE bernoulli (50) REPEATABLE (1)$$),
-- what is ordinary
('stored', 'aggregated', 'jsonb', 'sql', $$SELECT jsonb_agg(t ORDER BY k) FROM t WHERE k <= a$$),
('stored', 'formatted', 'text', 'sql', $$SELECT to_char(ts, 'YYYY-MM-DD Day HH24') || to_char(v, '999.99') FROM t WHERE k = a$$),
('stored', 'dates', 'timestamptz', 'plpgsql', $$DECLARE d date; e interval := '2 days'; BEGIN d := '2020-01-01'; RETURN (SELECT date_trunc('day', ts) - e + (a || ' hours')::interval FROM t WHERE k = a AND ts > '2020-01-01'); END$$),
('stored', 'parts', 'text', 'sql', $$SELECT extract(epoch FROM ts)::text || age(ts, '2019-01-01') || (ts AT TIME ZONE 'Asia/Tokyo') || ts::date || make_timestamptz(2020, 1, 1, 0, 0, 0) FROM t WHERE k = a$$),
('stored', 'searched', 'text', 'sql', $$SELECT (to_tsvector('english', s) @@ to_tsquery('x1'))::text || ts_rank(to_tsvector(s), plainto_tsquery('x1')) FROM t WHERE k = a$$),
('stored', 'matched', 'text', 'plpgsql', $$BEGIN RETURN (SELECT regexp_replace(s, 'x', 'y') || (s ~ '^x') || (regexp_match(s, 'x(.)'))[1] FROM t WHERE k = a); END$$),
('stored', 'typed', 'text', 'plpgsql', $$DECLARE m mood; arr int[] := '{1,2}'; p pair; x positive := a; BEGIN m := 'ok'; p := ROW(x, '2020-01-01'); RETURN m::text || int4range(a, 10) || array_append(arr, a)::text || (arr || ARRAY[a])[2] || p.d; END$$),
('temporary objects', 'schema_columns', 'text', 'sql', $$SELECT string_agg(table_name || column_name, ',' ORDER BY 1) FROM information_schema.columns WHERE table_schema = 'public'$$),
('stored', 'catalogs', 'text', 'sql', $$SELECT string_agg(attname || format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 't' AND attnum > 0$$),
('stored', 'databases', 'text', 'sql', $$SELECT datname FROM pg_database WHERE datname = current_database() AND a > 0$$),
('temporary objects', 'privileges', 'text', 'sql', $$SELECT has_table_privilege('t', 'select')::text || has_schema_privilege('public', 'usage') || pg_has_role('pg_read_all_data', 'member')$$),
('stored', 'of_record', 'jsonb', 'plpgsql', $$DECLARE r record; q t%ROWTYPE; BEGIN SELECT * INTO r FROM t WHERE k = a; q := r; RETURN row_to_json(r)::jsonb || to_jsonb(q) || jsonb_build_object('f', format('%s %I %L', a, 'b c', r.s)); END$$),
('stored', 'windows', 'text', 'sql', $$SELECT string_agg(x::text || rn, ',') FROM (SELECT x, row_number() OVER (ORDER BY x) rn FROM generate_series(1, a + 2) x, unnest(ARRAY[1, 2]) y) q$$),
('stored', 'loops', 'int', 'plpgsql', $$DECLARE n int := 0; x int; arr int[] := '{1,2,3}'; r record; c int; BEGIN FOR i IN 1 .. a LOOP n := n + i; END LOOP; WHILE n < 100 LOOP n := n + 7; END LOOP; FOREACH x IN ARRAY arr LOOP n := n + x; CONTINUE WHEN x = 2; END LOOP; FOR r IN SELECT * FROM t WHERE k <= a LOOP n := n + r.v; END LOOP; CASE a WHEN 1 THEN n := n + 1; ELSE n := n + 2; END CASE; GET DIAGNOSTICS c = ROW_COUNT; RAISE DEBUG 'n %', n; RETURN n + c; END$$),
('stored', 'of_helpers', 'bigint', 'plpgsql', $$BEGIN RETURN (SELECT sum(v) FROM rows_to(a)) + value_of(a) + largest(a, 5); END$$),
('stored', 'of_cursors', 'int', 'plpgsql', $$DECLARE c CURSOR (q int) FOR SELECT v FROM t WHERE k <= q ORDER BY k; d refcursor; n int; x int; BEGIN OPEN c(a); FETCH c INTO n; CLOSE c; FOR r IN c(2) LOOP n := n + r.v; END LOOP; OPEN d FOR SELECT v FROM t WHERE k = a; LOOP FETCH d INTO x; EXIT WHEN NOT FOUND; n := n + x; END LOOP; CLOSE d; OPEN d FOR EXECUTE 'SELECT v FROM t WHERE k = $1' USING a; FETCH d INTO x; CLOSE d; RETURN n + x; END$$),
('stored', 'nothing_of_it', 'int', 'plpgsql', $$DECLARE x int; BEGIN PERFORM pg_sleep(0); PERFORM pg_advisory_lock(7); x := (SELECT v FROM t WHERE k = a); PERFORM pg_advisory_unlock(7); RETURN x; END$$),
('stored', 'words', 'text', 'plpgsql', $$BEGIN IF (SELECT s FROM t WHERE k = a) = 'today' THEN RETURN 'yesterday'; END IF; RETURN 'now or never'; END$$),
('stored', 'not_caught', 'text', 'plpgsql', $$BEGIN BEGIN RETURN (SELECT s FROM t WHERE k = a); EXCEPTION WHEN OTHERS THEN RETURN 'caught'; END; END$$),
('stored', 'nested_gets', 'int', 'plpgsql', $$BEGIN RETURN (SELECT sum(value::int) FROM cache_get_many('values', ARRAY[a, a + 1])) + cache_get_as(NULL::int, 'values', a); END$$),
('stored', 'of_view', 'text', 'sql', $$SELECT s FROM plain_view WHERE k = a$$),
('stored', 'recursive_query', 'bigint', 'sql', $$WITH RECURSIVE r AS (SELECT a AS n UNION ALL SELECT n + 1 FROM r WHERE n < a + 5) SELECT sum(n) FROM r$$);

SELECT format('CREATE FUNCTION ld_%s(a int) RETURNS %s LANGUAGE %s STABLE AS %L', name, returns, language, body) FROM cases ORDER BY n \gexec
SELECT cache_create(name, ('ld_' || name || '(int)')::regprocedure), cache_watch(name, 't') FROM cases;

-- several keys: a kept plan tells again what it depends on
SET my.tenant = 'a';
SET my.n = 5;
SELECT format('SELECT cache_get(%L, %s)', name, k) FROM cases, generate_series(1, 3) k ORDER BY n, k \gexec
SELECT is(CASE WHEN entries = 3 THEN 'stored' WHEN entries = 0 THEN coalesce((SELECT string_agg(u.reason, ', ') FROM cache_unstored u WHERE u.cache = s.name), 'temporary objects') ELSE entries || ' stored' END,
		  reason, s.name)
FROM cases JOIN cache_stats s USING (name) ORDER BY n;
SET my.tenant = 'b';
SET my.n = 7;
-- (what claims to be IMMUTABLE and is not has no right answer)
SELECT format('SELECT is(cache_get(%L, 1), to_jsonb(ld_%s(1)), ''%s under other settings'')', name, name, name)
FROM cases WHERE name <> 'sampled' AND name NOT LIKE 'folded%' ORDER BY n \gexec
SELECT is(name || count(*), name || (reason <> 'stored')::int, name || ' in cache_check()')
FROM cases LEFT JOIN cache_check() ON cache = name WHERE reason NOT IN ('unwatched table', 'temporary objects')
GROUP BY n, name, reason HAVING (count(cache) > 0)::int <> (reason <> 'stored')::int ORDER BY n;

-- a branch that is not taken at first
CREATE FUNCTION branches(a int) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF a = 1 THEN
    RETURN 'one';
  END IF;
  RETURN tenant();
END $$;
SELECT cache_create('branches', 'branches(int)');
SELECT cache_get('branches', 1), cache_get('branches', 2);
SELECT is(entries::int, 1, 'the harmless branch is stored, the other one is not') FROM cache_stats WHERE name = 'branches';
SELECT is(cache_get('branches', 2), '"b"', 'the other one');
SET my.tenant = 'c';
SELECT is(cache_get('branches', 2), '"c"', 'in the same session, again');

-- a name that means another schema in each session
CREATE FUNCTION names_pg_temp(a int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (''pg_temp'' < ''q'')::int + a; END';
SELECT cache_create('names_pg_temp', 'names_pg_temp(int)');
SELECT cache_get('names_pg_temp', 1);
SELECT is(string_agg(object || ': ' || problem, ', '),
          'pg_temp: results are not stored, because its loader uses pg_temp, whose result depends on the session', 'pg_temp')
FROM cache_check() WHERE cache = 'names_pg_temp';

-- temporary objects: names that others do not have
CREATE FUNCTION there(a text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT to_regclass(a) IS NOT NULL';
CREATE FUNCTION seen(a text) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM pg_class WHERE relname = a AND pg_table_is_visible(oid)); END';
SELECT cache_create('there', 'there(text)'), cache_create('seen', 'seen(text)');
CREATE TEMP TABLE mine (i int);
SELECT is(cache_get('there', 'mine'), 'true', 'a temporary table by its name');
SELECT is(cache_get('seen', 'mine'), '1', 'by its visibility');
SELECT is(sum(entries)::int, 0, 'is not stored') FROM cache_stats WHERE name IN ('there', 'seen');
SELECT cache_invalidate('seen');
SET cache.removed_guard = 'own_path';
SELECT cache_get('seen', 'mine');
SET cache.removed_guard = '';
SELECT is(entries::int, 1, 'guard own_path') FROM cache_stats WHERE name = 'seen';

-- what a VOLATILE helper does is a matter of the ttl, unless it is the session's
CREATE FUNCTION shows() RETURNS text LANGUAGE plpgsql AS $$DECLARE x text; BEGIN EXECUTE 'SHOW my.tenant' INTO x; RETURN x; END$$;
CREATE FUNCTION ld_shows(a int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN shows(); END';
SELECT cache_create('shows', 'ld_shows(int)', ttl => '1 hour'), cache_alter('volatile_helper', ttl => '1 hour');
SELECT cache_get('shows', 1), cache_get('volatile_helper', 1);
-- (after DDL the first load finds what was compiled before; what is VOLATILE is not run again)
SELECT cache_get('shows', 1), cache_get('volatile_helper', 1);
SELECT is(entries::int, (name = 'volatile_helper')::int, name || ' with a ttl') FROM cache_stats WHERE name IN ('shows', 'volatile_helper') ORDER BY name;

-- trust, and the loss of what is trusted
CREATE SCHEMA secret;
CREATE FUNCTION secret.tenant() RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN current_setting('my.tenant'); END$$;
CREATE FUNCTION ld_trusting(a int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN length(secret.tenant()); END';
SELECT cache_create('trusting', 'ld_trusting(int)', trust => 'secret.tenant()');
SELECT cache_get('trusting', 1);
SELECT is(entries::int, 1, 'trusted') FROM cache_stats WHERE name = 'trusting';
DROP ROLE IF EXISTS regress_cache_writer;
CREATE ROLE regress_cache_writer;
GRANT SELECT, UPDATE ON t TO regress_cache_writer;
SELECT cache_watch('trusting', 't', 'k');
SELECT is(run('UPDATE t SET v = v WHERE k = 1 RETURNING k', 'regress_cache_writer'), '1', 'who may not see its schema writes');
DROP FUNCTION secret.tenant();
SELECT is(run('UPDATE t SET v = v WHERE k = 1 RETURNING k'), '1', 'it is gone');
SELECT is(run('SELECT cache_get(''values'', 1)'), '10', 'other caches work');
SELECT is(problem, 'a function that the cache trusts is gone', 'which cache_check() says') FROM cache_check() WHERE cache = 'trusting' AND problem LIKE '%trusts%';
DROP OWNED BY regress_cache_writer;
DROP ROLE regress_cache_writer;

-- following the hints ends with a value that is stored: each names all functions
-- that are trusted by then
CREATE FUNCTION opaque_stable(cache_owner) RETURNS cstring LANGUAGE c STABLE STRICT AS '$libdir/cache', 'cache_owner_out';
CREATE FUNCTION secret.opaque_other(cache_owner, "a,b" int DEFAULT 1) RETURNS cstring LANGUAGE c STABLE STRICT AS '$libdir/cache', 'cache_owner_out';
CREATE FUNCTION volatile_reads(a int) RETURNS int LANGUAGE sql AS 'SELECT v FROM t WHERE k = a';
CREATE FUNCTION ld_hints(a int) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN textin(opaque_stable('postgres'::cache_owner)) || textin(secret.opaque_other('postgres'::cache_owner)) || (SELECT volatile_reads(k) FROM t WHERE k = a);
END $$;
SELECT cache_create('hints', 'ld_hints(int)'), cache_watch('hints', 't', 'k');
SELECT cache_get('hints', 1);
SELECT substring(hint FROM '(?:SELECT cache_alter|ALTER FUNCTION).*?(?:STABLE|(?=\.  ))') FROM cache_check() WHERE cache = 'hints' LIMIT 1 \gexec
SELECT cache_get('hints', 1);
SELECT substring(hint FROM '(?:SELECT cache_alter|ALTER FUNCTION).*?(?:STABLE|(?=\.  ))') FROM cache_check() WHERE cache = 'hints' LIMIT 1 \gexec
SELECT cache_get('hints', 1);
SELECT substring(hint FROM '(?:SELECT cache_alter|ALTER FUNCTION).*?(?:STABLE|(?=\.  ))') FROM cache_check() WHERE cache = 'hints' LIMIT 1 \gexec
SELECT cache_get('hints', 1);
SELECT is(entries::int, 1, 'stored, after what the hints say') FROM cache_stats WHERE name = 'hints';

-- a load inside a load passes on what it depends on itself
CREATE FUNCTION changing(a int) RETURNS text LANGUAGE sql STABLE AS $$SELECT 'x'::text$$;
CREATE FUNCTION ld_outside(a int) RETURNS jsonb LANGUAGE sql STABLE AS $$SELECT cache_get('changing', a)$$;
SELECT cache_create('changing', 'changing(int)'), cache_create('outside', 'ld_outside(int)');
ALTER FUNCTION changing(int) VOLATILE;
SELECT cache_get('outside', 1);
SELECT is(entries::int, 0, 'a volatile loader inside') FROM cache_stats WHERE name = 'outside';

-- a key function that says 'today', or catches an error, moves rows
CREATE TABLE log (id int, d date);
CREATE FUNCTION day_load(a date) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM log WHERE d = a';
CREATE FUNCTION day_of(r log) RETURNS date LANGUAGE sql STABLE AS $$SELECT CASE WHEN r.d < 'today'::date - 1 THEN r.d ELSE 'today'::date END$$;
SELECT cache_create('days', 'day_load(date)'), cache_watch('days', 'log', keys => 'day_of(log)');
SELECT cache_get('days', '2000-01-01'), cache_get('days', '3000-01-01');
INSERT INTO log SELECT i, '3000-01-01' FROM generate_series(1, 3) i;
SELECT is(cache_get('days', '3000-01-01'), '3', 'a key function that says today invalidates the whole cache');
SELECT cache_get('days', '2000-01-01'), cache_get('days', '3000-01-01');
UPDATE log SET d = '2000-01-01' WHERE id > 1;
SELECT is(cache_get('days', '2000-01-01')::text || cache_get('days', '3000-01-01'), '21', 'for each row');

SELECT * FROM finish();
