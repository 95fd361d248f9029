/*-------------------------------------------------------------------------
 *
 * watches.c
 *		Which tables are watched for which caches, as the catalogs tell.
 *
 * A watch is a pair of triggers on the table, and nothing else: one for rows, and
 * one for TRUNCATE.  So a watch follows its table through renames, dumps and
 * restores; partitions inherit the row trigger; and whoever wants to know what is
 * watched looks at the table's triggers.
 *
 * Their arguments are the cache's name and the columns that hold the key.  What is
 * no column stands behind empty strings, which no column can be called: behind two
 * of them expressions of columns (keyexpr.c); behind one the names of a function
 * that tells the keys (keyfunction.c) and of the table whose row type it takes,
 * each by schema and name.
 *
 * Locking: none beyond the catalogs' own.  What is read of a table's descriptor is
 * good as long as the caller has the table open.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/relname.h"
#include "definition/extension.h"
#include "definition/watches.h"

/*-------------------------------------------------------------------------
 * Arguments of triggers
 *-------------------------------------------------------------------------
 */

/*
 * Are there expressions behind the cache's name in a trigger's arguments?
 */
bool
watches_has_expressions(int nargs, char **args)
{
	return nargs > WATCH_EXPRESSIONS && args[1][0] == '\0' && args[2][0] == '\0';
}

/*
 * Do a trigger's arguments name a key function?
 */
bool
watches_has_function(int nargs, char **args)
{
	return nargs == WATCH_FUNCTION_ARGS && args[1][0] == '\0' && args[2][0] != '\0';
}

/*
 * The function that a trigger's arguments name, and the table whose rows it
 * takes; false if they are gone.  Asks for no privileges.
 */
bool
watches_find_function(char **args, Oid *function, Oid *relid)
{
	Oid			schema = get_namespace_oid(args[2], true);
	Oid			relschema = get_namespace_oid(args[4], true);
	Oid			type;

	if (!OidIsValid(schema) || !OidIsValid(relschema))
		return false;
	*relid = get_relname_relid(args[5], relschema);
	if (!OidIsValid(*relid))
		return false;
	type = get_rel_type_id(*relid);
	*function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
								CStringGetDatum(args[3]),
								PointerGetDatum(buildoidvector(&type, 1)),
								ObjectIdGetDatum(schema));
	return OidIsValid(*function);
}

/*
 * The names of a function and a table, as a list of strings, to stand behind
 * the cache's name among a trigger's arguments.
 */
List *
watches_function_arguments(Oid function, Oid relid)
{
	return list_make5(makeString(pstrdup("")),
					  makeString(get_namespace_name(get_func_namespace(function))),
					  makeString(get_func_name(function)),
					  makeString(get_namespace_name(get_rel_namespace(relid))),
					  makeString(get_rel_name(relid)));
}

/*
 * Read the n arguments of a trigger, the NUL-terminated strings in a bytea of
 * its row in pg_trigger.  NULL if it has none.
 */
char **
watches_arguments(HeapTuple tuple, Relation pg_trigger, int n)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, Anum_pg_trigger_tgargs,
									 RelationGetDescr(pg_trigger), &isnull);
	char	  **args = palloc(sizeof(char *) * Max(n, 1));
	char	   *at;

	if (isnull)
		return NULL;
	at = VARDATA_ANY(DatumGetByteaPCopy(datum));
	for (int i = 0; i < n; i++)
	{
		args[i] = pstrdup(at);
		at += strlen(at) + 1;
	}
	return args;
}

/*
 * The counterpart: strings as the arguments of a trigger, in a bytea.
 */
Datum
watches_arguments_datum(char **args, int n)
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	appendStringInfoSpaces(&bytes, VARHDRSZ);
	for (int i = 0; i < n; i++)
		appendBinaryStringInfo(&bytes, args[i], strlen(args[i]) + 1);
	SET_VARSIZE(bytes.data, bytes.len);
	return PointerGetDatum(bytes.data);
}

/*
 * The arguments of a trigger in a command, as C strings that are the command's.
 */
char **
watches_command_arguments(List *list)
{
	char	  **args = palloc(sizeof(char *) * Max(list_length(list), 1));
	ListCell   *lc;

	foreach(lc, list)
		args[foreach_current_index(lc)] = strVal(lfirst(lc));
	return args;
}

/*-------------------------------------------------------------------------
 * The triggers of a table
 *-------------------------------------------------------------------------
 */

/* Is it the row trigger of a watch, and sure to fire for all rows? */
static bool
is_watch(const Trigger *trigger, const Extension *extension)
{
	return trigger->tgfoid == extension->trigger_function &&
		trigger->tgnargs >= 1 &&
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS &&
		trigger->tgtype == (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | WATCH_EVENTS) &&
		trigger->tgnattr == 0 && trigger->tgqual == NULL &&
		!trigger->tgdeferrable;
}

/*
 * The next row trigger of a watch of this table for the cache that is sure to
 * fire, NULL: there are no more.  at: 0 to begin with.
 */
Trigger *
watches_next(Relation rel, const char *cache, int *at)
{
	const Extension *extension = extension_find();
	TriggerDesc *triggers = rel->trigdesc;

	while (extension != NULL && triggers != NULL && *at < triggers->numtriggers)
	{
		Trigger    *trigger = &triggers->triggers[(*at)++];

		if (is_watch(trigger, extension) &&
			strcmp(trigger->tgargs[0], cache) == 0)
			return trigger;
	}
	return NULL;
}

/*
 * Do writes to this table invalidate what they should in the cache?
 */
bool
watches_covers(Relation rel, const char *cache)
{
	int			at = 0;

	return watches_next(rel, cache, &at) != NULL;
}

/*
 * The names of the caches that watch this table, as palloc'd C strings;
 * a name may be there twice.
 */
List *
watches_caches(Relation rel)
{
	const Extension *extension;
	List	   *names = NIL;

	if (rel->trigdesc == NULL)
		return NIL;
	extension = extension_find();
	if (extension == NULL)
		return NIL;
	/* Looking for the extension may have rebuilt the trigger descriptor. */
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (is_watch(trigger, extension))
			names = lappend(names, pstrdup(trigger->tgargs[0]));
	}
	return names;
}

/* Has a table triggers at all, or has had? */
static bool
has_triggers(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		has;

	if (!HeapTupleIsValid(tuple))
		return false;
	has = ((Form_pg_class) GETSTRUCT(tuple))->relhastriggers;
	ReleaseSysCache(tuple);
	return has;
}

/*
 * The same, of a table that may be gone.  Meant to be cheap for tables that have
 * been changed: their descriptors, which are stale, are made anew only if need be.
 */
List *
watches_caches_of(Oid relid)
{
	Relation	rel;
	List	   *names;

	if (!has_triggers(relid))
		return NIL;
	rel = RelationIdGetRelation(relid);
	if (!RelationIsValid(rel))
		return NIL;
	names = watches_caches(rel);
	RelationClose(rel);
	return names;
}

/*-------------------------------------------------------------------------
 * The triggers of caches
 *-------------------------------------------------------------------------
 */

/* Does a trigger of a watch fire always, and for all that it is there for? */
static bool
is_sound(Form_pg_trigger form, HeapTuple tuple, Relation pg_trigger)
{
	int16		type = TRIGGER_FOR_ROW(form->tgtype) ?
		TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | WATCH_EVENTS :
		TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE;

	return form->tgenabled == TRIGGER_FIRES_ALWAYS && form->tgtype == type &&
		form->tgattr.dim1 == 0 && !form->tgdeferrable &&
		heap_attisnull(tuple, Anum_pg_trigger_tgqual,
					   RelationGetDescr(pg_trigger));
}

/*
 * All triggers that watch for a cache (NULL: for any), of one table only if
 * relid is valid; those that partitions have from their parents only if
 * wanted.
 */
static List *
find_triggers(const char *cache, Oid relid, bool inherited)
{
	const Extension *extension = extension_find();
	List	   *found = NIL;
	Relation	pg_depend;
	Relation	pg_trigger;
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	dependency;

	if (extension == NULL)
		return NIL;
	pg_depend = table_open(DependRelationId, AccessShareLock);
	pg_trigger = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(ProcedureRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(extension->trigger_function));
	scan = systable_beginscan(pg_depend, DependReferenceIndexId, true, NULL,
							  2, keys);
	while (HeapTupleIsValid(dependency = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(dependency);
		SysScanDesc trigger_scan;
		ScanKeyData key;
		HeapTuple	tuple;

		if (depend->classid != TriggerRelationId)
			continue;
		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber,
					F_OIDEQ, ObjectIdGetDatum(depend->objid));
		trigger_scan = systable_beginscan(pg_trigger, TriggerOidIndexId, true,
										  NULL, 1, &key);
		tuple = systable_getnext(trigger_scan);
		if (HeapTupleIsValid(tuple))
		{
			Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

			if ((inherited || !OidIsValid(form->tgparentid)) &&
				form->tgnargs >= 1 &&
				(!OidIsValid(relid) || form->tgrelid == relid))
			{
				char	  **args = watches_arguments(tuple, pg_trigger,
													 form->tgnargs);

				if (args != NULL &&
					(cache == NULL || strcmp(args[0], cache) == 0))
				{
					Watch	   *watch = palloc(sizeof(Watch));

					watch->trigger = form->oid;
					watch->relid = form->tgrelid;
					watch->name = pstrdup(NameStr(form->tgname));
					watch->rows = TRIGGER_FOR_ROW(form->tgtype);
					watch->inherited = OidIsValid(form->tgparentid);
					watch->enabled = form->tgenabled == TRIGGER_FIRES_ALWAYS;
					watch->sound = is_sound(form, tuple, pg_trigger);
					watch->args = args;
					watch->function = watches_has_function(form->tgnargs, args);
					watch->expressions = watches_has_expressions(form->tgnargs,
																 args);
					watch->ncolumns = form->tgnargs - 1;
					watch->columns = args + 1;
					found = lappend(found, watch);
				}
			}
		}
		systable_endscan(trigger_scan);
	}
	systable_endscan(scan);
	table_close(pg_trigger, AccessShareLock);
	table_close(pg_depend, AccessShareLock);
	return found;
}

/*
 * The same, without those of partitions.
 */
List *
watches_triggers(const char *cache, Oid relid)
{
	return find_triggers(cache, relid, false);
}

/*
 * All triggers of watches, for all caches, those of partitions included.
 */
List *
watches_list(void)
{
	return find_triggers(NULL, InvalidOid, true);
}

/*
 * The names of the caches that watch a partition of a partitioned table, but
 * not the table itself; as watches_caches.  Locks nothing.
 */
List *
watches_caches_below(Oid parent)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, watches_triggers(NULL, InvalidOid))
	{
		Watch	   *watch = lfirst(lc);

		if (watch->rows && get_rel_relispartition(watch->relid) &&
			list_member_oid(get_partition_ancestors(watch->relid), parent))
			names = lappend(names, pstrdup(watch->args[0]));
	}
	return names;
}

/*
 * Is there the other trigger of the same watch?  One is for rows, one for
 * TRUNCATE.
 */
bool
watches_has_companion(List *watches, const Watch *watch)
{
	ListCell   *lc;

	foreach(lc, watches)
	{
		Watch	   *other = lfirst(lc);
		bool		same = other->relid == watch->relid &&
			other->rows != watch->rows && other->ncolumns == watch->ncolumns;

		for (int i = 0; same && i <= watch->ncolumns; i++)
			same = strcmp(other->args[i], watch->args[i]) == 0;
		if (same)
			return true;
	}
	return false;
}

/*
 * Is it a trigger of a watch by these columns, or by the function that they
 * stand for?
 */
bool
watches_is_same(const Watch *watch, char **columns, int n)
{
	if (watch->ncolumns != n)
		return false;
	for (int i = 0; i < n; i++)
	{
		if (strcmp(watch->columns[i], columns[i]) != 0)
			return false;
	}
	return true;
}

/*
 * What repairs the watches of a relation for a cache, if one of them does not
 * work: a sentence with the command, palloc'd; else NULL.
 */
char *
watches_repair(const char *cache, Oid relid)
{
	List	   *watches = find_triggers(cache, relid, true);
	StringInfoData commands;
	bool		altered = false;
	ListCell   *lc;

	initStringInfo(&commands);
	foreach(lc, watches)
	{
		Watch	   *watch = lfirst(lc);

		if (!watch->enabled)
			appendStringInfo(&commands, "%sENABLE ALWAYS TRIGGER %s",
							 commands.len > 0 ? ", " : "",
							 quote_identifier(watch->name));
		else
			altered |= !watch->sound ||
				(!watch->inherited && !watches_has_companion(watches, watch));
	}
	if (altered)
		return pstrdup("Call cache_unwatch() and cache_watch() again.");
	if (commands.len == 0)
		return NULL;
	return psprintf("Enable its watch with ALTER TABLE %s %s.",
					relname_full(relid), commands.data);
}

/*
 * Has a relation children, or had it?  As has_subclass(), but it may be gone.
 */
bool
watches_has_children(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		has;

	if (!HeapTupleIsValid(tuple))
		return false;
	has = ((Form_pg_class) GETSTRUCT(tuple))->relhassubclass;
	ReleaseSysCache(tuple);
	return has;
}

/*
 * Has one of these relations a temporary child?  Then this session reads from it
 * what others do not.
 */
static bool
is_private(const Oid *relids, int n)
{
	for (int i = 0; i < n; i++)
	{
		ListCell   *lc;

		if (!watches_has_children(relids[i]))
			continue;
		foreach(lc, find_all_inheritors(relids[i], NoLock, NULL))
		{
			Oid			schema = get_rel_namespace(lfirst_oid(lc));

			if (OidIsValid(schema) && isTempNamespace(schema))
				return true;
		}
	}
	return false;
}

/*
 * What a definition has to know of the watches of a cache.  The list of relations
 * is in the current memory context.
 */
void
watches_read(const char *cache, WatchedTables *watched)
{
	List	   *oids = NIL;
	ListCell   *lc;

	watched->mapped = false;
	foreach(lc, watches_triggers(cache, InvalidOid))
	{
		Watch	   *watch = lfirst(lc);

		oids = list_append_unique_oid(oids, watch->relid);
		watched->mapped |= watch->function;
	}
	list_sort(oids, list_oid_cmp);
	watched->n = list_length(oids);
	watched->relids = palloc(sizeof(Oid) * Max(watched->n, 1));
	foreach(lc, oids)
		watched->relids[foreach_current_index(lc)] = lfirst_oid(lc);
	list_free(oids);
	watched->private = is_private(watched->relids, watched->n);
}
