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

#include "utils/timestamp.h"

#include "store/item.h"

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

/* How an entry stood with its policy: see policy_put_back. */
typedef struct StoreRank
{
	uint8		segment;
	uint8		frequency;
} StoreRank;

/* One that is to be stored as it was. */
typedef struct StoreBack
{
	StorePut	put;
	StoreLimit	limit;			/* of its cache, if that has no policy yet */
	StoreRank	rank;
} StoreBack;

extern bool store_get(const StoreKey *key, uint64 generation,
					  TimestampTz now, StoreValue *value);
extern StoreResult store_put(const StoreKey *key, const StoreValue *value,
							 const StoreLimit *limit,
							 StoreCheck check, void *arg);
extern void store_put_many(const StorePut *puts, int n, const StoreLimit *limit,
						   StoreCheck check);
extern int	store_put_back(const StoreBack *backs, int n, StoreCheck check);
extern Size store_max_entry(void);
extern void store_missed(const StoreKey *key);

#endif							/* CACHE_STORE_H */
