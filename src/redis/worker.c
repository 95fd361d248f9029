/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The background worker that writes to Redis.
 *
 * Takes what backends have put into the queue, and sends it in batches: new
 * values, the deletion of old ones, and messages.  It also finds out whether
 * Redis is in order (probe.c), so that backends need not.
 *
 * What a prepared transaction has invalidated waits here until the transaction
 * has ended.  After a restart of this process nobody knows any more what that
 * was; so for each transaction that is prepared at that time a message is sent
 * that stands for anything.
 *
 * Locking: the queue's, and what is called.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/twophase.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "redis/address.h"
#include "redis/breaker.h"
#include "redis/broadcast.h"
#include "redis/keyname.h"
#include "redis/pool.h"
#include "redis/probe.h"
#include "redis/queue.h"
#include "redis/tier.h"
#include "redis/worker.h"

/* After something was sent, more of it is waited for: so batches grow. */
#define GATHER_MS		5

/* How often Redis is looked after, while all is well, and while it is not */
#define PROBE_UP_MS		5000
#define PROBE_DOWN_MS	500

/* How often transactions that are prepared are looked after */
#define PREPARED_MS		100
#define PREPARED_OFF_MS	60000	/* while there is no Redis */
#define PREPARED_MAX	(1024 * 1024)	/* bytes of what waits for them */

/* How long one batch may take; nobody waits for it */
#define BATCH_MS		1000

/* How often it is told at most that messages were lost */
#define LOST_MS			100

/* How many batches are sent before the process ends: more than fit the queue */
#define LAST_BATCHES	4

#define UNLINK_MAX		64		/* keys in one command */
#define REPLY_MAX		(64 * 1024) /* bytes: numbers and errors are shorter */

/* An invalidation that waits for the end of a prepared transaction. */
typedef struct Waiting
{
	QueueItem	item;
	char	   *message;		/* NULL: anything may have been invalidated */
} Waiting;

/* What the replies of a batch are to, in order. */
typedef struct Sent
{
	RedisCounter done;
	RedisCounter dropped;
	uint32		n;				/* what one reply counts for */
	uint32		replies;		/* to come: the same for each */
} Sent;

static List *waiting = NIL;
static Size waiting_bytes = 0;
static MemoryContext batch_context;

/* The batch that is being made */
static RedisConn *conn;
static List *sent;
static char unlink_names[UNLINK_MAX][KEYNAME_SIZE];
static int	nunlink;
static StringInfoData publishing;
static char *channel;

PGDLLEXPORT void cache_worker_main(Datum arg);

/*-------------------------------------------------------------------------
 * Batches
 *-------------------------------------------------------------------------
 */

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

static void
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
	resetStringInfo(&publishing);
	if (message != NULL)
		broadcast_complete(&publishing, message, item->len, item->xid);
	else
		broadcast_lost(&publishing);
	batch_publish(&publishing);
}

static void
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

/* Count what did not get through. */
static void
batch_lose(ListCell *from)
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
batch_refused(const Sent *command)
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

/* Send everything, and read the replies. */
static void
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
				batch_lose(lc);
				(void) breaker_failure(redis_error(conn));
				pool_discard();
				return;
			}
			if (reply->type == REDIS_REPLY_ERROR)
				batch_refused(command);
			else
				done += command->n;
			reply_free(reply);
		}
		breaker_count(command->done, done);
	}
	pool_release();
}

/* Begin a batch; false if there is no connection for it. */
static bool
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

/*-------------------------------------------------------------------------
 * Prepared transactions
 *-------------------------------------------------------------------------
 */

/*
 * Has the transaction, which is or was prepared, not ended yet?  It holds a
 * lock on its id that long.  That an id of long ago has ended is known without
 * asking the commit log, which may not reach back to it any more.
 */
static bool
is_prepared(TransactionId xid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_TRANSACTION(tag, xid);
	if (cache_try_lock(&tag, ShareLock) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	(void) LockRelease(&tag, ShareLock, false);
	return false;
}

/* Is it what the last invalidation waits for? */
static bool
waits_for(uint64 prepared)
{
	return waiting != NIL &&
		((Waiting *) llast(waiting))->item.prepared == prepared;
}

static void
wait_for(const QueueItem *item, const char *message)
{
	MemoryContext old;
	Waiting    *entry;

	/* Too much to keep: then what is kept is that there was something. */
	if (waiting_bytes > PREPARED_MAX)
	{
		Waiting    *last = llast(waiting);

		if (last->message == NULL && last->item.prepared == item->prepared)
			return;
		message = NULL;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	entry = palloc(sizeof(Waiting));
	entry->item = *item;
	entry->message = message ? pnstrdup(message, item->len) : NULL;
	if (message == NULL)
		entry->item.hash = 0;
	waiting = lappend(waiting, entry);
	waiting_bytes += sizeof(Waiting) + item->len;
	MemoryContextSwitchTo(old);
}

/*
 * What was prepared before this process knew of it.  A process entry that is
 * free has the id of its last transaction.
 */
static void
wait_for_unknown(void)
{
	for (int i = 0; i < max_prepared_xacts; i++)
	{
		TransactionId xid = PreparedXactProcs[i].xid;
		QueueItem	item = {0};

		item.prepared = xid;
		if (TransactionIdIsValid(xid) && is_prepared(xid))
			wait_for(&item, NULL);
	}
}

/* There is no Redis for this item. */
static void
drop_item(const QueueItem *item, const char *payload)
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

/*
 * Send what the end of a prepared transaction has made true.  If Redis is not
 * there at that time, what is left is that messages were lost.
 */
static void
send_waiting(bool usable)
{
	static TimestampTz last = 0;
	TimestampTz now;
	ListCell   *lc;
	List	   *ready = NIL;
	uint64		xid = 0;
	bool		prepared = false;

	if (waiting == NIL)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(last, now, PREPARED_MS))
		return;
	last = now;

	/* A transaction's stand together, and are asked for once. */
	foreach(lc, waiting)
	{
		Waiting    *entry = lfirst(lc);

		if (entry->item.prepared != xid)
		{
			xid = entry->item.prepared;
			prepared = is_prepared((TransactionId) xid);
		}
		if (!prepared)
		{
			ready = lappend(ready, entry);
			waiting = foreach_delete_current(waiting, lc);
		}
	}
	if (ready == NIL)
		return;
	usable = usable && batch_begin();
	foreach(lc, ready)
	{
		Waiting    *entry = lfirst(lc);

		if (TransactionIdDidCommit((TransactionId) entry->item.prepared))
		{
			if (usable)
				batch_invalidate(&entry->item, entry->message);
			else
				drop_item(&entry->item, NULL);
		}
		waiting_bytes -= sizeof(Waiting) + entry->item.len;
		if (entry->message)
			pfree(entry->message);
		pfree(entry);
	}
	if (usable)
		batch_end();
}

/*-------------------------------------------------------------------------
 * The queue
 *-------------------------------------------------------------------------
 */

static void
send_item(const QueueItem *item, const char *payload)
{
	if (item->kind == QUEUE_FILL)
		batch_fill(item, payload);
	else if (item->prepared != 0 &&
			 (waits_for(item->prepared) ||
			  is_prepared((TransactionId) item->prepared)))
		wait_for(item, payload);
	else if (item->prepared == 0 ||
			 TransactionIdDidCommit((TransactionId) item->prepared))
		batch_invalidate(item, payload);
}

/*
 * Send some of the queue, or (usable false) throw it away.  True if there was
 * something.  One batch only: while others put in more all the time, this
 * process has other duties and keeps memory for each batch.
 */
static bool
send_queue(bool usable)
{
	uint32		size = queue_size() / 2;
	char	   *items;
	uint32		taken;
	bool		began;

	if (queue_bytes() == 0)
		return false;
	items = palloc(size);
	taken = queue_take(items, size);
	began = usable && batch_begin();
	for (uint32 at = 0; at < taken;)
	{
		QueueItem  *item = (QueueItem *) (items + at);

		(began ? send_item : drop_item) (item, (char *) (item + 1));
		at += item->bytes;
	}
	if (began)
		batch_end();
	return true;
}

/*
 * Messages were lost: whoever listens has to forget everything.  Not more often
 * than it makes sense to try, if Redis does not take this message either.
 */
static void
send_lost(void)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (!queue_has_loss() ||
		!TimestampDifferenceExceeds(last, now, LOST_MS) || !batch_begin())
		return;
	last = now;
	queue_forget_loss();
	broadcast_lost(&publishing);
	batch_publish(&publishing);
	batch_end();
}

/*-------------------------------------------------------------------------
 * The process
 *-------------------------------------------------------------------------
 */

static void
worker_exit(int code, Datum arg)
{
	queue_attach(-1);
}

/* One round; gives for how many milliseconds nothing is due, -1: for ever. */
static long
worker_round(void)
{
	BreakerState state;
	bool		sent_some;
	long		due;

	if (!address_is_set())
	{
		(void) send_queue(false);
		send_waiting(false);
		return waiting != NIL ? PREPARED_OFF_MS : -1;
	}
	probe_if_due(PROBE_UP_MS, PROBE_DOWN_MS);
	state = breaker_state();
	sent_some = send_queue(state != BREAKER_DOWN);
	send_waiting(state != BREAKER_DOWN);
	if (state == BREAKER_UP || state == BREAKER_READ_ONLY)
		send_lost();
	if (sent_some)
		return GATHER_MS;
	due = probe_due(PROBE_UP_MS, PROBE_DOWN_MS);
	if (waiting != NIL)
		due = Min(due, PREPARED_MS);
	if (queue_has_loss())
		due = Min(due, PROBE_DOWN_MS);
	return due;
}

/*
 * May the worker wait for its latch?  Somebody may have set it during the
 * round, which waits for the latch itself.
 */
static bool
worker_may_wait(void)
{
	return queue_sleep() && !ConfigReloadPending && !ShutdownRequestPending &&
		(!address_is_set() || !breaker_has_doubt());
}

/* The settings may have changed. */
static void
worker_reload(void)
{
	uint64		before = redis_generation();

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	pool_tell_settings();
	if (redis_generation() != before)
	{
		breaker_reset();
		probe_soon();
	}
}

/*
 * The main function of the process.
 */
void
cache_worker_main(Datum arg)
{
	long		timeout;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	CurrentResourceOwner = ResourceOwnerCreate(NULL, "cache worker");
	batch_context = AllocSetContextCreate(TopMemoryContext, "cache worker",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(batch_context);
	(void) ready_for_use();
	pool_reserve();
	pool_tell_settings();
	before_shmem_exit(worker_exit, (Datum) 0);
	queue_attach(CACHE_MY_PROCNO);
	wait_for_unknown();

	/* Nobody knows what an earlier process had taken and not sent. */
	queue_note_loss();

	while (!ShutdownRequestPending)
	{
		if (ConfigReloadPending)
			worker_reload();
		timeout = worker_round();
		pool_end_transaction();
		MemoryContextReset(batch_context);

		if (timeout != GATHER_MS && !worker_may_wait())
			continue;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
						 (timeout >= 0 ? WL_TIMEOUT : 0),
						 timeout, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}

	/* What is still in the queue, if Redis takes it. */
	for (int i = 0; i < LAST_BATCHES && address_is_set(); i++)
	{
		if (!send_queue(breaker_state() != BREAKER_DOWN))
			break;
		MemoryContextReset(batch_context);
	}

	/* After another exit code the postmaster would not start it again. */
	proc_exit(1);
}

/*
 * Have the postmaster start the worker; while libraries are preloaded.
 */
void
worker_register(void)
{
	BackgroundWorker worker = {0};

	if (IsBinaryUpgrade)
		return;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "cache", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "cache_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "cache worker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "cache worker", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
