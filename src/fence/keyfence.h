/*-------------------------------------------------------------------------
 *
 * keyfence.h
 *		The fences of keys, and the locks of keys.
 *
 * See keyfence.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYFENCE_H
#define CACHE_KEYFENCE_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/lwlock.h"

#include "base/devel.h"
#include "fence/fence.h"
#include "segment.h"

#define KEY_PARTITIONS	128		/* a power of two */
#define KEY_STAMPS		8		/* per fence; a power of two */

extern Fence *shared_key_fences;
extern pg_atomic_uint64 *shared_key_stamps;
extern LWLockPadded *shared_key_locks;

/* Written when the process attaches: how many there are, powers of two. */
extern uint32 key_nfences;
extern uint32 key_nstamps;

extern const SegmentPart key_fences_part;
extern const SegmentPart key_stamps_part;

extern void key_fences_begin(uint64 floor);
extern void key_fences_forget(uint64 floor);

static inline uint32
key_partition(uint64 hash)
{
	return hash & (KEY_PARTITIONS - 1);
}

/*
 * Lock the partition of a key's hash: the fence and the stamp, and the entries,
 * of all keys that have it.
 */
static inline void
key_lock(uint64 hash, LWLockMode mode)
{
	LWLockAcquire(&shared_key_locks[key_partition(hash)].lock, mode);
}

static inline void
key_unlock(uint64 hash)
{
	LWLockRelease(&shared_key_locks[key_partition(hash)].lock);
}

/*
 * The fence of a key, and of others.
 */
static inline Fence *
key_fence(uint64 hash)
{
	return &shared_key_fences[hash & (key_nfences - 1)];
}

/*
 * The newest transaction that has published a key, by more of the hash than a
 * fence has: whatever took place long before is not forgotten so soon, but
 * stands apart from that of other keys.  See coherence_accept.
 */
static inline pg_atomic_uint64 *
key_stamp(uint64 hash)
{
	return &shared_key_stamps[hash & (key_nstamps - 1)];
}

/*
 * This transaction has published the key.  Under its lock, exclusively.
 */
static inline void
key_stamp_raise(uint64 hash, uint64 xid)
{
	if (xid > pg_atomic_read_u64(key_stamp(hash)))
		pg_atomic_write_u64(key_stamp(hash), xid);
}

#endif							/* CACHE_KEYFENCE_H */
