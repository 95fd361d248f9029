/*-------------------------------------------------------------------------
 *
 * pool.c
 *		This process's connection to Redis, one of a bounded number.
 *
 * A process cannot lend its connection to another one.  So each one keeps its
 * own, and the pool counts: at most cache.redis_pool_size connections in the
 * whole server, the background worker's included; whoever wants one more gets
 * none.  So that connections do not stay with processes that do not use them,
 * a timer looks after them: of those that have not been used for a second,
 * all but cache.redis_min_idle_conns are closed, and their places are free
 * again.  None is kept while no place is free: whoever is at work goes first.
 *
 * Locking: atomic counts in shared memory.  The timer's handler runs in a
 * signal handler, so it does nothing but read and write these, and shut the
 * socket; the connection's memory is freed when it is wanted next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/timeout.h"

#include "base/devel.h"
#include "redis/address.h"
#include "redis/pool.h"

#define IDLE_MS		1000

/* What all processes know of each other's connections. */
typedef struct SharedPool
{
	pg_atomic_uint32 connections;
	pg_atomic_uint32 idle;		/* of these, not used lately */
	pg_atomic_uint32 reserved;	/* the worker wants one, and has none */
	pg_atomic_uint32 places;	/* how many there may be; 0: not known */
} SharedPool;

static SharedPool *shared_pool;

static void
pool_init(void)
{
	pg_atomic_init_u32(&shared_pool->connections, 0);
	pg_atomic_init_u32(&shared_pool->idle, 0);
	pg_atomic_init_u32(&shared_pool->reserved, 0);
	pg_atomic_init_u32(&shared_pool->places, 0);
}

const SegmentPart pool_part = {
	.name = "header",
	.address = (void **) &shared_pool,
	.bytes = sizeof(SharedPool),
	.init = pool_init,
};

/* cache.redis_pool_size, cache.redis_min_idle_conns */
static int	pool_size = 10;
static int	min_idle_conns = 5;

static RedisConn *pool_conn = NULL;
static volatile sig_atomic_t pool_placed = false;	/* has a place */
static volatile sig_atomic_t pool_busy = false; /* the handler must not act */
static volatile sig_atomic_t pool_used = false; /* since the last tick */
static volatile sig_atomic_t pool_idle = false; /* is counted as idle */

static bool pool_reserving = false; /* a place is kept for this process */
static bool pool_ready = false;
static TimeoutId pool_timer;

/*
 * Define the pool's settings; once a process.
 */
void
pool_define_settings(void)
{
	DefineCustomIntVariable("cache.redis_pool_size",
							"Sets how many connections to Redis the server may have.",
							"One of them is the background worker's.",
							&pool_size, 10, 1, 10000,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("cache.redis_min_idle_conns",
							"Sets how many connections to Redis are kept although they are idle.",
							NULL,
							&min_idle_conns, 5, 0, 10000,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
}

/* The connection is in use, or gone: it does not count as idle. */
static void
not_idle(void)
{
	if (pool_idle)
	{
		pool_idle = false;
		pg_atomic_fetch_sub_u32(&shared_pool->idle, 1);
	}
}

static void
give_place_back(void)
{
	not_idle();
	if (pool_placed)
	{
		pool_placed = false;
		if (pool_reserving)
			pg_atomic_write_u32(&shared_pool->reserved, 1);
		pg_atomic_fetch_sub_u32(&shared_pool->connections, 1);
	}
}

/* How many connections there may be before this process adds one. */
static uint32
places(void)
{
	if (pool_size == 1 || pool_reserving)
		return pool_size;
	return pool_size - pg_atomic_read_u32(&shared_pool->reserved);
}

static bool
take_place(void)
{
	pg_atomic_uint32 *connections = &shared_pool->connections;
	uint32		now = pg_atomic_read_u32(connections);

	while (now < places())
	{
		if (pg_atomic_compare_exchange_u32(connections, &now, now + 1))
		{
			pool_placed = true;
			if (pool_reserving)
				pg_atomic_write_u32(&shared_pool->reserved, 0);
			return true;
		}
	}
	return false;
}

/*
 * Is there no place for another process?  An idle session does not hear of new
 * settings before its next command, so the worker tells how many there are.
 */
static bool
pool_is_full(void)
{
	SharedPool *pool = shared_pool;
	uint32		size = pg_atomic_read_u32(&pool->places);

	return size != 0 && pg_atomic_read_u32(&pool->connections) +
		pg_atomic_read_u32(&pool->reserved) >= size;
}

/*
 * The timer's handler.  It sets the timer again only as long as there is a
 * connection to look after.
 */
static void
pool_tick(void)
{
	if (!pool_placed)
		return;
	if (!pool_busy && !pool_used && !GUARD_REMOVED("idle"))
	{
		if (!pool_idle)
		{
			pool_idle = true;
			pg_atomic_fetch_add_u32(&shared_pool->idle, 1);
		}
		if (pool_is_full() ||
			pg_atomic_read_u32(&shared_pool->idle) > (uint32) min_idle_conns)
		{
			redis_shut(pool_conn);
			give_place_back();
			return;
		}
	}
	pool_used = false;
	enable_timeout_after(pool_timer, IDLE_MS);
}

static void
pool_exit(int code, Datum arg)
{
	pool_busy = true;
	if (pool_conn != NULL)
		redis_shut(pool_conn);
	give_place_back();
}

static void
pool_setup(void)
{
	if (pool_ready)
		return;
	before_shmem_exit(pool_exit, (Datum) 0);
	pool_timer = RegisterTimeout(USER_TIMEOUT, pool_tick);
	pool_ready = true;
}

/* An error has switched all timers off. */
static void
pool_start_timer(void)
{
	if (!get_timeout_active(pool_timer))
		enable_timeout_after(pool_timer, IDLE_MS);
}

/*
 * Keep a place for this process, the background worker, while it has none.
 */
void
pool_reserve(void)
{
	pool_reserving = true;
	pg_atomic_write_u32(&shared_pool->reserved, 1);
}

/*
 * The worker has read the settings: tell those who have not.
 */
void
pool_tell_settings(void)
{
	pg_atomic_write_u32(&shared_pool->places, pool_size);
}

/*
 * Get the connection, for use until pool_release or pool_discard; an error
 * that is raised in between costs the connection.  error: of REDIS_ERROR_SIZE
 * bytes, in case it is POOL_FAILED.
 */
PoolResult
pool_get(RedisConn **conn, char *error)
{
	RedisAddress address;
	PoolResult	result = POOL_REUSED;

	pool_setup();
	pool_busy = true;
	if (pool_conn != NULL && !(pool_placed && redis_is_current(pool_conn)))
		pool_discard();
	if (pool_conn == NULL)
	{
		pool_busy = true;
		result = POOL_OPENED;
		if (!address_get(&address))
			result = POOL_UNRESOLVED;
		else if (!take_place())
			result = POOL_FULL;
		else
		{
			pool_conn = redis_open(&address, error);
			if (pool_conn == NULL)
			{
				give_place_back();
				result = POOL_FAILED;
			}
		}
	}
	*conn = pool_conn;
	if (pool_conn == NULL)
	{
		pool_busy = false;
		return result;
	}
	not_idle();
	pool_start_timer();
	return result;
}

/*
 * The connection is in order, and not needed for the moment.
 */
void
pool_release(void)
{
	pool_used = true;
	pool_busy = false;
}

/*
 * The connection is of no more use.  It is closed before somebody else gets
 * its place, or Redis would see one more than there may be.
 */
void
pool_discard(void)
{
	RedisConn  *conn = pool_conn;

	pool_busy = true;
	pool_conn = NULL;
	if (conn != NULL)
		redis_close(conn);
	give_place_back();
	pool_busy = false;
}

/*
 * The transaction has ended; raises no errors.  What was in use is no more,
 * if an error has ended it; nor what nobody wants any more.  A pool of one has
 * to be shared with the worker.
 */
void
pool_end_transaction(void)
{
	if (pool_conn == NULL && !pool_placed)
		return;
	if (pool_busy || pool_size == 1 || !address_is_set())
		pool_discard();
	else if (pool_placed)
		pool_start_timer();
}

/*
 * How many connections the server has, and how many of them are idle.
 */
void
pool_count(uint32 *connections, uint32 *idle)
{
	*connections = pg_atomic_read_u32(&shared_pool->connections);
	*idle = pg_atomic_read_u32(&shared_pool->idle);
}
