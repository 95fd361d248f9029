/*-------------------------------------------------------------------------
 *
 * redis.c
 *		A connection to Redis whose every wait has an end.
 *
 * hiredis formats commands and parses replies; the waiting is done here, on
 * non-blocking sockets and together with the process's latch, so that no wait
 * is longer than its deadline, and cancel, timeouts and shutdown work.
 *
 * Redis is not trusted.  A reply that is longer than the caller expects, that
 * has another shape, or that breaks the protocol is an error, after which the
 * connection is of no more use.  Nothing is sent, passwords least of all, before
 * TLS is in place, if it is to be (tls.c).
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <sys/socket.h>

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "redis/redis.h"
#include "redis/tls.h"

/* What hiredis reads at a time */
#define READ_SIZE		(16 * 1024)

struct RedisConn
{
	redisContext *context;
	Tls		   *tls;			/* NULL: none; belongs to the context */
	WaitEventSet *events;		/* the latch, and the socket at socket_pos */
	int			socket_pos;
	uint64		generation;		/* of the settings that it was made with */
	int			greetings;		/* replies to come before the first one */
	int			expected;		/* replies to come, greetings included */
	size_t		elements;		/* that an array may have; 0: no arrays */
	bool		connecting;
	bool		failed;
	bool		too_much;		/* because a reply was too long */
	bool		external_fd;
	char		error[REDIS_ERROR_SIZE];
};

/* cache.redis_... */
int			redis_timeout_ms = 50;
static char *redis_username = NULL;
static char *redis_password = NULL;
static int	redis_db = 0;

/* Some setting may have changed; see redis_generation. */
static bool settings_assigned = true;

/*-------------------------------------------------------------------------
 * Settings
 *-------------------------------------------------------------------------
 */

/* A setting is assigned with each reload, whether it has changed or not. */
static void
assign_string(const char *newval, void *extra)
{
	settings_assigned = true;
}

static void
assign_int(int newval, void *extra)
{
	settings_assigned = true;
}

static void
assign_bool(bool newval, void *extra)
{
	settings_assigned = true;
}

static uint64
hash_setting(uint64 hash, const char *value)
{
	return hash_combine64(hash,
						  hash_bytes_extended((const unsigned char *) value,
											  strlen(value), 0));
}

/*
 * A number that moves whenever a setting has changed that a connection depends
 * on.
 */
uint64
redis_generation(void)
{
	static uint64 generation = 0;
	static uint64 settings = 0;

	if (settings_assigned)
	{
		uint64		now = hash_combine64(tls_settings(), redis_db);

		now = hash_setting(now, address_setting);
		now = hash_setting(now, redis_username);
		now = hash_setting(now, redis_password);
		if (now != settings)
			generation++;
		settings = now;
		settings_assigned = false;
	}
	return generation;
}

/*
 * Define the settings that a connection is made with; once a process.
 */
void
redis_define_settings(void)
{
	address_define_settings(assign_string);
	DefineCustomStringVariable("cache.redis_username",
							   "Sets the user name for Redis.",
							   NULL,
							   &redis_username, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, assign_string, NULL);
	DefineCustomStringVariable("cache.redis_password",
							   "Sets the password for Redis.",
							   NULL,
							   &redis_password, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, assign_string, NULL);
	DefineCustomIntVariable("cache.redis_db",
							"Sets the number of the database in Redis.",
							NULL,
							&redis_db, 0, 0, INT_MAX,
							PGC_SIGHUP, 0,
							NULL, assign_int, NULL);
	DefineCustomIntVariable("cache.redis_timeout",
							"Sets how long a get may wait for Redis.",
							NULL,
							&redis_timeout_ms, 50, 1, 60000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	tls_define_settings(assign_bool, assign_string);
}

/*-------------------------------------------------------------------------
 * Connections
 *-------------------------------------------------------------------------
 */

static bool
conn_fail(RedisConn *conn, const char *error)
{
	conn->failed = true;
	strlcpy(conn->error, error, sizeof(conn->error));
	return false;
}

/* Wait until the socket is ready; false if the deadline has passed. */
static bool
conn_wait(RedisConn *conn, uint32 ready, TimestampTz deadline)
{
	if (conn->tls != NULL)
		ready = tls_await(conn->tls, ready);
	if (ready == 0)
		return true;
	ModifyWaitEvent(conn->events, conn->socket_pos, ready, NULL);
	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   deadline);
		WaitEvent	event;

		if (left <= 0)
			return conn_fail(conn, "timeout");
		if (WaitEventSetWait(conn->events, left, &event, 1,
							 PG_WAIT_EXTENSION) == 0)
			continue;
		if (event.events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		else if (event.events & ready)
			return true;
	}
}

/* hiredis has read or written.  What has gone wrong, if something has? */
static bool
conn_check(RedisConn *conn, int result)
{
	if (result == REDIS_OK)
		return true;
	if (conn->tls != NULL)
		tls_explain(conn->tls, conn->context);
	return conn_fail(conn, conn->context->errstr);
}

/* Send what has been appended. */
static bool
conn_flush(RedisConn *conn, TimestampTz deadline)
{
	int			done = 0;

	for (;;)
	{
		if (conn->tls != NULL)
			tls_prepare();
		if (!conn_check(conn, redisBufferWrite(conn->context, &done)))
			return false;
		if (done)
			return true;
		if (!conn_wait(conn, WL_SOCKET_WRITEABLE, deadline))
			return false;
	}
}

/*-------------------------------------------------------------------------
 * Opening and closing
 *-------------------------------------------------------------------------
 */

/* Commands that have to be understood before any other. */
static void
conn_greet(RedisConn *conn)
{
	if (redis_password[0] != '\0' || redis_username[0] != '\0')
	{
		const char *args[3] = {"AUTH", redis_username, redis_password};
		size_t		lengths[3] = {4, strlen(redis_username), strlen(redis_password)};

		if (redis_username[0] == '\0')
		{
			args[1] = redis_password;
			lengths[1] = lengths[2];
			redis_command(conn, 2, args, lengths);
		}
		else
			redis_command(conn, 3, args, lengths);
		conn->greetings++;
	}
	if (redis_db != 0)
	{
		char		number[16];
		const char *args[2] = {"SELECT", number};
		size_t		lengths[2] = {6, snprintf(number, sizeof(number), "%d", redis_db)};

		redis_command(conn, 2, args, lengths);
		conn->greetings++;
	}
}

/* Have TLS on a socket that is connected. */
static bool
conn_secure(RedisConn *conn, TimestampTz deadline)
{
	RedisAddress configured;

	address_configured(&configured);
	conn->tls = tls_begin(conn->context, configured.host);
	if (conn->tls == NULL)
		return conn_fail(conn, conn->context->errstr);
	while (!tls_handshake(conn->tls, conn->context))
	{
		if (!conn_wait(conn, WL_SOCKET_READABLE, deadline))
			return false;
	}
	return conn->context->err == 0 || conn_fail(conn, conn->context->errstr);
}

/* Has a socket that was connecting succeeded? */
static bool
conn_finish(RedisConn *conn, TimestampTz deadline)
{
	int			problem = 0;
	socklen_t	len = sizeof(problem);

	if (!conn->connecting)
		return true;
	if (!conn_wait(conn, WL_SOCKET_CONNECTED, deadline))
		return false;
	if (getsockopt(conn->context->fd, SOL_SOCKET, SO_ERROR, &problem, &len) < 0)
		problem = errno;
	if (problem != 0)
		return conn_fail(conn, strerror(problem));
	if (tls_wanted(conn->context) && !conn_secure(conn, deadline))
		return false;
	conn->connecting = false;
	return true;
}

/*
 * Make the set of events that the connection waits for.  That may take a file
 * descriptor more, and fail as PostgreSQL's own code does; but the query that
 * wants Redis must not.
 */
static bool
conn_make_events(RedisConn *conn)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		conn->events = cache_create_wait_set(3);
		AddWaitEventToSet(conn->events, WL_LATCH_SET, PGINVALID_SOCKET,
						  MyLatch, NULL);
		AddWaitEventToSet(conn->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET,
						  NULL, NULL);
		conn->socket_pos = AddWaitEventToSet(conn->events, WL_SOCKET_CONNECTED,
											 conn->context->fd, NULL, NULL);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		conn_fail(conn, "too many open files");
	}
	PG_END_TRY();
	return !conn->failed;
}

/*
 * Begin to connect.  The address must be a literal one.  NULL if that cannot
 * be done, with the reason in error, of REDIS_ERROR_SIZE bytes.  Does not wait:
 * the first reply tells whether Redis is there and accepts the password.
 */
RedisConn *
redis_open(const RedisAddress *address, char *error)
{
	RedisConn  *conn = MemoryContextAllocZero(TopMemoryContext, sizeof(RedisConn));

	conn->generation = redis_generation();
	conn->external_fd = AcquireExternalFD();
	if (!conn->external_fd)
		conn_fail(conn, "too many open files");
	else
	{
		conn->context = address->port == 0 ?
			redisConnectUnixNonBlock(address->host) :
			redisConnectNonBlock(address->host, address->port);
		if (conn->context == NULL)
			conn_fail(conn, "out of memory");
		else if (conn->context->err != 0)
			conn_fail(conn, conn->context->errstr);
	}
	if (!conn->failed)
	{
		reply_make_on(conn->context->reader, &conn->elements);
		conn->connecting = true;
		if (conn_make_events(conn))
			conn_greet(conn);
	}
	if (!conn->failed)
		return conn;
	strlcpy(error, conn->error, REDIS_ERROR_SIZE);
	redis_close(conn);
	return NULL;
}

/*
 * Close a connection.
 */
void
redis_close(RedisConn *conn)
{
	if (conn->events != NULL)
		FreeWaitEventSet(conn->events);
	if (conn->tls != NULL && !conn->failed)
		tls_end(conn->tls);
	if (conn->context != NULL)
		redisFree(conn->context);
	if (conn->external_fd)
		ReleaseExternalFD();
	pfree(conn);
}

/*
 * Can the connection be used for another command?  Not if the last one was
 * left in the middle, nor if there was more than its reply: from then on each
 * command would be given the reply to an earlier one.  Nor if the settings
 * have changed.
 */
bool
redis_is_current(const RedisConn *conn)
{
	const redisReader *reader;

	if (conn->failed || conn->expected != conn->greetings ||
		conn->generation != redis_generation())
		return false;
	reader = conn->context->reader;
	return reader->pos == reader->len;
}

/*
 * Tell Redis that the connection is over, without closing it.  May be called
 * in a signal handler, if it is not in use.
 */
void
redis_shut(RedisConn *conn)
{
	conn->failed = true;
	(void) shutdown(conn->context->fd, SHUT_RDWR);
}

/*
 * Append a command to what is to be sent; it goes with the first reply that is
 * waited for.
 */
void
redis_command(RedisConn *conn, int nargs, const char **args,
			  const size_t *lengths)
{
	conn->expected++;
	if (redisAppendCommandArgv(conn->context, nargs, args, lengths) != REDIS_OK)
		conn_fail(conn, "out of memory");
}

/*
 * Append bytes that are commands already, with so many replies to come.
 */
void
redis_commands(RedisConn *conn, int n, const char *bytes, size_t size)
{
	conn->expected += n;
	if (redisAppendFormattedCommand(conn->context, bytes, size) != REDIS_OK)
		conn_fail(conn, "out of memory");
}

/*
 * Read what has come.  False if the connection has failed; more: there may be
 * more already, since hiredis reads but so much at a time.
 */
static bool
conn_read(RedisConn *conn, bool *more)
{
	redisContext *context = conn->context;
	size_t		before = context->reader->len;

	if (conn->tls != NULL)
		tls_prepare();
	if (!conn_check(conn, redisBufferRead(context)))
		return false;
	*more = conn->tls == NULL && context->reader->len - before >= READ_SIZE;
	return true;
}

static RedisReply *
next_reply(RedisConn *conn, size_t limit, TimestampTz deadline)
{
	redisContext *context = conn->context;
	void	   *reply = NULL;
	bool		more = false;

	for (;;)
	{
		if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
		{
			conn_fail(conn, context->errstr);
			return NULL;
		}
		if (reply != NULL)
		{
			conn->expected--;
			return reply;
		}
		if (context->reader->len - context->reader->pos > limit)
		{
			conn->too_much = true;
			conn_fail(conn, "reply is too long");
			return NULL;
		}

		/* Without an end, there would be no wait, and nobody would look. */
		if (more && GetCurrentTimestamp() < deadline)
			CHECK_FOR_INTERRUPTS();
		else if (!conn_wait(conn, WL_SOCKET_READABLE, deadline))
			return NULL;
		if (!conn_read(conn, &more))
			return NULL;
	}
}

/*
 * The reply to the next command: one call for each.  NULL if there is none
 * before the deadline, or if it is more than limit bytes long; the connection
 * is of no use then, and redis_error tells why.  An error that Redis reports
 * is a reply as any other.  It is in the current memory context.
 *
 * May raise an error, if the query is cancelled.
 */
RedisReply *
redis_reply(RedisConn *conn, size_t limit, TimestampTz deadline)
{
	RedisReply *reply;

	if (conn->failed || !conn_finish(conn, deadline) ||
		!conn_flush(conn, deadline))
		return NULL;
	for (;;)
	{
		reply = next_reply(conn, limit, deadline);
		if (reply == NULL || conn->greetings == 0)
			return reply;
		conn->greetings--;
		if (reply->type == REDIS_REPLY_ERROR)
			conn_fail(conn, reply->str);
		reply_free(reply);
		if (conn->failed)
			return NULL;
	}
}

/*
 * The same for a command whose answer is an array of so many elements, or
 * fewer; none of them may be more than limit bytes long.
 */
RedisReply *
redis_reply_array(RedisConn *conn, size_t elements, size_t limit,
				  TimestampTz deadline)
{
	RedisReply *reply;

	conn->elements = elements;
	reply = redis_reply(conn, limit, deadline);
	conn->elements = 0;
	return reply;
}

/*
 * Has the other side closed the connection?
 */
bool
redis_was_closed(const RedisConn *conn)
{
	return conn->failed && conn->context != NULL &&
		(conn->context->err == REDIS_ERR_EOF ||
		 (conn->context->err == REDIS_ERR_IO));
}

/*
 * Has the last reply been longer than the caller wanted it?
 */
bool
redis_was_too_much(const RedisConn *conn)
{
	return conn->too_much;
}

/*
 * Why the connection is of no more use.
 */
const char *
redis_error(const RedisConn *conn)
{
	return conn->error;
}

/*
 * Does an error that Redis has reported contain the password?  Some repeat the
 * command that they do not like.
 */
bool
redis_is_revealing(const char *error)
{
	return redis_password[0] != '\0' && strstr(error, redis_password) != NULL;
}
