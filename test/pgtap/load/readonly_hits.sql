-- A hit takes no lock and writes no shared memory: a million of them, while the
-- library's shared memory is read-only for this process. It is made writable for
-- the batches in which a session says what it has used; any other write would
-- crash the server.
SELECT plan(6);

CREATE FUNCTION protect(boolean) RETURNS bigint[] LANGUAGE c STRICT
  AS 'cache', 'cache_devel_protect';
CREATE TABLE item (id integer PRIMARY KEY, doc jsonb);
INSERT INTO item SELECT i, jsonb_build_object('id', i, 'text', repeat('x', 400))
  FROM generate_series(1, 1000) AS i;
CREATE FUNCTION loader(integer) RETURNS jsonb LANGUAGE sql STABLE
  AS 'SELECT doc FROM item WHERE id = $1';
SELECT cache_create('c', 'loader(integer)', ttl => '1 day');

SELECT is(count(cache_get('c', 1 + g % 1000)), 2000::bigint, 'fill') FROM generate_series(1, 2000) AS g;

-- All in one transaction: at its end a session tells the rest.
CREATE TEMP TABLE result (what text, n bigint);
DO $$
DECLARE
  before bigint[];
  found bigint;
  after bigint[];
BEGIN
  PERFORM count(cache_get('c', 1 + g % 1000)) FROM generate_series(1, 1000) AS g;
  before := protect(true);
  SELECT count(cache_get('c', 1 + g % 1000)) INTO found FROM generate_series(1, 1000000) AS g;
  after := protect(false);
  INSERT INTO result VALUES ('found', found), ('locks', after[1] - before[1]),
    ('batches', after[2] - before[2]);
END$$;
SELECT is(n, 1000000::bigint, 'a million gets') FROM result WHERE what = 'found';
SELECT is(hits - 1000, 1001000::bigint, 'all of them hits') FROM cache_stats WHERE name = 'c';
SELECT cmp_ok(n, '<=', 2 * 1000000::bigint / 64 + 2, 'shared memory is written in batches, once in 64 hits for each of two reasons')
  FROM result WHERE what = 'batches';
SELECT cmp_ok(l.n, '<=', b.n, 'locks are taken in batches only')
  FROM result AS l, result AS b WHERE l.what = 'locks' AND b.what = 'batches';

-- Locks are counted: a miss takes some.
DO $$
DECLARE
  before bigint[] := protect(false);
BEGIN
  PERFORM cache_get('c', 1001);
  INSERT INTO result SELECT 'miss', (protect(false))[1] - before[1];
END$$;
SELECT cmp_ok(n, '>=', 2::bigint, 'a miss takes locks, and they are counted') FROM result WHERE what = 'miss';
SELECT * FROM finish();
