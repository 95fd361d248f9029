/*-------------------------------------------------------------------------
 *
 * stats.c
 *		cache_stats and cache_stats_reset().
 *
 * Backends count for themselves and add their counts to the shared ones at
 * the end of each transaction, or after a number of events (registry.c).
 * What is in memory is counted when somebody asks, by walking the index
 * (store.c): exact, and free for everybody else.
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

#include "compat.h"
#include "definition.h"
#include "registry.h"
#include "shared.h"
#include "store.h"

#define STATS_COLUMNS	(4 + STATS_LOAD_TIME + 2)

/* One row of the view. */
static void
stats_row(ReturnSetInfo *rsinfo, CacheDef *def, const StoreUsage *usage)
{
	Datum		values[STATS_COLUMNS];
	bool		nulls[STATS_COLUMNS] = {0};
	uint64		counters[STATS_COUNTERS] = {0};
	StoreUsage	used = {0};
	int			slot = slot_find(MyDatabaseId, def->id);
	uint64		answered;
	uint64		gets;
	int			col = 0;

	if (slot >= 0)
	{
		used = usage[slot];
		for (int i = 0; i < STATS_COUNTERS; i++)
			counters[i] = pg_atomic_read_u64(&cache_slots[slot].counters[i]);
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
	for (int i = 0; i < STATS_LOAD_TIME; i++)
		values[col++] = Int64GetDatum(counters[i]);

	answered = counters[STATS_HITS] + counters[STATS_REDIS_HITS];
	gets = answered + counters[STATS_MISSES];
	nulls[col] = gets == 0;
	values[col++] = Float8GetDatum(gets == 0 ? 0 : (double) answered / gets);
	values[col++] = Float8GetDatum(counters[STATS_LOAD_TIME] / 1e6);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * cache_stats_rows(): the rows of the view cache_stats
 */
PG_FUNCTION_INFO_V1(cache_stats_rows);
Datum
cache_stats_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	StoreUsage *usage;
	List	   *names;
	ListCell   *lc;

	shared_require();
	InitMaterializedSRF(fcinfo, 0);
	names = definition_names();
	stats_flush();
	usage = palloc(sizeof(StoreUsage) * SHARED_SLOTS);
	store_usage(usage);
	foreach(lc, names)
	{
		CacheDef   *def = definition_find(lfirst(lc));

		if (def != NULL)
			stats_row(rsinfo, def, usage);
	}
	return (Datum) 0;
}

static void
stats_reset(CacheDef *def)
{
	int			slot = slot_find(MyDatabaseId, def->id);

	if (slot < 0)
		return;
	for (int i = 0; i < STATS_COUNTERS; i++)
		pg_atomic_write_u64(&cache_slots[slot].counters[i], 0);
}

/*
 * cache_stats_reset(name text): NULL resets all caches that the caller owns
 */
PG_FUNCTION_INFO_V1(cache_stats_reset);
Datum
cache_stats_reset(PG_FUNCTION_ARGS)
{
	shared_require();
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
