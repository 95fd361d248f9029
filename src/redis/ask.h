/*-------------------------------------------------------------------------
 *
 * ask.h
 *		A question to Redis, and its reply.
 *
 * See ask.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ASK_H
#define CACHE_ASK_H

#include "postgres.h"

#include "redis/redis.h"

/* A command: MGET of several keys, in bytes; GET of one, or another one. */
typedef struct Question
{
	int			nargs;
	const char **args;
	size_t	   *lengths;
	int			elements;		/* of the answer, 0 if it is not an array */
	const char *bytes;			/* the command as such, if that is an array */
	size_t		size;
} Question;

extern bool ask_may(void);
extern RedisReply *ask_redis(const Question *question);
extern void ask_failed(const char *error);
extern void ask_misunderstood(void);
extern bool ask_command(int nargs, const char **args, size_t *lengths,
						char *answer, size_t size);
extern uint32 ask_max_value(void);

#endif							/* CACHE_ASK_H */
