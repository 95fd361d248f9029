/*-------------------------------------------------------------------------
 *
 * admission.c
 *	  What goes when a space is full, and what may stay: TinyLFU.
 *
 * Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission
 * Policy" (ACM Transactions on Storage, 2017).  What falls out of a space's
 * window is a candidate for its main space; once that is full, a candidate is
 * admitted only if the sketch knows it as used more often than the entries it
 * would push out, together (Einziger, Eytan, Friedman, Manes: "Lightweight
 * Robust Size Aware Cache Management"); how much entries of different sizes are
 * worth to each other, weigh_victims says.
 *
 * Where load time is to be saved, an entry counts as often as it is used times
 * how long it took to load.
 *
 * Locking is the owner's, see admission.h.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/admission.h"

#define MAX_VICTIMS			16	/* victims looked at for one candidate */
#define MAX_HANDICAP		7	/* half of what a counter can hold */
#define MAX_MOVES			8	/* from the window to the main space, by one call */
#define DEMOTE_CHANCE		4	/* of one in so many admissions, see demote_idle */
#define WARM_FREQUENCY		6	/* so warm a candidate may win by chance */
#define WARM_CHANCE			128 /* of one in so many */

/*
 * Makes an empty sketch for about so many entries in memory that is behind the
 * admission in the same block.
 */
void
admission_init(Admission *admission, Sketch *sketch, uint32_t expected_entries)
{
	admission->random = UINT64_C(0x9e3779b97f4a7c15);
	admission->sketch_offset = (size_t) ((char *) sketch - (char *) admission);
	sketch_init(sketch, expected_entries);
}

/*
 * The generator of Marsaglia's "Xorshift RNGs".
 */
static uint64_t
next_random(Admission *admission)
{
	admission->random ^= admission->random << 13;
	admission->random ^= admission->random >> 7;
	admission->random ^= admission->random << 17;
	return admission->random;
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

/*
 * Weighs victims of a main space that is not empty; max_handicap is in the
 * unit of node_weight.
 */
static void
weigh_victims(Admission *admission, Space *space, void *base, uint64_t needed,
			  double max_handicap, Worth *worth)
{
	const Sketch *sketch = admission_sketch(admission);
	bool		strict = space_trials[space->trial].strict;
	Camp	   *camp = space_camp(space);
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
		victim = space_main_tail(space);
	for (n = 0; n < MAX_VICTIMS && victim != 0 && freed < needed; n++)
	{
		PolicyNode *node = policy_node(base, victim);
		uint32_t	estimate = sketch_estimate(sketch, node->hash);
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
admit(Admission *admission, Space *space, void *base, PolicyNode *candidate,
	  uint64_t needed)
{
	const Sketch *sketch = admission_sketch(admission);
	uint32_t	frequency = sketch_estimate(sketch, candidate->hash);
	double		weight = node_weight(candidate);
	double		most = SKETCH_MAX_COUNT * weight;
	Worth		worth;

	if (space_main_tail(space) == 0)
		return false;

	/* It has been loaded once, though the sketch may not have heard of it. */
	if (space->camp_offset != 0 && frequency == 0)
		frequency = 1;
	weigh_victims(admission, space, base, needed, MAX_HANDICAP * weight, &worth);
	if (frequency * weight > worth.victims + worth.handicap)
		return true;

	/*
	 * A counter that is full says "at least": the more the victims are worth,
	 * the less likely is the candidate to be worth more.
	 */
	if (frequency >= SKETCH_MAX_COUNT && worth.victims > most &&
		next_random(admission) % (uint64_t) worth.victims < most)
		return true;

	/*
	 * One victim in demand must not protect its neighbours, too: it gets out
	 * of their way, and the next candidate is compared with others.
	 */
	if (worth.best != 0 && space->camp_offset == 0 &&
		policy_node(base, worth.best)->segment == POLICY_PROBATION)
		space_requeue(space, base, worth.best);

	/*
	 * Keys made to collide with a victim's counters could otherwise keep it
	 * in place for ever.
	 */
	return frequency >= WARM_FREQUENCY && worth.complete &&
		next_random(admission) % WARM_CHANCE == 0;
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
demote_idle(Admission *admission, Space *space, void *base,
			const PolicyNode *candidate)
{
	const Sketch *sketch = admission_sketch(admission);
	PolicyRef	ref = space->list[POLICY_PROTECTED].tail;
	PolicyNode *node;
	uint32_t	used;

	if (ref == 0)
		return;
	node = policy_node(base, ref);
	used = sketch_estimate(sketch, node->hash);
	if (used > 0 &&
		((node->cost == candidate->cost &&
		  used + 1 >= sketch_estimate(sketch, candidate->hash)) ||
		 next_random(admission) % DEMOTE_CHANCE != 0))
		return;
	space_requeue(space, base, ref);
}

/*
 * Unlinks and returns the next node that must go while the cost is above the
 * capacity, otherwise 0.
 */
PolicyRef
admission_evict(Admission *admission, Space *space, void *base, bool *rejected)
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
		if (ref == 0 || space_main_cost(space) > main_max ||
			(moves >= MAX_MOVES && space_main_tail(space) != 0))
			return space_drop_main(space, base);

		/* the main space is within its share, so the window is not */
		demote_idle(admission, space, base, node);
		after = space_main_cost(space) + node->cost;
		if (after > main_max &&
			!admit(admission, space, base, node, after - main_max))
		{
			*rejected = true;
			return space_drop(space, base, ref);
		}
		space_admit(space, admission_sketch(admission), base, ref);
	}
	return 0;
}

/*
 * Unlinks and returns one node of a space that has any.
 */
PolicyRef
admission_evict_any(Admission *admission, Space *space, void *base)
{
	uint64_t	capacity = space->capacity;
	PolicyRef	ref;
	bool		rejected;

	if (space->cost <= capacity)
		space_set(space, space->cost - 1, space->trial);
	ref = admission_evict(admission, space, base, &rejected);
	space_set(space, capacity, space->trial);
	return ref;
}
