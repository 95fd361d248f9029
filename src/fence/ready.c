/*-------------------------------------------------------------------------
 *
 * ready.c
 *		May entries be used at all?
 *
 * The fences know what has happened only if the server has handed out all
 * transaction ids itself since they began, or the primary tells what it publishes
 * (standby.c).  So everybody asks here first, after taking a snapshot, and who is
 * the first to find the server out of recovery opens the cache for business
 * (open.c, which has registered itself: it uses what asks here).
 *
 * Locking: none to ask, which each hit does: so nothing that changes shares the
 * cache line.  The registry lock is here, at the bottom, since it is for many: the
 * registry of caches with its fences (registry.c), the fences of roles, what key
 * functions may have missed (mapping.c), what loads depend on (dependencyset.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "fence/ready.h"

SharedReady *shared_ready;
LWLock	   *shared_registry_lock;

static void (*ready_open) (void) = NULL;

static void
ready_init(void)
{
	pg_atomic_init_u32(&shared_ready->opened, READY_FOR_NOTHING);
}

const SegmentPart ready_part = {
	.name = "header",
	.address = (void **) &shared_ready,
	.bytes = sizeof(SharedReady),
	.nlocks = 1,
	.locks = (LWLockPadded **) &shared_registry_lock,
	.init = ready_init,
};

/*
 * Have this called when the server is found out of recovery.  It calls
 * ready_set() when all is prepared.
 */
void
ready_register(void (*open) (void))
{
	ready_open = open;
}

/*
 * Entries may be used from now on.
 */
void
ready_set(ReadyFor opened)
{
	pg_write_barrier();
	pg_atomic_write_u32(&shared_ready->opened, opened);
}

/*
 * They may not be used any more, in recovery.  Who takes a snapshot from now on
 * finds that out.
 */
void
ready_unset(void)
{
	pg_atomic_write_u32(&shared_ready->opened, READY_FOR_NOTHING);
	pg_memory_barrier();
}

/*
 * For ready_for_use(): not open yet, or in recovery, or out of it since.
 */
bool
ready_try_open(void)
{
	if (RecoveryInProgress())
	{
		bool		open = pg_atomic_read_u32(&shared_ready->opened) == READY_STANDBY;

		pg_read_barrier();
		return open;
	}
	ready_open();
	return true;
}
