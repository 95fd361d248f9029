/*-------------------------------------------------------------------------
 *
 * fetch.h
 *		The steps of a get, for get.c and getmany.c.
 *
 * See get.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_FETCH_H
#define CACHE_FETCH_H

#include "postgres.h"

#include "definition/key.h"
#include "fence/stats.h"
#include "protocol/coherence.h"
#include "redis/codec.h"
#include "store/item.h"

/* One call. */
typedef struct Fetch
{
	CacheDef   *def;
	Datum	   *args;
	const bool *nulls;
	Oid			collation;
	bool		native;
	bool	   *isnull;
	KeyBuffer	key;
	CoherentGet get;
	uint64		load_time;		/* of fetch_load, in nanoseconds */
} Fetch;

extern bool fetch_start(Fetch *fetch, CacheDef *def, Datum *args,
						const bool *nulls, Oid collation, bool native,
						bool *isnull);
extern bool fetch_try(Fetch *fetch, StoreValue *value);
extern Datum fetch_hit(Fetch *fetch, StoreValue *value, StatsCounter counter);
extern bool fetch_settle(Fetch *fetch);
extern bool fetch_may_ask(Fetch *fetch);
extern bool fetch_accept(Fetch *fetch, const CodecValue *received,
						 StoreValue *value);
extern bool fetch_convert(Fetch *fetch, StatsCounter counter, Datum *answer);
extern Datum fetch_otherwise(Fetch *fetch, bool asked);

#endif							/* CACHE_FETCH_H */
