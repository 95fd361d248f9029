/*-------------------------------------------------------------------------
 *
 * reply.c
 *		Replies of Redis, as hiredis parses them.
 *
 * A reply is in the memory context that was the current one when it was parsed,
 * and has only what somebody asks for: strings, errors, and arrays of these of
 * a length that is expected.  hiredis calls the functions here when it has
 * parsed a part of one.  They raise no errors: that would leave its parser in
 * the middle.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "redis/reply.h"

#if HIREDIS_MAJOR >= 1
typedef size_t Elements;
#else
typedef int Elements;
#endif

/* Memory for a reply, or NULL: hiredis then reports that there is none. */
static void *
reply_alloc(Size size)
{
	return palloc_extended(size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

/* The reply that a task makes; the elements of an array came with it. */
static RedisReply *
make_reply(const redisReadTask *task)
{
	RedisReply *reply;

	if (task->parent != NULL)
		reply = &((RedisReply *) task->parent->obj)->element[task->idx];
	else
		reply = reply_alloc(sizeof(RedisReply));
	if (reply != NULL)
	{
		memset(reply, 0, sizeof(RedisReply));
		reply->type = task->type;
	}
	return reply;
}

static void *
create_string(const redisReadTask *task, char *bytes, size_t len)
{
	RedisReply *reply = make_reply(task);

	if (reply == NULL)
		return NULL;
	reply->str = reply_alloc(len + 1);
	if (reply->str == NULL)
		return NULL;
	memcpy(reply->str, bytes, len);
	reply->str[len] = '\0';
	reply->len = len;
	return reply;
}

/* An array is made only if one is expected, and not within another. */
static void *
create_array(const redisReadTask *task, Elements elements)
{
	const size_t *most = task->privdata;
	RedisReply *reply;

	/* A negative number of elements, where there can be one, is a large one. */
	if (task->parent != NULL || (size_t) elements > *most)
		return NULL;
	reply = make_reply(task);
	if (reply == NULL)
		return NULL;
	reply->element = reply_alloc(sizeof(RedisReply) * Max(elements, 1));
	if (reply->element == NULL)
		return NULL;
	reply->elements = elements;
	return reply;
}

/* Nobody asks for a number, so it does not matter which one it is. */
static void *
create_integer(const redisReadTask *task, long long number)
{
	return make_reply(task);
}

static void *
create_nil(const redisReadTask *task)
{
	RedisReply *reply = make_reply(task);

	/* The task has the type of what is missing. */
	if (reply != NULL)
		reply->type = REDIS_REPLY_NIL;
	return reply;
}

#if HIREDIS_MAJOR >= 1
/* Types of another version of the protocol, which nobody has asked for. */
static void *
create_double(const redisReadTask *task, double number, char *bytes, size_t len)
{
	return NULL;
}

static void *
create_bool(const redisReadTask *task, int value)
{
	return NULL;
}
#endif

/*
 * What hiredis drops is in the middle of being made, and goes with its memory
 * context; it may have gone already.
 */
static void
free_object(void *reply)
{
}

static redisReplyObjectFunctions reply_functions = {
	.createString = create_string,
	.createArray = create_array,
	.createInteger = create_integer,
	.createNil = create_nil,
#if HIREDIS_MAJOR >= 1
	.createDouble = create_double,
	.createBool = create_bool,
#endif
	.freeObject = free_object
};

/*
 * Have a reader of hiredis' make replies.  elements: how many an array may have,
 * 0 if there may be none; it is looked at with each reply.
 */
void
reply_make_on(redisReader *reader, size_t *elements)
{
	reader->fn = &reply_functions;
	reader->privdata = elements;
}

/*
 * Free a reply before its memory context is.
 */
void
reply_free(RedisReply *reply)
{
	for (size_t i = 0; i < reply->elements; i++)
	{
		if (reply->element[i].str != NULL)
			pfree(reply->element[i].str);
	}
	if (reply->element != NULL)
		pfree(reply->element);
	if (reply->str != NULL)
		pfree(reply->str);
	pfree(reply);
}
