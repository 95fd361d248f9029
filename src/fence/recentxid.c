/*-------------------------------------------------------------------------
 *
 * recentxid.c
 *		A recent 64-bit transaction id.
 *
 * Fences hold 64-bit ids, snapshots 32-bit ones.  What the upper half of these
 * is follows from any 64-bit id that is not too far away.  One is kept here, so
 * that a hit need not ask for the server's next one, which takes a lock.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fence/recentxid.h"

/* How far the reference may lag. */
#define XID_RECENT	(1 << 20)

SharedRecentXid *shared_recent_xid;

static void
recent_xid_init(void)
{
	pg_atomic_init_u64(&shared_recent_xid->reference, 0);
}

const SegmentPart recent_xid_part = {
	.name = "header",
	.address = (void **) &shared_recent_xid,
	.bytes = sizeof(SharedRecentXid),
	.init = recent_xid_init,
};

/*
 * Begin with the server's next xid.
 */
void
recent_xid_begin(uint64 next)
{
	pg_atomic_write_u64(&shared_recent_xid->reference, next);
}

/*
 * Keep the reference recent, which need not be to the last: all backends read
 * it, and a write takes it out of their processors' caches.
 */
void
recent_xid_note(FullTransactionId xid)
{
	uint64		value = U64FromFullTransactionId(xid);

	if (value > pg_atomic_read_u64(&shared_recent_xid->reference) + XID_RECENT)
		pg_atomic_write_u64(&shared_recent_xid->reference, value);
}

/*
 * The same by the server's next xid, which it gives.
 */
uint64
recent_xid_update(void)
{
	FullTransactionId next = ReadNextFullTransactionId();

	recent_xid_note(next);
	return U64FromFullTransactionId(next);
}
