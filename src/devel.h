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

#ifdef CACHE_DEVEL
extern void devel_init(void);
extern void devel_stop(const char *point);
extern bool devel_guard_removed(const char *guard);
#define STOP_POINT(point)		devel_stop(point)
#define GUARD_REMOVED(guard)	devel_guard_removed(guard)
#else
#define devel_init()			((void) 0)
#define STOP_POINT(point)		((void) 0)
#define GUARD_REMOVED(guard)	false
#endif

#endif							/* CACHE_DEVEL_H */
