/*-------------------------------------------------------------------------
 *
 * memory.c
 *		cache_memory: where every byte of the shared memory is.
 *
 * Most parts have a fixed size (shared.c).  What entries occupy is counted as
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

#include "ratelimit/window.h"
#include "shared.h"
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

	LWLockAcquire(cache_store_lock, LW_SHARED);
	entries = cache_shared->entries;
	policies = cache_shared->policy_units * ARENA_UNIT;
	free = (uint64) cache_shared->arena.free_units * ARENA_UNIT;
	LWLockRelease(cache_store_lock);

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
	SharedPart	parts[SHARED_PARTS];

	shared_require();
	InitMaterializedSRF(fcinfo, 0);
	shared_parts(parts);
	for (int i = 0; i < SHARED_PARTS - 1; i++)
		return_part(rsinfo, parts[i].name, parts[i].bytes);
	return_arena(rsinfo, parts[SHARED_PARTS - 1].bytes);
	return_part(rsinfo, "rate limits", window_size());
	return (Datum) 0;
}
