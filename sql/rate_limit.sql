--
-- cache_rate_limit() and the view cache_rate_limits.  The clock is set, in
-- microseconds; the view's counters are the server's, so differences count.
--
\set SHOW_CONTEXT never
\set ask 'SELECT allowed, remaining, retry_after FROM cache_rate_limit'
SELECT column_name, data_type FROM information_schema.columns
WHERE table_name = 'cache_rate_limits' ORDER BY ordinal_position;
SELECT name, setting, unit, context, boot_val, min_val, enumvals FROM pg_settings
WHERE name IN ('cache.rate_limit_memory', 'cache.rate_limit_full') ORDER BY name;
-- by the system's clock
:ask('now', 2, '1 hour');
SELECT allowed, remaining FROM cache_rate_limit('now', 2, '1 hour');
SELECT allowed, remaining, retry_after > '0' AND retry_after <= '1 hour' AS later
FROM cache_rate_limit('now', 2, '1 hour');

SELECT allowed AS allowed0, refused AS refused0, overflows AS overflows0
FROM cache_rate_limits \gset
-- three in ten seconds
SET cache.rate_limit_clock = 1000000000;
:ask('a', 3, '10 seconds');
SET cache.rate_limit_clock = 1001000000;
:ask('a', 3, '10 seconds');
SET cache.rate_limit_clock = 1002000000;
:ask('a', 3, '10 seconds');
:ask('a', 3, '10 seconds');
-- refused requests do not count
SET cache.rate_limit_clock = 1009999999;
:ask('a', 3, '10 seconds');
SET cache.rate_limit_clock = 1010000000;
:ask('a', 3, '10 seconds');
:ask('a', 3, '10 seconds');
SET cache.rate_limit_clock = 1010999999;
:ask('a', 3, '10 seconds');
SET cache.rate_limit_clock = 1011000000;
:ask('a', 3, '10 seconds');
:ask('a', 3, '10 seconds');
SELECT allowed - :allowed0 AS allowed, refused - :refused0 AS refused,
  overflows - :overflows0 AS overflows FROM cache_rate_limits;
-- other keys are others
:ask('A', 3, '10 seconds');
:ask('a ', 3, '10 seconds');
:ask('', 1, '10 seconds');
:ask('', 1, '10 seconds');
-- keys may be long: 63 bytes, 64 bytes, and more that differ at the end only
SELECT n, m, r.* FROM (VALUES (63), (64), (100000)) AS l (n), (VALUES ('x'), ('y'), ('x')) AS m (m),
  LATERAL cache_rate_limit(repeat('k', n - 1) || m, 1, '1 minute') AS r ORDER BY n, m, remaining, retry_after;
SELECT allowed FROM cache_rate_limit(encode(sha256(convert_to(repeat('k', 63) || 'x', 'UTF8')), 'escape'), 1, '1 minute');

-- a clock that goes back stands still
SET cache.rate_limit_clock = 2000000000;
:ask('back', 2, '1 second');
SET cache.rate_limit_clock = 1000000000;
:ask('back', 2, '1 second');
:ask('back', 2, '1 second');
SET cache.rate_limit_clock = 2000999999;
:ask('back', 2, '1 second');
SET cache.rate_limit_clock = 2001000000;
:ask('back', 2, '1 second');

-- another max_requests: what was allowed before counts
SET cache.rate_limit_clock = 3000000000;
:ask('max', 2, '1 minute');
SET cache.rate_limit_clock = 3001000000;
:ask('max', 2, '1 minute');
:ask('max', 2, '1 minute');
:ask('max', 4, '1 minute');
:ask('max', 4, '1 minute');
:ask('max', 4, '1 minute');
-- fewer: three too many; when the fourth has left the window
:ask('max', 1, '1 minute');
:ask('max', 3, '1 minute');
SET cache.rate_limit_clock = 3060000000;
:ask('max', 3, '1 minute');
:ask('max', 4, '1 minute');
SET cache.rate_limit_clock = 3061000000;
:ask('max', 3, '1 minute');

-- another period: shorter, and back
SET cache.rate_limit_clock = 4000000000;
:ask('period', 2, '1 minute');
:ask('period', 2, '1 minute');
SET cache.rate_limit_clock = 4001000000;
:ask('period', 2, '1 second');
:ask('period', 2, '1 second');
:ask('period', 2, '1 second');
:ask('period', 2, '1 minute');
:ask('period', 5, '1 minute');
SET cache.rate_limit_clock = 4060000000;
:ask('period', 2, '1 minute');
SET cache.rate_limit_clock = 4061000000;
:ask('period', 2, '1 minute');
-- longer: counts what is still remembered
:ask('period', 2, '2 minutes');
:ask('period', 4, '2 minutes');
-- idle for the longest: forgotten
SET cache.rate_limit_clock = 5000000000;
:ask('period', 2, '7 days');

-- not transactional
BEGIN;
:ask('rollback', 1, '1 minute');
ROLLBACK;
:ask('rollback', 1, '1 minute');
BEGIN READ ONLY;
:ask('read only', 1, '1 minute');
COMMIT;

-- periods
SELECT p, r.* FROM unnest(ARRAY['1 microsecond', '1 millisecond', '36 hours', '2 days -1 hour', '1 month', '1 year',
  '70000 years']) AS p, LATERAL cache_rate_limit(p, 1, p::interval) AS r;
SELECT p, r.* FROM unnest(ARRAY['1 microsecond', '1 millisecond', '36 hours', '2 days -1 hour', '1 month', '1 year',
  '70000 years']) AS p, LATERAL cache_rate_limit(p, 1, p::interval) AS r;
:ask('largest', 2147483647, '1 second');

-- in whole seconds, rounded up
SET cache.rate_limit_clock = 6000000000;
:ask('seconds', 1, '3 seconds');
CREATE FUNCTION ask_at(clock bigint, OUT retry_after interval, OUT retry_after_seconds bigint)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('cache.rate_limit_clock', clock::text, false);
  SELECT r.retry_after, r.retry_after_seconds INTO retry_after, retry_after_seconds
  FROM cache_rate_limit('seconds', 1, '3 seconds') AS r;
END $$;
SELECT after, r.* FROM unnest(ARRAY[0, 1, 1999999, 2000000, 2000001, 2999999, 3000000]) AS after,
  LATERAL ask_at(6000000000 + after) AS r;

-- errors
:ask(NULL, 1, '1 second');
\echo :SQLSTATE
:ask('a', NULL, '1 second');
\echo :SQLSTATE
:ask('a', 1, NULL);
\echo :SQLSTATE
:ask('a', 0, '1 second');
\echo :SQLSTATE
:ask('a', -1, '1 second');
\echo :SQLSTATE
:ask('a', 1, '0');
\echo :SQLSTATE
:ask('a', 1, '-1 second');
\echo :SQLSTATE
:ask('a', 1, '1 month -31 days');
\echo :SQLSTATE
:ask('a', 1, '100000 years');
\echo :SQLSTATE
:ask('a', 1, '170000000 years');
\echo :SQLSTATE
SET cache.rate_limit_full = 'half';
\echo :SQLSTATE

-- ordinary users ask and see counters, but do not open what is full
CREATE ROLE regress_cache_asker;
SET ROLE regress_cache_asker;
:ask('asker', 1, '1 minute');
SELECT keys > 0 AS some FROM cache_rate_limits;
SET cache.rate_limit_full = 'open';
\echo :SQLSTATE
RESET ROLE;
DROP ROLE regress_cache_asker;
