/*-------------------------------------------------------------------------
 *
 * standby.h
 *		Whether this server, while in recovery, knows what the primary invalidates.
 *
 * See standby.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_STANDBY_H
#define CACHE_STANDBY_H

#include "postgres.h"

#include "access/transam.h"
#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"

#include "segment.h"

typedef enum StandbyState
{
	STANDBY_WAITING,			/* for an announcement, since recovery began */
	STANDBY_FOLLOWING,			/* all that is published is known */
	STANDBY_BETWEEN,			/* the primary's next start has to announce itself */
	STANDBY_MISSED,				/* it has started, and did not announce itself */
	STANDBY_FOREIGN,			/* the primary runs on other software */
	STANDBY_UNREADABLE			/* it has published what is not understood here */
} StandbyState;

/* Of these the process that replays WAL alone writes all. */
typedef struct SharedStandby
{
	pg_atomic_uint32 state;
	uint64		between_next;	/* the next xid when BETWEEN began */
	bool		has_followed;	/* ever, since shared memory was made */

	/* For the view */
	pg_atomic_uint64 floor;		/* the last xid that nothing is known of */
	pg_atomic_uint64 since;		/* when the state began, a TimestampTz */
	pg_atomic_uint64 records;	/* with what was published */
	pg_atomic_uint64 keys;		/* in these */
	pg_atomic_uint64 position;	/* of the last record */

	/* Top-level transactions with DDL that have published and not ended. */
	pg_atomic_uint32 nchanging;
	uint32		max_changing;
	TransactionId changing[FLEXIBLE_ARRAY_MEMBER];
} SharedStandby;

extern SharedStandby *shared_standby;

extern const SegmentPart standby_part;

extern void standby_begin(void);
extern void standby_resume(void);
extern void standby_pause(void);
extern void standby_stop(StandbyState why);
extern bool standby_knows_all(uint64 next);
extern bool standby_is_early(TransactionId xid);
extern void standby_add_changing(TransactionId xid);
extern void standby_remove_changing(TransactionId xid);
extern void standby_check_changing(void);

static inline StandbyState
standby_state(void)
{
	return (StandbyState) pg_atomic_read_u32(&shared_standby->state);
}

/*
 * Is a transaction with DDL between its publication and the end of its commit's
 * redo, by which all backends have been sent its invalidation messages?
 */
static inline bool
standby_is_changing(void)
{
	return pg_atomic_read_u32(&shared_standby->nchanging) > 0;
}

#endif							/* CACHE_STANDBY_H */
