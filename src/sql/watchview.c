/*-------------------------------------------------------------------------
 *
 * watchview.c
 *		The view cache_watches.
 *
 * Locking: none beyond the catalogs' own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "base/textarray.h"
#include "definition/definition.h"
#include "definition/watches.h"
#include "fence/watchrows.h"
#include "segment.h"

#define WATCHES_COLUMNS	6

/*
 * What becomes of writes.  Partitions have the row trigger of their parent, by
 * the same name, and can have it disabled by themselves.
 */
static const char *
watch_state(List *watches, const Watch *watch)
{
	bool		enabled = true;
	bool		sound = true;
	ListCell   *lc;

	if (definition_find(watch->args[0]) == NULL)
		return "no cache";
	if (!watch->rows || !watches_has_companion(watches, watch))
		return "incomplete";
	foreach(lc, watches)
	{
		Watch	   *other = lfirst(lc);

		if (strcmp(other->args[0], watch->args[0]) != 0)
			continue;
		if (other->inherited ? strcmp(other->name, watch->name) == 0 :
			other->relid == watch->relid &&
			watches_is_same(other, watch->columns, watch->ncolumns))
		{
			enabled &= other->enabled;
			sound &= other->sound;
		}
	}
	return !enabled ? "disabled" : sound ? "enabled" : "altered";
}

/* How many rows it has seen; -1 if nobody counts. */
static int64
watch_rows_seen(const Watch *watch)
{
	CacheDef   *def = definition_find(watch->args[0]);

	return def == NULL ? -1 : watchrows_read(def->id, watch->name);
}

/* The columns of a watch, or its expressions, as an array of text. */
static Datum
columns_array(const Watch *watch)
{
	int			first = watch->expressions ? WATCH_EXPRESSIONS - 1 : 0;

	return textarray_make(watch->columns + first, watch->ncolumns - first);
}

/* The key function of a watch and the type that it takes, by their names. */
static char *
function_signature(const Watch *watch)
{
	return psprintf("%s(%s)",
					quote_qualified_identifier(watch->args[2], watch->args[3]),
					quote_qualified_identifier(watch->args[4], watch->args[5]));
}

/*
 * cache_watches_rows(): the rows of the view cache_watches, one for each watch
 */
PG_FUNCTION_INFO_V1(cache_watches_rows);
Datum
cache_watches_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *watches;
	ListCell   *lc;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	watches = watches_list();
	foreach(lc, watches)
	{
		Watch	   *watch = lfirst(lc);
		Datum		values[WATCHES_COLUMNS];
		bool		nulls[WATCHES_COLUMNS] = {0};
		int64		rows;

		/* The trigger for TRUNCATE stands for the watch if it is alone. */
		if (watch->inherited ||
			(!watch->rows && watches_has_companion(watches, watch)))
			continue;
		values[0] = CStringGetTextDatum(watch->args[0]);
		values[1] = ObjectIdGetDatum(watch->relid);
		nulls[2] = watch->function;
		nulls[3] = !watch->function;
		if (watch->function)
			values[3] = CStringGetTextDatum(function_signature(watch));
		else
			values[2] = columns_array(watch);
		values[4] = CStringGetTextDatum(watch_state(watches, watch));
		rows = watch_rows_seen(watch);
		nulls[5] = rows < 0;
		values[5] = Int64GetDatum(rows);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
