/*-------------------------------------------------------------------------
 *
 * open.h
 *		Opening the cache for business.
 *
 * See open.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_OPEN_H
#define CACHE_OPEN_H

extern void open_init(void);

#endif							/* CACHE_OPEN_H */
