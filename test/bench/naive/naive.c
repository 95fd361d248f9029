/*-------------------------------------------------------------------------
 *
 * naive.c
 *		What the benchmark measures against, in C and in the same executor.
 *
 * A table in shared memory as one would write it in an afternoon: cells of
 * a fixed size, found by linear probing, each with a sequence number for its
 * readers (a seqlock).  No eviction, no expiry, no memory management, no
 * transactions, one type of key, values up to the size of a cell; nothing
 * keeps it in agreement with any table.  Key and value share a cell, so a
 * lookup is one dependent cache miss: the least that a shared cache can cost.
 *
 * Besides that: a copy of a value without any lookup, a bare GET from Redis
 * through hiredis, and a trigger that does nothing.
 *
 * Locking: writers take the one lock; readers none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/s_lock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_MODULE_MAGIC;

#define CELLS			(1 << 18)	/* a power of two */
#define CELL_BYTES		512
#define VALUE_BYTES		400		/* of the benchmark's values */

typedef struct Cell
{
	pg_atomic_uint32 seq;		/* odd while a writer is inside */
	int32		key;
	uint32		len;			/* 0: the cell is free */
	char		value[CELL_BYTES - 12];
} Cell;

static Cell *cells = NULL;
static LWLock *write_lock;
static redisContext *redis = NULL;

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;

static void
naive_shmem_request(void)
{
	if (prev_shmem_request)
		prev_shmem_request();
	RequestAddinShmemSpace(mul_size(CELLS, sizeof(Cell)));
	RequestNamedLWLockTranche("naive", 1);
}

static void
naive_shmem_startup(void)
{
	bool		found;

	if (prev_shmem_startup)
		prev_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	cells = ShmemInitStruct("naive", mul_size(CELLS, sizeof(Cell)), &found);
	write_lock = &GetNamedLWLockTranche("naive")->lock;
	if (!found)
	{
		memset(cells, 0, mul_size(CELLS, sizeof(Cell)));
		for (int i = 0; i < CELLS; i++)
			pg_atomic_init_u32(&cells[i].seq, 0);
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

	if (VARSIZE(value) > sizeof(cell->value))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the value is too large for a cell")));
	LWLockAcquire(write_lock, LW_EXCLUSIVE);
	do
	{
		if (probes++ == CELLS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the table is full")));
		cell = &cells[i++ & (CELLS - 1)];
	} while (cell->len != 0 && cell->key != key);

	pg_atomic_write_u32(&cell->seq, pg_atomic_read_u32(&cell->seq) + 1);
	pg_write_barrier();
	cell->key = key;
	cell->len = VARSIZE(value);
	memcpy(cell->value, value, cell->len);
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
		Cell	   *cell = &cells[i & (CELLS - 1)];
		uint32		seq = pg_atomic_read_u32(&cell->seq);
		uint32		len;
		char	   *copy = NULL;
		bool		found;

		pg_read_barrier();
		len = cell->len;
		found = len != 0 && cell->key == key;
		if (found && len <= sizeof(cell->value))
		{
			copy = palloc(len);
			memcpy(copy, cell->value, len);
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
	bytea	   *copy = palloc(VALUE_BYTES);

	SET_VARSIZE(value, VALUE_BYTES);
	memcpy(copy, value, VALUE_BYTES);
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

/*
 * naive_trigger(): what any trigger costs
 */
PG_FUNCTION_INFO_V1(naive_trigger);
Datum
naive_trigger(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(NULL);
}
