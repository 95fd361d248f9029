/*-------------------------------------------------------------------------
 *
 * breaker.h
 *		Is Redis worth asking, and how has it done?
 *
 * See breaker.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_BREAKER_H
#define CACHE_BREAKER_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "segment.h"

/* Counters of the view cache_redis, in its order */
typedef enum RedisCounter
{
	REDIS_GETS,
	REDIS_HITS,
	REDIS_ABSENT,				/* not in Redis */
	REDIS_STALE,				/* refused by the fences */
	REDIS_CORRUPT,				/* damaged, or not what was asked for */
	REDIS_FAILURES,				/* timeouts and errors */
	REDIS_SKIPPED,				/* not asked, because it is down */
	REDIS_NO_CONNECTION,		/* not asked, because the pool is full */
	REDIS_RECONNECTS,
	REDIS_FILLS,
	REDIS_FILLS_DROPPED,
	REDIS_DELETES,
	REDIS_DELETES_DROPPED,
	REDIS_MESSAGES,
	REDIS_MESSAGES_DROPPED,
	REDIS_COUNTERS
} RedisCounter;

typedef enum BreakerState
{
	BREAKER_CONNECTING,			/* closed, and nothing is known yet */
	BREAKER_UP,					/* closed */
	BREAKER_READ_ONLY,			/* closed, but Redis takes no writes */
	BREAKER_DOWN				/* open */
} BreakerState;

#define BREAKER_ERROR		160		/* bytes of the text of an error */

extern const SegmentPart breaker_part;

extern BreakerState breaker_state(void);
extern void breaker_reset(void);
extern void breaker_success(void);
extern void breaker_time(uint64 nanoseconds);
extern bool breaker_failure(const char *error);
extern void breaker_note(const char *error);
extern void breaker_close(const char *read_only);
extern bool breaker_has_doubt(void);
extern bool breaker_is_doubted(void);
extern uint64 breaker_proofs(void);
extern uint32 breaker_trips(void);
extern TimestampTz breaker_since(void);
extern void breaker_error(char *error);
extern uint64 breaker_round_trip(void);
extern void breaker_count(RedisCounter counter, uint64 n);
extern uint64 breaker_counted(RedisCounter counter);
extern double breaker_percentile(double part);

#endif							/* CACHE_BREAKER_H */
