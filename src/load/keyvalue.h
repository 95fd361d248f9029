/*-------------------------------------------------------------------------
 *
 * keyvalue.h
 *		The values of caches without a loader, in their table.
 *
 * See keyvalue.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYVALUE_H
#define CACHE_KEYVALUE_H

#include "postgres.h"

#include "storage/lockdefs.h"
#include "utils/timestamp.h"

#define KEYVALUE_MAX_KEY	2048	/* bytes, what a B-tree can hold */

/* What was set for a key. */
typedef struct KeyValue
{
	Datum		value;			/* jsonb */
	bool		isnull;
	TimestampTz expires;		/* 0: never */
	uint64		cost;			/* 0: what the cache's entries cost */
} KeyValue;

typedef enum KeyValueState
{
	KEYVALUE_FOUND,
	KEYVALUE_EXPIRED,			/* it is there, and counts as absent */
	KEYVALUE_ABSENT
} KeyValueState;

extern KeyValueState keyvalue_load(uint64 cache, Datum key, KeyValue *found);
extern bool keyvalue_lock(uint64 cache, LOCKMODE mode);
extern void keyvalue_set(uint64 cache, Datum key, const KeyValue *value);
extern void keyvalue_delete(uint64 cache, Datum key);
extern void keyvalue_delete_all(uint64 cache);
extern void keyvalue_drop(uint64 cache);

extern void keyvalue_purge(void);
extern void keyvalue_reset(void);

#endif							/* CACHE_KEYVALUE_H */
