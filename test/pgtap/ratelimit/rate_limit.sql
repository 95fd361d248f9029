-- cache_rate_limit(): its API, and random requests against a model.
\ir ../exact.psql
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_cache_limited;
CREATE ROLE regress_cache_limited;
SELECT plan(21);

SELECT has_function('cache_rate_limit', ARRAY['text', 'integer', 'interval']);
SELECT function_returns('cache_rate_limit', ARRAY['text', 'integer', 'interval'], 'record');
SELECT volatility_is('cache_rate_limit', ARRAY['text', 'integer', 'interval'], 'volatile');
SELECT isnt_strict('cache_rate_limit', ARRAY['text', 'integer', 'interval'], 'no NULL that could be taken for leave');
SELECT has_view('cache_rate_limits');
SELECT columns_are('cache_rate_limits', ARRAY['keys', 'bytes', 'allowed', 'refused', 'overflows', 'reclaimed']);
SELECT is((SELECT count(*) FROM cache_rate_limits), 1::bigint, 'one row');
SELECT isnt(obj_description('cache_rate_limit'::regproc), NULL, 'a comment on the function');
SELECT isnt(obj_description('cache_rate_limits'::regclass), NULL, 'a comment on the view');
SELECT is(run('SELECT allowed FROM cache_rate_limit(''role'', 1, ''1 hour'')', 'regress_cache_limited'), 'true', 'ordinary users may ask');
SELECT is(run('SELECT allowed FROM cache_rate_limit(''role'', 1, ''1 hour'')'), 'false', 'keys are those of all roles');
SELECT is(run('SELECT count(*) FROM cache_rate_limits', 'regress_cache_limited'), '1', 'ordinary users see counters');
SELECT is(run('SET cache.rate_limit_full = open', 'regress_cache_limited'), 'ERROR 42501', 'and may not open what is full');
SELECT is(run('SELECT cache_rate_limit(NULL, 1, ''1 s'')'), 'ERROR 22004', 'NULL key');
SELECT is(run('SELECT cache_rate_limit(''a'', 0, ''1 s'')'), 'ERROR 22023', 'no requests');

-- What the function is to do, as simply as can be: the times of the requests
-- that were allowed, all of them. A key remembers as many as the largest
-- max_requests since it was last idle, for the longest period.
CREATE TABLE model (key text, at bigint, n serial);
CREATE TABLE model_key (key text PRIMARY KEY, keep bigint, most int);
CREATE FUNCTION model(k text, most int, period bigint, now bigint,
  OUT allowed boolean, OUT remaining integer, OUT retry_after interval, OUT retry_after_seconds bigint)
LANGUAGE plpgsql AS $$
DECLARE
  log bigint[];
  kept record;
BEGIN
  SELECT * INTO kept FROM model_key m WHERE m.key = k;
  DELETE FROM model m WHERE m.key = k AND m.at <= now - kept.keep;
  IF NOT EXISTS (SELECT FROM model m WHERE m.key = k) THEN
    DELETE FROM model_key m WHERE m.key = k;
  END IF;
  INSERT INTO model_key AS m VALUES (k, period, most)
    ON CONFLICT (key) DO UPDATE SET keep = greatest(m.keep, excluded.keep), most = greatest(m.most, excluded.most);
  log := ARRAY(SELECT m.at FROM model m WHERE m.key = k AND m.at > now - period ORDER BY m.at);
  allowed := cardinality(log) < most;
  IF allowed THEN
    INSERT INTO model VALUES (k, now);
    DELETE FROM model m WHERE m.key = k AND m.n NOT IN
      (SELECT l.n FROM model l WHERE l.key = k ORDER BY l.n DESC LIMIT (SELECT q.most FROM model_key q WHERE q.key = k));
  END IF;
  remaining := CASE WHEN allowed THEN most - cardinality(log) - 1 ELSE 0 END;
  -- When have so many left the window that fewer than `most` are in it?
  retry_after := CASE WHEN allowed THEN '0' ELSE (log[cardinality(log) - most + 1] + period - now) * interval '1 microsecond' END;
  retry_after_seconds := ceil(extract(epoch FROM retry_after));
END $$;

-- differ asks n times at random times for random keys with limits and periods
-- out of some, and gives what the model says otherwise.
CREATE FUNCTION differ(prefix text, n int, keys int, step int, most int[], period bigint[]) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  now bigint := 1e9;
  pause bigint := 0;
  k text;
  m int;
  p bigint;
  got record;
  want record;
  outcomes int[] := '{0, 0}';
BEGIN
  PERFORM setseed(0.25);
  FOR i IN 1 .. n LOOP
    -- often the same moment, or a moment that decides
    now := now + CASE floor(random() * 4) WHEN 0 THEN 0 WHEN 1 THEN 1
      WHEN 2 THEN pause - (random() < 0.5)::int
      ELSE floor(random() * step) END;
    now := greatest(now, current_setting('cache.rate_limit_clock')::bigint);
    PERFORM set_config('cache.rate_limit_clock', now::text, false);
    k := prefix || floor(random() * keys);
    m := most[1 + floor(random() * cardinality(most))];
    p := period[1 + floor(random() * cardinality(period))];
    SELECT * INTO got FROM cache_rate_limit(k, m, p * interval '1 microsecond');
    SELECT * INTO want FROM model(k, m, p, now);
    pause := extract(epoch FROM got.retry_after) * 1000000;
    outcomes[1 + got.allowed::int] := outcomes[1 + got.allowed::int] + 1;
    IF got IS DISTINCT FROM want THEN
      RETURN NEXT format('%s. %s, %s in %s at %s: %s, not %s', i, k, m, p, now, got, want);
    END IF;
  END LOOP;
  IF n > 20 * outcomes[1] OR n > 20 * outcomes[2] THEN
    RETURN NEXT 'nearly all were answered in the same way: ' || outcomes::text;
  END IF;
END $$;
SET cache.rate_limit_clock = 1000000000;
SELECT is_empty('SELECT differ(''one'', 3000, 1, 400, ''{1}'', ''{1000}'')', 'one request at a time');
SELECT is_empty('SELECT differ(''steady'', 3000, 3, 60, ''{40}'', ''{1000}'')', 'a limit of several blocks');
SELECT is_empty('SELECT differ(''max'', 4000, 3, 60, ''{1, 5, 15, 16, 40, 100}'', ''{1000}'')', 'changing limits');
SELECT is_empty('SELECT differ(''period'', 4000, 3, 100, ''{20}'', ''{1, 50, 500, 3000}'')', 'changing periods');
SELECT is_empty('SELECT differ(''both'', 6000, 5, 300, ''{1, 2, 14, 30, 31}'', ''{1, 10, 1000, 5000, 100000}'')', 'both');
SELECT is_empty('SELECT differ(''idle'', 4000, 15, 300, ''{1, 2, 3}'', ''{1, 100, 10000}'')', 'keys that are idle in between');
SELECT * FROM finish();
