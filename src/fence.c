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
 * A fence holds a few transaction ids and a floor.  When it is full the
 * oldest id is folded into the floor: everything at or below the floor has to
 * be older than a snapshot's xmin.  That is correct for any number of
 * writers; it only makes readers step around the cache more often.
 *
 * Aborted and crashed writers stay in the fence.  As soon as they are no
 * longer running they count as visible, which is right: they changed nothing.
 *
 * Locking: writers are serialized by a lock of the fence's owner (see
 * coherence.c and registry.c).  Readers take no lock: the sequence number is
 * odd while a writer is inside, and a reader whose copy was overtaken copies
 * again.  Writers do nothing between the two increments that could raise an
 * error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/s_lock.h"

#include "devel.h"
#include "fence.h"

StaticAssertDecl(sizeof(Fence) == 64, "a fence is one cache line");

/*
 * Make a fence that knows nothing of transactions up to and including floor.
 */
void
fence_init(Fence *fence, uint64 floor)
{
	pg_atomic_init_u32(&fence->seq, 0);
	fence->nxids = 0;
	fence->floor = floor;
	fence->changes = 0;
	memset(fence->xids, 0, sizeof(fence->xids));
}

static void
fence_begin_write(Fence *fence)
{
	pg_atomic_write_u32(&fence->seq, pg_atomic_read_u32(&fence->seq) + 1);
	pg_write_barrier();
}

static void
fence_end_write(Fence *fence)
{
	pg_write_barrier();
	pg_atomic_write_u32(&fence->seq, pg_atomic_read_u32(&fence->seq) + 1);
}

/* The members stay in order, and the first is never older than it was. */
static void
fence_add_xid(Fence *fence, uint64 xid)
{
	uint32		at = fence->nxids;

	for (uint32 i = 0; i < fence->nxids; i++)
	{
		if (fence->xids[i] == xid)
			return;
	}
	if (fence->nxids < FENCE_XIDS)
		fence->nxids++;
	else
	{
		/* Full: the oldest of them all, the new one included, goes. */
		uint64		oldest = Min(xid, fence->xids[FENCE_XIDS - 1]);

		if (!GUARD_REMOVED("fold_floor"))
			fence->floor = Max(fence->floor, oldest);
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
 * that has none (it changed no row, so it only counts as a change).
 *
 * The caller holds the owner's lock exclusively.
 */
void
fence_publish(Fence *fence, FullTransactionId xid)
{
	fence_begin_write(fence);
	fence->changes++;
	if (FullTransactionIdIsValid(xid))
		fence_add_xid(fence, U64FromFullTransactionId(xid));
	fence_end_write(fence);
}

/*
 * Give a fence more to remember, and count a change.
 *
 * The caller holds the owner's lock exclusively.
 */
void
fence_add(Fence *fence, const uint64 *xids, uint32 n, uint64 floor)
{
	fence_begin_write(fence);
	fence->changes++;
	fence->floor = Max(fence->floor, floor);
	for (uint32 i = 0; i < n; i++)
		fence_add_xid(fence, xids[i]);
	fence_end_write(fence);
}

/*
 * Give a fence everything that another one remembers, and count a change.
 *
 * The caller holds the owner's lock of both exclusively.
 */
void
fence_inherit(Fence *fence, const Fence *from)
{
	fence_add(fence, from->xids, from->nxids, from->floor);
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
 * Does the snapshot see every transaction that the fence remembers?
 */
bool
fence_is_clear(const FenceState *state, const SnapshotView *view)
{
	if (state->floor >= view->xmin)
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

/*
 * Did the snapshot of this image see every transaction that the fence
 * remembers?
 */
bool
fence_was_clear(const FenceState *state, const SnapshotImage *image)
{
	if (state->floor >= image->xmin)
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
