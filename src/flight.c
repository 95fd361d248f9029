/*-------------------------------------------------------------------------
 *
 * flight.c
 *		One backend loads a key, the others wait for it.
 *
 * Whoever misses a key tries to lock it in the lock manager.  The one that
 * succeeds loads; the others wait for the lock in share mode, so that they
 * all wake up together, and look again.  Because it is the lock manager that
 * they wait in, deadlocks are found, errors release the lock, and cancel and
 * timeouts work.
 *
 * A load that ends without a stored value (it could not be cached) says so in
 * shared memory: those who waited then load at once and side by side, as they
 * would without a cache.  If the loading backend failed instead, one of those
 * who waited takes its place.
 *
 * Waiting should not make anything fail that would succeed without a cache.
 * So a transaction that has changed something, for which others may wait,
 * does not wait itself; nor does a load within a load, nor a session with a
 * lock_timeout.  A deadlock remains possible where a session that holds a
 * lock without having changed anything (LOCK TABLE, an advisory lock) waits
 * for a load that wants this lock; it is found and broken as any other.
 *
 * Locking: heavyweight locks of type userlock on (database, hash of the
 * entry's image), held while the loader runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"

#include "compat.h"
#include "devel.h"
#include "flight.h"
#include "loads.h"
#include "shared.h"

static void
flight_locktag(LOCKTAG *tag, uint64 hash)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (hash >> 32),
						 (uint32) hash, 1);
	tag->locktag_type = LOCKTAG_USERLOCK;
}

static pg_atomic_uint64 *
flight_outcome(uint64 hash)
{
	return &cache_shared->outcomes[hash % lengthof(cache_shared->outcomes)];
}

static bool
flight_may_wait(void)
{
	return loads_depth() == 0 && LockTimeout == 0 &&
		!TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
		!GUARD_REMOVED("flight");
}

/*
 * Find out what to do about a key that was not found.  May wait for another
 * backend's load; an error, if this deadlocks or is cancelled.
 *
 * again: the caller has waited before, and found nothing.  Then those who
 * waited with it want the lock at the same time, and must not keep each other
 * from it with their share locks: they queue.
 */
FlightRole
flight_begin(uint64 hash, bool again)
{
	pg_atomic_uint64 *outcome = flight_outcome(hash);
	uint64		before;
	LOCKTAG		tag;

	if (!flight_may_wait())
		return FLIGHT_ALONE;

	flight_locktag(&tag, hash);
	before = pg_atomic_read_u64(outcome);
	if (again)
	{
		(void) LockAcquire(&tag, ExclusiveLock, false, false);
		if (pg_atomic_read_u64(outcome) == before)
			return FLIGHT_LEADER;
		(void) LockRelease(&tag, ExclusiveLock, false);
		return FLIGHT_ALONE;
	}
	if (cache_try_lock(&tag, ExclusiveLock) != LOCKACQUIRE_NOT_AVAIL)
		return FLIGHT_LEADER;

	(void) LockAcquire(&tag, ShareLock, false, false);
	(void) LockRelease(&tag, ShareLock, false);
	if (pg_atomic_read_u64(outcome) != before)
		return FLIGHT_ALONE;
	return FLIGHT_LANDED;
}

/*
 * The leader is through.  stored: others will find a value.
 */
void
flight_end(uint64 hash, bool stored)
{
	LOCKTAG		tag;

	if (!stored)
		pg_atomic_fetch_add_u64(flight_outcome(hash), 1);
	flight_locktag(&tag, hash);
	(void) LockRelease(&tag, ExclusiveLock, false);
}
