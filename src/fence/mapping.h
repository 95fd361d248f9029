/*-------------------------------------------------------------------------
 *
 * mapping.h
 *		Key functions and concurrent changes of what they read.
 *
 * See mapping.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_MAPPING_H
#define CACHE_MAPPING_H

#include "postgres.h"

#include "access/transam.h"
#include "port/atomics.h"
#include "utils/snapshot.h"

#include "fence/fence.h"
#include "segment.h"

#define MAPPING_CHANGES	2048	/* a power of two */
#define MAPPING_LISTS	64		/* a power of two */
#define MAPPING_RUNNING	31
#define MAPPING_UNKNOWN	PG_UINT64_MAX	/* instead of a count of DDL */

/* A key, or a whole cache, that a transaction has published. */
typedef struct MappingChange
{
	uint64		cache;
	uint64		hash;			/* of the key */
	uint64		xid;
	Oid			dbid;
	bool		whole;
} MappingChange;

/* Transactions whose keys DDL can tell otherwise, and which may be running. */
typedef struct MappingRunning
{
	FenceFloor	floor;			/* there may be others in this */
	uint32		n;
	uint64		xids[MAPPING_RUNNING];
} MappingRunning;

/* In shared memory; under the registry lock. */
typedef struct SharedMapping
{
	pg_atomic_uint64 nchanges;	/* ever recorded */
	MappingChange changes[MAPPING_CHANGES]; /* the last of them, as a ring */
	uint64		start;			/* the last xid before the server started */
	uint64		floor;			/* the greatest xid that the ring has lost */
	Fence		lost;			/* those that were running when it did */
	pg_atomic_uint64 replaced[MAPPING_LISTS];	/* DDL so far, by database */
	MappingRunning running[MAPPING_LISTS];	/* by cache */
} SharedMapping;

/* Keys of one cache that others have changed. */
typedef struct MappingKeys
{
	bool		whole;
	int			n;
	const uint64 *hashes;		/* valid until the next call */
	const char *told;			/* the cache's name, if others are told */
} MappingKeys;

extern SharedMapping *shared_mapping;

extern const SegmentPart mapping_part;

extern void mapping_begin(uint64 next, bool restored);

extern bool mapping_is_active(void);
extern int	mapping_count(void);
extern uint64 mapping_cache(int i);
extern uint64 mapping_replaced(void);
extern void mapping_note_write(uint64 cache, const char *told, bool moves);
extern void mapping_note_told(uint64 cache, uint64 replaced);
extern void mapping_note_call(uint64 cache, Snapshot snapshot,
							  MappingKeys *others);
extern void mapping_catch_up(uint64 cache, MappingKeys *others);
extern void mapping_publish(uint64 cache, FullTransactionId xid,
							const uint64 *hashes, int n, bool whole,
							MappingKeys *others);
extern const MappingRunning *mapping_running(uint64 cache);
extern void mapping_replace(Oid dbid, FullTransactionId xid);
extern void mapping_fence_running(Fence *fence, Oid dbid, uint64 cache);
extern void mapping_all_running(MappingRunning *all);
extern void mapping_subabort(void);
extern void mapping_reset(void);

#endif							/* CACHE_MAPPING_H */
