/*-------------------------------------------------------------------------
 *
 * keyfence.c
 *		The fences of keys, and the locks of keys.
 *
 * A key's fence is chosen by the low bits of its hash; several keys share one.
 * So is its lock, by fewer of them: one partition lock covers the fences, the
 * stamps and the entries (store/index.c) of all keys whose hash has the same
 * lowest bits.
 *
 * Locking: a fence is written under its partition's lock, exclusively, and read
 * without (fence.c).  At most one partition lock is held at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fence/keyfence.h"

/* So much of cache.memory is for one fence: about 0.4 %. */
#define FENCE_MEMORY	16384

Fence	   *shared_key_fences;
pg_atomic_uint64 *shared_key_stamps;
LWLockPadded *shared_key_locks;

uint32		key_nfences;
uint32		key_nstamps;

static Size
key_fences_size(void)
{
	key_nfences = segment_power_of_two(segment_memory() / FENCE_MEMORY,
									   KEY_PARTITIONS);
	return mul_size(key_nfences, sizeof(Fence));
}

static void
key_fences_init(void)
{
	for (uint32 i = 0; i < key_nfences; i++)
		fence_init(&shared_key_fences[i], 0);
}

const SegmentPart key_fences_part = {
	.name = "fences",
	.budgeted = true,
	.address = (void **) &shared_key_fences,
	.size = key_fences_size,
	.nlocks = KEY_PARTITIONS,
	.locks = &shared_key_locks,
	.init = key_fences_init,
};

/* After the fences, in the order of parts. */
static Size
key_stamps_size(void)
{
	key_nstamps = key_nfences * KEY_STAMPS;
	return mul_size(key_nstamps, sizeof(pg_atomic_uint64));
}

static void
key_stamps_init(void)
{
	for (uint32 i = 0; i < key_nstamps; i++)
		pg_atomic_init_u64(&shared_key_stamps[i], 0);
}

const SegmentPart key_stamps_part = {
	.name = "stamps",
	.budgeted = true,
	.address = (void **) &shared_key_stamps,
	.size = key_stamps_size,
	.init = key_stamps_init,
};

/*
 * Know nothing of transactions up to and including floor.
 */
void
key_fences_begin(uint64 floor)
{
	for (uint32 i = 0; i < key_nfences; i++)
		fence_init(&shared_key_fences[i], floor);
	for (uint32 i = 0; i < key_nstamps; i++)
		pg_atomic_write_u64(&shared_key_stamps[i], floor);
}

/*
 * Know nothing any more of transactions up to and including floor, while there are
 * readers.  No lock may be held.
 */
void
key_fences_forget(uint64 floor)
{
	for (uint32 i = 0; i < key_nfences; i++)
	{
		key_lock(i, LW_EXCLUSIVE);
		fence_forget(&shared_key_fences[i], floor);
		for (uint32 stamp = i; stamp < key_nstamps; stamp += key_nfences)
			key_stamp_raise(stamp, floor);
		key_unlock(i);
	}
}
