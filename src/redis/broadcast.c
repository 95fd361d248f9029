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
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "base/keptstring.h"
#include "redis/address.h"
#include "redis/breaker.h"
#include "redis/broadcast.h"
#include "redis/mark.h"
#include "redis/queue.h"
#include "segment.h"

/*
 * Is there somebody to tell?
 */
bool
broadcast_wanted(void)
{
	return segment_exists() && address_is_set();
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
 * which is not known yet.  key: as JSON.  In the memory of
 * the transaction, of which it takes no more than it needs.
 */
char *
broadcast_message(const char *cache, const char *key)
{
	static StringInfoData buffer;
	StringInfo	text = keptstring_begin(&buffer);
	char	   *message;

	appendStringInfoString(text, message_start());
	appendStringInfoString(text, ",\"cache\":");
	escape_json(text, cache);
	appendStringInfoString(text, ",\"key\":");
	appendStringInfoString(text, key ? key : "null");
	message = MemoryContextAlloc(TopTransactionContext, text->len + 1);
	memcpy(message, text->data, text->len + 1);
	return message;
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
	item.hash = hash != 0 && mark_clear(hash) ? hash : 0;
	item.xid = xid;
	item.prepared = prepared ? xid : 0;
	if (breaker_state() != BREAKER_DOWN && queue_put(&item, "", message, true))
		return;
	queue_note_loss();
	if (item.hash != 0)
		breaker_count(REDIS_DELETES_DROPPED, 1);
	breaker_count(REDIS_MESSAGES_DROPPED, 1);
}

/*
 * Write a message, complete.  Without formats, like all that is done for each
 * write: those would take as long as everything else about a message.
 */
void
broadcast_complete(StringInfo to, const char *message, int len, uint64 xid)
{
	char		number[MAXINT8LEN + 1];

	appendBinaryStringInfo(to, message, len);
	appendStringInfoString(to, ",\"xid\":");
	appendBinaryStringInfo(to, number, pg_ulltoa_n(xid, number));
	appendStringInfoChar(to, '}');
}

/*
 * The message that says that others have been lost.
 */
void
broadcast_lost(StringInfo to)
{
	appendStringInfoString(to, "{\"database\":null,\"cache\":null,\"key\":null,\"xid\":null}");
}
