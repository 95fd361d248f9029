/*-------------------------------------------------------------------------
 *
 * shared.h
 *		The one shared memory segment and its locks.
 *
 * See shared.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SHARED_H
#define CACHE_SHARED_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"

#include "base/devel.h"
#include "depend/dependency.h"
#include "fence/fence.h"
#include "fence/lineage.h"
#include "fence/mapping.h"
#include "redis/breaker.h"
#include "redis/queue.h"
#include "redis/redis.h"
#include "store/arena.h"

#define SHARED_PARTITIONS		128 /* a power of two */
#define SHARED_SLOTS			1024	/* caches that can be in memory at once */
#define SHARED_DATABASE_FENCES	64	/* a power of two */
#define SHARED_ROLE_FENCES		1024	/* a power of two */
#define SHARED_STAMPS			8	/* per fence; a power of two */
#define SHARED_MARKS			16	/* bits per stamp; a power of two */

#define FLIGHT_OUTCOMES			4096	/* a power of two, 2^20 at most */
#define FLIGHT_LANDINGS			64

#define BUCKET_CHAINS			15

/* Chains of entries, a cache line of them; one sequence number covers all. */
typedef struct Bucket
{
	pg_atomic_uint32 seq;		/* odd while a writer is inside */
	ArenaRef	heads[BUCKET_CHAINS];	/* first entries, or 0 */
} Bucket;

/* What the entries of the arena consist of, linked or dead. */
typedef struct EntryTotals
{
	uint64		units;			/* of their blocks */
	uint64		keys;			/* bytes */
	uint64		values;
	uint64		unused;
} EntryTotals;

/* A part of the shared memory, for the view cache_memory. */
typedef struct SharedPart
{
	const char *name;
	uint64		bytes;
} SharedPart;

#define SHARED_PARTS	10

typedef struct CacheShared
{
	/* Written once, by the postmaster. */
	uint32		nbuckets;		/* a power of two, >= SHARED_PARTITIONS */
	uint32		nfences;		/* a power of two, >= SHARED_PARTITIONS */
	uint32		nstamps;		/* a power of two, >= nfences */
	uint32		pool_entries;	/* what the pool's policy was made for */
	uint64		arena_bytes;

	/* Set when the server has left recovery; see shared_is_ready. */
	pg_atomic_uint32 ready;

	bool		pool_listens;	/* see evict_note; store lock */
	uint64		start_floor;	/* under the registry lock */
	pg_atomic_uint64 ddl_changes;	/* publications of DDL in the cluster */

	/* What follows is written often, and every hit reads what precedes. */
	char		unused[PG_CACHE_LINE_SIZE];

	pg_atomic_uint64 xid_reference; /* a recent 64-bit xid */
	pg_atomic_uint64 outcomes[FLIGHT_OUTCOMES]; /* see flight.c */
	ConditionVariable landings[FLIGHT_LANDINGS];	/* the same */

	pg_atomic_uint32 ndead;		/* entries waiting to be reaped */
	uint32		dead[SHARED_PARTITIONS];	/* their lists; partition locks */
	uint32		nslots;			/* slots in use so far; registry lock */
	uint64		slots_made;		/* registry lock */
	bool		counters_lost;	/* of some cache; registry lock */
	TimestampTz restarted;		/* after a crash, or 0 */
	pg_atomic_uint32 sweep_wanted;	/* many entries have died */
	uint32		sweep_left;		/* blocks still to be swept; store lock */
	uint64		own_units;		/* of entries in caches' own policies; store
								 * lock */
	uint64		policy_units;	/* of these policies themselves; store lock */
	EntryTotals entries;		/* of the arena; store lock */
	Arena		arena;			/* store lock */
	Fence		database_fences[SHARED_DATABASE_FENCES];	/* registry lock */
	Fence		ddl_fences[SHARED_DATABASE_FENCES]; /* registry lock */
	Fence		catalog_fences[SHARED_DATABASE_FENCES]; /* registry lock */
	Fence		role_fences[SHARED_ROLE_FENCES];	/* registry lock */
	DependencyShared dependencies;
	MappingShared mapping;		/* registry lock */

	/* Of Redis */
	Lineage		lineage;
	bool		restored;		/* the fences and the lineage, by persist.c */
	Breaker		breaker;
	RedisResolved resolved;		/* redis lock */
	Queue		queue;
} CacheShared;

/* Fetch what will be read, or written, soon into the processor's cache. */
#ifdef __GNUC__
#define CACHE_PREFETCH_READ(address)	__builtin_prefetch(address)
#define CACHE_PREFETCH_WRITE(address)	__builtin_prefetch((address), 1)
#else
#define CACHE_PREFETCH_READ(address)	((void) (address))
#define CACHE_PREFETCH_WRITE(address)	((void) (address))
#endif

struct CacheSlot;
struct FlightNote;
struct Policy;

extern CacheShared *cache_shared;	/* NULL: not preloaded */
extern struct CacheSlot *cache_slots;
extern struct FlightNote *cache_flights;
extern Fence *cache_fences;
extern pg_atomic_uint64 *cache_stamps;
extern pg_atomic_uint32 *cache_marks;
extern Bucket *cache_buckets;
extern struct Policy *cache_pool;
extern char *cache_arena;
extern char *cache_ring;

extern LWLock *cache_registry_lock;
extern LWLock *cache_store_lock;
extern LWLock *cache_redis_lock;
extern LWLock *cache_queue_lock;
extern LWLockPadded *cache_partition_locks;

extern int	cache_memory_kb;
extern int	cache_policy;

extern void shared_request(void);
extern void shared_startup(void);
extern bool shared_try_open(void);
extern void shared_parts(SharedPart parts[SHARED_PARTS]);
extern void shared_require(void);
extern void shared_note_xid(FullTransactionId xid);
extern uint64 shared_update_xid(void);

/*
 * May entries be used at all?  Not on a standby: nothing tells it of the
 * primary's invalidations.
 */
static inline bool
shared_is_ready(void)
{
	if (likely(pg_atomic_read_u32(&cache_shared->ready) != 0))
	{
		pg_read_barrier();
		return true;
	}
	return shared_try_open();
}

/*
 * A 64-bit xid that is within 2^31 of this one of a snapshot's, for
 * snapshot_view.
 */
static inline uint64
shared_recent_xid(TransactionId xid)
{
	uint64		reference = pg_atomic_read_u64(&cache_shared->xid_reference);

	/* Half of that is far enough to look: nobody may publish for very long. */
	if (unlikely((uint32) (xid - (uint32) reference + ((uint32) 1 << 30)) >
				 (uint32) 1 << 31))
		return shared_update_xid();
	return reference;
}

#endif							/* CACHE_SHARED_H */
