/*-------------------------------------------------------------------------
 *
 * loader.h
 *		Running loaders, and watching what they read.
 *
 * See loader.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_LOADER_H
#define CACHE_LOADER_H

#include "postgres.h"

#include "definition/definition.h"

typedef struct LoadResult
{
	Datum		value;
	Datum		native;			/* the same in the loader's own type */
	bool		isnull;
	bool		storable;		/* nothing that it read forbids it */
	TimestampTz expires;		/* not later than this; 0: no bound */
	uint64		cost;			/* 0: what the cache's entries cost */
} LoadResult;

extern void loader_run(CacheDef *def, Datum *args, const bool *nulls,
					   Oid collation, bool native, LoadResult *result);
extern void loader_convert(CacheDef *def, Oid collation, Datum value,
						   LoadResult *result);
extern bool loader_call_keys(CacheDef *def, Oid function,
							 void (*call) (void *), void *arg);

#endif							/* CACHE_LOADER_H */
