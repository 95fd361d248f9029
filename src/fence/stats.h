/*-------------------------------------------------------------------------
 *
 * stats.h
 *		What is counted of each cache.
 *
 * See stats.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_STATS_H
#define CACHE_STATS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"

#include "segment.h"

#define STATS_SLOTS		1024	/* those of the registry */

/* Why a load has neither used nor filled the cache; named in statsview.c. */
typedef enum BypassReason
{
	BYPASS_DISABLED,			/* cache.enabled is off */
	BYPASS_SERIALIZABLE,		/* a hit would hide the read */
	BYPASS_OWN_CHANGES,			/* of the transaction itself, DDL among them */
	BYPASS_CONCURRENT_CHANGES,	/* that its snapshot does not see */
	BYPASS_DDL,					/* it is being published, or just was */
	BYPASS_TEMPORARY,			/* temporary objects of this session */
	BYPASS_WORKER,				/* does not know what it may see */
	BYPASS_COLLATION,			/* keys are equal by it that are not the same */
	BYPASS_RESULT,				/* what was loaded may not be stored */
	BYPASS_STANDBY,				/* which does not know what is invalidated */
	BYPASS_REASONS
} BypassReason;

/* Counters, and sums. */
typedef enum StatsCounter
{
	STATS_HITS,
	STATS_REDIS_HITS,
	STATS_WAITS,
	STATS_MISSES,
	STATS_LOADS,
	STATS_FAILED_LOADS,
	STATS_LOAD_TIME,			/* nanoseconds */
	STATS_REJECTED,
	STATS_EVICTIONS,
	STATS_EXPIRATIONS,
	STATS_INVALIDATIONS,
	STATS_FLUSHES,
	STATS_BYPASSES,				/* the first of so many, see stats_bypass */
	STATS_COUNTERS = STATS_BYPASSES + BYPASS_REASONS
} StatsCounter;

typedef struct SlotCounters
{
	/* Since when they count, as TimestampTz; 0: since the server's start. */
	pg_atomic_uint64 began;
	pg_atomic_uint64 counts[STATS_COUNTERS];
} SlotCounters;

extern SlotCounters *shared_counters;

extern const SegmentPart stats_part;

extern void stats_count(int slot, StatsCounter counter, uint64 n);
extern void stats_flush(void);
extern void stats_begin(int slot, TimestampTz since);

/* Count a load that has neither used nor filled the cache. */
static inline void
stats_bypass(int slot, BypassReason reason)
{
	stats_count(slot, STATS_BYPASSES + reason, 1);
}

/*
 * Count something for all backends at once; for what is rare.
 */
static inline void
stats_count_shared(int slot, StatsCounter counter, uint64 n)
{
	pg_atomic_fetch_add_u64(&shared_counters[slot].counts[counter], n);
}

/*
 * What all backends have counted, but for what these have not flushed yet.
 */
static inline uint64
stats_read(int slot, StatsCounter counter)
{
	return pg_atomic_read_u64(&shared_counters[slot].counts[counter]);
}

#endif							/* CACHE_STATS_H */
