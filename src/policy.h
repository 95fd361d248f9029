/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  Which entry goes when the cache is full: W-TinyLFU.
 *
 * A policy maximises one of two things, the hit ratio or the load time that
 * hits save.  Only for the latter it asks how long each entry took to load.
 *
 * The policy orders nodes that live in the caller's memory.  A node is named
 * by a reference, its distance from a base address in units of POLICY_UNIT;
 * the base is passed to every call, nothing here stores a pointer, so policy
 * and nodes may live in shared memory that is mapped at different addresses.
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

/* A node's address is (char *) base + (size_t) ref * POLICY_UNIT; 0 is nil. */
typedef uint32_t PolicyRef;

#define POLICY_UNIT 8

/* Values of PolicyNode.segment */
#define POLICY_NONE			0	/* not linked */
#define POLICY_WINDOW		1	/* new, not yet judged */
#define POLICY_PROBATION	2	/* admitted, not used again since */
#define POLICY_PROTECTED	3	/* admitted and used again */
#define POLICY_SEGMENTS		8	/* by load time, all from 2 on: see camp.c */

#define POLICY_MAX_COST		((UINT32_C(1) << 28) - 1)	/* of one node */

typedef struct PolicyNode
{
	PolicyRef	prev;			/* towards the most recently used */
	PolicyRef	next;			/* towards the least recently used */
	uint32_t	hash;			/* of the key, all 32 bits well mixed */
	uint32_t	cost:28,		/* at least 1, constant while linked */
				age:4;			/* the policy's, see camp.c */
	uint8_t		segment:3,		/* POLICY_NONE before policy_add */
				load:5;			/* of policy_load, constant while linked */
	uint8_t		flags;			/* the caller's, never touched here */
	uint16_t	slot;			/* the caller's, never touched here */
} PolicyNode;

/* A member of an array of nodes, in which references are multiples of CELL_UNITS. */
typedef union PolicyCell
{
	PolicyNode	node;
	uint64_t	units[(sizeof(PolicyNode) + POLICY_UNIT - 1) / POLICY_UNIT];
} PolicyCell;

#define CELL_UNITS	(sizeof(PolicyCell) / POLICY_UNIT)

static inline PolicyNode *
policy_node(void *base, PolicyRef ref)
{
	return (PolicyNode *) ((char *) base + (size_t) ref * POLICY_UNIT);
}

/* What a policy maximises */
typedef enum PolicyAim
{
	POLICY_HIT_RATIO,
	POLICY_LOAD_TIME			/* saved */
} PolicyAim;

typedef struct Policy Policy;

extern size_t policy_size(PolicyAim aim, uint32_t expected_entries);
extern void policy_init(Policy *p, PolicyAim aim, uint64_t capacity,
						uint32_t expected_entries);
extern uint32_t policy_load(uint64_t nanoseconds);
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

#endif							/* CACHE_POLICY_H */
