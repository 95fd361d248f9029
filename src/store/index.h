/*-------------------------------------------------------------------------
 *
 * index.h
 *		Finding entries: buckets and their chains.
 *
 * See index.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_INDEX_H
#define CACHE_INDEX_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "store/arena.h"
#include "store/item.h"

extern ArenaRef index_read(const StoreKey *key, uint64 generation,
						   TimestampTz now, StoreValue *value);
extern void index_link(ArenaRef ref, const StoreKey *key, TimestampTz now);
extern bool index_has(const StoreKey *key);
extern bool index_remove(ArenaRef ref);
extern bool index_move(ArenaRef from, ArenaRef to);
extern uint32 index_unlink(uint64 hash);
extern void index_prefetch_key(uint64 hash);
extern void index_prefetch(uint64 hash);
extern void index_prefetch_entry(uint64 hash);

/* Where the walk over a cache's keys is: see index_next_keys. */
typedef struct IndexWalk
{
	uint32		start;			/* the bucket that it began with */
	uint32		done;			/* buckets that have been walked */
} IndexWalk;

extern void index_start_walk(IndexWalk *walk, bool anywhere);
extern List *index_next_keys(IndexWalk *walk, uint16 slot);

typedef struct IndexUsage
{
	uint64		entries;
	uint64		bytes;
	uint64		cost;			/* if the cache has a max_cost */
} IndexUsage;

extern void index_usage(IndexUsage *usage);

#endif							/* CACHE_INDEX_H */
