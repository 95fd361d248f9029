/*-------------------------------------------------------------------------
 *
 * store.c
 *		L1: what is kept in shared memory, and how it gets there.
 *
 * Puts together the index, which finds entries (index.c), and the eviction
 * policies with the memory that they manage (evict.c).
 *
 * Locking: storing takes the store lock, and under it a partition lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "base/devel.h"
#include "fence/registry.h"
#include "fence/stats.h"
#include "store/entry.h"
#include "store/evict.h"
#include "store/index.h"
#include "store/store.h"

#define LARGE_FRACTION		64	/* of the arena: such entries queue first */
#define LARGEST_FRACTION	8	/* of the arena: no entry is larger */
#define PUT_BATCH			32	/* that the store lock is taken for at once */

/*
 * Find a key's entry of the given generation that has not expired, and copy
 * its value into the current memory context.  Whether the caller may use it
 * is for the fences to tell, afterwards.
 */
bool
store_get(const StoreKey *key, uint64 generation, TimestampTz now,
		  StoreValue *value)
{
	ArenaRef	ref = index_read(key, generation, now, value);

	if (ref == 0)
		return false;
	if (!key->aside)
		evict_note(key->hash, ref, key->slot);
	return true;
}

/*
 * Note that a get did not find its key.
 */
void
store_missed(const StoreKey *key)
{
	evict_note(key->hash, 0, key->slot);
}

/*
 * Largest entry, in bytes.
 */
Size
store_max_entry(void)
{
	return store_arena_bytes / LARGEST_FRACTION;
}

/* What an entry costs in the units of its policy. */
static uint64
entry_cost(CacheSlot *slot, const StoreLimit *limit, const StoreValue *value,
		   uint32 units)
{
	uint64		cost;

	if (slot->policy == 0)
		return units;
	if (value->cost != 0)
		cost = value->cost;
	else if (limit->entry_cost != 0)
		cost = limit->entry_cost;
	else
		cost = (uint64) units * ARENA_UNIT;
	return (cost + ((uint64) 1 << slot->policy_shift) - 1) >> slot->policy_shift;
}

/* Refuse a candidate that is not even compared with others. */
static StoreResult
entry_reject(const StoreKey *key)
{
	stats_count(key->slot, STATS_REJECTED, 1);
	return STORE_REJECTED;
}

/* What an entry takes. */
static Size
entry_bytes(const StoreKey *key, const StoreValue *value)
{
	const char *unused;

	return ENTRY_HEADER + (value->expires != 0 ? sizeof(TimestampTz) : 0) +
		stored_key(key, &unused) + (Size) stored_value(value, &unused);
}

/* Could there be an entry for this at all? */
static bool
entry_fits(const StoreKey *key, const StoreValue *value)
{
	return key->len <= STORE_MAX_KEY &&
		entry_bytes(key, value) <= store_max_entry() &&
		value->generation < ENTRY_GENERATIONS;
}

static void
entry_fill(ArenaRef ref, const StoreKey *key, const StoreValue *value,
		   uint32 cost, bool own)
{
	Entry	   *entry = entry_at(ref);
	char	   *data = entry->data;
	const char *bytes;
	uint32		len;

	memset(&entry->node, 0, sizeof(PolicyNode));
	entry->chain = 0;
	entry->node.hash = (uint32) key->hash;
	entry->node.cost = cost;
	entry->node.load = policy_load(value->load_time);
	entry->node.slot = key->slot;
	entry->node.flags = (own ? ENTRY_OWN : 0) |
		(value->expires != 0 ? ENTRY_EXPIRES : 0) |
		(value->varlena ? ENTRY_VARLENA : 0);
	entry->generation_low = (uint32) value->generation;
	entry->generation_high = value->generation >> 32;
	entry->prefix = key->prefix;
	entry->keylen = stored_key(key, &bytes);
	if (value->expires != 0)
	{
		memcpy(data, &value->expires, sizeof(TimestampTz));
		data += sizeof(TimestampTz);
	}
	memcpy(data, bytes, entry->keylen);
	data += entry->keylen;
	len = stored_value(value, &bytes);
	entry->node.flags |= (entry_vallen(entry) - len) << ENTRY_UNUSED;
	if (len > 0)
		memcpy(data, bytes, len);
}

/*
 * A large candidate would push out much before anybody has compared it with
 * that.  So it is judged first, through a placeholder that has its cost and
 * no memory; the eviction of what it beats is what makes room for it.  Gives
 * the placeholder, or 0 if the candidate is not worth it.
 */
static ArenaRef
admit_large(const StoreKey *key, const StoreValue *value, uint32 cost,
			CacheSlot *slot, Policy *policy, TimestampTz now)
{
	StoreValue	nothing = {.load_time = value->load_time};
	StoreKey	bare = *key;
	ArenaRef	ref;
	ArenaRef	node;
	bool		rejected;

	ref = evict_reserve((ENTRY_HEADER + ARENA_UNIT - 1) / ARENA_UNIT, slot, now);
	if (ref == 0)
		return 0;
	arena_pin(&shared_store->arena, shared_arena, ref, true);
	bare.len = 0;
	bare.prefix = SLOT_WHOLE_KEY;
	entry_fill(ref, &bare, &nothing, cost, false);
	policy_add(policy, shared_arena, ref + NODE_OFFSET);
	while ((node = policy_evict(policy, shared_arena, &rejected)) != 0)
	{
		if (node == ref + NODE_OFFSET)
		{
			arena_pin(&shared_store->arena, shared_arena, ref, false);
			arena_free(&shared_store->arena, shared_arena, ref);
			return 0;
		}
		evict_entry(node - NODE_OFFSET, rejected, now);
	}

	/*
	 * It stays pinned, and out of its list while memory is sought, lest it be
	 * evicted for itself; policy_add will put it there again.
	 */
	policy_remove(policy, shared_arena, ref + NODE_OFFSET);
	return ref;
}

/*
 * Get ready to store n entries of a slot.  False if there is no policy for
 * them.  Store lock.
 */
static bool
store_begin(CacheSlot *slot, int n, const StoreLimit *limit, TimestampTz now)
{
	/*
	 * Sweeping gives up the policies of caches that have been dropped, this
	 * one perhaps: so it comes before the policy is looked up.
	 */
	for (int i = 0; i < n; i++)
		evict_sweep(now);
	if (!evict_make_policy(slot, limit, now))
		return false;
	evict_hear();
	evict_reap();
	evict_resize_pool();
	return true;
}

/* What one more takes of the memory. */
static inline uint32
entry_units(const StoreKey *key, const StoreValue *value)
{
	return (entry_bytes(key, value) + ARENA_UNIT - 1) / ARENA_UNIT;
}

/* Store one.  rank: how it stood before, or NULL.  Store lock. */
static StoreResult
store_put_locked(const StoreKey *key, const StoreValue *value,
				 const StoreLimit *limit, const StoreRank *rank,
				 StoreCheck check, void *arg, TimestampTz now)
{
	CacheSlot  *slot = &shared_slots[key->slot];
	Policy	   *policy = slot->policy ? evict_slot_policy(slot) : shared_policy;
	uint32		units = entry_units(key, value);
	ArenaRef	placeholder = 0;
	StoreResult result = STORE_STORED;
	uint64		cost;
	ArenaRef	ref;
	ArenaRef	node;
	bool		rejected;

	cost = entry_cost(slot, limit, value, units);
	if (cost > policy_capacity(policy))
		return entry_reject(key);
	if (units > evict_arena_total() / LARGE_FRACTION)
	{
		placeholder = admit_large(key, value, cost, slot, policy, now);
		if (placeholder == 0)
			return entry_reject(key);
	}
	ref = evict_reserve(units, slot, now);
	if (placeholder != 0)
	{
		arena_pin(&shared_store->arena, shared_arena, placeholder, false);
		arena_free(&shared_store->arena, shared_arena, placeholder);
	}
	if (ref == 0)
		return entry_reject(key);

	/* The block may be larger than what was asked for. */
	cost = entry_cost(slot, limit, value, arena_units(shared_arena, ref));
	entry_fill(ref, key, value, cost, slot->policy != 0);
	evict_made(ref);

	/*
	 * The policy has to know the entry before anybody can unlink it; and it
	 * has to be linked before the policy may let it go.
	 */
	policy_add(policy, shared_arena, ref + NODE_OFFSET);
	if (rank != NULL)
		policy_put_back(policy, shared_arena, ref + NODE_OFFSET, rank->segment,
						rank->frequency);
	evict_set_listens(slot, policy);
	key_lock(key->hash, LW_EXCLUSIVE);
	if (!check(arg))
	{
		key_unlock(key->hash);
		policy_remove(policy, shared_arena, ref + NODE_OFFSET);
		evict_free(ref);
		return STORE_REFUSED;
	}
	index_link(ref, key, now);
	key_unlock(key->hash);

	/* The older entries of this key must not count against the new one. */
	evict_reap();
	while ((node = policy_evict(policy, shared_arena, &rejected)) != 0)
	{
		if (node == ref + NODE_OFFSET)
			result = STORE_REJECTED;
		evict_entry(node - NODE_OFFSET, rejected, now);
	}
	return result;
}

/*
 * Store a value, if check() allows it and the eviction policy thinks it worth
 * while.  check() runs under the key's partition lock, at the moment that
 * decides; it must not raise an error.
 *
 * Counts rejections and evictions.  Never fails for want of memory.
 */
StoreResult
store_put(const StoreKey *key, const StoreValue *value,
		  const StoreLimit *limit, StoreCheck check, void *arg)
{
	StoreResult result;
	TimestampTz now = GetCurrentStatementStartTimestamp();

	if (!entry_fits(key, value))
		return entry_reject(key);

	LWLockAcquire(shared_store_lock, LW_EXCLUSIVE);
	if (store_begin(&shared_slots[key->slot], 1, limit, now))
		result = store_put_locked(key, value, limit, NULL, check, arg, now);
	else
		result = entry_reject(key);
	LWLockRelease(shared_store_lock);
	return result;
}

/*
 * The same for several values of one cache, whose slot may have changed in
 * between.  Takes the lock for some of them at a time.
 */
void
store_put_many(const StorePut *puts, int n, const StoreLimit *limit,
			   StoreCheck check)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();

	while (n > 0)
	{
		uint16		slot = puts->key->slot;
		int			some = 1;
		bool		ready;

		while (some < Min(n, PUT_BATCH) && puts[some].key->slot == slot)
			some++;
		LWLockAcquire(shared_store_lock, LW_EXCLUSIVE);
		ready = store_begin(&shared_slots[slot], some, limit, now);
		for (int i = 0; i < some; i++)
		{
			if (ready && entry_fits(puts[i].key, puts[i].value))
				(void) store_put_locked(puts[i].key, puts[i].value, limit, NULL,
										check, puts[i].arg, now);
			else
				(void) entry_reject(puts[i].key);
		}
		LWLockRelease(shared_store_lock);
		puts += some;
		n -= some;
	}
}

/* Is there room for one more, so that nothing has to go?  Store lock. */
static bool
store_has_room(const StoreKey *key, const StoreValue *value,
			   const StoreLimit *limit)
{
	CacheSlot  *slot = &shared_slots[key->slot];
	Policy	   *policy = slot->policy ? evict_slot_policy(slot) : shared_policy;
	uint32		units = entry_units(key, value);

	return policy_cost(policy) + entry_cost(slot, limit, value, units) <=
		policy_capacity(policy) &&
		shared_store->arena.free_units >= (uint64) units + evict_arena_slack();
}

/*
 * Store values that were stored before, with the rank that they had, as far as
 * there is room: nothing has to go for them.  check() as in store_put.  Gives how
 * many have been stored.  Takes the lock once, so n should be small.
 */
int
store_put_back(const StoreBack *backs, int n, StoreCheck check)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	StoreLimit	limit = {0};
	bool		ready = false;
	int			stored = 0;

	LWLockAcquire(shared_store_lock, LW_EXCLUSIVE);
	for (int i = 0; i < n; i++)
	{
		const StoreKey *key = backs[i].put.key;
		const StoreValue *value = backs[i].put.value;
		CacheSlot  *slot = &shared_slots[key->slot];

		if (i == 0 || key->slot != backs[i - 1].put.key->slot)
		{
			limit = backs[i].limit;

			/* Who has used the cache since knows better. */
			if (slot->policy != 0)
			{
				limit.max_cost = slot->policy_max_cost;
				limit.entry_cost = slot->policy_entry_cost;
			}
			ready = store_begin(slot, 1, &limit, now);
		}
		if (ready && entry_fits(key, value) &&
			store_has_room(key, value, &limit) &&
			store_put_locked(key, value, &limit, &backs[i].rank, check,
							 backs[i].put.arg, now) == STORE_STORED)
			stored++;
	}
	LWLockRelease(shared_store_lock);
	return stored;
}
