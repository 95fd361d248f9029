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

#ifdef CACHE_DEVEL
extern void devel_init(void);
extern void devel_stop(const char *point);
extern bool devel_guard_removed(const char *guard);
extern int64 devel_clock(int64 now);
#define STOP_POINT(point)		devel_stop(point)
#define GUARD_REMOVED(guard)	devel_guard_removed(guard)
#define DEVEL_CLOCK(now)		devel_clock(now)
#else
#define devel_init()			((void) 0)
#define STOP_POINT(point)		((void) 0)
#define GUARD_REMOVED(guard)	false
#define DEVEL_CLOCK(now)		(now)
#endif

#endif							/* CACHE_DEVEL_H */
