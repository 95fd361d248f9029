/*-------------------------------------------------------------------------
 *
 * index.c
 *		Finding entries: buckets and their chains.
 *
 * The index is an array of buckets, each a cache line with the heads of some
 * chains of entries and a sequence number that covers them all.  An entry is
 * one block of the arena: header, key and value side by side, so that a hit
 * costs two dependent memory accesses, the bucket and the entry.
 *
 * Reading takes no lock and writes no shared memory.  A reader notes the
 * bucket's sequence number, walks the chain, copies the value with lengths
 * that it has seen to be those of an entry, and looks at the sequence number
 * again: if it has moved, or was odd, the copy may be garbage and the reader
 * starts over, after a few times under the partition lock.
 *
 * Whoever changes a chain, or anything in a linked entry that a reader looks
 * at, holds the partition lock exclusively and makes the sequence number odd
 * meanwhile.
 *
 * Invalidation needs only the partition lock, not the store lock, which
 * others may hold for longer: it unlinks the entry, marks it dead and leaves
 * it in the partition's list of dead entries.  The next holder of the store
 * lock frees them (evict.c).
 *
 * Locking: as each function says; see entry.c for the order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/s_lock.h"

#include "base/compat.h"
#include "base/prefetch.h"
#include "base/seqlock.h"
#include "fence/keyfence.h"
#include "fence/registry.h"
#include "fence/slotlists.h"
#include "fence/stats.h"
#include "store/entry.h"
#include "store/index.h"

/* After that many disturbed attempts a reader takes the partition lock. */
#define LOCKLESS_TRIES		16

/* How far index_next_keys goes at a time, to the end of a bucket. */
#define WALK_KEYS			256
#define WALK_BYTES			(256 * 1024)

/* How much of an entry is fetched before it is known how long it is. */
#define PREFETCH_LINE		64
#define PREFETCH_ENTRY		512

/* Buckets after which a walk looks whether it is cancelled */
#define WALK_BUCKETS		4096

/* memcmp() of two keys, most of which are short. */
static inline bool
same_bytes(const char *a, const char *b, uint32 len)
{
	if (len > 16)
		return memcmp(a, b, len) == 0;
	for (; len >= sizeof(uint32); len -= sizeof(uint32))
	{
		if (memcmp(a, b, sizeof(uint32)) != 0)
			return false;
		a += sizeof(uint32);
		b += sizeof(uint32);
	}
	while (len > 0)
	{
		if (*a++ != *b++)
			return false;
		len--;
	}
	return true;
}

/* Is an entry, whose data may be elsewhere, one of this key? */
static inline bool
entry_has_key(const Entry *entry, const char *data, const StoreKey *key)
{
	const char *bytes;

	return entry->node.hash == (uint32) key->hash &&
		entry->keylen == stored_key(key, &bytes) &&
		entry->node.slot == key->slot && entry->prefix == key->prefix &&
		same_bytes(data + entry_keyoffset(entry), bytes, entry->keylen);
}

/*
 * A key with this hash will be looked for soon.
 */
void
index_prefetch_key(uint64 hash)
{
	CACHE_PREFETCH_READ(bucket_of(hash));
}

/*
 * The entries of keys with this hash will be unlinked soon, as a rule: fetch
 * what that needs into the processor's cache, or what leads to it.
 */
void
index_prefetch(uint64 hash)
{
	CACHE_PREFETCH_WRITE(&shared_key_locks[key_partition(hash)]);
	CACHE_PREFETCH_WRITE(bucket_of(hash));
}

/*
 * Some time later: fetch the first of the entries.  Without a lock the chain
 * may say anything, but no harm comes of an address that is only fetched.
 */
void
index_prefetch_entry(uint64 hash)
{
	Entry	   *entry = entry_at(*chain_of(hash));

	CACHE_PREFETCH_WRITE(&entry->chain);
	CACHE_PREFETCH_WRITE(&entry->node.flags);
}

/*
 * The place that refers to an entry in the chain of its hash.  Partition lock.
 */
static ArenaRef *
chain_link(uint64 hash, ArenaRef ref)
{
	ArenaRef   *link = chain_of(hash);

	while (*link != ref)
	{
		Assert(*link != 0);
		link = &entry_at(*link)->chain;
	}
	return link;
}

/* Take an entry out of its chain.  Partition lock. */
static void
chain_remove(ArenaRef ref)
{
	Entry	   *entry = entry_at(ref);
	Bucket	   *bucket = bucket_of(entry->node.hash);

	seqlock_begin_write(&bucket->seq);
	*chain_link(entry->node.hash, ref) = entry->chain;
	seqlock_end_write(&bucket->seq);
}

/* Take an entry out of its chain, to be freed by others.  Partition lock. */
static void
entry_kill(ArenaRef ref)
{
	Entry	   *entry = entry_at(ref);
	uint32		p = key_partition(entry->node.hash);

	chain_remove(ref);
	entry->node.flags |= ENTRY_DEAD;
	entry->chain = shared_store->dead[p];
	shared_store->dead[p] = ref;
	pg_atomic_fetch_add_u32(&shared_store->ndead, 1);
}

typedef enum ReadResult
{
	READ_FOUND,
	READ_ABSENT,
	READ_DISTURBED
} ReadResult;

static inline bool
bucket_moved(Bucket *bucket, uint32 seq)
{
	pg_read_barrier();
	return pg_atomic_read_u32(&bucket->seq) != seq;
}

/* Copy an entry's value. */
static inline void
entry_copy(const Entry *entry, const char *data, StoreValue *value)
{
	uint32		len = entry_vallen(entry);
	uint32		word = 0;

	value->isnull = entry_is_null(entry);
	value->varlena = (entry->node.flags & ENTRY_VARLENA) != 0;
	if (value->varlena)
		word = VARHDRSZ;
	value->len = word + len;
	value->data = palloc(Max(value->len, VARHDRSZ));
	SET_VARSIZE(value->data, value->len);
	memcpy(value->data + word, data + entry_keyoffset(entry) + entry->keylen,
		   len);
}

/*
 * Try to find a key and copy its value.  Unless the caller has the partition
 * lock, everything read is suspect until the sequence number has been seen
 * unchanged after it.
 */
static ReadResult
chain_read(Bucket *bucket, const StoreKey *key, uint64 generation,
		   TimestampTz now, StoreValue *value, ArenaRef *found)
{
	uint32		seq = pg_atomic_read_u32(&bucket->seq);
	ArenaRef	ref;

	if (seq & 1)
		return READ_DISTURBED;
	pg_read_barrier();

	ref = *(volatile ArenaRef *) chain_of(key->hash);
	while (ref != 0)
	{
		Entry		entry;
		Size		at = (Size) ref * ARENA_UNIT;
		const char *data = shared_arena + at + ENTRY_HEADER;

		if (at + ENTRY_HEADER + sizeof(TimestampTz) > store_arena_bytes)
			return READ_DISTURBED;

		/*
		 * Where the value is the header has to tell; rather than wait for
		 * that, fetch what of the entry it may be in.
		 */
		for (Size next = PREFETCH_LINE; next < PREFETCH_ENTRY; next += PREFETCH_LINE)
			CACHE_PREFETCH_READ(shared_arena + at + next);
		memcpy(&entry, shared_arena + at, ENTRY_HEADER);
		if (bucket_moved(bucket, seq))
			return READ_DISTURBED;
		if (entry_has_key(&entry, data, key))
		{
			TimestampTz expires = 0;

			if (entry.node.flags & ENTRY_EXPIRES)
				memcpy(&expires, data, sizeof(expires));
			if (entry_generation(&entry) != generation ||
				(expires != 0 && expires <= now))
				return bucket_moved(bucket, seq) ? READ_DISTURBED : READ_ABSENT;

			value->expires = expires;
			value->generation = generation;
			entry_copy(&entry, data, value);
			if (bucket_moved(bucket, seq))
			{
				pfree(value->data);
				return READ_DISTURBED;
			}
			*found = ref;
			return READ_FOUND;
		}
		ref = entry.chain;
	}
	return bucket_moved(bucket, seq) ? READ_DISTURBED : READ_ABSENT;
}

/*
 * Find a key's entry of the given generation that has not expired, and copy
 * its value into the current memory context.  Gives where it was, or 0.
 */
ArenaRef
index_read(const StoreKey *key, uint64 generation, TimestampTz now,
		   StoreValue *value)
{
	Bucket	   *bucket = bucket_of(key->hash);
	ReadResult	result = READ_DISTURBED;
	ArenaRef	ref = 0;

	for (int i = 0; result == READ_DISTURBED && i < LOCKLESS_TRIES; i++)
	{
		if (i > 0)
			SPIN_DELAY();
		result = chain_read(bucket, key, generation, now, value, &ref);
	}
	if (result == READ_DISTURBED)
	{
		key_lock(key->hash, LW_SHARED);
		result = chain_read(bucket, key, generation, now, value, &ref);
		key_unlock(key->hash);
	}
	return result == READ_FOUND ? ref : 0;
}

/*
 * Link an entry in, in place of older ones of the same key.  The caller holds
 * the store lock and the key's partition lock exclusively.
 */
void
index_link(ArenaRef ref, const StoreKey *key, TimestampTz now)
{
	Entry	   *entry = entry_at(ref);
	Bucket	   *bucket = bucket_of(key->hash);
	ArenaRef   *head = chain_of(key->hash);
	ArenaRef	old = *head;

	while (old != 0)
	{
		Entry	   *other = entry_at(old);
		ArenaRef	next = other->chain;

		if (entry_has_key(other, other->data, key))
		{
			TimestampTz expires = entry_expires(other);

			if (expires != 0 && expires <= now)
				stats_count(key->slot, STATS_EXPIRATIONS, 1);
			entry_kill(old);
		}
		old = next;
	}

	entry->chain = *head;
	seqlock_begin_write(&bucket->seq);
	*head = ref;
	seqlock_end_write(&bucket->seq);
}

/*
 * Is there an entry of this key, of whatever generation?  The caller holds the
 * partition lock.
 */
bool
index_has(const StoreKey *key)
{
	for (ArenaRef ref = *chain_of(key->hash); ref != 0; ref = entry_at(ref)->chain)
	{
		if (entry_has_key(entry_at(ref), entry_at(ref)->data, key))
			return true;
	}
	return false;
}

/*
 * Take an entry out that is to be freed.  The caller holds the store lock.
 * False if somebody has done so already; then it is in a list of the dead.
 */
bool
index_remove(ArenaRef ref)
{
	uint64		hash = entry_at(ref)->node.hash;
	bool		linked;

	key_lock(hash, LW_EXCLUSIVE);
	linked = !(entry_at(ref)->node.flags & ENTRY_DEAD);
	if (linked)
		chain_remove(ref);
	key_unlock(hash);
	return linked;
}

/*
 * Move an entry's block down into the free block before it.  The caller holds
 * the store lock.  False if the entry is in a list of the dead.
 */
bool
index_move(ArenaRef from, ArenaRef to)
{
	uint64		hash = entry_at(from)->node.hash;
	Bucket	   *bucket = bucket_of(hash);
	bool		linked;

	key_lock(hash, LW_EXCLUSIVE);
	linked = !(entry_at(from)->node.flags & ENTRY_DEAD);
	if (linked)
	{
		seqlock_begin_write(&bucket->seq);
		*chain_link(hash, from) = to;
		arena_slide(&shared_store->arena, shared_arena, from, to);
		seqlock_end_write(&bucket->seq);
	}
	key_unlock(hash);
	return linked;
}

/*
 * Unlink all entries of keys with this hash.  The caller holds its partition
 * lock exclusively.  Gives their number.
 */
uint32
index_unlink(uint64 hash)
{
	ArenaRef	ref = *chain_of(hash);
	uint32		n = 0;

	while (ref != 0)
	{
		Entry	   *entry = entry_at(ref);
		ArenaRef	next = entry->chain;

		if (entry->node.hash == (uint32) hash)
		{
			entry_kill(ref);
			n++;
		}
		ref = next;
	}
	return n;
}

static void
chain_usage(ArenaRef ref, IndexUsage *usage, TimestampTz now)
{
	for (; ref != 0; ref = entry_at(ref)->chain)
	{
		Entry	   *entry = entry_at(ref);

		if (entry_is_stale(entry, now))
			continue;
		usage[entry->node.slot].entries++;
		usage[entry->node.slot].bytes +=
			(uint64) arena_units(shared_arena, ref) * ARENA_UNIT;
		if (entry->node.flags & ENTRY_OWN)
			usage[entry->node.slot].cost += (uint64) entry->node.cost <<
				shared_slots[entry->node.slot].policy_shift;
	}
}

/*
 * Count the live entries of every slot: usage has REGISTRY_SLOTS members.
 * Walks the whole index, one partition at a time.
 */
void
index_usage(IndexUsage *usage)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();

	memset(usage, 0, sizeof(IndexUsage) * REGISTRY_SLOTS);
	for (uint32 p = 0; p < KEY_PARTITIONS; p++)
	{
		key_lock(p, LW_SHARED);
		for (uint32 b = p; b < store_nbuckets; b += KEY_PARTITIONS)
		{
			for (int c = 0; c < BUCKET_CHAINS; c++)
				chain_usage(shared_buckets[b].heads[c], usage, now);
		}
		key_unlock(p);
	}
}

/*
 * Begin to walk over keys: anywhere, or at the first bucket.
 */
void
index_start_walk(IndexWalk *walk, bool anywhere)
{
	walk->done = 0;
	walk->start = !anywhere ? 0 :
		pg_prng_uint64(&pg_global_prng_state) & (store_nbuckets - 1);
}

/* A copy of an entry's key, but for its hash; NULL if nobody can use it. */
static StoreKey *
copy_key(const Entry *entry)
{
	Size		prefix = entry->prefix == SLOT_WHOLE_KEY ? 0 : sizeof(KeyPrefix);
	StoreKey   *key = palloc0(sizeof(StoreKey));
	char	   *image = palloc(prefix + entry->keylen);

	if (prefix > 0 &&
		!slot_get_prefix(entry->node.slot, entry_generation(entry),
						 entry->prefix, (KeyPrefix *) image))
		return NULL;
	memcpy(image + prefix, entry->data + entry_keyoffset(entry), entry->keylen);
	key->image = image;
	key->len = prefix + entry->keylen;
	key->slot = entry->node.slot;
	key->prefix = entry->prefix;
	return key;
}

/* Add copies of a chain's keys to a list. */
static List *
chain_keys(ArenaRef ref, uint16 slot, List *keys, Size *bytes)
{
	for (; ref != 0; ref = entry_at(ref)->chain)
	{
		Entry	   *entry = entry_at(ref);
		StoreKey   *key;

		if (entry->node.slot != slot)
			continue;
		key = copy_key(entry);
		if (key == NULL)
			continue;
		keys = lappend(keys, key);
		*bytes += key->len;
	}
	return keys;
}

/*
 * Copies of some keys of a slot that have entries, in a list of StoreKey in
 * the current memory context; NIL at the end of the walk.  What is stored or
 * goes meanwhile may be missed, or no longer be there.  Hashes are left to the
 * caller.
 *
 * Takes one partition lock at a time.
 */
List *
index_next_keys(IndexWalk *walk, uint16 slot)
{
	List	   *keys = NIL;
	Size		bytes = 0;

	while (walk->done < store_nbuckets &&
		   list_length(keys) < WALK_KEYS && bytes < WALK_BYTES)
	{
		uint32		b = (walk->start + walk->done++) & (store_nbuckets - 1);

		if (walk->done % WALK_BUCKETS == 0)
			CHECK_FOR_INTERRUPTS();
		key_lock(b, LW_SHARED);
		for (int c = 0; c < BUCKET_CHAINS; c++)
			keys = chain_keys(shared_buckets[b].heads[c], slot, keys, &bytes);
		key_unlock(b);
	}
	return keys;
}
