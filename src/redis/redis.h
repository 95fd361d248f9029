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

#include <hiredis/hiredis.h>

#include "utils/timestamp.h"

#include "segment.h"

#define REDIS_HOST_SIZE		256
#define REDIS_ERROR_SIZE	160

/* Where Redis is: a socket's path (port 0), or an address or host name. */
typedef struct RedisAddress
{
	char		host[REDIS_HOST_SIZE];
	int			port;
} RedisAddress;

/* What the worker has found a host name to stand for; the redis lock. */
typedef struct RedisResolved
{
	char		addr[REDIS_HOST_SIZE + 8];	/* the setting that was resolved */
	RedisAddress address;
} RedisResolved;

extern RedisResolved *shared_resolved;
extern LWLock *shared_redis_lock;

extern const SegmentPart redis_part;

typedef struct RedisConn RedisConn;

/* A reply; of an integer, only that it is one. */
typedef struct RedisReply
{
	int			type;			/* REDIS_REPLY_... */
	char	   *str;			/* of strings and errors, MAXALIGNed; ends in 0 */
	size_t		len;
	struct RedisReply *element; /* of an array */
	size_t		elements;
} RedisReply;

/* settings */
extern char *redis_addr;
extern int	redis_timeout_ms;

extern void redis_define_settings(void);
extern uint64 redis_generation(void);
extern bool redis_address(RedisAddress *address);
extern void redis_configured(RedisAddress *address);
extern void redis_set_address(const RedisAddress *address);

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
extern void redis_free(RedisReply *reply);
extern bool redis_was_closed(const RedisConn *conn);
extern bool redis_was_too_much(const RedisConn *conn);
extern const char *redis_error(const RedisConn *conn);
extern bool redis_is_revealing(const char *error);

#endif							/* CACHE_REDIS_H */
