/*-------------------------------------------------------------------------
 *
 * timelog.c
 *		Logs of times: when the last requests of a key were allowed.
 *
 * A list of blocks of times, in order.  The times fill the blocks without a gap,
 * from the place of the oldest in its block on.
 *
 * Locking: the caller's, for the log and its blocks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ratelimit/timelog.h"

#define BLOCK_TIMES		15

typedef struct TimeBlock
{
	BlockRef	next;			/* later times */
	uint32		first;			/* place of the oldest, in the log's first block */
	int64		times[BLOCK_TIMES];
} TimeBlock;

StaticAssertDecl(sizeof(TimeBlock) == BLOCK_BYTES, "times fill a block");

static inline TimeBlock *
times_at(BlockRef ref)
{
	return block_at(ref);
}

/* The place of the oldest time in its block, 0 if there is none. */
static inline uint32
first_place(const TimeLog *log)
{
	return log->n == 0 ? 0 : times_at(log->head)->first;
}

/*
 * Drop the oldest time.  Gives the block that has become free by that, or 0.
 */
static BlockRef
timelog_drop(TimeLog *log)
{
	BlockRef	ref = log->head;
	TimeBlock  *block = times_at(ref);

	log->n--;
	block->first++;
	if (log->n > 0 && block->first < BLOCK_TIMES)
		return 0;
	log->head = block->next;
	return ref;
}

/*
 * The i-th oldest time, from 0 on.
 */
int64
timelog_time(const TimeLog *log, uint32 i)
{
	BlockRef	ref = log->head;

	Assert(i < log->n);
	for (i += first_place(log); i >= BLOCK_TIMES; i -= BLOCK_TIMES)
		ref = times_at(ref)->next;
	return times_at(ref)->times[i];
}

/*
 * Drop all times up to this one.  Gives the number of blocks given back.
 */
uint32
timelog_prune(TimeLog *log, int64 horizon)
{
	uint32		given = 0;

	while (log->n > 0)
	{
		const TimeBlock *block = times_at(log->head);
		BlockRef	ref;

		if (block->times[block->first] > horizon)
			break;
		ref = timelog_drop(log);
		if (ref != 0)
		{
			block_give(ref);
			given++;
		}
	}
	return given;
}

/*
 * The number of times after this one.
 */
uint32
timelog_count(const TimeLog *log, int64 horizon)
{
	BlockRef	ref = log->head;
	uint32		at = first_place(log);
	uint32		left = log->n;

	while (left > 0)
	{
		const TimeBlock *block = times_at(ref);
		uint32		here = Min(BLOCK_TIMES - at, left);

		if (block->times[at + here - 1] > horizon)
		{
			while (block->times[at++] <= horizon)
				left--;
			break;
		}
		left -= here;
		at = 0;
		ref = block->next;
	}
	return left;
}

/*
 * Add a time, the latest, and if there are `most` already, drop the oldest.
 * False, and nothing has changed, if there is no memory.
 */
bool
timelog_add(TimeLog *log, int64 time)
{
	uint32		first = first_place(log);
	uint32		place = (first + log->n) % BLOCK_TIMES;
	bool		drop = log->n == log->most;
	bool		gains = drop && (log->n == 1 || first == BLOCK_TIMES - 1);
	bool		needs = (drop && log->n == 1) || place == 0;
	BlockRef	ref = 0;

	if (needs && !gains)
	{
		ref = block_take();
		if (ref == 0)
			return false;
	}
	if (drop)
	{
		BlockRef	gained = timelog_drop(log);

		if (needs && gains)
			ref = gained;
		else if (gained != 0)
			block_give(gained);
	}
	if (needs)
	{
		times_at(ref)->next = 0;
		times_at(ref)->first = 0;
		if (log->n == 0)
		{
			log->head = ref;
			place = 0;
		}
		else
			times_at(log->tail)->next = ref;
		log->tail = ref;
	}
	times_at(log->tail)->times[place] = time;
	log->n++;
	log->newest = time;
	return true;
}

/*
 * When can some block be given back, if times are kept for so long?  The log is
 * not empty.
 */
int64
timelog_due(const TimeLog *log, int64 keep)
{
	if (log->head == log->tail)
		return log->newest + keep;
	return times_at(log->head)->times[BLOCK_TIMES - 1] + keep;
}
