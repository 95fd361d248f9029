/*-------------------------------------------------------------------------
 *
 * admission.h
 *	  What goes when a space is full, and what may stay: TinyLFU.
 *
 * See admission.c.  Locking is the owner's, as for the spaces.  No call fails,
 * allocates or loops without a bound.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ADMISSION_H
#define CACHE_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/node.h"
#include "policy/sketch.h"
#include "policy/space.h"

/* What the cache and its shadows decide by, all alike */
typedef struct Admission
{
	uint64_t	random;			/* state of the generator, never 0 */
	size_t		sketch_offset;	/* to the sketch, which is in the same block */
} Admission;

static inline Sketch *
admission_sketch(Admission *admission)
{
	return (Sketch *) ((char *) admission + admission->sketch_offset);
}

extern void admission_init(Admission *admission, Sketch *sketch,
						   uint32_t expected_entries);
extern PolicyRef admission_evict(Admission *admission, Space *space, void *base,
								 bool *rejected);
extern PolicyRef admission_evict_any(Admission *admission, Space *space,
									 void *base);

#endif							/* CACHE_ADMISSION_H */
