/*-------------------------------------------------------------------------
 *
 * redis.h
 *		A connection to Redis whose every wait has an end.
 *
 * See redis.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_REDIS_H
#define CACHE_REDIS_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "redis/address.h"
#include "redis/reply.h"

#define REDIS_ERROR_SIZE	160

typedef struct RedisConn RedisConn;

extern int	redis_timeout_ms;	/* cache.redis_timeout */

extern void redis_define_settings(void);
extern uint64 redis_generation(void);

extern RedisConn *redis_open(const RedisAddress *address, char *error);
extern void redis_close(RedisConn *conn);
extern bool redis_is_current(const RedisConn *conn);
extern void redis_shut(RedisConn *conn);
extern void redis_command(RedisConn *conn, int nargs, const char **args,
						  const size_t *lengths);
extern void redis_commands(RedisConn *conn, int n, const char *bytes,
						   size_t size);
extern RedisReply *redis_reply(RedisConn *conn, size_t limit,
							   TimestampTz deadline);
extern RedisReply *redis_reply_array(RedisConn *conn, size_t elements,
									 size_t limit, TimestampTz deadline);
extern bool redis_was_closed(const RedisConn *conn);
extern bool redis_was_too_much(const RedisConn *conn);
extern const char *redis_error(const RedisConn *conn);
extern bool redis_is_revealing(const char *error);

#endif							/* CACHE_REDIS_H */
