/*-------------------------------------------------------------------------
 *
 * store.c
 *		L1: entries in shared memory, found by key.
 *
 * The index is an array of buckets, each the head of a chain of entries, and
 * a sequence number that covers the whole chain.  An entry is one block of
 * the arena: header, key and value side by side, so that a hit costs two
 * dependent memory accesses, the bucket and the entry.
 *
 * Reading takes no lock and writes no shared memory.  A reader notes the
 * bucket's sequence number, walks the chain, copies the value with lengths
 * that it has checked against the arena's bounds, and looks at the sequence
 * number again: if it has moved, or was odd, the copy may be garbage and the
 * reader starts over, after a few times under the partition lock.
 *
 * Writing.  Whoever changes a chain, or anything in a linked entry that a
 * reader looks at, holds the partition lock exclusively and makes the
 * sequence number odd meanwhile.  Blocks of the arena are given away, freed
 * and moved under the store lock alone, and an entry is unlinked before its
 * block is freed; so under the store lock a reference found in a chain stays
 * a reference to an entry, even if somebody unlinks it at the same time.
 *
 * Invalidation needs only the partition lock, not the store lock, which
 * others may hold for longer: it unlinks the entry, marks it dead and leaves
 * it in the partition's list of dead entries.  The next holder of the store
 * lock reaps them.
 *
 * Accesses are reported to the eviction policy in batches: a backend
 * remembers the last few, and hands them over when it gets the store lock
 * without waiting, or has it anyway (as in Caffeine).  What does not fit is
 * lost, which costs the policy a little accuracy and nothing else.
 *
 * Locking order: store lock, then one partition lock; see shared.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/s_lock.h"
#include "utils/memutils.h"

#include "arena.h"
#include "policy.h"
#include "registry.h"
#include "shared.h"
#include "store.h"

/* PolicyNode.flags */
#define ENTRY_DEAD		0x01	/* unlinked, in a list of dead entries */
#define ENTRY_OWN		0x02	/* belongs to its cache's own policy */
#define ENTRY_NULL		0x04	/* the value is an SQL NULL */
#define ENTRY_EXPIRES	0x08	/* the time of expiry precedes the key */

typedef struct Entry
{
	uint32		tag;			/* the arena's */
	ArenaRef	chain;			/* next in bucket, or in the list of the dead */
	PolicyNode	node;			/* the policy's; hash, flags, slot are ours */
	uint64		generation;		/* of the cache when this was stored */
	uint32		vallen;
	uint32		keylen;
	char		data[FLEXIBLE_ARRAY_MEMBER];	/* expiry, key, value */
} Entry;

#define ENTRY_HEADER		offsetof(Entry, data)
#define NODE_OFFSET			(offsetof(Entry, node) / POLICY_UNIT)

StaticAssertDecl(offsetof(Entry, node) % POLICY_UNIT == 0,
				 "the policy's references count its units");
StaticAssertDecl(POLICY_UNIT == ARENA_UNIT,
				 "the policy and the arena share their references");

/* Accesses that the policy has not heard of yet. */
#define ACCESS_BUFFER	64

typedef struct Access
{
	uint64		hash;
	ArenaRef	ref;			/* where the entry was, 0 for a miss */
	uint16		slot;
} Access;

static Access accesses[ACCESS_BUFFER];
static int	naccesses = 0;

#define LOCKLESS_TRIES		16
#define SWEEP_STEPS			64
#define LARGE_FRACTION		64	/* of the arena: such entries queue first */

static inline Entry *
entry_at(ArenaRef ref)
{
	return (Entry *) (cache_arena + (Size) ref * ARENA_UNIT);
}

static inline Bucket *
bucket_of(uint64 hash)
{
	return &cache_buckets[hash & (cache_shared->nbuckets - 1)];
}

static inline uint32
partition_of(uint64 hash)
{
	return hash & (SHARED_PARTITIONS - 1);
}

static inline Size
entry_keyoffset(const Entry *entry)
{
	return (entry->node.flags & ENTRY_EXPIRES) ? sizeof(TimestampTz) : 0;
}

static TimestampTz
entry_expires(const Entry *entry)
{
	TimestampTz expires = 0;

	if (entry->node.flags & ENTRY_EXPIRES)
		memcpy(&expires, entry->data, sizeof(expires));
	return expires;
}

/* Can nobody use this entry any more? */
static bool
entry_is_stale(const Entry *entry, TimestampTz now)
{
	TimestampTz expires = entry_expires(entry);

	return entry->generation != cache_slots[entry->node.slot].fence.changes ||
		(expires != 0 && expires <= now);
}

static bool
entry_has_key(const Entry *entry, const StoreKey *key)
{
	return entry->node.hash == key->hash && entry->keylen == key->len &&
		memcmp(entry->data + entry_keyoffset(entry), key->image, key->len) == 0;
}

/*
 * Lock the partition of a hash: the entries of all keys that have it, and
 * their fence.
 */
void
store_lock(uint64 hash, LWLockMode mode)
{
	LWLockAcquire(&cache_partition_locks[partition_of(hash)].lock, mode);
}

void
store_unlock(uint64 hash)
{
	LWLockRelease(&cache_partition_locks[partition_of(hash)].lock);
}

static void
bucket_begin_write(Bucket *bucket)
{
	pg_atomic_write_u32(&bucket->seq, pg_atomic_read_u32(&bucket->seq) + 1);
	pg_write_barrier();
}

static void
bucket_end_write(Bucket *bucket)
{
	pg_write_barrier();
	pg_atomic_write_u32(&bucket->seq, pg_atomic_read_u32(&bucket->seq) + 1);
}

/*
 * The place that refers to an entry of a bucket's chain.  Partition lock.
 */
static ArenaRef *
chain_link(Bucket *bucket, ArenaRef ref)
{
	ArenaRef   *link = &bucket->head;

	while (*link != ref)
	{
		Assert(*link != 0);
		link = &entry_at(*link)->chain;
	}
	return link;
}

static void
chain_remove(ArenaRef ref)
{
	Entry	   *entry = entry_at(ref);
	Bucket	   *bucket = bucket_of(entry->node.hash);

	bucket_begin_write(bucket);
	*chain_link(bucket, ref) = entry->chain;
	bucket_end_write(bucket);
}

/*-------------------------------------------------------------------------
 * Reading
 *-------------------------------------------------------------------------
 */

static void access_note(uint64 hash, ArenaRef ref, uint16 slot);

typedef enum ReadResult
{
	READ_FOUND,
	READ_ABSENT,
	READ_DISTURBED
} ReadResult;

static inline bool
bucket_moved(Bucket *bucket, uint32 seq)
{
	pg_read_barrier();
	return pg_atomic_read_u32(&bucket->seq) != seq;
}

/*
 * Try to find a key and copy its value.  Unless the caller has the partition
 * lock, everything read is suspect until the sequence number has been seen
 * unchanged after it.
 */
static ReadResult
chain_read(Bucket *bucket, const StoreKey *key, uint64 generation,
		   TimestampTz now, StoreValue *value)
{
	uint32		seq = pg_atomic_read_u32(&bucket->seq);
	ArenaRef	ref;

	if (seq & 1)
		return READ_DISTURBED;
	pg_read_barrier();

	ref = bucket->head;
	while (ref != 0)
	{
		Entry		entry;
		Size		at = (Size) ref * ARENA_UNIT;
		Size		keyoffset;
		const char *data = cache_arena + at + ENTRY_HEADER;

		if (at + ENTRY_HEADER + sizeof(TimestampTz) > cache_shared->arena_bytes)
			return READ_DISTURBED;
		memcpy(&entry, cache_arena + at, ENTRY_HEADER);
		if (bucket_moved(bucket, seq))
			return READ_DISTURBED;
		keyoffset = entry_keyoffset(&entry);

		if (entry.node.hash == key->hash && entry.keylen == key->len &&
			entry.node.slot == key->slot &&
			memcmp(data + keyoffset, key->image, key->len) == 0)
		{
			TimestampTz expires = 0;

			if (entry.node.flags & ENTRY_EXPIRES)
				memcpy(&expires, data, sizeof(expires));
			if (entry.generation != generation ||
				(expires != 0 && expires <= now))
				return bucket_moved(bucket, seq) ? READ_DISTURBED : READ_ABSENT;

			value->isnull = (entry.node.flags & ENTRY_NULL) != 0;
			value->len = entry.vallen;
			value->expires = expires;
			value->generation = entry.generation;
			value->data = palloc(Max(entry.vallen, 1));
			memcpy(value->data, data + keyoffset + key->len, entry.vallen);
			if (bucket_moved(bucket, seq))
			{
				pfree(value->data);
				return READ_DISTURBED;
			}
			access_note(key->hash, ref, key->slot);
			return READ_FOUND;
		}
		ref = entry.chain;
	}
	return bucket_moved(bucket, seq) ? READ_DISTURBED : READ_ABSENT;
}

/*
 * Find a key's entry of the given generation that has not expired, and copy
 * its value into the current memory context.  Whether the caller may use it
 * is for the fences to tell, afterwards.
 */
bool
store_get(const StoreKey *key, uint64 generation, TimestampTz now,
		  StoreValue *value)
{
	Bucket	   *bucket = bucket_of(key->hash);
	ReadResult	result = READ_DISTURBED;

	for (int i = 0; result == READ_DISTURBED && i < LOCKLESS_TRIES; i++)
	{
		if (i > 0)
			SPIN_DELAY();
		result = chain_read(bucket, key, generation, now, value);
	}
	if (result == READ_DISTURBED)
	{
		store_lock(key->hash, LW_SHARED);
		result = chain_read(bucket, key, generation, now, value);
		store_unlock(key->hash);
	}
	return result == READ_FOUND;
}

/*-------------------------------------------------------------------------
 * Policies
 *-------------------------------------------------------------------------
 */

/* The policy of a cache that has its own. */
static Policy *
slot_policy(CacheSlot *slot)
{
	return (Policy *) (cache_arena + (Size) slot->policy * ARENA_UNIT + ARENA_UNIT);
}

static Policy *
entry_policy(const Entry *entry)
{
	if (entry->node.flags & ENTRY_OWN)
		return slot_policy(&cache_slots[entry->node.slot]);
	return cache_pool;
}

/* Tell the policies of this backend's accesses.  Store lock. */
static void
access_drain(void)
{
	for (int i = 0; i < naccesses; i++)
	{
		Access	   *access = &accesses[i];
		ArenaRef	ref = bucket_of(access->hash)->head;
		ArenaRef	found = 0;
		CacheSlot  *slot = &cache_slots[access->slot];

		/*
		 * Others may unlink entries from the chain meanwhile, and put them
		 * into a list of the dead; so the walk is bounded.
		 */
		for (int steps = 0; ref != 0 && steps < 64; steps++)
		{
			Entry	   *entry = entry_at(ref);

			if (entry->node.hash == access->hash &&
				!(entry->node.flags & ENTRY_DEAD))
			{
				found = ref;
				if (ref == access->ref)
					break;
			}
			ref = entry->chain;
		}
		if (access->ref != 0 && found != 0)
			policy_touch(entry_policy(entry_at(found)), cache_arena,
						 found + NODE_OFFSET);
		else
			policy_miss(slot->policy ? slot_policy(slot) : cache_pool,
						access->hash);
	}
	naccesses = 0;
}

/* Remember an access, and tell the policies when there are enough. */
static void
access_note(uint64 hash, ArenaRef ref, uint16 slot)
{
	if (naccesses >= ACCESS_BUFFER)
	{
		if (LWLockConditionalAcquire(cache_store_lock, LW_EXCLUSIVE))
		{
			access_drain();
			LWLockRelease(cache_store_lock);
		}
		else
			naccesses = 0;
	}
	accesses[naccesses].hash = hash;
	accesses[naccesses].ref = ref;
	accesses[naccesses].slot = slot;
	naccesses++;
}

/*
 * Note that a get did not find its key.
 */
void
store_missed(const StoreKey *key)
{
	access_note(key->hash, 0, key->slot);
}

/*-------------------------------------------------------------------------
 * Freeing.  All of this runs under the store lock.
 *-------------------------------------------------------------------------
 */

/* Free an entry that neither the index nor a policy knows any more. */
static void
entry_free(ArenaRef ref)
{
	if (entry_at(ref)->node.flags & ENTRY_OWN)
		cache_shared->own_units -= arena_units(cache_arena, ref);
	arena_free(&cache_shared->arena, cache_arena, ref);
}

/* Free the dead.  False if there were none. */
static bool
store_reap(void)
{
	if (pg_atomic_read_u32(&cache_shared->ndead) == 0)
		return false;
	pg_atomic_write_u32(&cache_shared->ndead, 0);

	for (uint32 p = 0; p < SHARED_PARTITIONS; p++)
	{
		ArenaRef	ref;

		if (cache_shared->dead[p] == 0)
			continue;
		LWLockAcquire(&cache_partition_locks[p].lock, LW_EXCLUSIVE);
		ref = cache_shared->dead[p];
		cache_shared->dead[p] = 0;
		LWLockRelease(&cache_partition_locks[p].lock);

		while (ref != 0)
		{
			Entry	   *entry = entry_at(ref);
			ArenaRef	next = entry->chain;

			if (entry->node.segment != POLICY_NONE)
				policy_remove(entry_policy(entry), cache_arena,
							  ref + NODE_OFFSET);
			entry_free(ref);
			ref = next;
		}
	}
	return true;
}

/*
 * Drop an entry that its policy has let go.  If somebody has just unlinked
 * it, it is in a list of the dead, and reaped from there.
 */
static void
entry_drop(ArenaRef ref)
{
	uint64		hash = entry_at(ref)->node.hash;
	bool		dead;

	store_lock(hash, LW_EXCLUSIVE);
	dead = (entry_at(ref)->node.flags & ENTRY_DEAD) != 0;
	if (!dead)
		chain_remove(ref);
	store_unlock(hash);

	if (dead)
		store_reap();
	else
		entry_free(ref);
}

/* Drop what a policy has decided on, and count it. */
static void
entry_evict(ArenaRef ref, bool rejected, TimestampTz now)
{
	Entry	   *entry = entry_at(ref);

	if (!entry_is_stale(entry, now))
		stats_count(entry->node.slot,
					rejected ? STATS_REJECTED : STATS_EVICTIONS, 1);
	entry_drop(ref);
}

/* Look at a few blocks for entries that nobody can use any more. */
static void
store_sweep(TimestampTz now)
{
	Arena	   *arena = &cache_shared->arena;
	int			steps = 2;

	if (pg_atomic_exchange_u32(&cache_shared->sweep_wanted, 0) != 0)
		cache_shared->sweep_left = arena->used_blocks * 2 + SWEEP_STEPS;
	if (cache_shared->sweep_left > 0)
	{
		steps = SWEEP_STEPS;
		cache_shared->sweep_left -= Min(cache_shared->sweep_left, SWEEP_STEPS);
	}

	while (steps-- > 0)
	{
		ArenaRef	ref = arena_step(arena, cache_arena, ARENA_SWEEP_HAND);
		Entry	   *entry;

		if (ref == 0)
			continue;
		entry = entry_at(ref);
		if (!entry_is_stale(entry, now) || entry->node.segment == POLICY_NONE)
			continue;
		if (entry->generation == cache_slots[entry->node.slot].fence.changes)
			stats_count(entry->node.slot, STATS_EXPIRATIONS, 1);
		policy_remove(entry_policy(entry), cache_arena, ref + NODE_OFFSET);
		entry_drop(ref);
	}
}

/*
 * Move an entry's block down, for arena_compact.
 */
static bool
entry_move(ArenaRef from, ArenaRef to, uint32 units)
{
	Entry	   *entry = entry_at(from);
	uint64		hash = entry->node.hash;
	Bucket	   *bucket = bucket_of(hash);

	store_lock(hash, LW_EXCLUSIVE);
	if (entry->node.flags & ENTRY_DEAD)
	{
		store_unlock(hash);
		store_reap();
		return false;
	}
	bucket_begin_write(bucket);
	*chain_link(bucket, from) = to;
	arena_slide(&cache_shared->arena, cache_arena, from, to);
	bucket_end_write(bucket);
	store_unlock(hash);

	policy_moved(entry_policy(entry_at(to)), cache_arena,
				 from + NODE_OFFSET, to + NODE_OFFSET);
	return true;
}

/*-------------------------------------------------------------------------
 * Making room.  All of this runs under the store lock.
 *-------------------------------------------------------------------------
 */

static uint32
arena_total(void)
{
	return cache_shared->arena.end - cache_shared->arena.first;
}

/*
 * Evict one entry for its memory.  The caches that have a max_cost of their
 * own and the pool that the others share each have a claim to half of it.
 */
static bool
evict_for_memory(CacheSlot *wanting, TimestampTz now)
{
	ArenaRef	node = 0;

	if (cache_shared->own_units > policy_cost(cache_pool))
	{
		CacheSlot  *largest = NULL;

		if (wanting != NULL && wanting->policy != 0)
			largest = wanting;
		for (uint32 i = 0; i < cache_shared->nslots; i++)
		{
			CacheSlot  *slot = &cache_slots[i];

			if (slot->policy != 0 &&
				(largest == NULL || policy_count(slot_policy(slot)) >
				 policy_count(slot_policy(largest))))
				largest = slot;
		}
		if (largest != NULL)
			node = policy_evict_any(slot_policy(largest), cache_arena);
	}
	if (node == 0)
		node = policy_evict_any(cache_pool, cache_arena);
	for (uint32 i = 0; node == 0 && i < cache_shared->nslots; i++)
	{
		if (cache_slots[i].policy != 0)
			node = policy_evict_any(slot_policy(&cache_slots[i]), cache_arena);
	}
	if (node == 0)
		return false;
	entry_evict(node - NODE_OFFSET, false, now);
	return true;
}

/*
 * Find a block, evicting and compacting as far as it takes.  Compaction
 * starts when a 64th of the arena is free: it then moves at most about 64
 * times what is wanted.
 */
static ArenaRef
store_reserve(uint32 units, CacheSlot *wanting, TimestampTz now)
{
	Arena	   *arena = &cache_shared->arena;
	uint32		slack = arena_total() / 64;

	if (units > arena_total() / 4)
		return 0;
	for (;;)
	{
		ArenaRef	ref = arena_alloc(arena, cache_arena, units);

		if (ref != 0)
			return ref;
		if (store_reap())
			continue;
		if (arena->free_units >= (uint64) units + slack &&
			arena_compact(arena, cache_arena, units, entry_move))
			continue;
		if (!evict_for_memory(wanting, now))
			return 0;
	}
}

/* Give a cache's own policy and all that it holds up. */
static void
slot_drop_policy(CacheSlot *slot, TimestampTz now)
{
	ArenaRef	node;

	while ((node = policy_evict_any(slot_policy(slot), cache_arena)) != 0)
		entry_evict(node - NODE_OFFSET, false, now);
	arena_pin(&cache_shared->arena, cache_arena, slot->policy, false);
	arena_free(&cache_shared->arena, cache_arena, slot->policy);
	slot->policy = 0;
}

/*
 * Make the policy of a cache with a max_cost, and see that it is the one for
 * this limit.  False if there is no memory for it.
 */
static bool
slot_make_policy(CacheSlot *slot, const StoreLimit *limit, TimestampTz now)
{
	uint64		expected;
	uint32		units;
	ArenaRef	ref;

	if (slot->policy != 0 &&
		(slot->policy_max_cost != limit->max_cost ||
		 slot->policy_entry_cost != limit->entry_cost))
		slot_drop_policy(slot, now);
	if (limit->max_cost == 0 || slot->policy != 0)
		return true;

	expected = limit->max_cost / (limit->entry_cost ? limit->entry_cost : 512);
	expected = Min(Max(expected, 16), cache_shared->pool_entries);
	while (expected > 16 &&
		   policy_size(expected) > cache_shared->arena_bytes / 16)
		expected /= 2;

	units = policy_size(expected) / ARENA_UNIT + 2;
	ref = store_reserve(units, NULL, now);
	if (ref == 0)
		return false;
	arena_pin(&cache_shared->arena, cache_arena, ref, true);
	slot->policy_shift = 0;
	while (limit->max_cost >> slot->policy_shift > PG_INT32_MAX)
		slot->policy_shift++;
	slot->policy_max_cost = limit->max_cost;
	slot->policy_entry_cost = limit->entry_cost;
	slot->policy = ref;
	policy_init(slot_policy(slot), limit->max_cost >> slot->policy_shift,
				expected);
	return true;
}

/* What an entry costs in the units of its policy. */
static uint64
entry_cost(CacheSlot *slot, const StoreLimit *limit, uint32 units)
{
	uint64		cost;

	if (slot->policy == 0)
		return units;
	cost = limit->entry_cost ? limit->entry_cost : (uint64) units * ARENA_UNIT;
	return (cost + ((uint64) 1 << slot->policy_shift) - 1) >> slot->policy_shift;
}

/* The pool may have what the other policies leave, at least half. */
static void
pool_resize(void)
{
	uint64		total = arena_total() - arena_total() / 64;

	policy_set_capacity(cache_pool,
						Max(total - Min(total, cache_shared->own_units),
							total / 2));
}

/*-------------------------------------------------------------------------
 * Storing
 *-------------------------------------------------------------------------
 */

/* Largest entry, in bytes. */
Size
store_max_entry(void)
{
	return cache_shared->arena_bytes / 8;
}

/* Refuse a candidate that is not even compared with others. */
static StoreResult
entry_reject(const StoreKey *key)
{
	stats_count(key->slot, STATS_REJECTED, 1);
	return STORE_REJECTED;
}

static void
entry_fill(ArenaRef ref, const StoreKey *key, const StoreValue *value,
		   uint32 cost, bool own)
{
	Entry	   *entry = entry_at(ref);
	char	   *data = entry->data;

	memset(&entry->node, 0, sizeof(PolicyNode));
	entry->chain = 0;
	entry->node.hash = key->hash;
	entry->node.cost = cost;
	entry->node.slot = key->slot;
	entry->node.flags = (own ? ENTRY_OWN : 0) |
		(value->isnull ? ENTRY_NULL : 0) |
		(value->expires != 0 ? ENTRY_EXPIRES : 0);
	entry->generation = value->generation;
	entry->vallen = value->len;
	entry->keylen = key->len;
	if (value->expires != 0)
	{
		memcpy(data, &value->expires, sizeof(TimestampTz));
		data += sizeof(TimestampTz);
	}
	memcpy(data, key->image, key->len);
	if (value->len > 0)
		memcpy(data + key->len, value->data, value->len);
}

/*
 * A large candidate would push out much before anybody has compared it with
 * that.  So it is judged first, through a placeholder that has its cost and
 * no memory; the eviction of what it beats is what makes room for it.  Gives
 * the placeholder, or 0 if the candidate is not worth it.
 */
static ArenaRef
admit_large(const StoreKey *key, uint32 cost, CacheSlot *slot, Policy *policy,
			TimestampTz now)
{
	StoreValue	nothing = {0};
	StoreKey	bare = *key;
	ArenaRef	ref;
	ArenaRef	node;
	bool		rejected;

	ref = store_reserve((ENTRY_HEADER + ARENA_UNIT - 1) / ARENA_UNIT, slot, now);
	if (ref == 0)
		return 0;
	arena_pin(&cache_shared->arena, cache_arena, ref, true);
	bare.len = 0;
	entry_fill(ref, &bare, &nothing, cost, false);
	policy_add(policy, cache_arena, ref + NODE_OFFSET);
	while ((node = policy_evict(policy, cache_arena, &rejected)) != 0)
	{
		if (node == ref + NODE_OFFSET)
		{
			arena_pin(&cache_shared->arena, cache_arena, ref, false);
			arena_free(&cache_shared->arena, cache_arena, ref);
			return 0;
		}
		entry_evict(node - NODE_OFFSET, rejected, now);
	}

	/*
	 * It stays pinned, and out of its list while memory is sought, lest it be
	 * evicted for itself; policy_add will put it there again.
	 */
	policy_remove(policy, cache_arena, ref + NODE_OFFSET);
	return ref;
}

/* Link an entry in, in place of older ones of the same key. */
static void
entry_link(ArenaRef ref, const StoreKey *key)
{
	Entry	   *entry = entry_at(ref);
	Bucket	   *bucket = bucket_of(key->hash);
	ArenaRef	old = bucket->head;
	uint32		p = partition_of(key->hash);

	while (old != 0)
	{
		Entry	   *other = entry_at(old);
		ArenaRef	next = other->chain;

		if (other->node.slot == key->slot && entry_has_key(other, key))
		{
			chain_remove(old);
			other->node.flags |= ENTRY_DEAD;
			other->chain = cache_shared->dead[p];
			cache_shared->dead[p] = old;
			pg_atomic_fetch_add_u32(&cache_shared->ndead, 1);
		}
		old = next;
	}

	entry->chain = bucket->head;
	bucket_begin_write(bucket);
	bucket->head = ref;
	bucket_end_write(bucket);
}

static StoreResult
store_put_locked(const StoreKey *key, const StoreValue *value,
				 const StoreLimit *limit, StoreCheck check, void *arg,
				 uint32 units, TimestampTz now)
{
	CacheSlot  *slot = &cache_slots[key->slot];
	ArenaRef	placeholder = 0;
	StoreResult result = STORE_STORED;
	Policy	   *policy;
	uint64		cost;
	ArenaRef	ref;
	ArenaRef	node;
	bool		rejected;

	if (!slot_make_policy(slot, limit, now))
		return entry_reject(key);
	policy = slot->policy ? slot_policy(slot) : cache_pool;
	access_drain();
	store_reap();
	store_sweep(now);
	pool_resize();

	cost = entry_cost(slot, limit, units);
	if (cost > policy_capacity(policy))
		return entry_reject(key);
	if (units > arena_total() / LARGE_FRACTION)
	{
		placeholder = admit_large(key, cost, slot, policy, now);
		if (placeholder == 0)
			return entry_reject(key);
	}
	ref = store_reserve(units, slot, now);
	if (placeholder != 0)
	{
		arena_pin(&cache_shared->arena, cache_arena, placeholder, false);
		arena_free(&cache_shared->arena, cache_arena, placeholder);
	}
	if (ref == 0)
		return entry_reject(key);
	entry_fill(ref, key, value, cost, slot->policy != 0);
	if (slot->policy != 0)
		cache_shared->own_units += arena_units(cache_arena, ref);

	/*
	 * The policy has to know the entry before anybody can unlink it; and it
	 * has to be linked before the policy may let it go.
	 */
	policy_add(policy, cache_arena, ref + NODE_OFFSET);
	store_lock(key->hash, LW_EXCLUSIVE);
	if (!check(arg))
	{
		store_unlock(key->hash);
		policy_remove(policy, cache_arena, ref + NODE_OFFSET);
		entry_free(ref);
		return STORE_REFUSED;
	}
	entry_link(ref, key);
	store_unlock(key->hash);

	/* The older entries of this key must not count against the new one. */
	store_reap();
	while ((node = policy_evict(policy, cache_arena, &rejected)) != 0)
	{
		if (node == ref + NODE_OFFSET)
			result = STORE_REJECTED;
		entry_evict(node - NODE_OFFSET, rejected, now);
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
	Size		bytes;

	bytes = ENTRY_HEADER + (value->expires != 0 ? sizeof(TimestampTz) : 0) +
		key->len + (Size) value->len;
	if (key->len > STORE_MAX_KEY || bytes > store_max_entry())
		return entry_reject(key);

	LWLockAcquire(cache_store_lock, LW_EXCLUSIVE);
	result = store_put_locked(key, value, limit, check, arg,
							  (bytes + ARENA_UNIT - 1) / ARENA_UNIT,
							  GetCurrentStatementStartTimestamp());
	LWLockRelease(cache_store_lock);
	return result;
}

/*
 * Unlink all entries of keys with this hash.  The caller holds its partition
 * lock exclusively.  Gives their number.
 */
uint32
store_unlink(uint64 hash)
{
	uint32		p = partition_of(hash);
	ArenaRef	ref = bucket_of(hash)->head;
	uint32		n = 0;

	while (ref != 0)
	{
		Entry	   *entry = entry_at(ref);
		ArenaRef	next = entry->chain;

		if (entry->node.hash == hash)
		{
			chain_remove(ref);
			entry->node.flags |= ENTRY_DEAD;
			entry->chain = cache_shared->dead[p];
			cache_shared->dead[p] = ref;
			n++;
		}
		ref = next;
	}
	if (n > 0)
		pg_atomic_fetch_add_u32(&cache_shared->ndead, n);
	return n;
}

/*-------------------------------------------------------------------------
 * Looking around
 *-------------------------------------------------------------------------
 */

/*
 * Count the live entries of every slot: usage has SHARED_SLOTS members.
 * Walks the whole index, one partition at a time.
 */
void
store_usage(StoreUsage *usage)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();

	memset(usage, 0, sizeof(StoreUsage) * SHARED_SLOTS);
	for (uint32 p = 0; p < SHARED_PARTITIONS; p++)
	{
		store_lock(p, LW_SHARED);
		for (uint32 b = p; b < cache_shared->nbuckets; b += SHARED_PARTITIONS)
		{
			for (ArenaRef ref = cache_buckets[b].head; ref != 0;
				 ref = entry_at(ref)->chain)
			{
				Entry	   *entry = entry_at(ref);

				if (entry_is_stale(entry, now))
					continue;
				usage[entry->node.slot].entries++;
				usage[entry->node.slot].bytes +=
					(uint64) arena_units(cache_arena, ref) * ARENA_UNIT;
			}
		}
		store_unlock(p);
	}
}
