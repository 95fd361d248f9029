/*-------------------------------------------------------------------------
 *
 * rolefence.h
 *		Fences for what is loaded with the rights of one role.
 *
 * See rolefence.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ROLEFENCE_H
#define CACHE_ROLEFENCE_H

#include "postgres.h"

#include "common/hashfn.h"

#include "fence/fence.h"
#include "segment.h"

#define ROLE_FENCES		1024	/* a power of two */

extern Fence *shared_role_fences;

extern const SegmentPart role_fences_part;

/*
 * The fence of a role, perhaps with others.  The shared memory must be there.
 */
static inline Fence *
role_fence(Oid role)
{
	return &shared_role_fences[murmurhash32(role) & (ROLE_FENCES - 1)];
}

/*
 * How many changes it has seen, as images of keys have it.  So many that the
 * number comes again do not happen while an entry lives.
 */
static inline uint32
role_fence_changes(const Fence *fence)
{
	return (uint32) *(const volatile uint64 *) &fence->changes;
}

extern void role_fences_begin(uint64 floor);
extern void role_fences_forget(uint64 floor);
extern void role_fence_publish(Oid role, FullTransactionId xid);

#endif							/* CACHE_ROLEFENCE_H */
