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

#include "image.h"

#define FENCE_XIDS	5

/*
 * One cache line.  Written under the lock of whoever owns the fence, read
 * without any (fence_read).
 */
typedef struct Fence
{
	pg_atomic_uint32 seq;		/* odd while a writer is inside */
	uint32		nxids;			/* used members of xids[] */
	uint64		floor;			/* every xid up to this one may have published */
	uint64		changes;		/* publications so far */
	uint64		xids[FENCE_XIDS];	/* top-level xids that published lately */
} Fence;

/* A consistent copy of a fence. */
typedef struct FenceState
{
	uint32		nxids;
	uint64		floor;
	uint64		changes;
	uint64		xids[FENCE_XIDS];
} FenceState;

/* An MVCC snapshot whose bounds have been widened to 64 bits. */
typedef struct SnapshotView
{
	Snapshot	snapshot;
	uint64		xmin;
	uint64		xmax;
} SnapshotView;

extern void fence_init(Fence *fence, uint64 floor);
extern void fence_publish(Fence *fence, FullTransactionId xid);
extern void fence_add(Fence *fence, const uint64 *xids, uint32 n, uint64 floor);
extern void fence_inherit(Fence *fence, const Fence *from);
extern void fence_read(Fence *fence, FenceState *state);
extern void snapshot_view(SnapshotView *view, Snapshot snapshot, uint64 reference);
extern bool snapshot_sees(const SnapshotView *view, uint64 xid);
extern uint64 snapshot_widen(const SnapshotView *view, TransactionId xid);
extern bool fence_is_clear(const FenceState *state, const SnapshotView *view);
extern void snapshot_image(SnapshotImage *image, const SnapshotView *view,
						   FullTransactionId own);
extern bool fence_was_clear(const FenceState *state, const SnapshotImage *image);

#endif							/* CACHE_FENCE_H */
