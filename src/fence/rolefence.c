/*-------------------------------------------------------------------------
 *
 * rolefence.c
 *		Fences for what is loaded with the rights of one role.
 *
 * A SECURITY INVOKER loader runs as the caller, and its entries are kept apart
 * by role.  Where nobody else's loads use a role's rights, what changes these
 * concerns that role's entries alone: ALTER ROLE, what it is made a member of
 * or is no more, DROP ROLE, and CREATE ROLE that gives an OID away again.  For
 * databases come and go with roles that live for an hour.
 *
 * So there is one more fence to each get of such a cache.  It works as that of a
 * whole cache does (publish.c), in all databases at once: its count of changes
 * is in the images of keys, where it is to a role's entries what the generation
 * is to a cache's.  All roles are published here, whether or not anything was
 * loaded with their rights: so nothing need be noted before.
 *
 * Values in Redis have no such count.  They are used only if their loads have
 * seen whatever the fence remembers.  Which variants of a cache's keys are there
 * (slotlists.c) is forgotten when there are too many: then nobody deletes them in
 * time, but nobody uses what is outdated either.
 *
 * Locking: the registry lock, exclusively, to publish; fences are read without.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/devel.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/witness.h"

Fence	   *shared_role_fences;

static void
role_fences_init(void)
{
	for (int i = 0; i < ROLE_FENCES; i++)
		fence_init(&shared_role_fences[i], 0);
}

const SegmentPart role_fences_part = {
	.name = "header",
	.address = (void **) &shared_role_fences,
	.bytes = ROLE_FENCES * sizeof(Fence),
	.init = role_fences_init,
};

/*
 * Know nothing of transactions up to and including floor.
 */
void
role_fences_begin(uint64 floor)
{
	for (int i = 0; i < ROLE_FENCES; i++)
		fence_init(&shared_role_fences[i], floor);
}

/*
 * Know nothing any more of transactions up to and including floor, while there are
 * readers.  Registry lock.
 */
void
role_fences_forget(uint64 floor)
{
	for (int i = 0; i < ROLE_FENCES; i++)
		fence_forget(&shared_role_fences[i], floor);
}

/*
 * Publish a change of what a role may do.  xid: the top-level transaction's.
 */
void
role_fence_publish(Oid role, FullTransactionId xid)
{
	if (GUARD_REMOVED("role_fence"))
		return;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	fence_publish(role_fence(role), xid, witness_last());

	/* Where roles come and go there are new variants of keys for ever. */
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		if (pg_atomic_read_u32(&shared_slots[i].nvariants) >= SLOT_VARIANTS)
			pg_atomic_write_u32(&shared_slots[i].nvariants, 0);
	}
	pg_atomic_write_u32(&shared_registry->sweep_wanted, 1);
	LWLockRelease(shared_registry_lock);
}
