/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		What happens at the end of transactions.
 *
 * At commit, in this order: what is pending is published here, the commit
 * record is written, snapshots begin to see the transaction, the commit
 * callback forgets what was pending, invalidation messages are sent, locks
 * are released.  Whatever could raise an error is done before the commit
 * record.
 *
 * Locking: publishing takes the registry lock and partition locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "replication/logicalworker.h"

#include "base/devel.h"
#include "definition/definition.h"
#include "depend/compiled.h"
#include "depend/loads.h"
#include "depend/plans.h"
#include "fence/registry.h"
#include "fence/stats.h"
#include "fence/watchrows.h"
#include "load/flight.h"
#include "load/keyvalue.h"
#include "protocol/lock.h"
#include "protocol/pending.h"
#include "protocol/statement.h"
#include "redis/pool.h"
#include "segment.h"
#include "write/ddl.h"
#include "write/partition.h"
#include "write/rowkeys.h"
#include "write/transaction.h"
#include "write/utility.h"

/* Forget everything that belongs to the transaction. */
static void
transaction_end(bool commit)
{
	watchrows_end(commit);
	pending_reset();
	statement_reset();
	rowkeys_reset();
	loads_reset();
	plans_reset();
	compiled_reset();
	flight_reset();
	keyvalue_reset();
	ddl_reset();
	partition_reset();
	lock_release_all();
	stats_flush();
	pool_end_transaction();
}

static void
transaction_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			keyvalue_purge();
			/* FALLTHROUGH */
		case XACT_EVENT_PRE_PREPARE:
			if (IsLogicalWorker() && segment_exists())
				utility_find_truncated();
			ddl_decide();
			if (!GUARD_REMOVED("publish_before_commit"))
				pending_publish();
			STOP_POINT("published");
			partition_published();
			break;
		case XACT_EVENT_COMMIT:
			if (GUARD_REMOVED("publish_before_commit"))
				pending_publish();
			pending_after_commit();
			transaction_end(true);
			break;
		case XACT_EVENT_PREPARE:
			pending_after_prepare();
			transaction_end(true);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			transaction_end(false);
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
}

static void
subtransaction_callback(SubXactEvent event, SubTransactionId mine,
						SubTransactionId parent, void *arg)
{
	switch (event)
	{
		case SUBXACT_EVENT_COMMIT_SUB:
			pending_subcommit(GetCurrentTransactionNestLevel());
			break;
		case SUBXACT_EVENT_ABORT_SUB:
			pending_subabort(GetCurrentTransactionNestLevel());
			compiled_subabort(GetCurrentTransactionNestLevel());
			loads_caught_error();
			lock_release_all();
			break;
		case SUBXACT_EVENT_START_SUB:
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			break;
	}
}

/*
 * Register the callbacks; once a process.
 */
void
transaction_init(void)
{
	RegisterXactCallback(transaction_callback, NULL);
	RegisterSubXactCallback(subtransaction_callback, NULL);
}
