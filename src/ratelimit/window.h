/*-------------------------------------------------------------------------
 *
 * window.h
 *		Sliding windows: when the last requests of each key were allowed.
 *
 * See window.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WINDOW_H
#define CACHE_WINDOW_H

#include "postgres.h"

typedef struct WindowRequest
{
	const char *key;			/* of this database; any bytes */
	Size		len;
	int32		max_requests;	/* at least 1 */
	int64		period;			/* microseconds, 1 to WINDOW_MAX_PERIOD */
	bool		open;			/* what there is no memory for is allowed */
} WindowRequest;

typedef struct WindowAnswer
{
	bool		allowed;
	int32		remaining;		/* requests that would be allowed now, too */
	int64		retry_after;	/* microseconds, 0 if allowed */
} WindowAnswer;

typedef struct WindowUsage
{
	uint64		keys;			/* in memory now */
	uint64		bytes;			/* that they occupy */
	uint64		allowed;
	uint64		refused;
	uint64		overflows;		/* requests that there was no memory for */
	uint64		reclaimed;		/* keys that have been idle */
} WindowUsage;

/* So that times can be added and subtracted. */
#define WINDOW_MAX_PERIOD	(PG_INT64_MAX / 4)

extern int	window_memory_kb;

extern void window_shmem_request(void);
extern void window_shmem_startup(void);
extern Size window_size(void);
extern void window_define_settings(void);
extern void window_ask(const WindowRequest *request, WindowAnswer *answer);
extern void window_usage(WindowUsage *usage);

#endif							/* CACHE_WINDOW_H */
