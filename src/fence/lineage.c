/*-------------------------------------------------------------------------
 *
 * lineage.c
 *		Which history of which cluster a value in Redis belongs to.
 *
 * Transaction ids and fences mean something within one history only.  A
 * crash may lose transactions, whose ids are used again; recovery to a point
 * in time, a promotion, a copy of the data directory make other histories of
 * the same cluster.  So keys carry the system identifier and an epoch, which is
 * renewed unless the server was shut down cleanly and the
 * state that was written then is there (persist.c); and values carry the
 * incarnation of the server that made them, which has to be one of those that
 * the present state descends from.
 *
 * The secret of the MAC is as old as the epoch.  It leaves the server and its data
 * directory with cache.wal = on only, in WAL.
 *
 * A standby has the lineage of its primary, which announces it (news.c): they have one
 * history, and use each other's values.  When it is promoted it goes on with it, as
 * another incarnation; the position that values have with them tells which of them
 * were made before (position.c).
 *
 * Locking: changed while the shared memory is set up, or under the registry
 * lock before it is ready; constant afterwards.  On a standby it is replaced when the
 * primary has started again, and nothing is used meanwhile.  Who is in the middle of
 * something may read half of each: then a MAC or an incarnation is wrong, and
 * nobody believes what it is for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "fence/lineage.h"

Lineage    *shared_lineage;

static void
lineage_init(void)
{
	memset(shared_lineage, 0, sizeof(Lineage));
}

const SegmentPart lineage_part = {
	.name = "header",
	.address = (void **) &shared_lineage,
	.bytes = sizeof(Lineage),
	.init = lineage_init,
};

/*
 * Begin a new epoch, with the timeline that the server is on.
 */
void
lineage_begin(Lineage *lineage)
{
	memset(lineage, 0, sizeof(Lineage));
	lineage->system = GetSystemIdentifier();
	lineage->timeline = GetWALInsertionTimeLine();
	lineage->broken =
		!pg_strong_random(&lineage->epoch, sizeof(lineage->epoch)) ||
		!pg_strong_random(lineage->secret, sizeof(lineage->secret));
	lineage_continue(lineage);
}

/*
 * Add an incarnation, and forget the oldest if there are too many.
 */
void
lineage_continue(Lineage *lineage)
{
	uint64		incarnation = 0;

	if (!pg_strong_random(&incarnation, sizeof(incarnation)))
		lineage->broken = true;
	if (lineage->nincarnations == LINEAGE_MAX)
	{
		lineage->nincarnations--;
		memmove(lineage->incarnations, lineage->incarnations + 1,
				sizeof(uint64) * lineage->nincarnations);
	}
	lineage->incarnations[lineage->nincarnations++] = incarnation;
}

/*
 * A standby that has replayed this history goes on with it as a primary.
 */
void
lineage_promote(Lineage *lineage)
{
	if (lineage->broken)
	{
		lineage_begin(lineage);
		return;
	}
	lineage->timeline = GetWALInsertionTimeLine();
	lineage_continue(lineage);
}

/*
 * Was a value that was made by this incarnation made in our history?
 */
bool
lineage_has(const Lineage *lineage, uint64 incarnation)
{
	for (uint32 i = lineage->nincarnations; i > 0; i--)
	{
		if (lineage->incarnations[i - 1] == incarnation)
			return true;
	}
	return false;
}
