/*-------------------------------------------------------------------------
 *
 * watchrows.c
 *		How many rows the watches of a cache have seen written.
 *
 * A watch is told by the cache and the name of its trigger, which partitions
 * have from their parents.  The rows of a transaction are counted here, and
 * added to the counts in the cache's slot when it commits; what it has rolled
 * back to savepoints is among them.  A cache with more watches than a slot has
 * counts for has no count for the rest.
 *
 * Locking: the registry lock, to find a slot and a place in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"

#include "base/devel.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/watchrows.h"
#include "segment.h"

/* Watches that one transaction's rows are counted for */
#define COUNTED_WATCHES	32

typedef struct Counted
{
	uint64		cache;
	uint32		watch;
	uint64		rows;			/* of this transaction */
	int			slot;			/* where the cache's slot was last */
} Counted;

static Counted counted[COUNTED_WATCHES];
static int	ncounted = 0;
static uint64 table = 1;		/* which one this is: moves when it is emptied */
static bool dirty = false;		/* some rows have been counted */

/* What a watch is called in a slot; never 0. */
static uint32
watch_number(const char *trigger)
{
	uint32		number = hash_bytes((const unsigned char *) trigger,
									strlen(trigger));

	return number == 0 ? 1 : number;
}

/* The place of a watch in a slot, -1: it has none. */
static int
watch_place(CacheSlot *slot, uint32 watch)
{
	for (int i = 0; i < SLOT_WATCHES; i++)
	{
		if (slot->watches[i] == watch)
			return i;
	}
	return -1;
}

static int
find_place(uint64 cache, const char *trigger)
{
	uint32		watch = watch_number(trigger);

	for (int i = 0; i < ncounted; i++)
	{
		if (counted[i].cache == cache && counted[i].watch == watch)
			return i;
	}
	if (ncounted == COUNTED_WATCHES)
		return -1;
	counted[ncounted].cache = cache;
	counted[ncounted].watch = watch;
	counted[ncounted].rows = 0;
	counted[ncounted].slot = -1;
	return ncounted++;
}

/*
 * A row was written that a watch has to do with.  rows: kept by the caller for
 * this watch, at first all zero.
 */
void
watchrows_count(WatchRows *rows, uint64 cache, const char *trigger)
{
	if (unlikely(rows->table != table))
	{
		rows->table = table;
		rows->place = find_place(cache, trigger);
	}
	dirty = true;
	if (likely(rows->place >= 0))
		counted[rows->place].rows++;
}

/*
 * Add to the rows that a watch has seen, if the cache has a slot.  known: where
 * the caller saw that last, or -1; kept up to date.  Raises no errors.
 */
static void
add_rows(uint64 id, int *known, uint32 watch, uint64 rows)
{
	int			index = *known;
	int			place = -1;

	LWLockAcquire(shared_registry_lock, LW_SHARED);
	if (index < 0 || !slot_is_of(index, MyDatabaseId, id))
		index = slot_find_locked(MyDatabaseId, id);
	*known = index;
	if (index >= 0)
		place = watch_place(&shared_slots[index], watch);
	if (place >= 0)
		pg_atomic_fetch_add_u64(&shared_slots[index].watch_rows[place], rows);
	LWLockRelease(shared_registry_lock);
	if (index < 0 || place >= 0)
		return;

	/* Its first ones */
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	index = slot_find_locked(MyDatabaseId, id);
	if (index >= 0)
	{
		place = watch_place(&shared_slots[index], watch);
		if (place < 0)
			place = watch_place(&shared_slots[index], 0);
		if (place >= 0)
		{
			shared_slots[index].watches[place] = watch;
			pg_atomic_fetch_add_u64(&shared_slots[index].watch_rows[place], rows);
		}
	}
	LWLockRelease(shared_registry_lock);
}

/*
 * The transaction has ended.  Raises no errors.
 */
void
watchrows_end(bool commit)
{
	if (!dirty)
		return;
	for (int i = 0; i < ncounted; i++)
	{
		if (commit && counted[i].rows > 0 && segment_exists())
			add_rows(counted[i].cache, &counted[i].slot,
					 counted[i].watch, counted[i].rows);
		counted[i].rows = 0;
	}
	if (ncounted == COUNTED_WATCHES)
	{
		ncounted = 0;
		table++;
	}
	dirty = false;
}

/*
 * The rows of a watch since the server's start; -1 if they are not counted: the
 * cache's slot has no place for more watches.
 */
int64
watchrows_read(uint64 cache, const char *trigger)
{
	uint32		watch = watch_number(trigger);
	int64		rows = 0;
	int			index;

	LWLockAcquire(shared_registry_lock, LW_SHARED);
	index = slot_find_locked(MyDatabaseId, cache);
	if (index >= 0)
	{
		int			place = watch_place(&shared_slots[index], watch);

		if (place >= 0)
			rows = pg_atomic_read_u64(&shared_slots[index].watch_rows[place]);
		else if (watch_place(&shared_slots[index], 0) < 0)
			rows = -1;
	}
	LWLockRelease(shared_registry_lock);
	return rows;
}
