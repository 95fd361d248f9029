/*-------------------------------------------------------------------------
 *
 * shadow.h
 *	  Miniature simulations that choose the window.
 *
 * See shadow.c.  Shadows are one block without pointers.  They have no lock of
 * their own: whoever owns the policy serialises all calls.  No call fails,
 * allocates or loops without a bound.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SHADOW_H
#define CACHE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/admission.h"
#include "policy/node.h"
#include "policy/space.h"

#define SHADOW_EPOCH	4		/* accesses for each entry between choices */

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

/* One for each trial, under its index */
typedef struct Shadows
{
	uint32_t	nodes;			/* of one shadow, a power of two */
	uint32_t	sample_bits;	/* one key in 2^sample_bits is sampled */
	uint32_t	accesses;		/* sampled ones in this epoch */
	bool		by_load;		/* an access counts its load time */
	double		loads;			/* what they count, by load time */
	double		weight;			/* all sampled accesses, aged as hits are */
	Shadow		shadow[SPACE_TRIALS];
	PolicyCell	memory[];		/* nodes and indexes, orders by load time */
} Shadows;

/*
 * Whether the shadows see a key.  The caller may have used any bits of the
 * hash to choose among policies, so they are spread anew.
 */
static inline bool
shadows_sample(const Shadows *shadows, uint32_t hash)
{
	return shadows->sample_bits == 0 ||
		(hash * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - shadows->sample_bits) == 0;
}

/*
 * Counts a sampled access to a cache that is full and has so many entries.  Is
 * this the end of an epoch, at which to ask shadows_choose?
 */
static inline bool
shadows_epoch(Shadows *shadows, uint32_t count)
{
	return ++shadows->accesses >=
		(uint64_t) SHADOW_EPOCH * (count >> shadows->sample_bits);
}

/*
 * Whether so many entries of the cache are too many for the present sample.
 */
static inline bool
shadows_overflow(const Shadows *shadows, uint32_t count)
{
	return count >> shadows->sample_bits > shadows->nodes;
}

extern size_t shadows_size(uint32_t expected_entries, bool by_load);
extern void shadows_init(Shadows *shadows, uint32_t expected_entries,
						 bool by_load);
extern void shadows_resize(Shadows *shadows, Admission *admission,
						   const Space *cache, bool full);
extern void shadows_add(Shadows *shadows, Admission *admission,
						const PolicyNode *node);
extern void shadows_access(Shadows *shadows, Admission *admission,
						   uint32_t hash, const PolicyNode *node);
extern uint32_t shadows_choose(Shadows *shadows, uint32_t trial);

#endif							/* CACHE_SHADOW_H */
