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
	uint64		server;			/* random; whose loads have noted what they met here */
	pg_atomic_uint64 bits[DEPENDENCY_WORDS];
} SharedDependencies;

extern SharedDependencies *shared_dependencies;

extern const SegmentPart dependencies_part;

/*
 * Whether loads may mean something: if a member of each of these groups is there.
 * A group without members is left out.
 */
#define DEPENDENCY_GROUPS	2
#define DEPENDENCY_HASHES	3

typedef struct DependencyTest
{
	uint64		hashes[DEPENDENCY_GROUPS][DEPENDENCY_HASHES];	/* 0: none */
} DependencyTest;

typedef void (*DependencyRecorder) (const DependencyTest *test);

extern bool dependency_set_has(uint64 hash);
extern bool dependency_set_passes(const DependencyTest *test);
extern void dependency_set_record(DependencyRecorder recorder);
extern void dependency_set_add(uint64 hash);

#endif							/* CACHE_DEPENDENCYSET_H */
