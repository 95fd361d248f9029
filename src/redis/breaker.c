/*-------------------------------------------------------------------------
 *
 * breaker.c
 *		Is Redis worth asking, and how has it done?
 *
 * After a few failures in a row, of any backends, the breaker opens: from then
 * on nobody asks, until the background worker has found that Redis answers
 * again.  The log has one line for each change of state.
 *
 * Locking: atomic variables, since this concerns every get that Redis is
 * asked for; the text of the last error is under the breaker lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "storage/lwlock.h"

#include "base/devel.h"
#include "redis/address.h"
#include "redis/breaker.h"
#include "redis/queue.h"
#include "redis/redis.h"

#define FAILURES_TO_OPEN	3

/* Weight of the newest time in the average: 1 / 2^n */
#define ROUND_TRIP_SHIFT	4

/*
 * The histogram of round trips: of what is not shorter than 2^SHORTEST_BITS
 * nanoseconds, some intervals for each power of two.
 */
#define HISTOGRAM			96	/* intervals */
#define SHORTEST_BITS		10
#define PER_POWER_BITS		2
#define PER_POWER			(1 << PER_POWER_BITS)
#define NS_PER_MS			1e6

typedef struct Breaker
{
	pg_atomic_uint32 state;
	pg_atomic_uint32 failures;	/* in a row */
	pg_atomic_uint32 trips;		/* openings without an answer in between */
	pg_atomic_uint32 doubted;	/* somebody has failed: a probe is wanted */
	pg_atomic_uint64 proofs;	/* probes that have succeeded */
	pg_atomic_uint64 since;		/* time stamp of the last change of state */
	pg_atomic_uint64 round_trip;	/* moving average, in nanoseconds */
	pg_atomic_uint64 times[HISTOGRAM];	/* round trips */
	pg_atomic_uint64 counters[REDIS_COUNTERS];
	char		error[BREAKER_ERROR];	/* the last one; breaker lock */
} Breaker;

static Breaker *shared_breaker;
static LWLock *shared_breaker_lock;

static void
breaker_init(void)
{
	Breaker    *breaker = shared_breaker;

	pg_atomic_init_u32(&breaker->state, BREAKER_CONNECTING);
	pg_atomic_init_u32(&breaker->failures, 0);
	pg_atomic_init_u32(&breaker->trips, 0);
	pg_atomic_init_u32(&breaker->doubted, 0);
	pg_atomic_init_u64(&breaker->proofs, 0);
	pg_atomic_init_u64(&breaker->since, GetCurrentTimestamp());
	pg_atomic_init_u64(&breaker->round_trip, 0);
	for (int i = 0; i < HISTOGRAM; i++)
		pg_atomic_init_u64(&breaker->times[i], 0);
	for (int i = 0; i < REDIS_COUNTERS; i++)
		pg_atomic_init_u64(&breaker->counters[i], 0);
	breaker->error[0] = '\0';
}

const SegmentPart breaker_part = {
	.name = "header",
	.address = (void **) &shared_breaker,
	.bytes = sizeof(Breaker),
	.nlocks = 1,
	.locks = (LWLockPadded **) &shared_breaker_lock,
	.init = breaker_init,
};

/*
 * The present state.
 */
BreakerState
breaker_state(void)
{
	return pg_atomic_read_u32(&shared_breaker->state);
}

/* Change the state; true if it was another one. */
static bool
change_state(BreakerState state)
{
	Breaker    *breaker = shared_breaker;

	if (pg_atomic_exchange_u32(&breaker->state, state) == (uint32) state)
		return false;
	pg_atomic_write_u64(&breaker->since, GetCurrentTimestamp());
	return true;
}

/*
 * Another Redis is to be used: nothing is known of it.
 */
void
breaker_reset(void)
{
	pg_atomic_write_u32(&shared_breaker->failures, 0);
	pg_atomic_write_u32(&shared_breaker->trips, 0);
	pg_atomic_write_u64(&shared_breaker->round_trip, 0);
	change_state(BREAKER_CONNECTING);
}

/* The interval of a time; the first one is for all that are shorter. */
static int
time_interval(uint64 nanoseconds)
{
	int			power;
	int			interval;

	if (nanoseconds < UINT64CONST(1) << SHORTEST_BITS)
		return 0;
	power = pg_leftmost_one_pos64(nanoseconds);
	interval = (power - SHORTEST_BITS) * PER_POWER +
		((nanoseconds >> (power - PER_POWER_BITS)) & (PER_POWER - 1)) + 1;
	return Min(interval, HISTOGRAM - 1);
}

/*
 * Redis has answered a get.
 */
void
breaker_success(void)
{
	Breaker    *breaker = shared_breaker;

	if (pg_atomic_read_u32(&breaker->failures) != 0)
		pg_atomic_write_u32(&breaker->failures, 0);
	if (pg_atomic_read_u32(&breaker->trips) != 0)
		pg_atomic_write_u32(&breaker->trips, 0);
}

/*
 * A round trip has taken that many nanoseconds.
 */
void
breaker_time(uint64 nanoseconds)
{
	Breaker    *breaker = shared_breaker;
	uint64		before = pg_atomic_read_u64(&breaker->round_trip);

	pg_atomic_fetch_add_u64(&breaker->times[time_interval(nanoseconds)], 1);

	/* Of two that do this at the same time, one may be forgotten. */
	if (before == 0)
		before = nanoseconds;
	pg_atomic_write_u64(&breaker->round_trip,
						before - (before >> ROUND_TRIP_SHIFT) +
						(nanoseconds >> ROUND_TRIP_SHIFT));
}

/*
 * Make an error, of which the text may be Redis', fit to be shown: in no
 * encoding at all, and without what only superusers may see.  to: of
 * BREAKER_ERROR bytes.
 */
static void
clean_error(char *to, const char *from)
{
	if (redis_is_revealing(from))
		from = "an error that contains the password";
	strlcpy(to, from, BREAKER_ERROR);
	for (; *to != '\0'; to++)
	{
		if (*to < ' ' || *to > '~')
			*to = '?';
	}
}

static void
note_error(const char *error)
{
	LWLockAcquire(shared_breaker_lock, LW_EXCLUSIVE);
	strlcpy(shared_breaker->error, error, BREAKER_ERROR);
	LWLockRelease(shared_breaker_lock);
}

/*
 * Redis has failed.  True if this has opened the breaker.
 */
bool
breaker_failure(const char *error)
{
	Breaker    *breaker = shared_breaker;
	char		shown[BREAKER_ERROR];

	clean_error(shown, error);
	breaker_count(REDIS_FAILURES, 1);
	note_error(shown);
	if (pg_atomic_exchange_u32(&breaker->doubted, 1) == 0)
		queue_wake();
	if (pg_atomic_add_fetch_u32(&breaker->failures, 1) < FAILURES_TO_OPEN ||
		!change_state(BREAKER_DOWN))
		return false;
	pg_atomic_fetch_add_u32(&breaker->trips, 1);
	ereport(LOG,
			(errmsg("Redis at \"%s\" is not usable: %s", address_setting, shown),
			 errdetail("It is not asked until it answers again.")));
	return true;
}

/*
 * Redis is still not usable, perhaps for another reason than before.
 */
void
breaker_note(const char *error)
{
	char		shown[BREAKER_ERROR];

	clean_error(shown, error);
	note_error(shown);
}

/*
 * The worker has found Redis in order; but read_only, if not NULL, says why it
 * takes no writes.
 */
void
breaker_close(const char *read_only)
{
	Breaker    *breaker = shared_breaker;

	/* Some gets may fail nevertheless: that is for them to tell. */
	if (breaker_state() == BREAKER_DOWN)
		pg_atomic_write_u32(&breaker->failures, 0);
	pg_atomic_fetch_add_u64(&breaker->proofs, 1);
	if (read_only != NULL)
	{
		char		shown[BREAKER_ERROR];

		clean_error(shown, read_only);
		note_error(shown);
		if (change_state(BREAKER_READ_ONLY))
			ereport(LOG,
					(errmsg("Redis at \"%s\" can be read but takes no writes: %s",
							address_setting, shown)));
	}
	else if (change_state(BREAKER_UP))
		ereport(LOG,
				(errmsg("Redis at \"%s\" is usable", address_setting)));
}

/*
 * Has somebody failed since breaker_is_doubted was asked last?
 */
bool
breaker_has_doubt(void)
{
	return pg_atomic_read_u32(&shared_breaker->doubted) != 0;
}

/*
 * Has somebody failed since this was asked last?
 */
bool
breaker_is_doubted(void)
{
	return breaker_has_doubt() &&
		pg_atomic_exchange_u32(&shared_breaker->doubted, 0) != 0;
}

/*
 * A number that moves whenever Redis has been found in order.
 */
uint64
breaker_proofs(void)
{
	return pg_atomic_read_u64(&shared_breaker->proofs);
}

/*
 * How often the breaker has opened without a single get being answered in
 * between: as if probes succeeded where gets do not.
 */
uint32
breaker_trips(void)
{
	return pg_atomic_read_u32(&shared_breaker->trips);
}

/*
 * Since when the state is what it is.
 */
TimestampTz
breaker_since(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared_breaker->since);
}

/*
 * The last error, in BREAKER_ERROR bytes; empty if there was none.
 */
void
breaker_error(char *error)
{
	LWLockAcquire(shared_breaker_lock, LW_SHARED);
	strlcpy(error, shared_breaker->error, BREAKER_ERROR);
	LWLockRelease(shared_breaker_lock);
}

/*
 * How long a round trip takes, in nanoseconds; 0 if that is not known.
 */
uint64
breaker_round_trip(void)
{
	return pg_atomic_read_u64(&shared_breaker->round_trip);
}

/*
 * Count something.
 */
void
breaker_count(RedisCounter counter, uint64 n)
{
	pg_atomic_fetch_add_u64(&shared_breaker->counters[counter], n);
}

/*
 * How much has been counted.
 */
uint64
breaker_counted(RedisCounter counter)
{
	return pg_atomic_read_u64(&shared_breaker->counters[counter]);
}

/*
 * The round trip, in milliseconds, that this part of all did not exceed (to
 * within a fifth); NaN if there were none.
 */
double
breaker_percentile(double part)
{
	Breaker    *breaker = shared_breaker;
	uint64		times[HISTOGRAM];
	uint64		all = 0;
	uint64		sum = 0;

	for (int i = 0; i < HISTOGRAM; i++)
		all += times[i] = pg_atomic_read_u64(&breaker->times[i]);
	if (all == 0)
		return NAN;
	for (int i = 0; i < HISTOGRAM; i++)
	{
		sum += times[i];
		if (sum >= part * all)
			return ldexp(1.0 + (i % PER_POWER) / (double) PER_POWER,
						 SHORTEST_BITS + i / PER_POWER) / NS_PER_MS;
	}
	return INFINITY;
}
