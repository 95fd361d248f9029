/*-------------------------------------------------------------------------
 *
 * entry.h
 *		An entry in memory, for index.c, evict.c and store.c.
 *
 * See entry.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "fence/keyfence.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "policy/policy.h"
#include "store/arena.h"
#include "segment.h"
#include "store/item.h"

#define BUCKET_CHAINS			15

/* Chains of entries, a cache line of them; one sequence number covers all. */
typedef struct Bucket
{
	pg_atomic_uint32 seq;		/* odd while a writer is inside */
	ArenaRef	heads[BUCKET_CHAINS];	/* first entries, or 0 */
} Bucket;

StaticAssertDecl(sizeof(Bucket) == 64, "a bucket is one cache line");

/* What the entries of the arena consist of, linked or dead. */
typedef struct EntryTotals
{
	uint64		units;			/* of their blocks */
	uint64		keys;			/* bytes */
	uint64		values;
	uint64		unused;
} EntryTotals;

/* Beside the buckets, the pool's policy and the arena */
typedef struct SharedStore
{
	/* Every hit reads this; store lock to write it. */
	bool		pool_listens;	/* see evict_note */

	/* What follows is written often. */
	char		apart[PG_CACHE_LINE_SIZE];

	pg_atomic_uint32 ndead;		/* entries waiting to be reaped */
	uint32		dead[KEY_PARTITIONS];	/* their lists; partition locks */

	/* Under the store lock */
	uint32		sweep_left;		/* blocks still to be swept */
	uint64		own_units;		/* of entries in caches' own policies */
	uint64		policy_units;	/* of these policies themselves */
	EntryTotals entries;		/* of the arena */
	Arena		arena;
} SharedStore;

extern SharedStore *shared_store;
extern Bucket *shared_buckets;
extern Policy *shared_policy;
extern char *shared_arena;
extern LWLock *shared_store_lock;

/* Written when the process attaches */
extern uint32 store_nbuckets;	/* a power of two, >= KEY_PARTITIONS */
extern uint32 store_pool_entries;	/* what the pool's policy was made for */
extern uint64 store_arena_bytes;

/* cache.policy: a PolicyAim */
extern int	store_policy_aim;

extern const SegmentPart store_part;
extern const SegmentPart store_buckets_part;
extern const SegmentPart store_pool_part;
extern const SegmentPart store_arena_part;

/* PolicyNode.flags */
#define ENTRY_DEAD		0x01	/* unlinked, in a list of dead entries */
#define ENTRY_OWN		0x02	/* belongs to its cache's own policy */
#define ENTRY_EXPIRES	0x04	/* the time of expiry precedes the key */
#define ENTRY_VARLENA	0x08	/* the value's length word is left out */
#define ENTRY_UNUSED	4		/* shift: bytes at the end of the block */

/* Generations of a cache that can be told apart; later ones are not stored. */
#define ENTRY_GENERATIONS	((uint64) 1 << 40)

typedef struct Entry
{
	uint32		tag;			/* the arena's */
	ArenaRef	chain;			/* next in bucket, or in the list of the dead */
	PolicyNode	node;			/* the policy's; hash, flags, slot are ours */
	uint32		generation_low; /* of the cache when this was stored */
	uint8		generation_high;
	uint8		prefix;			/* of the key, see slot_find_prefix */
	uint16		keylen;
	char		data[FLEXIBLE_ARRAY_MEMBER];	/* expiry, key, value */
} Entry;

#define ENTRY_HEADER		offsetof(Entry, data)
#define NODE_OFFSET			(offsetof(Entry, node) / POLICY_UNIT)

StaticAssertDecl(ENTRY_HEADER == 36, "no padding");
StaticAssertDecl(offsetof(Entry, node) % POLICY_UNIT == 0,
				 "the policy's references count its units");
StaticAssertDecl(STORE_MAX_KEY <= PG_UINT16_MAX, "lengths of keys fit");
StaticAssertDecl((ARENA_UNIT * ARENA_MIN_UNITS) << ENTRY_UNUSED <= PG_UINT8_MAX + 1,
				 "so do those of what is not used");
StaticAssertDecl(POLICY_UNIT == ARENA_UNIT,
				 "the policy and the arena share their references");

static inline Entry *
entry_at(ArenaRef ref)
{
	return (Entry *) (shared_arena + (Size) ref * ARENA_UNIT);
}

static inline Bucket *
bucket_of(uint64 hash)
{
	return &shared_buckets[hash & (store_nbuckets - 1)];
}

/*
 * The chain of a hash.  The bucket has taken the lowest bits, and of 32 only
 * an entry knows.
 */
static inline ArenaRef *
chain_of(uint64 hash)
{
	uint32		bits = (uint32) hash >> 16;

	return &bucket_of(hash)->heads[(bits * BUCKET_CHAINS) >> 16];
}

static inline Size
entry_keyoffset(const Entry *entry)
{
	return (entry->node.flags & ENTRY_EXPIRES) ? sizeof(TimestampTz) : 0;
}

static inline uint32
entry_unused(const Entry *entry)
{
	return entry->node.flags >> ENTRY_UNUSED;
}

/* Bytes of the value, as it is stored. */
static inline uint32
entry_vallen(const Entry *entry)
{
	return arena_block_units(entry->tag) * ARENA_UNIT - ENTRY_HEADER -
		entry_keyoffset(entry) - entry->keylen - entry_unused(entry);
}

/* An SQL NULL takes no room; all that does not either has its length word. */
static inline bool
entry_is_null(const Entry *entry)
{
	return !(entry->node.flags & ENTRY_VARLENA) && entry_vallen(entry) == 0;
}

static inline uint64
entry_generation(const Entry *entry)
{
	return (uint64) entry->generation_high << 32 | entry->generation_low;
}

/* What of a key's image an entry has. */
static inline uint32
stored_key(const StoreKey *key, const char **bytes)
{
	uint32		skip = key->prefix == SLOT_WHOLE_KEY ? 0 : sizeof(KeyPrefix);

	*bytes = key->image + skip;
	return key->len - skip;
}

/* What of a value. */
static inline uint32
stored_value(const StoreValue *value, const char **bytes)
{
	uint32		skip = value->varlena ? VARHDRSZ : 0;

	*bytes = value->data + skip;
	return value->len - skip;
}

static inline TimestampTz
entry_expires(const Entry *entry)
{
	TimestampTz expires = 0;

	if (entry->node.flags & ENTRY_EXPIRES)
		memcpy(&expires, entry->data, sizeof(expires));
	return expires;
}

static inline bool
entry_has_expired(const Entry *entry, TimestampTz now)
{
	TimestampTz expires = entry_expires(entry);

	return expires != 0 && expires <= now;
}

/*
 * Has the role whose it is been given other rights?  Of an entry of the slot's
 * present generation, as others' prefixes have been replaced.
 */
static inline bool
entry_has_old_role(const Entry *entry)
{
	KeyPrefix	prefix;

	if (entry->prefix == SLOT_WHOLE_KEY)
		memcpy(&prefix, entry->data + entry_keyoffset(entry), sizeof(prefix));
	else
		prefix = shared_slots[entry->node.slot].prefixes[entry->prefix - 1];
	return OidIsValid(prefix.role) &&
		prefix.role_changes != role_fence_changes(role_fence(prefix.role));
}

/* Can nobody use this entry any more? */
static inline bool
entry_is_stale(const Entry *entry, TimestampTz now)
{
	return entry_generation(entry) != shared_slots[entry->node.slot].fence.changes ||
		entry_has_expired(entry, now) || entry_has_old_role(entry);
}

#endif							/* CACHE_ENTRY_H */
