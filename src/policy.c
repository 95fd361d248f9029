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
 * Friedman, Manes: "Lightweight Robust Size Aware Cache Management"); how much
 * entries of different sizes are worth to each other, weigh_victims says.
 *
 * How large a window is best differs between workloads from nothing to the
 * whole cache.  It is found by simulation, as the same authors propose in
 * "Adaptive Software Cache Management" (Middleware 2018): for each of a few
 * windows a shadow, a small cache of keys without values, sees a sample of
 * the accesses, chosen by hash, and a cache that is as much smaller as the
 * sample is (Waldspurger and others: "Cache Modeling and Optimization using
 * Miniature Simulations").  The cache follows the shadow with the most hits.
 * A hill climber would mistake changes of the hit ratio that have other causes
 * for the effect of its last step, and has to search anew after every change
 * of the workload.  The shadows run the same code as the cache and ask the
 * same sketch.
 *
 * Where load time is to be saved, an entry counts as often as it is used times
 * how long it took to load, in the comparison of a candidate with its victims
 * as in the shadows' hits; and the main space is not a segmented LRU, which
 * takes hit entries for alike, but in the order of what an entry saves for the
 * room that it takes: see camp.c.
 *
 * The shares of window and main space are enforced only when something has
 * to go: below capacity a segment may have more than its share, and after a
 * change of the window entries move with the following evictions.
 *
 * A policy is one block: the fixed part, the shadows' nodes and indexes, the
 * orders by load time, the sketch.  Locking is the owner's, see policy.h.
 *
 *-------------------------------------------------------------------------
 */
#include "policy.h"

#include <string.h>

#include "camp.h"
#include "sketch.h"

#define PROTECTED_SHARE		0.8 /* protected part of the main space */
#define MAX_VICTIMS			16	/* victims looked at for one candidate */
#define MAX_HANDICAP		7	/* half of what a counter can hold */
#define MAX_MOVES			8	/* nodes moved between segments by one call */
#define DEMOTE_CHANCE		4	/* of one in so many admissions, see demote_idle */
#define WARM_FREQUENCY		6	/* so warm a candidate may win by chance */
#define WARM_CHANCE			128 /* of one in so many */

#define SHADOW_MAX_NODES	256 /* powers of two */
#define SHADOW_MIN_NODES	64
#define EPOCH				4	/* accesses for each entry between choices */
#define SCORE_DECAY			0.9 /* what an epoch leaves of earlier hits */
#define SCORE_MARGIN		0.002	/* gain in hit ratio that is worth a change */

/*
 * What a shadow tries: the window's share of the capacity, and whether the
 * candidate's current access is left out of the comparison.  Counting it
 * favours new entries; leaving it out keeps a loop that is larger than the
 * cache from replacing entries by others that are used as often.
 */
typedef struct Trial
{
	double		window;
	bool		strict;
} Trial;

static const Trial trials[] = {
	{0.01, true}, {0.05, true}, {0.2, false}, {0.5, false}, {1.0, false}
};

#define TRIALS				(sizeof(trials) / sizeof(trials[0]))
#define FIRST_TRIAL			1

typedef struct List
{
	PolicyRef	head;			/* most recently used */
	PolicyRef	tail;			/* least recently used */
	uint64_t	cost;			/* sum over the nodes */
} List;

/* A cache or a shadow of it */
typedef struct Space
{
	uint64_t	capacity;
	uint64_t	cost;			/* sum over all lists */
	uint64_t	window_max;		/* window's share of the capacity */
	uint32_t	count;			/* nodes of all lists */
	uint32_t	trial;			/* index into trials */
	size_t		camp_offset;	/* to the main space's order, if not by lists */

	/* By segment, the first unused; by load time, of the third only the cost. */
	List		list[POLICY_PROTECTED + 1];
} Space;

/*
 * A shadow's nodes are numbered from 1.  They are chained by PolicyNode.slot
 * in the buckets of its index, free ones by PolicyNode.next.
 */
typedef struct Shadow
{
	Space		space;
	uint32_t	free;			/* first free node, 0: none */
	double		hits;			/* lately, older ones count less */
} Shadow;

struct Policy
{
	PolicyAim	aim;
	Space		space;			/* its capacity: what really finds place */
	uint64_t	capacity;		/* the caller's, not below that */
	uint64_t	random;			/* state of the generator, never 0 */
	size_t		sketch_offset;
	uint32_t	sized_for;		/* count that the sketch's period is for */
	uint32_t	shadow_nodes;	/* nodes of one shadow, a power of two */
	uint32_t	sample_bits;	/* one key in 2^sample_bits is sampled */
	uint32_t	accesses;		/* sampled ones in this epoch */
	double		loads;			/* what they count, by load time */
	double		weight;			/* all sampled accesses, aged as hits are */
	bool		full;			/* something had to go at some time */
	Shadow		shadow[TRIALS];
	PolicyCell	memory[];		/* the shadows', orders, the sketch */
};

static inline Sketch *
sketch_of(Policy *p)
{
	return (Sketch *) ((char *) p + p->sketch_offset);
}

/*
 * The order of the main space if load time is to be saved, otherwise NULL.  It
 * is in the same block.
 */
static inline Camp *
camp_of(const Space *space)
{
	return space->camp_offset == 0 ? NULL :
		(Camp *) ((char *) space + space->camp_offset);
}

/*
 * What one use of an entry counts: its load time, as far as that matters.
 */
static inline double
node_weight(const PolicyNode *node)
{
	return (double) (UINT32_C(1) << node->load);
}

/*
 * Links a node at the most recently used end of a segment.
 */
static void
push_head(Space *space, void *base, PolicyRef ref, uint8_t segment)
{
	PolicyNode *node = policy_node(base, ref);
	List	   *list = &space->list[segment];

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
	List	   *list = &space->list[segment];

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

static inline void
list_unlink(Space *space, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);
	List	   *list = &space->list[node->segment];

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

static void
unlink_node(Space *space, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);

	if (in_camp(space, node))
	{
		camp_unlink(camp_of(space), base, ref);
		space->list[POLICY_PROBATION].cost -= node->cost;
	}
	else
		list_unlink(space, base, ref);
}

/*
 * Takes a node out of a space.
 */
static PolicyRef
space_drop(Space *space, void *base, PolicyRef ref)
{
	space->cost -= policy_node(base, ref)->cost;
	space->count--;
	unlink_node(space, base, ref);
	return ref;
}

static uint64_t
main_cost(const Space *space)
{
	return space->list[POLICY_PROBATION].cost +
		space->list[POLICY_PROTECTED].cost;
}

/*
 * The next node to go from the main space, 0 when that is empty.
 */
static PolicyRef
main_tail(const Space *space)
{
	PolicyRef	ref = space->list[POLICY_PROBATION].tail;

	if (space->camp_offset != 0)
		return camp_least(camp_of(space));
	return ref != 0 ? ref : space->list[POLICY_PROTECTED].tail;
}

/*
 * Takes a node into the main space.
 */
static void
main_push(Policy *p, Space *space, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);

	if (space->camp_offset != 0)
	{
		camp_link(camp_of(space), base, ref,
				  sketch_estimate(sketch_of(p), node->hash));
		space->list[POLICY_PROBATION].cost += node->cost;
	}
	else
		push_head(space, base, ref, POLICY_PROBATION);
}

/*
 * Takes the next node to go out of the main space.
 */
static PolicyRef
main_drop(Space *space, void *base)
{
	PolicyRef	ref = main_tail(space);

	if (space->camp_offset == 0)
		return space_drop(space, base, ref);
	space->cost -= policy_node(base, ref)->cost;
	space->count--;
	space->list[POLICY_PROBATION].cost -= policy_node(base, ref)->cost;
	camp_evict(camp_of(space), base, ref);
	return ref;
}

static void
space_set(Space *space, uint64_t capacity, uint32_t trial)
{
	space->capacity = capacity;
	space->trial = trial;
	space->window_max = (uint64_t) ((double) capacity * trials[trial].window);
	if (space->window_max == 0)
		space->window_max = 1;
	if (space->window_max > capacity)
		space->window_max = capacity;
}

/*
 * A hit.  A probation entry is promoted; what the protected segment then has
 * too much goes back to probation.
 */
static void
space_touch(Policy *p, Space *space, void *base, PolicyRef ref)
{
	uint8_t		segment = policy_node(base, ref)->segment;
	List	   *protected = &space->list[POLICY_PROTECTED];
	uint64_t	main_max = space->capacity - space->window_max;
	uint64_t	max = (uint64_t) ((double) main_max * PROTECTED_SHARE);

	if (in_camp(space, policy_node(base, ref)))
	{
		unlink_node(space, base, ref);
		main_push(p, space, base, ref);
		return;
	}
	if (segment == POLICY_PROBATION)
		segment = POLICY_PROTECTED;
	else if (space->list[segment].head == ref)
		return;
	list_unlink(space, base, ref);
	push_head(space, base, ref, segment);
	for (int i = 0; i < MAX_MOVES && protected->cost > max &&
		 protected->tail != ref; i++)
	{
		PolicyRef	demoted = protected->tail;

		if (demoted == 0)
			break;
		list_unlink(space, base, demoted);
		push_head(space, base, demoted, POLICY_PROBATION);
	}
}

/*
 * A new entry.  One larger than the window would push all others out of it
 * only to follow them: it is queued to be judged first.
 */
static void
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

/*
 * What a candidate has to be worth more than: the victims at the least recently
 * used end of the main space that it would push out to free `needed` cost.
 *
 * Of several victims each counts without its first use, which is its having
 * been stored: what nobody has asked for since is worth nothing to anybody,
 * however many such entries there are.  But together they are worth at least
 * what the best of them is alone.  The sum is extrapolated from the first
 * MAX_VICTIMS.  Where a victim frees more than is needed, the candidate has to
 * beat only its share of that: others will compete for the rest.
 *
 * The handicap makes up for the candidate's current access: all victims, or
 * only those that the sketch has forgotten, count once more than it says.
 * It is bounded so that an entry which is large and always in demand can take
 * the place of any number of forgotten ones.
 *
 * A use counts what node_weight says.
 */
typedef struct Worth
{
	double		victims;
	double		handicap;
	PolicyRef	best;			/* of several victims the one worth most, or 0 */
	bool		complete;		/* all victims were looked at */
} Worth;

static void
weigh_victims(Policy *p, Space *space, void *base, uint64_t needed,
			  double max_handicap, Worth *worth)
{
	bool		strict = trials[space->trial].strict;
	Camp	   *camp = camp_of(space);
	CampWalk	walk;
	PolicyRef	victim;
	PolicyRef	best = 0;
	double		highest = 0;
	double		sum = 0;
	double		handicap = 0;
	double		scale;
	uint64_t	freed = 0;
	int			n;

	if (camp != NULL)
	{
		camp_begin(camp, &walk);
		victim = camp_next(camp, base, &walk);
	}
	else
		victim = main_tail(space);
	for (n = 0; n < MAX_VICTIMS && victim != 0 && freed < needed; n++)
	{
		PolicyNode *node = policy_node(base, victim);
		uint32_t	estimate = sketch_estimate(sketch_of(p), node->hash);
		double		weight = node_weight(node);

		if (estimate * weight > highest)
		{
			highest = estimate * weight;
			best = victim;
		}
		if (estimate > 1)
			sum += (estimate - 1) * weight;
		if (strict || estimate == 0)
			handicap += weight;
		freed += node->cost;
		victim = camp != NULL ? camp_next(camp, base, &walk) : node->prev;
	}
	scale = (double) needed / (double) freed;
	if (scale > 1)
	{
		sum *= scale;
		handicap *= scale;
	}
	if (sum < highest)
		sum = highest;
	if (handicap > max_handicap)
		handicap = max_handicap;
	if (scale < 1)
	{
		sum *= scale;
		handicap *= scale;
	}
	worth->victims = sum;
	worth->handicap = handicap;
	worth->best = n > 1 ? best : 0;
	worth->complete = freed >= needed;
}

/*
 * Whether a candidate is worth more than what it would push out of the main
 * space.  A tie is a refusal.
 */
static bool
admit(Policy *p, Space *space, void *base, PolicyNode *candidate,
	  uint64_t needed)
{
	uint32_t	frequency = sketch_estimate(sketch_of(p), candidate->hash);
	double		weight = node_weight(candidate);
	double		most = SKETCH_MAX_COUNT * weight;
	Worth		worth;

	if (main_tail(space) == 0)
		return false;

	/* It has been loaded once, though the sketch may not have heard of it. */
	if (space->camp_offset != 0 && frequency == 0)
		frequency = 1;
	weigh_victims(p, space, base, needed, MAX_HANDICAP * weight, &worth);
	if (frequency * weight > worth.victims + worth.handicap)
		return true;

	/*
	 * A counter that is full says "at least": the more the victims are worth,
	 * the less likely is the candidate to be worth more.
	 */
	if (frequency >= SKETCH_MAX_COUNT && worth.victims > most &&
		next_random(p) % (uint64_t) worth.victims < most)
		return true;

	/*
	 * One victim in demand must not protect its neighbours, too: it gets out
	 * of their way, and the next candidate is compared with others.
	 */
	if (worth.best != 0 && space->camp_offset == 0 &&
		policy_node(base, worth.best)->segment == POLICY_PROBATION)
	{
		list_unlink(space, base, worth.best);
		push_head(space, base, worth.best, POLICY_PROBATION);
	}

	/*
	 * Keys made to collide with a victim's counters could otherwise keep it
	 * in place for ever.
	 */
	return frequency >= WARM_FREQUENCY && worth.complete &&
		next_random(p) % WARM_CHANCE == 0;
}

/*
 * The least recently used protected entry has to show again that it is used if
 * the candidate is used more; and now and then if it is of another size than
 * the candidate, whose use cannot be compared with its own.  Otherwise
 * protected entries only give way to those that are hit in probation; where
 * new entries pass through that before they are asked for again, as when
 * entries of one size follow those of another, nothing would end the
 * protection.
 */
static void
demote_idle(Policy *p, Space *space, void *base, const PolicyNode *candidate)
{
	PolicyRef	ref = space->list[POLICY_PROTECTED].tail;
	PolicyNode *node;
	uint32_t	used;

	if (ref == 0)
		return;
	node = policy_node(base, ref);
	used = sketch_estimate(sketch_of(p), node->hash);
	if (used > 0 &&
		((node->cost == candidate->cost &&
		  used + 1 >= sketch_estimate(sketch_of(p), candidate->hash)) ||
		 next_random(p) % DEMOTE_CHANCE != 0))
		return;
	unlink_node(space, base, ref);
	push_head(space, base, ref, POLICY_PROBATION);
}

/*
 * Unlinks and returns the next node that must go while the cost is above the
 * capacity, otherwise 0.
 */
static PolicyRef
space_evict(Policy *p, Space *space, void *base, bool *rejected)
{
	uint64_t	main_max = space->capacity - space->window_max;

	*rejected = false;
	for (int moves = 0; space->cost > space->capacity; moves++)
	{
		PolicyRef	ref = space->list[POLICY_WINDOW].tail;
		PolicyNode *node = policy_node(base, ref);
		uint64_t	after;

		/* what could never stay goes first */
		if (ref != 0 && node->cost > space->capacity)
		{
			*rejected = true;
			return space_drop(space, base, ref);
		}
		if (ref == 0 || main_cost(space) > main_max ||
			(moves >= MAX_MOVES && main_tail(space) != 0))
			return main_drop(space, base);

		/* the main space is within its share, so the window is not */
		demote_idle(p, space, base, node);
		after = main_cost(space) + node->cost;
		if (after > main_max &&
			!admit(p, space, base, node, after - main_max))
		{
			*rejected = true;
			return space_drop(space, base, ref);
		}
		unlink_node(space, base, ref);
		main_push(p, space, base, ref);
	}
	return 0;
}

/*
 * Unlinks and returns one node of a space that has any.
 */
static PolicyRef
space_evict_any(Policy *p, Space *space, void *base)
{
	uint64_t	capacity = space->capacity;
	PolicyRef	ref;
	bool		rejected;

	if (space->cost <= capacity)
		space_set(space, space->cost - 1, space->trial);
	ref = space_evict(p, space, base, &rejected);
	space_set(space, capacity, space->trial);
	return ref;
}

/*
 * Whether the shadows see a key.  The caller may have used any bits of the
 * hash to choose among policies, so they are spread anew.
 */
static inline bool
sampled(const Policy *p, uint32_t hash)
{
	return p->sample_bits == 0 ||
		(hash * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - p->sample_bits) == 0;
}

static size_t
shadow_size(uint32_t nodes)
{
	return (nodes + 1) * sizeof(PolicyCell) + nodes * sizeof(uint16_t);
}

static inline PolicyCell *
shadow_base(Policy *p, uint32_t trial)
{
	return (PolicyCell *) ((char *) p->memory +
						   trial * shadow_size(p->shadow_nodes));
}

static inline uint16_t *
shadow_bucket(Policy *p, uint32_t trial, uint32_t hash)
{
	uint16_t   *buckets = (uint16_t *) (shadow_base(p, trial) +
										p->shadow_nodes + 1);

	return &buckets[((hash * UINT64_C(0xd1b54a32d192ed03)) >> 40) &
					(p->shadow_nodes - 1)];
}

/*
 * Number of a key's node in a shadow, 0 when it is not there.
 */
static uint32_t
shadow_find(Policy *p, uint32_t trial, uint32_t hash)
{
	PolicyCell *base = shadow_base(p, trial);
	uint32_t	number = *shadow_bucket(p, trial, hash);

	while (number != 0 && base[number].node.hash != hash)
		number = base[number].node.slot;
	return number;
}

/*
 * Takes a node that is already unlinked out of a shadow's index.
 */
static void
shadow_forget(Policy *p, uint32_t trial, PolicyRef ref)
{
	PolicyCell *base = shadow_base(p, trial);
	uint32_t	number = ref / CELL_UNITS;
	uint16_t   *link = shadow_bucket(p, trial, base[number].node.hash);

	while (*link != number)
		link = &base[*link].node.slot;
	*link = base[number].node.slot;
	base[number].node.next = p->shadow[trial].free;
	p->shadow[trial].free = number;
}

static void
shadow_evict(Policy *p, uint32_t trial)
{
	PolicyCell *base = shadow_base(p, trial);
	PolicyRef	ref;
	bool		rejected;

	while ((ref = space_evict(p, &p->shadow[trial].space, base, &rejected)) != 0)
		shadow_forget(p, trial, ref);
}

static void
shadow_add(Policy *p, uint32_t trial, const PolicyNode *node)
{
	Shadow	   *shadow = &p->shadow[trial];
	PolicyCell *base = shadow_base(p, trial);
	uint16_t   *bucket = shadow_bucket(p, trial, node->hash);
	uint32_t	number;

	if (shadow->free == 0)
		shadow_forget(p, trial, space_evict_any(p, &shadow->space, base));
	number = shadow->free;
	shadow->free = base[number].node.next;
	base[number].node.hash = node->hash;
	base[number].node.cost = node->cost;
	base[number].node.load = node->load;
	base[number].node.slot = *bucket;
	*bucket = (uint16_t) number;
	space_add(&shadow->space, base, number * CELL_UNITS);
	shadow_evict(p, trial);
}

/*
 * Fits sample and shadows to the cache's present count and capacity.
 */
static void
shadows_resize(Policy *p)
{
	uint32_t	bits = p->sample_bits;

	while (p->space.count >> bits > p->shadow_nodes)
		bits++;
	while (p->full && bits > 0 &&
		   p->space.count >> (bits - 1) <= p->shadow_nodes / 4 * 3)
		bits--;
	if (bits != p->sample_bits)
		p->accesses = p->loads = 0;
	for (uint32_t trial = 0; trial < TRIALS; trial++)
	{
		Space	   *space = &p->shadow[trial].space;
		PolicyCell *base = shadow_base(p, trial);
		uint32_t	old_bits = p->sample_bits;

		p->sample_bits = bits;
		for (uint32_t n = 1; bits > old_bits && n <= p->shadow_nodes; n++)
		{
			if (base[n].node.segment != POLICY_NONE &&
				!sampled(p, base[n].node.hash))
				shadow_forget(p, trial,
							  space_drop(space, base, n * CELL_UNITS));
		}
		p->sample_bits = old_bits;
		space_set(space, p->space.capacity >> bits, trial);
		shadow_evict(p, trial);
	}
	p->sample_bits = bits;
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
	shadows_resize(p);
}

/*
 * Chooses the window by the shadows' hits.
 */
static void
choose_trial(Policy *p)
{
	uint32_t	best = p->space.trial;
	double		present = p->shadow[best].hits;

	p->weight += p->aim == POLICY_LOAD_TIME ? p->loads : p->accesses;
	p->accesses = 0;
	p->loads = 0;
	for (uint32_t trial = 0; trial < TRIALS; trial++)
	{
		if (p->shadow[trial].hits > p->shadow[best].hits)
			best = trial;
	}
	if (p->shadow[best].hits > present + p->weight * SCORE_MARGIN)
		space_set(&p->space, p->space.capacity, best);
	for (uint32_t trial = 0; trial < TRIALS; trial++)
		p->shadow[trial].hits *= SCORE_DECAY;
	p->weight *= SCORE_DECAY;
}

/*
 * Shows the shadows an access to a sampled key.  The node is that of the
 * cache, NULL on a miss.
 */
static void
shadows_access(Policy *p, uint32_t hash, const PolicyNode *node)
{
	uint32_t	entries = p->space.count >> p->sample_bits;

	for (uint32_t trial = 0; trial < TRIALS; trial++)
	{
		Shadow	   *shadow = &p->shadow[trial];
		uint32_t	number = shadow_find(p, trial, hash);

		if (number != 0)
		{
			space_touch(p, &shadow->space, shadow_base(p, trial),
						number * CELL_UNITS);
			shadow->hits += node_weight(&shadow_base(p, trial)[number].node);
		}
		else if (node != NULL)
			shadow_add(p, trial, node);
	}
	if (p->full && ++p->accesses >= (uint64_t) EPOCH * entries)
		choose_trial(p);
}

/*
 * Nodes of a shadow for a cache of about so many entries.
 */
static uint32_t
shadow_nodes(uint32_t entries)
{
	uint32_t	nodes = SHADOW_MIN_NODES;

	while (nodes < SHADOW_MAX_NODES && nodes < entries)
		nodes *= 2;
	return nodes;
}

/*
 * Bytes to allocate, aligned as for uint64_t, for a policy that is meant for
 * about so many entries.
 */
size_t
policy_size(PolicyAim aim, uint32_t expected_entries)
{
	return sizeof(Policy) +
		TRIALS * shadow_size(shadow_nodes(expected_entries)) +
		(aim == POLICY_LOAD_TIME ? (TRIALS + 1) * sizeof(Camp) : 0) +
		sketch_size(expected_entries);
}

/*
 * Gives a space the order of its main space.
 */
static void
space_set_camp(Space *space, Camp *camp)
{
	space->camp_offset = (size_t) ((char *) camp - (char *) space);
	camp_init(camp);
}

void
policy_init(Policy *p, PolicyAim aim, uint64_t capacity,
			uint32_t expected_entries)
{
	size_t		sketch_offset = policy_size(aim, expected_entries) -
		sketch_size(expected_entries);

	memset(p, 0, sketch_offset);
	p->aim = aim;
	p->random = UINT64_C(0x9e3779b97f4a7c15);
	p->sketch_offset = sketch_offset;
	p->sized_for = expected_entries;
	p->shadow_nodes = shadow_nodes(expected_entries);
	sketch_init(sketch_of(p), expected_entries);
	for (uint32_t trial = 0; trial < TRIALS; trial++)
	{
		PolicyCell *base = shadow_base(p, trial);

		for (uint32_t n = p->shadow_nodes; n > 0; n--)
		{
			base[n].node.next = p->shadow[trial].free;
			p->shadow[trial].free = n;
		}
	}
	if (aim == POLICY_LOAD_TIME)
	{
		Camp	   *camp = (Camp *) shadow_base(p, TRIALS);

		for (uint32_t trial = 0; trial < TRIALS; trial++)
			space_set_camp(&p->shadow[trial].space, camp++);
		space_set_camp(&p->space, camp);
	}
	p->space.trial = FIRST_TRIAL;
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
	shadows_resize(p);
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
	sketch_prefetch(sketch_of(p), hash);
}

/*
 * An access that found nothing.
 */
void
policy_miss(Policy *p, uint32_t hash)
{
	if (!policy_listens(p))
		return;
	sketch_add(sketch_of(p), hash);
	if (p->full && sampled(p, hash))
		shadows_access(p, hash, NULL);
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
	sketch_add(sketch_of(p), node->hash);
	space_touch(p, &p->space, base, ref);
	if (sampled(p, node->hash))
	{
		p->loads += node_weight(node);
		shadows_access(p, node->hash, node);
	}
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
		sketch_set_entries(sketch_of(p), count);
		shadows_resize(p);
	}
	else if (count >> p->sample_bits > p->shadow_nodes)
		shadows_resize(p);

	if (sampled(p, node->hash))
	{
		p->loads += node_weight(node);
		for (uint32_t trial = 0; trial < TRIALS; trial++)
		{
			if (shadow_find(p, trial, node->hash) == 0)
				shadow_add(p, trial, node);
		}
	}
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
	return space_evict(p, &p->space, base, rejected);
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
	return space_evict_any(p, &p->space, base);
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
	PolicyNode *node = policy_node(base, to);
	List	   *list;

	if (node->segment == POLICY_NONE)
		return;
	if (in_camp(&p->space, node))
	{
		camp_moved(camp_of(&p->space), base, from, to);
		return;
	}
	list = &p->space.list[node->segment];
	if (node->prev != 0)
		policy_node(base, node->prev)->next = to;
	else if (list->head == from)
		list->head = to;
	if (node->next != 0)
		policy_node(base, node->next)->prev = to;
	else if (list->tail == from)
		list->tail = to;
}
