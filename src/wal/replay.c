/*-------------------------------------------------------------------------
 *
 * replay.c
 *		What the primary has published, replayed from WAL.
 *
 * The process that replays WAL calls a function for each record, which is found in a
 * table by the record's resource manager.  Four of these functions are wrapped here:
 *
 *	logical messages	have what transactions publish, and announcements (news.c)
 *	transactions		with the end of one its invalidation messages are sent
 *	checkpoints			tell of another start of the primary
 *	standby				lists of running transactions tell who is gone
 *
 * What a transaction publishes comes before its commit record.  So the fences know
 * it before any snapshot sees it, as on the primary.
 *
 * Without cache.wal = on nothing is wrapped.  In crash recovery, and where no
 * queries are possible in recovery, nothing is done.  What is replayed before queries
 * are possible counts: the announcement after the checkpoint from which recovery has
 * begun may be there, and not come again for a while.
 *
 * Locking: what publishing takes: the registry lock and those of keys, none for
 * long.  Nothing here raises an error or waits for anything else: that would stop the
 * replay.  Nor is any memory allocated that could not be done without, but what
 * PostgreSQL keeps for good when it is first asked whether a transaction is running.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/rmgr.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xlogutils.h"
#include "catalog/pg_control.h"
#include "replication/message.h"
#include "storage/standbydefs.h"

#include "base/devel.h"
#include "depend/dependency.h"
#include "fence/dependencyset.h"
#include "fence/keyfence.h"
#include "fence/lineage.h"
#include "fence/news.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/slotlists.h"
#include "fence/standby.h"
#include "fence/stats.h"
#include "fence/witness.h"
#include "protocol/publish.h"
#include "segment.h"
#include "wal/replay.h"

typedef void (*RedoFunction) (XLogReaderState *record);

static RedoFunction prev_message;
static RedoFunction prev_transaction;
static RedoFunction prev_xlog;
static RedoFunction prev_standby;

/* Static, since they are large. */
static NewsReader reader;
static NewsItem item;

/* What a removed guard leaves */
static const MappingRunning no_others = {.floor = {.lowest = 1}};

/* Of a record that is replayed soon */
static NewsReader ahead_reader;
static NewsItem ahead_item;

static uint64 next_hash = 0;

/* So many records ahead news are looked for. */
#define RECORDS_AHEAD	16

/* Has the witness been taken for this record? */
static bool witnessed;

/* Of the last record with news */
static Oid	news_dbid = InvalidOid;

/*-------------------------------------------------------------------------
 * What is published
 *-------------------------------------------------------------------------
 */

/* The database of a slot, InvalidOid if it is free. */
static Oid
slot_database(uint32 i)
{
	Oid			dbid;

	LWLockAcquire(shared_registry_lock, LW_SHARED);
	dbid = shared_slots[i].used ? shared_slots[i].dbid : InvalidOid;
	LWLockRelease(shared_registry_lock);
	return dbid;
}

/* Do loads of a database depend on the role, or the membership? */
static bool
is_asked_for(Oid dbid)
{
	return item.kind == NEWS_ROLE_TEST ?
		dependency_has_role(dbid, item.oid) :
		dependency_has_membership(dbid, (uint32) item.hash);
}

/* Publish DDL in each database of which that is so. */
static void
replay_in_databases(FullTransactionId xid)
{
	Oid			last = InvalidOid;

	for (uint32 i = 0; i < REGISTRY_SLOTS; i++)
	{
		Oid			dbid = slot_database(i);

		if (!OidIsValid(dbid) || dbid == last || !is_asked_for(dbid))
			continue;
		standby_add_changing(XidFromFullTransactionId(xid));
		slot_publish_database(dbid, xid, item.others);
		last = dbid;
	}
}

/* DDL that any cache of a database may depend on */
static void
replay_database(Oid dbid, FullTransactionId xid)
{
	standby_add_changing(XidFromFullTransactionId(xid));
	slot_publish_database(dbid, xid, item.others);
}

/*
 * The snapshot of a witness costs more than all else, and is of use where something
 * has to give way in a fence.  It is the same at any time while a record is replayed,
 * and nobody else adds to fences.
 */
static void
take_witness(FullTransactionId xid)
{
	if (!witnessed)
		witness_replay(InHotStandby ? xid : InvalidFullTransactionId);
	witnessed = true;
}

static void
replay_key(Oid dbid, FullTransactionId xid)
{
	int			slot = slot_find(dbid, item.cache);
	uint32		n;

	if (key_fence(item.hash)->nxids == FENCE_XIDS || item.others->n > 0 ||
		!floor_is_empty(&item.others->floor))
		take_witness(xid);
	item.change.slot = slot;
	if (GUARD_REMOVED("news_others"))
		item.others = NULL;
	n = publish_key_of(dbid, item.cache, item.hash, xid, item.others, &item.change);
	if (n > 0 && slot >= 0)
		stats_count_shared(slot, STATS_INVALIDATIONS, n);
	pg_atomic_fetch_add_u64(&shared_standby->keys, 1);
}

static void
replay_item(Oid dbid, FullTransactionId xid)
{
	if (item.kind >= NEWS_DATABASE && GUARD_REMOVED("news_ddl_others"))
		item.others = &no_others;
	if (item.kind != NEWS_KEY)
		take_witness(xid);
	switch (item.kind)
	{
		case NEWS_KEY:
			replay_key(dbid, xid);
			break;
		case NEWS_CACHE:
			item.change.slot = -1;
			slot_publish(dbid, item.cache, xid, item.others, &item.change);
			break;
		case NEWS_DROPPED:

			/* Should it not come to that, the next slot knows what this one does. */
			slot_forget(dbid, item.cache);
			break;
		case NEWS_DATABASE:
			replay_database(item.oid, xid);
			break;
		case NEWS_DEPENDENT:
			slot_publish_dependent(dbid, item.cache, xid, item.others);
			break;
		case NEWS_ROLE:
			role_fence_publish(item.oid, xid);
			break;
		case NEWS_BEGIN_DDL:
			if (item.lasting)
				standby_add_changing(XidFromFullTransactionId(xid));
			slot_begin_ddl(item.oid, xid, item.lasting);
			break;
		case NEWS_RELATIONS_CHANGED:
			if (GUARD_REMOVED("news_relations"))
				break;
			slot_publish_dependents(dbid, item.relids, item.nrelids, true, xid,
									item.others);
			break;
		case NEWS_CATALOGS_CHANGED:
			slot_publish_dependents(item.oid, NULL, 0, item.lasting, xid,
									item.others);
			break;
		case NEWS_TEST:
			if (dependency_set_passes(&item.test) && !GUARD_REMOVED("news_test"))
				replay_database(dbid, xid);
			break;
		case NEWS_ROLE_TEST:
		case NEWS_MEMBERSHIP_TEST:
			replay_in_databases(xid);
			break;
	}
}

static void
replay_published(Oid dbid, const char *message, Size size)
{
	FullTransactionId xid;

	news_read_begin(&reader, message, size);
	if (!reader.broken)
	{
		xid = FullTransactionIdFromU64(reader.xid);
		witnessed = false;
		while (news_read(&reader, &item))
			replay_item(dbid, xid);
		pg_atomic_fetch_add_u64(&shared_standby->records, 1);
	}
	if (reader.broken)
		standby_stop(STANDBY_UNREADABLE);
}

static void
replay_announcement(const NewsAnnouncement *announcement)
{
	char		hashing[SOFTWARE_NAME];
	char		software[SOFTWARE_NAME];
	Lineage		lineage;

	software_hashing(hashing);
	if (memcmp(hashing, announcement->hashing, SOFTWARE_NAME) != 0)
	{
		standby_stop(STANDBY_FOREIGN);
		return;
	}
	if (standby_state() == STANDBY_FOLLOWING)
		return;
	lineage = announcement->lineage;
	software_name(software);
	lineage.broken |= memcmp(software, announcement->software, SOFTWARE_NAME) != 0;
	*shared_lineage = lineage;
	if (standby_state() == STANDBY_BETWEEN ||
		(standby_state() == STANDBY_MISSED && GUARD_REMOVED("standby_missed")))
		standby_resume();
	else
		standby_begin();
}

/* Is it one of ours? */
static bool
is_news(const xl_logical_message *message, Size size)
{
	return size >= SizeOfLogicalMessage &&
		message->prefix_size == sizeof(NEWS_PREFIX) &&
		size - SizeOfLogicalMessage >= sizeof(NEWS_PREFIX) &&
		message->message_size == size - SizeOfLogicalMessage - sizeof(NEWS_PREFIX) &&
		memcmp(message->message, NEWS_PREFIX, sizeof(NEWS_PREFIX)) == 0;
}

/*
 * What the first key of the news after the next needs is in the memory of other
 * processors as a rule, and is fetched meanwhile; and then what that leads to.
 */
static void
prefetch_ahead(XLogReaderState *record)
{
	DecodedXLogRecord *next = record->record->next;
	bool		second = false;

	publish_prefetch_entry(next_hash);
	for (int i = 0; i < RECORDS_AHEAD && next != NULL; i++, next = next->next)
	{
		xl_logical_message *message = (xl_logical_message *) next->main_data;

		if (next->header.xl_rmid != RM_LOGICALMSG_ID ||
			!is_news(message, next->main_data_len))
			continue;
		if (second)
		{
			news_read_begin(&ahead_reader, message->message + message->prefix_size,
							message->message_size);
			if (news_read(&ahead_reader, &ahead_item) &&
				ahead_item.kind == NEWS_KEY)
			{
				next_hash = ahead_item.hash;
				publish_prefetch_key(next_hash);
			}
			return;
		}
		second = true;
	}
}

/*
 * Will there be queries in this recovery?  Before it is known which transactions are
 * running there are none, and nobody can be a witness; all else is the same then.
 */
static bool
is_possible(void)
{
	return standbyState != STANDBY_DISABLED && segment_exists();
}

static void
replay_message(XLogReaderState *record)
{
	xl_logical_message *message = (xl_logical_message *) XLogRecGetData(record);
	NewsAnnouncement announcement;

	if (is_possible() &&
		is_news(message, XLogRecGetDataLen(record)))
	{
		const char *news = message->message + message->prefix_size;

		news_dbid = message->dbId;

		if (news_read_announcement(news, message->message_size, &announcement))
			replay_announcement(&announcement);
		else if (standby_state() == STANDBY_FOLLOWING)
		{
			prefetch_ahead(record);
			REPLAY_STOP_POINT("replay_publish", news_dbid);
			replay_published(news_dbid, news, message->message_size);
		}
		pg_atomic_write_u64(&shared_standby->position, record->EndRecPtr);
	}
	prev_message(record);
}

/*-------------------------------------------------------------------------
 * The end of transactions
 *-------------------------------------------------------------------------
 */

/* The top-level transaction that the record ends, invalid if it ends none. */
static TransactionId
ended_transaction(XLogReaderState *record)
{
	uint8		info = XLogRecGetInfo(record);

	switch (info & XLOG_XACT_OPMASK)
	{
		case XLOG_XACT_COMMIT:
		case XLOG_XACT_ABORT:
			return XLogRecGetXid(record);
		case XLOG_XACT_COMMIT_PREPARED:
			{
				xl_xact_parsed_commit parsed;

				ParseCommitRecord(info, (xl_xact_commit *) XLogRecGetData(record),
								  &parsed);
				return parsed.twophase_xid;
			}
		case XLOG_XACT_ABORT_PREPARED:
			{
				xl_xact_parsed_abort parsed;

				ParseAbortRecord(info, (xl_xact_abort *) XLogRecGetData(record),
								 &parsed);
				return parsed.twophase_xid;
			}
		default:
			return InvalidTransactionId;
	}
}

/*
 * The transaction may have published, before this server began to follow, that there
 * is DDL: before it becomes visible, note it if it has messages to send.
 */
static void
note_early_ddl(XLogReaderState *record, TransactionId xid)
{
	uint8		info = XLogRecGetInfo(record);
	uint8		op = info & XLOG_XACT_OPMASK;
	xl_xact_parsed_commit parsed;
	FullTransactionId next;

	if ((op != XLOG_XACT_COMMIT && op != XLOG_XACT_COMMIT_PREPARED) ||
		!standby_is_early(xid) || GUARD_REMOVED("standby_settle_early"))
		return;
	ParseCommitRecord(info, (xl_xact_commit *) XLogRecGetData(record), &parsed);
	if (parsed.nmsgs == 0)
		return;
	next = ReadNextFullTransactionId();
	standby_add_changing(xid);
	slot_begin_ddl(InvalidOid,
				   FullTransactionIdFromU64(xid_widen(xid, U64FromFullTransactionId(next))),
				   true);
}

/* Stop before or after a commit, in the database of the last news. */
static void
stop_at_commit(XLogReaderState *record, const char *point)
{
	if ((XLogRecGetInfo(record) & XLOG_XACT_OPMASK) == XLOG_XACT_COMMIT)
		REPLAY_STOP_POINT(point, news_dbid);
}

static void
replay_transaction(XLogReaderState *record)
{
	TransactionId xid = InvalidTransactionId;

	if (is_possible())
	{
		xid = ended_transaction(record);
		note_early_ddl(record, xid);
	}
	stop_at_commit(record, "replay_commit");
	prev_transaction(record);
	stop_at_commit(record, "replay_committed");

	/* Now its invalidation messages have been sent, after it became visible. */
	if (TransactionIdIsValid(xid) && standby_is_changing())
		standby_remove_changing(xid);
}

/*-------------------------------------------------------------------------
 * Starts of the primary
 *-------------------------------------------------------------------------
 */

static void
replay_xlog(XLogReaderState *record)
{
	uint8		info = XLogRecGetInfo(record) & ~XLR_INFO_MASK;
	bool		stops = (info == XLOG_CHECKPOINT_SHUTDOWN ||
						 info == XLOG_END_OF_RECOVERY) && is_possible();

	if (stops)
		standby_pause();
	prev_xlog(record);
	if (stops && InHotStandby)
		standby_check_changing();
}

static void
replay_standby(XLogReaderState *record)
{
	uint8		info = XLogRecGetInfo(record) & ~XLR_INFO_MASK;

	prev_standby(record);
	if (info == XLOG_RUNNING_XACTS && InHotStandby && segment_exists() &&
		standby_is_changing())
		standby_check_changing();
}

static RedoFunction
wrap(RmgrId rmid, RedoFunction function)
{
	RedoFunction prev = RmgrTable[rmid].rm_redo;

	RmgrTable[rmid].rm_redo = function;
	return prev;
}

/*
 * While the library is preloaded, after the settings are known.
 */
void
replay_init(void)
{
	if (!news_enabled)
		return;
	prev_message = wrap(RM_LOGICALMSG_ID, replay_message);
	prev_transaction = wrap(RM_XACT_ID, replay_transaction);
	prev_xlog = wrap(RM_XLOG_ID, replay_xlog);
	prev_standby = wrap(RM_STANDBY_ID, replay_standby);
}
