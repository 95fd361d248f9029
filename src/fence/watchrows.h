/*-------------------------------------------------------------------------
 *
 * watchrows.h
 *		How many rows the watches of a cache have seen written.
 *
 * See watchrows.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WATCHROWS_H
#define CACHE_WATCHROWS_H

#include "postgres.h"

/* A place among the counts of this backend; see watchrows_count. */
typedef struct WatchRows
{
	uint64		table;
	int			place;
} WatchRows;

extern void watchrows_count(WatchRows *rows, uint64 cache, const char *trigger);
extern void watchrows_end(bool commit);
extern int64 watchrows_read(uint64 cache, const char *trigger);

#endif							/* CACHE_WATCHROWS_H */
