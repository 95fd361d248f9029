/*-------------------------------------------------------------------------
 *
 * statsview.c
 *		cache_stats, cache_bypasses and cache_stats_reset().
 *
 * Backends count for themselves and add their counts to the shared ones at
 * the end of each transaction, or after a number of events (stats.c).
 * What is in memory is counted when somebody asks, by walking the index
 * (index.c): exact, and free for everybody else.
 *
 * Locking: partition locks, one at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "definition/definition.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/stats.h"
#include "protocol/lock.h"
#include "segment.h"
#include "store/index.h"

#define STATS_COLUMNS	19		/* in version 1.0 there were the first 15 */

/* How cache_bypasses calls the reasons. */
static const char *const reasons[BYPASS_REASONS] = {
	[BYPASS_DISABLED] = "disabled",
	[BYPASS_SERIALIZABLE] = "serializable",
	[BYPASS_OWN_CHANGES] = "own changes",
	[BYPASS_CONCURRENT_CHANGES] = "concurrent changes",
	[BYPASS_DDL] = "ddl",
	[BYPASS_TEMPORARY] = "temporary",
	[BYPASS_WORKER] = "worker",
	[BYPASS_COLLATION] = "collation",
	[BYPASS_RESULT] = "result",
	[BYPASS_STANDBY] = "standby",
};

/* When the counters of a slot began. */
static TimestampTz
stats_began(int slot)
{
	TimestampTz began = slot < 0 ? 0 :
		(TimestampTz) pg_atomic_read_u64(&shared_counters[slot].began);

	if (began != 0)
		return began;
	return shared_registry->restarted != 0 ? shared_registry->restarted : PgStartTime;
}

/* One row of cache_stats. */
static void
stats_row(ReturnSetInfo *rsinfo, CacheDef *def, const IndexUsage *usage)
{
	Datum		values[STATS_COLUMNS];
	bool		nulls[STATS_COLUMNS] = {0};
	uint64		counters[STATS_COUNTERS] = {0};
	IndexUsage	used = {0};
	int			slot = slot_find(MyDatabaseId, def->id);
	uint64		answered;
	uint64		gets;
	uint64		bypasses = 0;
	int			col = 0;

	if (slot >= 0)
	{
		used = usage[slot];
		for (int i = 0; i < STATS_COUNTERS; i++)
			counters[i] = stats_read(slot, i);
	}
	values[col++] = CStringGetTextDatum(NameStr(def->name));
	values[col++] = Int64GetDatum(used.entries);
	values[col++] = Int64GetDatum(used.bytes);
	if (def->plain && def->limit.max_cost != 0)
		values[col++] = Int64GetDatum(used.cost);
	else
		values[col++] = Int64GetDatum(def->limit.entry_cost ?
									  used.entries * def->limit.entry_cost :
									  used.bytes);
	for (int i = 0; i < BYPASS_REASONS; i++)
		bypasses += counters[STATS_BYPASSES + i];
	values[col++] = Int64GetDatum(counters[STATS_HITS]);
	values[col++] = Int64GetDatum(counters[STATS_REDIS_HITS]);
	values[col++] = Int64GetDatum(counters[STATS_MISSES]);
	values[col++] = Int64GetDatum(counters[STATS_LOADS]);
	values[col++] = Int64GetDatum(bypasses);
	values[col++] = Int64GetDatum(counters[STATS_REJECTED]);
	values[col++] = Int64GetDatum(counters[STATS_EVICTIONS]);
	values[col++] = Int64GetDatum(counters[STATS_EXPIRATIONS]);
	values[col++] = Int64GetDatum(counters[STATS_INVALIDATIONS]);

	/* Who has waited was answered, but not at the price of a hit. */
	answered = counters[STATS_HITS] + counters[STATS_REDIS_HITS];
	gets = answered + counters[STATS_WAITS] + counters[STATS_MISSES];
	nulls[col] = gets == 0;
	values[col++] = Float8GetDatum(gets == 0 ? 0 : (double) answered / gets);
	values[col++] = Float8GetDatum(counters[STATS_LOAD_TIME] / 1e6);
	values[col++] = Int64GetDatum(counters[STATS_WAITS]);
	values[col++] = Int64GetDatum(counters[STATS_FAILED_LOADS]);
	values[col++] = Int64GetDatum(counters[STATS_FLUSHES]);
	values[col++] = TimestampTzGetDatum(stats_began(slot));
	Assert(col == STATS_COLUMNS);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * cache_stats_rows(): the rows of the view cache_stats.  Of what 1.0's has
 * declared these are the first columns, and the others are left out.
 */
PG_FUNCTION_INFO_V1(cache_stats_rows);
Datum
cache_stats_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	IndexUsage *usage;
	List	   *names;
	ListCell   *lc;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	names = definition_names();
	stats_flush();
	usage = palloc(sizeof(IndexUsage) * REGISTRY_SLOTS);
	index_usage(usage);
	foreach(lc, names)
	{
		CacheDef   *def = definition_find(lfirst(lc));

		if (def != NULL)
			stats_row(rsinfo, def, usage);
	}
	return (Datum) 0;
}

/*
 * cache_bypasses_rows(): the rows of the view cache_bypasses
 */
PG_FUNCTION_INFO_V1(cache_bypasses_rows);
Datum
cache_bypasses_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	stats_flush();
	foreach(lc, definition_names())
	{
		CacheDef   *def = definition_find(lfirst(lc));
		int			slot = def == NULL ? -1 : slot_find(MyDatabaseId, def->id);

		for (int i = 0; slot >= 0 && i < BYPASS_REASONS; i++)
		{
			uint64		count = stats_read(slot, STATS_BYPASSES + i);
			Datum		values[3];
			bool		nulls[3] = {0};

			if (count == 0)
				continue;
			values[0] = CStringGetTextDatum(NameStr(def->name));
			values[1] = CStringGetTextDatum(reasons[i]);
			values[2] = Int64GetDatum(count);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}

static void
stats_reset(CacheDef *def)
{
	int			slot;

	/* The time of the reset is remembered with the cache's slot. */
	if (ready_for_use())
		(void) lock_slot(def);
	slot = slot_find(MyDatabaseId, def->id);
	if (slot >= 0)
		slot_begin_counting(slot, GetCurrentTimestamp());
}

/*
 * cache_stats_reset(name text): NULL resets all caches that the caller owns
 */
PG_FUNCTION_INFO_V1(cache_stats_reset);
Datum
cache_stats_reset(PG_FUNCTION_ARGS)
{
	segment_require();
	stats_flush();
	if (!PG_ARGISNULL(0))
	{
		CacheDef   *def = definition_get(definition_name(PG_GETARG_TEXT_PP(0)));

		definition_require_owner(def);
		stats_reset(def);
	}
	else
	{
		ListCell   *lc;

		foreach(lc, definition_names())
		{
			CacheDef   *def = definition_find(lfirst(lc));

			if (def != NULL && definition_is_owner(def))
				stats_reset(def);
		}
	}
	PG_RETURN_VOID();
}
