/*-------------------------------------------------------------------------
 *
 * persist.h
 *		Fences and lineage survive a clean restart.
 *
 * See persist.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PERSIST_H
#define CACHE_PERSIST_H

#include "postgres.h"

#include "segment.h"

typedef struct SharedPersist
{
	bool		restored;		/* the fences and the lineage */
	bool		saved;			/* the same, at the end */
} SharedPersist;

extern const SegmentPart persist_part;

extern void persist_startup(void);
extern bool persist_has_restored(void);
extern bool persist_has_saved(void);

#endif							/* CACHE_PERSIST_H */
