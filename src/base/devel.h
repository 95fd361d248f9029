/*-------------------------------------------------------------------------
 *
 * devel.h
 *		Stop points, guard switches and a clock of development builds.
 *
 * See devel.c.  In other builds all of this is nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_DEVEL_H
#define CACHE_DEVEL_H

#include "postgres.h"

#include "storage/lock.h"
#include "storage/lwlock.h"

#ifdef CACHE_DEVEL
extern void devel_init(void);
extern void devel_stop(const char *point);
extern bool devel_guard_removed(const char *guard);
extern int64 devel_clock(int64 now);
extern uint64 devel_locks;
extern void devel_batch(bool begin);
#define STOP_POINT(point)		devel_stop(point)
#define GUARD_REMOVED(guard)	devel_guard_removed(guard)
#define DEVEL_CLOCK(now)		devel_clock(now)
#define SHARED_BATCH(begin)		devel_batch(begin)
#define SHARED_ALIGN(at)		TYPEALIGN(DEVEL_PAGE, at)
#define DEVEL_PAGE				4096

/* Count what is locked by this library. */
#define LWLockAcquire(lock, mode) \
	(devel_locks++, LWLockAcquire((lock), (mode)))
#define LWLockConditionalAcquire(lock, mode) \
	(devel_locks++, LWLockConditionalAcquire((lock), (mode)))
#define LockAcquire(tag, mode, session, dontwait) \
	(devel_locks++, LockAcquire((tag), (mode), (session), (dontwait)))
#else
#define devel_init()			((void) 0)
#define STOP_POINT(point)		((void) 0)
#define GUARD_REMOVED(guard)	false
#define DEVEL_CLOCK(now)		(now)
#define SHARED_BATCH(begin)		((void) 0)
#define SHARED_ALIGN(at)		CACHELINEALIGN(at)
#endif

/* Room for SHARED_ALIGN */
#ifdef CACHE_DEVEL
#define SHARED_SLACK			DEVEL_PAGE
#else
#define SHARED_SLACK			PG_CACHE_LINE_SIZE
#endif

#endif							/* CACHE_DEVEL_H */
