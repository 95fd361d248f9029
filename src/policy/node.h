/*-------------------------------------------------------------------------
 *
 * node.h
 *	  What a policy orders: one node for each entry.
 *
 * Nodes live in the caller's memory.  A node is named by a reference, its
 * distance from a base address in units of POLICY_UNIT; the base is passed to
 * every call, nothing stores a pointer, so policy and nodes may live in shared
 * memory that is mapped at different addresses.
 *
 * Locking: a node belongs to the policy in which it is linked, see policy.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_NODE_H
#define CACHE_NODE_H

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

/*
 * What one use of an entry counts: its load time, as far as that matters.
 */
static inline double
node_weight(const PolicyNode *node)
{
	return (double) (UINT32_C(1) << node->load);
}

#endif							/* CACHE_NODE_H */
