/*-------------------------------------------------------------------------
 *
 * recentxid.h
 *		A recent 64-bit transaction id.
 *
 * See recentxid.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_RECENTXID_H
#define CACHE_RECENTXID_H

#include "postgres.h"

#include "access/transam.h"
#include "port/atomics.h"

#include "segment.h"

typedef struct SharedRecentXid
{
	pg_atomic_uint64 reference;
} SharedRecentXid;

extern SharedRecentXid *shared_recent_xid;

extern const SegmentPart recent_xid_part;

extern void recent_xid_begin(uint64 next);
extern void recent_xid_note(FullTransactionId xid);
extern uint64 recent_xid_update(void);

/*
 * A 64-bit xid that is within 2^31 of this one of a snapshot's, for
 * snapshot_view.
 */
static inline uint64
recent_xid(TransactionId xid)
{
	uint64		reference = pg_atomic_read_u64(&shared_recent_xid->reference);

	/* Half of that is far enough to look: nobody may publish for very long. */
	if (unlikely((uint32) (xid - (uint32) reference + ((uint32) 1 << 30)) >
				 (uint32) 1 << 31))
		return recent_xid_update();
	return reference;
}

#endif							/* CACHE_RECENTXID_H */
