/*-------------------------------------------------------------------------
 *
 * prepared.h
 *		What prepared transactions have invalidated.
 *
 * See prepared.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PREPARED_H
#define CACHE_PREPARED_H

#include "postgres.h"

#include "redis/queue.h"

#define PREPARED_MS		100		/* how often those that wait are looked at */

extern bool prepared_keep(const QueueItem *item, const char *message);
extern void prepared_keep_unknown(void);
extern bool prepared_any(void);
extern bool prepared_committed(const QueueItem *item);
extern void prepared_send(bool usable);

#endif							/* CACHE_PREPARED_H */
