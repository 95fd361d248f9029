/*-------------------------------------------------------------------------
 *
 * item.h
 *		Keys and values in the form in which they are stored.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ITEM_H
#define CACHE_ITEM_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "base/prefix.h"

#define STORE_MAX_KEY	32768	/* bytes of a key's image */

/* A key in the form in which entries are found. */
typedef struct StoreKey
{
	uint64		hash;			/* chooses partition, bucket and fence */
	const char *image;			/* a KeyPrefix, and then the key itself */
	uint32		len;
	uint16		slot;			/* of the registry */
	uint8		prefix;			/* its number there, or SLOT_WHOLE_KEY */
	bool		aside;			/* looking for it does not count as a use */
} StoreKey;

typedef struct StoreValue
{
	bool		isnull;
	bool		varlena;		/* data begins with its length, uncompressed */
	char	   *data;
	uint32		len;
	TimestampTz expires;		/* 0: never */
	uint64		cost;			/* 0: what the cache's entries cost */
	uint64		load_time;		/* nanoseconds that it took to get it */
	uint64		generation;		/* of the cache, see CacheSlot */
} StoreValue;

/* How much of a cache may be in memory. */
typedef struct StoreLimit
{
	uint64		max_cost;		/* 0: shares the pool */
	uint64		entry_cost;		/* 0: an entry costs its bytes */
} StoreLimit;

#endif							/* CACHE_ITEM_H */
