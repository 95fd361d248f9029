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

extern bool store_get(const StoreKey *key, uint64 generation,
					  TimestampTz now, StoreValue *value);
extern StoreResult store_put(const StoreKey *key, const StoreValue *value,
							 const StoreLimit *limit,
							 StoreCheck check, void *arg);
extern void store_put_many(const StorePut *puts, int n, const StoreLimit *limit,
						   StoreCheck check);
extern Size store_max_entry(void);
extern void store_missed(const StoreKey *key);

#endif							/* CACHE_STORE_H */
