/*-------------------------------------------------------------------------
 *
 * entry.c
 *		Where entries are: the store's parts of the shared memory.
 *
 * Of cache.memory, 1.6 % each go to the buckets of the index and to the sketch of
 * the pool's eviction policy; the arena of entries takes what the others leave.
 * Entries are addressed by 32-bit references into it.
 *
 * Locking:
 *
 *	store		the arena and the eviction policies: memory is only ever given
 *				away under this lock
 *	partition	(keyfence.c) the buckets, the chains of entries, and the list of
 *				dead entries
 *
 * The store lock is taken first.  Nothing that can raise an error is called while
 * a bucket's sequence number is odd.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/entry.h"

/* So much of cache.memory is for one chain, and for an entry of the pool. */
#define CHAIN_MEMORY	256
#define NODE_MEMORY		512

/* cache.policy */
int			store_policy_aim = POLICY_HIT_RATIO;

SharedStore *shared_store;
Bucket	   *shared_buckets;
Policy	   *shared_policy;
char	   *shared_arena;
LWLock	   *shared_store_lock;

uint32		store_nbuckets;
uint32		store_pool_entries;
uint64		store_arena_bytes;

static void
store_init(void)
{
	memset(shared_store, 0, sizeof(SharedStore));
	pg_atomic_init_u32(&shared_store->ndead, 0);
}

const SegmentPart store_part = {
	.name = "header",
	.address = (void **) &shared_store,
	.bytes = sizeof(SharedStore),
	.nlocks = 1,
	.locks = (LWLockPadded **) &shared_store_lock,
	.init = store_init,
};

static Size
store_buckets_size(void)
{
	store_nbuckets = segment_power_of_two(segment_memory() / CHAIN_MEMORY /
										  (BUCKET_CHAINS + 1), KEY_PARTITIONS);
	return mul_size(store_nbuckets, sizeof(Bucket));
}

static void
store_buckets_init(void)
{
	memset(shared_buckets, 0, store_buckets_size());
	for (uint32 i = 0; i < store_nbuckets; i++)
		pg_atomic_init_u32(&shared_buckets[i].seq, 0);
}

const SegmentPart store_buckets_part = {
	.name = "buckets",
	.budgeted = true,
	.address = (void **) &shared_buckets,
	.size = store_buckets_size,
	.init = store_buckets_init,
};

static Size
store_pool_size(void)
{
	store_pool_entries = segment_power_of_two(segment_memory() / NODE_MEMORY,
											  KEY_PARTITIONS);
	return policy_size(store_policy_aim, store_pool_entries);
}

static void
store_pool_init(void)
{
	policy_init(shared_policy, store_policy_aim, store_arena_bytes / ARENA_UNIT,
				store_pool_entries);
}

const SegmentPart store_pool_part = {
	.name = "policy",
	.budgeted = true,
	.address = (void **) &shared_policy,
	.size = store_pool_size,
	.init = store_pool_init,
};

static Size
store_arena_size(void)
{
	store_arena_bytes = segment_rest();
	return store_arena_bytes;
}

static void
store_arena_init(void)
{
	arena_init(&shared_store->arena, shared_arena, store_arena_bytes);
}

/* The last of all parts */
const SegmentPart store_arena_part = {
	.name = "arena",
	.budgeted = true,
	.address = (void **) &shared_arena,
	.size = store_arena_size,
	.init = store_arena_init,
};
