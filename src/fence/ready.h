/*-------------------------------------------------------------------------
 *
 * ready.h
 *		May entries be used at all?
 *
 * See ready.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_READY_H
#define CACHE_READY_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/lwlock.h"

#include "segment.h"

typedef struct SharedReady
{
	pg_atomic_uint32 opened;	/* a ReadyFor */
} SharedReady;

/* As what the server may use entries. */
typedef enum ReadyFor
{
	READY_FOR_NOTHING,
	READY_STANDBY,				/* in recovery; see standby.c */
	READY_PRIMARY				/* it has left recovery */
} ReadyFor;

extern SharedReady *shared_ready;
extern LWLock *shared_registry_lock;

extern const SegmentPart ready_part;

extern void ready_register(void (*open) (void));
extern void ready_set(ReadyFor opened);
extern void ready_unset(void);
extern bool ready_try_open(void);

/*
 * Has somebody found the server out of recovery yet?
 */
static inline bool
ready_has_opened(void)
{
	return pg_atomic_read_u32(&shared_ready->opened) == READY_PRIMARY;
}

/*
 * May entries be used at all?  On a standby only while it knows of all that the
 * primary invalidates.  Whoever uses a snapshot has taken it before.  May take the
 * registry lock.
 */
static inline bool
ready_for_use(void)
{
	if (likely(ready_has_opened()))
	{
		pg_read_barrier();
		return true;
	}
	return ready_try_open();
}

#endif							/* CACHE_READY_H */
