/*-------------------------------------------------------------------------
 *
 * slotlists.c
 *		What the loads of a cache have read, and the keys that they were for.
 *
 * Lists in the cache's slot.  Within a generation they only grow; with the next
 * one they begin again (registry.c).  A member is written before the length that
 * counts it, so whoever reads the length first, and then a barrier, finds what it
 * counts; and if the cache's generation is the same before and after, the lists
 * were of that one.
 *
 * What loads depend on is noted before what was loaded is stored; and with it the
 * cache's fence takes over what has been decided about DDL without that.
 *
 * Locking: the registry lock, exclusively, to add; none to read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"

#include "base/devel.h"
#include "fence/ready.h"
#include "fence/slotlists.h"
#include "fence/witness.h"

/*-------------------------------------------------------------------------
 * What DDL is decided by
 *-------------------------------------------------------------------------
 */

/* The bits that stand for a relation in a slot's filter. */
static void
filter_bits(Oid relid, uint32 bits[2])
{
	uint32		hash = murmurhash32(relid);

	bits[0] = hash & (SLOT_FILTER * 64 - 1);
	bits[1] = (hash >> 16) & (SLOT_FILTER * 64 - 1);
}

static bool
filter_has(CacheSlot *slot, Oid relid)
{
	uint32		bits[2];

	filter_bits(relid, bits);
	for (int i = 0; i < 2; i++)
	{
		if (!(pg_atomic_read_u64(&slot->filter[bits[i] / 64]) &
			  UINT64CONST(1) << (bits[i] % 64)))
			return false;
	}
	return true;
}

/*
 * Note that the loads of a cache depend on a relation.
 *
 * Whatever DDL has been decided about without knowing that is in the database's
 * fence, and goes into the cache's first.  So whoever does not see it neither
 * stores what has been loaded, nor uses what others store from now on.
 */
void
slot_depend(int index, Oid relid)
{
	CacheSlot  *slot = &shared_slots[index];
	uint32		bits[2];

	if (filter_has(slot, relid))
		return;
	filter_bits(relid, bits);
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	if (!GUARD_REMOVED("ddl_adopt"))
		fence_remember(&slot->fence, registry_ddl_fence(slot->dbid));
	for (int i = 0; i < 2; i++)
		pg_atomic_fetch_or_u64(&slot->filter[bits[i] / 64],
							   UINT64CONST(1) << (bits[i] % 64));
	LWLockRelease(shared_registry_lock);
}

/*
 * Is it noted?  It may say yes where it should say no.
 */
bool
slot_depends_on(int index, Oid relid)
{
	return filter_has(&shared_slots[index], relid);
}

/*
 * Note that they read catalogs: so they depend on all DDL, in the same way.
 */
void
slot_note_catalogs(int index)
{
	CacheSlot  *slot = &shared_slots[index];

	if (pg_atomic_read_u32(&slot->reads_catalogs) != 0 ||
		GUARD_REMOVED("ddl_catalogs"))
		return;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	if (!GUARD_REMOVED("ddl_adopt"))
		fence_remember(&slot->fence, registry_catalog_fence(slot->dbid));
	pg_atomic_write_u32(&slot->reads_catalogs, 1);
	LWLockRelease(shared_registry_lock);
}

/*
 * Note that what is used of a cache was loaded by another server, in the same way.
 */
void
slot_note_elsewhere(int index)
{
	CacheSlot  *slot = &shared_slots[index];

	if (pg_atomic_read_u32(&slot->elsewhere) != 0 || GUARD_REMOVED("elsewhere"))
		return;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	fence_remember(&slot->fence, registry_ddl_fence(slot->dbid));
	pg_atomic_write_u32(&slot->elsewhere, 1);
	LWLockRelease(shared_registry_lock);
}

/* Is the slot one of a cache of this database (InvalidOid: of any)? */
static bool
slot_is_in(CacheSlot *slot, Oid dbid)
{
	return slot->used && (!OidIsValid(dbid) || slot->dbid == dbid);
}

/* Do the loads of a slot's cache read catalogs, or may values in Redis say so? */
static bool
reads_catalogs(CacheSlot *slot)
{
	return pg_atomic_read_u32(&slot->reads_catalogs) != 0 ||
		pg_atomic_read_u32(&slot->unknown) != 0;
}

/*
 * Do the loads of some cache of a database (InvalidOid: of any) read catalogs?
 */
bool
slot_any_reads_catalogs(Oid dbid)
{
	bool		found = false;

	LWLockAcquire(shared_registry_lock, LW_SHARED);
	for (uint32 i = 0; i < shared_registry->nslots && !found; i++)
		found = slot_is_in(&shared_slots[i], dbid) &&
			reads_catalogs(&shared_slots[i]);
	LWLockRelease(shared_registry_lock);
	return found;
}

static bool
depends_on_any(CacheSlot *slot, const Oid *relids, int n)
{
	if (n > 0 && pg_atomic_read_u32(&slot->unknown) != 0)
		return true;
	for (int i = 0; i < n; i++)
	{
		if (filter_has(slot, relids[i]))
			return true;
	}
	return false;
}

/* Do the loads depend on these relations, or on catalogs, or (lasting) on anything? */
static bool
depends_on_ddl(CacheSlot *slot, const Oid *relids, int n, bool lasting)
{
	return depends_on_any(slot, relids, n) || reads_catalogs(slot) ||
		(lasting && pg_atomic_read_u32(&slot->elsewhere) != 0);
}

/*
 * Publish DDL for the caches of a database (InvalidOid: of all) whose loads depend on
 * one of these relations, or read catalogs; lasting: it may change results, which
 * concerns loads of other servers, too; others as in
 * slot_publish_database().
 */
void
slot_publish_dependents(Oid dbid, const Oid *relids, int n, bool lasting,
						FullTransactionId xid, const MappingRunning *others)
{
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		CacheSlot  *slot = &shared_slots[i];

		if (slot_is_in(slot, dbid) &&
			depends_on_ddl(slot, relids, n, lasting))
			slot_publish_ddl(i, xid, others);
	}
	LWLockRelease(shared_registry_lock);
}

/*
 * The caches of a database (InvalidOid: of all) whose loads depend on one of
 * these relations, or on catalogs, as a list of SlotCache; lasting as above.
 */
List *
slot_dependents(Oid dbid, const Oid *relids, int n, bool lasting)
{
	List	   *dependents = NIL;

	LWLockAcquire(shared_registry_lock, LW_SHARED);
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		CacheSlot  *slot = &shared_slots[i];
		SlotCache  *found;

		if (!slot_is_in(slot, dbid) || !depends_on_ddl(slot, relids, n, lasting))
			continue;
		found = palloc(sizeof(SlotCache));
		found->dbid = slot->dbid;
		found->id = slot->id;
		dependents = lappend(dependents, found);
	}
	LWLockRelease(shared_registry_lock);
	return dependents;
}

/*-------------------------------------------------------------------------
 * Relations and columns
 *-------------------------------------------------------------------------
 */

/* The loads of a cache read more columns of a relation.  Registry lock. */
static void
slot_add_columns(CacheSlot *slot, int place, Columns columns)
{
	if ((columns & slot->passed_columns[place]) != 0 && !GUARD_REMOVED("passed"))
		slot_recall(slot);
	pg_atomic_write_u64(&slot->columns[place],
						pg_atomic_read_u64(&slot->columns[place]) | columns);
}

/*
 * Note that the loads of a cache read these columns of a relation.
 */
void
slot_add_read(int index, Oid relid, Columns columns)
{
	CacheSlot  *slot = &shared_slots[index];
	int			place = slot_read_place(slot, relid);
	uint32		n;

	slot_depend(index, relid);
	if (place >= 0 &&
		(columns & ~pg_atomic_read_u64(&slot->columns[place])) == 0)
		return;
	if (place < 0 && pg_atomic_read_u32(&slot->nreads) > SLOT_READS)
		return;

	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	place = slot_read_place(slot, relid);
	n = pg_atomic_read_u32(&slot->nreads);
	if (place >= 0)
		slot_add_columns(slot, place, columns);
	else if (n <= SLOT_READS)
	{
		if (n < SLOT_READS)
		{
			slot->reads[n] = relid;
			pg_atomic_write_u64(&slot->columns[n], columns);
			pg_write_barrier();
		}
		pg_atomic_write_u32(&slot->nreads, n + 1);
	}
	LWLockRelease(shared_registry_lock);
}

/*
 * Note that some load of a cache may have read more than its plans tell.
 */
void
slot_add_unseen(int index)
{
	CacheSlot  *slot = &shared_slots[index];

	if (pg_atomic_read_u32(&slot->unseen) != 0)
		return;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	slot_recall(slot);
	pg_atomic_write_u32(&slot->unseen, 1);
	LWLockRelease(shared_registry_lock);
}

/*
 * Which columns of a relation have the loads of a cache read, that is, of the
 * generation that is the present one?  False if that is not known, or if no
 * load has read the relation.
 */
bool
slot_reads(int index, Oid dbid, uint64 id, Oid relid, Columns *columns)
{
	CacheSlot  *slot = &shared_slots[index];
	uint64		generation;
	int			place;

	if (index < 0)
		return false;
	generation = *(volatile uint64 *) &slot->fence.changes;
	if (pg_atomic_read_u64(&slot->lists_of) != generation)
		return false;
	pg_read_barrier();
	place = slot_read_place(slot, relid);
	if (place >= 0)
		*columns = pg_atomic_read_u64(&slot->columns[place]);
	pg_read_barrier();
	return place >= 0 && pg_atomic_read_u32(&slot->unseen) == 0 &&
		*(volatile uint64 *) &slot->fence.changes == generation &&
		slot_is_of(index, dbid, id);
}

/*
 * Add to a list of a slot; false if it is full.  A length beyond the list's
 * size says that something did not fit.
 */
static bool
slot_append(pg_atomic_uint32 *length, uint32 *list, uint32 size, uint32 member)
{
	uint32		n = pg_atomic_read_u32(length);

	pg_read_barrier();
	for (uint32 i = 0; i < Min(n, size); i++)
	{
		if (list[i] == member)
			return true;
	}
	if (n > size)
		return false;

	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	n = pg_atomic_read_u32(length);
	if (n < size)
		list[n] = member;
	pg_write_barrier();
	if (n <= size)
		pg_atomic_write_u32(length, n + 1);
	LWLockRelease(shared_registry_lock);
	return n < size;
}

/*
 * Note that they read through a view.  False if there are too many: then hits
 * cannot lock what they have to.
 */
bool
slot_add_view(int index, Oid relid)
{
	CacheSlot  *slot = &shared_slots[index];

	slot_depend(index, relid);
	return slot_append(&slot->nviews, slot->views, SLOT_VIEWS, relid);
}

/*-------------------------------------------------------------------------
 * Prefixes and variants of keys
 *-------------------------------------------------------------------------
 */

/* The number of a prefix among those of a slot; 0 if it is not there. */
static uint32
prefix_number(CacheSlot *slot, const KeyPrefix *prefix, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
	{
		if (prefix_equals(&slot->prefixes[i], prefix))
			return i + 1;
	}
	return 0;
}

/*
 * The number that entries of a cache's generation have for a prefix, from 1;
 * SLOT_WHOLE_KEY if their keys are stored with the prefix, because there are
 * too many; SLOT_NO_PREFIX if there are no such entries.
 */
int
slot_find_prefix(int index, uint64 generation, const KeyPrefix *prefix)
{
	CacheSlot  *slot = &shared_slots[index];
	uint32		n;
	uint32		number;

	/* The list must be of this generation already, and be so still. */
	if (pg_atomic_read_u64(&slot->lists_of) != generation &&
		!GUARD_REMOVED("lists"))
		return SLOT_NO_PREFIX;
	pg_read_barrier();
	n = pg_atomic_read_u32(&slot->nprefixes);
	pg_read_barrier();
	number = prefix_number(slot, prefix, Min(n, SLOT_PREFIXES));
	pg_read_barrier();
	if (slot->fence.changes != generation)
		return SLOT_NO_PREFIX;
	if (number > 0)
		return number;
	return n >= SLOT_PREFIXES ? SLOT_WHOLE_KEY : SLOT_NO_PREFIX;
}

/*
 * The same for an entry that is to be stored; SLOT_NO_PREFIX if it would be of
 * an old generation.
 */
int
slot_add_prefix(int index, uint64 generation, const KeyPrefix *prefix)
{
	CacheSlot  *slot = &shared_slots[index];
	int			number = slot_find_prefix(index, generation, prefix);
	uint32		n;

	if (number != SLOT_NO_PREFIX)
		return number;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	n = pg_atomic_read_u32(&slot->nprefixes);
	if (slot->fence.changes == generation)
	{
		number = prefix_number(slot, prefix, n);
		if (number == 0 && n < SLOT_PREFIXES)
		{
			slot->prefixes[n] = *prefix;
			pg_write_barrier();
			pg_atomic_write_u32(&slot->nprefixes, n + 1);
			number = n + 1;
		}
	}
	LWLockRelease(shared_registry_lock);
	return number;
}

/*
 * The prefix that has a number, from 1, among entries of a generation.  False
 * if this is not the slot's generation any more.
 */
bool
slot_get_prefix(int index, uint64 generation, int number, KeyPrefix *prefix)
{
	CacheSlot  *slot = &shared_slots[index];

	if (number > SLOT_PREFIXES)
		return false;
	*prefix = slot->prefixes[number - 1];
	pg_read_barrier();
	return slot->fence.changes == generation;
}

/*
 * Note that this variant of a key may be in Redis.  False if there are too
 * many.
 */
bool
slot_add_variant(int index, uint32 variant)
{
	CacheSlot  *slot = &shared_slots[index];

	return slot_append(&slot->nvariants, slot->variants, SLOT_VARIANTS, variant);
}

/*
 * The variants of a cache's keys that may be in Redis, at most SLOT_VARIANTS.
 * Gives how many they are.
 */
uint32
slot_variants(Oid dbid, uint64 id, uint32 *variants)
{
	uint32		n = 0;
	int			index;

	LWLockAcquire(shared_registry_lock, LW_SHARED);
	index = slot_find_locked(dbid, id);
	if (index >= 0)
	{
		CacheSlot  *slot = &shared_slots[index];

		n = Min(pg_atomic_read_u32(&slot->nvariants), SLOT_VARIANTS);
		memcpy(variants, slot->variants, sizeof(uint32) * n);
	}
	LWLockRelease(shared_registry_lock);
	return n;
}

/*
 * Copy what the loads of a cache have read, without a lock.  Gives the cache's
 * generation afterwards.  The lists begin again a little later than that changes
 * (lists_of): so they are known to be of it only if they were so when the caller
 * has used or stored an entry of it.  The slot may be another cache's by now, which
 * slot_is_of() tells.
 */
uint64
slot_copy_lists(int index, SlotLists *lists)
{
	CacheSlot  *slot = &shared_slots[index];

	lists->nreads = pg_atomic_read_u32(&slot->nreads);
	lists->nviews = pg_atomic_read_u32(&slot->nviews);
	lists->own_path = pg_atomic_read_u32(&slot->own_path) != 0;
	lists->unseen = pg_atomic_read_u32(&slot->unseen) != 0;
	lists->reads_catalogs = pg_atomic_read_u32(&slot->reads_catalogs) != 0;
	lists->elsewhere = pg_atomic_read_u32(&slot->elsewhere) != 0;
	lists->complete = lists->nreads <= SLOT_READS && lists->nviews <= SLOT_VIEWS;
	lists->nreads = Min(lists->nreads, SLOT_READS);
	lists->nviews = Min(lists->nviews, SLOT_VIEWS);

	/* Members are written before they are counted. */
	pg_read_barrier();
	memcpy(lists->reads, slot->reads, sizeof(Oid) * lists->nreads);
	for (uint32 i = 0; i < lists->nreads; i++)
		lists->columns[i] = pg_atomic_read_u64(&slot->columns[i]);
	memcpy(lists->views, slot->views, sizeof(Oid) * lists->nviews);

	/* With a new generation the lists begin again, after the fence has changed. */
	pg_read_barrier();
	return *(volatile uint64 *) &slot->fence.changes;
}
