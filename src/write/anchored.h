/*-------------------------------------------------------------------------
 *
 * anchored.h
 *		Caches and their anchors, kept together.
 *
 * See anchored.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ANCHORED_H
#define CACHE_ANCHORED_H

#include "postgres.h"

extern void anchored_mend(bool again);
extern void anchored_forget(const char *cache);
extern void anchored_drop(Oid server);
extern void anchored_alter(Oid server);

#endif							/* CACHE_ANCHORED_H */
