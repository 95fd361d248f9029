/*-------------------------------------------------------------------------
 *
 * memory.c
 *		cache_memory: where every byte of the shared memory is.
 *
 * Most parts have a fixed size (segment.c).  What entries occupy is counted as
 * they are made and freed (evict.c), so that nothing has to be walked.
 *
 * Locking: the store lock, for a moment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "base/devel.h"
#include "ratelimit/window.h"
#include "segment.h"
#include "store/entry.h"

static void
return_part(ReturnSetInfo *rsinfo, const char *name, uint64 bytes)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(name);
	values[1] = Int64GetDatum(bytes);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* What is in the arena, of so many bytes. */
static void
return_arena(ReturnSetInfo *rsinfo, uint64 bytes)
{
	EntryTotals entries;
	uint64		policies;
	uint64		free;

	LWLockAcquire(shared_store_lock, LW_SHARED);
	entries = shared_store->entries;
	policies = shared_store->policy_units * ARENA_UNIT;
	free = (uint64) shared_store->arena.free_units * ARENA_UNIT;
	LWLockRelease(shared_store_lock);

	return_part(rsinfo, "own policies", policies);
	return_part(rsinfo, "entry headers", entries.units * ARENA_UNIT -
				entries.keys - entries.values - entries.unused);
	return_part(rsinfo, "keys", entries.keys);
	return_part(rsinfo, "values", entries.values);
	return_part(rsinfo, "rounding", entries.unused);
	return_part(rsinfo, "free", free);
	return_part(rsinfo, "arena", bytes - policies - free -
				entries.units * ARENA_UNIT);
}

/*
 * cache_memory_rows(): the rows of the view cache_memory
 */
PG_FUNCTION_INFO_V1(cache_memory_rows);
Datum
cache_memory_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SegmentShare shares[SEGMENT_PARTS];
	int			n;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	n = segment_shares(shares);
	for (int i = 0; i < n - 1; i++)
		return_part(rsinfo, shares[i].name, shares[i].bytes);
	return_arena(rsinfo, shares[n - 1].bytes);
	return_part(rsinfo, "rate limits", window_size());
	return (Datum) 0;
}
