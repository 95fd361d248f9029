/*-------------------------------------------------------------------------
 *
 * persist.h
 *		Fences and lineage survive a clean restart.
 *
 * See persist.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PERSIST_H
#define CACHE_PERSIST_H

extern void persist_startup(void);

#endif							/* CACHE_PERSIST_H */
