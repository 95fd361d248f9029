/*-------------------------------------------------------------------------
 *
 * pool.h
 *		This process's connection to Redis, one of a bounded number.
 *
 * See pool.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_POOL_H
#define CACHE_POOL_H

#include "postgres.h"

#include "redis/redis.h"
#include "segment.h"

typedef enum PoolResult
{
	POOL_REUSED,				/* a connection that has been used before */
	POOL_OPENED,				/* a new one */
	POOL_FULL,					/* all connections are taken */
	POOL_UNRESOLVED,			/* nobody knows the address yet */
	POOL_FAILED
} PoolResult;

extern const SegmentPart pool_part;

extern void pool_define_settings(void);
extern void pool_reserve(void);
extern void pool_tell_settings(void);
extern PoolResult pool_get(RedisConn **conn, char *error);
extern void pool_release(void);
extern void pool_discard(void);
extern void pool_end_transaction(void);
extern void pool_count(uint32 *connections, uint32 *idle);

#endif							/* CACHE_POOL_H */
