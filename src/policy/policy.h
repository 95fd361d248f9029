/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  Which entry goes when the cache is full: W-TinyLFU.
 *
 * A policy maximises one of two things, the hit ratio or the load time that
 * hits save.  Only for the latter it asks how long each entry took to load.
 *
 * The policy orders nodes that live in the caller's memory: see node.h.  It
 * stores no pointer either.
 *
 * Protocol.  A lookup is reported once: policy_touch when it found the entry,
 * policy_miss when it did not.  A miss that is then filled makes a node, sets
 * its hash, cost and load, calls policy_add and then policy_evict until it returns
 * 0; every node that policy_evict returns is already unlinked and must be
 * dropped, the new one itself not excepted.  policy_remove takes out a node
 * for other reasons (invalidated, expired).
 *
 * Locking: none here.  The owner of a Policy serialises all calls that name
 * it.  No call fails, allocates or loops without a bound.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_POLICY_H
#define CACHE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/node.h"

/* What a policy maximises */
typedef enum PolicyAim
{
	POLICY_HIT_RATIO,
	POLICY_LOAD_TIME			/* saved */
} PolicyAim;

typedef struct Policy Policy;

/* A look at the nodes of a segment, see policy_begin_walk */
typedef struct PolicyWalk
{
	PolicyRef	next;
	uint32_t	queue;			/* by load time: those from this one on follow */
} PolicyWalk;

extern size_t policy_size(PolicyAim aim, uint32_t expected_entries);
extern void policy_init(Policy *p, PolicyAim aim, uint64_t capacity,
						uint32_t expected_entries);
extern uint32_t policy_load(uint64_t nanoseconds);
extern uint64_t policy_load_time(uint32_t load);
extern void policy_set_capacity(Policy *p, uint64_t capacity);
extern uint64_t policy_cost(const Policy *p);
extern uint64_t policy_capacity(const Policy *p);
extern uint32_t policy_count(const Policy *p);
extern bool policy_listens(const Policy *p);
extern void policy_prefetch(Policy *p, uint32_t hash);
extern void policy_miss(Policy *p, uint32_t hash);
extern void policy_touch(Policy *p, void *base, PolicyRef ref);
extern void policy_add(Policy *p, void *base, PolicyRef ref);
extern PolicyRef policy_evict(Policy *p, void *base, bool *rejected);
extern PolicyRef policy_evict_any(Policy *p, void *base);
extern void policy_remove(Policy *p, void *base, PolicyRef ref);
extern void policy_moved(Policy *p, void *base, PolicyRef from, PolicyRef to);
extern uint32_t policy_frequency(Policy *p, uint32_t hash);
extern void policy_begin_walk(const Policy *p, PolicyWalk *walk, uint8_t segment);
extern PolicyRef policy_next(const Policy *p, void *base, PolicyWalk *walk);
extern void policy_put_back(Policy *p, void *base, PolicyRef ref,
							uint8_t segment, uint32_t frequency);

#endif							/* CACHE_POLICY_H */
