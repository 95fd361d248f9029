/*-------------------------------------------------------------------------
 *
 * probe.c
 *		Finding out whether Redis is in order.
 *
 * The background worker does now and then what backends do, within the time
 * that they have for it: it connects, writes a key and reads it.  It opens the
 * breaker or closes it accordingly, and measures the round trip.  Before, it
 * finds the address that the host name stands for; that may take its time.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "portability/instr_time.h"

#include "base/compat.h"
#include "redis/address.h"
#include "redis/breaker.h"
#include "redis/keyname.h"
#include "redis/pool.h"
#include "redis/probe.h"
#include "redis/redis.h"

#define MAX_DOUBLINGS	6
#define EXPIRE_MS		"60000" /* of the key that is written */

static TimestampTz last_probe = 0;

/*
 * Something looks wrong: probe at once.
 */
void
probe_soon(void)
{
	last_probe = 0;
}

/*
 * In how many milliseconds the next probe is due, if one is so long after the
 * last.
 */
long
probe_due(long up_ms, long down_ms)
{
	BreakerState state = breaker_state();
	uint32		trips = breaker_trips();
	long		interval = state == BREAKER_UP ? up_ms : down_ms;

	/* Where probes succeed and gets do not, they need not alternate often. */
	if (state == BREAKER_DOWN && trips > 1)
		interval <<= Min(trips - 1, MAX_DOUBLINGS);

	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
										   TimestampTzPlusMilliseconds(last_probe,
																	   interval));
}

static void
ask_for(RedisConn *conn, const char *name)
{
	const char *args[2] = {"GET", name};
	size_t		lengths[2] = {3, strlen(name)};

	redis_command(conn, 2, args, lengths);
}

static void
write_it(RedisConn *conn, const char *name)
{
	const char *args[5] = {"SET", name, "1", "PX", EXPIRE_MS};
	size_t		lengths[5] = {3, strlen(name), 1, 2, strlen(EXPIRE_MS)};

	redis_command(conn, 5, args, lengths);
}

/* Does the reply to a read say that Redis can be read? */
static bool
is_readable(const RedisReply *reply, char *error)
{
	if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL)
		return true;
	strlcpy(error, reply->type == REDIS_REPLY_ERROR ? reply->str :
			"unexpected type of reply", REDIS_ERROR_SIZE);
	return false;
}

/*
 * Write, read, and read again to measure it.  False, with the reason, if Redis
 * is of no use; else read_only is why it takes no writes, or empty.
 */
static bool
exercise(RedisConn *conn, char *error, char *read_only)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   redis_timeout_ms);
	char		name[KEYNAME_SIZE];
	RedisReply *reply;
	bool		readable;
	instr_time	start;
	instr_time	end;

	keyname_probe(name);
	write_it(conn, name);
	ask_for(conn, name);
	read_only[0] = '\0';
	for (int i = 0; i < 3; i++)
	{
		INSTR_TIME_SET_CURRENT(start);
		reply = redis_reply(conn, REDIS_ERROR_SIZE, deadline);
		if (reply == NULL)
		{
			strlcpy(error, redis_error(conn), REDIS_ERROR_SIZE);
			return false;
		}
		INSTR_TIME_SET_CURRENT(end);
		INSTR_TIME_SUBTRACT(end, start);
		readable = i == 0 || is_readable(reply, error);
		if (i == 0 && reply->type == REDIS_REPLY_ERROR)
			strlcpy(read_only, reply->str, REDIS_ERROR_SIZE);
		reply_free(reply);
		if (!readable)
			return false;
		if (i == 1)
			ask_for(conn, name);
	}
	breaker_time(cache_nanoseconds(end));
	return true;
}

/* One probe. */
static void
probe(void)
{
	char		error[REDIS_ERROR_SIZE] = "";
	char		read_only[REDIS_ERROR_SIZE];
	RedisConn  *conn;
	bool		good = false;

	if (address_resolve(breaker_state() == BREAKER_DOWN, error, sizeof(error)))
	{
		PoolResult	result;

		/* Whoever is down may have come up again with nobody on the line. */
		if (breaker_state() != BREAKER_UP)
			pool_discard();
		result = pool_get(&conn, error);
		if (result == POOL_FULL)
			return;
		if (result == POOL_REUSED || result == POOL_OPENED)
		{
			good = exercise(conn, error, read_only);
			if (good)
				pool_release();
			else
				pool_discard();
		}
	}
	if (good)
		breaker_close(read_only[0] != '\0' ? read_only : NULL);
	else if (breaker_state() != BREAKER_DOWN)
		(void) breaker_failure(error);
	else
		breaker_note(error);
}

/*
 * Probe, if it is time.
 */
void
probe_if_due(long up_ms, long down_ms)
{
	if (breaker_is_doubted() && breaker_state() != BREAKER_DOWN)
		probe_soon();
	if (probe_due(up_ms, down_ms) > 0)
		return;
	probe();
	last_probe = GetCurrentTimestamp();
}
