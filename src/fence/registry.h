/*-------------------------------------------------------------------------
 *
 * registry.h
 *		The caches that the shared memory knows, one slot each.
 *
 * See registry.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_REGISTRY_H
#define CACHE_REGISTRY_H

#include "postgres.h"

#include "access/transam.h"
#include "common/hashfn.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "port/atomics.h"

#include "base/prefix.h"
#include "base/reasons.h"
#include "fence/columns.h"
#include "fence/fence.h"
#include "fence/mapping.h"
#include "fence/stats.h"
#include "segment.h"

#define REGISTRY_SLOTS	STATS_SLOTS	/* caches that can be in memory at once */
#define REGISTRY_FENCES	64		/* for databases; a power of two */

#define SLOT_READS		48		/* relations that a cache's loads may read */
#define SLOT_VIEWS		16		/* views among them */
#define SLOT_WATCHES	32		/* watches whose rows are counted */
#define SLOT_VARIANTS	16		/* of keys, in Redis */
#define SLOT_PREFIXES	15		/* of keys, in memory */
#define SLOT_FILTER		128		/* words of 64 bits */

/* Instead of the number of a prefix: see slot_find_prefix. */
#define SLOT_WHOLE_KEY	0
#define SLOT_NO_PREFIX	(-1)

typedef struct CacheSlot
{
	/*
	 * Whole-cache invalidations.  Its count of changes is the generation of
	 * the cache: an entry of another generation is dead.
	 */
	Fence		fence;

	/* Which cache this is; under the registry lock, read with the fence. */
	uint64		id;
	Oid			dbid;
	bool		used;

	/*
	 * The generation that the lists below are of.  They begin again with each
	 * generation, but a little later.
	 */
	pg_atomic_uint64 lists_of;

	/* Reports of accesses are wanted: see evict_note.  Under the store lock. */
	bool		listens;

	/* Some load has run under a search_path of its own, pg_temp first. */
	pg_atomic_uint32 own_path;

	/*
	 * What the loads of this cache have read, so that a hit inside another
	 * cache's load can be counted as reading the same.  Appended to under the
	 * registry lock, before an entry that depends on it is stored; more than
	 * SLOT_READS: too many to tell.  The views that they have read through; in
	 * the same way.
	 */
	pg_atomic_uint32 nreads;
	pg_atomic_uint32 nviews;

	/*
	 * All of them, however many, as a Bloom filter, by which DDL finds the
	 * caches that it touches; and whether some load has read catalogs.  In the
	 * same way; and they begin again with each generation.  unknown: what there
	 * is in Redis may depend on more.
	 */
	pg_atomic_uint64 filter[SLOT_FILTER];
	pg_atomic_uint32 reads_catalogs;
	pg_atomic_uint32 unknown;

	/*
	 * Values that another server of the cluster has loaded are used: what names and
	 * roles those loads have met is not known here.  So all DDL counts that changes
	 * results.  In the same way.
	 */
	pg_atomic_uint32 elsewhere;

	/*
	 * The cache's own eviction policy, if it has a max_cost: a pinned block
	 * of the arena.  Under the store lock.
	 */
	uint32		policy;
	uint64		policy_max_cost;
	uint64		policy_entry_cost;
	uint32		policy_shift;	/* costs are counted in units of 2^shift */

	uint64		made;			/* counts the slots made; registry lock */

	Oid			reads[SLOT_READS];
	Oid			views[SLOT_VIEWS];

	/*
	 * Which columns of each of these relations loads have read.  Some load may
	 * have read more than its plans tell: then all count, of all relations.
	 */
	pg_atomic_uint64 columns[SLOT_READS];
	pg_atomic_uint32 unseen;

	/*
	 * Who has changed all of the cache, but no column that any load had read,
	 * and which columns it was; under the registry lock.  See slot_passes.
	 */
	Fence		passed;
	Columns		passed_columns[SLOT_READS];

	/* The prefixes of the keys of this generation's entries; like reads[]. */
	pg_atomic_uint32 nprefixes;
	KeyPrefix	prefixes[SLOT_PREFIXES];

	/* The variants of keys that may be in Redis, see tier.c; like reads[]. */
	pg_atomic_uint32 nvariants;
	uint32		variants[SLOT_VARIANTS];

	/*
	 * Why results were not stored, see unstored.c: since one was stored last
	 * (a mask of REASON_BIT), what each reason was found at, and how often
	 * there was each.
	 */
	pg_atomic_uint32 unstored_mask;
	pg_atomic_uint32 unstored_object[REASONS];
	pg_atomic_uint64 unstored[REASONS];

	/*
	 * The rows that watches have seen, see watchrows.c.  0: a place that is
	 * free.  Places are taken under the registry lock.
	 */
	uint32		watches[SLOT_WATCHES];
	pg_atomic_uint64 watch_rows[SLOT_WATCHES];

	pg_atomic_uint64 load_time; /* of the loader, see tier_note_load */
} CacheSlot;

/* Beside the slots; under the registry lock. */
typedef struct SharedRegistry
{
	/* Every hit reads this, without a lock. */
	pg_atomic_uint64 ddl_changes;	/* publications of DDL in the cluster */

	/* What follows is written often. */
	char		unused[PG_CACHE_LINE_SIZE];

	uint64		start_floor;	/* nothing is known of xids up to this */
	uint32		nslots;			/* slots in use so far */
	uint64		slots_made;
	bool		counters_lost;	/* of some cache */
	TimestampTz restarted;		/* after a crash, or 0 */
	pg_atomic_uint32 sweep_wanted;	/* many entries have died; no lock */
	Fence		database_fences[REGISTRY_FENCES];
	Fence		ddl_fences[REGISTRY_FENCES];
	Fence		catalog_fences[REGISTRY_FENCES];
} SharedRegistry;

extern SharedRegistry *shared_registry;
extern CacheSlot *shared_slots;

extern const SegmentPart registry_part;
extern const SegmentPart registry_slots_part;

/* The number of the fences that a database has, perhaps with others. */
static inline int
registry_fence_number(Oid dbid)
{
	return murmurhash32(dbid) & (REGISTRY_FENCES - 1);
}

static inline Fence *
registry_database_fence(Oid dbid)
{
	return &shared_registry->database_fences[registry_fence_number(dbid)];
}

static inline Fence *
registry_ddl_fence(Oid dbid)
{
	return &shared_registry->ddl_fences[registry_fence_number(dbid)];
}

static inline Fence *
registry_catalog_fence(Oid dbid)
{
	return &shared_registry->catalog_fences[registry_fence_number(dbid)];
}

extern void registry_begin(uint64 floor);
extern void registry_forget(uint64 floor);
extern void registry_count_ddl(void);
extern int	slot_find(Oid dbid, uint64 id);
extern int	slot_find_locked(Oid dbid, uint64 id);
extern int	slot_attach(Oid dbid, uint64 id, bool remote);
extern bool slot_read(int index, Oid dbid, uint64 id, FenceState *state);
extern void slot_publish(Oid dbid, uint64 id, FullTransactionId xid,
						 const MappingRunning *others, const ColumnChange *change);
extern void slot_publish_ddl(int index, FullTransactionId xid,
							 const MappingRunning *others);
extern void slot_publish_database(Oid dbid, FullTransactionId xid,
								  const MappingRunning *others);
extern void slot_recall(CacheSlot *slot);
extern int	slot_read_place(CacheSlot *slot, Oid relid);
extern bool slot_is_of(int index, Oid dbid, uint64 id);
extern void slot_publish_dependent(Oid dbid, uint64 id, FullTransactionId xid,
								   const MappingRunning *others);
extern void slot_begin_ddl(Oid dbid, FullTransactionId xid, bool lasting);
extern void slots_adopt_ddl(void);
extern List *slot_databases(void);
extern void slot_begin_counting(int index, TimestampTz since);
extern void slot_forget(Oid dbid, uint64 id);

#endif							/* CACHE_REGISTRY_H */
