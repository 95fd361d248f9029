/*-------------------------------------------------------------------------
 *
 * space.c
 *	  A cache, or a shadow of it, as the policy sees it: nodes in segments.
 *
 * New entries enter a window, an LRU list.  The rest is the main space: a
 * segmented LRU of probation and protected entries (Karedla, Love, Wherry:
 * "Caching Strategies to Improve Disk System Performance", Computer 1994) or,
 * where load time is to be saved, the order of camp.c.  What goes from the one
 * to the other, and what goes altogether, is admission.c's matter.
 *
 * The shares of window and main space are enforced only when something has
 * to go: below capacity a segment may have more than its share, and after a
 * change of the window entries move with the following evictions.
 *
 * Locking is the owner's, see space.h.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/space.h"

#define PROTECTED_SHARE		0.8 /* protected part of the main space */
#define MAX_DEMOTIONS		8	/* from protected to probation, by one hit */

const Trial space_trials[SPACE_TRIALS] = {
	{0.01, true}, {0.05, true}, {0.2, false}, {0.5, false}, {1.0, false}
};

/*
 * Links a node at the most recently used end of a segment.
 */
static void
push_head(Space *space, void *base, PolicyRef ref, uint8_t segment)
{
	PolicyNode *node = policy_node(base, ref);
	SpaceList  *list = &space->list[segment];

	node->segment = segment;
	node->prev = 0;
	node->next = list->head;
	if (list->head != 0)
		policy_node(base, list->head)->prev = ref;
	else
		list->tail = ref;
	list->head = ref;
	list->cost += node->cost;
}

/*
 * Links a node at the least recently used end of a segment.
 */
static void
push_tail(Space *space, void *base, PolicyRef ref, uint8_t segment)
{
	PolicyNode *node = policy_node(base, ref);
	SpaceList  *list = &space->list[segment];

	node->segment = segment;
	node->next = 0;
	node->prev = list->tail;
	if (list->tail != 0)
		policy_node(base, list->tail)->next = ref;
	else
		list->head = ref;
	list->tail = ref;
	list->cost += node->cost;
}

/*
 * Takes a node out of its segment.
 */
static inline void
list_unlink(Space *space, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);
	SpaceList  *list = &space->list[node->segment];

	if (node->prev != 0)
		policy_node(base, node->prev)->next = node->next;
	else
		list->head = node->next;
	if (node->next != 0)
		policy_node(base, node->next)->prev = node->prev;
	else
		list->tail = node->prev;
	list->cost -= node->cost;
	node->prev = node->next = 0;
	node->segment = POLICY_NONE;
}

/*
 * Is this a node of a main space that is ordered by load time?
 */
static inline bool
in_camp(const Space *space, const PolicyNode *node)
{
	return space->camp_offset != 0 && node->segment != POLICY_WINDOW;
}

/*
 * Takes a node out of its segment or the main space's order, but not out of the
 * space's sums.
 */
void
space_unlink(Space *space, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);

	if (in_camp(space, node))
	{
		camp_unlink(space_camp(space), base, ref);
		space->list[POLICY_PROBATION].cost -= node->cost;
	}
	else
		list_unlink(space, base, ref);
}

/*
 * Links a node that is in no segment into the main space.
 */
void
space_push_main(Space *space, const Sketch *sketch, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);

	if (space->camp_offset != 0)
	{
		camp_link(space_camp(space), base, ref,
				  sketch_estimate(sketch, node->hash));
		space->list[POLICY_PROBATION].cost += node->cost;
	}
	else
		push_head(space, base, ref, POLICY_PROBATION);
}

/*
 * Makes a node of a main space that is kept by lists the most recently used in
 * probation.
 */
void
space_requeue(Space *space, void *base, PolicyRef ref)
{
	list_unlink(space, base, ref);
	push_head(space, base, ref, POLICY_PROBATION);
}

/*
 * Sets the capacity and, by its index, the trial.  Nothing moves before
 * something has to go.
 */
void
space_set(Space *space, uint64_t capacity, uint32_t trial)
{
	space->capacity = capacity;
	space->trial = trial;
	space->window_max = (uint64_t) ((double) capacity *
									space_trials[trial].window);
	if (space->window_max == 0)
		space->window_max = 1;
	if (space->window_max > capacity)
		space->window_max = capacity;
}

/*
 * Gives a space the order of its main space, which is in the same block behind
 * it.
 */
void
space_set_camp(Space *space, Camp *camp)
{
	space->camp_offset = (size_t) ((char *) camp - (char *) space);
	camp_init(camp);
}

/*
 * A hit.  A probation entry is promoted; what the protected segment then has
 * too much goes back to probation.  The sketch tells how often it is used.
 */
void
space_touch(Space *space, const Sketch *sketch, void *base, PolicyRef ref)
{
	uint8_t		segment = policy_node(base, ref)->segment;
	SpaceList  *protected = &space->list[POLICY_PROTECTED];
	uint64_t	main_max = space->capacity - space->window_max;
	uint64_t	max = (uint64_t) ((double) main_max * PROTECTED_SHARE);

	if (in_camp(space, policy_node(base, ref)))
	{
		space_unlink(space, base, ref);
		space_push_main(space, sketch, base, ref);
		return;
	}
	if (segment == POLICY_PROBATION)
		segment = POLICY_PROTECTED;
	else if (space->list[segment].head == ref)
		return;
	list_unlink(space, base, ref);
	push_head(space, base, ref, segment);
	for (int i = 0; i < MAX_DEMOTIONS && protected->cost > max &&
		 protected->tail != ref; i++)
	{
		PolicyRef	demoted = protected->tail;

		if (demoted == 0)
			break;
		space_requeue(space, base, demoted);
	}
}

/*
 * A new entry.  One larger than the window would push all others out of it
 * only to follow them: it is queued to be judged first.
 */
void
space_add(Space *space, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);

	if (node->cost > space->window_max)
		push_tail(space, base, ref, POLICY_WINDOW);
	else
		push_head(space, base, ref, POLICY_WINDOW);
	space->cost += node->cost;
	space->count++;
}

/*
 * Moves a node from the window to the least recently used end of this segment of
 * the main space, as far as there is room.
 */
void
space_put_back(Space *space, const Sketch *sketch, void *base, PolicyRef ref,
			   uint8_t segment)
{
	PolicyNode *node = policy_node(base, ref);
	uint64_t	main_max = space->capacity - space->window_max;

	if (space_main_cost(space) + node->cost > main_max)
		return;
	if (space->camp_offset != 0)
	{
		space_admit(space, sketch, base, ref);
		return;
	}
	if (segment != POLICY_PROTECTED ||
		space->list[POLICY_PROTECTED].cost + node->cost >
		(uint64_t) ((double) main_max * PROTECTED_SHARE))
		segment = POLICY_PROBATION;
	list_unlink(space, base, ref);
	push_tail(space, base, ref, segment);
}

/*
 * The memory of a linked node was copied from one place to another: its
 * neighbours and its list learn the new reference.  Nothing is read at the old
 * place.
 */
void
space_moved(Space *space, void *base, PolicyRef from, PolicyRef to)
{
	PolicyNode *node = policy_node(base, to);
	SpaceList  *list;

	if (in_camp(space, node))
	{
		camp_moved(space_camp(space), base, from, to);
		return;
	}
	list = &space->list[node->segment];
	if (node->prev != 0)
		policy_node(base, node->prev)->next = to;
	else if (list->head == from)
		list->head = to;
	if (node->next != 0)
		policy_node(base, node->next)->prev = to;
	else if (list->tail == from)
		list->tail = to;
}
