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

#include "store/arena.h"
#include "store/store.h"

extern ArenaRef index_read(const StoreKey *key, uint64 generation,
						   TimestampTz now, StoreValue *value);
extern void index_link(ArenaRef ref, const StoreKey *key, TimestampTz now);
extern bool index_remove(ArenaRef ref);
extern bool index_move(ArenaRef from, ArenaRef to);

#endif							/* CACHE_INDEX_H */
