/*-------------------------------------------------------------------------
 *
 * entry.h
 *		An entry in memory, for index.c, evict.c and store.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "arena.h"
#include "policy.h"
#include "registry.h"
#include "shared.h"
#include "store.h"

/* PolicyNode.flags */
#define ENTRY_DEAD		0x01	/* unlinked, in a list of dead entries */
#define ENTRY_OWN		0x02	/* belongs to its cache's own policy */
#define ENTRY_NULL		0x04	/* the value is an SQL NULL */
#define ENTRY_EXPIRES	0x08	/* the time of expiry precedes the key */

typedef struct Entry
{
	uint32		tag;			/* the arena's */
	ArenaRef	chain;			/* next in bucket, or in the list of the dead */
	PolicyNode	node;			/* the policy's; hash, flags, slot are ours */
	uint64		generation;		/* of the cache when this was stored */
	uint16		keylen;
	uint8		unused;			/* bytes at the end of the block */
	char		data[FLEXIBLE_ARRAY_MEMBER];	/* expiry, key, value */
} Entry;

#define ENTRY_HEADER		offsetof(Entry, data)
#define NODE_OFFSET			(offsetof(Entry, node) / POLICY_UNIT)

StaticAssertDecl(offsetof(Entry, node) % POLICY_UNIT == 0,
				 "the policy's references count its units");
StaticAssertDecl(STORE_MAX_KEY <= PG_UINT16_MAX, "lengths of keys fit");
StaticAssertDecl(POLICY_UNIT == ARENA_UNIT,
				 "the policy and the arena share their references");

static inline Entry *
entry_at(ArenaRef ref)
{
	return (Entry *) (cache_arena + (Size) ref * ARENA_UNIT);
}

static inline Bucket *
bucket_of(uint64 hash)
{
	return &cache_buckets[hash & (cache_shared->nbuckets - 1)];
}

/* The chain of a hash; the bucket has taken the lowest bits. */
static inline ArenaRef *
chain_of(uint64 hash)
{
	uint32		bits = (hash >> 32) & PG_UINT16_MAX;

	return &bucket_of(hash)->heads[(bits * BUCKET_CHAINS) >> 16];
}

static inline uint32
partition_of(uint64 hash)
{
	return hash & (SHARED_PARTITIONS - 1);
}

static inline Size
entry_keyoffset(const Entry *entry)
{
	return (entry->node.flags & ENTRY_EXPIRES) ? sizeof(TimestampTz) : 0;
}

/* Bytes of the value. */
static inline uint32
entry_vallen(const Entry *entry)
{
	return arena_block_units(entry->tag) * ARENA_UNIT - ENTRY_HEADER -
		entry_keyoffset(entry) - entry->keylen - entry->unused;
}

static inline TimestampTz
entry_expires(const Entry *entry)
{
	TimestampTz expires = 0;

	if (entry->node.flags & ENTRY_EXPIRES)
		memcpy(&expires, entry->data, sizeof(expires));
	return expires;
}

/* Can nobody use this entry any more? */
static inline bool
entry_is_stale(const Entry *entry, TimestampTz now)
{
	TimestampTz expires = entry_expires(entry);

	return entry->generation != cache_slots[entry->node.slot].fence.changes ||
		(expires != 0 && expires <= now);
}

#endif							/* CACHE_ENTRY_H */
