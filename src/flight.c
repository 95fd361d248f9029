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
 * A key can be wanted in two forms, in the loader's own type and as jsonb.  Where
 * either can be made of the other, who wants one waits for who loads the other.
 *
 * Waiting should not make anything fail that would succeed without a cache.
 * So a transaction that has changed something, for which others may wait,
 * does not wait itself; nor does a load within a load, nor a session with a
 * lock_timeout.  A deadlock remains possible where a session that holds a
 * lock without having changed anything (LOCK TABLE, an advisory lock) waits
 * for a load that wants this lock; it is found and broken as any other.
 *
 * The lock manager knows hashes only.  So each backend has a note in shared
 * memory of what it loads or waits for, for the view cache_flights; nothing
 * else depends on it.
 *
 * Locking: heavyweight locks of type userlock on (database, hash of the
 * entry's image), held while the loader runs.  A note is written by its owner
 * alone, and has a sequence number that tells others whether what they have
 * copied is whole.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "devel.h"
#include "flight.h"
#include "key.h"
#include "loads.h"
#include "shared.h"
#include "value.h"

/* How often to try to copy a note that is being written */
#define NOTE_TRIES	1000

static bool noted = false;

/*-------------------------------------------------------------------------
 * Notes
 *-------------------------------------------------------------------------
 */

/*
 * What the notes take in shared memory: one for each backend.
 */
Size
flight_notes_size(void)
{
	return mul_size(MaxBackends, sizeof(FlightNote));
}

/*
 * Prepare them at server start.
 */
void
flight_notes_init(void)
{
	memset(cache_flights, 0, flight_notes_size());
	for (int i = 0; i < MaxBackends; i++)
		pg_atomic_init_u32(&cache_flights[i].seq, 0);
}

/*
 * Write this backend's note; flight NULL: there is nothing to be told any
 * more.
 */
static void
note_write(const Flight *flight, bool leads)
{
	FlightNote *note;
	uint32		seq;

	/* Other processes do not get values from the cache. */
	if (CACHE_MY_PROCNO >= MaxBackends)
		return;
	note = &cache_flights[CACHE_MY_PROCNO];
	seq = pg_atomic_read_u32(&note->seq);
	pg_atomic_write_u32(&note->seq, seq + 1);
	pg_write_barrier();
	note->pid = flight == NULL ? 0 : MyProcPid;
	if (flight != NULL)
	{
		note->dbid = MyDatabaseId;
		note->leads = leads;
		note->len = flight->key->len;
		note->since = GetCurrentTimestamp();
		note->cache = flight->cache;
		note->hash = flight->hash;
		memcpy(note->image, flight->key->image, Min(note->len, FLIGHT_IMAGE));
	}
	pg_write_barrier();
	pg_atomic_write_u32(&note->seq, seq + 2);
	noted = flight != NULL;
}

/*
 * Copy the note of backend i, which is less than MaxBackends.  False if it has
 * none.
 */
bool
flight_read_note(int i, FlightNote *copy)
{
	FlightNote *note = &cache_flights[i];

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

/*
 * There is nothing in flight any more: a get has ended, with an error perhaps,
 * or the transaction has.  A get within a load has nothing of its own.
 */
void
flight_forget(void)
{
	if (noted && loads_depth() == 0)
		note_write(NULL, false);
}

/*-------------------------------------------------------------------------
 * Flights
 *-------------------------------------------------------------------------
 */

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
 * Prepare for what may be loaded.  The key must stay where it is meanwhile.
 */
void
flight_prepare(Flight *flight, const CacheDef *def, const StoreKey *key)
{
	flight->cache = def->id;
	flight->key = key;
	flight->hash = key_image_hash(key, value_survives_jsonb(def->rettype));
}

/*
 * Find out what to do about a key that was not found.  May wait for another
 * backend's load; an error, if this deadlocks or is cancelled: then the caller
 * calls flight_forget.
 *
 * again: the caller has waited before, and found nothing.  Then those who
 * waited with it want the lock at the same time, and must not keep each other
 * from it with their share locks: they queue.
 */
FlightRole
flight_begin(const Flight *flight, bool again)
{
	pg_atomic_uint64 *outcome = flight_outcome(flight->hash);
	uint64		before;
	LOCKTAG		tag;

	if (!flight_may_wait())
		return FLIGHT_ALONE;

	flight_locktag(&tag, flight->hash);
	before = pg_atomic_read_u64(outcome);
	if (again)
	{
		note_write(flight, false);
		(void) LockAcquire(&tag, ExclusiveLock, false, false);
		if (pg_atomic_read_u64(outcome) == before)
		{
			note_write(flight, true);
			return FLIGHT_LEADER;
		}
		(void) LockRelease(&tag, ExclusiveLock, false);
		flight_forget();
		return FLIGHT_ALONE;
	}
	if (cache_try_lock(&tag, ExclusiveLock) != LOCKACQUIRE_NOT_AVAIL)
	{
		note_write(flight, true);
		return FLIGHT_LEADER;
	}

	note_write(flight, false);
	(void) LockAcquire(&tag, ShareLock, false, false);
	(void) LockRelease(&tag, ShareLock, false);
	flight_forget();
	if (pg_atomic_read_u64(outcome) != before)
		return FLIGHT_ALONE;
	return FLIGHT_LANDED;
}

/*
 * The leader is through.  stored: others will find a value.
 */
void
flight_end(const Flight *flight, bool stored)
{
	LOCKTAG		tag;

	flight_forget();
	if (!stored)
		pg_atomic_fetch_add_u64(flight_outcome(flight->hash), 1);
	flight_locktag(&tag, flight->hash);
	(void) LockRelease(&tag, ExclusiveLock, false);
}
