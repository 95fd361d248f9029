/*-------------------------------------------------------------------------
 *
 * timelog.h
 *		Logs of times: when the last requests of a key were allowed.
 *
 * See timelog.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_TIMELOG_H
#define CACHE_TIMELOG_H

#include "postgres.h"

#include "ratelimit/block.h"

/* All zeros but for `most`: an empty log. */
typedef struct TimeLog
{
	int64		newest;			/* the latest time, also if it was dropped */
	BlockRef	head;			/* oldest times; 0 if there are none */
	BlockRef	tail;			/* latest times */
	uint32		n;				/* times */
	uint32		most;			/* that are kept */
} TimeLog;

extern int64 timelog_time(const TimeLog *log, uint32 i);
extern uint32 timelog_prune(TimeLog *log, int64 horizon);
extern uint32 timelog_count(const TimeLog *log, int64 horizon);
extern bool timelog_add(TimeLog *log, int64 time);
extern int64 timelog_due(const TimeLog *log, int64 keep);

#endif							/* CACHE_TIMELOG_H */
