/*-------------------------------------------------------------------------
 *
 * trigger.c
 *		The trigger function of watches.
 *
 * After each row that is inserted, updated or deleted, the keys that its old
 * and its new version hold, or that the watch's key function tells from them,
 * become pending; before a TRUNCATE, the whole cache.  Where the key cannot be
 * read from the row any more (the cache or the table has been altered in
 * between), the whole cache is pending instead: a trigger never makes a write
 * fail, and never misses one.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "definition.h"
#include "invalidate.h"
#include "key.h"
#include "keyfunction.h"
#include "pending.h"
#include "shared.h"
#include "watch.h"

typedef struct WatchedColumn
{
	AttrNumber	attnum;
	Oid			type;
	Oid			collation;
	KeyHash		hash;
} WatchedColumn;

/* What a trigger has to know, kept for as long as its statement runs. */
typedef struct WatchInfo
{
	uint64		generation;		/* of definitions */
	CacheDef   *def;			/* NULL: there is no such cache */
	bool		unknown;		/* no definition can be read at present */
	bool		whole;			/* no key can be told from a row */
	KeyFunction *keys;			/* that tells the keys, if any */
	bool		called;			/* it has been, by this statement */
	int			ncolumns;
	WatchedColumn columns[FLEXIBLE_ARRAY_MEMBER];
} WatchInfo;

/* Set up one column; false if the key cannot be told from it. */
static bool
column_setup(WatchedColumn *column, KeyColumn *key, Relation rel,
			 const char *name)
{
	Form_pg_attribute att;

	column->attnum = get_attnum(RelationGetRelid(rel), name);
	if (column->attnum <= 0)
		return false;
	att = TupleDescAttr(RelationGetDescr(rel), column->attnum - 1);
	if (CACHE_IS_VIRTUAL(att))
		return false;
	column->type = att->atttypid;
	column->collation = key->collation;

	/* The key is compared under one collation only. */
	if (OidIsValid(att->attcollation) &&
		att->attcollation != key->collation &&
		!get_collation_isdeterministic(att->attcollation))
		return false;
	return key_column_fits(key, att->atttypid, &column->hash);
}

static WatchInfo *
watch_info(FunctionCallInfo fcinfo, TriggerData *data)
{
	WatchInfo  *info = fcinfo->flinfo->fn_extra;
	Trigger    *trigger = data->tg_trigger;
	MemoryContext old;

	if (info != NULL && info->generation == definition_generation)
		return info;

	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	info = palloc0(offsetof(WatchInfo, columns) +
				   sizeof(WatchedColumn) * trigger->tgnargs);
	info->unknown = !definition_is_readable();
	if (!info->unknown)
		info->def = definition_find(trigger->tgargs[0]);
	info->ncolumns = trigger->tgnargs - 1;
	if (info->def != NULL &&
		key_function_is_named(trigger->tgnargs, trigger->tgargs))
	{
		if (info->def->usable)
			info->keys = key_function_open(info->def, trigger->tgargs,
										   data->tg_relation);
		info->whole = info->keys == NULL;
	}
	else if (info->def != NULL)
	{
		info->whole = !info->def->usable || info->ncolumns == 0 ||
			info->ncolumns != info->def->nkeys;
		for (int i = 0; !info->whole && i < info->ncolumns; i++)
			info->whole = !column_setup(&info->columns[i], &info->def->keys[i],
										data->tg_relation,
										trigger->tgargs[i + 1]);
	}
	info->generation = definition_generation;
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = info;
	return info;
}

/* The key that a row holds is pending. */
static void
row_pending(WatchInfo *info, TupleTableSlot *slot)
{
	uint64		hash = key_hash_start(info->def->id);
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];
	Oid			types[FUNC_MAX_ARGS];

	for (int i = 0; i < info->ncolumns; i++)
	{
		WatchedColumn *column = &info->columns[i];

		values[i] = slot_getattr(slot, column->attnum, &nulls[i]);
		types[i] = column->type;
		hash = key_hash_add(hash, &column->hash, column->collation,
							values[i], nulls[i]);
	}
	if (invalidate_key(info->def, hash))
		invalidate_tell(info->def, info->ncolumns, values, nulls, types);
}

/*
 * The keys that a key function tells from a row are pending.  Everything that
 * a statement's rows make pending is looked up under the same snapshot.
 */
static void
call_pending(WatchInfo *info, TupleTableSlot *slot)
{
	bool		pushed = false;

	if (!ActiveSnapshotSet() ||
		GetActiveSnapshot()->snapshot_type != SNAPSHOT_MVCC)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		info->called = false;
		pushed = true;
	}
	if (!info->called)
		pending_note_call(info->def->id, GetActiveSnapshot());
	info->called = true;
	key_function_call(info->def, info->keys, slot);
	if (pushed)
		PopActiveSnapshot();
}

/* What a row stands for is pending. */
static void
slot_pending(FunctionCallInfo fcinfo, TriggerData *data, TupleTableSlot *slot)
{
	WatchInfo  *info = watch_info(fcinfo, data);

	if (info->def == NULL)
		return;
	if (info->whole)
		invalidate_cache(info->def);
	else if (info->keys != NULL)
		call_pending(info, slot);
	else
		row_pending(info, slot);
}

/*
 * cache_trigger(): the trigger function.  Arguments: the cache's name, and
 * the columns that hold the key or the names of a key function.
 */
PG_FUNCTION_INFO_V1(cache_trigger);
Datum
cache_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	WatchInfo  *info;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cache_trigger() can only be called as a trigger"),
				 errhint("Use cache_watch() to watch a table.")));
	if (data->tg_trigger->tgnargs < 1 ||
		!(TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) ||
		  (TRIGGER_FIRED_FOR_ROW(data->tg_event) &&
		   TRIGGER_FIRED_AFTER(data->tg_event))))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" is not one that cache_watch() makes",
						data->tg_trigger->tgname),
				 errhint("Use cache_watch() to watch a table.")));

	/* Without shared memory nothing is cached. */
	if (cache_shared == NULL)
		return PointerGetDatum(NULL);

	info = watch_info(fcinfo, data);
	if (info->unknown)
		pending_add_database(MyDatabaseId);
	if (info->def == NULL)
		return PointerGetDatum(NULL);
	if (pending_is_whole(info->def->id))
		return PointerGetDatum(NULL);
	invalidate_mapped(info->def);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		invalidate_cache(info->def);
	else
	{
		slot_pending(fcinfo, data, data->tg_trigslot);
		if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
			slot_pending(fcinfo, data, data->tg_newslot);
	}
	return PointerGetDatum(NULL);
}
