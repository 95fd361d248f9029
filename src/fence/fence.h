/*-------------------------------------------------------------------------
 *
 * fence.h
 *		A fence remembers who invalidated lately.
 *
 * See fence.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_FENCE_H
#define CACHE_FENCE_H

#include "postgres.h"

#include "access/transam.h"
#include "port/atomics.h"
#include "utils/snapshot.h"

#include "base/image.h"

#define FENCE_XIDS	4

/*
 * Every transaction from lowest to highest may have published; none, if lowest
 * is above highest.  highest never falls, for the sake of fence_is_old.
 */
typedef struct FenceFloor
{
	uint64		lowest;
	uint64		highest;
} FenceFloor;

/*
 * One cache line.  Written under the lock of whoever owns the fence, read
 * without any (fence_read).
 */
typedef struct Fence
{
	pg_atomic_uint32 seq;		/* odd while a writer is inside */
	uint32		nxids;			/* used members of xids[] */
	FenceFloor	floor;			/* what has no place in xids[] */
	uint64		changes;		/* publications so far */
	uint64		xids[FENCE_XIDS];	/* top-level xids that published lately,
									 * the newest first */
} Fence;

/* A consistent copy of a fence. */
typedef struct FenceState
{
	uint32		nxids;
	FenceFloor	floor;
	uint64		changes;
	uint64		xids[FENCE_XIDS];
} FenceState;

/* Is there nothing in a floor? */
static inline bool
floor_is_empty(const FenceFloor *floor)
{
	return floor->lowest > floor->highest;
}

/* An MVCC snapshot whose bounds have been widened to 64 bits. */
typedef struct SnapshotView
{
	Snapshot	snapshot;
	uint64		xmin;
	uint64		xmax;
} SnapshotView;

/*
 * A transaction that has published, and a snapshot that it had taken.  Who sees
 * the transaction began to look after it had ended, and so sees all that this
 * snapshot sees.
 */
typedef struct FenceWitness
{
	uint64		xid;			/* 0: there is none */
	SnapshotView view;
} FenceWitness;

/*
 * Is everything that the fence remembers older than this xmin of a snapshot,
 * and so seen by it?  Most often it is, and this is all that need be asked.
 *
 * No sequence number is needed: the newest xid never gets older, and it stays
 * where it is until a newer one takes its place at once.  Whoever has published
 * before the caller read what it wants to use is in what this reads.
 */
static inline bool
fence_is_old(const volatile Fence *fence, uint64 xmin)
{
#ifdef PG_HAVE_8BYTE_SINGLE_COPY_ATOMICITY
	return fence->floor.highest < xmin && fence->xids[0] < xmin;
#else
	return false;
#endif
}

/*
 * Widen a 32-bit xid to 64 bits around a reference that lies within 2^31 of
 * it.  If the reference is older than that the result is 2^32 too low, or 0,
 * which makes every fence look closed: the safe side.
 */
static inline uint64
xid_widen(TransactionId xid, uint64 reference)
{
	int64		wide = (int64) reference + (int32) (xid - (uint32) reference);

	return Max(wide, 0);
}

/*
 * Prepare a snapshot for fence_is_clear.  The snapshot must be an MVCC
 * snapshot and must live as long as the view.  reference is a recent 64-bit
 * xid.
 */
static inline void
snapshot_view(SnapshotView *view, Snapshot snapshot, uint64 reference)
{
	view->snapshot = snapshot;
	view->xmin = xid_widen(snapshot->xmin, reference);
	view->xmax = xid_widen(snapshot->xmax, reference);
}

extern void fence_init(Fence *fence, uint64 floor);
extern void fence_begin(Fence *fence, uint64 floor);
extern void floor_fold(FenceFloor *floor, uint64 xid);
extern void floor_rise(FenceFloor *floor, const FenceWitness *witness);
extern void fence_publish(Fence *fence, FullTransactionId xid,
						  const FenceWitness *witness);
extern void fence_add(Fence *fence, const uint64 *xids, uint32 n,
					  const FenceFloor *floor, const FenceWitness *witness);
extern void fence_forget(Fence *fence, uint64 floor);
extern void fence_inherit(Fence *fence, const Fence *from,
						  const FenceWitness *witness);
extern void fence_remember(Fence *fence, const Fence *from);
extern void fence_clear_out(Fence *fence, const FenceWitness *witness);
extern void fence_read(Fence *fence, FenceState *state);
extern bool snapshot_sees(const SnapshotView *view, uint64 xid);
extern uint64 snapshot_widen(const SnapshotView *view, TransactionId xid);
extern bool fence_is_clear(const FenceState *state, const SnapshotView *view);
extern void snapshot_image(SnapshotImage *image, const SnapshotView *view,
						   FullTransactionId own);
extern bool fence_was_clear(const FenceState *state, const SnapshotImage *image);

#endif							/* CACHE_FENCE_H */
