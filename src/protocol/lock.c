/*-------------------------------------------------------------------------
 *
 * lock.c
 *		The locks that a use of a cache needs.
 *
 * A hit has to conflict with whatever the loader's own reading would conflict with,
 * above all TRUNCATE and ALTER TABLE, whose effects do not wait for a new snapshot.
 * So the first use of a cache in a transaction locks its watched relations in
 * ACCESS SHARE mode (lock_take), as running the loader would, and the views as
 * well.  Partitions are not locked with their parents: there may be too many;
 * whoever truncates one locks the parent (utility.c).
 *
 * What is locked is noted in the definition, and good until lock_generation moves.
 *
 * Locking: that of the relations.  A cache's slot is read without a lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"

#include "base/devel.h"
#include "fence/registry.h"
#include "protocol/lock.h"
#include "protocol/pending.h"

uint64		lock_generation = 1;

/*
 * The cache's slot in the registry, -1 if this transaction creates the cache.
 * The shared memory must be ready.
 */
int
lock_slot(CacheDef *def)
{
	if (def->slot < 0 && !pending_is_created(def->id))
		def->slot = slot_attach(MyDatabaseId, def->id, def->redis);
	return def->slot;
}

/*
 * Does this transaction hold the locks that a use of the cache needs, whose
 * entries are of this generation?  The slot's list of views begins again with
 * each generation.
 */
bool
lock_is_held(CacheDef *def, uint64 generation)
{
	CacheSlot  *slot;
	uint32		nviews;

	if (def->locked != lock_generation)
		return false;
	if (def->slot < 0)
		return true;
	slot = &shared_slots[def->slot];
	nviews = pg_atomic_read_u32(&slot->nviews);
	pg_read_barrier();
	return slot->fence.changes == generation &&
		(nviews == 0 ||
		 (def->nlocked == nviews && def->locked_changes == generation));
}

/*
 * Lock one of the relations.  Under lock_timeout nobody waits here: a loader
 * may catch the error, and answer; a get has to leave that to it.
 */
static bool
lock_relation(Oid relid)
{
	if (LockTimeout > 0 && !GUARD_REMOVED("lock_timeout"))
		return ConditionalLockRelationOid(relid, AccessShareLock);
	LockRelationOid(relid, AccessShareLock);
	return true;
}

/*
 * Lock what the loader would lock, at the first use in a transaction: the
 * watched tables, and the views through which it reads, as far as loads have
 * shown them.  This may take in invalidations, so the caller checks
 * def->valid afterwards.  False if something is locked by others, and one must
 * not wait for it here: then nothing in the cache may be used.
 */
bool
lock_take(CacheDef *def)
{
	CacheSlot  *slot;
	uint32		n;

	if (lock_is_held(def, def->slot < 0 ? 0 :
							 shared_slots[def->slot].fence.changes))
		return true;
	for (int i = 0; i < def->nwatched; i++)
	{
		if (!lock_relation(def->watched[i]))
			return false;
	}
	def->nlocked = 0;
	if (lock_slot(def) >= 0)
	{
		slot = &shared_slots[def->slot];
		def->locked_changes = slot->fence.changes;
		n = 0;
		if (pg_atomic_read_u64(&slot->lists_of) == def->locked_changes)
		{
			pg_read_barrier();
			n = pg_atomic_read_u32(&slot->nviews);
		}
		pg_read_barrier();
		for (uint32 i = 0; i < Min(n, SLOT_VIEWS); i++)
		{
			if (!lock_relation(slot->views[i]))
				return false;
		}
		def->nlocked = n;
	}
	def->locked = lock_generation;
	return true;
}

/*
 * The locks are gone: a transaction has ended or a subtransaction aborted.
 */
void
lock_release_all(void)
{
	lock_generation++;
}
