/*-------------------------------------------------------------------------
 *
 * fence.c
 *		Fences: who invalidated a key, or a whole cache, lately.
 *
 * A writer puts its top-level transaction id into the fences of what it
 * changed before its commit record is written; so whoever can see the commit
 * can see the fence.  A reader looks at the fence after it has copied a
 * cached value: if one of the recorded transactions is not visible to its
 * snapshot, the value may be newer than the snapshot, and the reader must not
 * use it.
 *
 * A fence holds a few transaction ids.  When it is full, a writer W forgets
 * those that have ended, as a snapshot tells that W has taken: W itself stands
 * for them from now on.  For whoever sees W, which is still running, began to
 * look after W had ended, and so sees them as well; and whoever comes to stand
 * for W stands for them, too.  Only W itself could take its own snapshots, older
 * than those ends, for such; so who has published uses nothing any more
 * (pending_covers).  The order in which ids were handed out, and what else is
 * running, play no part in this: a stranger's transaction that stays open, or
 * prepared, makes nobody step around the cache.
 *
 * If too many are running at once, the oldest id is folded into the floor, a
 * range of ids: a snapshot has to see all that is in there, whether or not it
 * has published.  So a stranger in the range makes readers step around the
 * cache; one that is older or newer does not.  Before the range is made larger,
 * its lower end rises to what is still running, as above.
 *
 * Aborted and crashed writers stay in the fence.  As soon as they are no
 * longer running they count as visible, which is right: they changed nothing.
 *
 * Locking: writers are serialized by a lock of the fence's owner (see
 * keyfence.c and registry.c).  Readers take no lock: the sequence number is
 * odd while a writer is inside, and a reader whose copy was overtaken copies
 * again.  Writers do nothing between the two increments that could raise an
 * error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/s_lock.h"

#include "base/devel.h"
#include "base/seqlock.h"
#include "fence/fence.h"

StaticAssertDecl(sizeof(Fence) == 64, "a fence is one cache line");

/*
 * Let everything up to and including floor have published, in a fence that
 * nobody reads yet.
 */
void
fence_begin(Fence *fence, uint64 floor)
{
	fence->floor.lowest = 0;
	fence->floor.highest = floor;
}

/*
 * Make a fence that knows nothing of transactions up to and including floor.
 */
void
fence_init(Fence *fence, uint64 floor)
{
	pg_atomic_init_u32(&fence->seq, 0);
	fence->nxids = 0;
	fence_begin(fence, floor);
	fence->changes = 0;
	memset(fence->xids, 0, sizeof(fence->xids));
}

/* The top-level transactions that were running; subtransactions may be too. */
static const TransactionId *
snapshot_running(Snapshot snapshot, uint32 *nrunning)
{
	if (snapshot->takenDuringRecovery)
	{
		*nrunning = snapshot->subxcnt;
		return snapshot->subxip;
	}
	*nrunning = snapshot->xcnt;
	return snapshot->xip;
}

/*
 * Is a top-level transaction still running according to the snapshot?
 *
 * This is XidInMVCCSnapshot for top-level xids alone.  Those are in the
 * snapshot's arrays even when its subtransactions have overflowed, so that
 * pg_subtrans need not be read: callers may hold an LWLock.
 */
static bool
xid_is_running(uint64 xid, const SnapshotView *view)
{
	const TransactionId *running;
	uint32		nrunning;

	if (xid < view->xmin)
		return false;
	if (xid >= view->xmax)
		return true;

	running = snapshot_running(view->snapshot, &nrunning);
	for (uint32 i = 0; i < nrunning; i++)
	{
		if (running[i] == (TransactionId) xid)
			return true;
	}
	return false;
}

/*
 * Does the snapshot see a top-level transaction, or what is left of it?
 */
bool
snapshot_sees(const SnapshotView *view, uint64 xid)
{
	return !xid_is_running(xid, view);
}

/*
 * A transaction id of a snapshot's, in 64 bits.
 */
uint64
snapshot_widen(const SnapshotView *view, TransactionId xid)
{
	return xid_widen(xid, view->xmax);
}

/*
 * Put one more transaction into a floor.
 */
void
floor_fold(FenceFloor *floor, uint64 xid)
{
	if (floor_is_empty(floor) || xid < floor->lowest)
		floor->lowest = xid;
	floor->highest = Max(floor->highest, xid);
}

/* Put all of another floor into it. */
static void
floor_add(FenceFloor *floor, const FenceFloor *more)
{
	if (floor_is_empty(more))
		return;
	floor_fold(floor, more->lowest);
	floor_fold(floor, more->highest);
}

/* The oldest transaction that a snapshot does not see, from the given one on. */
static uint64
oldest_running(const SnapshotView *view, uint64 from)
{
	uint64		oldest = Max(from, view->xmax);
	uint32		nrunning;
	const TransactionId *running = snapshot_running(view->snapshot, &nrunning);

	for (uint32 i = 0; i < nrunning; i++)
	{
		uint64		xid = snapshot_widen(view, running[i]);

		if (xid >= from && xid < oldest)
			oldest = xid;
	}
	return oldest;
}

/*
 * Take out of a floor, from below, what a witness has seen the end of, which
 * need not be that of its own.
 */
void
floor_rise(FenceFloor *floor, const FenceWitness *witness)
{
	uint64		lowest = floor->highest + 1;

	if (floor_is_empty(floor))
		return;
	if (floor->highest >= witness->view.xmin && !GUARD_REMOVED("rise_running"))
		lowest = oldest_running(&witness->view, floor->lowest);
	if (witness->xid >= floor->lowest)
		lowest = Min(lowest, witness->xid);
	floor->lowest = lowest;
}

/* Does the snapshot see all that is in a floor? */
static bool
floor_is_clear(const FenceFloor *floor, const SnapshotView *view)
{
	return floor_is_empty(floor) || floor->highest < view->xmin ||
		oldest_running(view, floor->lowest) > floor->highest;
}

static bool
fence_has(const Fence *fence, uint64 xid)
{
	for (uint32 i = 0; i < fence->nxids; i++)
	{
		if (fence->xids[i] == xid)
			return true;
	}
	return false;
}

/* Does the fence remember the witness? */
static bool
fence_has_witness(const Fence *fence, const FenceWitness *witness)
{
	return witness != NULL && witness->xid != 0 &&
		fence_has(fence, witness->xid);
}

/* Has a transaction ended for whoever sees the witness? */
static bool
witness_sees(const FenceWitness *witness, uint64 xid)
{
	return xid != witness->xid &&
		(snapshot_sees(&witness->view, xid) || GUARD_REMOVED("fold_running"));
}

/*
 * Let the witness, which the fence remembers or is about to, stand for all that
 * it has seen the end of.  The first member stays, and the witness.
 */
static void
fence_make_room(Fence *fence, const FenceWitness *witness)
{
	uint32		n = 1;

	for (uint32 i = 1; i < fence->nxids; i++)
	{
		if (!witness_sees(witness, fence->xids[i]))
			fence->xids[n++] = fence->xids[i];
	}
	fence->nxids = n;
	floor_rise(&fence->floor, witness);
}

/* The members stay in order, and the first is never older than it was. */
static void
fence_add_xid(Fence *fence, uint64 xid, const FenceWitness *witness)
{
	uint32		at;

	if (fence_has(fence, xid))
		return;
	if (fence->nxids == FENCE_XIDS &&
		((witness != NULL && xid == witness->xid) ||
		 fence_has_witness(fence, witness)))
	{
		fence_make_room(fence, witness);
		if (witness_sees(witness, xid))
			return;
	}
	at = fence->nxids;
	if (fence->nxids < FENCE_XIDS)
		fence->nxids++;
	else
	{
		/* Full: the oldest of them all, the new one included, goes. */
		uint64		oldest = Min(xid, fence->xids[FENCE_XIDS - 1]);

		if (!GUARD_REMOVED("fold_floor"))
			floor_fold(&fence->floor, oldest);
		if (oldest == xid)
			return;
		at = FENCE_XIDS - 1;
	}
	for (; at > 0 && fence->xids[at - 1] < xid; at--)
		fence->xids[at] = fence->xids[at - 1];
	fence->xids[at] = xid;
}

/*
 * Record that a transaction is about to commit a change.  xid is its
 * top-level transaction id, or invalid for an invalidation by a transaction
 * that has none (it changed no row, so it only counts as a change).  witness:
 * of the same transaction, or of any other one, or NULL.
 *
 * The caller holds the owner's lock exclusively.
 */
void
fence_publish(Fence *fence, FullTransactionId xid, const FenceWitness *witness)
{
	seqlock_begin_write(&fence->seq);
	fence->changes++;
	if (FullTransactionIdIsValid(xid))
		fence_add_xid(fence, U64FromFullTransactionId(xid), witness);
	seqlock_end_write(&fence->seq);
}

/* Give a fence more to remember, in the midst of a write. */
static void
take_over(Fence *fence, const uint64 *xids, uint32 n, const FenceFloor *floor,
		  const FenceWitness *witness)
{
	FenceFloor	more = *floor;

	for (uint32 i = 0; i < n; i++)
		fence_add_xid(fence, xids[i], witness);
	if (fence_has_witness(fence, witness))
	{
		floor_rise(&fence->floor, witness);
		floor_rise(&more, witness);
	}
	floor_add(&fence->floor, &more);
}

/*
 * Give a fence more to remember, and count a change.  witness: any one, which
 * is of use if the fence remembers it, or NULL.
 *
 * The caller holds the owner's lock exclusively.
 */
void
fence_add(Fence *fence, const uint64 *xids, uint32 n, const FenceFloor *floor,
		  const FenceWitness *witness)
{
	seqlock_begin_write(&fence->seq);
	fence->changes++;
	take_over(fence, xids, n, floor, witness);
	seqlock_end_write(&fence->seq);
}

/*
 * Nothing is known of transactions up to and including floor, and of none that the
 * fence remembers; counts a change.
 *
 * The caller holds the owner's lock exclusively.
 */
void
fence_forget(Fence *fence, uint64 floor)
{
	seqlock_begin_write(&fence->seq);
	fence->changes++;
	fence->floor.lowest = 0;
	fence->floor.highest = Max(fence->floor.highest, floor);
	seqlock_end_write(&fence->seq);
}

/*
 * Give a fence everything that another one remembers, and count a change.
 *
 * The caller holds the owner's lock of both exclusively.
 */
void
fence_inherit(Fence *fence, const Fence *from, const FenceWitness *witness)
{
	fence_add(fence, from->xids, from->nxids, &from->floor, witness);
}

/*
 * The same, but count no change: what the fence stands for is still good, for
 * those who see all that it remembers now.
 *
 * The caller holds the owner's lock of both exclusively.
 */
void
fence_remember(Fence *fence, const Fence *from)
{
	seqlock_begin_write(&fence->seq);
	for (uint32 i = 0; i < from->nxids; i++)
		fence_add_xid(fence, from->xids[i], NULL);
	floor_add(&fence->floor, &from->floor);
	seqlock_end_write(&fence->seq);
}

/*
 * Let the witness stand, before the fence is full, for all that it has seen the
 * end of; counts no change.  If the fence does not remember it, that is only done
 * when there is no room left.  For whoever is no witness and gives the fence
 * more to remember, or takes from it, can only fold.
 *
 * The caller holds the owner's lock exclusively.
 */
void
fence_clear_out(Fence *fence, const FenceWitness *witness)
{
	if (witness->xid == 0 || (fence->nxids < FENCE_XIDS &&
							  !fence_has_witness(fence, witness)))
		return;
	seqlock_begin_write(&fence->seq);
	fence_add_xid(fence, witness->xid, witness);
	if (fence_has_witness(fence, witness))
		fence_make_room(fence, witness);
	seqlock_end_write(&fence->seq);
}

/*
 * Copy a fence without a lock.
 */
void
fence_read(Fence *fence, FenceState *state)
{
	for (;;)
	{
		uint32		before = pg_atomic_read_u32(&fence->seq);

		pg_read_barrier();
		state->nxids = Min(fence->nxids, FENCE_XIDS);
		state->floor = fence->floor;
		state->changes = fence->changes;
		memcpy(state->xids, fence->xids, sizeof(state->xids));
		pg_read_barrier();
		if ((before & 1) == 0 && before == pg_atomic_read_u32(&fence->seq))
			return;
		SPIN_DELAY();
	}
}

/*
 * Does the snapshot see every transaction that the fence remembers?
 */
bool
fence_is_clear(const FenceState *state, const SnapshotView *view)
{
	if (!floor_is_clear(&state->floor, view))
		return false;
	for (uint32 i = 0; i < state->nxids; i++)
	{
		if (xid_is_running(state->xids[i], view))
			return false;
	}
	return true;
}

static int
compare_xids(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
}

/* Add a running transaction to an image; its members are sorted. */
static void
image_add_running(SnapshotImage *image, uint64 xid)
{
	uint32		at;

	if (xid >= image->xmax)
		return;
	if (image->nxids == IMAGE_XIDS)
	{
		uint64		last = image->xids[IMAGE_XIDS - 1];

		image->xmax = Max(xid, last);
		if (xid >= last)
			return;
		image->nxids--;
	}
	for (at = image->nxids++; at > 0 && image->xids[at - 1] > xid; at--)
		image->xids[at] = image->xids[at - 1];
	image->xids[at] = xid;
}

/*
 * What a snapshot sees, for others and for later.  own is the caller's
 * top-level transaction, or invalid: a snapshot takes it for over, which it
 * is not for anybody else.  Sees less than the snapshot where there are too
 * many running transactions to list.
 */
void
snapshot_image(SnapshotImage *image, const SnapshotView *view,
			   FullTransactionId own)
{
	uint32		nrunning;
	const TransactionId *running = snapshot_running(view->snapshot, &nrunning);
	uint64		reference = view->xmin;

	image->xmin = view->xmin;
	image->xmax = view->xmax;
	image->nxids = 0;
	for (uint32 i = 0; i < nrunning; i++)
		image_add_running(image, xid_widen(running[i], reference));
	if (FullTransactionIdIsValid(own))
	{
		uint64		xid = U64FromFullTransactionId(own);

		image->xmin = Min(image->xmin, xid);
		image_add_running(image, xid);
	}
}

/* Did the snapshot of this image see all that is in a floor? */
static bool
floor_was_clear(const FenceFloor *floor, const SnapshotImage *image)
{
	if (floor_is_empty(floor) || floor->highest < image->xmin)
		return true;
	if (floor->highest >= image->xmax)
		return false;
	for (uint32 i = 0; i < image->nxids; i++)
	{
		if (image->xids[i] >= floor->lowest &&
			image->xids[i] <= floor->highest)
			return false;
	}
	return true;
}

/*
 * Did the snapshot of this image see every transaction that the fence
 * remembers?
 */
bool
fence_was_clear(const FenceState *state, const SnapshotImage *image)
{
	if (!floor_was_clear(&state->floor, image))
		return false;
	for (uint32 i = 0; i < state->nxids; i++)
	{
		uint64		xid = state->xids[i];

		if (xid >= image->xmax)
			return false;
		if (xid >= image->xmin &&
			bsearch(&xid, image->xids, image->nxids, sizeof(uint64),
					compare_xids) != NULL)
			return false;
	}
	return true;
}
