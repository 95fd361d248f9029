/*-------------------------------------------------------------------------
 *
 * tier.c
 *		L2: values in Redis.
 *
 * A get that does not find its key in shared memory asks Redis before it runs
 * the loader; what was loaded is sent there by the background worker.
 *
 * Nothing that Redis gives is believed as such.  Bytes in front of each value
 * are a MAC (siphash.c) under a secret that never leaves the cluster's servers,
 * their data directories and WAL: so a value that has been damaged, or made up, is not looked
 * at.  What is inside says which key of which cache it is, and in which
 * history it was loaded (lineage.c), so one that was moved or belongs to
 * others is not used.  And it says what the snapshot that it was loaded under
 * saw, so that the fences tell whether it is what the loader would give now,
 * however old it is (coherence_accept); and where in WAL that was, so that a standby
 * that is behind does not use it (position.c).
 *
 * Locking: atomic variables, and what is called.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/siphash.h"
#include "fence/lineage.h"
#include "fence/position.h"
#include "fence/registry.h"
#include "fence/slotlists.h"
#include "redis/address.h"
#include "redis/ask.h"
#include "redis/breaker.h"
#include "redis/keyname.h"
#include "redis/mark.h"
#include "redis/queue.h"
#include "redis/tier.h"

/* Loads to be measured before a loader is known to be faster than Redis */
#define LOADS_TO_JUDGE	64

/* Weight of the newest load in the average: 1 / 2^n */
#define LOAD_SHIFT		4

/* CacheSlot.load_time: loads so far, at most 2^16 - 1, and their average */
#define LOAD_BITS		48
#define LOAD_MASK		((UINT64CONST(1) << LOAD_BITS) - 1)

/* Values are used where they have arrived. */
StaticAssertDecl(TIER_MAC % CODEC_ALIGN == 0 && CODEC_ALIGN % MAXIMUM_ALIGNOF == 0,
				 "a value is aligned if what has arrived is");

/* cache.redis_force, cache.redis_expire */
static bool tier_force = false;
static int	tier_expire_s = 86400;

/*
 * Define the settings of what is kept in Redis; once a process.
 */
void
tier_define_settings(void)
{
	DefineCustomBoolVariable("cache.redis_force",
							 "Uses Redis for caches whose loader is faster than Redis, too.",
							 NULL,
							 &tier_force, false,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("cache.redis_expire",
							"Sets how long values are kept in Redis at most.",
							NULL,
							&tier_expire_s, 86400, 1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

/*
 * The prefix of a key's image, but for what says nothing to values in Redis: see
 * rolefence.c.
 */
static KeyPrefix
lasting_prefix(const StoreKey *key)
{
	KeyPrefix	prefix = *(const KeyPrefix *) key->image;

	prefix.role_changes = 0;
	return prefix;
}

/* It says which variant of the key it is. */
static uint32
key_variant(const StoreKey *key)
{
	KeyPrefix	prefix = lasting_prefix(key);

	return hash_bytes((const unsigned char *) &prefix, sizeof(KeyPrefix));
}

/* Is this the image of the key, in Redis? */
static bool
is_image(const StoreKey *key, const char *image)
{
	KeyPrefix	prefix = lasting_prefix(key);

	return memcmp(image, &prefix, sizeof(KeyPrefix)) == 0 &&
		memcmp(image + sizeof(KeyPrefix), key->image + sizeof(KeyPrefix),
			   key->len - sizeof(KeyPrefix)) == 0;
}

/*
 * Can the key be in Redis?  Of the image of a very long one the end is missing.
 */
bool
tier_takes(const StoreKey *key)
{
	return key->len <= STORE_MAX_KEY;
}

/*
 * The MAC of a value, TIER_MAC bytes.
 */
void
tier_mac(const char *bytes, size_t size, uint8 *mac)
{
	siphash(shared_lineage->secret, bytes, size, mac);
}

/* Would the loader be faster than Redis? */
static bool
loader_is_faster(int slot)
{
	uint64		state = pg_atomic_read_u64(&shared_slots[slot].load_time);
	uint64		round_trip = breaker_round_trip();

	return (state >> LOAD_BITS) >= LOADS_TO_JUDGE &&
		(state & LOAD_MASK) < round_trip;
}

/*
 * Note how long a load of a cache has taken, of the one that has this slot.
 */
void
tier_note_load(int slot, uint64 nanoseconds)
{
	pg_atomic_uint64 *load_time = &shared_slots[slot].load_time;
	uint64		state = pg_atomic_read_u64(load_time);
	uint64		loads = state >> LOAD_BITS;
	uint64		average = state & LOAD_MASK;

	nanoseconds = Min(nanoseconds, LOAD_MASK);
	if (loads == 0)
		average = nanoseconds;
	average = average - (average >> LOAD_SHIFT) + (nanoseconds >> LOAD_SHIFT);
	loads = Min(loads + 1, PG_UINT16_MAX);

	/* Of two that do this at the same time, one may be forgotten. */
	pg_atomic_write_u64(load_time, loads << LOAD_BITS | average);
}

/*
 * Is Redis worth while for a cache that is to use it, the one that has this
 * slot?  Not in single-user mode: there is no postmaster to be waited with.
 */
bool
tier_wanted(int slot)
{
	if (!IsUnderPostmaster || !address_is_set() || shared_lineage->broken)
		return false;
	return tier_force || !loader_is_faster(slot);
}

/* In constant time: how much of a guess is right is nobody's business. */
static bool
is_mac(const char *claimed, const uint8 *mac)
{
	uint8		difference = 0;

	for (int i = 0; i < TIER_MAC; i++)
		difference |= mac[i] ^ (uint8) claimed[i];
	return difference == 0;
}

static bool
may_be_value(const RedisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING && reply->len >= TIER_MAC;
}

/* Is a string one of ours, unchanged? */
static bool
is_authentic(const RedisReply *reply)
{
	uint8		mac[TIER_MAC];

	if (!may_be_value(reply))
		return false;
	tier_mac(reply->str + TIER_MAC, reply->len - TIER_MAC, mac);
	return is_mac(reply->str, mac);
}

/* Which elements of an array are?  Two at a time, which is faster. */
static void
are_authentic(const RedisReply *array, bool *authentic)
{
	const void *data[2];
	size_t		lengths[2];
	uint8		macs[2][TIER_MAC];
	uint8	   *hashes[2] = {macs[0], macs[1]};
	size_t		at[2];
	int			n = 0;

	for (size_t i = 0; i < array->elements; i++)
	{
		const RedisReply *element = &array->element[i];

		authentic[i] = false;
		if (!may_be_value(element))
			continue;
		data[n] = element->str + TIER_MAC;
		lengths[n] = element->len - TIER_MAC;
		at[n++] = i;
		if (n < 2)
			continue;
		siphash_two(shared_lineage->secret, data, lengths, hashes);
		for (n = 2; n > 0; n--)
			authentic[at[n - 1]] = is_mac(array->element[at[n - 1]].str, macs[n - 1]);
	}
	if (n > 0)
		authentic[at[0]] = is_authentic(&array->element[at[0]]);
}

/* Is it what was asked for? */
static bool
reply_decode(uint64 cache, const StoreKey *key, const RedisReply *reply,
			 CodecValue *decoded)
{
	return codec_decode(decoded, reply->str + TIER_MAC, reply->len - TIER_MAC) &&
		lineage_has(shared_lineage, decoded->incarnation) &&
		decoded->database == MyDatabaseId &&
		decoded->cache == cache &&
		decoded->keylen == key->len &&
		is_image(key, decoded->key);
}

/*
 * Take a string of Redis' apart.  True: there is a value, which is where the
 * reply is.  Else why says what it counts as.
 */
static bool
take_value(uint64 cache, const StoreKey *key, const RedisReply *reply,
		   bool authentic, CodecValue *decoded, StoreValue *value,
		   RedisCounter *why)
{
	WalPosition position;

	if (!authentic || !reply_decode(cache, key, reply, decoded))
	{
		*why = REDIS_CORRUPT;
		return false;
	}
	if (decoded->expires != 0 &&
		decoded->expires <= GetCurrentStatementStartTimestamp())
	{
		*why = REDIS_ABSENT;
		return false;
	}
	position.timeline = decoded->timeline;
	position.lsn = decoded->lsn;
	if (!position_is_passed(&position))
	{
		*why = REDIS_STALE;
		return false;
	}
	value->isnull = decoded->isnull;
	value->expires = decoded->expires;
	value->cost = decoded->cost;
	value->load_time = breaker_round_trip();
	value->len = decoded->len;
	value->data = decoded->isnull ? NULL : unconstify(char *, decoded->data);
	return true;
}

/* What to do about an answer that is not a value. */
static void
take_other(const RedisReply *reply)
{
	if (reply->type == REDIS_REPLY_NIL)
		breaker_count(REDIS_ABSENT, 1);
	else if (reply->type != REDIS_REPLY_ERROR)
		ask_misunderstood();
	else if (strncmp(reply->str, "WRONGTYPE", 9) == 0)
		breaker_count(REDIS_CORRUPT, 1);
	else
		ask_failed(reply->str);
}

/*
 * Ask Redis for a key of a cache (its id).  True: there is a value, in the
 * current memory context but not to be freed by itself; whether it may be used
 * is for the fences to tell.  What Redis does not know of it, its generation and
 * what its bytes are (varlena), is for the caller to set.
 *
 * May raise an error, if the query is cancelled.
 */
bool
tier_read(uint64 cache, const StoreKey *key, CodecValue *decoded,
		  StoreValue *value)
{
	char		name[KEYNAME_SIZE];
	const char *args[2] = {"GET", name};
	size_t		lengths[2] = {3, 0};
	Question	question = {2, args, lengths};
	RedisReply *reply;
	RedisCounter why;

	if (!ask_may())
		return false;
	lengths[1] = keyname_key(name, MyDatabaseId, cache, key->hash,
							 key_variant(key));
	reply = ask_redis(&question);
	if (reply == NULL)
		return false;
	if (reply->type != REDIS_REPLY_STRING)
		take_other(reply);
	else if (take_value(cache, key, reply, is_authentic(reply), decoded, value,
						&why))
		return true;
	else
		breaker_count(why, 1);
	reply_free(reply);
	return false;
}

/*
 * An MGET of these keys, as it is sent.  Names of equal length with the same
 * beginning need not be formatted one by one.
 */
static void
write_mget(Question *question, uint64 cache, const StoreKey **keys, int n)
{
	char		name[KEYNAME_SIZE];
	char		start[KEYNAME_SIZE + 16];
	int			named = keyname_cache(name, MyDatabaseId, cache) - name;
	int			started = snprintf(start, sizeof(start), "$%d\r\n%.*s",
								   named + KEYNAME_DIGITS, named, name);
	uint32		variant = key_variant(keys[0]);
	char	   *bytes = palloc(32 + (Size) n * (started + KEYNAME_DIGITS + 2));
	char	   *to = bytes + sprintf(bytes, "*%d\r\n$4\r\nMGET\r\n", n + 1);

	for (int i = 0; i < n; i++)
	{
		/* Nearly always that of the one before. */
		if (i > 0 &&
			memcmp(keys[i]->image, keys[i - 1]->image, sizeof(KeyPrefix)) != 0)
			variant = key_variant(keys[i]);
		memcpy(to, start, started);
		to = keyname_append(to + started, keys[i]->hash, variant);
		*to++ = '\r';
		*to++ = '\n';
	}
	question->elements = n;
	question->bytes = bytes;
	question->size = to - bytes;
}

/* Take the answer to an MGET of n keys apart. */
static void
take_array(uint64 cache, const StoreKey **keys, int n,
		   const RedisReply *reply, TierFound found, void *arg)
{
	uint32		counts[REDIS_COUNTERS] = {0};
	bool	   *authentic = palloc(sizeof(bool) * n);

	are_authentic(reply, authentic);
	for (int i = 0; i < n; i++)
	{
		const RedisReply *element = &reply->element[i];
		RedisCounter why = REDIS_CORRUPT;
		CodecValue	decoded;
		StoreValue	value;

		if (element->type == REDIS_REPLY_NIL)
			why = REDIS_ABSENT;
		else if (element->type == REDIS_REPLY_STRING &&
				 take_value(cache, keys[i], element, authentic[i], &decoded,
							&value, &why))
		{
			found(arg, i, &decoded, &value);
			continue;
		}
		counts[why]++;
	}
	if (counts[REDIS_ABSENT] > 0)
		breaker_count(REDIS_ABSENT, counts[REDIS_ABSENT]);
	if (counts[REDIS_CORRUPT] > 0)
		breaker_count(REDIS_CORRUPT, counts[REDIS_CORRUPT]);
}

/*
 * Ask Redis for several keys in one round trip, with the patience that one get
 * has.  found is called for each that there is a value for, under the same
 * conditions as those of tier_read.
 *
 * May raise an error, if the query is cancelled, or if found() does.
 */
void
tier_read_many(uint64 cache, const StoreKey **keys, int n, TierFound found,
			   void *arg)
{
	Question	question = {0};
	RedisReply *reply;
	MemoryContext context;
	MemoryContext old;

	if (!ask_may())
		return;
	write_mget(&question, cache, keys, n);

	/* One that has many values side by side, and frees none of them. */
	context = GenerationContextCreate(CurrentMemoryContext, "values from Redis",
									  ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	reply = ask_redis(&question);
	MemoryContextSwitchTo(old);
	if (reply == NULL)
		return;
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == (size_t) n)
		take_array(cache, keys, n, reply, found, arg);
	else if (reply->type == REDIS_REPLY_ERROR)
		take_other(reply);
	else
		ask_misunderstood();
}

/*
 * Of the values that were read so many are used, and so many are outdated:
 * count them.
 */
void
tier_used(uint32 used, uint32 stale)
{
	if (used > 0)
		breaker_count(REDIS_HITS, used);
	if (stale > 0)
		breaker_count(REDIS_STALE, stale);
}

/*
 * Send a value to Redis, later.  The caller has set what the load saw, read
 * and gave; the rest is set here.  The key has its cache's slot.
 */
void
tier_fill(uint64 cache, const StoreKey *key, CodecValue *value)
{
	QueueItem	item = {0};
	char		name[KEYNAME_SIZE];
	uint32		variant = key_variant(key);
	KeyPrefix	prefix;
	char	   *image;
	char	   *bytes;
	size_t		size;
	bool		queued = false;
	WalPosition position;

	if (breaker_state() != BREAKER_CONNECTING && breaker_state() != BREAKER_UP)
	{
		breaker_count(REDIS_FILLS_DROPPED, 1);
		return;
	}
	value->incarnation =
		shared_lineage->incarnations[shared_lineage->nincarnations - 1];
	value->cache = cache;
	value->database = MyDatabaseId;
	position_of_load(&position);
	value->timeline = position.timeline;
	value->lsn = position.lsn;
	image = palloc(key->len);
	prefix = lasting_prefix(key);
	memcpy(image, &prefix, sizeof(prefix));
	memcpy(image + sizeof(prefix), key->image + sizeof(prefix),
		   key->len - sizeof(prefix));
	value->key = image;
	value->keylen = key->len;
	size = codec_size(value);

	/* The worker must know which variants of a key to delete. */
	if (size <= ask_max_value() && tier_takes(key) &&
		slot_add_variant(key->slot, variant))
	{
		item.kind = QUEUE_FILL;
		item.namelen = keyname_key(name, MyDatabaseId, cache, key->hash,
								   variant);
		item.len = item.namelen + size;
		item.expires = (int64) tier_expire_s * 1000;
		if (value->expires != 0)
			item.expires = Min(item.expires,
							   TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
															   value->expires));
		bytes = palloc(size);
		codec_encode(value, bytes);
		mark_set(key->hash);
		queued = item.expires > 0 && queue_put(&item, name, bytes, false);
		pfree(bytes);
		queue_wake();
	}
	if (!queued)
		breaker_count(REDIS_FILLS_DROPPED, 1);
}
