/*-------------------------------------------------------------------------
 *
 * publish.c
 *		What a transaction has changed goes into the fences.
 *
 * The writers' half of the protocol that coherence.c explains: before its commit
 * record is written, or it is prepared, a transaction puts its id into the fence
 * of whatever it has changed.  What that is pending.c knows, and ddl.c, which
 * decides what depends on DDL.
 *
 * All of these may be called at any time, and do nothing where no entry can be
 * in use (ready.c): then there is nobody who has to know.
 *
 * What is published goes into WAL as well, for standbys (news.c): it is collected,
 * and written by publish_end().
 *
 * Locking: a key's partition lock for its fence and its entries; the registry
 * lock for all else.  Neither may be held by the caller.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "base/devel.h"
#include "base/prefetch.h"
#include "fence/keyfence.h"
#include "fence/news.h"
#include "fence/ready.h"
#include "fence/recentxid.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/slotlists.h"
#include "fence/stats.h"
#include "fence/witness.h"
#include "protocol/publish.h"
#include "store/index.h"

/* The id that this transaction has begun to publish with, or 0. */
uint64		publish_xid = 0;

/*
 * This transaction is about to publish what it has changed; gives the id to do
 * that with.  What somebody invalidates by hand needs one as well: values in
 * Redis can be told to be older by that alone.
 */
FullTransactionId
publish_begin(void)
{
	bool		ready = ready_for_use();
	FullTransactionId xid;

	if (ready && !IsInParallelMode())
		xid = GetTopFullTransactionId();
	else
		xid = GetTopFullTransactionIdIfAny();
	if (ready)
		witness_take(xid);
	publish_xid = U64FromFullTransactionId(xid);
	return xid;
}

/*
 * All is published, for now, that this transaction has changed.  Before its commit
 * record.
 */
void
publish_end(void)
{
	news_write(FullTransactionIdFromU64(publish_xid));
}

/*
 * The transaction has ended.
 */
void
publish_reset(void)
{
	publish_xid = 0;
	news_reset();
}

/*
 * The change of a key will be published soon: what that needs is in the memory
 * of other processors as a rule, and is fetched meanwhile.
 */
void
publish_prefetch_key(uint64 hash)
{
	CACHE_PREFETCH_WRITE(key_fence(hash));
	CACHE_PREFETCH_WRITE(key_stamp(hash));
	index_prefetch(hash);
}

/*
 * The same some time later, of what that leads to.
 */
void
publish_prefetch_entry(uint64 hash)
{
	index_prefetch_entry(hash);
}

/*
 * Has this change changed anything that the entries which are there now may
 * have been made from?  Under a partition lock, for those of its keys.
 */
static bool
change_matters(Oid dbid, uint64 cache, const ColumnChange *change)
{
	Columns		columns;

	if (change == NULL || !OidIsValid(change->relid))
		return true;
	if (GUARD_REMOVED("when_published"))
		return false;
	return !slot_reads(change->slot, dbid, cache, change->relid,
					   &columns) ||
		(columns & change->columns) != 0;
}

/*
 * Publish the change of a key of a database's cache.  others: transactions that may
 * be changing the same without knowing, or NULL.  change: what it consists in, or
 * NULL.  Gives how many entries it has invalidated.  The shared memory must be ready.
 */
uint32
publish_key_of(Oid dbid, uint64 cache, uint64 hash, FullTransactionId xid,
			   const MappingRunning *others, const ColumnChange *change)
{
	uint32		n = 0;
	bool		matters;

	recent_xid_note(xid);
	key_lock(hash, LW_EXCLUSIVE);
	matters = change_matters(dbid, cache, change);
	if (matters || !GUARD_REMOVED("passed_key"))
		fence_publish(key_fence(hash), xid, witness_last());
	key_stamp_raise(hash, U64FromFullTransactionId(xid));
	if (others != NULL)
	{
		fence_add(key_fence(hash), others->xids, others->n, &others->floor,
				  witness_last());
		key_stamp_raise(hash, others->floor.highest);
		for (uint32 i = 0; i < others->n; i++)
			key_stamp_raise(hash, others->xids[i]);
	}
	if (matters && !GUARD_REMOVED("remove"))
		n = index_unlink(hash);
	key_unlock(hash);
	return n;
}

/*
 * The same for this transaction.
 */
void
publish_key(uint64 cache, uint64 hash, FullTransactionId xid,
			const MappingRunning *others, const ColumnChange *change)
{
	uint32		n;

	if (!ready_for_use())
		return;
	n = publish_key_of(MyDatabaseId, cache, hash, xid, others, change);
	if (n > 0)
		stats_count(slot_find(MyDatabaseId, cache), STATS_INVALIDATIONS, n);
	news_add_key(cache, hash, others, change);
}

/*
 * Publish the change of a whole cache, in the same way.
 */
void
publish_cache(uint64 cache, FullTransactionId xid,
			  const MappingRunning *others, const ColumnChange *change)
{
	if (!ready_for_use())
		return;
	recent_xid_note(xid);
	slot_publish(MyDatabaseId, cache, xid, others, change);
	news_add_cache(cache, others, change);
}

/*
 * The same of a cache that is dropped.
 */
void
publish_dropped(uint64 cache, FullTransactionId xid,
				const MappingRunning *others, const ColumnChange *change)
{
	if (!ready_for_use())
		return;
	publish_cache(cache, xid, others, change);
	news_add_dropped(cache);
}

/*
 * Publish a change that any cache of a database (InvalidOid: of any) may
 * depend on.
 */
void
publish_database(Oid dbid, FullTransactionId xid)
{
	if (!ready_for_use())
		return;
	recent_xid_note(xid);
	slot_publish_database(dbid, xid, NULL);
	news_add_database(dbid);
}

/*
 * Publish DDL on something that a cache depends on, in the same way.
 */
void
publish_dependent(Oid dbid, uint64 cache, FullTransactionId xid)
{
	if (!ready_for_use())
		return;
	recent_xid_note(xid);
	slot_publish_dependent(dbid, cache, xid, NULL);
	if (dbid == MyDatabaseId)
		news_add_dependent(cache);
}

/*
 * Publish a change of what a role may do, for what is loaded as that role, in all
 * databases.
 */
void
publish_role(Oid role, FullTransactionId xid)
{
	if (!ready_for_use())
		return;
	recent_xid_note(xid);
	role_fence_publish(role, xid);
	news_add_role(role);
}

/*
 * It is about to be decided which caches depend on the DDL of this transaction,
 * in one database or (InvalidOid) in all: see slot_begin_ddl.  If lasting, after
 * catalogs_begin_change.
 */
void
publish_begin_ddl(Oid dbid, FullTransactionId xid, bool lasting)
{
	if (!ready_for_use())
		return;
	recent_xid_note(xid);
	witness_take(xid);
	publish_xid = U64FromFullTransactionId(xid);
	slot_begin_ddl(dbid, xid, lasting);
	news_add_begin_ddl(dbid, lasting);
}

/*
 * The transaction has replaced what keys may be told by, in one database or
 * (InvalidOid) in all: see mapping.c.
 */
void
publish_replace(Oid dbid, FullTransactionId xid)
{
	if (!ready_for_use())
		return;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	mapping_replace(dbid, xid);
	LWLockRelease(shared_registry_lock);
}
