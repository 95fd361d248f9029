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
 * An update that leaves the key alone says which columns it has changed.  Where
 * one of those is among what loads have read already, it matters, and no more is
 * looked at.
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
#include "utils/datum.h"
#include "utils/snapmgr.h"

#include "definition/definition.h"
#include "definition/key.h"
#include "fence/columns.h"
#include "fence/registry.h"
#include "fence/news.h"
#include "fence/slotlists.h"
#include "fence/watchrows.h"
#include "protocol/catalogs.h"
#include "protocol/invalidate.h"
#include "protocol/pending.h"
#include "segment.h"
#include "write/keyfunction.h"
#include "write/rowkeys.h"

/* The key that a row holds is pending, by a change (NULL: that matters). */
static void
row_pending(RowKeys *keys, TupleTableSlot *slot, const ColumnChange *change)
{
	uint64		hash = key_hash_start(keys->def->id);
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];
	Oid			types[FUNC_MAX_ARGS];
	PendingHandle added;

	for (int i = 0; i < keys->ncolumns; i++)
	{
		RowColumn  *column = &keys->columns[i];

		values[i] = rowkeys_value(column, slot, &nulls[i]);
		types[i] = column->type;
		hash = key_hash_told(hash, column->key, &column->hash, column->coercion,
							 &values[i], &nulls[i], &types[i]);
	}
	added = invalidate_key(keys->def, hash, change);
	if (added != PENDING_NONE)
		invalidate_tell(keys->def, added, keys->ncolumns, values, nulls, types);
}

/*
 * Do two rows have the same key in the columns, byte by byte?  Most updates leave
 * it alone.
 */
static bool
is_same_key(RowKeys *keys, TupleTableSlot *a, TupleTableSlot *b)
{
	for (int i = 0; i < keys->ncolumns; i++)
	{
		RowColumn  *column = &keys->columns[i];
		bool		null_a;
		bool		null_b;
		Datum		value_a = rowkeys_value(column, a, &null_a);
		Datum		value_b = rowkeys_value(column, b, &null_b);

		if (null_a != null_b ||
			(!null_a && !datumIsEqual(value_a, value_b, column->attbyval,
									  column->attlen)))
			return false;
	}
	return true;
}

/*
 * The keys that a key function tells from a row are pending.  Everything that
 * a statement's rows make pending is looked up under the same snapshot.
 */
static void
call_pending(RowKeys *keys, TupleTableSlot *slot)
{
	bool		pushed = false;

	if (!ActiveSnapshotSet() ||
		GetActiveSnapshot()->snapshot_type != SNAPSHOT_MVCC)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		keys->called = false;
		pushed = true;
	}
	if (!keys->called)
		pending_note_call(keys->def->id, GetActiveSnapshot());
	keys->called = true;
	key_function_call(keys->def, keys->function, slot);
	if (pushed)
		PopActiveSnapshot();
}

/*
 * Find out how keys are told.  If DDL can replace what they are told by, hear
 * of all DDL there has been first.
 */
static RowKeys *
find_keys(FmgrInfo *flinfo, TriggerData *data)
{
	RowKeys    *keys = rowkeys_find(flinfo, data);
	bool		known;

	if (!keys->depends || keys->def == NULL)
		return keys;
	known = catalogs_settle();
	keys = rowkeys_find(flinfo, data);
	if (keys->def != NULL)
		invalidate_told(keys->def,
						known && !(keys->nested && catalogs_have_moved()));
	return keys;
}

/* What a row stands for is pending. */
static void
slot_pending(RowKeys *keys, TupleTableSlot *slot, const ColumnChange *change)
{
	if (keys->whole)
		invalidate_cache_by(keys->def, change);
	else if (keys->function != NULL)
		call_pending(keys, slot);
	else
		row_pending(keys, slot, change);
}

/* Does the new version of a row stand for what the old one does? */
static bool
is_same(RowKeys *keys, TriggerData *data)
{
	if (keys->whole || keys->function != NULL)
		return keys->whole;
	return is_same_key(keys, data->tg_trigslot, data->tg_newslot);
}

/* What an update has changed, if it may be that this matters to nobody. */
static const ColumnChange *
find_change(RowKeys *keys, TriggerData *data, ColumnChange *change)
{
	Columns		matter;

	change->slot = rowkeys_slot(keys);
	change->relid = keys->relid;
	if (!slot_reads(change->slot, MyDatabaseId, keys->def->id, keys->relid,
					&matter))
	{
		/* Here it matters; on standbys loads may have read what it leaves alone. */
		if (!news_wanted())
			return NULL;
		matter = COLUMNS_NONE;
	}
	if ((matter & COLUMNS_ROW) != 0)
		return NULL;
	change->columns = columns_changed(data->tg_relation, data->tg_trigslot,
									  data->tg_newslot, matter);
	return change->columns == COLUMNS_ALL ? NULL : change;
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
	RowKeys    *keys;
	RowKeys    *now;
	ColumnChange buffer;
	const ColumnChange *change = NULL;
	bool		same;

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
	if (!segment_exists())
		return PointerGetDatum(NULL);

	keys = find_keys(fcinfo->flinfo, data);
	if (keys->unknown)
		pending_add_database(MyDatabaseId);
	if (keys->def == NULL)
		return PointerGetDatum(NULL);
	invalidate_mapped(keys->def);
	if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
		watchrows_count(&keys->rows, keys->def->id, data->tg_trigger->tgname);
	if (pending_is_whole(keys->def->id))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
	{
		invalidate_cache(keys->def);
		return PointerGetDatum(NULL);
	}
	if (!TRIGGER_FIRED_BY_UPDATE(data->tg_event))
	{
		slot_pending(keys, data->tg_trigslot, NULL);
		return PointerGetDatum(NULL);
	}
	same = is_same(keys, data);
	if (same)
		change = find_change(keys, data, &buffer);
	slot_pending(keys, data->tg_trigslot, change);

	/* Code of others may have run. */
	now = find_keys(fcinfo->flinfo, data);
	if (now->def != NULL && (now != keys || !same))
		slot_pending(now, data->tg_newslot, NULL);
	return PointerGetDatum(NULL);
}
