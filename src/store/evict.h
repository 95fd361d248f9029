/*-------------------------------------------------------------------------
 *
 * evict.h
 *		Memory for entries, and which entries have to go.
 *
 * See evict.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_EVICT_H
#define CACHE_EVICT_H

#include "postgres.h"

#include "fence/registry.h"
#include "policy/policy.h"
#include "store/arena.h"
#include "store/item.h"

extern void evict_note(uint64 hash, ArenaRef ref, uint16 slot);
extern void evict_set_listens(CacheSlot *slot, const Policy *policy);
extern void evict_hear(void);
extern bool evict_make_policy(CacheSlot *slot, const StoreLimit *limit,
							  TimestampTz now);
extern Policy *evict_slot_policy(CacheSlot *slot);
extern void evict_resize_pool(void);
extern uint32 evict_arena_total(void);
extern uint32 evict_arena_slack(void);
extern ArenaRef evict_reserve(uint32 units, CacheSlot *wanting,
							  TimestampTz now);
extern void evict_made(ArenaRef ref);
extern void evict_free(ArenaRef ref);
extern bool evict_reap(void);
extern void evict_entry(ArenaRef ref, bool rejected, TimestampTz now);
extern void evict_sweep(TimestampTz now);

#endif							/* CACHE_EVICT_H */
