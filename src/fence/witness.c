/*-------------------------------------------------------------------------
 *
 * witness.c
 *		What this session's last transaction to publish has seen.
 *
 * A transaction that publishes takes a snapshot first.  In a full fence it then
 * stands for those who had ended by then; see fence.c.  That remains true for
 * ever, also when it has ended itself, however that may be, or is prepared.
 *
 * The snapshot is taken by GetSnapshotData() into memory of our own: what it
 * lists counts, nothing is read with it, so that nobody need keep rows for it.
 * Nor does it matter to the transaction's isolation level.
 *
 * Locking: none; witness_take() must be called without LWLocks, since it may
 * raise an error the first time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/proc.h"
#include "storage/procarray.h"

#include "fence/recentxid.h"
#include "fence/witness.h"

static SnapshotData snapshot = {SNAPSHOT_MVCC};
static FenceWitness witness;

/*
 * This transaction, whose top-level id is xid, is about to publish.  Without an
 * id (invalid) it cannot be a witness, and nothing changes.  The shared memory
 * must be ready.
 */
void
witness_take(FullTransactionId xid)
{
	if (!FullTransactionIdIsValid(xid))
		return;
	witness.xid = 0;
	GetSnapshotData(&snapshot);
	snapshot_view(&witness.view, &snapshot, recent_xid(snapshot.xmax));
	witness.xid = U64FromFullTransactionId(xid);
}

/*
 * The transaction is one of the primary's, whose publication is about to be replayed:
 * who has ended by what has been replayed so far had ended when it published.
 *
 * Raises no errors.  Nobody must keep rows for this, which is no session.
 */
void
witness_replay(FullTransactionId xid)
{
	TransactionId xmin = MyProc->xmin;

	witness.xid = 0;
	if (snapshot.xip == NULL)
	{
		snapshot.xip = malloc(GetMaxSnapshotXidCount() * sizeof(TransactionId));
		snapshot.subxip = malloc(GetMaxSnapshotSubxidCount() * sizeof(TransactionId));
	}
	if (!FullTransactionIdIsValid(xid) || snapshot.xip == NULL ||
		snapshot.subxip == NULL)
		return;
	GetSnapshotData(&snapshot);
	MyProc->xmin = xmin;
	snapshot_view(&witness.view, &snapshot, recent_xid(snapshot.xmax));
	witness.xid = U64FromFullTransactionId(xid);
}

/*
 * The transaction of this session that has published last, of xid 0 if none has.
 */
const FenceWitness *
witness_last(void)
{
	return &witness;
}
