/*-------------------------------------------------------------------------
 *
 * camp.h
 *	  Nodes of a policy in the order of what they save for the room they take.
 *
 * See camp.c.  Nodes and references are those of node.h, and the locking is
 * that of the policy's owner, see policy.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_CAMP_H
#define CACHE_CAMP_H

#include "policy/node.h"

#define CAMP_QUEUES		96

/* Entries whose worth was about the same when they were used last. */
typedef struct CampQueue
{
	PolicyRef	head;			/* most recently used */
	PolicyRef	tail;			/* least recently used */
	uint64_t	due;			/* priority of the tail */
} CampQueue;

typedef struct Camp
{
	uint64_t	level;			/* priority of the last that was evicted */
	uint64_t	used[(CAMP_QUEUES + 63) / 64];	/* bits: queues with nodes */
	CampQueue	queue[CAMP_QUEUES];
} Camp;

/* A look at the nodes in the order in which they would be evicted */
typedef struct CampWalk
{
	uint32_t	count;			/* queues that are not at their end */
	PolicyRef	next[CAMP_QUEUES];
	uint64_t	due[CAMP_QUEUES];	/* of these */
} CampWalk;

extern void camp_init(Camp *camp);
extern void camp_link(Camp *camp, void *base, PolicyRef ref, uint32_t frequency);
extern void camp_unlink(Camp *camp, void *base, PolicyRef ref);
extern void camp_moved(Camp *camp, void *base, PolicyRef from, PolicyRef to);
extern PolicyRef camp_least(const Camp *camp);
extern void camp_evict(Camp *camp, void *base, PolicyRef least);
extern void camp_begin(const Camp *camp, CampWalk *walk);
extern PolicyRef camp_next(const Camp *camp, void *base, CampWalk *walk);

#endif							/* CACHE_CAMP_H */
