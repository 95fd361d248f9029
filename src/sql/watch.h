/*-------------------------------------------------------------------------
 *
 * watch.h
 *		cache_watch() and cache_unwatch().
 *
 * See watch.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WATCH_H
#define CACHE_WATCH_H

#include "postgres.h"

#include "definition/definition.h"

extern void watch_drop_all(CacheDef *def);

#endif							/* CACHE_WATCH_H */
