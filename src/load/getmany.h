/*-------------------------------------------------------------------------
 *
 * getmany.h
 *		The read-through get of several keys.
 *
 * See getmany.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_GETMANY_H
#define CACHE_GETMANY_H

#include "postgres.h"

#include "definition/cachedef.h"

/* One of several keys, and its value once it is done. */
typedef struct FetchItem
{
	Datum		key;
	bool		keynull;
	bool		done;
	bool		isnull;
	Datum		value;
} FetchItem;

extern bool getmany_cached(CacheDef *def, FetchItem *item, Oid collation,
							   bool native);
extern bool getmany_fetch(CacheDef *def, FetchItem *items, int n,
							 Oid collation, bool native);

#endif							/* CACHE_GETMANY_H */
