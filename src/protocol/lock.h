/*-------------------------------------------------------------------------
 *
 * lock.h
 *		The locks that a use of a cache needs.
 *
 * See lock.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_LOCK_H
#define CACHE_LOCK_H

#include "postgres.h"

#include "definition/cachedef.h"

/* Moves when a transaction's locks are gone. */
extern uint64 lock_generation;

extern int	lock_slot(CacheDef *def);
extern bool lock_is_held(CacheDef *def, uint64 generation);
extern bool lock_take(CacheDef *def);
extern void lock_release_all(void);

#endif							/* CACHE_LOCK_H */
