/*-------------------------------------------------------------------------
 *
 * catalogs.c
 *		What this backend's catalog caches have heard of DDL.
 *
 * What loaders depend on besides rows, that is functions, views, types,
 * privileges and so on, comes from backends' catalog caches, and changes
 * there when invalidation messages are read.  Those are sent shortly after a
 * transaction has become visible, so a filler could see a transaction with
 * its snapshot and still have an old function in its caches.  Therefore a
 * transaction with DDL takes a lock before it publishes, which it keeps until
 * after its messages are sent; and a filler makes sure, before it loads, that
 * nobody has this lock, and then reads all messages (catalogs_settle).  On a
 * standby the replay of WAL sends the messages, and tells whether any are to come
 * (standby.c).
 *
 * Locking: that lock, one for each database and one for what all databases share,
 * of the kind that is released at the end of a transaction.  No LWLocks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lock.h"
#include "utils/inval.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/locktag.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/standby.h"
#include "protocol/catalogs.h"

/* ddl_changes up to which this backend has read all invalidation messages */
static uint64 settled_changes = PG_UINT64_MAX;

/* The transaction in which that was the last time */
static LocalTransactionId settled_in = InvalidLocalTransactionId;

/*
 * Prepare for publishing DDL, at the end of a transaction: it has changed
 * something that catalog caches hold, in one database or (InvalidOid) in all.
 */
void
catalogs_begin_change(Oid dbid)
{
	LOCKTAG		tag;

	if (!ready_for_use())
		return;
	locktag_set(&tag, LOCK_DDL, dbid, 0);
	(void) LockAcquire(&tag, RowExclusiveLock, false, false);
}

/* Does no transaction hold the lock? */
static bool
lock_is_free(void)
{
	LOCKTAG		tag;

	for (int i = 0; i < 2; i++)
	{
		locktag_set(&tag, LOCK_DDL, i == 0 ? MyDatabaseId : InvalidOid, 0);
		if (cache_try_lock(&tag, ShareLock) == LOCKACQUIRE_NOT_AVAIL)
			return false;
		(void) LockRelease(&tag, ShareLock, false);
	}
	return true;
}

/*
 * Make sure that this backend's catalog caches know of all DDL that its
 * snapshot can see.  False if that cannot be had at the moment; then what is
 * loaded must not be stored.
 */
bool
catalogs_settle(void)
{
	uint64		changes = pg_atomic_read_u64(&shared_registry->ddl_changes);

	if (changes == settled_changes || GUARD_REMOVED("settle"))
		return true;
	pg_read_barrier();
	if (RecoveryInProgress())
	{
		if (standby_is_changing() && !GUARD_REMOVED("standby_settle"))
			return false;
	}
	else if (!lock_is_free())
		return false;
	AcceptInvalidationMessages();
	settled_changes = changes;
	settled_in = CACHE_MY_LXID;
	return true;
}

/*
 * Has this transaction heard of DDL by catalogs_settle()?  Then functions may
 * be in use, in what PostgreSQL keeps of types, as they were before.
 */
bool
catalogs_have_moved(void)
{
	return settled_in == CACHE_MY_LXID;
}

/*
 * A number for the state of everything that the DDL of others can change, as
 * this backend's catalog caches know it; 0 if they may not know all of it
 * yet.  What was derived from the catalogs is good as long as the number, and
 * that of pending_ddl_count, are the same.
 */
uint64
catalogs_state(void)
{
	uint64		changes;

	if (!ready_for_use())
		return 0;
	changes = pg_atomic_read_u64(&shared_registry->ddl_changes);
	if (changes != settled_changes && !GUARD_REMOVED("settle"))
		return 0;
	return settled_changes + 1;
}

/*
 * How much DDL this session has heard of.
 */
uint64
catalogs_heard(void)
{
	return settled_changes;
}

/*
 * How much DDL has been published, whether or not this session has heard of it.
 * The shared memory must be ready.
 */
uint64
catalogs_changes(void)
{
	return pg_atomic_read_u64(&shared_registry->ddl_changes);
}
