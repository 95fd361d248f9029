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
#include "definition/definition.h"
#include "definition/key.h"
#include "redis/codec.h"
#include "segment.h"

#define TIER_MAC		SIPHASH_SIZE	/* bytes in front of a value */
#define TIER_NAME		256		/* of a key in Redis, with its end */

extern const SegmentPart tier_marks_part;

extern void tier_define_settings(void);
extern char *tier_prefix;

extern bool tier_wanted(CacheDef *def);
extern bool tier_takes(const KeyBuffer *key);
extern bool tier_read(CacheDef *def, const KeyBuffer *key, CodecValue *decoded,
					  StoreValue *value);

/* Told of value i. */
typedef void (*TierFound) (void *arg, int i, const CodecValue *decoded,
						   StoreValue *value);

extern void tier_read_many(CacheDef *def, const KeyBuffer **keys, int n,
						   TierFound found, void *arg);
extern void tier_used(uint32 used, uint32 stale);
extern void tier_note_load(CacheDef *def, uint64 nanoseconds);
extern void tier_fill(CacheDef *def, const KeyBuffer *key, CodecValue *value);

extern bool tier_unmark(uint64 hash);
extern bool tier_command(int nargs, const char **args, size_t *lengths,
						 char *answer, size_t size);
extern void tier_probe_name(char *name);
extern int	tier_name(char *name, Oid dbid, uint64 cache, uint64 hash,
					  uint32 variant);
extern void tier_mac(const char *bytes, size_t size, uint8 *mac);

#endif							/* CACHE_TIER_H */
