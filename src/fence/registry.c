/*-------------------------------------------------------------------------
 *
 * registry.c
 *		The caches that the shared memory knows, one slot each.
 *
 * A slot belongs to a cache of a database.  It holds the fence of whole-cache
 * invalidations, and what concerns all the cache's entries; its number is that of
 * the cache's counters, too (stats.c).  A backend attaches to the slot when it
 * loads the cache's definition, and remembers the index; whoever uses a
 * remembered index checks that the slot still belongs to the same cache
 * (slot_read).
 *
 * When there is no free slot, that of a dropped cache is used again, or else
 * the one that was made longest ago; its cache gets another one when it is
 * next used.  A slot's generation, which is its fence's count of changes,
 * never goes back, so no entry of a former owner can be found.
 *
 * DDL that any cache of a database may depend on goes into the fence of each
 * slot, and into a fence of the database, from which later slots inherit.  A
 * slot that is created between such a publication and the commit is thereby
 * fenced as well.  Other DDL goes into those slots alone whose loads have noted
 * that they depend on it; and into fences beside, from which a slot's fence takes
 * over when its loads note something new.
 *
 * Locking: the registry lock, exclusively, for all changes of a slot's
 * identity, its fence and its list of reads.  Fences are read without a lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/devel.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/stats.h"
#include "fence/witness.h"

SharedRegistry *shared_registry;
CacheSlot  *shared_slots;

/* Where slots were found, by the lowest bits of the cache's id; 0: nowhere yet */
#define LATELY_FOUND	256		/* a power of two */
static uint16 lately_found[LATELY_FOUND];

/* Nobody has passed: nothing is in that fence, nor in its floor. */
static void
slot_forget_passed(CacheSlot *slot)
{
	slot->passed.nxids = 0;
	slot->passed.floor.lowest = 1;
	slot->passed.floor.highest = 0;
	memset(slot->passed_columns, 0, sizeof(slot->passed_columns));
}

/* Make an empty slot. */
static void
slot_init(CacheSlot *slot)
{
	memset(slot, 0, sizeof(CacheSlot));
	fence_init(&slot->fence, 0);
	fence_init(&slot->passed, 0);
	slot_forget_passed(slot);
	pg_atomic_init_u64(&slot->lists_of, 0);
	pg_atomic_init_u32(&slot->nreads, 0);
	pg_atomic_init_u32(&slot->nviews, 0);
	for (int i = 0; i < SLOT_READS; i++)
		pg_atomic_init_u64(&slot->columns[i], COLUMNS_NONE);
	pg_atomic_init_u32(&slot->unseen, 0);
	memset(slot->watches, 0, sizeof(slot->watches));
	for (int i = 0; i < SLOT_WATCHES; i++)
		pg_atomic_init_u64(&slot->watch_rows[i], 0);
	pg_atomic_init_u32(&slot->unstored_mask, 0);
	for (int i = 0; i < REASONS; i++)
	{
		pg_atomic_init_u32(&slot->unstored_object[i], InvalidOid);
		pg_atomic_init_u64(&slot->unstored[i], 0);
	}
	for (int i = 0; i < SLOT_FILTER; i++)
		pg_atomic_init_u64(&slot->filter[i], 0);
	pg_atomic_init_u32(&slot->reads_catalogs, 0);
	pg_atomic_init_u32(&slot->unknown, 0);
	pg_atomic_init_u32(&slot->elsewhere, 0);
	pg_atomic_init_u32(&slot->own_path, 0);
	pg_atomic_init_u32(&slot->nvariants, 0);
	pg_atomic_init_u32(&slot->nprefixes, 0);
	pg_atomic_init_u64(&slot->load_time, 0);
}

static void
registry_fences_init(uint64 floor)
{
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		fence_init(&shared_registry->database_fences[i], floor);
		fence_init(&shared_registry->ddl_fences[i], floor);
		fence_init(&shared_registry->catalog_fences[i], floor);
	}
}

static void
registry_init(void)
{
	memset(shared_registry, 0, sizeof(SharedRegistry));
	pg_atomic_init_u64(&shared_registry->ddl_changes, 0);
	pg_atomic_init_u32(&shared_registry->sweep_wanted, 0);

	/* At the server's start itself the time of that is not known yet. */
	shared_registry->restarted = PgStartTime == 0 ? 0 : GetCurrentTimestamp();
	registry_fences_init(0);
}

const SegmentPart registry_part = {
	.name = "header",
	.address = (void **) &shared_registry,
	.bytes = sizeof(SharedRegistry),
	.init = registry_init,
};

static void
registry_slots_init(void)
{
	for (int i = 0; i < REGISTRY_SLOTS; i++)
		slot_init(&shared_slots[i]);
}

const SegmentPart registry_slots_part = {
	.name = "registry",
	.address = (void **) &shared_slots,
	.bytes = REGISTRY_SLOTS * sizeof(CacheSlot),
	.init = registry_slots_init,
};

/*
 * Begin without any cache, and know nothing of transactions up to and including
 * floor.  Registry lock.
 */
void
registry_begin(uint64 floor)
{
	shared_registry->start_floor = floor;
	shared_registry->nslots = 0;
	registry_fences_init(floor);
	registry_slots_init();
}

/*
 * Begin to count anew what there is of a cache, and why results were not stored.
 * since: 0, if nothing can have been counted before.
 */
void
slot_begin_counting(int index, TimestampTz since)
{
	stats_begin(index, since);
	for (int i = 0; i < REASONS; i++)
		pg_atomic_write_u64(&shared_slots[index].unstored[i], 0);
}

/*
 * The slot of a cache, -1 if it has none.  The caller holds the registry lock.
 */
int
slot_find_locked(Oid dbid, uint64 id)
{
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		CacheSlot  *slot = &shared_slots[i];

		if (slot->used && slot->id == id && slot->dbid == dbid)
			return i;
	}
	return -1;
}

/*
 * The slot of a cache, -1 if it has none.
 *
 * Who writes asks at each commit, and most slots stay where they are: so this
 * backend looks first where it has found one lately.
 */
int
slot_find(Oid dbid, uint64 id)
{
	uint16	   *place = &lately_found[id & (LATELY_FOUND - 1)];
	int			index = (int) *place - 1;

	if (index >= 0 && slot_is_of(index, dbid, id))
	{
		pg_read_barrier();
		return index;
	}
	LWLockAcquire(shared_registry_lock, LW_SHARED);
	index = slot_find_locked(dbid, id);
	LWLockRelease(shared_registry_lock);
	*place = index + 1;
	return index;
}

/*
 * Let the slot's fence remember those who have passed it: something is read now
 * that they may have changed, or nobody will know any more whether it is.
 * Registry lock.
 */
void
slot_recall(CacheSlot *slot)
{
	fence_remember(&slot->fence, &slot->passed);
	pg_write_barrier();
}

/*
 * Forget what loads have read: all entries are dead, in Redis too.  Registry
 * lock; fills in progress are refused, because the fence has changed.
 */
static void
slot_reset_reads(CacheSlot *slot)
{
	if (!GUARD_REMOVED("passed_before"))
		slot_recall(slot);
	slot_forget_passed(slot);
	pg_atomic_write_u32(&slot->unseen, 0);
	pg_atomic_write_u32(&slot->nreads, 0);
	pg_atomic_write_u32(&slot->nviews, 0);
	for (int i = 0; i < SLOT_FILTER; i++)
		pg_atomic_write_u64(&slot->filter[i], 0);
	pg_atomic_write_u32(&slot->reads_catalogs, 0);
	pg_atomic_write_u32(&slot->unknown, 0);
	pg_atomic_write_u32(&slot->elsewhere, 0);
	pg_atomic_write_u32(&slot->own_path, 0);
	pg_atomic_write_u32(&slot->nvariants, 0);
	pg_atomic_write_u32(&slot->nprefixes, 0);
	pg_write_barrier();
	pg_atomic_write_u64(&slot->lists_of, slot->fence.changes);
}

/*
 * Know nothing any more of transactions up to and including floor, while there are
 * readers: all entries are dead.  Registry lock.
 */
void
registry_forget(uint64 floor)
{
	shared_registry->start_floor = floor;
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		fence_forget(&shared_registry->database_fences[i], floor);
		fence_forget(&shared_registry->ddl_fences[i], floor);
		fence_forget(&shared_registry->catalog_fences[i], floor);
	}
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		fence_forget(&shared_slots[i].fence, floor);
		slot_reset_reads(&shared_slots[i]);
	}
	pg_atomic_fetch_add_u64(&shared_registry->ddl_changes, 1);
	pg_atomic_write_u32(&shared_registry->sweep_wanted, 1);
}

/*
 * There may have been DDL that is not published here: before they load, backends make
 * sure anew that they have heard of all.
 */
void
registry_count_ddl(void)
{
	pg_atomic_fetch_add_u64(&shared_registry->ddl_changes, 1);
}

/*
 * Free the slot that was made longest ago, or one that is free already.
 *
 * A cache that has no slot has published nothing: so whatever the fence of
 * this one remembers has to go to its database's fence, from which the
 * cache's next slot inherits.
 */
static int
slot_recycle(void)
{
	int			oldest = 0;

	for (int i = 0; i < REGISTRY_SLOTS; i++)
	{
		if (!shared_slots[i].used)
			return i;
		if (shared_slots[i].made < shared_slots[oldest].made)
			oldest = i;
	}
	slot_recall(&shared_slots[oldest]);
	fence_inherit(registry_database_fence(shared_slots[oldest].dbid),
				  &shared_slots[oldest].fence, witness_last());
	shared_slots[oldest].used = false;
	shared_registry->counters_lost = true;
	return oldest;
}

/*
 * The slot of a cache, made if need be.  remote: there may be values of it in
 * Redis, which depend on nobody knows what.
 */
static int
slot_attach_locked(Oid dbid, uint64 id, bool remote)
{
	int			index = slot_find_locked(dbid, id);
	CacheSlot  *slot;

	if (index >= 0)
		return index;

	if (shared_registry->nslots < REGISTRY_SLOTS)
		index = shared_registry->nslots++;
	else
		index = slot_recycle();

	slot = &shared_slots[index];
	if (slot->fence.floor.highest < shared_registry->start_floor)
		fence_begin(&slot->fence, shared_registry->start_floor);
	fence_inherit(&slot->fence, registry_database_fence(dbid), witness_last());
	if (remote)
	{
		fence_inherit(&slot->fence, registry_ddl_fence(dbid), witness_last());
		fence_inherit(&slot->fence, registry_catalog_fence(dbid), witness_last());
	}
	slot_reset_reads(slot);
	pg_atomic_write_u32(&slot->unknown, remote);
	pg_atomic_write_u64(&slot->load_time, 0);
	slot_begin_counting(index,
						shared_registry->counters_lost ? GetCurrentTimestamp() : 0);
	pg_atomic_write_u32(&slot->unstored_mask, 0);
	memset(slot->watches, 0, sizeof(slot->watches));
	for (int i = 0; i < SLOT_WATCHES; i++)
		pg_atomic_write_u64(&slot->watch_rows[i], 0);
	slot->id = id;
	slot->dbid = dbid;
	slot->made = ++shared_registry->slots_made;
	pg_write_barrier();
	slot->used = true;
	return index;
}

/*
 * The slot of a cache, made if need be; remote: it uses Redis.  The shared
 * memory must be ready (ready_for_use).
 */
int
slot_attach(Oid dbid, uint64 id, bool remote)
{
	int			index;

	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	index = slot_attach_locked(dbid, id, remote);
	LWLockRelease(shared_registry_lock);
	return index;
}

/*
 * Read a slot's fence; false if the slot is no longer that cache's.
 */
bool
slot_read(int index, Oid dbid, uint64 id, FenceState *state)
{
	CacheSlot  *slot = &shared_slots[index];

	/*
	 * A slot changes hands only after its fence has changed, so a slot that
	 * is still this cache's after the fence was read was so all the time.
	 */
	fence_read(&slot->fence, state);
	pg_read_barrier();
	return slot->used && slot->id == id && slot->dbid == dbid;
}

/*
 * The place of a relation among what loads have read, -1: it has none.
 */
int
slot_read_place(CacheSlot *slot, Oid relid)
{
	uint32		n = Min(pg_atomic_read_u32(&slot->nreads), SLOT_READS);

	pg_read_barrier();
	for (uint32 i = 0; i < n; i++)
	{
		if (slot->reads[i] == relid)
			return i;
	}
	return -1;
}

/*
 * A change of the whole cache that is no column that any load has read: then
 * the cache need not know, as long as no load reads that column.  Registry lock.
 *
 * Of who does, this transaction will be in the slot's fence in time
 * (slot_add_columns), so that nobody stores what it read without seeing the
 * transaction, or finds what somebody read who did.  This takes a relation that
 * has been read: else each new generation would begin with such a recall.
 */
static bool
slot_passes(CacheSlot *slot, const ColumnChange *change, FullTransactionId xid)
{
	int			place;

	if (change == NULL || !OidIsValid(change->relid) ||
		pg_atomic_read_u32(&slot->unseen) != 0)
		return false;
	place = slot_read_place(slot, change->relid);
	if (place < 0 ||
		(pg_atomic_read_u64(&slot->columns[place]) & change->columns) != 0)
		return false;
	slot->passed_columns[place] |= change->columns;
	fence_publish(&slot->passed, xid, witness_last());
	return true;
}

/*
 * Publish the invalidation of a whole cache; others as in
 * publish_key.  change: what made it, or NULL; see slot_passes.
 */
void
slot_publish(Oid dbid, uint64 id, FullTransactionId xid,
			 const MappingRunning *others, const ColumnChange *change)
{
	int			index;

	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);

	/* Later users of this cache have to know of this transaction. */
	index = slot_attach_locked(dbid, id, true);
	if (slot_passes(&shared_slots[index], change, xid))
	{
		LWLockRelease(shared_registry_lock);
		return;
	}
	fence_publish(&shared_slots[index].fence, xid, witness_last());
	if (others != NULL)
		fence_add(&shared_slots[index].fence, others->xids, others->n,
				  &others->floor, witness_last());
	STOP_POINT("fenced");
	slot_reset_reads(&shared_slots[index]);
	stats_count_shared(index, STATS_INVALIDATIONS, 1);
	pg_atomic_write_u32(&shared_registry->sweep_wanted, 1);
	LWLockRelease(shared_registry_lock);
}

/* DDL is published in a fence of the registry's; others as in slot_publish_database. */
static void
fence_publish_ddl(Fence *fence, FullTransactionId xid, Oid dbid, uint64 id,
				  const MappingRunning *others)
{
	fence_publish(fence, xid, witness_last());
	if (others == NULL)
		mapping_fence_running(fence, dbid, id);
	else if (others->n > 0 || !floor_is_empty(&others->floor))
		fence_add(fence, others->xids, others->n, &others->floor, witness_last());
}

/*
 * Publish DDL for the cache of a slot: all its entries are dead.  others as in
 * slot_publish_database.  Registry lock.
 */
void
slot_publish_ddl(int index, FullTransactionId xid, const MappingRunning *others)
{
	CacheSlot  *slot = &shared_slots[index];

	fence_publish_ddl(&slot->fence, xid, slot->dbid, slot->id, others);
	slot_reset_reads(slot);
	stats_count_shared(index, STATS_FLUSHES, 1);
	pg_atomic_write_u32(&shared_registry->sweep_wanted, 1);
}

/*
 * Publish a change that may concern all caches of a database; InvalidOid: of
 * all databases.  others: on a standby, the transactions that mapping_fence_running()
 * has told the primary of; NULL on the primary itself.
 */
void
slot_publish_database(Oid dbid, FullTransactionId xid, const MappingRunning *others)
{
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);

	/* Who reads the latter of these two counts first knows the former, too. */
	pg_atomic_fetch_add_u64(&shared_registry->ddl_changes, 1);
	if (others == NULL)
		mapping_replace(dbid, xid);
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		Fence	   *fence = &shared_registry->database_fences[i];

		if (OidIsValid(dbid) && fence != registry_database_fence(dbid))
			continue;
		fence_publish_ddl(fence, xid, dbid, 0, others);
	}
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		CacheSlot  *slot = &shared_slots[i];

		if (slot->used && (!OidIsValid(dbid) || slot->dbid == dbid))
			slot_publish_ddl(i, xid, others);
	}
	LWLockRelease(shared_registry_lock);
}

/*
 * Publish DDL on something that the loads of a cache depend on, if the cache has
 * a slot; others as above.
 */
void
slot_publish_dependent(Oid dbid, uint64 id, FullTransactionId xid,
					   const MappingRunning *others)
{
	int			index;

	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	index = slot_find_locked(dbid, id);
	if (index >= 0)
		slot_publish_ddl(index, xid, others);
	LWLockRelease(shared_registry_lock);
}

/*
 * Give the slot of a dropped cache back, or those of a dropped database
 * (id 0).  Raises no errors: called after the commit.
 *
 * A backend that has not heard of the drop yet may make another slot for the
 * cache, so what this one remembers is not lost; see slot_recycle.
 */
void
slot_forget(Oid dbid, uint64 id)
{
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		CacheSlot  *slot = &shared_slots[i];

		if (slot->used && slot->dbid == dbid && (id == 0 || slot->id == id))
		{
			fence_publish(&slot->fence, InvalidFullTransactionId, NULL);
			slot_recall(slot);
			if (id != 0)
				fence_inherit(registry_database_fence(dbid), &slot->fence,
							  witness_last());
			slot->used = false;
		}
	}
	pg_atomic_write_u32(&shared_registry->sweep_wanted, 1);
	LWLockRelease(shared_registry_lock);
}

/*
 * It is about to be decided which caches depend on what a transaction has
 * changed in catalogs, in one database or (InvalidOid) in all.  lasting: loads
 * that do not read catalogs themselves may do so, and catalog caches have to
 * hear of it.  Loads that note something new, which are no witnesses, find the
 * fences cleared out.
 */
void
slot_begin_ddl(Oid dbid, FullTransactionId xid, bool lasting)
{
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		if (OidIsValid(dbid) && i != registry_fence_number(dbid))
			continue;
		fence_publish(&shared_registry->catalog_fences[i], xid, witness_last());
		if (lasting)
			fence_publish(&shared_registry->ddl_fences[i], xid, witness_last());
		fence_clear_out(&shared_registry->catalog_fences[i], witness_last());
		fence_clear_out(&shared_registry->ddl_fences[i], witness_last());
		fence_clear_out(&shared_registry->database_fences[i], witness_last());
	}
	if (lasting)
		pg_atomic_fetch_add_u64(&shared_registry->ddl_changes, 1);
	LWLockRelease(shared_registry_lock);
}

/*
 * The loads of this database are about to be noted to depend on something new,
 * as in slot_depend.  The caller holds the registry lock exclusively.
 */
void
slots_adopt_ddl(void)
{
	if (GUARD_REMOVED("ddl_adopt"))
		return;
	fence_remember(registry_database_fence(MyDatabaseId), registry_ddl_fence(MyDatabaseId));
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		if (shared_slots[i].used && shared_slots[i].dbid == MyDatabaseId)
			fence_remember(&shared_slots[i].fence, registry_ddl_fence(MyDatabaseId));
	}
}

/*
 * The databases that have caches with slots, as a list of OIDs.
 */
List *
slot_databases(void)
{
	List	   *databases = NIL;

	/* An error for want of memory releases the lock. */
	LWLockAcquire(shared_registry_lock, LW_SHARED);
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		if (shared_slots[i].used)
			databases = list_append_unique_oid(databases, shared_slots[i].dbid);
	}
	LWLockRelease(shared_registry_lock);
	return databases;
}

/*
 * Does this slot belong to the cache?  If not locked, no longer perhaps.
 */
bool
slot_is_of(int index, Oid dbid, uint64 id)
{
	CacheSlot  *slot = &shared_slots[index];

	return slot->used && slot->id == id && slot->dbid == dbid;
}
