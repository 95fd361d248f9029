-- What a loader computes from the session, the clock or the collation of its
-- call is not given to others.
SET client_min_messages = error;
SELECT plan(13);

CREATE TABLE words (id int PRIMARY KEY, word text);
INSERT INTO words SELECT i, 'word ' || i FROM generate_series(1, 9) i;

-- a setting, wherever in a plan
CREATE FUNCTION by_setting(k int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT count(*) FROM words WHERE id >= k AND id <= current_setting('my.n')::int);
END $$;
CREATE FUNCTION by_window(k int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY id) AS rn FROM words WHERE id >= k) w
			WHERE rn <= current_setting('my.n')::int);
END $$;
CREATE FUNCTION by_limit(k int) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT string_agg(word, ',') FROM (SELECT word FROM words WHERE id >= k ORDER BY id LIMIT current_setting('my.n')::int) w);
END $$;
CREATE FUNCTION by_user(k int) RETURNS text LANGUAGE sql STABLE AS
	'SELECT word || session_user FROM words WHERE id = k';
CREATE FUNCTION by_clock(k int) RETURNS timestamptz LANGUAGE sql STABLE AS
	'SELECT now() FROM words WHERE id = k';
SELECT cache_create(name, (name || '(int)')::regprocedure), cache_watch(name, 'words')
FROM unnest(ARRAY['by_setting', 'by_window', 'by_limit', 'by_user', 'by_clock']) name;

SET my.n = 3;
SELECT cache_get(name, 1) FROM unnest(ARRAY['by_setting', 'by_window', 'by_limit', 'by_user', 'by_clock']) name;
SET my.n = 7;
SELECT is(cache_get('by_setting', 1), to_jsonb(by_setting(1)), 'in a condition');
SELECT is(cache_get('by_window', 1), to_jsonb(by_window(1)), 'in a run condition');
SELECT is(cache_get('by_limit', 1), to_jsonb(by_limit(1)), 'in a limit');
SELECT is(cache_get('by_clock', 1), to_jsonb(by_clock(1)), 'the clock');
SELECT is(sum(entries)::int, 0, 'nothing is stored') FROM cache_stats;

-- with a ttl, the clock is a matter of the ttl; the session is not
SELECT cache_alter(name, ttl => '1 hour') FROM unnest(ARRAY['by_setting', 'by_user', 'by_clock']) name;
SELECT cache_get(name, 1) FROM unnest(ARRAY['by_setting', 'by_user', 'by_clock']) name;
SELECT is(entries::int, CASE name WHEN 'by_clock' THEN 1 ELSE 0 END, name || ' with a ttl')
FROM cache_stats WHERE name IN ('by_setting', 'by_user', 'by_clock') ORDER BY name;

-- one loader under two collations, in one statement and after another
CREATE FUNCTION upper_of(k text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN upper(k); END';
SELECT cache_create('upper', 'upper_of(text)');
SELECT is(cache_get('upper', 'é') || cache_get('upper', 'é' COLLATE "C"),
		  to_jsonb(upper_of('é')) || to_jsonb(upper_of('é' COLLATE "C")), 'collations, on fill');
SELECT is(cache_get('upper', 'é') || cache_get('upper', 'é' COLLATE "C"),
		  to_jsonb(upper_of('é')) || to_jsonb(upper_of('é' COLLATE "C")), 'on hit');
SELECT is(hits::int, 2, 'which they were') FROM cache_stats WHERE name = 'upper';

-- the guard of the recorded settings
CREATE FUNCTION noon(k int) RETURNS text LANGUAGE sql STABLE AS
	'SELECT (timestamptz ''2020-01-01 12:00+00'')::text FROM words WHERE id = k';
SET TimeZone = 'UTC';
SELECT cache_create('noon', 'noon(int)'), cache_watch('noon', 'words', 'id');
SET TimeZone = 'Asia/Tokyo';
SELECT is(cache_get('noon', 1), '"2020-01-01 12:00:00+00"', 'loaded under the settings of the creation');
SET cache.removed_guard = 'settings';
SELECT cache_get('noon', 2);
SET cache.removed_guard = '';
SET TimeZone = 'UTC';
SELECT isnt(cache_get('noon', 2), to_jsonb(noon(2)), 'guard settings: another session''s time zone');

SELECT * FROM finish();
