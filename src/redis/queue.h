/*-------------------------------------------------------------------------
 *
 * queue.h
 *		What is to be sent to Redis, on its way to the background worker.
 *
 * See queue.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_QUEUE_H
#define CACHE_QUEUE_H

#include "postgres.h"

#include "segment.h"

typedef enum QueueKind
{
	QUEUE_FILL,					/* payload: name of the key, then its value */
	QUEUE_INVALIDATE			/* payload: the message, may be empty */
} QueueKind;

/* One item; its payload follows. */
typedef struct QueueItem
{
	uint32		bytes;			/* with the payload */
	uint16		kind;
	uint16		namelen;		/* of a fill */
	uint32		len;			/* of the payload */
	Oid			dbid;
	uint64		cache;			/* its id, or 0: all of the database's */
	uint64		hash;			/* of the key that is to be deleted, or 0 */
	uint64		xid;
	uint64		prepared;		/* not before this transaction has ended */
	int64		expires;		/* of a fill, in milliseconds from now */
} QueueItem;

extern const SegmentPart queue_part;
extern const SegmentPart queue_ring_part;

extern int	queue_size_kb;

extern bool queue_put(QueueItem *item, const char *name, const char *payload,
					  bool important);
extern void queue_wake(void);
extern uint32 queue_take(char *to, uint32 size);
extern uint32 queue_size(void);
extern uint64 queue_bytes(void);
extern void queue_attach(int procno);
extern bool queue_sleep(void);
extern void queue_note_loss(void);
extern bool queue_has_loss(void);
extern void queue_forget_loss(void);

#endif							/* CACHE_QUEUE_H */
