/*-------------------------------------------------------------------------
 *
 * standby.c
 *		Whether this server, while in recovery, knows what the primary invalidates.
 *
 * A primary with cache.wal = on writes into WAL what its transactions publish
 * (news.c), ahead of their commit records.  A standby replays that into fences of
 * its own (wal/replay.c), and uses its cache as the primary does.
 *
 * But silence is no proof: a primary without the library, or with cache.wal = off,
 * says nothing.  So the primary announces itself, after each of its starts and
 * before any of its transactions can have published, and again after each
 * checkpoint, from which a standby may begin.  A standby follows from an
 * announcement on; of transactions up to the next xid of that moment nothing is
 * known (the floor).  WAL tells when the primary has stopped or crashed, or
 * another server has been promoted: by a checkpoint of a shutdown or of the end of
 * recovery, or an end-of-recovery record.  Then nothing is used until the next
 * announcement.  If no other start lies in between, in which anybody has got an id,
 * nothing was missed: what concerns caches is not committed before the announcement.
 *
 * A commit that is replayed becomes visible shortly before its invalidation
 * messages are sent to backends.  Here nobody has the lock by which the primary's
 * loads find that out (protocol/catalogs.c); instead those transactions with DDL are
 * listed that have published, and whose end has not been replayed to its end.  Of
 * those that had published before the announcement (standby_is_early) the commit
 * record tells whether they have messages; until then nobody has stored anything, as
 * they are below the floor and running.
 *
 * Locking: all is written by the process that replays WAL; the state is read by
 * all, without a lock.  Who has taken a snapshot reads the state afterwards: what
 * is missed is committed after the state has changed, so the snapshot does not see
 * it.  What is forgotten is so under the registry lock and those of keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"

#include "base/devel.h"
#include "fence/keyfence.h"
#include "fence/ready.h"
#include "fence/recentxid.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/standby.h"

/* More than the primary can have of what counts, which is no more than here. */
#define CHANGING_SLACK	64

SharedStandby *shared_standby;

static uint32
max_changing(void)
{
	return MaxBackends + max_prepared_xacts + CHANGING_SLACK;
}

static Size
standby_size(void)
{
	return add_size(offsetof(SharedStandby, changing),
					mul_size(max_changing(), sizeof(TransactionId)));
}

static void
standby_init(void)
{
	memset(shared_standby, 0, offsetof(SharedStandby, changing));
	pg_atomic_init_u32(&shared_standby->state, STANDBY_WAITING);
	pg_atomic_init_u64(&shared_standby->floor, 0);
	pg_atomic_init_u64(&shared_standby->since, 0);
	pg_atomic_init_u64(&shared_standby->records, 0);
	pg_atomic_init_u64(&shared_standby->keys, 0);
	pg_atomic_init_u64(&shared_standby->position, 0);
	pg_atomic_init_u32(&shared_standby->nchanging, 0);
	shared_standby->max_changing = max_changing();
}

const SegmentPart standby_part = {
	.name = "header",
	.address = (void **) &shared_standby,
	.size = standby_size,
	.init = standby_init,
};

static void
set_state(StandbyState state)
{
	pg_atomic_write_u32(&shared_standby->state, state);
	pg_atomic_write_u64(&shared_standby->since, (uint64) GetCurrentTimestamp());
}

/*
 * Follow the primary from here on, knowing nothing of what was before.
 */
void
standby_begin(void)
{
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());
	uint64		floor = next - 1;

	if (GUARD_REMOVED("standby_floor"))
		floor = FirstNormalTransactionId;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	registry_forget(floor);
	role_fences_forget(floor);
	LWLockRelease(shared_registry_lock);
	key_fences_forget(floor);
	recent_xid_begin(next);
	shared_standby->has_followed = true;
	pg_atomic_write_u64(&shared_standby->floor, floor);
	set_state(STANDBY_FOLLOWING);
	ready_set(READY_STANDBY);
}

/*
 * Follow it further: nothing was missed.  But what had been prepared with DDL before
 * this server began to follow may have been committed meanwhile.
 */
void
standby_resume(void)
{
	registry_count_ddl();
	set_state(STANDBY_FOLLOWING);
	ready_set(READY_STANDBY);
}

/*
 * The primary has stopped, in whatever way, or is another one now.  If nobody has got
 * an id since the last time, as where a standby is promoted after a stop in good order,
 * nothing was missed in between: what had been prepared had published before.
 */
void
standby_pause(void)
{
	StandbyState state = standby_state();
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	if (GUARD_REMOVED("standby_pause"))
		return;
	if (state == STANDBY_FOLLOWING)
	{
		shared_standby->between_next = next;
		ready_unset();
		set_state(STANDBY_BETWEEN);
	}
	else if (state == STANDBY_BETWEEN && !standby_knows_all(next))
		set_state(STANDBY_MISSED);
}

/*
 * What the primary says is of no use here.
 */
void
standby_stop(StandbyState why)
{
	if (standby_state() == why)
		return;
	ready_unset();
	set_state(why);
}

/*
 * After a promotion, with this next xid: is all known that was published before?
 */
bool
standby_knows_all(uint64 next)
{
	StandbyState state = standby_state();

	return state == STANDBY_FOLLOWING ||
		(state == STANDBY_BETWEEN && shared_standby->between_next == next);
}

/*-------------------------------------------------------------------------
 * DDL
 *-------------------------------------------------------------------------
 */

/*
 * A transaction with DDL publishes.
 */
void
standby_add_changing(TransactionId xid)
{
	uint32		n = pg_atomic_read_u32(&shared_standby->nchanging);

	for (uint32 i = 0; i < n; i++)
	{
		if (shared_standby->changing[i] == xid)
			return;
	}
	if (n == shared_standby->max_changing)
	{
		standby_stop(STANDBY_UNREADABLE);
		return;
	}
	shared_standby->changing[n] = xid;
	pg_atomic_write_u32(&shared_standby->nchanging, n + 1);
	pg_memory_barrier();
}

/*
 * Was this transaction there when this server began to follow, so that what it has
 * published may be unknown here?
 */
bool
standby_is_early(TransactionId xid)
{
	uint64		floor = pg_atomic_read_u64(&shared_standby->floor);

	return standby_state() == STANDBY_FOLLOWING && TransactionIdIsNormal(xid) &&
		TransactionIdPrecedesOrEquals(xid, (TransactionId) floor);
}

static void
remove_at(uint32 i)
{
	uint32		n = pg_atomic_read_u32(&shared_standby->nchanging) - 1;

	shared_standby->changing[i] = shared_standby->changing[n];
	pg_memory_barrier();
	pg_atomic_write_u32(&shared_standby->nchanging, n);
}

/*
 * The end of a transaction, whether or not it is one of these, has been replayed.
 */
void
standby_remove_changing(TransactionId xid)
{
	for (uint32 i = pg_atomic_read_u32(&shared_standby->nchanging); i > 0; i--)
	{
		if (shared_standby->changing[i - 1] == xid)
			remove_at(i - 1);
	}
}

/*
 * Remove those that have ended without a record of it, as those that a crash has
 * interrupted.
 */
void
standby_check_changing(void)
{
	for (uint32 i = pg_atomic_read_u32(&shared_standby->nchanging); i > 0; i--)
	{
		if (!TransactionIdIsInProgress(shared_standby->changing[i - 1]))
			remove_at(i - 1);
	}
}
