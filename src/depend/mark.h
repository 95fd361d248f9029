/*-------------------------------------------------------------------------
 *
 * mark.h
 *		Marks of what was made in loads.
 *
 * See mark.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_MARK_H
#define CACHE_MARK_H

#include "postgres.h"

#include "utils/palloc.h"

/* What something was made under. */
typedef struct Made
{
	uint64		settings;		/* of the cache: its made_under; and whatever a
								 * function has set that is in progress */
	uint64		ddl;			/* how much DDL there had been */
	uint64		own_ddl;		/* the same of this session's */
} Made;

/* A mark: first a callback, by whose function it is told. */
typedef struct Mark
{
	MemoryContextCallback callback;
	Made		made;
} Mark;

extern Mark *mark_find(MemoryContext context,
					   MemoryContextCallbackFunction tag);
extern Mark *mark_make(MemoryContext context,
					   MemoryContextCallbackFunction tag, Size size,
					   const Made *made);

/*
 * Were two things made under the same?
 */
static inline bool
mark_equals(const Made *a, const Made *b)
{
	return a->settings == b->settings && a->ddl == b->ddl &&
		a->own_ddl == b->own_ddl;
}

#endif							/* CACHE_MARK_H */
