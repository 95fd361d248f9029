/*-------------------------------------------------------------------------
 *
 * tier.c
 *		L2: values in Redis.
 *
 * A get that does not find its key in shared memory asks Redis before it runs
 * the loader; what was loaded is sent there by the background worker.
 *
 * Nothing that Redis gives is believed as such.  Bytes in front of each value
 * are a MAC (siphash.c) under a secret that never leaves the server and its
 * data directory: so a value that has been damaged, or made up, is not looked
 * at.  What is inside says which key of which cache it is, and in which
 * history it was loaded (lineage.c), so one that was moved or belongs to
 * others is not used.  And it says what the snapshot that it was loaded under
 * saw, so that the fences tell whether it is what the loader would give now,
 * however old it is (coherence_accept).
 *
 * Locking: atomic variables, and what is called.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/siphash.h"
#include "fence/keyfence.h"
#include "fence/lineage.h"
#include "fence/registry.h"
#include "redis/breaker.h"
#include "redis/pool.h"
#include "redis/queue.h"
#include "redis/tier.h"

/* Loads to be measured before a loader is known to be faster than Redis */
#define LOADS_TO_JUDGE	64

/* Weight of the newest load in the average: 1 / 2^n */
#define LOAD_SHIFT		4

/* CacheSlot.load_time: loads so far, at most 2^16 - 1, and their average */
#define LOAD_BITS		48
#define LOAD_MASK		((UINT64CONST(1) << LOAD_BITS) - 1)

#define PREFIX_MAX		100		/* bytes */

/* Digits of the parts of a name, of six bits each */
#define NAME_SERVER		5
#define NAME_CACHE		8
#define NAME_KEY		9

/* Values are used where they have arrived. */
StaticAssertDecl(TIER_MAC % CODEC_ALIGN == 0 && CODEC_ALIGN % MAXIMUM_ALIGNOF == 0,
				 "a value is aligned if what has arrived is");

#define TIER_MARKS			16	/* bits per stamp; a power of two */

/* Which keys may be in Redis, see key_mark. */
static pg_atomic_uint32 *shared_marks;

/* After the stamps, in the order of parts. */
static Size
tier_marks_size(void)
{
	return mul_size(key_nstamps, TIER_MARKS / 8);
}

static void
tier_marks_init(void)
{
	for (uint32 i = 0; i < key_nstamps / (32 / TIER_MARKS); i++)
		pg_atomic_init_u32(&shared_marks[i], PG_UINT32_MAX);
}

const SegmentPart tier_marks_part = {
	.name = "marks",
	.budgeted = true,
	.address = (void **) &shared_marks,
	.size = tier_marks_size,
	.init = tier_marks_init,
};

/* cache.redis_prefix, cache.redis_force, cache.redis_expire */
char	   *tier_prefix = NULL;
static bool tier_force = false;
static int	tier_expire_s = 86400;

/*
 * The statement in which Redis has failed, and what breaker_proofs was then:
 * it is not asked again in that statement before it has proved to be in order.
 * So a statement with many gets waits in vain but once.
 */
static TimestampTz failed_statement = 0;
static uint64 failed_proofs;

static bool
check_prefix(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) > PREFIX_MAX)
	{
		GUC_check_errdetail("It may have %d bytes.", PREFIX_MAX);
		return false;
	}
	return true;
}

/*
 * Define the settings of what is kept in Redis; once a process.
 */
void
tier_define_settings(void)
{
	DefineCustomStringVariable("cache.redis_prefix",
							   "Sets what the names of keys and channels in Redis begin with.",
							   NULL,
							   &tier_prefix, "cache",
							   PGC_SIGHUP, 0,
							   check_prefix, NULL, NULL);
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

/* Six bits in each. */
static inline char *
append_digits(char *to, uint64 number, int digits)
{
	while (digits-- > 0)
	{
		*to++ = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[number & 63];
		number >>= 6;
	}
	return to;
}

/*
 * Names are hashes, and short: how long they are decides much of what a key
 * costs Redis.  What they stand for is in the values, so that two keys which
 * have the same name are not confused, but only get in each other's way.
 *
 * After the prefix, which may contain anything, each kind of name in Redis has a
 * colon and an ending that tells its kind and how long it is: these digits,
 * ":probe", and the digests of remotewindow.c.  So names of different prefixes
 * and kinds are different.
 */

/* What the names of all keys of this server begin with, while it has them. */
static char *
append_server(char *to)
{
	const Lineage *lineage = shared_lineage;

	to += strlcpy(to, tier_prefix, PREFIX_MAX + 1);
	*to++ = ':';
	return append_digits(to, key_mix(key_mix(lineage->system + lineage->timeline) ^
									lineage->epoch), NAME_SERVER);
}

/*
 * The name of what a server writes to see whether it can, in a buffer of
 * TIER_NAME bytes.
 */
void
tier_probe_name(char *name)
{
	strcpy(append_server(name), ":probe");
}

/* What those of a cache begin with. */
static char *
append_cache(char *to, Oid dbid, uint64 cache)
{
	return append_digits(append_server(to), key_mix(key_mix(cache) ^ dbid),
						 NAME_CACHE);
}

/* And what follows. */
static inline char *
append_key(char *to, uint64 hash, uint32 variant)
{
	return append_digits(to, key_mix(hash ^ key_mix(variant)), NAME_KEY);
}

/*
 * The name of a key in Redis, in a buffer of TIER_NAME bytes.  Gives its
 * length.
 */
int
tier_name(char *name, Oid dbid, uint64 cache, uint64 hash, uint32 variant)
{
	char	   *to = append_key(append_cache(name, dbid, cache), hash, variant);

	*to = '\0';
	return to - name;
}

/*
 * Marks say by a hash what may be in Redis, so that nothing else need be
 * deleted there.  They begin as set.  Those of a key that is deleted are taken
 * off, together with the mark of whoever shares it: at worst a value that no
 * fence allows any more stays until it expires.
 */
static pg_atomic_uint32 *
key_mark(uint64 hash, uint32 *bit)
{
	uint32		index = (hash >> 8) & (key_nstamps * TIER_MARKS - 1);

	*bit = (uint32) 1 << (index % 32);
	return &shared_marks[index / 32];
}

static void
mark_key(uint64 hash)
{
	uint32		bit;
	pg_atomic_uint32 *mark = key_mark(hash, &bit);

	if (!(pg_atomic_read_u32(mark) & bit))
		pg_atomic_fetch_or_u32(mark, bit);
}

/*
 * May values of a key be in Redis?  They are about to be deleted.
 */
bool
tier_unmark(uint64 hash)
{
	uint32		bit;
	pg_atomic_uint32 *mark = key_mark(hash, &bit);

	return (pg_atomic_read_u32(mark) & bit) != 0 &&
		(pg_atomic_fetch_and_u32(mark, ~bit) & bit) != 0;
}

/*
 * The prefix of a key's image, but for what says nothing to values in Redis: see
 * rolefence.c.
 */
static KeyPrefix
lasting_prefix(const KeyBuffer *key)
{
	KeyPrefix	prefix = *(const KeyPrefix *) key->image;

	prefix.role_changes = 0;
	return prefix;
}

/* It says which variant of the key it is. */
static uint32
key_variant(const KeyBuffer *key)
{
	KeyPrefix	prefix = lasting_prefix(key);

	return hash_bytes((const unsigned char *) &prefix, sizeof(KeyPrefix));
}

/* Is this the image of the key, in Redis? */
static bool
is_image(const KeyBuffer *key, const char *image)
{
	KeyPrefix	prefix = lasting_prefix(key);

	return memcmp(image, &prefix, sizeof(KeyPrefix)) == 0 &&
		memcmp(image + sizeof(KeyPrefix), key->image + sizeof(KeyPrefix),
			   key->key.len - sizeof(KeyPrefix)) == 0;
}

/*
 * Can the key be in Redis?  Of the image of a very long one the end is missing.
 */
bool
tier_takes(const KeyBuffer *key)
{
	return key->key.len <= STORE_MAX_KEY;
}

/* The largest value, encoded, that is sent to Redis or taken from it. */
static uint32
max_value(void)
{
	return shared_queue->size / 4;
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
loader_is_faster(CacheDef *def)
{
	uint64		state = pg_atomic_read_u64(&shared_slots[def->slot].load_time);
	uint64		round_trip = pg_atomic_read_u64(&shared_breaker->round_trip);

	return (state >> LOAD_BITS) >= LOADS_TO_JUDGE &&
		(state & LOAD_MASK) < round_trip;
}

/*
 * Note how long a load has taken.
 */
void
tier_note_load(CacheDef *def, uint64 nanoseconds)
{
	pg_atomic_uint64 *load_time;
	uint64		state;
	uint64		loads;
	uint64		average;

	if (def->slot < 0)
		return;
	load_time = &shared_slots[def->slot].load_time;
	state = pg_atomic_read_u64(load_time);
	loads = state >> LOAD_BITS;
	average = state & LOAD_MASK;
	nanoseconds = Min(nanoseconds, LOAD_MASK);
	if (loads == 0)
		average = nanoseconds;
	average = average - (average >> LOAD_SHIFT) + (nanoseconds >> LOAD_SHIFT);
	loads = Min(loads + 1, PG_UINT16_MAX);

	/* Of two that do this at the same time, one may be forgotten. */
	pg_atomic_write_u64(load_time, loads << LOAD_BITS | average);
}

/*
 * Does this cache use Redis, and is it worth while?  It must have its slot.
 * Not in single-user mode: there is no postmaster to be waited with.
 */
bool
tier_wanted(CacheDef *def)
{
	if (!IsUnderPostmaster || !def->redis || redis_addr[0] == '\0' ||
		shared_lineage->broken)
		return false;
	return tier_force || !loader_is_faster(def);
}

/* A command: MGET of several keys, in bytes; GET of one, or another one. */
typedef struct Question
{
	int			nargs;
	const char **args;
	size_t	   *lengths;
	int			elements;		/* of the answer, 0 if it is not an array */
	const char *bytes;			/* the command as such, if that is an array */
	size_t		size;
} Question;

static RedisReply *
ask(RedisConn *conn, const Question *question, TimestampTz deadline)
{
	size_t		limit = max_value() + CODEC_MAX_HEADER;

	if (question->elements > 0)
	{
		redis_commands(conn, 1, question->bytes, question->size);
		return redis_reply_array(conn, question->elements, limit, deadline);
	}
	redis_command(conn, question->nargs, question->args, question->lengths);
	return redis_reply(conn, limit, deadline);
}

static void
failed(const char *error)
{
	failed_statement = GetCurrentStatementStartTimestamp();
	failed_proofs = breaker_proofs();
	(void) breaker_failure(error);
}

/*
 * Ask Redis.  NULL if it has failed, which has been noted.
 *
 * Redis closes connections that it thinks idle, or when it is restarted, so
 * one that had been used before may deserve a second try.
 */
static RedisReply *
get_reply(const Question *question)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   redis_timeout_ms);
	char		error[REDIS_ERROR_SIZE];
	RedisConn  *conn;
	RedisReply *reply;
	instr_time	start;
	instr_time	end;

	for (;;)
	{
		PoolResult	result = pool_get(&conn, error);

		switch (result)
		{
			case POOL_FULL:
				breaker_count(REDIS_NO_CONNECTION, 1);
				return NULL;
			case POOL_UNRESOLVED:
				return NULL;
			case POOL_FAILED:
				failed(error);
				return NULL;
			case POOL_REUSED:
			case POOL_OPENED:
				break;
		}
		breaker_count(REDIS_GETS, Max(question->elements, 1));
		INSTR_TIME_SET_CURRENT(start);
		reply = ask(conn, question, deadline);
		if (reply != NULL)
		{
			INSTR_TIME_SET_CURRENT(end);
			INSTR_TIME_SUBTRACT(end, start);
			if (result == POOL_REUSED && question->elements == 0)
				breaker_time(cache_nanoseconds(end));
			if (reply->type == REDIS_REPLY_STRING ||
				reply->type == REDIS_REPLY_NIL ||
				reply->type == REDIS_REPLY_ARRAY)
				breaker_success();
			pool_release();
			return reply;
		}
		if (redis_was_too_much(conn))
		{
			/* Nothing that we have put there. */
			breaker_count(REDIS_CORRUPT, 1);
			pool_discard();
			return NULL;
		}
		if (!(result == POOL_REUSED && redis_was_closed(conn)))
		{
			failed(redis_error(conn));
			pool_discard();
			return NULL;
		}
		breaker_count(REDIS_RECONNECTS, 1);
		pool_discard();
	}
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
reply_decode(CacheDef *def, const KeyBuffer *key, const RedisReply *reply,
			 CodecValue *decoded)
{
	return codec_decode(decoded, reply->str + TIER_MAC, reply->len - TIER_MAC) &&
		lineage_has(shared_lineage, decoded->incarnation) &&
		decoded->database == MyDatabaseId &&
		decoded->cache == def->id &&
		decoded->keylen == key->key.len &&
		is_image(key, decoded->key);
}

/*
 * Take a string of Redis' apart.  True: there is a value, which is where the
 * reply is.  Else why says what it counts as.
 */
static bool
take_value(CacheDef *def, const KeyBuffer *key, const RedisReply *reply,
		   bool authentic, CodecValue *decoded, StoreValue *value,
		   RedisCounter *why)
{
	if (!authentic || !reply_decode(def, key, reply, decoded))
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
	value->isnull = decoded->isnull;
	value->expires = decoded->expires;
	value->cost = decoded->cost;
	value->load_time = pg_atomic_read_u64(&shared_breaker->round_trip);
	value->len = decoded->len;
	value->data = decoded->isnull ? NULL : unconstify(char *, decoded->data);
	value->varlena = !decoded->isnull && key_typlen(key, def) == -1 &&
		!VARATT_IS_COMPRESSED(value->data);
	return true;
}

/* What to do about an answer that is not a value. */
static void
take_other(const RedisReply *reply)
{
	if (reply->type == REDIS_REPLY_NIL)
		breaker_count(REDIS_ABSENT, 1);
	else if (reply->type != REDIS_REPLY_ERROR)
	{
		failed("unexpected type of reply");
		pool_discard();
	}
	else if (strncmp(reply->str, "WRONGTYPE", 9) == 0)
		breaker_count(REDIS_CORRUPT, 1);
	else
		failed(reply->str);
}

/* Is Redis worth asking at the moment? */
static bool
may_ask(void)
{
	if (breaker_state() == BREAKER_DOWN)
	{
		breaker_count(REDIS_SKIPPED, 1);
		return false;
	}
	return failed_statement != GetCurrentStatementStartTimestamp() ||
		failed_proofs != breaker_proofs();
}

/*
 * Ask Redis for a key.  True: there is a value, in the current memory context
 * but not to be freed by itself; whether it may be used is for the fences to
 * tell.
 *
 * May raise an error, if the query is cancelled.
 */
bool
tier_read(CacheDef *def, const KeyBuffer *key, CodecValue *decoded,
		  StoreValue *value)
{
	char		name[TIER_NAME];
	const char *args[2] = {"GET", name};
	size_t		lengths[2] = {3, 0};
	Question	question = {2, args, lengths};
	RedisReply *reply;
	RedisCounter why;

	if (!may_ask())
		return false;
	lengths[1] = tier_name(name, MyDatabaseId, def->id, key->key.hash,
						   key_variant(key));
	reply = get_reply(&question);
	if (reply == NULL)
		return false;
	if (reply->type != REDIS_REPLY_STRING)
		take_other(reply);
	else if (take_value(def, key, reply, is_authentic(reply), decoded, value,
						&why))
		return true;
	else
		breaker_count(why, 1);
	redis_free(reply);
	return false;
}

/*
 * An MGET of these keys, as it is sent.  Names of equal length with the same
 * beginning need not be formatted one by one.
 */
static void
ask_many(Question *question, CacheDef *def, const KeyBuffer **keys, int n)
{
	char		name[TIER_NAME];
	char		start[TIER_NAME + 16];
	int			named = append_cache(name, MyDatabaseId, def->id) - name;
	int			started = snprintf(start, sizeof(start), "$%d\r\n%.*s",
								   named + NAME_KEY, named, name);
	uint32		variant = key_variant(keys[0]);
	char	   *bytes = palloc(32 + (Size) n * (started + NAME_KEY + 2));
	char	   *to = bytes + sprintf(bytes, "*%d\r\n$4\r\nMGET\r\n", n + 1);

	for (int i = 0; i < n; i++)
	{
		/* Nearly always that of the one before. */
		if (i > 0 &&
			memcmp(keys[i]->image, keys[i - 1]->image, sizeof(KeyPrefix)) != 0)
			variant = key_variant(keys[i]);
		memcpy(to, start, started);
		to = append_key(to + started, keys[i]->key.hash, variant);
		*to++ = '\r';
		*to++ = '\n';
	}
	question->elements = n;
	question->bytes = bytes;
	question->size = to - bytes;
}

/* Take the answer to an MGET of n keys apart. */
static void
take_array(CacheDef *def, const KeyBuffer **keys, int n,
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
				 take_value(def, keys[i], element, authentic[i], &decoded,
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
tier_read_many(CacheDef *def, const KeyBuffer **keys, int n, TierFound found,
			   void *arg)
{
	Question	question = {0};
	RedisReply *reply;
	MemoryContext context;
	MemoryContext old;

	if (!may_ask())
		return;
	ask_many(&question, def, keys, n);

	/* One that has many values side by side, and frees none of them. */
	context = GenerationContextCreate(CurrentMemoryContext, "values from Redis",
									  ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	reply = get_reply(&question);
	MemoryContextSwitchTo(old);
	if (reply == NULL)
		return;
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == (size_t) n)
		take_array(def, keys, n, reply, found, arg);
	else if (reply->type == REDIS_REPLY_ERROR)
		take_other(reply);
	else
	{
		failed("unexpected type of reply");
		pool_discard();
	}
}

/*
 * Have Redis carry out a command that it answers with a string, of less than
 * size bytes.  False if it has not, which has been noted.  The command may
 * write: where Redis takes no writes it is not asked, since errors would keep
 * gets from asking it, too.
 *
 * May raise an error, if the query is cancelled.
 */
bool
tier_command(int nargs, const char **args, size_t *lengths,
			 char *answer, size_t size)
{
	Question	question = {nargs, args, lengths};
	RedisReply *reply;
	bool		good;

	if (redis_addr[0] == '\0' || !IsUnderPostmaster ||
		breaker_state() == BREAKER_READ_ONLY || !may_ask())
		return false;
	reply = get_reply(&question);
	if (reply == NULL)
		return false;
	good = reply->type == REDIS_REPLY_STRING && reply->len < size;
	if (good)
		strlcpy(answer, reply->str, size);
	else if (reply->type == REDIS_REPLY_ERROR)
	{
		/* It may be this command alone that Redis does not like. */
		breaker_count(REDIS_FAILURES, 1);
		breaker_note(reply->str);
	}
	else
	{
		failed("unexpected type of reply");
		pool_discard();
	}
	redis_free(reply);
	return good;
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
 * and gave; the rest is set here.
 */
void
tier_fill(CacheDef *def, const KeyBuffer *key, CodecValue *value)
{
	QueueItem	item = {0};
	char		name[TIER_NAME];
	uint32		variant = key_variant(key);
	KeyPrefix	prefix;
	char	   *image;
	char	   *bytes;
	size_t		size;
	bool		queued = false;

	if (breaker_state() != BREAKER_CONNECTING && breaker_state() != BREAKER_UP)
	{
		breaker_count(REDIS_FILLS_DROPPED, 1);
		return;
	}
	value->incarnation =
		shared_lineage->incarnations[shared_lineage->nincarnations - 1];
	value->cache = def->id;
	value->database = MyDatabaseId;
	value->lsn = GetXLogInsertRecPtr();
	image = palloc(key->key.len);
	prefix = lasting_prefix(key);
	memcpy(image, &prefix, sizeof(prefix));
	memcpy(image + sizeof(prefix), key->image + sizeof(prefix),
		   key->key.len - sizeof(prefix));
	value->key = image;
	value->keylen = key->key.len;
	size = codec_size(value);

	/* The worker must know which variants of a key to delete. */
	if (size <= max_value() && tier_takes(key) &&
		slot_add_variant(def->slot, variant))
	{
		item.kind = QUEUE_FILL;
		item.namelen = tier_name(name, MyDatabaseId, def->id, key->key.hash,
								 variant);
		item.len = item.namelen + size;
		item.expires = (int64) tier_expire_s * 1000;
		if (value->expires != 0)
			item.expires = Min(item.expires,
							   TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
															   value->expires));
		bytes = palloc(size);
		codec_encode(value, bytes);
		mark_key(key->key.hash);
		queued = item.expires > 0 && queue_put(&item, name, bytes, false);
		pfree(bytes);
		queue_wake();
	}
	if (!queued)
		breaker_count(REDIS_FILLS_DROPPED, 1);
}

#ifdef CACHE_DEVEL
/*
 * cache_devel_redis_names(cache text) returns text: what the names of a cache's
 * keys begin with; of all caches of the server for NULL
 */
PG_FUNCTION_INFO_V1(cache_devel_redis_names);
Datum
cache_devel_redis_names(PG_FUNCTION_ARGS)
{
	char		name[TIER_NAME];
	char	   *end;

	if (PG_ARGISNULL(0))
		end = append_server(name);
	else
		end = append_cache(name, MyDatabaseId,
						   definition_get(text_to_cstring(PG_GETARG_TEXT_PP(0)))->id);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(name, end - name));
}
#endif
