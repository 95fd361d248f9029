/*-------------------------------------------------------------------------
 *
 * sketch.h
 *	  How often a key was used lately: a count-min sketch with aging.
 *
 * Four rows of 4-bit saturating counters (Cormode and Muthukrishnan's
 * count-min sketch with conservative update), halved after every sample
 * period as TinyLFU asks (Einziger, Friedman, Manes: "TinyLFU: A Highly
 * Efficient Cache Admission Policy").
 *
 * A sketch is one block of memory without pointers: it may live in shared
 * memory that is mapped at different addresses.  It has no lock of its own;
 * whoever owns the block serialises all calls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SKETCH_H
#define CACHE_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#define SKETCH_MAX_COUNT	15	/* a counter has four bits */

typedef struct Sketch
{
	uint32_t	word_mask;		/* number of words of a row, less one */
	uint32_t	age_next;		/* next word to halve, or age_end */
	uint32_t	age_end;		/* number of words of all rows */
	uint32_t	reserved;
	uint64_t	additions;		/* counted since the last halving */
	uint64_t	period;			/* halve after this many additions */
	uint64_t	words[];		/* four rows, sixteen counters in a word */
} Sketch;

extern size_t sketch_size(uint32_t entries);
extern void sketch_init(Sketch *sketch, uint32_t entries);
extern void sketch_set_entries(Sketch *sketch, uint32_t entries);
extern void sketch_add(Sketch *sketch, uint64_t hash);
extern void sketch_prefetch(const Sketch *sketch, uint64_t hash);
extern uint32_t sketch_estimate(const Sketch *sketch, uint64_t hash);

#endif							/* CACHE_SKETCH_H */
