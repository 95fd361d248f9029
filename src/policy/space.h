/*-------------------------------------------------------------------------
 *
 * space.h
 *	  A cache, or a shadow of it, as the policy sees it: nodes in segments.
 *
 * See space.c.  A space has no lock of its own: whoever owns the policy
 * serialises all calls that name it.  No call fails, allocates or loops without
 * a bound.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SPACE_H
#define CACHE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/camp.h"
#include "policy/node.h"
#include "policy/sketch.h"

/*
 * What a space tries, each shadow another: the window's share of the capacity,
 * and whether the candidate's current access is left out of the comparison.
 * Counting it favours new entries; leaving it out keeps a loop that is larger
 * than the cache from replacing entries by others that are used as often.
 */
typedef struct Trial
{
	double		window;
	bool		strict;
} Trial;

#define SPACE_TRIALS		5
#define SPACE_FIRST_TRIAL	1	/* before anything is known */

extern const Trial space_trials[SPACE_TRIALS];

typedef struct SpaceList
{
	PolicyRef	head;			/* most recently used */
	PolicyRef	tail;			/* least recently used */
	uint64_t	cost;			/* sum over the nodes */
} SpaceList;

/* A cache or a shadow of it */
typedef struct Space
{
	uint64_t	capacity;
	uint64_t	cost;			/* sum over all lists */
	uint64_t	window_max;		/* window's share of the capacity */
	uint32_t	count;			/* nodes of all lists */
	uint32_t	trial;			/* index into space_trials */
	size_t		camp_offset;	/* to the main space's order, if not by lists */

	/* By segment, the first unused; by load time, of the third only the cost. */
	SpaceList	list[POLICY_PROTECTED + 1];
} Space;

/*
 * The order of the main space if load time is to be saved, otherwise NULL.  It
 * is in the same block.
 */
static inline Camp *
space_camp(const Space *space)
{
	return space->camp_offset == 0 ? NULL :
		(Camp *) ((char *) space + space->camp_offset);
}

/*
 * What the main space holds.
 */
static inline uint64_t
space_main_cost(const Space *space)
{
	return space->list[POLICY_PROBATION].cost +
		space->list[POLICY_PROTECTED].cost;
}

/*
 * The next node to go from the main space, 0 when that is empty.
 */
static inline PolicyRef
space_main_tail(const Space *space)
{
	PolicyRef	ref = space->list[POLICY_PROBATION].tail;

	if (space->camp_offset != 0)
		return camp_least(space_camp(space));
	return ref != 0 ? ref : space->list[POLICY_PROTECTED].tail;
}

extern void space_set(Space *space, uint64_t capacity, uint32_t trial);
extern void space_set_camp(Space *space, Camp *camp);
extern void space_add(Space *space, void *base, PolicyRef ref);
extern void space_touch(Space *space, const Sketch *sketch, void *base,
						PolicyRef ref);
extern void space_unlink(Space *space, void *base, PolicyRef ref);
extern void space_push_main(Space *space, const Sketch *sketch, void *base,
							PolicyRef ref);
extern void space_requeue(Space *space, void *base, PolicyRef ref);
extern void space_put_back(Space *space, const Sketch *sketch, void *base,
						   PolicyRef ref, uint8_t segment);
extern void space_moved(Space *space, void *base, PolicyRef from, PolicyRef to);

/*
 * Takes a node out of a space, and returns it.
 */
static inline PolicyRef
space_drop(Space *space, void *base, PolicyRef ref)
{
	space->cost -= policy_node(base, ref)->cost;
	space->count--;
	space_unlink(space, base, ref);
	return ref;
}

/*
 * Takes the next node to go out of the main space, which is not empty, and
 * returns it.
 */
static inline PolicyRef
space_drop_main(Space *space, void *base)
{
	PolicyRef	ref = space_main_tail(space);

	if (space->camp_offset == 0)
		return space_drop(space, base, ref);
	space->cost -= policy_node(base, ref)->cost;
	space->count--;
	space->list[POLICY_PROBATION].cost -= policy_node(base, ref)->cost;
	camp_evict(space_camp(space), base, ref);
	return ref;
}

/*
 * Moves a node from the window to the main space.
 */
static inline void
space_admit(Space *space, const Sketch *sketch, void *base, PolicyRef ref)
{
	space_unlink(space, base, ref);
	space_push_main(space, sketch, base, ref);
}

#endif							/* CACHE_SPACE_H */
