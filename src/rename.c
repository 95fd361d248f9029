/*-------------------------------------------------------------------------
 *
 * rename.c
 *		Renames that watches follow.
 *
 * The triggers of a watch name what they read by their arguments: the columns
 * that hold the key, or a key function and the table whose rows it takes.
 * When one of these gets another name or schema, the arguments get it as well,
 * in the same transaction.  (The definitions of caches follow in admin.c.)
 *
 * A column's new name is known once the command is through.  What else is
 * renamed may be any of many objects, a schema among them: so key functions
 * are remembered by their OIDs before the command, and named anew after it.
 *
 * Locking: that of the command, which has the renamed table, and a
 * ROW EXCLUSIVE lock on pg_trigger.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "extension.h"
#include "keyfunction.h"
#include "rename.h"
#include "watch.h"

/* Strings as the arguments of a trigger: NUL-terminated, in a bytea. */
static Datum
arguments_datum(char **args, int n)
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	appendStringInfoSpaces(&bytes, VARHDRSZ);
	for (int i = 0; i < n; i++)
		appendBinaryStringInfo(&bytes, args[i], strlen(args[i]) + 1);
	SET_VARSIZE(bytes.data, bytes.len);
	return PointerGetDatum(bytes.data);
}

/* Update a trigger's row with other arguments. */
static void
set_arguments(Relation pg_trigger, HeapTuple tuple, char **args, int n)
{
	Datum		values[Natts_pg_trigger] = {0};
	bool		nulls[Natts_pg_trigger] = {0};
	bool		replace[Natts_pg_trigger] = {0};

	values[Anum_pg_trigger_tgargs - 1] = arguments_datum(args, n);
	replace[Anum_pg_trigger_tgargs - 1] = true;
	tuple = heap_modify_tuple(tuple, RelationGetDescr(pg_trigger),
							  values, nulls, replace);
	CatalogTupleUpdate(pg_trigger, &tuple->t_self, tuple);
}

/*
 * A column has been renamed: the watches of the table and of its partitions
 * follow it.
 */
void
rename_column(Oid relid, const char *from, const char *to)
{
	const Extension *extension = extension_find();
	Relation	pg_trigger;
	ListCell   *lc;

	if (extension == NULL)
		return;
	pg_trigger = table_open(TriggerRelationId, RowExclusiveLock);
	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		SysScanDesc scan;
		ScanKeyData key;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber,
					F_OIDEQ, ObjectIdGetDatum(lfirst_oid(lc)));
		scan = systable_beginscan(pg_trigger, TriggerRelidNameIndexId, true,
								  NULL, 1, &key);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		{
			Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
			char	  **args;
			bool		renamed = false;

			if (form->tgfoid != extension->trigger_function)
				continue;
			args = watch_arguments(tuple, pg_trigger, form->tgnargs);
			if (args == NULL || key_function_is_named(form->tgnargs, args))
				continue;
			for (int i = 1; i < form->tgnargs; i++)
			{
				if (strcmp(args[i], from) != 0)
					continue;
				args[i] = pstrdup(to);
				renamed = true;
			}
			if (renamed)
				set_arguments(pg_trigger, tuple, args, form->tgnargs);
		}
		systable_endscan(scan);
		CacheInvalidateRelcacheByRelid(lfirst_oid(lc));
	}
	table_close(pg_trigger, RowExclusiveLock);
	CommandCounterIncrement();
}

/* A watch whose key function or table may be about to be renamed. */
typedef struct Remembered
{
	Oid			trigger;
	Oid			function;
	Oid			relid;			/* whose rows it takes */
} Remembered;

/*
 * Before something is renamed or moved to another schema: remember the key
 * functions of all watches.
 */
List *
rename_remember(void)
{
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, watch_list())
	{
		Watch	   *watch = lfirst(lc);
		Remembered *item = palloc(sizeof(Remembered));

		if (!watch->function ||
			!key_function_find(watch->args, &item->function, &item->relid))
			continue;
		item->trigger = watch->trigger;
		all = lappend(all, item);
	}
	return all;
}

/*
 * Afterwards: let the watches name them as they are called now.
 */
void
rename_follow(List *remembered)
{
	Relation	pg_trigger;
	ListCell   *lc;

	if (remembered == NIL)
		return;
	pg_trigger = table_open(TriggerRelationId, RowExclusiveLock);
	foreach(lc, remembered)
	{
		Remembered *item = lfirst(lc);
		SysScanDesc scan;
		ScanKeyData key;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber,
					F_OIDEQ, ObjectIdGetDatum(item->trigger));
		scan = systable_beginscan(pg_trigger, TriggerOidIndexId, true, NULL,
								  1, &key);
		tuple = systable_getnext(scan);
		if (HeapTupleIsValid(tuple))
		{
			Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
			char	  **args = watch_arguments(tuple, pg_trigger,
											   form->tgnargs);
			List	   *names = key_function_names(item->function, item->relid);
			bool		renamed = false;

			for (int i = 1; i < KEY_FUNCTION_ARGS; i++)
			{
				char	   *now = strVal(list_nth(names, i - 1));

				renamed |= strcmp(args[i], now) != 0;
				args[i] = now;
			}
			if (renamed)
			{
				set_arguments(pg_trigger, tuple, args, form->tgnargs);
				CacheInvalidateRelcacheByRelid(form->tgrelid);
			}
		}
		systable_endscan(scan);
	}
	table_close(pg_trigger, RowExclusiveLock);
	CommandCounterIncrement();
}
