/*-------------------------------------------------------------------------
 *
 * coherence.c
 *		The protocol that keeps every answer exact.
 *
 * A fence stands in shared memory for each key (several keys share one, by
 * their hash), and one for each cache as a whole.
 *
 * A writer with the top-level xid X, before its commit record is written or
 * it is prepared, puts X into the fence of each key that it has changed and
 * unlinks the key's entries, both under the key's partition lock.  For a
 * whole cache it puts X into the cache's fence, which also gives the cache a
 * new generation: all its entries are dead.
 *
 * A reader with the snapshot S copies the entry's value and then looks at
 * both fences.  It uses the value if S sees all that they remember.
 *
 * A filler loads the value under S and stores it, if at that moment, under
 * the key's partition lock, S still sees all that both fences remember, and
 * nothing at all has been published in them since the key was looked up.
 *
 * Why this is exact.  Let Y change the key.  If S sees Y, then Y had
 * published before S was taken: an entry that is there nevertheless was
 * stored later, by a filler whose snapshot saw Y.  If S does not see Y but
 * the filler's snapshot did, then Y's id is in the fence by the time the
 * entry is found, and S steps around it.  An aborted Y changed nothing, and
 * counts as seen once it is no longer running; a prepared one is running.
 *
 * Transactions do not see only what has committed but also their own
 * changes, so the keys that a transaction has changed are pending, and it
 * neither uses nor stores their entries (pending.c); nor those of any cache
 * that is being changed by a statement in progress (statement.c).
 *
 * What loaders depend on besides rows comes from backends' catalog caches.  A
 * filler makes sure, before it loads, that these have heard of all DDL that its
 * snapshot sees (catalogs.c).
 *
 * Where a loader runs as the caller there is a third fence, of that role, which
 * is to its entries what the cache's is to all (rolefence.c).
 *
 * Not all DDL concerns all caches: which of them it is published for is decided
 * when the transaction is about to commit, by what their loads have noted that
 * they depend on (ddl.c, dependency.c).  When something new is noted, the cache's
 * fence takes over what has been decided without that (slotlists.c).
 *
 * Values in Redis outlive the entries here, and nothing is sure to remove
 * them.  So each has with it what the snapshot that it was loaded under saw,
 * and is used only if that, too, saw everything that the fences remember.
 *
 * Locking: as each function says.  No LWLock is held while a loader runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "storage/predicate.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/prefetch.h"
#include "fence/keyfence.h"
#include "fence/ready.h"
#include "fence/recentxid.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/slotlists.h"
#include "fence/stats.h"
#include "protocol/coherence.h"
#include "protocol/lock.h"
#include "protocol/pending.h"
#include "protocol/statement.h"
#include "store/index.h"

/* cache.enabled */
bool		coherence_enabled = true;

/*-------------------------------------------------------------------------
 * Readers
 *-------------------------------------------------------------------------
 */

static bool
has_temporary_schema(void)
{
	Oid			schema;
	Oid			toast;

	GetTempNamespaceState(&schema, &toast);
	return OidIsValid(schema);
}

/* What a process is it stays. */
static inline bool
is_logical_worker(void)
{
	static enum
	{
		UNKNOWN, NO, YES
	}			answer = UNKNOWN;

	if (unlikely(answer == UNKNOWN))
		answer = IsLogicalWorker() ? YES : NO;
	return answer == YES;
}

static bool
refuse(CoherentGet *get, BypassReason reason)
{
	get->refused = reason;
	return false;
}

/*
 * Begin a get.  False if the promise demands, or the user wants, that the
 * loader be run and its result not be stored; get->refused says why.
 *
 * The definition must have been locked (lock_take).
 */
bool
coherence_begin(CoherentGet *get, CacheDef *def, StoreKey *key)
{
	Snapshot	snapshot;
	int			slot;
	Oid			role;

	if (!coherence_enabled)
		return refuse(get, BYPASS_DISABLED);

	/* Only an MVCC snapshot can be compared with fences. */
	if (!ActiveSnapshotSet())
		return refuse(get, BYPASS_WORKER);
	snapshot = GetActiveSnapshot();

	/* After the snapshot was taken: see standby.c. */
	if (!ready_for_use() && !GUARD_REMOVED("standby_ready"))
		return refuse(get, BYPASS_STANDBY);

	/* What a hit needs is fetched while we look whether there may be one. */
	CACHE_PREFETCH_READ(key_fence(key->hash));
	index_prefetch_key(key->hash);

	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		return refuse(get, BYPASS_WORKER);

	/*
	 * A hit would hide the read from the detection of serialization
	 * conflicts.  Only transactions with a safe snapshot take part in none,
	 * those that are READ ONLY DEFERRABLE from their start among them.
	 */
	if (IsolationIsSerializable() &&
		ShareSerializableXact() != NULL &&
		!GUARD_REMOVED("serializable"))
		return refuse(get, BYPASS_SERIALIZABLE);

	/* What the leader has changed is pending in the leader only. */
	if (IsParallelWorker() && TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return refuse(get, BYPASS_WORKER);

	/*
	 * The apply worker fires only row triggers, and no executor hook runs
	 * around them; so nothing tells which rows it has written in between.
	 */
	if (is_logical_worker())
		return refuse(get, BYPASS_WORKER);

	/*
	 * A temporary child of a watched table is nobody else's; nor is whatever
	 * a loader that names pg_temp may find there.
	 */
	if (def->is_volatile)
		return refuse(get, BYPASS_RESULT);
	if (def->private || (def->names_temp && !GUARD_REMOVED("temporary")))
		return refuse(get, BYPASS_TEMPORARY);

	if (!GUARD_REMOVED("own") && pending_covers(def->id, key->hash))
		return refuse(get, BYPASS_OWN_CHANGES);
	if (!GUARD_REMOVED("statement") && statement_changes(NameStr(def->name)))
		return refuse(get, BYPASS_OWN_CHANGES);

	slot = lock_slot(def);
	if (slot < 0)
		return refuse(get, BYPASS_OWN_CHANGES);

	/* Temporary objects of this session may be in front of others. */
	if (pg_atomic_read_u32(&shared_slots[slot].own_path) != 0 &&
		has_temporary_schema())
		return refuse(get, BYPASS_TEMPORARY);

	get->def = def;
	get->key = key;
	key->slot = slot;
	role = ((const KeyPrefix *) key->image)->role;
	get->role_fence = OidIsValid(role) ? role_fence(role) : NULL;
	get->role_changes = ((const KeyPrefix *) key->image)->role_changes;
	snapshot_view(&get->view, snapshot, recent_xid(snapshot->xmax));
	return true;
}

/* Read the cache's fence, wherever its slot is by now. */
static bool
read_cache_fence(CoherentGet *get)
{
	CacheDef   *def = get->def;

	get->lists_ready = false;

	while (!slot_read(get->key->slot, MyDatabaseId, def->id, &get->cache_fence))
	{
		int			slot;

		def->slot = -1;
		def->locked = 0;
		slot = lock_slot(def);
		if (slot < 0)
		{
			/* No slot, no cache: no snapshot is good enough. */
			get->key_fence.floor.highest = PG_UINT64_MAX;
			get->cache_fence.floor.highest = PG_UINT64_MAX;
			return false;
		}
		get->key->slot = slot;
	}
	pg_read_barrier();
	get->lists_ready =
		pg_atomic_read_u64(&shared_slots[get->key->slot].lists_of) ==
		get->cache_fence.changes;
	return true;
}

/* The generation of the cache; for what follows from it, see hit_is_exact. */
static inline uint64
read_generation(const StoreKey *key)
{
#ifdef PG_HAVE_8BYTE_SINGLE_COPY_ATOMICITY
	return *(volatile uint64 *) &shared_slots[key->slot].fence.changes;
#else
	FenceState	state;

	fence_read(&shared_slots[key->slot].fence, &state);
	return state.changes;
#endif
}

/* The number that entries of this generation have for the key's prefix. */
static inline bool
find_prefix(CacheDef *def, StoreKey *key, uint64 generation)
{
	const KeyPrefix *prefix = (const KeyPrefix *) key->image;
	int			number;

	if (unlikely(def->prefix_generation != generation ||
				 def->prefix_slot != key->slot ||
				 !prefix_equals(&def->prefix, prefix)))
	{
		number = slot_find_prefix(key->slot, generation, prefix);
		if (number == SLOT_NO_PREFIX)
			return false;
		def->prefix = *prefix;
		def->prefix_number = number;
		def->prefix_generation = generation;
		def->prefix_slot = key->slot;
	}
	key->prefix = def->prefix_number;
	return true;
}

static inline bool
path_is_clear(CoherentGet *get)
{
	return pg_atomic_read_u32(&shared_slots[get->key->slot].own_path) == 0 ||
		!has_temporary_schema();
}

/*
 * The same for the fence of the role that the loader runs as; and is the key's
 * image of its present count of changes?
 */
static inline bool
role_is_old(const CoherentGet *get)
{
	return get->role_fence == NULL ||
		(fence_is_old(get->role_fence, get->view.xmin) &&
		 role_fence_changes(get->role_fence) == get->role_changes);
}

/* What is asked if that does not tell, of a copy of it. */
static bool
role_is_clear(const CoherentGet *get, const FenceState *state)
{
	return get->role_fence == NULL || GUARD_REMOVED("role_fence_check") ||
		((uint32) state->changes == get->role_changes &&
		 fence_is_clear(state, &get->view));
}

/*
 * After an entry was copied: are the fences so old that nothing else need be
 * known of them?  The slot is read last; see slot_read.
 */
static inline bool
hit_is_exact(CoherentGet *get, uint64 generation)
{
	CacheSlot  *slot = &shared_slots[get->key->slot];

	if (!fence_is_old(key_fence(get->key->hash), get->view.xmin) ||
		!fence_is_old(&slot->fence, get->view.xmin) ||
		!role_is_old(get) ||
		read_generation(get->key) != generation)
		return false;
	pg_read_barrier();
	return slot->used && slot->id == get->def->id &&
		slot->dbid == MyDatabaseId && path_is_clear(get);
}

/*
 * Look for the key's entry.  True: it is exactly what the loader would give
 * now, copied into the current memory context.
 *
 * Otherwise the fences are known as they were after the entry was looked for;
 * see coherence_may_fill.
 */
bool
coherence_lookup(CoherentGet *get, StoreValue *value)
{
	uint64		generation = read_generation(get->key);
	uint16		slot = get->key->slot;
	bool		found;

	found = find_prefix(get->def, get->key, generation) &&
		store_get(get->key, generation, GetCurrentStatementStartTimestamp(),
				  value);
	STOP_POINT("copied");
	pg_read_barrier();

	/* The fences must be read after the value. */
	if (found && likely(hit_is_exact(get, generation)))
		return true;
	fence_read(key_fence(get->key->hash), &get->key_fence);
	if (get->role_fence != NULL)
		fence_read(get->role_fence, &get->role_state);
	if (!read_cache_fence(get) || !found)
	{
		if (found)
			pfree(value->data);
		return false;
	}

	/*
	 * A new generation, or another slot: the value was exact when it was
	 * copied, but may have been loaded under another definition.
	 */
	if (generation == get->cache_fence.changes && slot == get->key->slot &&
		path_is_clear(get) && role_is_clear(get, &get->role_state) &&
		((fence_is_clear(&get->key_fence, &get->view) &&
		  fence_is_clear(&get->cache_fence, &get->view)) ||
		 GUARD_REMOVED("read_check")))
		return true;
	pfree(value->data);
	return false;
}

/*-------------------------------------------------------------------------
 * Fillers
 *-------------------------------------------------------------------------
 */

/*
 * After coherence_lookup has found nothing: could a value that is loaded now
 * be stored at all?
 */
bool
coherence_may_fill(CoherentGet *get)
{
	if (GUARD_REMOVED("fill_check"))
		return true;
	return fence_is_clear(&get->key_fence, &get->view) &&
		fence_is_clear(&get->cache_fence, &get->view) &&
		role_is_clear(get, &get->role_state);
}

static bool
fill_check(void *arg)
{
	CoherentGet *get = (CoherentGet *) arg;
	FenceState	key_now;
	FenceState	cache_now;
	FenceState	role_now;

	if (GUARD_REMOVED("fill_check"))
		return true;
	fence_read(key_fence(get->key->hash), &key_now);
	if (key_now.changes != get->key_fence.changes ||
		!fence_is_clear(&key_now, &get->view))
		return false;
	if (get->role_fence != NULL)
		fence_read(get->role_fence, &role_now);
	if (!role_is_clear(get, &role_now))
		return false;

	/*
	 * A publication for the whole cache may still come before the entry is
	 * linked, but then the entry is of an old generation.
	 */
	if (!slot_read(get->key->slot, MyDatabaseId, get->def->id, &cache_now))
		return false;
	return cache_now.changes == get->cache_fence.changes &&
		fence_is_clear(&cache_now, &get->view);
}

/*
 * The load itself may have changed what it reads, or have turned out to depend on
 * this session's temporary objects.
 */
static bool
load_is_own(CoherentGet *get)
{
	return (!GUARD_REMOVED("own") &&
			(pending_covers(get->def->id, get->key->hash) ||
			 statement_changes(NameStr(get->def->name)))) ||
		(!path_is_clear(get) && !GUARD_REMOVED("own_path"));
}

/* Make ready to store a value.  False if that is not possible any more. */
static bool
fill_prepare(CoherentGet *get, StoreValue *value)
{
	const KeyPrefix *prefix = (const KeyPrefix *) get->key->image;
	uint64		generation = get->cache_fence.changes;
	int			number;

	if (load_is_own(get) || !get->lists_ready)
		return false;
	number = slot_add_prefix(get->key->slot, generation, prefix);
	if (number == SLOT_NO_PREFIX)
		return false;
	get->key->prefix = number;
	value->generation = generation;
	return true;
}

/*
 * Store what has been loaded under the get's snapshot, or found in Redis and
 * accepted, if that is still possible.
 */
StoreResult
coherence_fill(CoherentGet *get, StoreValue *value)
{
	if (!fill_prepare(get, value))
		return STORE_REFUSED;
	return store_put(get->key, value, &get->def->limit, fill_check, get);
}

/*
 * The same for values of several keys of a cache, of one at least.
 */
void
coherence_fill_many(CacheDef *def, CoherentFill *fills, int n)
{
	StorePut   *puts = palloc(sizeof(StorePut) * n);
	int			nputs = 0;

	STOP_POINT("accepted");
	for (int i = 0; i < n; i++)
	{
		if (!fill_prepare(fills[i].get, fills[i].value))
			continue;
		puts[nputs].key = fills[i].get->key;
		puts[nputs].value = fills[i].value;
		puts[nputs++].arg = fills[i].get;
	}
	store_put_many(puts, nputs, &def->limit, fill_check);
	pfree(puts);
}

/*
 * Why coherence_fill has refused to store.
 */
BypassReason
coherence_refusal(CoherentGet *get)
{
	return load_is_own(get) ? BYPASS_OWN_CHANGES : BYPASS_CONCURRENT_CHANGES;
}

/*-------------------------------------------------------------------------
 * Redis
 *-------------------------------------------------------------------------
 */

/*
 * After coherence_lookup has found nothing, Redis has given a value that was
 * loaded under another snapshot, of which this is the image.  Is it what the
 * loader would give now?  own_path: see CacheSlot.
 *
 * Let Y have changed the key.  If our snapshot sees Y, then Y is in the fence,
 * and the load has to have seen it, too.  If ours does not but the load has,
 * then Y had published before the value came to be, so it is in the fence
 * now, after the value was received.
 */
bool
coherence_accept(CoherentGet *get, const SnapshotImage *seen, bool own_path)
{
	FenceState	cache_now;

	STOP_POINT("received");
	pg_read_barrier();
	if (GUARD_REMOVED("redis_fence"))
		return true;
	if (own_path && has_temporary_schema())
		return false;

	/* Nothing was published since the fences were read. */
	if (!fill_check(get) || !get->lists_ready)
		return false;

	if (get->role_fence != NULL && !GUARD_REMOVED("redis_role") &&
		!fence_was_clear(&get->role_state, seen))
		return false;

	/*
	 * A fence is shared by many keys, and each of them is written now and
	 * then, while values stay in Redis for long.  So the stamp, which is
	 * shared by fewer, may tell as well that the load saw everything.
	 */
	if (pg_atomic_read_u64(key_stamp(get->key->hash)) >= seen->xmin &&
		!fence_was_clear(&get->key_fence, seen))
		return false;

	/*
	 * That loads read more than was known may just have become known, and with
	 * it who has changed it (slot_add_columns).
	 */
	if (GUARD_REMOVED("recalled"))
		return fence_was_clear(&get->cache_fence, seen);
	return slot_read(get->key->slot, MyDatabaseId, get->def->id, &cache_now) &&
		fence_was_clear(&cache_now, seen);
}

/*
 * May what was loaded under the get's snapshot be sent to Redis?  Then seen is
 * what that snapshot saw.  Values there are dated by that, so it does not
 * matter what is published from now on.
 */
bool
coherence_may_send(CoherentGet *get, SnapshotImage *seen)
{
	if (load_is_own(get) || !get->lists_ready)
		return false;
	snapshot_image(seen, &get->view, GetTopFullTransactionIdIfAny());
	return true;
}
