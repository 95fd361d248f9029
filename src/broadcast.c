/*-------------------------------------------------------------------------
 *
 * broadcast.c
 *		Telling others, through Redis, what a transaction has invalidated.
 *
 * Each invalidation of a cache with redis => true is published after the
 * commit, as a small JSON message, so that application servers can drop
 * copies of their own.  The same item in the queue makes the worker delete
 * the key's copies in Redis.
 *
 * Messages are written while the transaction can still fail, and put into the
 * queue when it has committed.  What a prepared transaction has changed waits
 * with the worker until that transaction has ended.
 *
 * Locking: the queue's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "breaker.h"
#include "broadcast.h"
#include "redis.h"
#include "shared.h"
#include "tier.h"

/*
 * Is there somebody to tell?
 */
bool
broadcast_wanted(void)
{
	return cache_shared != NULL && redis_addr[0] != '\0';
}

/* The start of all messages, kept for the session: the database is the same. */
static const char *
message_start(void)
{
	static char *start = NULL;

	if (start == NULL)
	{
		StringInfoData text;
		char	   *name = get_database_name(MyDatabaseId);
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(&text);
		appendStringInfoString(&text, "{\"database\":");
		escape_json(&text, name != NULL ? name : "");
		MemoryContextSwitchTo(old);
		start = text.data;
	}
	return start;
}

/*
 * The message about a key, or (NULL) all of a cache; up to the transaction id,
 * which is not known yet.  key: made with broadcast_key_...  In the memory of
 * the transaction.
 */
char *
broadcast_message(const char *cache, const char *key)
{
	StringInfoData text;
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	initStringInfo(&text);
	appendStringInfo(&text, "%s,\"cache\":", message_start());
	escape_json(&text, cache);
	appendStringInfo(&text, ",\"key\":%s", key ? key : "null");
	MemoryContextSwitchTo(old);
	return text.data;
}

/*
 * The message about all caches of this database, or of all databases.
 */
char *
broadcast_message_all(bool database)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	char	   *text;

	text = psprintf("%s,\"cache\":null,\"key\":null",
					database ? message_start() : "{\"database\":null");
	MemoryContextSwitchTo(old);
	return text;
}

/*
 * A key, as an array of its columns' texts, in an initialized string.
 */
void
broadcast_key_start(StringInfo key)
{
	resetStringInfo(key);
	appendStringInfoChar(key, '[');
}

/*
 * Add a column; NULL for a NULL.
 */
void
broadcast_key_add(StringInfo key, const char *part)
{
	if (key->len > 1)
		appendStringInfoChar(key, ',');
	if (part == NULL)
		appendStringInfoString(key, "null");
	else
		escape_json(key, part);
}

void
broadcast_key_end(StringInfo key)
{
	appendStringInfoChar(key, ']');
}

/*
 * Tell the worker of an invalidation: cache 0 stands for all caches, hash 0 for
 * all keys.  prepared: it takes effect only when the transaction has ended.
 * Raises no errors.
 */
void
broadcast_put(uint64 cache, uint64 hash, uint64 xid, bool prepared,
			  const char *message)
{
	QueueItem	item = {0};

	item.kind = QUEUE_INVALIDATE;
	item.len = strlen(message);
	item.dbid = MyDatabaseId;
	item.cache = cache;
	item.hash = hash != 0 && tier_unmark(hash) ? hash : 0;
	item.xid = xid;
	item.prepared = prepared ? xid : 0;
	if (breaker_state() != BREAKER_DOWN && queue_put(&item, "", message, true))
		return;
	pg_atomic_write_u32(&cache_shared->queue.lost, 1);
	if (item.hash != 0)
		breaker_count(REDIS_DELETES_DROPPED, 1);
	breaker_count(REDIS_MESSAGES_DROPPED, 1);
}

/*
 * Write a message, complete.
 */
void
broadcast_complete(StringInfo to, const char *message, int len, uint64 xid)
{
	appendBinaryStringInfo(to, message, len);
	appendStringInfo(to, ",\"xid\":" UINT64_FORMAT "}", xid);
}

/*
 * The message that says that others have been lost.
 */
void
broadcast_lost(StringInfo to)
{
	appendStringInfoString(to, "{\"database\":null,\"cache\":null,\"key\":null,\"xid\":null}");
}
