/*-------------------------------------------------------------------------
 *
 * mapping.c
 *		Key functions and concurrent changes of what they read.
 *
 * What they are is below, after what they read.
 *
 * The key function of a watch reads other tables to find the keys that a row
 * affects: for an order line, its order's customer.  It sees them as they are
 * under the writer's snapshot; they may be changed meanwhile.  Let L change a
 * line, and M, which L does not see, move the order from one customer to
 * another.  Both belong to the new customer's value, but L knows the old one
 * only, and M knows nothing of the line.
 *
 * All tables that key functions read are watched for the cache as well
 * (keyfunction.c sees to that), so M has the keys of both customers pending.  It
 * remains to bring these and L together, whichever of them publishes first:
 *
 *	- Whoever publishes keys of such a cache records them in a ring.  L takes
 *	  from it, as keys of its own, all that transactions have recorded which
 *	  its function did not see: those in the ring that the function's snapshot
 *	  does not see, and what has been recorded since.
 *	- L's id is in a list, from when it publishes until it is no longer
 *	  running.  M puts the ids in the list into its keys' fences, beside its
 *	  own.
 *
 * Each does both in one critical section, so the second of them finds the
 * first.  What L takes from the ring becomes pending before L reads the cache
 * again: M may have committed, and then L's snapshots see both.
 *
 * This is exact if each watch is: if the keys that a row stands for (its
 * columns, or the function's result) cover all values which it can change,
 * whatever rows there are behind it, on the side away from the key.
 *
 * What the ring has lost is known by a floor.  A snapshot may miss something
 * above its xmax that was lost, or something that was running when it was
 * taken and has ended since; in both cases the whole cache is pending.  What
 * was still running when it was lost, prepared transactions above all, is
 * remembered one by one.
 *
 * Key functions are replaced as well, and so are the functions by which types
 * of users are hashed.  Nothing makes that wait for a writer L whose keys were
 * told by the old ones; and what is loaded after the commit of the DDL D has
 * the keys that the new ones tell.  So
 *
 *	- L counts the publications of DDL, before it tells its first key, with
 *	  catalog caches that know of all of them (catalogs_settle).  If the count
 *	  has moved when L reads the cache or publishes, all of the cache is
 *	  pending instead of keys.
 *	- L's id is in the list above.  D puts those in the list into the fences of
 *	  the caches that it invalidates, beside its own.
 *
 * Again each does both in one critical section.  If L is the first, its keys
 * are of no use, but nobody stores anything in the cache who does not see L,
 * or uses what somebody who does has stored.  D is also in the ring, as a
 * change of all caches: it may have written rows that it could not tell the
 * keys of.
 *
 * Keys that columns hold of types whose hash functions nobody can replace are
 * exempt from this (KeyHash.fixed), and those are nearly all.
 *
 * Locking: the registry lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/memutils.h"

#include "base/devel.h"
#include "fence/mapping.h"
#include "fence/ready.h"
#include "fence/recentxid.h"
#include "fence/witness.h"

/* A transaction that changes more keys of a cache records all of it. */
#define RECORD_MAX	(MAPPING_CHANGES / 8)

/* A cache that this transaction changes, whose keys are told by others' code. */
typedef struct MappedCache
{
	uint64		id;
	char	   *told;			/* its name, if others are told of its keys */
	bool		moves;			/* it has key functions, which are to hear of it */
	bool		called;			/* one of them, by us */
	uint64		first;			/* changes recorded before that */
	uint64		seen;			/* changes that are pending here as well */
	bool		depends;		/* keys were told by what DDL can replace */
	uint64		first_replaced; /* DDL before that */
	uint64		replaced;		/* DDL after which all is pending anyway */
	MappingRunning running;		/* as it was when we published */
} MappedCache;

SharedMapping *shared_mapping;

static MappedCache *mapped = NULL;	/* in the top transaction's context */
static int	nmapped = 0;

/* Hashes that have been collected */
static uint64 *collected = NULL;

static void
mapping_init(void)
{
	memset(shared_mapping, 0, sizeof(SharedMapping));
	pg_atomic_init_u64(&shared_mapping->nchanges, 0);
	fence_init(&shared_mapping->lost, 0);
	for (int i = 0; i < MAPPING_LISTS; i++)
		pg_atomic_init_u64(&shared_mapping->replaced[i], 0);
}

const SegmentPart mapping_part = {
	.name = "header",
	.address = (void **) &shared_mapping,
	.bytes = sizeof(SharedMapping),
	.init = mapping_init,
};

/*
 * The server has started; next is the next xid.  restored: the lists are as they
 * were when it was shut down; otherwise nothing is known of what was prepared
 * before.  Registry lock.
 */
void
mapping_begin(uint64 next, bool restored)
{
	shared_mapping->start = next - 1;
	for (int i = 0; i < MAPPING_LISTS && !restored; i++)
	{
		shared_mapping->running[i].n = 0;
		shared_mapping->running[i].floor.lowest = 0;
		shared_mapping->running[i].floor.highest = next - 1;
	}
}

/*-------------------------------------------------------------------------
 * The shared part, under the registry lock
 *-------------------------------------------------------------------------
 */

static MappingRunning *
running_list(Oid dbid, uint64 cache)
{
	return &shared_mapping->running[(cache ^ dbid) & (MAPPING_LISTS - 1)];
}

static pg_atomic_uint64 *
replaced_count(Oid dbid)
{
	return &shared_mapping->replaced[dbid & (MAPPING_LISTS - 1)];
}

/* Drop those that have ended: whoever sees what is to be published sees them. */
static void
running_trim(MappingRunning *list)
{
	uint32		n = 0;

	for (uint32 i = 0; i < list->n; i++)
	{
		if (TransactionIdIsInProgress((TransactionId) list->xids[i]))
			list->xids[n++] = list->xids[i];
	}
	list->n = n;
	if (witness_last()->xid != 0)
		floor_rise(&list->floor, witness_last());
}

static void
running_add(MappingRunning *list, uint64 xid)
{
	for (uint32 i = 0; i < list->n; i++)
	{
		if (list->xids[i] == xid)
			return;
	}
	if (list->n < MAPPING_RUNNING)
		list->xids[list->n++] = xid;
	else
		floor_fold(&list->floor, xid);
}

static void
record_change(Oid dbid, uint64 cache, uint64 hash, bool whole, uint64 xid)
{
	uint64		at = pg_atomic_read_u64(&shared_mapping->nchanges);
	MappingChange *change = &shared_mapping->changes[at & (MAPPING_CHANGES - 1)];

	if (at >= MAPPING_CHANGES)
	{
		shared_mapping->floor = Max(shared_mapping->floor, change->xid);
		if (TransactionIdIsInProgress((TransactionId) change->xid))
			fence_publish(&shared_mapping->lost,
						  FullTransactionIdFromU64(change->xid), NULL);
	}
	change->cache = cache;
	change->hash = hash;
	change->xid = xid;
	change->dbid = dbid;
	change->whole = whole;
	pg_atomic_write_u64(&shared_mapping->nchanges, at + 1);
}

/*
 * Collect the changes of a cache by others, from the given count on, that the
 * snapshot does not see (view NULL: all).
 */
static void
collect_changes(uint64 cache, uint64 from, const SnapshotView *view,
				MappingKeys *others)
{
	uint64		end = pg_atomic_read_u64(&shared_mapping->nchanges);
	uint64		mine = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());

	others->n = 0;
	others->hashes = collected;
	others->whole = end - from > MAPPING_CHANGES;
	for (uint64 i = from; i < end && !others->whole; i++)
	{
		MappingChange *change = &shared_mapping->changes[i & (MAPPING_CHANGES - 1)];

		if ((change->cache != cache && change->cache != 0) ||
			(change->dbid != MyDatabaseId && OidIsValid(change->dbid)) ||
			change->xid == mine ||
			(view != NULL && snapshot_sees(view, change->xid)))
			continue;
		others->whole = change->whole;
		collected[others->n++] = change->hash;
	}
}

static void
count_replacement(pg_atomic_uint64 *count)
{
	pg_atomic_write_u64(count, pg_atomic_read_u64(count) + 1);
}

/*
 * DDL is published, in one database or (InvalidOid) in all: record that it may
 * have changed anything.
 */
void
mapping_replace(Oid dbid, FullTransactionId xid)
{
	if (FullTransactionIdIsValid(xid) && !GUARD_REMOVED("mapping") &&
		!GUARD_REMOVED("replaced_before"))
		record_change(dbid, 0, 0, true, U64FromFullTransactionId(xid));
	if (OidIsValid(dbid))
		count_replacement(replaced_count(dbid));
	else
	{
		for (int i = 0; i < MAPPING_LISTS; i++)
			count_replacement(&shared_mapping->replaced[i]);
	}
}

static void
fence_add_running(Fence *fence, MappingRunning *list)
{
	running_trim(list);
	if (list->n > 0 || !floor_is_empty(&list->floor))
		fence_add(fence, list->xids, list->n, &list->floor, witness_last());
}

/*
 * DDL is published in the fence of a cache, or (0) in one from which caches of
 * the database inherit: let it remember those who have published keys as they
 * were told before.
 */
void
mapping_fence_running(Fence *fence, Oid dbid, uint64 cache)
{
	if (GUARD_REMOVED("replaced_after"))
		return;
	if (cache != 0)
		fence_add_running(fence, running_list(dbid, cache));
	else
	{
		for (int i = 0; i < MAPPING_LISTS; i++)
			fence_add_running(fence, &shared_mapping->running[i]);
	}
}

/*
 * All that mapping_fence_running() may give fences, for others to give theirs.  Takes
 * the registry lock.
 */
void
mapping_all_running(MappingRunning *all)
{
	all->n = 0;
	all->floor.lowest = 1;
	all->floor.highest = 0;
	if (GUARD_REMOVED("replaced_after"))
		return;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAPPING_LISTS; i++)
	{
		MappingRunning *list = &shared_mapping->running[i];

		running_trim(list);
		for (uint32 j = 0; j < list->n; j++)
			running_add(all, list->xids[j]);
		if (!floor_is_empty(&list->floor))
		{
			floor_fold(&all->floor, list->floor.lowest);
			floor_fold(&all->floor, list->floor.highest);
		}
	}
	LWLockRelease(shared_registry_lock);
}

/* Could the ring have lost changes that the snapshot does not see? */
static bool
is_lost(const SnapshotView *view)
{
	uint64		start = shared_mapping->start;
	uint64		floor = Max(shared_mapping->floor, start);
	FenceState	lost;

	if (floor < view->xmin)
		return false;
	fence_read(&shared_mapping->lost, &lost);
	if (floor >= view->xmax || !fence_is_clear(&lost, view))
		return true;
	for (uint32 i = 0; i < view->snapshot->xcnt; i++)
	{
		TransactionId running = view->snapshot->xip[i];
		uint64		xid = snapshot_widen(view, running);

		if (xid <= start ||
			(xid <= floor && !TransactionIdIsInProgress(running)))
			return true;
	}
	return false;
}

/*-------------------------------------------------------------------------
 * The transaction's part
 *-------------------------------------------------------------------------
 */

/*
 * Has this transaction changed any cache with key functions?
 */
bool
mapping_is_active(void)
{
	return nmapped > 0;
}

/*
 * How many, and which?
 */
int
mapping_count(void)
{
	return nmapped;
}

uint64
mapping_cache(int i)
{
	return mapped[i].id;
}

static MappedCache *
find_mapped(uint64 cache)
{
	for (int i = 0; i < nmapped; i++)
	{
		if (mapped[i].id == cache)
			return &mapped[i];
	}
	return NULL;
}

/* Nothing, so far. */
static void
no_others(MappingKeys *others, const MappedCache *item)
{
	others->n = 0;
	others->whole = false;
	others->told = item != NULL ? item->told : NULL;
}

/*
 * This transaction changes a cache that has key functions (moves), or keys with
 * hash functions that DDL can replace.  told: its name, if others are told of
 * its keys, else NULL.
 */
void
mapping_note_write(uint64 cache, const char *told, bool moves)
{
	MappedCache *item = find_mapped(cache);

	if (item != NULL)
	{
		item->moves |= moves;
		return;
	}
	if (collected == NULL)
		collected = MemoryContextAlloc(TopMemoryContext,
									   sizeof(uint64) * MAPPING_CHANGES);
	if (mapped == NULL)
		mapped = MemoryContextAlloc(TopTransactionContext, sizeof(MappedCache));
	else
		mapped = repalloc(mapped, sizeof(MappedCache) * (nmapped + 1));
	memset(&mapped[nmapped], 0, sizeof(MappedCache));
	mapped[nmapped].id = cache;
	mapped[nmapped].moves = moves;
	if (told != NULL)
		mapped[nmapped].told = MemoryContextStrdup(TopTransactionContext, told);
	nmapped++;
}

/*
 * How much DDL there has been in this database.
 */
uint64
mapping_replaced(void)
{
	return pg_atomic_read_u64(replaced_count(MyDatabaseId));
}

/*
 * Keys of the cache are about to be told by what DDL can replace, and has so
 * many times; MAPPING_UNKNOWN: not all of that may be known here.  After
 * mapping_note_write.
 */
void
mapping_note_told(uint64 cache, uint64 replaced)
{
	MappedCache *item = find_mapped(cache);

	Assert(item != NULL);
	if (item->depends)
		return;
	item->depends = true;
	item->first_replaced = item->replaced = replaced;
}

/* Would its keys be told otherwise by now? */
static bool
is_replaced(const MappedCache *item)
{
	return item->depends && item->replaced != mapping_replaced() &&
		!GUARD_REMOVED("replaced_before");
}

/*
 * A key function of the cache is about to be called under this snapshot, after
 * mapping_note_write.  Gives the keys that others have changed without the
 * snapshot's seeing it.
 */
void
mapping_note_call(uint64 cache, Snapshot snapshot, MappingKeys *others)
{
	MappedCache *item = find_mapped(cache);
	SnapshotView view;
	uint64		end;

	Assert(item != NULL);
	no_others(others, item);
	(void) ready_for_use();
	snapshot_view(&view, snapshot,
				  recent_xid(snapshot->xmax));

	LWLockAcquire(shared_registry_lock, LW_SHARED);
	end = pg_atomic_read_u64(&shared_mapping->nchanges);
	collect_changes(cache, end - Min(end, MAPPING_CHANGES), &view, others);
	others->whole |= is_lost(&view);
	LWLockRelease(shared_registry_lock);
	if (!item->called)
	{
		item->called = true;
		item->first = item->seen = end;
	}
}

/*
 * Gives the keys that others have recorded since we have last looked, if a
 * key function has been called; all, if it may have been another one.
 */
void
mapping_catch_up(uint64 cache, MappingKeys *others)
{
	MappedCache *item = find_mapped(cache);
	uint64		end;
	bool		whole;

	no_others(others, item);
	if (item == NULL)
		return;
	if (is_replaced(item))
	{
		others->whole = true;
		item->replaced = mapping_replaced();
	}
	if (!item->called || GUARD_REMOVED("mapping"))
		return;
	end = pg_atomic_read_u64(&shared_mapping->nchanges);
	pg_read_barrier();
	if (end == item->seen)
		return;
	LWLockAcquire(shared_registry_lock, LW_SHARED);
	end = pg_atomic_read_u64(&shared_mapping->nchanges);
	whole = others->whole;
	collect_changes(cache, item->seen, NULL, others);
	others->whole |= whole;
	LWLockRelease(shared_registry_lock);
	item->seen = end;
}

/*
 * Before the transaction's keys of a cache are published: record them, enter
 * the transaction in the list, and give the keys that others have recorded.
 */
void
mapping_publish(uint64 cache, FullTransactionId xid, const uint64 *hashes,
				int n, bool whole, MappingKeys *others)
{
	MappedCache *item = find_mapped(cache);
	MappingRunning *list = running_list(MyDatabaseId, cache);
	uint64		me = U64FromFullTransactionId(xid);
	bool		replaced;

	no_others(others, item);

	/* Without an id it has changed no row. */
	if (item == NULL || !FullTransactionIdIsValid(xid) ||
		GUARD_REMOVED("mapping"))
		return;

	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	running_trim(list);
	item->running = *list;
	if (item->called)
		collect_changes(cache, item->seen, NULL, others);
	if (item->called || item->depends)
		running_add(list, me);
	replaced = is_replaced(item);
	others->whole |= replaced;
	if (item->moves && (whole || replaced || n > RECORD_MAX))
		record_change(MyDatabaseId, cache, 0, true, me);
	else if (item->moves)
	{
		for (int i = 0; i < n; i++)
			record_change(MyDatabaseId, cache, hashes[i], false, me);
	}
	item->seen = pg_atomic_read_u64(&shared_mapping->nchanges);
	LWLockRelease(shared_registry_lock);
}

/*
 * The transactions that were in the list when we published, NULL if there is
 * no need to know.
 */
const MappingRunning *
mapping_running(uint64 cache)
{
	MappedCache *item = nmapped > 0 ? find_mapped(cache) : NULL;

	return item != NULL ? &item->running : NULL;
}

/*
 * A subtransaction has aborted, and with it what it had taken from the ring;
 * but perhaps not the calls for which it was taken.
 */
void
mapping_subabort(void)
{
	for (int i = 0; i < nmapped; i++)
	{
		mapped[i].seen = mapped[i].first;
		mapped[i].replaced = mapped[i].first_replaced;
	}
}

/*
 * The transaction has ended.
 */
void
mapping_reset(void)
{
	mapped = NULL;
	nmapped = 0;
}
