/* cache--1.0--1.1.sql */

-- complain if script is sourced in psql rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION cache UPDATE TO '1.1'" to load this file. \quit

/*
 * What was set in caches without a loader that are logged.  It outlives a crash, and
 * is dumped; with the name of its cache, because a cache that is there already where
 * that is restored has another id.
 */
CREATE TABLE cache_value_logged (
	cache bigint,
	key text COLLATE "C",
	value jsonb,
	expires timestamptz,
	cost bigint,
	name text NOT NULL,
	PRIMARY KEY (cache, key)
) WITH (fillfactor = 80);
COMMENT ON TABLE cache_value_logged IS
	'values of caches without a loader that are logged; change them with cache_set() and cache_invalidate() only';
CREATE INDEX cache_value_logged_expires_idx ON cache_value_logged (cache, expires)
	WHERE expires IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('cache_value_logged', '');
REVOKE ALL ON cache_value_logged FROM PUBLIC;

/*
 * Definitions
 */
ALTER TABLE cache_definition ADD COLUMN trust text[];
ALTER TABLE cache_definition ADD COLUMN key text;
ALTER TABLE cache_definition ADD COLUMN logged boolean NOT NULL DEFAULT false;

DROP FUNCTION cache_create(text, regprocedure, interval, bigint, bigint, boolean);
CREATE FUNCTION cache_create(
	name text,
	loader regprocedure DEFAULT NULL,
	ttl interval DEFAULT NULL,
	max_cost bigint DEFAULT NULL,
	entry_cost bigint DEFAULT NULL,
	redis boolean DEFAULT false,
	if_not_exists boolean DEFAULT false,
	trust text DEFAULT NULL,
	key text DEFAULT NULL,
	logged boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_create';
COMMENT ON FUNCTION cache_create(text, regprocedure, interval, bigint, bigint, boolean, boolean, text, text, boolean) IS
	'creates a cache in front of a loader function, or without one';

DROP FUNCTION cache_alter(text, regprocedure, interval, bigint, bigint, boolean);
CREATE FUNCTION cache_alter(
	name text,
	loader regprocedure DEFAULT NULL,
	ttl interval DEFAULT NULL,
	max_cost bigint DEFAULT NULL,
	entry_cost bigint DEFAULT NULL,
	redis boolean DEFAULT NULL,
	owner regrole DEFAULT NULL,
	trust text DEFAULT NULL,
	key text DEFAULT NULL,
	logged boolean DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_alter';
COMMENT ON FUNCTION cache_alter(text, regprocedure, interval, bigint, bigint, boolean, regrole, text, text, boolean) IS
	'alters a cache; what is NULL stays as it is; a ttl or cost of zero is removed, and an empty trust or key';

DROP FUNCTION cache_drop(text);
CREATE FUNCTION cache_drop(
	name text,
	if_exists boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_drop';
COMMENT ON FUNCTION cache_drop(text, boolean) IS
	'drops a cache, its watches, and what was set in it';

/*
 * What a restore inserts where it is already.
 */
CREATE FUNCTION cache_restore()
RETURNS trigger
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_restore';
COMMENT ON FUNCTION cache_restore() IS
	'trigger function of cache_definition: leaves caches as they are that are there already';
CREATE TRIGGER restore BEFORE INSERT ON cache_definition
	FOR EACH ROW EXECUTE FUNCTION cache_restore();

CREATE FUNCTION cache_restore_value()
RETURNS trigger
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_restore_value';
COMMENT ON FUNCTION cache_restore_value() IS
	'trigger function of cache_value_logged: gives values to the caches that there are, and tells of all writes but those of cache_set()';
CREATE TRIGGER restore BEFORE INSERT OR UPDATE OR DELETE ON cache_value_logged
	FOR EACH ROW EXECUTE FUNCTION cache_restore_value();
ALTER TABLE cache_value_logged ENABLE ALWAYS TRIGGER restore;

/*
 * Each cache has a foreign server of this wrapper, for what it depends on, and
 * its owner (src/definition/anchor.c); also those that there are already.  The wrapper is
 * for nobody else to use.
 */
CREATE FOREIGN DATA WRAPPER cache;
COMMENT ON FOREIGN DATA WRAPPER cache IS
	'of the servers that stand for caches in the catalogs';

CREATE FUNCTION cache_mend()
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_mend';
SELECT cache_mend();
DROP FUNCTION cache_mend();

/*
 * Watches.
 */
COMMENT ON FUNCTION cache_watch(text, regclass, text[]) IS
	'makes writes to a table invalidate the keys found in its columns, or expressions of them, or the whole cache';

/*
 * Nothing can follow a VARIADIC argument: so an option has functions
 * of its own, which have the columns in an array or one by one.
 */
CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	key_columns text[],
	if_not_exists boolean)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch';
COMMENT ON FUNCTION cache_watch(text, regclass, text[], boolean) IS
	'makes writes to a table invalidate the keys found in its columns, or expressions of them, or the whole cache; if it does not yet';

CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	if_not_exists boolean)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch_columns';
COMMENT ON FUNCTION cache_watch(text, regclass, boolean) IS
	'makes writes to a table invalidate the whole cache; if it does not yet';

CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	key1 text,
	if_not_exists boolean)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch_columns';
COMMENT ON FUNCTION cache_watch(text, regclass, text, boolean) IS
	'makes writes to a table invalidate the keys found in its columns, or expressions of them; if it does not yet';

CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	key1 text,
	key2 text,
	if_not_exists boolean)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch_columns';
COMMENT ON FUNCTION cache_watch(text, regclass, text, text, boolean) IS
	'makes writes to a table invalidate the keys found in its columns, or expressions of them; if it does not yet';

CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	key1 text,
	key2 text,
	key3 text,
	if_not_exists boolean)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch_columns';
COMMENT ON FUNCTION cache_watch(text, regclass, text, text, text, boolean) IS
	'makes writes to a table invalidate the keys found in its columns, or expressions of them; if it does not yet';

CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	key1 text,
	key2 text,
	key3 text,
	key4 text,
	if_not_exists boolean)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch_columns';
COMMENT ON FUNCTION cache_watch(text, regclass, text, text, text, text, boolean) IS
	'makes writes to a table invalidate the keys found in its columns, or expressions of them; if it does not yet';

DROP FUNCTION cache_watch(text, regclass, regprocedure);
CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	keys regprocedure,
	if_not_exists boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch_keys';
COMMENT ON FUNCTION cache_watch(text, regclass, regprocedure, boolean) IS
	'makes writes to a table invalidate the keys that a function tells from each row';

DROP FUNCTION cache_unwatch(text, regclass);
CREATE FUNCTION cache_unwatch(
	name text,
	relation regclass,
	if_exists boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_unwatch';
COMMENT ON FUNCTION cache_unwatch(text, regclass, boolean) IS
	'ends the watches of a table for a cache';

CREATE FUNCTION cache_watches_rows(
	OUT cache text,
	OUT relation regclass,
	OUT key_columns text[],
	OUT keys text,
	OUT state text,
	OUT rows bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watches_rows';
COMMENT ON FUNCTION cache_watches_rows() IS
	'rows of the view cache_watches';

CREATE VIEW cache_watches AS SELECT * FROM cache_watches_rows();
COMMENT ON VIEW cache_watches IS
	'which tables are watched for which caches, whether their watches work, and how many rows they have seen';
GRANT SELECT ON cache_watches TO PUBLIC;

/*
 * Keys
 *
 * With these functions the parser gives keys the type cache_key, where all keys
 * of a call are without a type.  Those that 1.0 has for up to four keys stay,
 * because views may depend on them.
 */
COMMENT ON TYPE cache_key IS
	'a key, or an array of keys, that was given without a type';

CREATE FUNCTION cache_get(name text, VARIADIC keys cache_key[])
RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get';
COMMENT ON FUNCTION cache_get(text, cache_key[]) IS
	'gets the value of a key that is given without types';

CREATE FUNCTION cache_get_as(type anyelement, name text, VARIADIC keys cache_key[])
RETURNS anyelement
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get_as';
COMMENT ON FUNCTION cache_get_as(anyelement, text, cache_key[]) IS
	'gets the value of a key that is given without types, in the loader''s type';

CREATE FUNCTION cache_ttl(name text, VARIADIC keys cache_key[])
RETURNS interval
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_ttl';
COMMENT ON FUNCTION cache_ttl(text, cache_key[]) IS
	'how long the value of a key that is given without types may still be used';

CREATE FUNCTION cache_invalidate(name text, VARIADIC keys cache_key[])
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text, cache_key[]) IS
	'invalidates a key that is given without types when the transaction commits';

CREATE FUNCTION cache_get_many(name text, keys cache_key)
RETURNS TABLE (key text, value jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'cache_get_many';
COMMENT ON FUNCTION cache_get_many(text, cache_key) IS
	'gets the values of many keys that are given as an array without a type, and then come back as texts';

/*
 * Counters and views
 */
CREATE FUNCTION cache_unstored_rows(
	OUT cache text,
	OUT reason text,
	OUT object text,
	OUT loads bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'cache_unstored_rows';
COMMENT ON FUNCTION cache_unstored_rows() IS
	'rows of the view cache_unstored';

CREATE VIEW cache_unstored AS SELECT * FROM cache_unstored_rows();
COMMENT ON VIEW cache_unstored IS
	'how many loads of each cache gave what could not be stored, and why';
GRANT SELECT ON cache_unstored TO PUBLIC;

ALTER FUNCTION cache_stats_rows() RENAME TO cache_stats_rows_before;
CREATE FUNCTION cache_stats_rows(
	OUT name text,
	OUT entries bigint,
	OUT bytes bigint,
	OUT cost bigint,
	OUT hits bigint,
	OUT redis_hits bigint,
	OUT misses bigint,
	OUT loads bigint,
	OUT bypasses bigint,
	OUT rejected bigint,
	OUT evictions bigint,
	OUT expirations bigint,
	OUT invalidations bigint,
	OUT hit_ratio double precision,
	OUT load_time double precision,
	OUT waits bigint,
	OUT failed_loads bigint,
	OUT flushes bigint,
	OUT stats_reset timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_stats_rows';
COMMENT ON FUNCTION cache_stats_rows() IS
	'rows of the view cache_stats';

CREATE OR REPLACE VIEW cache_stats AS SELECT * FROM cache_stats_rows();
DROP FUNCTION cache_stats_rows_before();

CREATE FUNCTION cache_bypasses_rows(
	OUT cache text,
	OUT reason text,
	OUT count bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_bypasses_rows';
COMMENT ON FUNCTION cache_bypasses_rows() IS
	'rows of the view cache_bypasses';

CREATE VIEW cache_bypasses AS SELECT * FROM cache_bypasses_rows();
COMMENT ON VIEW cache_bypasses IS
	'why loads have neither used nor filled a cache, and how many';
GRANT SELECT ON cache_bypasses TO PUBLIC;

CREATE FUNCTION cache_standby_rows(
	OUT state text,
	OUT since timestamptz,
	OUT floor xid8,
	OUT replayed pg_lsn,
	OUT transactions bigint,
	OUT keys bigint,
	OUT ddl integer,
	OUT wal boolean)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_standby_rows';
COMMENT ON FUNCTION cache_standby_rows() IS
	'the row of the view cache_standby';

CREATE VIEW cache_standby AS SELECT * FROM cache_standby_rows();
COMMENT ON VIEW cache_standby IS
	'whether this server knows what the primary invalidates';
GRANT SELECT ON cache_standby TO PUBLIC;

CREATE FUNCTION cache_flights_rows(
	OUT pid integer,
	OUT leader integer,
	OUT cache text,
	OUT key text,
	OUT since timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_flights_rows';
COMMENT ON FUNCTION cache_flights_rows() IS
	'rows of the view cache_flights';

CREATE VIEW cache_flights AS SELECT * FROM cache_flights_rows();
COMMENT ON VIEW cache_flights IS
	'sessions that load a key, and sessions that wait for them';
GRANT SELECT ON cache_flights TO PUBLIC;

/*
 * Rate limits.  A function that is dropped and created again loses who may
 * execute it, which here is a question of security, and takes with it what
 * depends on it; so the new column is added where there is one function.
 */
UPDATE pg_catalog.pg_proc SET
	proallargtypes = proallargtypes || 'pg_catalog.int8'::pg_catalog.regtype::oid,
	proargmodes = proargmodes || 'o'::"char",
	proargnames = proargnames || 'retry_after_seconds'::text
WHERE oid = 'cache_rate_limit(text, integer, interval)'::pg_catalog.regprocedure;
