/*-------------------------------------------------------------------------
 *
 * shared.c
 *		The one shared memory segment and its locks.
 *
 * The segment holds, in this order: the header (CacheShared), the registry
 * of caches (CacheSlot), a note for each backend of what it loads (FlightNote),
 * the ring of the queue to Redis, and then, within
 * cache.memory, the key fences and stamps, the marks of keys in Redis, the
 * buckets of the index, the pool's eviction policy and the arena of entries.
 * No pointer is stored in it; entries are addressed by 32-bit references.
 *
 * Locks, to be taken in this order, and what they protect:
 *
 *	registry	creation of slots, whole-cache and database fences, fences of
 *				DDL, what loads depend on (dependency.c), the changes that key
 *				functions may have missed (mapping.c)
 *	store		the arena, the eviction policies; memory is only ever given
 *				away under this lock
 *	partition	SHARED_PARTITIONS locks chosen by the low bits of a key's
 *				hash: the buckets, key fences and stamps with these low
 *				bits, the chains of entries, and the list of dead entries
 *	redis		the address that Redis' name stands for, its last error
 *	queue		the queue to Redis
 *
 * Rate limits have a segment and locks of their own (window.c), which are
 * never held together with these.
 *
 * PostgreSQL's ProcArrayLock may be taken under the registry lock (mapping.c
 * asks which transactions are running); witness.c takes it before any of these.
 *
 * At most one partition lock is held at a time.  Nothing that can raise an
 * error is called while a sequence number is odd.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/devel.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "load/flight.h"
#include "policy/policy.h"
#include "shared.h"

#define TRANCHE_NAME	"cache"

StaticAssertDecl(sizeof(Bucket) == 64, "a bucket is one cache line");

CacheShared *cache_shared = NULL;
CacheSlot  *cache_slots;
FlightNote *cache_flights;
Fence	   *cache_fences;
pg_atomic_uint64 *cache_stamps;
pg_atomic_uint32 *cache_marks;
Bucket	   *cache_buckets;
struct Policy *cache_pool;
char	   *cache_arena;
char	   *cache_ring;

LWLock	   *cache_registry_lock;
LWLock	   *cache_store_lock;
LWLock	   *cache_redis_lock;
LWLock	   *cache_queue_lock;
LWLockPadded *cache_partition_locks;

/* cache.memory, cache.policy: a PolicyAim */
int			cache_memory_kb = 128 * 1024;
int			cache_policy = POLICY_HIT_RATIO;

/* Where each part of the segment begins. */
typedef struct Layout
{
	uint32		nfences;
	uint32		nbuckets;
	uint32		pool_entries;
	Size		slots;
	Size		flights;
	Size		ring;
	Size		fences;
	Size		stamps;
	Size		marks;
	Size		buckets;
	Size		pool;
	Size		arena;
	Size		arena_bytes;
	Size		total;
} Layout;

static uint32
power_of_two(Size n)
{
	if (n < SHARED_PARTITIONS)
		n = SHARED_PARTITIONS;
	if (n > (Size) 1 << 28)
		n = (Size) 1 << 28;
	return (uint32) 1 << pg_leftmost_one_pos32((uint32) n);
}

static Size
add_aligned(Size at, Size bytes)
{
	return add_size(at, CACHELINEALIGN(bytes));
}

/*
 * Lay the segment out.  Of cache.memory, about 0.4 % each goes to the
 * fences and the stamps, 0.1 % to the marks, 1.6 % each to the buckets and the
 * policy's sketch; the rest is the arena.
 */
static void
shared_layout(Layout *layout)
{
	Size		memory = mul_size((Size) cache_memory_kb, 1024);
	Size		used;

	layout->nfences = power_of_two(memory / 16384);
	layout->nbuckets = power_of_two(memory / 256 / (BUCKET_CHAINS + 1));
	layout->pool_entries = power_of_two(memory / 512);

	layout->slots = CACHELINEALIGN(sizeof(CacheShared));
	layout->flights = add_aligned(layout->slots,
								  mul_size(SHARED_SLOTS, sizeof(CacheSlot)));
	layout->ring = add_aligned(layout->flights, flight_notes_size());
	layout->fences = add_aligned(layout->ring,
								 mul_size((Size) queue_size_kb, 1024));
	layout->stamps = add_aligned(layout->fences,
								 mul_size(layout->nfences, sizeof(Fence)));
	layout->marks = add_aligned(layout->stamps,
								mul_size(mul_size(layout->nfences, SHARED_STAMPS),
										 sizeof(pg_atomic_uint64)));
	layout->buckets = add_aligned(layout->marks,
								  mul_size(layout->nfences,
										   SHARED_STAMPS * SHARED_MARKS / 8));
	layout->pool = add_aligned(layout->buckets,
							   mul_size(layout->nbuckets, sizeof(Bucket)));
	layout->arena = add_aligned(layout->pool,
								policy_size(cache_policy,
											layout->pool_entries));

	used = layout->arena - layout->fences;
	Assert(used < memory);
	layout->arena_bytes = memory - used;
	layout->total = add_size(layout->arena, layout->arena_bytes);
}

/*
 * What each part of the segment takes.  The last is the arena; all together
 * are the segment.
 */
void
shared_parts(SharedPart parts[SHARED_PARTS])
{
	Layout		at;
	const SharedPart all[SHARED_PARTS] = {
		{"header", 0}, {"registry", 0}, {"flights", 0}, {"queue", 0},
		{"fences", 0}, {"stamps", 0}, {"marks", 0}, {"buckets", 0},
		{"policy", 0}, {"arena", 0}
	};

	shared_layout(&at);
	memcpy(parts, all, sizeof(all));
	parts[0].bytes = at.slots + SHARED_SLACK;
	parts[1].bytes = at.flights - at.slots;
	parts[2].bytes = at.ring - at.flights;
	parts[3].bytes = at.fences - at.ring;
	parts[4].bytes = at.stamps - at.fences;
	parts[5].bytes = at.marks - at.stamps;
	parts[6].bytes = at.buckets - at.marks;
	parts[7].bytes = at.pool - at.buckets;
	parts[8].bytes = at.arena - at.pool;
	parts[9].bytes = at.total - at.arena;
}

/*
 * shmem_request_hook: ask for the space and the locks.
 */
void
shared_request(void)
{
	Layout		layout;

	shared_layout(&layout);
	RequestAddinShmemSpace(add_size(layout.total, SHARED_SLACK));
	RequestNamedLWLockTranche(TRANCHE_NAME, 4 + SHARED_PARTITIONS);
}

/*
 * shmem_startup_hook: attach to the segment, and make it if it is new (at
 * start, and again after a crash).
 */
void
shared_startup(void)
{
	Layout		layout;
	char	   *base;
	bool		found;
	LWLockPadded *locks;

	shared_layout(&layout);

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = ShmemInitStruct("cache",
						   add_size(layout.total, SHARED_SLACK), &found);
	base = (char *) SHARED_ALIGN(base);

	cache_shared = (CacheShared *) base;
	cache_slots = (CacheSlot *) (base + layout.slots);
	cache_fences = (Fence *) (base + layout.fences);
	cache_stamps = (pg_atomic_uint64 *) (base + layout.stamps);
	cache_marks = (pg_atomic_uint32 *) (base + layout.marks);
	cache_buckets = (Bucket *) (base + layout.buckets);
	cache_pool = (struct Policy *) (base + layout.pool);
	cache_arena = base + layout.arena;
	cache_flights = (FlightNote *) (base + layout.flights);
	cache_ring = base + layout.ring;

	locks = GetNamedLWLockTranche(TRANCHE_NAME);
	cache_registry_lock = &locks[0].lock;
	cache_store_lock = &locks[1].lock;
	cache_redis_lock = &locks[2].lock;
	cache_queue_lock = &locks[3].lock;
	cache_partition_locks = &locks[4];

	if (!found)
	{
		CacheShared *shared = cache_shared;

		memset(base, 0, layout.ring);
		memset(base + layout.fences, 0, layout.pool - layout.fences);
		shared->nfences = layout.nfences;
		shared->nstamps = layout.nfences * SHARED_STAMPS;
		shared->nbuckets = layout.nbuckets;
		shared->pool_entries = layout.pool_entries;
		shared->arena_bytes = layout.arena_bytes;

		/* At the server's start itself the time of that is not known yet. */
		shared->restarted = PgStartTime == 0 ? 0 : GetCurrentTimestamp();
		pg_atomic_init_u32(&shared->ready, 0);
		pg_atomic_init_u64(&shared->xid_reference, 0);
		pg_atomic_init_u64(&shared->ddl_changes, 0);
		pg_atomic_init_u32(&shared->ndead, 0);
		pg_atomic_init_u32(&shared->sweep_wanted, 0);
		for (int i = 0; i < SHARED_DATABASE_FENCES; i++)
			fence_init(&shared->database_fences[i], 0);
		for (int i = 0; i < SHARED_DATABASE_FENCES; i++)
		{
			fence_init(&shared->ddl_fences[i], 0);
			fence_init(&shared->catalog_fences[i], 0);
		}
		role_fences_init(0);
		dependency_shared_init(&shared->dependencies);
		mapping_init(&shared->mapping);
		for (uint32 i = 0; i < shared->nfences; i++)
			fence_init(&cache_fences[i], 0);
		for (uint32 i = 0; i < shared->nstamps; i++)
			pg_atomic_init_u64(&cache_stamps[i], 0);
		for (uint32 i = 0; i < shared->nstamps / (32 / SHARED_MARKS); i++)
			pg_atomic_init_u32(&cache_marks[i], PG_UINT32_MAX);
		for (uint32 i = 0; i < shared->nbuckets; i++)
			pg_atomic_init_u32(&cache_buckets[i].seq, 0);
		for (int i = 0; i < SHARED_SLOTS; i++)
			slot_init(&cache_slots[i]);
		flight_init();
		policy_init(cache_pool, cache_policy,
					layout.arena_bytes / ARENA_UNIT, shared->pool_entries);
		arena_init(&shared->arena, cache_arena, layout.arena_bytes);
		breaker_init(&shared->breaker);
		queue_init(&shared->queue, queue_size_kb * 1024);
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Know nothing of what happened so far.
 *
 * The fences begin empty, so nothing is known of transactions that were
 * prepared before a restart and may commit at any time, nor of what happened
 * while the server was a standby.  Hence the floor: every xid handed out so
 * far may have published anything.
 */
static void
shared_begin(uint64 next)
{
	cache_shared->start_floor = next - 1;
	cache_shared->nslots = 0;
	for (uint32 i = 0; i < cache_shared->nfences; i++)
		fence_init(&cache_fences[i], next - 1);
	for (uint32 i = 0; i < cache_shared->nstamps; i++)
		pg_atomic_write_u64(&cache_stamps[i], next - 1);
	for (int i = 0; i < SHARED_DATABASE_FENCES; i++)
		fence_init(&cache_shared->database_fences[i], next - 1);
	for (int i = 0; i < SHARED_DATABASE_FENCES; i++)
	{
		fence_init(&cache_shared->ddl_fences[i], next - 1);
		fence_init(&cache_shared->catalog_fences[i], next - 1);
	}
	role_fences_init(next - 1);
	for (int i = 0; i < SHARED_SLOTS; i++)
		slot_init(&cache_slots[i]);
	lineage_begin(&cache_shared->lineage);
}

/*
 * Open the cache for business, once, when the server is out of recovery.
 *
 * If the fences are as they were when the server was shut down, all is known;
 * but the timeline shows whether it went through a recovery since.
 */
static void
shared_open(void)
{
	LWLockAcquire(cache_registry_lock, LW_EXCLUSIVE);
	if (pg_atomic_read_u32(&cache_shared->ready) == 0)
	{
		uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

		bool		restored = cache_shared->restored &&
			cache_shared->lineage.timeline == GetWALInsertionTimeLine();

		if (!restored)
			shared_begin(next);
		mapping_open(&cache_shared->mapping, next, restored);
		pg_atomic_write_u64(&cache_shared->xid_reference, next);
		pg_write_barrier();
		pg_atomic_write_u32(&cache_shared->ready, 1);
	}
	LWLockRelease(cache_registry_lock);
}

/*
 * For shared_is_ready: not open yet, or in recovery.
 */
bool
shared_try_open(void)
{
	if (RecoveryInProgress())
		return false;
	shared_open();
	return true;
}

/*
 * Complain if the library was not preloaded.
 */
void
shared_require(void)
{
	if (cache_shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cache must be loaded via shared_preload_libraries"),
				 errhint("Add 'cache' to shared_preload_libraries in postgresql.conf and restart the server.")));
}

/* How far the reference for 32-bit xids may lag. */
#define XID_RECENT	(1 << 20)

/*
 * Keep the reference recent, which need not be to the last: all backends read
 * it, and a write takes it out of their processors' caches.
 */
void
shared_note_xid(FullTransactionId xid)
{
	uint64		value = U64FromFullTransactionId(xid);

	if (value > pg_atomic_read_u64(&cache_shared->xid_reference) + XID_RECENT)
		pg_atomic_write_u64(&cache_shared->xid_reference, value);
}

/*
 * The same by the server's next xid, which it gives.
 */
uint64
shared_update_xid(void)
{
	FullTransactionId next = ReadNextFullTransactionId();

	shared_note_xid(next);
	return U64FromFullTransactionId(next);
}
