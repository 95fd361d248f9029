/*-------------------------------------------------------------------------
 *
 * dependencyset.h
 *		The set of what loads depend on, besides the relations that they read.
 *
 * See dependencyset.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_DEPENDENCYSET_H
#define CACHE_DEPENDENCYSET_H

#include "postgres.h"

#include "port/atomics.h"

#include "segment.h"

#define DEPENDENCY_BITS		(1 << 22)	/* a power of two */
#define DEPENDENCY_WORDS	(DEPENDENCY_BITS / 64)

/* Set bits are never cleared. */
typedef struct SharedDependencies
{
	pg_atomic_uint64 bits[DEPENDENCY_WORDS];
} SharedDependencies;

extern SharedDependencies *shared_dependencies;

extern const SegmentPart dependencies_part;

extern bool dependency_set_has(uint64 hash);
extern void dependency_set_add(uint64 hash);

#endif							/* CACHE_DEPENDENCYSET_H */
