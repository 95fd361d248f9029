/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  Which entry goes when the cache is full: W-TinyLFU.
 *
 * Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission
 * Policy" (ACM Transactions on Storage, 2017).  New entries enter a window,
 * an LRU list.  What falls out of the window is a candidate for the main
 * space, a segmented LRU of probation and protected entries; once the main
 * space is full, a candidate is admitted only if the sketch knows it as used
 * more often than the entries it would push out, together (Einziger, Eytan,
 * Friedman, Manes: "Lightweight Robust Size Aware Cache Management").
 *
 * Segments hold what their share of the capacity allows, but the shares are
 * enforced only when something has to go: below capacity a segment may have
 * more than its share.
 *
 *-------------------------------------------------------------------------
 */
#include "policy.h"

#include <string.h>

#include "sketch.h"

#define WINDOW_SHARE		0.05	/* window's part of the capacity */
#define PROTECTED_SHARE		0.8 /* protected part of the main space */
#define MAX_VICTIMS			16	/* victims looked at for one candidate */
#define MAX_DEMOTIONS		4	/* protected entries demoted by one call */
#define WARM_FREQUENCY		6	/* a candidate so frequent may be admitted at
								 * random */
#define WARM_CHANCE			128 /* once in so many decisions */

typedef struct PolicyList
{
	PolicyRef	head;			/* most recently used */
	PolicyRef	tail;			/* least recently used */
	uint64_t	cost;			/* sum over the nodes */
} PolicyList;

struct Policy
{
	uint64_t	capacity;
	uint64_t	cost;			/* sum over all lists */
	uint64_t	window_max;		/* window's share of the capacity */
	uint64_t	random;			/* state of the generator, never 0 */
	uint32_t	count;			/* nodes of all lists */
	uint32_t	sized_for;		/* count that the sketch's period is for */
	PolicyList	list[POLICY_PROTECTED + 1];	/* by segment, first unused */
	Sketch		sketch;			/* last: its counters follow */
};

static inline PolicyNode *
node_at(void *base, PolicyRef ref)
{
	return (PolicyNode *) ((char *) base + (size_t) ref * POLICY_UNIT);
}

/*
 * Links a node at the most recently used end of a segment.
 */
static void
push_head(Policy *p, void *base, PolicyRef ref, uint8_t segment)
{
	PolicyNode *node = node_at(base, ref);
	PolicyList *list = &p->list[segment];

	node->segment = segment;
	node->prev = 0;
	node->next = list->head;
	if (list->head != 0)
		node_at(base, list->head)->prev = ref;
	else
		list->tail = ref;
	list->head = ref;
	list->cost += node->cost;
}

/*
 * Links a node at the least recently used end of a segment.
 */
static void
push_tail(Policy *p, void *base, PolicyRef ref, uint8_t segment)
{
	PolicyNode *node = node_at(base, ref);
	PolicyList *list = &p->list[segment];

	node->segment = segment;
	node->next = 0;
	node->prev = list->tail;
	if (list->tail != 0)
		node_at(base, list->tail)->next = ref;
	else
		list->head = ref;
	list->tail = ref;
	list->cost += node->cost;
}

static void
unlink_node(Policy *p, void *base, PolicyRef ref)
{
	PolicyNode *node = node_at(base, ref);
	PolicyList *list = &p->list[node->segment];

	if (node->prev != 0)
		node_at(base, node->prev)->next = node->next;
	else
		list->head = node->next;
	if (node->next != 0)
		node_at(base, node->next)->prev = node->prev;
	else
		list->tail = node->prev;
	list->cost -= node->cost;
	node->prev = node->next = 0;
	node->segment = POLICY_NONE;
}

/*
 * Takes a node out of the cache.
 */
static PolicyRef
drop(Policy *p, void *base, PolicyRef ref)
{
	p->cost -= node_at(base, ref)->cost;
	p->count--;
	unlink_node(p, base, ref);
	return ref;
}

static uint64_t
main_cost(const Policy *p)
{
	return p->list[POLICY_PROBATION].cost + p->list[POLICY_PROTECTED].cost;
}

/*
 * The generator of Marsaglia's "Xorshift RNGs".
 */
static uint64_t
next_random(Policy *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random;
}

size_t
policy_size(uint32_t expected_entries)
{
	return offsetof(Policy, sketch) + sketch_size(expected_entries);
}

void
policy_init(Policy *p, uint64_t capacity, uint32_t expected_entries)
{
	memset(p, 0, offsetof(Policy, sketch));
	p->random = UINT64_C(0x9e3779b97f4a7c15);
	p->sized_for = expected_entries;
	sketch_init(&p->sketch, expected_entries);
	policy_set_capacity(p, capacity);
}

/*
 * Changes the capacity.  After a decrease the caller has to evict.
 */
void
policy_set_capacity(Policy *p, uint64_t capacity)
{
	p->capacity = capacity;
	p->window_max = (uint64_t) ((double) capacity * WINDOW_SHARE);
	if (p->window_max == 0 && capacity > 0)
		p->window_max = 1;
}

uint64_t
policy_cost(const Policy *p)
{
	return p->cost;
}

uint64_t
policy_capacity(const Policy *p)
{
	return p->capacity;
}

uint32_t
policy_count(const Policy *p)
{
	return p->count;
}

/*
 * An access that found nothing.
 */
void
policy_miss(Policy *p, uint64_t hash)
{
	sketch_add(&p->sketch, hash);
}

/*
 * An access that found the entry.  A probation entry is promoted; what the
 * protected segment then has too much goes back to probation.
 */
void
policy_touch(Policy *p, void *base, PolicyRef ref)
{
	PolicyNode *node = node_at(base, ref);
	uint8_t		segment = node->segment;

	if (segment == POLICY_NONE)
		return;
	sketch_add(&p->sketch, node->hash);
	if (segment == POLICY_PROBATION)
	{
		PolicyList *protected = &p->list[POLICY_PROTECTED];
		uint64_t	max = (uint64_t) ((double) (p->capacity - p->window_max) *
									  PROTECTED_SHARE);

		unlink_node(p, base, ref);
		push_head(p, base, ref, POLICY_PROTECTED);
		for (int i = 0; i < MAX_DEMOTIONS && protected->cost > max &&
			 protected->tail != ref; i++)
		{
			PolicyRef	demoted = protected->tail;

			unlink_node(p, base, demoted);
			push_head(p, base, demoted, POLICY_PROBATION);
		}
	}
	else if (p->list[segment].head != ref)
	{
		unlink_node(p, base, ref);
		push_head(p, base, ref, segment);
	}
}

/*
 * A new entry.  One larger than the window would push all others out of it
 * only to follow them: it is queued to be judged first.
 */
void
policy_add(Policy *p, void *base, PolicyRef ref)
{
	PolicyNode *node = node_at(base, ref);

	if (node->cost > p->window_max)
		push_tail(p, base, ref, POLICY_WINDOW);
	else
		push_head(p, base, ref, POLICY_WINDOW);
	p->cost += node->cost;
	p->count++;

	/* the sketch's sample period follows the number of entries */
	if (p->count > p->sized_for + p->sized_for / 8 ||
		(p->cost + node->cost > p->capacity &&
		 p->count < p->sized_for - p->sized_for / 8))
	{
		p->sized_for = p->count;
		sketch_set_entries(&p->sketch, p->count);
	}
}

/*
 * Whether a candidate is worth more than what it would push out of the main
 * space: `needed` cost, from the least recently used end of probation (of
 * protected, when probation is empty).  The sum of the victims' frequencies
 * is extrapolated from the first MAX_VICTIMS.
 */
static bool
admit(Policy *p, void *base, const PolicyNode *candidate, uint64_t needed)
{
	uint32_t	frequency = sketch_estimate(&p->sketch, candidate->hash);
	PolicyRef	victim = p->list[POLICY_PROBATION].tail;
	double		sum = 0;
	uint64_t	freed = 0;

	if (victim == 0)
		victim = p->list[POLICY_PROTECTED].tail;
	for (int i = 0; i < MAX_VICTIMS && victim != 0 && freed < needed; i++)
	{
		PolicyNode *node = node_at(base, victim);

		sum += sketch_estimate(&p->sketch, node->hash);
		if (sum >= frequency)
			break;
		freed += node->cost;
		victim = node->prev;
	}
	if (freed == 0)
		sum = SKETCH_MAX_COUNT;
	else if (freed < needed)
		sum *= (double) needed / (double) freed;
	if (frequency > sum)
		return true;

	/*
	 * Keys made to collide with a victim's counters could otherwise keep it
	 * in place for ever.
	 */
	return frequency >= WARM_FREQUENCY && freed >= needed &&
		next_random(p) % WARM_CHANCE == 0;
}

/*
 * Unlinks and returns the next node that must go while the cost is above the
 * capacity, otherwise 0.
 */
PolicyRef
policy_evict(Policy *p, void *base, bool *rejected)
{
	uint64_t	main_max = p->capacity - p->window_max;

	*rejected = false;
	while (p->cost > p->capacity)
	{
		PolicyList *window = &p->list[POLICY_WINDOW];
		PolicyRef	ref = window->tail;
		PolicyNode *node;

		if (main_cost(p) > main_max || ref == 0)
		{
			ref = p->list[POLICY_PROBATION].tail;
			if (ref == 0)
				ref = p->list[POLICY_PROTECTED].tail;
			return drop(p, base, ref);
		}

		/* the main space is within its share, so the window is not */
		node = node_at(base, ref);
		if (node->cost > p->capacity ||
			(main_cost(p) + node->cost > main_max &&
			 !admit(p, base, node, main_cost(p) + node->cost - main_max)))
		{
			*rejected = true;
			return drop(p, base, ref);
		}
		unlink_node(p, base, ref);
		push_head(p, base, ref, POLICY_PROBATION);
	}
	return 0;
}

/*
 * Unlinks and returns the entry worth least, 0 when there is none.
 */
PolicyRef
policy_evict_any(Policy *p, void *base)
{
	PolicyRef	probation = p->list[POLICY_PROBATION].tail;
	PolicyRef	window = p->list[POLICY_WINDOW].tail;
	PolicyRef	ref = probation;

	if (ref == 0)
		ref = window;
	else if (window != 0 && p->list[POLICY_WINDOW].cost > p->window_max &&
			 sketch_estimate(&p->sketch, node_at(base, window)->hash) <=
			 sketch_estimate(&p->sketch, node_at(base, probation)->hash))
		ref = window;
	if (ref == 0)
		ref = p->list[POLICY_PROTECTED].tail;
	return ref == 0 ? 0 : drop(p, base, ref);
}

/*
 * Unlinks a node that the caller drops for reasons of its own.
 */
void
policy_remove(Policy *p, void *base, PolicyRef ref)
{
	if (node_at(base, ref)->segment != POLICY_NONE)
		drop(p, base, ref);
}

/*
 * A node's memory was copied from one place to another: its neighbours and
 * its list learn the new reference.  Nothing is read at the old place.
 */
void
policy_moved(Policy *p, void *base, PolicyRef from, PolicyRef to)
{
	PolicyNode *node = node_at(base, to);
	PolicyList *list = &p->list[node->segment];

	if (node->segment == POLICY_NONE)
		return;
	if (node->prev != 0)
		node_at(base, node->prev)->next = to;
	else if (list->head == from)
		list->head = to;
	if (node->next != 0)
		node_at(base, node->next)->prev = to;
	else if (list->tail == from)
		list->tail = to;
}
