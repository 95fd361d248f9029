/*-------------------------------------------------------------------------
 *
 * evict.c
 *		Memory for entries, and which entries have to go.
 *
 * Blocks of the arena are given away, freed and moved under the store lock
 * alone, and an entry is unlinked before its block is freed; so under the
 * store lock a reference found in a chain stays a reference to an entry, even
 * if somebody unlinks it at the same time.
 *
 * Caches that have a max_cost have an eviction policy each; the others share
 * the pool's.  Accesses are reported to the policies in batches: a backend
 * remembers the last few, and hands them over when it gets the store lock
 * without waiting, or has it anyway (as in Caffeine).  What does not fit is
 * lost, which costs the policy a little accuracy and nothing else.
 *
 * Locking: all functions but evict_note expect the store lock; they take
 * partition locks, one at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "base/devel.h"
#include "base/prefetch.h"
#include "fence/keyfence.h"
#include "fence/registry.h"
#include "fence/stats.h"
#include "store/entry.h"
#include "store/evict.h"
#include "store/index.h"

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

/* Blocks that are swept each time: usually, and when many entries have died. */
#define SWEEP_IDLE			2
#define SWEEP_STEPS			64

/* Entries of a chain that are looked at for one that was used. */
#define HEAR_STEPS			64

/*
 * Parts of the arena: what is left free, so that compaction need not move more
 * than this many times what is wanted; what one entry may have; and what the
 * policies of caches with a max_cost may have together, each half of the rest.
 */
#define ARENA_SLACK			64
#define ARENA_ENTRY			4
#define ARENA_POLICIES		8

/* What an entry is taken to cost, and how many entries a policy is for at least. */
#define EXPECTED_COST		512
#define EXPECTED_ENTRIES	16

/* The policy of a cache that has its own. */
Policy *
evict_slot_policy(CacheSlot *slot)
{
	return (Policy *) (shared_arena + (Size) slot->policy * ARENA_UNIT + ARENA_UNIT);
}

static Policy *
entry_policy(const Entry *entry)
{
	if (entry->node.flags & ENTRY_OWN)
		return evict_slot_policy(&shared_slots[entry->node.slot]);
	return shared_policy;
}

static Policy *
access_policy(const Access *access)
{
	CacheSlot  *slot = &shared_slots[access->slot];

	return slot->policy ? evict_slot_policy(slot) : shared_policy;
}

/* Tell the policies of one access. */
static void
hear_access(const Access *access)
{
	ArenaRef	ref = access->ref != 0 ? *chain_of(access->hash) : 0;
	ArenaRef	found = 0;

	/*
	 * Others may unlink entries from the chain meanwhile, and put them into a
	 * list of the dead; so the walk is bounded.
	 */
	for (int steps = 0; ref != 0 && steps < HEAR_STEPS; steps++)
	{
		Entry	   *entry = entry_at(ref);

		if (entry->node.hash == (uint32) access->hash &&
			!(entry->node.flags & ENTRY_DEAD))
		{
			found = ref;
			if (ref == access->ref)
				break;
		}
		ref = entry->chain;
	}
	if (found != 0)
		policy_touch(entry_policy(entry_at(found)), shared_arena,
					 found + NODE_OFFSET);
	else
		policy_miss(access_policy(access), access->hash);
}

/*
 * Tell the policies of this backend's accesses.  Store lock.
 *
 * With keys at random each access touches half a dozen cache lines that are
 * in no processor's cache; asking for all of them first lets the waits overlap.
 */
void
evict_hear(void)
{
	for (int i = 0; i < naccesses; i++)
	{
		Access	   *access = &accesses[i];

		policy_prefetch(access_policy(access), access->hash);
		if (access->ref != 0)
		{
			CACHE_PREFETCH_READ(bucket_of(access->hash));
			CACHE_PREFETCH_WRITE(entry_at(access->ref));
		}
	}
	for (int i = 0; i < naccesses; i++)
		hear_access(&accesses[i]);
	naccesses = 0;
}

/*
 * Let readers know whether this policy, of a cache or of the pool, wants to be
 * told of accesses.  Store lock.
 */
void
evict_set_listens(CacheSlot *slot, const Policy *policy)
{
	bool	   *listens = slot->policy != 0 ? &slot->listens :
		&shared_store->pool_listens;

	/* Every hit reads these: they are not written without need. */
	if (*listens != policy_listens(policy))
		*listens = !*listens;
}

/*
 * Remember an access, and tell the policies when there are enough.  Those that
 * do not listen yet are spared; reading this without a lock may lose a few.
 */
void
evict_note(uint64 hash, ArenaRef ref, uint16 slot)
{
	CacheSlot  *of = &shared_slots[slot];

	if (!(of->policy != 0 ? of->listens : shared_store->pool_listens))
		return;
	if (naccesses >= ACCESS_BUFFER)
	{
		SEGMENT_BATCH(true);
		if (LWLockConditionalAcquire(shared_store_lock, LW_EXCLUSIVE))
		{
			evict_hear();
			LWLockRelease(shared_store_lock);
		}
		else
			naccesses = 0;
		SEGMENT_BATCH(false);
	}
	accesses[naccesses].hash = hash;
	accesses[naccesses].ref = ref;
	accesses[naccesses].slot = slot;
	naccesses++;
}

/*-------------------------------------------------------------------------
 * Freeing.  All of this runs under the store lock.
 *-------------------------------------------------------------------------
 */

/* Add an entry to, or take it from, what the entries occupy. */
static void
entry_count(const Entry *entry, uint32 units, int sign)
{
	EntryTotals *totals = &shared_store->entries;

	totals->units += sign * (int64) units;
	totals->keys += sign * (int64) entry->keylen;
	totals->values += sign * (int64) entry_vallen(entry);
	totals->unused += sign * (int64) entry_unused(entry);
	if (entry->node.flags & ENTRY_OWN)
		shared_store->own_units += sign * (int64) units;
}

/* A block of evict_reserve has become an entry. */
void
evict_made(ArenaRef ref)
{
	entry_count(entry_at(ref), arena_units(shared_arena, ref), 1);
}

/* Free an entry that neither the index nor a policy knows any more. */
void
evict_free(ArenaRef ref)
{
	entry_count(entry_at(ref), arena_units(shared_arena, ref), -1);
	arena_free(&shared_store->arena, shared_arena, ref);
}

/* Free the dead.  False if there were none. */
bool
evict_reap(void)
{
	if (pg_atomic_read_u32(&shared_store->ndead) == 0 ||
		pg_atomic_exchange_u32(&shared_store->ndead, 0) == 0)
		return false;

	for (uint32 p = 0; p < KEY_PARTITIONS; p++)
	{
		ArenaRef	ref;

		if (shared_store->dead[p] == 0)
			continue;
		LWLockAcquire(&shared_key_locks[p].lock, LW_EXCLUSIVE);
		ref = shared_store->dead[p];
		shared_store->dead[p] = 0;
		LWLockRelease(&shared_key_locks[p].lock);

		while (ref != 0)
		{
			Entry	   *entry = entry_at(ref);
			ArenaRef	next = entry->chain;

			if (entry->node.segment != POLICY_NONE)
				policy_remove(entry_policy(entry), shared_arena,
							  ref + NODE_OFFSET);
			evict_free(ref);
			ref = next;
		}
	}
	return true;
}

/*
 * Drop an entry that its policy has let go.  If somebody has just unlinked
 * it, it is in a list of the dead, and freed from there.
 */
static void
entry_drop(ArenaRef ref)
{
	if (index_remove(ref))
		evict_free(ref);
	else
		evict_reap();
}

/* Drop what a policy has decided on, and count it. */
void
evict_entry(ArenaRef ref, bool rejected, TimestampTz now)
{
	Entry	   *entry = entry_at(ref);

	if (!entry_is_stale(entry, now))
		stats_count(entry->node.slot,
					rejected ? STATS_REJECTED : STATS_EVICTIONS, 1);
	entry_drop(ref);
}

/* Give a cache's own policy and all that it holds up. */
static void
slot_drop_policy(CacheSlot *slot, TimestampTz now)
{
	ArenaRef	node;

	while ((node = policy_evict_any(evict_slot_policy(slot), shared_arena)) != 0)
		evict_entry(node - NODE_OFFSET, false, now);
	shared_store->policy_units -= arena_units(shared_arena, slot->policy);
	arena_pin(&shared_store->arena, shared_arena, slot->policy, false);
	arena_free(&shared_store->arena, shared_arena, slot->policy);
	slot->policy = 0;
	slot->listens = false;
}

/*
 * Look at a few blocks for entries that nobody can use any more.  Gives up the
 * policies of caches that have been dropped; callers hold none.
 */
void
evict_sweep(TimestampTz now)
{
	Arena	   *arena = &shared_store->arena;
	int			steps = SWEEP_IDLE;

	if (pg_atomic_read_u32(&shared_registry->sweep_wanted) != 0 &&
		pg_atomic_exchange_u32(&shared_registry->sweep_wanted, 0) != 0)
	{
		shared_store->sweep_left = arena->used_blocks * 2 + SWEEP_STEPS;

		/* Caches that have been dropped need no policies. */
		for (uint32 i = 0; i < shared_registry->nslots; i++)
		{
			if (!shared_slots[i].used && shared_slots[i].policy != 0)
				slot_drop_policy(&shared_slots[i], now);
		}
	}
	if (shared_store->sweep_left > 0)
	{
		steps = SWEEP_STEPS;
		shared_store->sweep_left -= Min(shared_store->sweep_left, SWEEP_STEPS);
	}

	while (steps-- > 0)
	{
		ArenaRef	ref = arena_step(arena, shared_arena, ARENA_SWEEP_HAND);
		Entry	   *entry;

		if (ref == 0)
			continue;
		entry = entry_at(ref);
		if (!entry_is_stale(entry, now) || entry->node.segment == POLICY_NONE)
			continue;
		if (entry_generation(entry) == shared_slots[entry->node.slot].fence.changes &&
			entry_has_expired(entry, now))
			stats_count(entry->node.slot, STATS_EXPIRATIONS, 1);
		policy_remove(entry_policy(entry), shared_arena, ref + NODE_OFFSET);
		entry_drop(ref);
	}
}

/*
 * Move an entry's block down, for arena_compact.
 */
static bool
entry_move(ArenaRef from, ArenaRef to)
{
	if (!index_move(from, to))
	{
		evict_reap();
		return false;
	}
	policy_moved(entry_policy(entry_at(to)), shared_arena,
				 from + NODE_OFFSET, to + NODE_OFFSET);
	return true;
}

/*-------------------------------------------------------------------------
 * Making room.  All of this runs under the store lock.
 *-------------------------------------------------------------------------
 */

/*
 * Units of the whole arena.
 */
uint32
evict_arena_total(void)
{
	return shared_store->arena.end - shared_store->arena.first;
}

/*
 * Units of it that are left free.
 */
uint32
evict_arena_slack(void)
{
	return evict_arena_total() / ARENA_SLACK;
}

/*
 * Evict one entry for its memory.  The caches that have a max_cost of their
 * own and the pool that the others share each have a claim to half of it.
 */
static bool
evict_for_memory(CacheSlot *wanting, TimestampTz now)
{
	ArenaRef	node = 0;

	if (shared_store->own_units > policy_cost(shared_policy))
	{
		CacheSlot  *largest = NULL;

		if (wanting != NULL && wanting->policy != 0)
			largest = wanting;
		for (uint32 i = 0; i < shared_registry->nslots; i++)
		{
			CacheSlot  *slot = &shared_slots[i];

			if (slot->policy != 0 &&
				(largest == NULL || policy_count(evict_slot_policy(slot)) >
				 policy_count(evict_slot_policy(largest))))
				largest = slot;
		}
		if (largest != NULL)
			node = policy_evict_any(evict_slot_policy(largest), shared_arena);
	}
	if (node == 0)
		node = policy_evict_any(shared_policy, shared_arena);
	for (uint32 i = 0; node == 0 && i < shared_registry->nslots; i++)
	{
		if (shared_slots[i].policy != 0)
			node = policy_evict_any(evict_slot_policy(&shared_slots[i]), shared_arena);
	}
	if (node == 0)
		return false;
	evict_entry(node - NODE_OFFSET, false, now);
	return true;
}

/*
 * Find a block, evicting and compacting as far as it takes.  Compaction
 * starts when a 64th of the arena is free: it then moves at most about 64
 * times what is wanted.
 */
ArenaRef
evict_reserve(uint32 units, CacheSlot *wanting, TimestampTz now)
{
	Arena	   *arena = &shared_store->arena;
	uint32		slack = evict_arena_slack();

	if (units > evict_arena_total() / ARENA_ENTRY)
		return 0;
	for (;;)
	{
		ArenaRef	ref = arena_alloc(arena, shared_arena, units);

		if (ref != 0)
			return ref;
		if (evict_reap())
			continue;
		if (arena->free_units >= (uint64) units + slack)
		{
			ref = arena_compact(arena, shared_arena, units, entry_move);
			if (ref != 0)
				return ref;
		}
		if (!evict_for_memory(wanting, now))
			return 0;
	}
}

/*
 * Make the policy of a cache with a max_cost, and see that it is the one for
 * this limit.  All of them together may have an eighth of the arena, and each
 * half of what is left of that; false if that is not enough.
 */
bool
evict_make_policy(CacheSlot *slot, const StoreLimit *limit, TimestampTz now)
{
	uint64		expected;
	uint64		left;
	uint32		units;
	ArenaRef	ref;

	if (slot->policy != 0 &&
		(slot->policy_max_cost != limit->max_cost ||
		 slot->policy_entry_cost != limit->entry_cost))
		slot_drop_policy(slot, now);
	if (limit->max_cost == 0 || slot->policy != 0)
		return true;

	expected = limit->max_cost / (limit->entry_cost ? limit->entry_cost : EXPECTED_COST);
	expected = Min(Max(expected, EXPECTED_ENTRIES), store_pool_entries);
	left = evict_arena_total() / ARENA_POLICIES;
	left -= Min(left, shared_store->policy_units);
	for (;;)
	{
		units = policy_size(store_policy_aim, expected) / ARENA_UNIT + 2;
		if (units <= left / 2)
			break;
		if (expected <= EXPECTED_ENTRIES)
			return false;
		expected /= 2;
	}
	ref = evict_reserve(units, NULL, now);
	if (ref == 0)
		return false;
	shared_store->policy_units += arena_units(shared_arena, ref);
	arena_pin(&shared_store->arena, shared_arena, ref, true);
	slot->policy_shift = 0;
	while (limit->max_cost >> slot->policy_shift >= POLICY_MAX_COST)
		slot->policy_shift++;
	slot->policy_max_cost = limit->max_cost;
	slot->policy_entry_cost = limit->entry_cost;
	slot->policy = ref;
	policy_init(evict_slot_policy(slot), store_policy_aim,
				limit->max_cost >> slot->policy_shift, expected);
	return true;
}

/* The pool may have what the other policies leave, at least half. */
void
evict_resize_pool(void)
{
	uint64		total = evict_arena_total() - evict_arena_slack() -
		shared_store->policy_units;

	policy_set_capacity(shared_policy,
						Max(total - Min(total, shared_store->own_units),
							total / 2));
}

