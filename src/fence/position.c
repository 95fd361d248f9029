/*-------------------------------------------------------------------------
 *
 * position.c
 *		Positions in the cluster's WAL, by which servers share what they load.
 *
 * The servers of a cluster, a primary and its standbys, use the same values in Redis.
 * Each value has with it a position in WAL: all that its load can have seen is before
 * that.  A server that has got past the position knows all that had been published
 * before: so its fences tell whether the load has seen it (coherence_accept).  One
 * that has not may find its fences clear, because it has not heard yet.
 *
 * When a standby is promoted it begins a timeline, at the end of what it has
 * replayed.  What the former primary did after that is no part of this history: so of
 * a value of an older timeline the position must not be beyond the point at which
 * this server's history has left that.  The server's history files tell where.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/timeline.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "utils/memutils.h"

#include "base/devel.h"
#include "fence/news.h"
#include "fence/position.h"

/* The history of the timeline that was asked for last, and that. */
static List *history = NIL;
static TimeLineID history_of = 0;

/*
 * A position that all is before which a snapshot that was taken before can see.  On a
 * standby that includes the record that is being replayed: it may be a commit, which
 * is visible already.
 */
void
position_of_load(WalPosition *position)
{
	if (RecoveryInProgress())
		position->lsn = GetCurrentReplayRecPtr(&position->timeline);
	else
	{
		position->lsn = GetXLogInsertRecPtr();
		position->timeline = GetWALInsertionTimeLine();

		/* Standbys can get there when it is flushed, and perhaps nobody commits. */
		if (news_wanted())
			XLogSetAsyncXactLSN(position->lsn);
	}
}

/* What this server knows all of. */
static void
position_of_server(WalPosition *position)
{
	if (RecoveryInProgress())
		position->lsn = GetXLogReplayRecPtr(&position->timeline);
	else
	{
		position->lsn = GetXLogInsertRecPtr();
		position->timeline = GetWALInsertionTimeLine();
	}
}

/* Where the history of a timeline has left an older one; 0: it does not come of it. */
static XLogRecPtr
switch_point(TimeLineID timeline, TimeLineID older)
{
	if (history_of != timeline)
	{
		MemoryContext old;
		List	   *last = history;

		old = MemoryContextSwitchTo(TopMemoryContext);
		history_of = 0;
		history = NIL;
		list_free_deep(last);
		history = readTimeLineHistory(timeline);
		history_of = timeline;
		MemoryContextSwitchTo(old);
	}
	if (!tliInHistory(older, history))
		return InvalidXLogRecPtr;
	return tliSwitchPoint(older, history, NULL);
}

/*
 * Is a position one of this server's history, which it has got past?
 */
bool
position_is_passed(const WalPosition *position)
{
	WalPosition now;
	XLogRecPtr	end;

	position_of_server(&now);
	if (position->lsn > now.lsn && !GUARD_REMOVED("redis_position"))
		return false;
	if (position->timeline == now.timeline)
		return true;
	if (position->timeline > now.timeline)
		return false;
	if (GUARD_REMOVED("redis_timeline"))
		return true;
	end = switch_point(now.timeline, position->timeline);
	return !XLogRecPtrIsInvalid(end) && position->lsn <= end;
}
