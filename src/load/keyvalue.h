/*-------------------------------------------------------------------------
 *
 * keyvalue.h
 *		The values of caches without a loader, in their tables.
 *
 * See keyvalue.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYVALUE_H
#define CACHE_KEYVALUE_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/timestamp.h"

#include "definition/cachedef.h"

/* Columns of the tables cache_value and cache_value_logged */
enum
{
	ANUM_VALUE_CACHE = 1,
	ANUM_VALUE_KEY,
	ANUM_VALUE_VALUE,
	ANUM_VALUE_EXPIRES,
	ANUM_VALUE_COST,
	ANUM_VALUE_NAME,			/* the cache's, in cache_value_logged only */
	VALUE_COLUMNS = ANUM_VALUE_NAME
};

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

/* Where a cache has its rows. */
typedef struct KeyValueHome
{
	uint64		cache;
	bool		logged;
	NameData	name;
} KeyValueHome;

extern KeyValueState keyvalue_load(const CacheDef *def, Datum key,
								   KeyValue *found);
extern List *keyvalue_logged_caches(void);
extern bool keyvalue_lock(uint64 cache, LOCKMODE mode);
extern bool keyvalue_is_writing(void);
extern KeyValueHome keyvalue_home(const CacheDef *def);
extern void keyvalue_set(const KeyValueHome *home, Datum key,
						 const KeyValue *value);
extern void keyvalue_delete(const KeyValueHome *home, Datum key);
extern void keyvalue_delete_all(const KeyValueHome *home);
extern void keyvalue_move(const KeyValueHome *home);
extern void keyvalue_drop(const KeyValueHome *home);

extern void keyvalue_purge(void);
extern void keyvalue_reset(void);

#endif							/* CACHE_KEYVALUE_H */
