/*-------------------------------------------------------------------------
 *
 * stats.c
 *		What is counted of each cache.
 *
 * A cache's counters have the number of its slot in the registry, and go with
 * it.  What happens often is counted in the backend first, and added to the
 * shared counters at the end of the transaction; or earlier, if there is much.
 *
 * Locking: none.  What a backend has counted of a slot that changes hands
 * meanwhile is added to the counters of the next cache.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/devel.h"
#include "fence/stats.h"

SlotCounters *shared_counters;

/* Counts of this backend that are not in shared memory yet. */
typedef struct LocalCounts
{
	bool		dirty;			/* among dirty_slots[] */
	uint64		counts[STATS_COUNTERS];
} LocalCounts;

static LocalCounts *local_counts[STATS_SLOTS]; /* made when first needed */
static uint16 dirty_slots[STATS_SLOTS];
static int	ndirty = 0;
static uint32 unflushed = 0;

#define STATS_FLUSH_EVERY	1024

static void
stats_init(void)
{
	for (int i = 0; i < STATS_SLOTS; i++)
	{
		pg_atomic_init_u64(&shared_counters[i].began, 0);
		for (int c = 0; c < STATS_COUNTERS; c++)
			pg_atomic_init_u64(&shared_counters[i].counts[c], 0);
	}
}

const SegmentPart stats_part = {
	.name = "registry",
	.address = (void **) &shared_counters,
	.bytes = STATS_SLOTS * sizeof(SlotCounters),
	.init = stats_init,
};

/*
 * Begin to count anew.  since: 0, if nothing can have been counted before.
 */
void
stats_begin(int slot, TimestampTz since)
{
	SlotCounters *counters = &shared_counters[slot];

	pg_atomic_write_u64(&counters->began, (uint64) since);
	for (int i = 0; i < STATS_COUNTERS; i++)
		pg_atomic_write_u64(&counters->counts[i], 0);
}

/*
 * Count something, in this backend first.
 */
void
stats_count(int slot, StatsCounter counter, uint64 n)
{
	LocalCounts *local;

	if (slot < 0)
		return;
	local = local_counts[slot];
	if (unlikely(local == NULL))
	{
		local = MemoryContextAllocZero(TopMemoryContext, sizeof(LocalCounts));
		local_counts[slot] = local;
	}
	local->counts[counter] += n;
	if (!local->dirty)
	{
		local->dirty = true;
		dirty_slots[ndirty++] = slot;
	}
	if (++unflushed >= STATS_FLUSH_EVERY)
		stats_flush();
}

/*
 * Add this backend's counts to the shared ones.  Called at the end of each
 * transaction; raises no errors.
 */
void
stats_flush(void)
{
	SEGMENT_BATCH(true);
	for (int i = 0; i < ndirty; i++)
	{
		LocalCounts *local = local_counts[dirty_slots[i]];

		for (int c = 0; c < STATS_COUNTERS; c++)
		{
			if (local->counts[c] != 0)
				stats_count_shared(dirty_slots[i], c, local->counts[c]);
		}
		memset(local, 0, sizeof(LocalCounts));
	}
	ndirty = 0;
	unflushed = 0;
	SEGMENT_BATCH(false);
}
