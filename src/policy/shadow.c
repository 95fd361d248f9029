/*-------------------------------------------------------------------------
 *
 * shadow.c
 *	  Miniature simulations that choose the window.
 *
 * How large a window is best differs between workloads from nothing to the
 * whole cache.  It is found by simulation, as the authors of TinyLFU propose in
 * "Adaptive Software Cache Management" (Einziger, Eytan, Friedman, Manes;
 * Middleware 2018): for each of a few windows a shadow, a small cache of keys
 * without values, sees a sample of the accesses, chosen by hash, and a cache
 * that is as much smaller as the sample is (Waldspurger and others: "Cache
 * Modeling and Optimization using Miniature Simulations").  The cache follows
 * the shadow with the most hits or, where load time is to be saved, the one
 * whose hits save most of it.  A hill climber would mistake changes of the hit
 * ratio that have other causes for the effect of its last step, and has to
 * search anew after every change of the workload.  The shadows run the same
 * code as the cache and ask the same sketch.
 *
 * The block: the fixed part; for each shadow its nodes, from number 0, which is
 * not used, and its index; the shadows' orders by load time.
 *
 * Locking is the owner's, see shadow.h.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/shadow.h"

#include <string.h>

#include "policy/camp.h"

#define SHADOW_MAX_NODES	256 /* powers of two */
#define SHADOW_MIN_NODES	64
#define SCORE_DECAY			0.9 /* what an epoch leaves of earlier hits */
#define SCORE_MARGIN		0.002	/* gain in hit ratio that is worth a change */

/*
 * Bytes of a shadow's nodes and index.
 */
static size_t
block_size(uint32_t nodes)
{
	return (nodes + 1) * sizeof(PolicyCell) + nodes * sizeof(uint16_t);
}

static inline PolicyCell *
shadow_base(Shadows *shadows, uint32_t trial)
{
	return (PolicyCell *) ((char *) shadows->memory +
						   trial * block_size(shadows->nodes));
}

static inline uint16_t *
shadow_bucket(Shadows *shadows, uint32_t trial, uint32_t hash)
{
	uint16_t   *buckets = (uint16_t *) (shadow_base(shadows, trial) +
										shadows->nodes + 1);

	return &buckets[((hash * UINT64_C(0xd1b54a32d192ed03)) >> 40) &
					(shadows->nodes - 1)];
}

/*
 * Number of a key's node in a shadow, 0 when it is not there.
 */
static uint32_t
shadow_find(Shadows *shadows, uint32_t trial, uint32_t hash)
{
	PolicyCell *base = shadow_base(shadows, trial);
	uint32_t	number = *shadow_bucket(shadows, trial, hash);

	while (number != 0 && base[number].node.hash != hash)
		number = base[number].node.slot;
	return number;
}

/*
 * Takes a node that is already unlinked out of a shadow's index.
 */
static void
shadow_forget(Shadows *shadows, uint32_t trial, PolicyRef ref)
{
	PolicyCell *base = shadow_base(shadows, trial);
	uint32_t	number = ref / CELL_UNITS;
	uint16_t   *link = shadow_bucket(shadows, trial, base[number].node.hash);

	while (*link != number)
		link = &base[*link].node.slot;
	*link = base[number].node.slot;
	base[number].node.next = shadows->shadow[trial].free;
	shadows->shadow[trial].free = number;
}

/*
 * Makes a shadow hold no more than its capacity.
 */
static void
shadow_evict(Shadows *shadows, Admission *admission, uint32_t trial)
{
	Space	   *space = &shadows->shadow[trial].space;
	PolicyCell *base = shadow_base(shadows, trial);
	PolicyRef	ref;
	bool		rejected;

	while ((ref = admission_evict(admission, space, base, &rejected)) != 0)
		shadow_forget(shadows, trial, ref);
}

/*
 * Takes the key of one of the cache's nodes, which is not there, into a shadow.
 */
static void
shadow_add(Shadows *shadows, Admission *admission, uint32_t trial,
		   const PolicyNode *node)
{
	Shadow	   *shadow = &shadows->shadow[trial];
	PolicyCell *base = shadow_base(shadows, trial);
	uint16_t   *bucket = shadow_bucket(shadows, trial, node->hash);
	uint32_t	number;

	if (shadow->free == 0)
		shadow_forget(shadows, trial,
					  admission_evict_any(admission, &shadow->space, base));
	number = shadow->free;
	shadow->free = base[number].node.next;
	base[number].node.hash = node->hash;
	base[number].node.cost = node->cost;
	base[number].node.load = node->load;
	base[number].node.slot = *bucket;
	*bucket = (uint16_t) number;
	space_add(&shadow->space, base, number * CELL_UNITS);
	shadow_evict(shadows, admission, trial);
}

/*
 * Nodes of a shadow for a cache of about so many entries.
 */
static uint32_t
count_nodes(uint32_t entries)
{
	uint32_t	nodes = SHADOW_MIN_NODES;

	while (nodes < SHADOW_MAX_NODES && nodes < entries)
		nodes *= 2;
	return nodes;
}

/*
 * Bytes to allocate, aligned as for uint64_t, for a cache of about so many
 * entries.
 */
size_t
shadows_size(uint32_t expected_entries, bool by_load)
{
	return sizeof(Shadows) +
		SPACE_TRIALS * block_size(count_nodes(expected_entries)) +
		(by_load ? SPACE_TRIALS * sizeof(Camp) : 0);
}

/*
 * Makes empty shadows of capacity 0.  Where load time is to be saved, all
 * count by it.
 */
void
shadows_init(Shadows *shadows, uint32_t expected_entries, bool by_load)
{
	Camp	   *camp;

	memset(shadows, 0, shadows_size(expected_entries, by_load));
	shadows->nodes = count_nodes(expected_entries);
	shadows->by_load = by_load;
	camp = (Camp *) shadow_base(shadows, SPACE_TRIALS);
	for (uint32_t trial = 0; trial < SPACE_TRIALS; trial++)
	{
		PolicyCell *base = shadow_base(shadows, trial);

		for (uint32_t n = shadows->nodes; n > 0; n--)
		{
			base[n].node.next = shadows->shadow[trial].free;
			shadows->shadow[trial].free = n;
		}
		if (by_load)
			space_set_camp(&shadows->shadow[trial].space, camp++);
	}
}

/*
 * Fits sample and shadows to the cache's present count and capacity.  Something
 * had to go from a full one.
 */
void
shadows_resize(Shadows *shadows, Admission *admission, const Space *cache,
			   bool full)
{
	uint32_t	bits = shadows->sample_bits;

	while (cache->count >> bits > shadows->nodes)
		bits++;
	while (full && bits > 0 &&
		   cache->count >> (bits - 1) <= shadows->nodes / 4 * 3)
		bits--;
	if (bits != shadows->sample_bits)
		shadows->accesses = shadows->loads = 0;
	for (uint32_t trial = 0; trial < SPACE_TRIALS; trial++)
	{
		Space	   *space = &shadows->shadow[trial].space;
		PolicyCell *base = shadow_base(shadows, trial);
		uint32_t	old_bits = shadows->sample_bits;

		shadows->sample_bits = bits;
		for (uint32_t n = 1; bits > old_bits && n <= shadows->nodes; n++)
		{
			if (base[n].node.segment != POLICY_NONE &&
				!shadows_sample(shadows, base[n].node.hash))
				shadow_forget(shadows, trial,
							  space_drop(space, base, n * CELL_UNITS));
		}
		shadows->sample_bits = old_bits;
		space_set(space, cache->capacity >> bits, trial);
		shadow_evict(shadows, admission, trial);
	}
	shadows->sample_bits = bits;
}

/*
 * Shows the shadows a sampled key that is new in the cache.
 */
void
shadows_add(Shadows *shadows, Admission *admission, const PolicyNode *node)
{
	shadows->loads += node_weight(node);
	for (uint32_t trial = 0; trial < SPACE_TRIALS; trial++)
	{
		if (shadow_find(shadows, trial, node->hash) == 0)
			shadow_add(shadows, admission, trial, node);
	}
}

/*
 * Shows the shadows an access to a sampled key.  The node is that of the
 * cache, NULL on a miss.
 */
void
shadows_access(Shadows *shadows, Admission *admission, uint32_t hash,
			   const PolicyNode *node)
{
	const Sketch *sketch = admission_sketch(admission);

	if (node != NULL)
		shadows->loads += node_weight(node);
	for (uint32_t trial = 0; trial < SPACE_TRIALS; trial++)
	{
		Shadow	   *shadow = &shadows->shadow[trial];
		uint32_t	number = shadow_find(shadows, trial, hash);

		if (number != 0)
		{
			space_touch(&shadow->space, sketch, shadow_base(shadows, trial),
						number * CELL_UNITS);
			shadow->hits += node_weight(&shadow_base(shadows, trial)[number].node);
		}
		else if (node != NULL)
			shadow_add(shadows, admission, trial, node);
	}
}

/*
 * Ends an epoch.  Takes the index of the cache's present trial and returns that
 * of the one to follow by the shadows' hits.
 */
uint32_t
shadows_choose(Shadows *shadows, uint32_t trial)
{
	uint32_t	present = trial;
	uint32_t	best = trial;

	shadows->weight += shadows->by_load ? shadows->loads : shadows->accesses;
	shadows->accesses = 0;
	shadows->loads = 0;
	for (trial = 0; trial < SPACE_TRIALS; trial++)
	{
		if (shadows->shadow[trial].hits > shadows->shadow[best].hits)
			best = trial;
	}
	if (shadows->shadow[best].hits <=
		shadows->shadow[present].hits + shadows->weight * SCORE_MARGIN)
		best = present;
	for (trial = 0; trial < SPACE_TRIALS; trial++)
		shadows->shadow[trial].hits *= SCORE_DECAY;
	shadows->weight *= SCORE_DECAY;
	return best;
}
