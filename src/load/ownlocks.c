/*-------------------------------------------------------------------------
 *
 * ownlocks.c
 *		The locks that this session holds, and that a load may want.
 *
 * A loader takes the locks of a query that reads, ACCESS SHARE, and may take
 * advisory locks.  Whoever holds what is in conflict with these must not wait
 * in the lock manager's queue for another session's load, which may be waiting
 * for it.
 *
 * What a session holds in weak modes on tables it holds by the fast path, most
 * often; that does not matter here, since no reader waits for it.  Row locks
 * and changes come with a transaction id, which is easier to ask for.
 *
 * Locking: the lock manager's partition locks in share mode, one at a time; so
 * this is for those who are about to wait anyway.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "base/devel.h"
#include "load/ownlocks.h"

/* The modes that ACCESS SHARE, ROW SHARE and ROW EXCLUSIVE can wait for. */
#define STRONG_MODES \
	(LOCKBIT_ON(ShareLock) | LOCKBIT_ON(ShareRowExclusiveLock) | \
	 LOCKBIT_ON(ExclusiveLock) | LOCKBIT_ON(AccessExclusiveLock))

static bool
lock_may_block(const PROCLOCK *lock)
{
	switch ((LockTagType) lock->tag.myLock->tag.locktag_type)
	{
		case LOCKTAG_ADVISORY:
			return lock->holdMask != 0;
		case LOCKTAG_RELATION:
		case LOCKTAG_OBJECT:
		case LOCKTAG_TUPLE:
			return (lock->holdMask & STRONG_MODES) != 0;
		default:
			return false;
	}
}

/*
 * Does this session hold a lock that another session's load may wait for?
 */
bool
ownlocks_may_block(void)
{
	bool		found = false;

	for (int i = 0; i < NUM_LOCK_PARTITIONS && !found; i++)
	{
		LWLock	   *partition = LockHashPartitionLockByIndex(i);
		PROCLOCK   *lock = NULL;

		LWLockAcquire(partition, LW_SHARED);
		while (!found &&
			   (lock = cache_next_proclock(&MyProc->myProcLocks[i], lock)) != NULL)
			found = lock_may_block(lock);
		LWLockRelease(partition);
	}
	return found;
}
