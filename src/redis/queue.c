/*-------------------------------------------------------------------------
 *
 * queue.c
 *		What is to be sent to Redis, on its way to the background worker.
 *
 * A ring of bytes in shared memory, so that neither a miss nor a commit waits
 * for Redis.  When it is full something is dropped: fills first, which leave a
 * quarter of the ring to invalidations.  Nothing depends on either for being
 * exact; but those who listen to the messages have to learn that some are
 * missing, so the loss of an invalidation is marked.
 *
 * Locking: the queue lock for the ring.  It comes last in the order of locks,
 * and nothing that can raise an error is done under it, since invalidations
 * are put in when a transaction has committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"

#include "base/devel.h"
#include "redis/queue.h"

typedef struct Queue
{
	/* Counted in bytes and never reduced; the queue lock. */
	uint64		head;			/* put in so far */
	uint64		tail;			/* taken out so far */
	uint32		size;			/* of the ring */
	int			reader;			/* the worker's procno, -1: none */

	char		apart[PG_CACHE_LINE_SIZE];	/* from what changes often */
	pg_atomic_uint32 sleeping;	/* the worker waits for its latch */
	pg_atomic_uint32 lost;		/* invalidations have been dropped */
} Queue;

static Queue *shared_queue;
static char *shared_ring;
static LWLock *shared_queue_lock;

/* cache.redis_queue_size */
int			queue_size_kb = 4096;

static void
queue_init(void)
{
	memset(shared_queue, 0, sizeof(Queue));
	shared_queue->size = queue_size_kb * 1024;
	shared_queue->reader = -1;
	pg_atomic_init_u32(&shared_queue->sleeping, 0);

	/* Nobody knows what was not sent before the server started. */
	pg_atomic_init_u32(&shared_queue->lost, 1);
}

const SegmentPart queue_part = {
	.name = "header",
	.address = (void **) &shared_queue,
	.bytes = sizeof(Queue),
	.nlocks = 1,
	.locks = (LWLockPadded **) &shared_queue_lock,
	.init = queue_init,
};

static Size
queue_ring_size(void)
{
	return mul_size((Size) queue_size_kb, 1024);
}

const SegmentPart queue_ring_part = {
	.name = "queue",
	.address = (void **) &shared_ring,
	.size = queue_ring_size,
};

static void
ring_write(uint64 at, const void *from, uint32 len)
{
	uint32		size = shared_queue->size;
	uint32		begin = at % size;
	uint32		first = Min(len, size - begin);

	memcpy(shared_ring + begin, from, first);
	memcpy(shared_ring, (const char *) from + first, len - first);
}

static void
ring_read(uint64 at, void *to, uint32 len)
{
	uint32		size = shared_queue->size;
	uint32		begin = at % size;
	uint32		first = Min(len, size - begin);

	memcpy(to, shared_ring + begin, first);
	memcpy((char *) to + first, shared_ring, len - first);
}

/*
 * Put an item in, of at most half the ring: namelen bytes of name, and what
 * remains of its len bytes from payload.  important: it may fill the ring to
 * its end.  False if there is no room.  Raises no errors; the worker is not
 * woken (queue_wake).
 */
bool
queue_put(QueueItem *item, const char *name, const char *payload,
		  bool important)
{
	Queue	   *queue = shared_queue;
	uint64		bytes = MAXALIGN(sizeof(QueueItem) + (uint64) item->len);
	uint64		limit = important ? queue->size : queue->size / 4 * 3;
	bool		fits;

	LWLockAcquire(shared_queue_lock, LW_EXCLUSIVE);
	fits = bytes <= queue->size / 2 && queue->head - queue->tail <= limit - bytes;
	if (fits)
	{
		uint64		at = queue->head;

		item->bytes = bytes;
		ring_write(at, item, sizeof(QueueItem));
		at += sizeof(QueueItem);
		ring_write(at, name, item->namelen);
		at += item->namelen;
		ring_write(at, payload, item->len - item->namelen);
		queue->head += bytes;
	}
	LWLockRelease(shared_queue_lock);
	return fits;
}

/*
 * Wake the worker, if it sleeps.  Raises no errors.
 */
void
queue_wake(void)
{
	Queue	   *queue = shared_queue;
	int			reader;

	pg_memory_barrier();
	if (pg_atomic_read_u32(&queue->sleeping) == 0 ||
		pg_atomic_exchange_u32(&queue->sleeping, 0) == 0)
		return;
	reader = queue->reader;
	if (reader >= 0)
		SetLatch(&ProcGlobal->allProcs[reader].procLatch);
}

/*
 * Take whole items out, as many as fit into size bytes, at least one.  Gives
 * how many bytes that are; 0 if the queue is empty.  size must be half of the
 * ring, or more.
 */
uint32
queue_take(char *to, uint32 size)
{
	Queue	   *queue = shared_queue;
	uint32		taken = 0;

	LWLockAcquire(shared_queue_lock, LW_EXCLUSIVE);
	while (queue->tail < queue->head)
	{
		uint32		bytes;

		ring_read(queue->tail, &bytes, sizeof(bytes));
		if (bytes > size - taken)
			break;
		ring_read(queue->tail, to + taken, bytes);
		queue->tail += bytes;
		taken += bytes;
	}
	LWLockRelease(shared_queue_lock);
	return taken;
}

/*
 * How many bytes the ring has.
 */
uint32
queue_size(void)
{
	return shared_queue->size;
}

/*
 * How many bytes wait in the queue.
 */
uint64
queue_bytes(void)
{
	Queue	   *queue = shared_queue;
	uint64		bytes;

	LWLockAcquire(shared_queue_lock, LW_SHARED);
	bytes = queue->head - queue->tail;
	LWLockRelease(shared_queue_lock);
	return bytes;
}

/*
 * The worker says which process it is; -1: it leaves.
 */
void
queue_attach(int procno)
{
	shared_queue->reader = procno;
	pg_atomic_write_u32(&shared_queue->sleeping, 0);
}

/*
 * The worker is about to wait for its latch.  False if it must not, because
 * something has come in.
 */
bool
queue_sleep(void)
{
	pg_atomic_exchange_u32(&shared_queue->sleeping, 1);
	pg_memory_barrier();
	return queue_bytes() == 0;
}

/*
 * Some invalidation has been dropped: those who listen have to hear of it.
 */
void
queue_note_loss(void)
{
	pg_atomic_write_u32(&shared_queue->lost, 1);
}

/*
 * Has any been, that they have not heard of yet?
 */
bool
queue_has_loss(void)
{
	return pg_atomic_read_u32(&shared_queue->lost) != 0;
}

/*
 * They are about to hear of all that have been.
 */
void
queue_forget_loss(void)
{
	pg_atomic_write_u32(&shared_queue->lost, 0);
}
