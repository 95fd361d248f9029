/*-------------------------------------------------------------------------
 *
 * tier.h
 *		L2: values in Redis.
 *
 * See tier.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_TIER_H
#define CACHE_TIER_H

#include "postgres.h"

#include "base/siphash.h"
#include "redis/codec.h"
#include "store/item.h"

#define TIER_MAC		SIPHASH_SIZE	/* bytes in front of a value */

extern void tier_define_settings(void);

extern bool tier_wanted(int slot);
extern bool tier_takes(const StoreKey *key);
extern bool tier_read(uint64 cache, const StoreKey *key, CodecValue *decoded,
					  StoreValue *value);

/* Told of value i. */
typedef void (*TierFound) (void *arg, int i, const CodecValue *decoded,
						   StoreValue *value);

extern void tier_read_many(uint64 cache, const StoreKey **keys, int n,
						   TierFound found, void *arg);
extern void tier_used(uint32 used, uint32 stale);
extern void tier_note_load(int slot, uint64 nanoseconds);
extern void tier_fill(uint64 cache, const StoreKey *key, CodecValue *value);

extern void tier_mac(const char *bytes, size_t size, uint8 *mac);

#endif							/* CACHE_TIER_H */
