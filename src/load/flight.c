/*-------------------------------------------------------------------------
 *
 * flight.c
 *		One backend loads a key, the others wait for it.
 *
 * Whoever misses a key tries to lock it in the lock manager.  The one that
 * succeeds loads; the others wait for it to end, and look again.  Waiting must
 * not make anything fail that would succeed without a cache, nor take longer
 * than twice as long.  Two things see to that.
 *
 * How it ended.  A load that ends without a stored value (an error, the end of
 * its session, a value that may not or cannot be stored) says so in the key's
 * outcome: those who waited then load at once and side by side, as they would
 * without a cache.  And so do the next gets of this key, until a load of it has
 * been stored: else they would find a leader among themselves, wait for it in
 * vain, and fail one after the other.
 *
 * Where they wait.  A session on which nobody can be waiting does so in the
 * lock manager, for as long as it takes: for the lock in share mode, so that
 * all wake up together.  One on which the leader may be waiting sleeps outside
 * of it, for a time that is bounded, and then loads by itself: one that has
 * changed or locked rows, that holds locks (ownlocks.c), or that loads another
 * key meanwhile.  So there is no deadlock that would not be there without a
 * cache.  One with a lock_timeout does the same, since no lock is what it waits
 * for.  When a wait has been in vain for as long as that, the transaction sleeps
 * for nobody any more: so it loses this time but once.
 *
 * The bound is a few times the mean time of the cache's loads, if that is known,
 * and at most lock_timeout; and deadlock_timeout, where the leader may be
 * waiting.
 *
 * A key can be wanted in two forms, in the loader's own type and as jsonb.  Where
 * either can be made of the other, who wants one waits for who loads the other.
 *
 * The lock manager knows hashes only.  So each backend has a note in shared
 * memory of what it loads or waits for, for the view cache_flights; and of the
 * keys that it leads, so that an error, or the end of the session, can say how
 * that ended.
 *
 * Outcomes are words in shared memory, found by the key's hash: the upper 44
 * bits are those of the hash of the key whose last flight has ended without a
 * stored value (0: none), the lower ones count such flights.  Strangers that
 * share a word cause a load that could have been spared, or a wait.
 *
 * Locking: heavyweight locks of type userlock on (database, hash of the
 * entry's image), held while the loader runs: nobody holds one while he waits
 * in the lock manager for another.  Whoever sleeps does so on one of a few
 * condition variables (landings), again by the hash; leaders wake them.  A note
 * is written by its owner alone, and has a sequence number that tells others
 * whether what they have copied is whole.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/locktag.h"
#include "base/seqlock.h"
#include "definition/key.h"
#include "definition/value.h"
#include "depend/loads.h"
#include "fence/registry.h"
#include "fence/stats.h"
#include "load/flight.h"
#include "load/ownlocks.h"

#define FLIGHT_OUTCOMES			4096	/* a power of two, 2^20 at most */
#define FLIGHT_LANDINGS			64

/* How often to try to copy a note that is being written */
#define NOTE_TRIES	1000

/* The bits of an outcome that count */
#define OUTCOME_COUNT	((UINT64CONST(1) << 20) - 1)

/* Who sleeps does so for this many mean load times, and this long at least. */
#define SLEEP_LOADS		3
#define SLEEP_MIN		10		/* ms */

typedef struct SharedFlights
{
	pg_atomic_uint64 outcomes[FLIGHT_OUTCOMES];
	ConditionVariable landings[FLIGHT_LANDINGS];
} SharedFlights;

static SharedFlights *shared_flights;
static FlightNote *shared_flight_notes;

static bool noted = false;		/* a row of cache_flights */
static int	nled = 0;			/* keys that this backend leads */
static bool tired = false;		/* a sleep in this transaction was in vain */

/*-------------------------------------------------------------------------
 * Notes
 *-------------------------------------------------------------------------
 */

static Size
flight_notes_size(void)
{
	return mul_size(MaxBackends, sizeof(FlightNote));
}

static void
flight_notes_init(void)
{
	memset(shared_flight_notes, 0, flight_notes_size());
	for (int i = 0; i < MaxBackends; i++)
		pg_atomic_init_u32(&shared_flight_notes[i].seq, 0);
}

/* One for each backend */
const SegmentPart flight_notes_part = {
	.name = "flights",
	.address = (void **) &shared_flight_notes,
	.size = flight_notes_size,
	.init = flight_notes_init,
};

static void
flight_init(void)
{
	for (int i = 0; i < FLIGHT_OUTCOMES; i++)
		pg_atomic_init_u64(&shared_flights->outcomes[i], 0);
	for (int i = 0; i < FLIGHT_LANDINGS; i++)
		ConditionVariableInit(&shared_flights->landings[i]);
}

const SegmentPart flight_part = {
	.name = "header",
	.address = (void **) &shared_flights,
	.bytes = sizeof(SharedFlights),
	.init = flight_init,
};

/* This backend's note.  Processes that are no backends do not get values. */
static FlightNote *
my_note(void)
{
	Assert(CACHE_MY_PROCNO < MaxBackends);
	return &shared_flight_notes[CACHE_MY_PROCNO];
}

/* End to write a note. */
static void
note_close(FlightNote *note)
{
	note->pid = noted || nled > 0 ? MyProcPid : 0;
	note->dbid = MyDatabaseId;
	note->nled = nled;
	if (!noted)
		note->cache = 0;
	seqlock_end_write(&note->seq);
}

/*
 * Write what this backend loads or waits for; NULL: there is nothing to be
 * told any more.  What it does within a load is no row of its own.
 */
static void
note_write(const Flight *flight)
{
	FlightNote *note = my_note();

	if (loads_depth() > 0 || (flight == NULL && !noted))
		return;
	seqlock_begin_write(&note->seq);
	noted = flight != NULL;
	if (noted)
	{
		note->len = flight->key->len;
		note->since = GetCurrentTimestamp();
		note->cache = flight->cache;
		note->hash = flight->hash;
		memcpy(note->image, flight->key->image, Min(note->len, FLIGHT_IMAGE));
	}
	note_close(note);
}

/* Note that this backend leads one more key, or that it does not any more. */
static void
note_push(uint64 hash)
{
	FlightNote *note = my_note();

	seqlock_begin_write(&note->seq);
	note->led[nled++] = hash;
	note_close(note);
}

static uint64
note_pop(void)
{
	FlightNote *note = my_note();

	seqlock_begin_write(&note->seq);
	nled--;
	note_close(note);
	return note->led[nled];
}

static bool
is_leading(uint64 hash)
{
	for (int i = 0; i < nled; i++)
	{
		if (my_note()->led[i] == hash)
			return true;
	}
	return false;
}

/*
 * Copy the note of backend i, which is less than MaxBackends.  False if it has
 * none.
 */
bool
flight_read_note(int i, FlightNote *copy)
{
	FlightNote *note = &shared_flight_notes[i];

	for (int try = 0; try < NOTE_TRIES; try++)
	{
		uint32		seq = pg_atomic_read_u32(&note->seq);

		pg_read_barrier();
		memcpy(copy, note, sizeof(FlightNote));
		pg_read_barrier();
		if (seq % 2 == 0 && pg_atomic_read_u32(&note->seq) == seq)
			return copy->pid != 0;
	}
	return false;
}

/*-------------------------------------------------------------------------
 * Outcomes
 *-------------------------------------------------------------------------
 */

static pg_atomic_uint64 *
outcome_of(uint64 hash)
{
	return &shared_flights->outcomes[hash % FLIGHT_OUTCOMES];
}

/* Is the outcome that of this key, and is it that nothing was stored? */
static bool
outcome_is_vain(uint64 outcome, uint64 hash)
{
	return (outcome & ~OUTCOME_COUNT) != 0 &&
		((outcome ^ hash) & ~OUTCOME_COUNT) == 0;
}

/* A flight has ended without a stored value. */
static void
outcome_note_vain(uint64 hash)
{
	pg_atomic_uint64 *outcome = outcome_of(hash);
	uint64		old = pg_atomic_read_u64(outcome);

	while (!pg_atomic_compare_exchange_u64(outcome, &old,
										   (hash & ~OUTCOME_COUNT) |
										   ((old + 1) & OUTCOME_COUNT)))
		;
}

/* The key has been stored. */
static void
outcome_note_stored(uint64 hash)
{
	pg_atomic_uint64 *outcome = outcome_of(hash);
	uint64		old = pg_atomic_read_u64(outcome);

	while (outcome_is_vain(old, hash) &&
		   !pg_atomic_compare_exchange_u64(outcome, &old, old & OUTCOME_COUNT))
		;
}

/* Have flights ended in vain since the outcome was this? */
static bool
outcome_has_moved(uint64 hash, uint64 before)
{
	return ((pg_atomic_read_u64(outcome_of(hash)) ^ before) & OUTCOME_COUNT) != 0;
}

/*-------------------------------------------------------------------------
 * Waiting
 *-------------------------------------------------------------------------
 */

static ConditionVariable *
flight_landing(uint64 hash)
{
	return &shared_flights->landings[hash % FLIGHT_LANDINGS];
}

/* Can nobody be waiting for this session, as far as it matters to a load? */
static bool
flight_is_free(void)
{
	return loads_depth() == 0 &&
		!TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
		(!ownlocks_may_block() || GUARD_REMOVED("ownlocks"));
}

/*
 * May it load for others?  What it has changed itself forbids to store what
 * nobody watches, which is what a cache with a ttl may be of.
 */
static bool
flight_may_lead(const Flight *flight)
{
	return nled < FLIGHT_DEPTH &&
		!(flight->expires && TransactionIdIsValid(GetTopTransactionIdIfAny()));
}

/* How long it may sleep, in milliseconds. */
static int
sleep_bound(const Flight *flight)
{
	uint64		failed = stats_read(flight->slot, STATS_FAILED_LOADS);
	uint64		loads = stats_read(flight->slot, STATS_LOADS);
	uint64		time = stats_read(flight->slot, STATS_LOAD_TIME);
	double		bound = flight->free ? INT_MAX : DeadlockTimeout;

	if (loads > failed && time > 0)
		bound = Min(bound, Max(SLEEP_MIN,
							   SLEEP_LOADS * (time / 1e6) / (loads - failed)));
	if (LockTimeout > 0)
		bound = Min(bound, LockTimeout);
	return (int) Max(bound, 1);
}

/* Lead from now on: the lock is held. */
static FlightRole
flight_lead(Flight *flight)
{
	note_push(flight->hash);
	note_write(flight);
	flight->leads = true;
	return FLIGHT_LEADER;
}

/*
 * Try to lock the key.  True if there is no need to wait, and what to do.
 */
static bool
flight_try(Flight *flight, const LOCKTAG *tag, FlightRole *role)
{
	bool		may_lead = flight_may_lead(flight);
	LOCKMODE	mode = may_lead ? ExclusiveLock : ShareLock;

	if (cache_try_lock(tag, mode) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	if (may_lead)
		*role = flight_lead(flight);
	else
	{
		(void) LockRelease(tag, mode, false);
		ConditionVariableBroadcast(flight_landing(flight->hash));
		*role = FLIGHT_ALONE;
	}
	return true;
}

/*
 * Wait in the lock manager.  again: for the lock itself.
 */
static FlightRole
flight_queue(Flight *flight, const LOCKTAG *tag, uint64 before, bool again)
{
	LOCKMODE	mode = again ? ExclusiveLock : ShareLock;
	bool		vain;

	/* Where there is no memory for a lock, others' loads are not waited for. */
	if (cache_wait_lock(tag, mode) == LOCKACQUIRE_NOT_AVAIL)
		return FLIGHT_ALONE;
	vain = outcome_has_moved(flight->hash, before);
	if (again && !vain)
		return flight_lead(flight);
	(void) LockRelease(tag, mode, false);
	return vain ? FLIGHT_ALONE : FLIGHT_LANDED;
}

/*
 * Sleep, until one of some leaders is through or time is up.
 */
static FlightRole
flight_sleep(Flight *flight, const LOCKTAG *tag, uint64 before)
{
	ConditionVariable *landing = flight_landing(flight->hash);
	TimestampTz now = GetCurrentTimestamp();
	FlightRole	role;
	long		left;			/* milliseconds */
	bool		late;

	if (tired)
		return FLIGHT_ALONE;
	if (flight->deadline == 0)
		flight->deadline = TimestampTzPlusMilliseconds(now, sleep_bound(flight));

	/* Who ends from here on wakes us. */
	ConditionVariablePrepareToSleep(landing);
	if (flight_try(flight, tag, &role))
	{
		ConditionVariableCancelSleep();
		return role;
	}
	left = GUARD_REMOVED("flight_bound") ? INT_MAX :
		(flight->deadline - now + 999) / 1000;
	late = left <= 0 ||
		ConditionVariableTimedSleep(landing, left, cache_wait_event());
	ConditionVariableCancelSleep();
	if (outcome_has_moved(flight->hash, before))
		return FLIGHT_ALONE;
	if (late)
	{
		tired = true;
		return FLIGHT_ALONE;
	}
	return FLIGHT_LANDED;
}

/*-------------------------------------------------------------------------
 * Flights
 *-------------------------------------------------------------------------
 */

/*
 * Prepare for what may be loaded.  The key must stay where it is meanwhile.
 */
void
flight_prepare(Flight *flight, const CacheDef *def, const StoreKey *key)
{
	flight->cache = def->id;
	flight->key = key;
	flight->hash = key_image_hash(key, value_survives_jsonb(def->rettype));
	flight->slot = key->slot;
	flight->expires = def->ttl != NULL;
	flight->leads = false;
	flight->free = false;
	flight->queues = false;
	flight->deadline = 0;
}

/*
 * Find out what to do about a key that was not found.  May wait for another
 * backend's load; an error, if this deadlocks or is cancelled.  The caller
 * calls flight_end, or flight_forget after an error.
 *
 * again: the caller has waited before, and found nothing.  Then those who
 * waited with it want the lock at the same time, and must not keep each other
 * from it with their share locks: they queue.
 */
FlightRole
flight_begin(Flight *flight, bool again)
{
	uint64		before = pg_atomic_read_u64(outcome_of(flight->hash));
	LOCKTAG		tag;
	FlightRole	role;

	if (is_leading(flight->hash) || GUARD_REMOVED("flight") ||
		(outcome_is_vain(before, flight->hash) && !GUARD_REMOVED("flight_memory")))
		return FLIGHT_ALONE;
	locktag_set(&tag, LOCK_FLIGHT, MyDatabaseId, flight->hash);
	again &= flight->queues;
	if (!again && flight_try(flight, &tag, &role))
		return role;
	if (!again)
	{
		flight->free = flight_is_free();
		flight->queues = flight->free && LockTimeout == 0;
	}
	if (!flight->queues && GUARD_REMOVED("flight_sleep"))
		return FLIGHT_ALONE;

	note_write(flight);
	role = flight->queues ? flight_queue(flight, &tag, before, again) :
		flight_sleep(flight, &tag, before);
	if (role != FLIGHT_LEADER)
		note_write(NULL);
	return role;
}

/*
 * The load is through.  stored: others will find a value.
 */
void
flight_end(Flight *flight, bool stored)
{
	LOCKTAG		tag;

	if (stored)
		outcome_note_stored(flight->hash);
	if (!flight->leads)
		return;
	if (!stored)
		outcome_note_vain(flight->hash);
	flight->leads = false;
	(void) note_pop();
	note_write(NULL);
	locktag_set(&tag, LOCK_FLIGHT, MyDatabaseId, flight->hash);
	(void) LockRelease(&tag, ExclusiveLock, false);
	ConditionVariableBroadcast(flight_landing(flight->hash));
}

/*
 * How far this backend has got into flights within flights.
 */
int
flight_depth(void)
{
	return nled;
}

/*
 * Those begun since then have ended, with an error if any are left.  Their
 * locks are released by the end of the (sub)transaction; but who sleeps, or
 * comes now, need not wait for that.  No errors here: it is called in callbacks.
 */
void
flight_forget(int depth)
{
	while (nled > depth)
	{
		uint64		hash = note_pop();

		if (!GUARD_REMOVED("flight_error"))
			outcome_note_vain(hash);
		ConditionVariableBroadcast(flight_landing(hash));
	}
	if (noted)
		note_write(NULL);
}

/*
 * The transaction has ended, perhaps together with the session.
 */
void
flight_reset(void)
{
	flight_forget(0);
	tired = false;
}
