/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  Which entry goes when the cache is full: W-TinyLFU.
 *
 * Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission
 * Policy" (ACM Transactions on Storage, 2017).  New entries enter a window;
 * what falls out of it must be worth more than what it would push out of the
 * main space.  This is the interface; of the parts, each uses only those below
 * it:
 *
 *	shadow.c		simulations that choose the window
 *	admission.c		what has to go, and what a new entry must beat to stay
 *	space.c			window and main space
 *	camp.c			the main space's order where load time is to be saved
 *	sketch.c		how often a key was used
 *	node.h			what all of them order
 *
 * Where load time is to be saved, an entry counts as often as it is used times
 * how long it took to load, in the comparison of a candidate with its victims
 * as in the shadows' hits; and the main space is not a segmented LRU, which
 * takes hit entries for alike, but in the order of what an entry saves for the
 * room that it takes.
 *
 * A policy is one block: the fixed part, the shadows, the order by load time,
 * the sketch.  Locking is the owner's, see policy.h.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/policy.h"

#include <string.h>

#include "policy/admission.h"
#include "policy/camp.h"
#include "policy/shadow.h"
#include "policy/sketch.h"
#include "policy/space.h"

struct Policy
{
	PolicyAim	aim;
	uint32_t	sized_for;		/* count that the sketch's period is for */
	Space		space;			/* its capacity: what really finds place */
	uint64_t	capacity;		/* the caller's, not below that */
	Admission	admission;
	bool		full;			/* something had to go at some time */
	PolicyCell	memory[];		/* shadows, order, sketch */
};

static inline Shadows *
shadows_of(Policy *p)
{
	return (Shadows *) p->memory;
}

/*
 * Something has to go at this cost: so much, and no more, finds place.  The
 * segments' shares and the shadows are made to fit unless they nearly do.
 */
static void
fill_up(Policy *p, uint64_t cost)
{
	uint64_t	old = p->space.capacity;

	if (p->full && cost <= old + old / 8 && cost >= old - old / 8)
		return;
	p->full = true;
	space_set(&p->space, cost, p->space.trial);
	shadows_resize(shadows_of(p), &p->admission, &p->space, p->full);
}

/*
 * Shows the shadows an access to a sampled key, and follows them.  The node is
 * that of the cache, NULL on a miss.
 */
static void
sample(Policy *p, uint32_t hash, const PolicyNode *node)
{
	Shadows    *shadows = shadows_of(p);

	shadows_access(shadows, &p->admission, hash, node);
	if (p->full && shadows_epoch(shadows, p->space.count))
		space_set(&p->space, p->space.capacity,
				  shadows_choose(shadows, p->space.trial));
}

/*
 * Bytes before the sketch.
 */
static size_t
sketch_offset(PolicyAim aim, uint32_t expected_entries)
{
	return sizeof(Policy) +
		shadows_size(expected_entries, aim == POLICY_LOAD_TIME) +
		(aim == POLICY_LOAD_TIME ? sizeof(Camp) : 0);
}

/*
 * Bytes to allocate, aligned as for uint64_t, for a policy that is meant for
 * about so many entries.
 */
size_t
policy_size(PolicyAim aim, uint32_t expected_entries)
{
	return sketch_offset(aim, expected_entries) + sketch_size(expected_entries);
}

/*
 * Makes an empty policy of this capacity, in the unit of the nodes' costs.
 */
void
policy_init(Policy *p, PolicyAim aim, uint64_t capacity,
			uint32_t expected_entries)
{
	bool		by_load = aim == POLICY_LOAD_TIME;
	size_t		offset = sketch_offset(aim, expected_entries);

	memset(p, 0, offset);
	p->aim = aim;
	p->sized_for = expected_entries;
	admission_init(&p->admission, (Sketch *) ((char *) p + offset),
				   expected_entries);
	shadows_init(shadows_of(p), expected_entries, by_load);
	if (by_load)
		space_set_camp(&p->space,
					   (Camp *) ((char *) p + offset - sizeof(Camp)));
	p->space.trial = SPACE_FIRST_TRIAL;
	policy_set_capacity(p, capacity);
}

/*
 * Changes the capacity.  After a decrease the caller has to evict.
 */
void
policy_set_capacity(Policy *p, uint64_t capacity)
{
	p->capacity = capacity;
	space_set(&p->space, capacity, p->space.trial);
	shadows_resize(shadows_of(p), &p->admission, &p->space, p->full);
}

/*
 * The class of a load time: an octave, from less than a microsecond (and not
 * known) to eighteen minutes and more.
 */
uint32_t
policy_load(uint64_t nanoseconds)
{
	uint32_t	octave = 0;

	while (octave < 31 && nanoseconds >> (octave + 10) != 0)
		octave++;
	return octave;
}

/*
 * The least load time of a class, 0 for the first.
 */
uint64_t
policy_load_time(uint32_t load)
{
	return load == 0 ? 0 : UINT64_C(1) << (load + 9);
}

uint64_t
policy_cost(const Policy *p)
{
	return p->space.cost;
}

uint64_t
policy_capacity(const Policy *p)
{
	return p->capacity;
}

uint32_t
policy_count(const Policy *p)
{
	return p->space.count;
}

/*
 * Whether accesses matter yet.  Nothing has to go before the cache is full, so
 * until it is half full the caller may spare itself the reports (as Caffeine
 * does).  Once true it stays so, unless the capacity grows.
 */
bool
policy_listens(const Policy *p)
{
	return p->full || p->space.cost >= p->capacity / 2;
}

/*
 * An access to this key will be reported a little later: what that needs is
 * brought into the processor's cache meanwhile.
 */
void
policy_prefetch(Policy *p, uint32_t hash)
{
	sketch_prefetch(admission_sketch(&p->admission), hash);
}

/*
 * An access that found nothing.
 */
void
policy_miss(Policy *p, uint32_t hash)
{
	if (!policy_listens(p))
		return;
	sketch_add(admission_sketch(&p->admission), hash);
	if (p->full && shadows_sample(shadows_of(p), hash))
		sample(p, hash, NULL);
}

/*
 * An access that found the entry.
 */
void
policy_touch(Policy *p, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);

	if (node->segment == POLICY_NONE || !policy_listens(p))
		return;
	sketch_add(admission_sketch(&p->admission), node->hash);
	space_touch(&p->space, admission_sketch(&p->admission), base, ref);
	if (shadows_sample(shadows_of(p), node->hash))
		sample(p, node->hash, node);
}

/*
 * A new entry, linked into the window.  The caller then evicts.
 */
void
policy_add(Policy *p, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);
	uint32_t	count;

	if (p->aim != POLICY_LOAD_TIME)
		node->load = 0;
	space_add(&p->space, base, ref);
	if (p->space.cost >= p->capacity)
		fill_up(p, p->capacity);

	/* sample period and shadows follow the number of entries */
	count = p->space.count;
	if (count > p->sized_for + p->sized_for / 8 ||
		(p->full && count < p->sized_for - p->sized_for / 8))
	{
		p->sized_for = count;
		sketch_set_entries(admission_sketch(&p->admission), count);
		shadows_resize(shadows_of(p), &p->admission, &p->space, p->full);
	}
	else if (shadows_overflow(shadows_of(p), count))
		shadows_resize(shadows_of(p), &p->admission, &p->space, p->full);

	if (shadows_sample(shadows_of(p), node->hash))
		shadows_add(shadows_of(p), &p->admission, node);
}

/*
 * Decides on, unlinks and returns the next node that must go while the cost
 * is above the capacity, otherwise 0.  A node is rejected when it lost at
 * admission, else it made place for others.
 */
PolicyRef
policy_evict(Policy *p, void *base, bool *rejected)
{
	*rejected = false;
	if (p->space.cost <= p->capacity)
		return 0;
	return admission_evict(&p->admission, &p->space, base, rejected);
}

/*
 * Memory is needed although the cost is not above the capacity: unlinks and
 * returns the entry worth least, 0 when there is none.  This decides as
 * policy_evict would if the capacity were what is cached now.
 */
PolicyRef
policy_evict_any(Policy *p, void *base)
{
	if (p->space.count == 0)
		return 0;
	if (p->space.cost < p->capacity)
		fill_up(p, p->space.cost);
	return admission_evict_any(&p->admission, &p->space, base);
}

/*
 * Unlinks a node that the caller drops for reasons of its own.  The shadows
 * keep the key: the caller may be about to add it again, with a new value,
 * and what it lost is the same for all of them.
 */
void
policy_remove(Policy *p, void *base, PolicyRef ref)
{
	if (policy_node(base, ref)->segment != POLICY_NONE)
		space_drop(&p->space, base, ref);
}

/*
 * A node's memory was copied from one place to another: its neighbours and
 * its list learn the new reference.  Nothing is read at the old place.
 */
void
policy_moved(Policy *p, void *base, PolicyRef from, PolicyRef to)
{
	if (policy_node(base, to)->segment != POLICY_NONE)
		space_moved(&p->space, base, from, to);
}

/*
 * How often a key was used lately, as far as is known.
 */
uint32_t
policy_frequency(Policy *p, uint32_t hash)
{
	return sketch_estimate(admission_sketch(&p->admission), hash);
}

/*
 * Begins a walk over the nodes of a segment, those first that would be kept
 * longest; nothing may be linked or unlinked before its end.  By load time,
 * POLICY_PROBATION is all of the main space, in about the order of worth, and
 * POLICY_PROTECTED is empty.
 */
void
policy_begin_walk(const Policy *p, PolicyWalk *walk, uint8_t segment)
{
	Camp	   *camp = space_camp(&p->space);

	walk->next = 0;
	walk->queue = CAMP_QUEUES;
	if (camp == NULL || segment == POLICY_WINDOW)
		walk->next = p->space.list[segment].head;
	else if (segment == POLICY_PROBATION)
		walk->queue = 0;
}

/*
 * The next node of a walk, 0 at its end.
 */
PolicyRef
policy_next(const Policy *p, void *base, PolicyWalk *walk)
{
	PolicyRef	ref = walk->next;

	while (ref == 0 && walk->queue < CAMP_QUEUES)
	{
		walk->queue++;
		ref = space_camp(&p->space)->queue[CAMP_QUEUES - walk->queue].head;
	}
	if (ref != 0)
		walk->next = policy_node(base, ref)->next;
	return ref;
}

/*
 * A node that was just added had been in another policy, in this segment, and
 * was used so often: give it its place back, behind those that were given theirs
 * before.  Where the main space has no room, it stays what it is, a new one.
 */
void
policy_put_back(Policy *p, void *base, PolicyRef ref, uint8_t segment,
				uint32_t frequency)
{
	Sketch	   *sketch = admission_sketch(&p->admission);
	uint32_t	hash = policy_node(base, ref)->hash;

	for (uint32_t i = 0; i < SKETCH_MAX_COUNT &&
		 sketch_estimate(sketch, hash) < frequency; i++)
		sketch_add(sketch, hash);
	if (segment > POLICY_WINDOW)
		space_put_back(&p->space, sketch, base, ref, segment);
}
