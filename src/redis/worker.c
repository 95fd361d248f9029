/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The background worker that writes to Redis.
 *
 * Takes what backends have put into the queue, and sends it in batches (batch.c):
 * new values, the deletion of old ones, and messages.  It also finds out whether
 * Redis is in order (probe.c), so that backends need not.  It tells standbys after
 * each checkpoint that they may follow (fence/news.c).  On a standby it sends values
 * alone, and goes on as the primary's when that is promoted.
 *
 * Locking: the queue's, and what is called.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "fence/news.h"
#include "fence/ready.h"
#include "redis/address.h"
#include "redis/batch.h"
#include "redis/breaker.h"
#include "redis/pool.h"
#include "redis/prepared.h"
#include "redis/probe.h"
#include "redis/queue.h"
#include "redis/redis.h"
#include "redis/worker.h"

/* After something was sent, more of it is waited for: so batches grow. */
#define GATHER_MS		5

/* How often Redis is looked after, while all is well, and while it is not */
#define PROBE_UP_MS		5000
#define PROBE_DOWN_MS	500

/* How often transactions that are prepared are looked after without Redis */
#define PREPARED_OFF_MS	60000

/* How often it is told at most that messages were lost */
#define LOST_MS			100

/* How many batches are sent before the process ends: more than fit the queue */
#define LAST_BATCHES	4

/* How often it is looked whether there was a checkpoint, or the end of recovery */
#define RECOVERY_MS		1000

static MemoryContext round_context;

PGDLLEXPORT void cache_worker_main(Datum arg);

/*-------------------------------------------------------------------------
 * The queue
 *-------------------------------------------------------------------------
 */

static void
send_item(const QueueItem *item, const char *payload)
{
	if (item->kind == QUEUE_FILL)
		batch_fill(item, payload);
	else if (item->prepared == 0)
		batch_invalidate(item, payload);
	else if (!prepared_keep(item, payload) && prepared_committed(item))
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

		(began ? send_item : batch_drop) (item, (char *) (item + 1));
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
	batch_tell_loss();
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
		prepared_send(false);
		return prepared_any() ? PREPARED_OFF_MS : -1;
	}
	probe_if_due(PROBE_UP_MS, PROBE_DOWN_MS);
	state = breaker_state();
	sent_some = send_queue(state != BREAKER_DOWN);
	prepared_send(state != BREAKER_DOWN);
	if (state == BREAKER_UP || state == BREAKER_READ_ONLY)
		send_lost();
	if (sent_some)
		return GATHER_MS;
	due = probe_due(PROBE_UP_MS, PROBE_DOWN_MS);
	if (prepared_any())
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
 * Send messages from here on.  Nobody knows what an earlier process, or the former
 * primary's, had taken and not sent.
 */
static void
worker_begin_messages(void)
{
	prepared_keep_unknown();
	queue_note_loss();
}

/*
 * The main function of the process.
 */
void
cache_worker_main(Datum arg)
{
	bool		in_recovery;
	long		timeout;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	CurrentResourceOwner = ResourceOwnerCreate(NULL, "cache worker");
	round_context = AllocSetContextCreate(TopMemoryContext, "cache worker",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(round_context);
	in_recovery = RecoveryInProgress();
	(void) ready_for_use();
	pool_reserve();
	pool_tell_settings();
	before_shmem_exit(worker_exit, (Datum) 0);
	queue_attach(CACHE_MY_PROCNO);
	if (!in_recovery)
		worker_begin_messages();

	while (!ShutdownRequestPending)
	{
		if (ConfigReloadPending)
			worker_reload();
		timeout = worker_round();
		if (in_recovery && !RecoveryInProgress())
		{
			in_recovery = false;
			(void) ready_for_use();
			worker_begin_messages();
		}
		if (!in_recovery && news_wanted())
			news_announce_again();
		if (in_recovery || news_wanted())
			timeout = timeout < 0 ? RECOVERY_MS : Min(timeout, RECOVERY_MS);
		pool_end_transaction();
		MemoryContextReset(round_context);

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
		MemoryContextReset(round_context);
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

	/* On a standby that cannot use its cache there is nothing to do. */
	worker.bgw_start_time = news_enabled ? BgWorkerStart_ConsistentState :
		BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "cache", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "cache_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "cache worker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "cache worker", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
