/*-------------------------------------------------------------------------
 *
 * label.h
 *		Labels of what was made in loads.
 *
 * See label.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_LABEL_H
#define CACHE_LABEL_H

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

/* A label: first a callback, by whose function it is told. */
typedef struct Label
{
	MemoryContextCallback callback;
	Made		made;
} Label;

extern Label *label_find(MemoryContext context,
					   MemoryContextCallbackFunction tag);
extern Label *label_make(MemoryContext context,
					   MemoryContextCallbackFunction tag, Size size,
					   const Made *made);

/*
 * Were two things made under the same?
 */
static inline bool
label_equals(const Made *a, const Made *b)
{
	return a->settings == b->settings && a->ddl == b->ddl &&
		a->own_ddl == b->own_ddl;
}

#endif							/* CACHE_LABEL_H */
