/*-------------------------------------------------------------------------
 *
 * open.c
 *		Opening the cache for business.
 *
 * Once after each start, when the server is out of recovery: then it is known
 * whether the fences go on from where the last shutdown, or the replay of WAL, has
 * left them, or begin.  Before anybody can publish, the server announces itself to
 * standbys (news.c).
 *
 * Locking: the registry lock, exclusively, and those of keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"

#include "base/devel.h"
#include "fence/keyfence.h"
#include "fence/lineage.h"
#include "fence/mapping.h"
#include "fence/news.h"
#include "fence/open.h"
#include "fence/persist.h"
#include "fence/ready.h"
#include "fence/recentxid.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/standby.h"

/*
 * Know nothing of what happened so far.
 *
 * The fences begin empty, so nothing is known of transactions that were
 * prepared before a restart and may commit at any time, nor of what happened
 * while the server was a standby.  Hence the floor: every xid handed out so
 * far may have published anything.
 */
static void
begin_history(uint64 next)
{
	registry_begin(next - 1);
	key_fences_begin(next - 1);
	role_fences_begin(next - 1);
	lineage_begin(shared_lineage);
}

/*
 * The same for a standby that has been promoted, and used its cache before: somebody
 * may still look at the fences.
 */
static void
forget_history(uint64 next)
{
	registry_forget(next - 1);
	role_fences_forget(next - 1);
	key_fences_forget(next - 1);
	lineage_begin(shared_lineage);
}

/*
 * If the fences are as they were when the server was shut down, all is known;
 * but the timeline shows whether it went through a recovery since.  If it was a
 * standby that knew all, all is known, too.
 */
static void
open_for_business(void)
{
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	if (!ready_has_opened())
	{
		uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());
		bool		promoted = shared_standby->has_followed;
		bool		restored = !promoted && persist_has_restored() &&
			shared_lineage->timeline == GetWALInsertionTimeLine();

		if (promoted && standby_knows_all(next))
		{
			/* Of what is prepared with DDL the lock tells from now on (catalogs.c). */
			registry_count_ddl();
			lineage_promote(shared_lineage);
		}
		else if (promoted)
			forget_history(next);
		else if (!restored)
			begin_history(next);
		mapping_begin(next, restored);
		recent_xid_begin(next);
		news_announce();
		ready_set(READY_PRIMARY);
	}
	LWLockRelease(shared_registry_lock);
}

/*
 * While the library is loaded.
 */
void
open_init(void)
{
	ready_register(open_for_business);
}
