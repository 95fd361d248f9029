/*-------------------------------------------------------------------------
 *
 * get.c
 *		The read-through get.
 *
 * Puts the pieces together: build the key, look in shared memory, on a miss
 * ask Redis, and otherwise let one backend run the loader and store what it
 * gives.  Whenever the promise demands it, the loader runs and nothing is
 * stored.
 *
 * A value has two forms, in the loader's own type and as jsonb, with entries of
 * their own: a hit has nothing to convert.  A get that misses one form looks for
 * the other, and converts that if it can.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/key.h"
#include "definition/value.h"
#include "depend/loads.h"
#include "depend/unstored.h"
#include "fence/dependencyset.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/slotlists.h"
#include "fence/stats.h"
#include "load/fetch.h"
#include "load/flight.h"
#include "load/get.h"
#include "load/loader.h"
#include "protocol/catalogs.h"
#include "protocol/coherence.h"
#include "protocol/lock.h"
#include "redis/tier.h"

/* A time to live is shortened by up to this part of it. */
#define TTL_JITTER	0.05

/*
 * Give a cached value; counter: where it was found.
 */
Datum
fetch_hit(Fetch *fetch, StoreValue *value, StatsCounter counter)
{
	CacheDef   *def = fetch->def;

	STOP_POINT("hit");
	stats_count(def->slot, counter, 1);
	loads_note_hit(def, value->generation, value->expires);
	*fetch->isnull = value->isnull;
	if (value->isnull)
		return (Datum) 0;
	if (fetch->native)
		return value_datum(value, def->typlen, def->typbyval);
	return value_datum(value, -1, false);
}

/*
 * Begin a get.  False if the answer is NULL because the loader is strict.
 */
bool
fetch_start(Fetch *fetch, CacheDef *def, Datum *args, const bool *nulls,
			Oid collation, bool native, bool *isnull)
{
	if (def->strict)
	{
		for (int i = 0; i < def->nkeys; i++)
		{
			if (nulls[i])
			{
				*isnull = true;
				return false;
			}
		}
	}
	fetch->def = def;
	fetch->args = args;
	fetch->nulls = nulls;
	fetch->collation = collation;
	fetch->native = native;
	fetch->isnull = isnull;
	key_build(&fetch->key, def, args, nulls, collation, native);
	return true;
}

/* Run the loader, and measure how long it takes. */
static void
fetch_load(Fetch *fetch, LoadResult *result)
{
	CacheDef   *def = fetch->def;
	instr_time	start;
	instr_time	end;

	stats_count(def->slot, STATS_MISSES, 1);
	stats_count(def->slot, STATS_LOADS, 1);
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		loader_run(def, fetch->args, fetch->nulls, fetch->collation,
				   fetch->native, result);
	}
	PG_CATCH();
	{
		stats_count(def->slot, STATS_FAILED_LOADS, 1);
		PG_RE_THROW();
	}
	PG_END_TRY();
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	fetch->load_time = cache_nanoseconds(end);
	stats_count(def->slot, STATS_LOAD_TIME, fetch->load_time);
	if (def->redis && def->slot >= 0)
		tier_note_load(def->slot, fetch->load_time);
	*fetch->isnull = result->isnull;
}

/*
 * When what is loaded now expires; 0 for never.
 *
 * It is as old as the snapshot, which may be as old as the transaction.  The
 * jitter only ever shortens the time, so that entries that were made together
 * do not all expire together.
 */
static TimestampTz
fetch_expires(CacheDef *def, const LoadResult *result)
{
	TimestampTz expires = result->expires;

	/* What was set has its own time. */
	if (def->ttl != NULL && !def->plain)
	{
		TimestampTz base = GetCurrentTransactionStartTimestamp();
		TimestampTz end;

		end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													  TimestampTzGetDatum(base),
													  IntervalPGetDatum(def->ttl)));
		end -= (TimestampTz) ((end - base) * TTL_JITTER *
							  pg_prng_double(&pg_global_prng_state));
		if (expires == 0 || end < expires)
			expires = end;
	}
	return expires;
}

/* Does the cache, which has its slot, use Redis, and is it worth while? */
static bool
fetch_uses_redis(const CacheDef *def)
{
	return def->redis && tier_wanted(def->slot);
}

/*
 * Send what was loaded to Redis, together with what it depends on: that is
 * whatever the loads of this generation have read, this one among them.
 */
static void
fetch_send(Fetch *fetch, StoreValue *value)
{
	SlotLists	lists;
	CodecValue	sent;

	/* With a new generation the lists were cleared. */
	if (slot_copy_lists(fetch->get.key->slot, &lists) != value->generation ||
		!lists.complete || !coherence_may_send(&fetch->get, &sent.seen))
		return;
	sent.nreads = lists.nreads;
	sent.nviews = lists.nviews;
	sent.own_path = lists.own_path;
	sent.unseen = lists.unseen;
	sent.reads_catalogs = lists.reads_catalogs;
	sent.server = lists.elsewhere ? 0 : shared_dependencies->server;
	memcpy(sent.relations, lists.reads, sizeof(Oid) * lists.nreads);
	memcpy(sent.relations + lists.nreads, lists.views, sizeof(Oid) * lists.nviews);
	memcpy(sent.columns, lists.columns, sizeof(Columns) * lists.nreads);
	sent.expires = value->expires;
	sent.cost = value->cost;
	sent.isnull = value->isnull;
	sent.data = value->data;
	sent.len = value->len;
	tier_fill(fetch->def->id, &fetch->key.key, &sent);
}

static void
fetch_note_too_large(CacheDef *def)
{
	Reasons		why = {0};

	reasons_note(&why, REASON_TOO_LARGE, REASON_NOTHING);
	unstored_note(def, &why, why.mask);
}

/*
 * Store a value that a get has come to under its snapshot, in shared memory and
 * in Redis.
 */
static StoreResult
fetch_fill(Fetch *fetch, Datum datum, bool isnull, TimestampTz expires,
		   uint64 cost)
{
	CacheDef   *def = fetch->def;
	StoreValue	value;
	StoreResult stored;

	if (fetch->native)
		value_flatten(&value, datum, isnull, def->typlen, def->typbyval);
	else
		value_flatten(&value, datum, isnull, -1, false);
	value_compress(&value, fetch->native ? def->rettype : JSONBOID);
	value.expires = expires;
	value.cost = cost;
	value.load_time = fetch->load_time;
	stored = coherence_fill(&fetch->get, &value);
	if (stored == STORE_STORED)
		unstored_clear(def->slot);
	else if (stored == STORE_REJECTED && value.len > store_max_entry() &&
			 !fetch_uses_redis(def))
		fetch_note_too_large(def);
	if (stored != STORE_REFUSED && fetch_uses_redis(def))
		fetch_send(fetch, &value);
	return stored;
}

/* The same get, but of the other form of the value. */
static void
fetch_start_other(Fetch *other, const Fetch *fetch, bool *isnull)
{
	(void) fetch_start(other, fetch->def, fetch->args, fetch->nulls,
					   fetch->collation, !fetch->native, isnull);
}

/*
 * What was loaded as jsonb was in the loader's own type before.  Store that as
 * well, if gets of this cache want it and could not have it back.
 */
static void
fetch_fill_other(Fetch *fetch, LoadResult *result, TimestampTz expires)
{
	CacheDef   *def = fetch->def;
	Fetch		other;

	if (fetch->native || value_survives_jsonb(def->rettype) ||
		!key_has_other_form(&fetch->key, def, fetch->get.cache_fence.changes))
		return;
	fetch_start_other(&other, fetch, fetch->isnull);
	other.key.key.slot = fetch->key.key.slot;
	other.get = fetch->get;
	other.get.key = &other.key.key;
	other.load_time = fetch->load_time;
	(void) fetch_fill(&other, result->native, result->isnull, expires,
					  result->cost);
}

/* Store what was loaded, if that may be.  True if others will find it. */
static bool
fetch_store(Fetch *fetch, LoadResult *result)
{
	CacheDef   *def = fetch->def;
	StoreResult stored = STORE_REFUSED;
	TimestampTz expires = fetch_expires(def, result);

	if (!result->storable ||
		(expires != 0 && expires <= GetCurrentStatementStartTimestamp()))
		stats_bypass(def->slot, BYPASS_RESULT);
	else if (!def->valid)
		stats_bypass(def->slot, BYPASS_DDL);
	else
	{
		STOP_POINT("loaded");
		stored = fetch_fill(fetch, result->value, result->isnull, expires,
							result->cost);
		if (stored == STORE_REFUSED)
			stats_bypass(def->slot, coherence_refusal(&fetch->get));
		else if (def->rettype != JSONBOID)
			fetch_fill_other(fetch, result, expires);
	}
	return stored == STORE_STORED;
}

/*
 * Before a load: hear of all DDL that there has been, a REVOKE among it.
 * False if what is loaded must not be stored.  (Where the key's own hash
 * function has been replaced, the definition is not valid any more.)
 */
bool
fetch_settle(Fetch *fetch)
{
	bool		settled = ready_for_use() && catalogs_settle();

	if (fetch->def->nested && catalogs_have_moved() && !GUARD_REMOVED("rehash"))
		settled = false;
	definition_require_read(fetch->def);
	return settled;
}

/* Run the loader and store nothing. */
static Datum
fetch_bypass(Fetch *fetch, BypassReason reason)
{
	LoadResult	result;

	(void) fetch_settle(fetch);
	stats_bypass(fetch->def->slot, reason);
	fetch_load(fetch, &result);
	return result.value;
}

/*
 * Are what the loader would lock locked, and the views through which entries of
 * this generation were loaded?  Most caches have none.
 */
static inline bool
fetch_is_locked(CacheDef *def, uint64 generation)
{
	CacheSlot  *slot = &shared_slots[def->slot];

	if (unlikely(pg_atomic_read_u32(&slot->nviews) != 0))
		return lock_is_held(def, generation);
	pg_read_barrier();
	return def->locked == lock_generation &&
		slot->fence.changes == generation;
}

/*
 * Look for the key.  An entry may depend on a view that none did when this
 * transaction locked what the cache depends on.
 */
static bool
fetch_lookup(Fetch *fetch, StoreValue *value)
{
	CacheDef   *def = fetch->def;

	while (coherence_lookup(&fetch->get, value))
	{
		if (likely(fetch_is_locked(def, value->generation)))
			return true;
		if (value->data)
			pfree(value->data);
		if (!lock_take(def) || !def->valid)
			return false;
	}
	return false;
}

/*
 * Note what a value from Redis depends on, as its load would have.  False if
 * that is too much.
 *
 * What names and roles the load has met is in no value.  It is noted where the load
 * has run, which may be another server of the cluster.
 */
static bool
fetch_depend(CacheDef *def, const CodecValue *received)
{
	for (uint32 i = 0; i < received->nreads; i++)
		slot_add_read(def->slot, received->relations[i], received->columns[i]);
	if (received->unseen)
		slot_add_unseen(def->slot);
	if (received->own_path)
		pg_atomic_write_u32(&shared_slots[def->slot].own_path, 1);
	if (received->reads_catalogs)
		slot_note_catalogs(def->slot);
	if (received->server == 0 || received->server != shared_dependencies->server)
		slot_note_elsewhere(def->slot);
	for (uint32 i = 0; i < received->nviews; i++)
	{
		if (!slot_add_view(def->slot,
						   received->relations[received->nreads + i]))
			return false;
	}
	return true;
}

/*
 * May Redis be asked for the key?
 */
bool
fetch_may_ask(Fetch *fetch)
{
	return fetch_uses_redis(fetch->def) && tier_takes(&fetch->key.key) &&
		coherence_may_fill(&fetch->get);
}

/*
 * Redis has given a value, when the key's fences were known already.  Is it
 * what the loader would give?
 */
bool
fetch_accept(Fetch *fetch, const CodecValue *received, StoreValue *value)
{
	CacheDef   *def = fetch->def;

	value->generation = fetch->get.cache_fence.changes;
	value->varlena = !value->isnull && (!fetch->native || def->typlen == -1) &&
		!VARATT_IS_COMPRESSED(value->data);
	if (fetch_depend(def, received))
	{
		/* It may be through a view that is not locked yet. */
		if (!lock_is_held(def, value->generation) &&
			!lock_take(def))
			return false;
		return def->valid &&
			coherence_accept(&fetch->get, &received->seen, received->own_path);
	}
	return false;
}

/*
 * Ask Redis for the key, which shared memory does not have.  Nobody waits for
 * another's answer: Redis is as fast.
 */
static bool
fetch_remote(Fetch *fetch, StoreValue *value)
{
	CodecValue	received;
	bool		used;

	if (!fetch_may_ask(fetch) || !fetch_settle(fetch) ||
		!tier_read(fetch->def->id, &fetch->key.key, &received, value))
		return false;
	used = fetch_accept(fetch, &received, value);
	tier_used(used, !used);
	if (used)
		(void) coherence_fill(&fetch->get, value);
	return used;
}

/*
 * Look in shared memory, if that is allowed.  False if there is nothing to be used;
 * if get.def is NULL then, nothing may be stored either, and get.refused says why.
 */
bool
fetch_try(Fetch *fetch, StoreValue *value)
{
	if (unlikely(OidIsValid(fetch->collation) &&
				 fetch->collation != DEFAULT_COLLATION_OID &&
				 !key_collation_fits(fetch->def, fetch->collation)))
		fetch->get.refused = BYPASS_COLLATION;
	else if (likely(coherence_begin(&fetch->get, fetch->def, &fetch->key.key)))
		return fetch_lookup(fetch, value);
	fetch->get.def = NULL;
	return false;
}

/*
 * The key was not found in the form that is asked for.  Make it of the other
 * form, if shared memory has that and it is possible.
 *
 * What is found is what the loader gives under this snapshot, and so is what it
 * is converted to, but for what the conversion itself depends on: so the same
 * has to be known before as before a load.  It is stored as a load is, and lives
 * no longer than what it was made of.
 *
 * True if that has given the answer, which counts as counter.
 */
bool
fetch_convert(Fetch *fetch, StatsCounter counter, Datum *answer)
{
	CacheDef   *def = fetch->def;
	bool		to_native = fetch->native;
	Fetch		other;
	bool		isnull;
	StoreValue	found;
	LoadResult	result = {.storable = true};
	instr_time	start;
	instr_time	end;

	if (def->rettype == JSONBOID ||
		(to_native && !value_survives_jsonb(def->rettype)) ||
		!key_has_other_form(&fetch->key, def, fetch->get.cache_fence.changes) ||
		!fetch_settle(fetch) || !def->valid)
		return false;
	fetch_start_other(&other, fetch, &isnull);
	INSTR_TIME_SET_CURRENT(start);
	if (!fetch_try(&other, &found))
		return false;
	if (!found.isnull)
	{
		Datum		value = to_native ? value_datum(&found, -1, false) :
			value_datum(&found, def->typlen, def->typbyval);

		if (to_native)
			result.value = value_from_jsonb(def->rettype, value);
		else
			loader_convert(def, fetch->collation, value, &result);
	}
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	fetch->load_time = cache_nanoseconds(end);

	STOP_POINT("converted");
	stats_count(def->slot, counter, 1);
	loads_note_hit(def, found.generation, found.expires);
	if (result.storable && def->valid && coherence_may_fill(&fetch->get))
		(void) fetch_fill(fetch, result.value, found.isnull, found.expires, 0);
	*fetch->isnull = found.isnull;
	*answer = result.value;
	return true;
}

/* The key was not found, or may not be used.  asked: nor is it in Redis. */
static Datum
fetch_miss(Fetch *fetch, bool asked)
{
	Flight		flight;
	bool		waited = false;
	bool		found = false;
	bool		stored = false;
	bool		settled;
	StatsCounter counter;
	LoadResult	result;
	StoreValue	value;

	if (fetch_convert(fetch, STATS_HITS, &result.value))
		return result.value;
	store_missed(&fetch->key.key);
	STOP_POINT("missed");
	if (!asked && fetch_remote(fetch, &value))
		return fetch_hit(fetch, &value, STATS_REDIS_HITS);
	flight_prepare(&flight, fetch->def, &fetch->key.key);
	while (!flight.leads)
	{
		FlightRole	role;

		if (!coherence_may_fill(&fetch->get))
			return fetch_bypass(fetch, BYPASS_CONCURRENT_CHANGES);
		role = fetch->def->unstorable || fetch->def->plain ? FLIGHT_ALONE :
			flight_begin(&flight, waited);
		if (role == FLIGHT_ALONE)
			break;
		waited |= !flight.leads;

		/* Somebody may have stored the key meanwhile, in either form. */
		counter = waited ? STATS_WAITS : STATS_HITS;
		found = fetch_lookup(fetch, &value);
		if (found)
			result.value = fetch_hit(fetch, &value, counter);
		else
			found = fetch_convert(fetch, counter, &result.value);
		if (found)
		{
			flight_end(&flight, true);
			return result.value;
		}
	}

	settled = fetch_settle(fetch);
	fetch_load(fetch, &result);
	if (!settled)
		stats_bypass(fetch->def->slot, BYPASS_DDL);
	else if (!coherence_may_fill(&fetch->get))
		stats_bypass(fetch->def->slot, BYPASS_CONCURRENT_CHANGES);
	else
		stored = fetch_store(fetch, &result);
	flight_end(&flight, stored);
	return result.value;
}

/*
 * What to do when that has found nothing.  asked: nor is the key in Redis.
 */
Datum
fetch_otherwise(Fetch *fetch, bool asked)
{
	if (fetch->get.def != NULL)
		return fetch_miss(fetch, asked);

	/* A standby that may not use entries counts all the same. */
	if (ready_for_use() || RecoveryInProgress())
		(void) lock_slot(fetch->def);
	return fetch_bypass(fetch, fetch->get.refused);
}

/*
 * Get the value of a key: what the loader gives for it under the active
 * snapshot.  The arguments are of the types of the loader's, collation is
 * what a direct call would pass; native asks for the loader's own type, else
 * jsonb.  The value is in the current memory context.
 *
 * The caller has checked privileges and locked the definition.
 */
Datum
get_value(CacheDef *def, Datum *args, const bool *nulls, Oid collation,
			bool native, bool *isnull)
{
	Fetch		fetch;
	StoreValue	value;
	Datum		result = (Datum) 0;
	int			depth;

	if (!fetch_start(&fetch, def, args, nulls, collation, native, isnull))
		return (Datum) 0;
	if (likely(fetch_try(&fetch, &value)))
		return fetch_hit(&fetch, &value, STATS_HITS);

	/* Other code runs from here on, which may replace the definition. */
	definition_use(def);
	depth = flight_depth();
	PG_TRY();
	{
		result = fetch_otherwise(&fetch, false);
	}
	PG_FINALLY();
	{
		flight_forget(depth);
		definition_release(def);
	}
	PG_END_TRY();
	return result;
}

/*
 * Give the value that a get of this key would find in shared memory, as it is
 * there, in the current memory context.  False if it would find none.
 *
 * The caller has checked privileges and locked the definition, which may have
 * been replaced afterwards.  Counts as nothing.
 */
bool
get_peek(CacheDef *def, StoreKey *key, StoreValue *value)
{
	Fetch		fetch;

	fetch.def = def;
	return coherence_begin(&fetch.get, def, key) && fetch_lookup(&fetch, value);
}

/*
 * When the value expires that a get of this key would be answered with from
 * shared memory.  False if there is none, or if it does not expire.  Does not
 * count as an access.
 */
bool
get_expires(CacheDef *def, Datum *args, const bool *nulls, Oid collation,
			  TimestampTz *expires)
{
	/* As jsonb, or else in the loader's own type. */
	for (int native = def->rettype == JSONBOID; native <= 1; native++)
	{
		Fetch		fetch;
		StoreValue	value;
		bool		isnull;

		if (!fetch_start(&fetch, def, args, nulls, collation, native, &isnull))
			return false;
		fetch.key.key.aside = true;
		if (get_peek(def, &fetch.key.key, &value))
		{
			if (value.data)
				pfree(value.data);
			*expires = value.expires;
			return value.expires != 0;
		}
	}
	return false;
}
