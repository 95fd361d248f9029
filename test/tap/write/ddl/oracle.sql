-- The oracle of the test of DDL commands: in each database, after its caches and
-- lab.checks (cache, role, keys) are there.
CREATE TYPE lab.answer AS (cache text, key int, answer text);

-- got gives what the caches say: with a call site for each, as applications have.
DO $do$
BEGIN
  EXECUTE 'CREATE FUNCTION lab.got() RETURNS SETOF lab.answer LANGUAGE plpgsql STABLE AS $$ DECLARE r lab.answer; BEGIN '
    || (SELECT string_agg(format($f$
          r.cache := %1$L;
          %3$s
          FOREACH r.key IN ARRAY %2$L::int[] LOOP
            BEGIN r.answer := public.cache_get(%1$L, r.key)::text; EXCEPTION WHEN OTHERS THEN r.answer := concat('ERROR ', sqlstate, CASE WHEN sqlstate LIKE 'XX%%' THEN ' ' || sqlerrm END); END;
            RETURN NEXT r;
          END LOOP;
          %4$s $f$, cache, keys,
          CASE WHEN role IS NOT NULL THEN format('BEGIN PERFORM set_config(''role'', %L, false);', role) END,
          CASE WHEN role IS NOT NULL THEN 'PERFORM set_config(''role'', ''none'', false); EXCEPTION WHEN OTHERS THEN NULL; END;' END), '' ORDER BY n) FROM lab.checks)
    || ' END $$';
END $do$;

-- wanted gives what the loaders say, called under the search_path that is recorded.
CREATE FUNCTION lab.wanted(names text[]) RETURNS SETOF lab.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
  r lab.answer;
  c record;
  mine text := current_setting('search_path');
BEGIN
  FOR c IN SELECT k.*, d.loader_schema, d.loader_name, substr(s, 13) AS path
           FROM lab.checks k LEFT JOIN public.cache_definition d ON d.name = k.cache LEFT JOIN unnest(d.settings) s ON s LIKE 'search\_path=%'
           WHERE k.cache = ANY (names) ORDER BY n LOOP
    r.cache := c.cache;
    PERFORM set_config('search_path', coalesce(c.path, mine), false);
    BEGIN
      IF c.role IS NOT NULL THEN
        PERFORM set_config('role', c.role, false);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      CONTINUE;
    END;
    BEGIN
      RETURN QUERY EXECUTE format('SELECT %L::text, k, to_jsonb(%I.%I(k))::text FROM unnest($1) k', r.cache, c.loader_schema, c.loader_name) USING c.keys;
    EXCEPTION WHEN OTHERS THEN
      FOREACH r.key IN ARRAY c.keys LOOP
        BEGIN
          EXECUTE format('SELECT to_jsonb(%I.%I($1))::text', c.loader_schema, c.loader_name) INTO r.answer USING r.key;
        EXCEPTION WHEN OTHERS THEN
          r.answer := concat('ERROR ', sqlstate, CASE WHEN sqlstate LIKE 'XX%' THEN ' ' || sqlerrm END);
        END;
        RETURN NEXT r;
      END LOOP;
    END;
    IF c.role IS NOT NULL THEN
      PERFORM set_config('role', 'none', false);
    END IF;
  END LOOP;
  PERFORM set_config('search_path', mine, false);
END $$;

-- wrong lists where they differ, of some caches. Both may fail; what had to wait for
-- a lock says nothing.
CREATE FUNCTION lab.wrong(names text[]) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
  w lab.answer;
  got text;
  role text;
BEGIN
  FOR w IN SELECT * FROM lab.wanted(names) LOOP
    BEGIN
      SELECT k.role INTO role FROM lab.checks k WHERE k.cache = w.cache;
      IF role IS NOT NULL THEN
        PERFORM set_config('role', role, false);
      END IF;
      got := public.cache_get(w.cache, w.key)::text;
    EXCEPTION WHEN OTHERS THEN
      got := concat('ERROR ', sqlstate, CASE WHEN sqlstate LIKE 'XX%' THEN ' ' || sqlerrm END);
    END;
    PERFORM set_config('role', 'none', false);
    IF got IS DISTINCT FROM w.answer AND NOT (got LIKE 'ERROR%' AND w.answer LIKE 'ERROR%')
       AND 'ERROR 55P03' NOT IN (coalesce(got, ''), coalesce(w.answer, '')) THEN
      RETURN NEXT format('wrong %s(%s): %s, not %s', w.cache, w.key, left(coalesce(got, 'NULL'), 100), left(coalesce(w.answer, 'NULL'), 100));
    END IF;
  END LOOP;
END $$;

-- look asks all caches. It lists what each has said, those that had to load
-- something for it, and, of some, where that is not what the loaders say.
CREATE FUNCTION lab.look(oracle text[]) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
  before jsonb := (SELECT jsonb_object_agg(s.name, s.hits) FROM public.cache_stats s);
  got lab.answer[] := ARRAY(SELECT g FROM lab.got() g);
  after jsonb := (SELECT jsonb_object_agg(s.name, s.hits) FROM public.cache_stats s);
BEGIN
  IF oracle <> '{}' THEN
    RETURN QUERY SELECT format('wrong %s(%s): %s, not %s', g.cache, g.key, left(coalesce(g.answer, 'NULL'), 100), left(coalesce(w.answer, 'NULL'), 100))
      FROM unnest(got) g JOIN lab.wanted(oracle) w USING (cache, key)
      WHERE g.answer IS DISTINCT FROM w.answer AND NOT (g.answer LIKE 'ERROR%' AND w.answer LIKE 'ERROR%');
  END IF;
  RETURN QUERY SELECT 'cold ' || c.cache FROM lab.checks c
    WHERE coalesce((after ->> c.cache)::bigint, 0) - coalesce((before ->> c.cache)::bigint, 0) <
          (SELECT count(*) FROM unnest(got) g WHERE g.cache = c.cache AND coalesce(g.answer, '') NOT LIKE 'ERROR%') ORDER BY n;
  RETURN QUERY SELECT 'said ' || g.cache || ' ' || md5(string_agg(concat(g.key, CASE WHEN g.answer LIKE 'ERROR%' THEN 'ERROR' ELSE g.answer END, '.'), ',' ORDER BY g.key)) FROM unnest(got) g
    WHERE g.cache IS NOT NULL GROUP BY g.cache;
END $$;
