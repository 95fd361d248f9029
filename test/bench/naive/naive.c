/*-------------------------------------------------------------------------
 *
 * naive.c
 *		What the benchmark measures against, in C and in the same executor.
 *
 * A table in shared memory as one would write it in an afternoon: an index of
 * small cells, found by linear probing, each with a sequence number for its
 * readers (a seqlock), and the values one after the other.  No eviction, no
 * expiry, no memory management, no transactions, one type of key; nothing
 * keeps it in agreement with any table.  A lookup is two dependent cache
 * misses, of which the first finds an index that the processor mostly holds:
 * about the least that a shared cache can cost.
 *
 * Besides that: a copy of a value without any lookup, a bare GET and a bare MGET
 * from Redis through hiredis, and a trigger that does nothing.
 *
 * Locking: writers take the one lock; readers none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/s_lock.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

PG_MODULE_MAGIC;

#define CELLS			(1 << 18)	/* a power of two */
#define HEAP_BYTES		(64 * 1024 * 1024)
#define VALUE_BYTES		400		/* of the benchmark's values */

typedef struct Cell
{
	pg_atomic_uint32 seq;		/* odd while a writer is inside */
	int32		key;
	uint32		at;				/* of the value, in the heap */
	uint32		len;			/* 0: the cell is free */
} Cell;

typedef struct Naive
{
	uint32		used;			/* of the heap; under the lock */
	Cell		cells[CELLS];
	char		heap[HEAP_BYTES];
} Naive;

static Naive *naive = NULL;
static LWLock *write_lock;
static redisContext *redis = NULL;

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;

static void
naive_shmem_request(void)
{
	if (prev_shmem_request)
		prev_shmem_request();
	RequestAddinShmemSpace(sizeof(Naive));
	RequestNamedLWLockTranche("naive", 1);
}

static void
naive_shmem_startup(void)
{
	bool		found;

	if (prev_shmem_startup)
		prev_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	naive = ShmemInitStruct("naive", sizeof(Naive), &found);
	write_lock = &GetNamedLWLockTranche("naive")->lock;
	if (!found)
	{
		naive->used = 0;
		memset(naive->cells, 0, sizeof(naive->cells));
		for (int i = 0; i < CELLS; i++)
			pg_atomic_init_u32(&naive->cells[i].seq, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

void		_PG_init(void);

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("naive must be loaded via shared_preload_libraries")));
	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = naive_shmem_request;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = naive_shmem_startup;
}

/*
 * naive_put(key int, value jsonb)
 */
PG_FUNCTION_INFO_V1(naive_put);
Datum
naive_put(PG_FUNCTION_ARGS)
{
	int32		key = PG_GETARG_INT32(0);
	Jsonb	   *value = PG_GETARG_JSONB_P(1);
	uint32		i = murmurhash32(key);
	Cell	   *cell;
	int			probes = 0;

	LWLockAcquire(write_lock, LW_EXCLUSIVE);
	do
	{
		cell = &naive->cells[i++ & (CELLS - 1)];
		if (probes++ == CELLS || naive->used + VARSIZE(value) > HEAP_BYTES)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the naive table is full")));
	} while (cell->len != 0 && cell->key != key);

	pg_atomic_write_u32(&cell->seq, pg_atomic_read_u32(&cell->seq) + 1);
	pg_write_barrier();
	if (VARSIZE(value) > cell->len)
	{
		cell->at = naive->used;
		naive->used += MAXALIGN(VARSIZE(value));
	}
	cell->key = key;
	cell->len = VARSIZE(value);
	memcpy(naive->heap + cell->at, value, cell->len);
	pg_write_barrier();
	pg_atomic_write_u32(&cell->seq, pg_atomic_read_u32(&cell->seq) + 1);
	LWLockRelease(write_lock);
	PG_RETURN_VOID();
}

/*
 * naive_get(key int) returns jsonb
 */
PG_FUNCTION_INFO_V1(naive_get);
Datum
naive_get(PG_FUNCTION_ARGS)
{
	int32		key = PG_GETARG_INT32(0);
	uint32		i = murmurhash32(key);

	for (;;)
	{
		Cell	   *cell = &naive->cells[i & (CELLS - 1)];
		uint32		seq = pg_atomic_read_u32(&cell->seq);
		uint32		len;
		uint32		at;
		char	   *copy = NULL;
		bool		found;

		pg_read_barrier();
		len = cell->len;
		at = cell->at;
		found = len != 0 && cell->key == key;
		if (found && at < HEAP_BYTES && len <= HEAP_BYTES - at)
		{
			copy = palloc(len);
			memcpy(copy, naive->heap + at, len);
		}
		pg_read_barrier();
		if ((seq & 1) != 0 || pg_atomic_read_u32(&cell->seq) != seq)
		{
			if (copy)
				pfree(copy);
			SPIN_DELAY();
			continue;
		}
		if (found)
			PG_RETURN_POINTER(copy);
		if (len == 0)
			PG_RETURN_NULL();
		i++;
	}
}

/*
 * naive_copy(key int) returns bytea: a copy of a value, the same for all keys
 */
PG_FUNCTION_INFO_V1(naive_copy);
Datum
naive_copy(PG_FUNCTION_ARGS)
{
	static char value[VALUE_BYTES];
	static volatile Size len = VALUE_BYTES; /* as unknown as a real one's */
	bytea	   *copy = palloc(len);

	SET_VARSIZE(value, VALUE_BYTES);
	memcpy(copy, value, len);
	PG_RETURN_BYTEA_P(copy);
}

/*
 * naive_redis_connect(socket text): what naive_redis asks from now on
 */
PG_FUNCTION_INFO_V1(naive_redis_connect);
Datum
naive_redis_connect(PG_FUNCTION_ARGS)
{
	if (redis != NULL)
		redisFree(redis);
	redis = redisConnectUnix(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (redis == NULL || redis->err)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not connect to Redis: %s",
						redis ? redis->errstr : "out of memory")));
	PG_RETURN_VOID();
}

/*
 * naive_redis(key int) returns text: GET item:<key>
 */
PG_FUNCTION_INFO_V1(naive_redis);
Datum
naive_redis(PG_FUNCTION_ARGS)
{
	char		key[32];
	const char *argv[2] = {"GET", key};
	size_t		argvlen[2] = {3, 0};
	redisReply *reply;
	text	   *result;

	if (redis == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
				 errmsg("not connected to Redis")));
	argvlen[1] = snprintf(key, sizeof(key), "item:%d", PG_GETARG_INT32(0));
	reply = redisCommandArgv(redis, 2, argv, argvlen);
	if (reply == NULL || reply->type != REDIS_REPLY_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_EXCEPTION),
				 errmsg("no value from Redis: %s", redis->errstr)));
	result = cstring_to_text_with_len(reply->str, reply->len);
	freeReplyObject(reply);
	PG_RETURN_TEXT_P(result);
}

/* MGET item:<key> ..., of some ids */
static redisReply *
mget(const int32 *ids, int n)
{
	char	  (*keys)[32] = palloc(sizeof(*keys) * n);
	const char **argv = palloc(sizeof(char *) * (n + 1));
	size_t	   *argvlen = palloc(sizeof(size_t) * (n + 1));
	redisReply *reply;

	if (redis == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
				 errmsg("not connected to Redis")));
	argv[0] = "MGET";
	argvlen[0] = strlen(argv[0]);
	for (int i = 0; i < n; i++)
	{
		argv[i + 1] = keys[i];
		argvlen[i + 1] = snprintf(keys[i], sizeof(keys[i]), "item:%d", ids[i]);
	}
	reply = redisCommandArgv(redis, n + 1, argv, argvlen);
	if (reply == NULL || reply->type != REDIS_REPLY_ARRAY ||
		reply->elements != (size_t) n)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_EXCEPTION),
				 errmsg("no values from Redis: %s", redis->errstr)));
	return reply;
}

/*
 * naive_redis_many(keys int[]) returns bigint: how many bytes an MGET gives
 */
PG_FUNCTION_INFO_V1(naive_redis_many);
Datum
naive_redis_many(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	redisReply *reply = mget((int32 *) ARR_DATA_PTR(array),
							 ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
	int64		bytes = 0;

	for (size_t i = 0; i < reply->elements; i++)
		bytes += reply->element[i]->len;
	freeReplyObject(reply);
	PG_RETURN_INT64(bytes);
}

/*
 * naive_redis_rows(keys int[]) returns table (key int, value text): what it gives
 */
PG_FUNCTION_INFO_V1(naive_redis_rows);
Datum
naive_redis_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int32	   *ids = (int32 *) ARR_DATA_PTR(array);
	redisReply *reply;

	InitMaterializedSRF(fcinfo, 0);
	reply = mget(ids, ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
	for (size_t i = 0; i < reply->elements; i++)
	{
		const redisReply *element = reply->element[i];
		Datum		row[2] = {Int32GetDatum(ids[i])};
		bool		nulls[2] = {false, element->type != REDIS_REPLY_STRING};

		if (!nulls[1])
			row[1] = PointerGetDatum(cstring_to_text_with_len(element->str,
															  element->len));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, nulls);
	}
	freeReplyObject(reply);
	return (Datum) 0;
}

/*
 * naive_trigger(): what any trigger costs
 */
PG_FUNCTION_INFO_V1(naive_trigger);
Datum
naive_trigger(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(NULL);
}
