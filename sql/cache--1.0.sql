/* cache--1.0.sql */

-- complain if script is sourced in psql rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION cache" to load this file. \quit

/*
 * The owner of a cache: a role, whatever it is called by now.  In a dump it has
 * its name; where that is restored and there is no such role, the name is kept.
 */
CREATE TYPE cache_owner;

CREATE FUNCTION cache_owner_in(cstring) RETURNS cache_owner
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cache_owner_in';
COMMENT ON FUNCTION cache_owner_in(cstring) IS 'I/O';

CREATE FUNCTION cache_owner_out(cache_owner) RETURNS cstring
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cache_owner_out';
COMMENT ON FUNCTION cache_owner_out(cache_owner) IS 'I/O';

CREATE FUNCTION cache_owner_recv(internal) RETURNS cache_owner
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cache_owner_recv';
COMMENT ON FUNCTION cache_owner_recv(internal) IS 'I/O';

CREATE FUNCTION cache_owner_send(cache_owner) RETURNS bytea
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cache_owner_send';
COMMENT ON FUNCTION cache_owner_send(cache_owner) IS 'I/O';

CREATE TYPE cache_owner (
	INPUT = cache_owner_in,
	OUTPUT = cache_owner_out,
	RECEIVE = cache_owner_recv,
	SEND = cache_owner_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4);
COMMENT ON TYPE cache_owner IS
	'the role that owns a cache';
CREATE CAST (cache_owner AS text) WITH INOUT AS IMPLICIT;

/*
 * Definitions.  Functions, types and collations are named by text, so that
 * dumps can be restored in any order; watches are triggers on the tables.
 */
CREATE TABLE cache_definition (
	name name PRIMARY KEY,
	id bigint NOT NULL UNIQUE,
	version bigint NOT NULL,
	owner cache_owner NOT NULL,
	loader_schema text,
	loader_name text,
	loader_args text[],
	ttl interval,
	max_cost bigint,
	entry_cost bigint,
	redis boolean NOT NULL,
	settings text[] NOT NULL,
	key_collations text[]
);
COMMENT ON TABLE cache_definition IS
	'definitions of caches; change them with cache_create(), cache_alter() and cache_drop()';
SELECT pg_catalog.pg_extension_config_dump('cache_definition', '');
REVOKE ALL ON cache_definition FROM PUBLIC;
GRANT SELECT ON cache_definition TO PUBLIC;

/*
 * What was set in caches without a loader.  Unlogged: it need not outlive a
 * crash; and as any data of a cache, it is not dumped.
 */
CREATE UNLOGGED TABLE cache_value (
	cache bigint,
	key text COLLATE "C",
	value jsonb,
	expires timestamptz,
	cost bigint,
	PRIMARY KEY (cache, key)
) WITH (fillfactor = 80);
COMMENT ON TABLE cache_value IS
	'values of caches without a loader; change them with cache_set() and cache_invalidate() only';
CREATE INDEX cache_value_expires_idx ON cache_value (cache, expires)
	WHERE expires IS NOT NULL;
REVOKE ALL ON cache_value FROM PUBLIC;

CREATE FUNCTION cache_create(
	name text,
	loader regprocedure DEFAULT NULL,
	ttl interval DEFAULT NULL,
	max_cost bigint DEFAULT NULL,
	entry_cost bigint DEFAULT NULL,
	redis boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_create';
COMMENT ON FUNCTION cache_create(text, regprocedure, interval, bigint, bigint, boolean) IS
	'creates a cache in front of a loader function, or without one';

CREATE FUNCTION cache_alter(
	name text,
	loader regprocedure DEFAULT NULL,
	ttl interval DEFAULT NULL,
	max_cost bigint DEFAULT NULL,
	entry_cost bigint DEFAULT NULL,
	redis boolean DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_alter';
COMMENT ON FUNCTION cache_alter(text, regprocedure, interval, bigint, bigint, boolean) IS
	'alters a cache; what is NULL stays as it is, a ttl or cost of zero is removed';

CREATE FUNCTION cache_drop(name text)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_drop';
COMMENT ON FUNCTION cache_drop(text) IS
	'drops a cache, its watches, and what was set in it';

CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	VARIADIC key_columns text[] DEFAULT '{}')
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch';
COMMENT ON FUNCTION cache_watch(text, regclass, text[]) IS
	'makes writes to a table invalidate the keys found in its columns, or the whole cache';

CREATE FUNCTION cache_watch(
	name text,
	relation regclass,
	keys regprocedure)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_watch_keys';
COMMENT ON FUNCTION cache_watch(text, regclass, regprocedure) IS
	'makes writes to a table invalidate the keys that a function tells from each row';

CREATE FUNCTION cache_unwatch(name text, relation regclass)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_unwatch';
COMMENT ON FUNCTION cache_unwatch(text, regclass) IS
	'ends the watches of a table for a cache';

/*
 * The functions that read run a loader, which may be anything: so they are
 * not parallel safe.
 */
CREATE FUNCTION cache_get(name text)
RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get';
COMMENT ON FUNCTION cache_get(text) IS
	'gets the value of a cache whose loader has no arguments';

CREATE FUNCTION cache_get(name text, VARIADIC key "any")
RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get';
COMMENT ON FUNCTION cache_get(text, "any") IS
	'gets the value of a key, as jsonb';

CREATE FUNCTION cache_get_as(type anyelement, name text)
RETURNS anyelement
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get_as';
COMMENT ON FUNCTION cache_get_as(anyelement, text) IS
	'gets the value of a cache whose loader has no arguments, in the loader''s type';

CREATE FUNCTION cache_get_as(type anyelement, name text, VARIADIC key "any")
RETURNS anyelement
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get_as';
COMMENT ON FUNCTION cache_get_as(anyelement, text, "any") IS
	'gets the value of a key, in the loader''s type: cache_get_as(NULL::numeric, ''balance'', 42)';

CREATE FUNCTION cache_get_many(name text, keys anyarray)
RETURNS TABLE (key anyelement, value jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'cache_get_many';
COMMENT ON FUNCTION cache_get_many(text, anyarray) IS
	'gets the values of many keys, in the order of the array';

CREATE FUNCTION cache_ttl(name text)
RETURNS interval
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_ttl';
COMMENT ON FUNCTION cache_ttl(text) IS
	'how long the value of a cache whose loader has no arguments may still be used';

CREATE FUNCTION cache_ttl(name text, VARIADIC key "any")
RETURNS interval
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_ttl';
COMMENT ON FUNCTION cache_ttl(text, "any") IS
	'how long the value of a key may still be used; NULL if there is none, or without end';

CREATE FUNCTION cache_set(
	name text,
	key text,
	value jsonb,
	ttl interval DEFAULT NULL,
	cost bigint DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_set';
COMMENT ON FUNCTION cache_set(text, text, jsonb, interval, bigint) IS
	'sets the value of a key in a cache without a loader, as a row is written';

CREATE FUNCTION cache_invalidate(name text)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_invalidate_all';
COMMENT ON FUNCTION cache_invalidate(text) IS
	'invalidates a whole cache when the transaction commits';

CREATE FUNCTION cache_invalidate(name text, VARIADIC key "any")
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text, "any") IS
	'invalidates a key when the transaction commits';

/*
 * A parameter without a type, as many clients send them, gets none from "any".
 * With these it gets the type cache_key, a text that is read as the key's
 * type.  The parser prefers a type of the string category for what has no
 * type; and because nothing can be cast to this one, it never takes anything
 * else.
 */
CREATE TYPE cache_key;

CREATE FUNCTION cache_key_in(cstring) RETURNS cache_key
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
COMMENT ON FUNCTION cache_key_in(cstring) IS 'I/O';

CREATE FUNCTION cache_key_out(cache_key) RETURNS cstring
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
COMMENT ON FUNCTION cache_key_out(cache_key) IS 'I/O';

CREATE FUNCTION cache_key_recv(internal) RETURNS cache_key
LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'textrecv';
COMMENT ON FUNCTION cache_key_recv(internal) IS 'I/O';

CREATE FUNCTION cache_key_send(cache_key) RETURNS bytea
LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'textsend';
COMMENT ON FUNCTION cache_key_send(cache_key) IS 'I/O';

CREATE TYPE cache_key (
	INPUT = cache_key_in,
	OUTPUT = cache_key_out,
	RECEIVE = cache_key_recv,
	SEND = cache_key_send,
	INTERNALLENGTH = VARIABLE,
	STORAGE = extended,
	COLLATABLE = true,
	CATEGORY = 'S');
COMMENT ON TYPE cache_key IS
	'a key that was given without a type';

CREATE FUNCTION cache_get(name text, key1 cache_key)
RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get';
COMMENT ON FUNCTION cache_get(text, cache_key) IS
	'gets the value of a key that is given without a type';

CREATE FUNCTION cache_get(name text, key1 cache_key, key2 cache_key)
RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get';
COMMENT ON FUNCTION cache_get(text, cache_key, cache_key) IS
	'gets the value of a key that is given without a type';

CREATE FUNCTION cache_get(name text, key1 cache_key, key2 cache_key, key3 cache_key)
RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get';
COMMENT ON FUNCTION cache_get(text, cache_key, cache_key, cache_key) IS
	'gets the value of a key that is given without a type';

CREATE FUNCTION cache_get(name text, key1 cache_key, key2 cache_key, key3 cache_key, key4 cache_key)
RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get';
COMMENT ON FUNCTION cache_get(text, cache_key, cache_key, cache_key, cache_key) IS
	'gets the value of a key that is given without a type';

CREATE FUNCTION cache_get_as(type anyelement, name text, key1 cache_key)
RETURNS anyelement
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get_as';
COMMENT ON FUNCTION cache_get_as(anyelement, text, cache_key) IS
	'gets the value of a key that is given without a type, in the loader''s type';

CREATE FUNCTION cache_get_as(type anyelement, name text, key1 cache_key, key2 cache_key)
RETURNS anyelement
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get_as';
COMMENT ON FUNCTION cache_get_as(anyelement, text, cache_key, cache_key) IS
	'gets the value of a key that is given without a type, in the loader''s type';

CREATE FUNCTION cache_get_as(type anyelement, name text, key1 cache_key, key2 cache_key, key3 cache_key)
RETURNS anyelement
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get_as';
COMMENT ON FUNCTION cache_get_as(anyelement, text, cache_key, cache_key, cache_key) IS
	'gets the value of a key that is given without a type, in the loader''s type';

CREATE FUNCTION cache_get_as(type anyelement, name text, key1 cache_key, key2 cache_key, key3 cache_key, key4 cache_key)
RETURNS anyelement
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10
AS 'MODULE_PATHNAME', 'cache_get_as';
COMMENT ON FUNCTION cache_get_as(anyelement, text, cache_key, cache_key, cache_key, cache_key) IS
	'gets the value of a key that is given without a type, in the loader''s type';

CREATE FUNCTION cache_ttl(name text, key1 cache_key)
RETURNS interval
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_ttl';
COMMENT ON FUNCTION cache_ttl(text, cache_key) IS
	'how long the value of a key that is given without a type may still be used';

CREATE FUNCTION cache_ttl(name text, key1 cache_key, key2 cache_key)
RETURNS interval
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_ttl';
COMMENT ON FUNCTION cache_ttl(text, cache_key, cache_key) IS
	'how long the value of a key that is given without a type may still be used';

CREATE FUNCTION cache_ttl(name text, key1 cache_key, key2 cache_key, key3 cache_key)
RETURNS interval
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_ttl';
COMMENT ON FUNCTION cache_ttl(text, cache_key, cache_key, cache_key) IS
	'how long the value of a key that is given without a type may still be used';

CREATE FUNCTION cache_ttl(name text, key1 cache_key, key2 cache_key, key3 cache_key, key4 cache_key)
RETURNS interval
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_ttl';
COMMENT ON FUNCTION cache_ttl(text, cache_key, cache_key, cache_key, cache_key) IS
	'how long the value of a key that is given without a type may still be used';

CREATE FUNCTION cache_invalidate(name text, key1 cache_key)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text, cache_key) IS
	'invalidates a key that is given without a type when the transaction commits';

CREATE FUNCTION cache_invalidate(name text, key1 cache_key, key2 cache_key)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text, cache_key, cache_key) IS
	'invalidates a key that is given without a type when the transaction commits';

CREATE FUNCTION cache_invalidate(name text, key1 cache_key, key2 cache_key, key3 cache_key)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text, cache_key, cache_key, cache_key) IS
	'invalidates a key that is given without a type when the transaction commits';

CREATE FUNCTION cache_invalidate(name text, key1 cache_key, key2 cache_key, key3 cache_key, key4 cache_key)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_invalidate';
COMMENT ON FUNCTION cache_invalidate(text, cache_key, cache_key, cache_key, cache_key) IS
	'invalidates a key that is given without a type when the transaction commits';

CREATE FUNCTION cache_trigger()
RETURNS trigger
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_trigger';
COMMENT ON FUNCTION cache_trigger() IS
	'trigger function of the watches that cache_watch() makes';

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
	OUT load_time double precision)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_stats_rows';
COMMENT ON FUNCTION cache_stats_rows() IS
	'rows of the view cache_stats';

CREATE VIEW cache_stats AS SELECT * FROM cache_stats_rows();
COMMENT ON VIEW cache_stats IS
	'what each cache holds and how it has done since the server start or cache_stats_reset()';
GRANT SELECT ON cache_stats TO PUBLIC;

CREATE FUNCTION cache_memory_rows(
	OUT part text,
	OUT bytes bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', 'cache_memory_rows';
COMMENT ON FUNCTION cache_memory_rows() IS
	'rows of the view cache_memory';

CREATE VIEW cache_memory AS SELECT * FROM cache_memory_rows();
COMMENT ON VIEW cache_memory IS
	'where every byte of the shared memory is';
GRANT SELECT ON cache_memory TO PUBLIC;

CREATE FUNCTION cache_check(
	OUT cache text,
	OUT object text,
	OUT problem text,
	OUT hint text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_check';
COMMENT ON FUNCTION cache_check() IS
	'lists what is wrong with caches and watches: nothing, if all is well';

CREATE FUNCTION cache_stats_reset(name text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_stats_reset';
COMMENT ON FUNCTION cache_stats_reset(text) IS
	'resets the counters of a cache, or of all caches of the caller';

CREATE FUNCTION cache_verify(
	name text,
	sample integer DEFAULT NULL,
	OUT key text,
	OUT cached jsonb,
	OUT loaded jsonb)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1
AS 'MODULE_PATHNAME', 'cache_verify';
COMMENT ON FUNCTION cache_verify(text, integer) IS
	'runs the loader for what is cached and returns what differs: nothing, unless a watch is wrong';

CREATE FUNCTION cache_redis_row(
	OUT state text,
	OUT since timestamptz,
	OUT last_error text,
	OUT connections integer,
	OUT idle integer,
	OUT gets bigint,
	OUT hits bigint,
	OUT absent bigint,
	OUT stale bigint,
	OUT corrupt bigint,
	OUT failures bigint,
	OUT skipped bigint,
	OUT no_connection bigint,
	OUT reconnects bigint,
	OUT fills bigint,
	OUT fills_dropped bigint,
	OUT deletes bigint,
	OUT deletes_dropped bigint,
	OUT messages bigint,
	OUT messages_dropped bigint,
	OUT rtt_p50 double precision,
	OUT rtt_p99 double precision,
	OUT queued bigint)
RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cache_redis_row';
COMMENT ON FUNCTION cache_redis_row() IS
	'the row of the view cache_redis';

CREATE VIEW cache_redis AS SELECT * FROM cache_redis_row();
COMMENT ON VIEW cache_redis IS
	'how Redis does, for the whole server since its start';
GRANT SELECT ON cache_redis TO PUBLIC;

/*
 * Rate limits.  Not STRICT: a NULL instead of an answer could be taken for
 * leave.
 */
CREATE FUNCTION cache_rate_limit(
	key text,
	max_requests integer,
	period interval,
	OUT allowed boolean,
	OUT remaining integer,
	OUT retry_after interval)
RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'cache_rate_limit';
COMMENT ON FUNCTION cache_rate_limit(text, integer, interval) IS
	'allows at most max_requests requests of a key in any window of length period';

CREATE FUNCTION cache_rate_limits_row(
	OUT keys bigint,
	OUT bytes bigint,
	OUT allowed bigint,
	OUT refused bigint,
	OUT overflows bigint,
	OUT reclaimed bigint)
RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'cache_rate_limits_row';
COMMENT ON FUNCTION cache_rate_limits_row() IS
	'row of the view cache_rate_limits';

CREATE VIEW cache_rate_limits AS SELECT * FROM cache_rate_limits_row();
COMMENT ON VIEW cache_rate_limits IS
	'what rate limits hold in shared memory, and how many requests there have been since the server start';
GRANT SELECT ON cache_rate_limits TO PUBLIC;
