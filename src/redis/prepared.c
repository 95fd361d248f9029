/*-------------------------------------------------------------------------
 *
 * prepared.c
 *		What prepared transactions have invalidated.
 *
 * It waits here, in the background worker, until the transaction has ended.  After
 * a restart of that process nobody knows any more what it was; so for each
 * transaction that is prepared at that time a message is sent that stands for
 * anything.
 *
 * Locking: the lock that each transaction holds on its id is tried.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/twophase.h"
#include "nodes/pg_list.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "redis/batch.h"
#include "redis/prepared.h"

#define PREPARED_MAX	(1024 * 1024)	/* bytes of what waits */

/* An invalidation that waits for the end of a prepared transaction. */
typedef struct Waiting
{
	QueueItem	item;
	char	   *message;		/* NULL: anything may have been invalidated */
} Waiting;

static List *waiting = NIL;
static Size waiting_bytes = 0;

/*
 * Has the transaction, which is or was prepared, not ended yet?  It holds a
 * lock on its id that long.  That an id of long ago has ended is known without
 * asking the commit log, which may not reach back to it any more.
 */
static bool
is_prepared(TransactionId xid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_TRANSACTION(tag, xid);
	if (cache_try_lock(&tag, ShareLock) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	(void) LockRelease(&tag, ShareLock, false);
	return false;
}

/* Is it what the last invalidation waits for? */
static bool
waits_for(uint64 prepared)
{
	return waiting != NIL &&
		((Waiting *) llast(waiting))->item.prepared == prepared;
}

static void
wait_for(const QueueItem *item, const char *message)
{
	MemoryContext old;
	Waiting    *entry;

	/* Too much to keep: then what is kept is that there was something. */
	if (waiting_bytes > PREPARED_MAX)
	{
		Waiting    *last = llast(waiting);

		if (last->message == NULL && last->item.prepared == item->prepared)
			return;
		message = NULL;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	entry = palloc(sizeof(Waiting));
	entry->item = *item;
	entry->message = message ? pnstrdup(message, item->len) : NULL;
	if (message == NULL)
		entry->item.hash = 0;
	waiting = lappend(waiting, entry);
	waiting_bytes += sizeof(Waiting) + item->len;
	MemoryContextSwitchTo(old);
}

/*
 * Keep an invalidation, if it waits for a transaction that has not ended.  False
 * if it does not.
 */
bool
prepared_keep(const QueueItem *item, const char *message)
{
	if (!waits_for(item->prepared) &&
		!is_prepared((TransactionId) item->prepared))
		return false;
	wait_for(item, message);
	return true;
}

/*
 * What was prepared before this process knew of it.  A process entry that is
 * free has the id of its last transaction.
 */
void
prepared_keep_unknown(void)
{
	for (int i = 0; i < max_prepared_xacts; i++)
	{
		TransactionId xid = PreparedXactProcs[i].xid;
		QueueItem	item = {0};

		item.prepared = xid;
		if (TransactionIdIsValid(xid) && is_prepared(xid))
			wait_for(&item, NULL);
	}
}

/*
 * Does anything wait?
 */
bool
prepared_any(void)
{
	return waiting != NIL;
}

/*
 * Has the transaction that an invalidation waits for, and that has ended,
 * committed?
 */
bool
prepared_committed(const QueueItem *item)
{
	return TransactionIdDidCommit((TransactionId) item->prepared);
}

/*
 * Send what the end of a prepared transaction has made true.  If Redis is not
 * there at that time, what is left is that messages were lost.
 */
void
prepared_send(bool usable)
{
	static TimestampTz last = 0;
	TimestampTz now;
	ListCell   *lc;
	List	   *ready = NIL;
	uint64		xid = 0;
	bool		prepared = false;

	if (waiting == NIL)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(last, now, PREPARED_MS))
		return;
	last = now;

	/* A transaction's stand together, and are asked for once. */
	foreach(lc, waiting)
	{
		Waiting    *entry = lfirst(lc);

		if (entry->item.prepared != xid)
		{
			xid = entry->item.prepared;
			prepared = is_prepared((TransactionId) xid);
		}
		if (!prepared)
		{
			ready = lappend(ready, entry);
			waiting = foreach_delete_current(waiting, lc);
		}
	}
	if (ready == NIL)
		return;
	usable = usable && batch_begin();
	foreach(lc, ready)
	{
		Waiting    *entry = lfirst(lc);

		if (prepared_committed(&entry->item))
		{
			if (usable)
				batch_invalidate(&entry->item, entry->message);
			else
				batch_drop(&entry->item, NULL);
		}
		waiting_bytes -= sizeof(Waiting) + entry->item.len;
		if (entry->message)
			pfree(entry->message);
		pfree(entry);
	}
	if (usable)
		batch_end();
}
