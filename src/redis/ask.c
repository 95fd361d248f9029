/*-------------------------------------------------------------------------
 *
 * ask.c
 *		A question to Redis, and its reply.
 *
 * What a backend asks on behalf of a query, on its connection of the pool and
 * within cache.redis_timeout.  Whatever goes wrong is noted for the breaker and
 * counted; to the caller it means only that there is no reply, so that no query
 * fails for it.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"

#include "base/compat.h"
#include "redis/address.h"
#include "redis/ask.h"
#include "redis/breaker.h"
#include "redis/codec.h"
#include "redis/pool.h"
#include "redis/queue.h"

/*
 * The statement in which Redis has failed, and what breaker_proofs was then:
 * it is not asked again in that statement before it has proved to be in order.
 * So a statement with many gets waits in vain but once.
 */
static TimestampTz failed_statement = 0;
static uint64 failed_proofs;

/*
 * The largest value, encoded, that is sent to Redis or taken from it.
 */
uint32
ask_max_value(void)
{
	return queue_size() / 4;
}

/*
 * Is Redis worth asking at the moment?  If it is down, that it is not counts.
 */
bool
ask_may(void)
{
	if (breaker_state() == BREAKER_DOWN)
	{
		breaker_count(REDIS_SKIPPED, 1);
		return false;
	}
	return failed_statement != GetCurrentStatementStartTimestamp() ||
		failed_proofs != breaker_proofs();
}

/*
 * Redis has failed, and this is why: this statement does not ask it again.
 */
void
ask_failed(const char *error)
{
	failed_statement = GetCurrentStatementStartTimestamp();
	failed_proofs = breaker_proofs();
	(void) breaker_failure(error);
}

/*
 * The reply is of a type that no Redis answers this question with: the
 * connection is of no more use.
 */
void
ask_misunderstood(void)
{
	ask_failed("unexpected type of reply");
	pool_discard();
}

/* Send it, and wait for the reply. */
static RedisReply *
exchange(RedisConn *conn, const Question *question, TimestampTz deadline)
{
	size_t		limit = ask_max_value() + CODEC_MAX_HEADER;

	if (question->elements > 0)
	{
		redis_commands(conn, 1, question->bytes, question->size);
		return redis_reply_array(conn, question->elements, limit, deadline);
	}
	redis_command(conn, question->nargs, question->args, question->lengths);
	return redis_reply(conn, limit, deadline);
}

/*
 * Ask Redis, if ask_may() says so.  The reply is in the current memory context;
 * NULL if Redis has failed, which has been noted.
 *
 * May raise an error, if the query is cancelled.
 *
 * Redis closes connections that it thinks idle, or when it is restarted, so
 * one that had been used before may deserve a second try.
 */
RedisReply *
ask_redis(const Question *question)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   redis_timeout_ms);
	char		error[REDIS_ERROR_SIZE];
	RedisConn  *conn;
	RedisReply *reply;
	instr_time	start;
	instr_time	end;

	for (;;)
	{
		PoolResult	result = pool_get(&conn, error);

		switch (result)
		{
			case POOL_FULL:
				breaker_count(REDIS_NO_CONNECTION, 1);
				return NULL;
			case POOL_UNRESOLVED:
				return NULL;
			case POOL_FAILED:
				ask_failed(error);
				return NULL;
			case POOL_REUSED:
			case POOL_OPENED:
				break;
		}
		breaker_count(REDIS_GETS, Max(question->elements, 1));
		INSTR_TIME_SET_CURRENT(start);
		reply = exchange(conn, question, deadline);
		if (reply != NULL)
		{
			INSTR_TIME_SET_CURRENT(end);
			INSTR_TIME_SUBTRACT(end, start);
			if (result == POOL_REUSED && question->elements == 0)
				breaker_time(cache_nanoseconds(end));
			if (reply->type == REDIS_REPLY_STRING ||
				reply->type == REDIS_REPLY_NIL ||
				reply->type == REDIS_REPLY_ARRAY)
				breaker_success();
			pool_release();
			return reply;
		}
		if (redis_was_too_much(conn))
		{
			/* Nothing that we have put there. */
			breaker_count(REDIS_CORRUPT, 1);
			pool_discard();
			return NULL;
		}
		if (!(result == POOL_REUSED && redis_was_closed(conn)))
		{
			ask_failed(redis_error(conn));
			pool_discard();
			return NULL;
		}
		breaker_count(REDIS_RECONNECTS, 1);
		pool_discard();
	}
}

/*
 * Have Redis carry out a command that it answers with a string, of less than
 * size bytes.  False if it has not, which has been noted.  The command may
 * write: where Redis takes no writes it is not asked, since errors would keep
 * gets from asking it, too.
 *
 * May raise an error, if the query is cancelled.
 */
bool
ask_command(int nargs, const char **args, size_t *lengths,
			char *answer, size_t size)
{
	Question	question = {nargs, args, lengths};
	RedisReply *reply;
	bool		good;

	if (!address_is_set() || !IsUnderPostmaster ||
		breaker_state() == BREAKER_READ_ONLY || !ask_may())
		return false;
	reply = ask_redis(&question);
	if (reply == NULL)
		return false;
	good = reply->type == REDIS_REPLY_STRING && reply->len < size;
	if (good)
		strlcpy(answer, reply->str, size);
	else if (reply->type == REDIS_REPLY_ERROR)
	{
		/* It may be this command alone that Redis does not like. */
		breaker_count(REDIS_FAILURES, 1);
		breaker_note(reply->str);
	}
	else
		ask_misunderstood();
	reply_free(reply);
	return good;
}

