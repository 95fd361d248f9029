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
 * Locking: the registry lock, to find a slot; a count is found under it, too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"

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
			slot_count_rows(MyDatabaseId, counted[i].cache, &counted[i].slot,
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
 * The rows of a watch since the server's start; -1 if they are not counted.
 */
int64
watchrows_read(uint64 cache, const char *trigger)
{
	return slot_read_rows(MyDatabaseId, cache, watch_number(trigger));
}
