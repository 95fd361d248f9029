/*-------------------------------------------------------------------------
 *
 * batch.h
 *		What is sent to Redis together.
 *
 * See batch.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_BATCH_H
#define CACHE_BATCH_H

#include "postgres.h"

#include "redis/queue.h"

extern bool batch_begin(void);
extern void batch_fill(const QueueItem *item, const char *payload);
extern void batch_invalidate(const QueueItem *item, const char *message);
extern void batch_tell_loss(void);
extern void batch_end(void);
extern void batch_drop(const QueueItem *item, const char *payload);

#endif							/* CACHE_BATCH_H */
