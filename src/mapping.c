/*-------------------------------------------------------------------------
 *
 * mapping.c
 *		Key functions and concurrent changes of what they read.
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
 * Locking: the registry lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/memutils.h"

#include "devel.h"
#include "mapping.h"
#include "shared.h"

/* A transaction that changes more keys of a cache records all of it. */
#define RECORD_MAX	(MAPPING_CHANGES / 8)

/* A cache with key functions that this transaction changes. */
typedef struct MappedCache
{
	uint64		id;
	char	   *told;			/* its name, if others are told of its keys */
	bool		called;			/* a key function */
	uint64		first;			/* changes recorded before that */
	uint64		seen;			/* changes that are pending here as well */
	MappingRunning running;		/* as it was when we published */
} MappedCache;

static MappedCache *mapped = NULL;	/* in the top transaction's context */
static int	nmapped = 0;

/* Hashes that have been collected */
static uint64 *collected = NULL;

/*
 * Prepare the shared part at server start.
 */
void
mapping_init(MappingShared *mapping)
{
	memset(mapping, 0, sizeof(MappingShared));
	pg_atomic_init_u64(&mapping->nchanges, 0);
	fence_init(&mapping->lost, 0);
}

/*
 * The server has started; next is the next xid.  Nothing is known of what was
 * prepared before.  Registry lock.
 */
void
mapping_open(MappingShared *mapping, uint64 next)
{
	mapping->start = next - 1;
	for (int i = 0; i < MAPPING_LISTS; i++)
		mapping->running[i].floor = next - 1;
}

/*-------------------------------------------------------------------------
 * The shared part, under the registry lock
 *-------------------------------------------------------------------------
 */

static MappingRunning *
running_list(uint64 cache)
{
	return &cache_shared->mapping.running[(cache ^ MyDatabaseId) &
										  (MAPPING_LISTS - 1)];
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
		list->floor = Max(list->floor, xid);
}

static void
record_change(uint64 cache, uint64 hash, bool whole, uint64 xid)
{
	MappingShared *mapping = &cache_shared->mapping;
	uint64		at = pg_atomic_read_u64(&mapping->nchanges);
	MappingChange *change = &mapping->changes[at & (MAPPING_CHANGES - 1)];

	if (at >= MAPPING_CHANGES)
	{
		mapping->floor = Max(mapping->floor, change->xid);
		if (TransactionIdIsInProgress((TransactionId) change->xid))
			fence_publish(&mapping->lost,
						  FullTransactionIdFromU64(change->xid));
	}
	change->cache = cache;
	change->hash = hash;
	change->xid = xid;
	change->dbid = MyDatabaseId;
	change->whole = whole;
	pg_atomic_write_u64(&mapping->nchanges, at + 1);
}

/*
 * Collect the changes of a cache by others, from the given count on, that the
 * snapshot does not see (view NULL: all).
 */
static void
collect_changes(uint64 cache, uint64 from, const SnapshotView *view,
				MappingKeys *others)
{
	MappingShared *mapping = &cache_shared->mapping;
	uint64		end = pg_atomic_read_u64(&mapping->nchanges);
	uint64		mine = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());

	others->n = 0;
	others->hashes = collected;
	others->whole = end - from > MAPPING_CHANGES;
	for (uint64 i = from; i < end && !others->whole; i++)
	{
		MappingChange *change = &mapping->changes[i & (MAPPING_CHANGES - 1)];

		if (change->cache != cache || change->dbid != MyDatabaseId ||
			change->xid == mine ||
			(view != NULL && snapshot_sees(view, change->xid)))
			continue;
		others->whole = change->whole;
		collected[others->n++] = change->hash;
	}
}

/* Could the ring have lost changes that the snapshot does not see? */
static bool
is_lost(const SnapshotView *view)
{
	MappingShared *mapping = &cache_shared->mapping;
	uint64		start = mapping->start;
	uint64		floor = Max(mapping->floor, start);
	FenceState	lost;

	if (floor < view->xmin)
		return false;
	fence_read(&mapping->lost, &lost);
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
 * This transaction changes a cache that has key functions.  told: its name, if
 * others are told of its keys, else NULL.
 */
void
mapping_note_write(uint64 cache, const char *told)
{
	if (find_mapped(cache) != NULL)
		return;
	if (collected == NULL)
		collected = MemoryContextAlloc(TopMemoryContext,
									   sizeof(uint64) * MAPPING_CHANGES);
	if (mapped == NULL)
		mapped = MemoryContextAlloc(TopTransactionContext, sizeof(MappedCache));
	else
		mapped = repalloc(mapped, sizeof(MappedCache) * (nmapped + 1));
	memset(&mapped[nmapped], 0, sizeof(MappedCache));
	mapped[nmapped].id = cache;
	if (told != NULL)
		mapped[nmapped].told = MemoryContextStrdup(TopTransactionContext, told);
	nmapped++;
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
	MappingShared *mapping = &cache_shared->mapping;
	SnapshotView view;
	uint64		end;

	Assert(item != NULL);
	no_others(others, item);
	(void) shared_is_ready();
	snapshot_view(&view, snapshot,
				  shared_recent_xid(snapshot->xmax));

	LWLockAcquire(cache_registry_lock, LW_SHARED);
	end = pg_atomic_read_u64(&mapping->nchanges);
	collect_changes(cache, end - Min(end, MAPPING_CHANGES), &view, others);
	others->whole |= is_lost(&view);
	LWLockRelease(cache_registry_lock);
	if (!item->called)
	{
		item->called = true;
		item->first = item->seen = end;
	}
}

/*
 * Gives the keys that others have recorded since we have last looked, if a
 * key function has been called.
 */
void
mapping_catch_up(uint64 cache, MappingKeys *others)
{
	MappedCache *item = find_mapped(cache);
	uint64		end;

	no_others(others, item);
	if (item == NULL || !item->called || GUARD_REMOVED("mapping"))
		return;
	end = pg_atomic_read_u64(&cache_shared->mapping.nchanges);
	pg_read_barrier();
	if (end == item->seen)
		return;
	LWLockAcquire(cache_registry_lock, LW_SHARED);
	end = pg_atomic_read_u64(&cache_shared->mapping.nchanges);
	collect_changes(cache, item->seen, NULL, others);
	LWLockRelease(cache_registry_lock);
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
	MappingRunning *list = running_list(cache);
	uint64		me = U64FromFullTransactionId(xid);

	no_others(others, item);

	/* Without an id it has changed no row. */
	if (item == NULL || !FullTransactionIdIsValid(xid) ||
		GUARD_REMOVED("mapping"))
		return;

	LWLockAcquire(cache_registry_lock, LW_EXCLUSIVE);
	running_trim(list);
	item->running = *list;
	if (item->called)
	{
		collect_changes(cache, item->seen, NULL, others);
		running_add(list, me);
	}
	if (whole || n > RECORD_MAX)
		record_change(cache, 0, true, me);
	else
	{
		for (int i = 0; i < n; i++)
			record_change(cache, hashes[i], false, me);
	}
	item->seen = pg_atomic_read_u64(&cache_shared->mapping.nchanges);
	LWLockRelease(cache_registry_lock);
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
		mapped[i].seen = mapped[i].first;
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
