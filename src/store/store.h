/*-------------------------------------------------------------------------
 *
 * store.h
 *		L1: entries in shared memory, found by key.
 *
 * See store.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "base/prefix.h"

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

typedef enum StoreResult
{
	STORE_STORED,
	STORE_REFUSED,				/* by the caller's check */
	STORE_REJECTED				/* by admission, or too large */
} StoreResult;

/* Asked under the partition lock of the key before an entry is linked in. */
typedef bool (*StoreCheck) (void *arg);

/* One of several values to store, and what is asked of it. */
typedef struct StorePut
{
	const StoreKey *key;
	const StoreValue *value;
	void	   *arg;
} StorePut;

#define STORE_MAX_KEY	32768	/* bytes of a key's image */

extern bool store_get(const StoreKey *key, uint64 generation,
					  TimestampTz now, StoreValue *value);
extern StoreResult store_put(const StoreKey *key, const StoreValue *value,
							 const StoreLimit *limit,
							 StoreCheck check, void *arg);
extern void store_put_many(const StorePut *puts, int n, const StoreLimit *limit,
						   StoreCheck check);
extern Size store_max_entry(void);
extern void store_lock(uint64 hash, LWLockMode mode);
extern void store_unlock(uint64 hash);
extern uint32 store_unlink(uint64 hash);
extern void store_prefetch_key(uint64 hash);
extern void store_prefetch(uint64 hash);
extern void store_prefetch_entry(uint64 hash);
extern void store_missed(const StoreKey *key);

/* Where the walk over a cache's keys is: see store_next_keys. */
typedef struct StoreWalk
{
	uint32		start;			/* the bucket that it began with */
	uint32		done;			/* buckets that have been walked */
} StoreWalk;

extern void store_start_walk(StoreWalk *walk, bool anywhere);
extern List *store_next_keys(StoreWalk *walk, uint16 slot);

typedef struct StoreUsage
{
	uint64		entries;
	uint64		bytes;
	uint64		cost;			/* if the cache has a max_cost */
} StoreUsage;

extern void store_usage(StoreUsage *usage);

#endif							/* CACHE_STORE_H */
