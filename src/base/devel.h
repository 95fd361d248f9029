/*-------------------------------------------------------------------------
 *
 * devel.h
 *		Stop points and guard switches of development builds.
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
extern void devel_stop_replay(const char *point, Oid dbid);
extern bool devel_guard_removed(const char *guard);
extern uint64 devel_locks;
extern void devel_segment(char *base, Size size);
extern void devel_batch(bool begin);
#define STOP_POINT(point)		devel_stop(point)
#define REPLAY_STOP_POINT(point, dbid)	devel_stop_replay((point), (dbid))
#define GUARD_REMOVED(guard)	devel_guard_removed(guard)
#define SEGMENT_BATCH(begin)	devel_batch(begin)
#define SEGMENT_ALIGN(at)		TYPEALIGN(DEVEL_PAGE, at)
#define DEVEL_SEGMENT(base, size)	devel_segment((base), (size))
#define DEVEL_PAGE				4096

/*
 * Count what is locked by this library.  Whoever calls one of these includes this
 * header itself, see test/layout/rules.
 */
#define LWLockAcquire(lock, mode) \
	(devel_locks++, LWLockAcquire((lock), (mode)))
#define LWLockConditionalAcquire(lock, mode) \
	(devel_locks++, LWLockConditionalAcquire((lock), (mode)))
#define LockAcquire(tag, mode, session, dontwait) \
	(devel_locks++, LockAcquire((tag), (mode), (session), (dontwait)))
#define LockAcquireExtended(...) \
	(devel_locks++, LockAcquireExtended(__VA_ARGS__))
#else
#define devel_init()			((void) 0)
#define STOP_POINT(point)		((void) 0)
#define REPLAY_STOP_POINT(point, dbid)	((void) 0)
#define GUARD_REMOVED(guard)	false
#define SEGMENT_BATCH(begin)	((void) 0)
#define SEGMENT_ALIGN(at)		CACHELINEALIGN(at)
#define DEVEL_SEGMENT(base, size)	((void) 0)
#endif

/* Room for SEGMENT_ALIGN */
#ifdef CACHE_DEVEL
#define SEGMENT_SLACK			DEVEL_PAGE
#else
#define SEGMENT_SLACK			PG_CACHE_LINE_SIZE
#endif

#endif							/* CACHE_DEVEL_H */
