/*-------------------------------------------------------------------------
 *
 * reply.h
 *		Replies of Redis, as hiredis parses them.
 *
 * See reply.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_REPLY_H
#define CACHE_REPLY_H

#include "postgres.h"

#include <hiredis/hiredis.h>

/* A reply; of an integer, only that it is one. */
typedef struct RedisReply
{
	int			type;			/* REDIS_REPLY_... */
	char	   *str;			/* of strings and errors, MAXALIGNed; ends in 0 */
	size_t		len;
	struct RedisReply *element; /* of an array */
	size_t		elements;
} RedisReply;

extern void reply_make_on(redisReader *reader, size_t *elements);
extern void reply_free(RedisReply *reply);

#endif							/* CACHE_REPLY_H */
