/*-------------------------------------------------------------------------
 *
 * worker.h
 *		The background worker that writes to Redis.
 *
 * See worker.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WORKER_H
#define CACHE_WORKER_H

extern void worker_register(void);

#endif							/* CACHE_WORKER_H */
