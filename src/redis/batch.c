/*-------------------------------------------------------------------------
 *
 * batch.c
 *		What is sent to Redis together.
 *
 * The background worker makes batches: commands one after the other, all on their
 * way before the first reply is read.  One is made at a time, from batch_begin
 * to batch_end.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "fence/registry.h"
#include "fence/slotlists.h"
#include "redis/batch.h"
#include "redis/breaker.h"
#include "redis/broadcast.h"
#include "redis/keyname.h"
#include "redis/pool.h"
#include "redis/probe.h"
#include "redis/redis.h"
#include "redis/tier.h"

/* How long one batch may take; nobody waits for it */
#define BATCH_MS		1000

#define UNLINK_MAX		64		/* keys in one command */
#define REPLY_MAX		(64 * 1024) /* bytes: numbers and errors are shorter */

/* What the replies of a batch are to, in order. */
typedef struct Sent
{
	RedisCounter done;
	RedisCounter dropped;
	uint32		n;				/* what one reply counts for */
	uint32		replies;		/* to come: the same for each */
} Sent;

/* The batch that is being made */
static RedisConn *conn;
static List *sent;
static char unlink_names[UNLINK_MAX][KEYNAME_SIZE];
static int	nunlink;
static StringInfoData publishing;
static char *channel;

/*
 * Begin a batch, in the current memory context; false if there is no connection
 * for it.
 */
bool
batch_begin(void)
{
	char		error[REDIS_ERROR_SIZE];
	PoolResult	result = pool_get(&conn, error);

	sent = NIL;
	nunlink = 0;
	initStringInfo(&publishing);
	channel = psprintf("%s:invalidate", keyname_prefix);
	if (result == POOL_FAILED)
		(void) breaker_failure(error);
	return result == POOL_REUSED || result == POOL_OPENED;
}

/* A command, each of whose replies counts for n of what is done or dropped. */
static void
batch_add(int nargs, const char **args, const size_t *lengths,
		  RedisCounter done, RedisCounter dropped, uint32 n)
{
	Sent	   *last = sent != NIL ? llast(sent) : NULL;

	if (last != NULL && last->done == done && last->n == n)
		last->replies++;
	else
	{
		Sent	   *command = palloc(sizeof(Sent));

		command->done = done;
		command->dropped = dropped;
		command->n = n;
		command->replies = 1;
		sent = lappend(sent, command);
	}
	redis_command(conn, nargs, args, lengths);
}

static void
batch_unlink(void)
{
	const char *args[UNLINK_MAX + 1] = {"UNLINK"};
	size_t		lengths[UNLINK_MAX + 1] = {6};

	if (nunlink == 0)
		return;
	for (int i = 0; i < nunlink; i++)
	{
		args[i + 1] = unlink_names[i];
		lengths[i + 1] = strlen(unlink_names[i]);
	}
	batch_add(nunlink + 1, args, lengths,
			  REDIS_DELETES, REDIS_DELETES_DROPPED, nunlink);
	nunlink = 0;
}

static void
batch_publish(const StringInfo message)
{
	const char *args[3] = {"PUBLISH", channel, message->data};
	size_t		lengths[3] = {7, strlen(channel), message->len};

	batch_add(3, args, lengths, REDIS_MESSAGES, REDIS_MESSAGES_DROPPED, 1);
}

/*
 * Tell others that messages have been lost.
 */
void
batch_tell_loss(void)
{
	resetStringInfo(&publishing);
	broadcast_lost(&publishing);
	batch_publish(&publishing);
}

/*
 * Delete what an invalidation concerns, and tell others of it; a message that is
 * NULL tells them that anything may have been invalidated.
 */
void
batch_invalidate(const QueueItem *item, const char *message)
{
	uint32		variants[SLOT_VARIANTS];
	uint32		n = 0;

	/* The values of a whole cache are left to their expiry. */
	if (item->hash != 0)
		n = slot_variants(item->dbid, item->cache, variants);
	for (uint32 i = 0; i < n; i++)
	{
		if (nunlink == UNLINK_MAX)
			batch_unlink();
		(void) keyname_key(unlink_names[nunlink++], item->dbid, item->cache,
						   item->hash, variants[i]);
	}
	if (message == NULL)
	{
		batch_tell_loss();
		return;
	}
	resetStringInfo(&publishing);
	broadcast_complete(&publishing, message, item->len, item->xid);
	batch_publish(&publishing);
}

/*
 * Set a value; the payload is that of its item.
 */
void
batch_fill(const QueueItem *item, const char *payload)
{
	uint32		size = item->len - item->namelen;
	char	   *value;
	char	   *name;
	char		expires[32];
	const char *args[5] = {"SET", NULL, NULL, "PX", expires};
	size_t		lengths[5] = {3, item->namelen, TIER_MAC + size, 2, 0};

	if (breaker_state() == BREAKER_READ_ONLY)
	{
		breaker_count(REDIS_FILLS_DROPPED, 1);
		return;
	}
	value = palloc(TIER_MAC + size);
	memcpy(value + TIER_MAC, payload + item->namelen, size);
	tier_mac(value + TIER_MAC, size, (uint8 *) value);
	/* The order of a key's commands must stay. */
	batch_unlink();
	name = pnstrdup(payload, item->namelen);
	args[1] = name;
	args[2] = value;
	lengths[4] = snprintf(expires, sizeof(expires), INT64_FORMAT, item->expires);
	batch_add(5, args, lengths, REDIS_FILLS, REDIS_FILLS_DROPPED, 1);
	pfree(value);
}

/* Count what did not get through, from this command on. */
static void
lose_rest(ListCell *from)
{
	for_each_cell(from, sent, from)
	{
		Sent	   *command = lfirst(from);

		breaker_count(command->dropped, command->n * command->replies);
		if (command->done != REDIS_FILLS)
			queue_note_loss();
	}
}

/* Redis has refused a command. */
static void
note_refusal(const Sent *command)
{
	breaker_count(command->dropped, command->n);
	if (command->done == REDIS_MESSAGES)
		queue_note_loss();
	else
	{
		/* Whoever wants to know more asks for it: see probe.c. */
		probe_soon();
	}
}

/*
 * Send everything, and read the replies: what did not get through is counted, and
 * that there were messages among it is noted.
 */
void
batch_end(void)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   BATCH_MS);
	ListCell   *lc;

	batch_unlink();
	foreach(lc, sent)
	{
		Sent	   *command = lfirst(lc);
		uint32		done = 0;

		for (; command->replies > 0; command->replies--)
		{
			RedisReply *reply = redis_reply(conn, REPLY_MAX, deadline);

			if (reply == NULL)
			{
				breaker_count(command->done, done);
				lose_rest(lc);
				(void) breaker_failure(redis_error(conn));
				pool_discard();
				return;
			}
			if (reply->type == REDIS_REPLY_ERROR)
				note_refusal(command);
			else
				done += command->n;
			reply_free(reply);
		}
		breaker_count(command->done, done);
	}
	pool_release();
}

/*
 * There is no Redis for this item: count what is lost.
 */
void
batch_drop(const QueueItem *item, const char *payload)
{
	if (item->kind == QUEUE_FILL)
	{
		breaker_count(REDIS_FILLS_DROPPED, 1);
		return;
	}
	if (item->hash != 0)
		breaker_count(REDIS_DELETES_DROPPED, 1);
	breaker_count(REDIS_MESSAGES_DROPPED, 1);
	queue_note_loss();
}
