/*-------------------------------------------------------------------------
 *
 * utility.h
 *		Utility commands that concern caches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_UTILITY_H
#define CACHE_UTILITY_H

extern void utility_init(void);
extern void utility_find_truncated(void);

#endif							/* CACHE_UTILITY_H */
