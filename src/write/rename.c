/*-------------------------------------------------------------------------
 *
 * rename.c
 *		Renames that caches and watches follow.
 *
 * A definition names what the cache is made of: its loader and the functions
 * that it trusts, the types of their arguments, collations, the schemas of
 * the recorded search_path and a text search configuration (settings.c).  The
 * triggers of a watch name what they read by their arguments: the columns that
 * hold the key, or expressions of columns, or a key function and the table whose
 * rows it takes.  When one of these gets another name or schema, it is recorded
 * under that, in the same transaction.
 *
 * What is renamed may be any of many objects, a schema among them: so they are
 * remembered by their OIDs before the command, and named anew after it.  But a
 * column's new name is known once the command is through, and then the table is
 * locked: watches that were made meanwhile are among those that follow.
 *
 * Locking: SHARE ROW EXCLUSIVE on cache_definition where a command can rename
 * what definitions name, before they are looked at, so that none is being made
 * meanwhile under the old names; else that of the command, which has the
 * renamed table; and a ROW EXCLUSIVE lock on pg_trigger.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"

#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/keyexpr.h"
#include "definition/rows.h"
#include "definition/watches.h"
#include "write/rename.h"

/* A cache, and what it is made of by OID. */
typedef struct CacheParts
{
	NameData	name;
	uint64		version;
	Oid			loader;
	int			nkeys;
	Oid		   *collations;
	List	   *trusted;
	List	   *untraced;		/* names of trusted ones that are gone */
	char	   *names;			/* of all that, as they were */
	SettingsObjects *settings;
} CacheParts;

/* A watch, and its key function by OID. */
typedef struct WatchParts
{
	Oid			trigger;
	Oid			function;
	Oid			relid;			/* whose rows it takes */
} WatchParts;

/*-------------------------------------------------------------------------
 * Definitions
 *-------------------------------------------------------------------------
 */

/* The full names of a cache's functions that are trusted. */
static List *
trusted_names(const CacheParts *parts)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, parts->trusted)
		names = lappend(names, format_procedure_qualified(lfirst_oid(lc)));
	return list_concat(names, parts->untraced);
}

/* What a cache's functions and collations are called now. */
static char *
present_names(const CacheParts *parts)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	if (OidIsValid(parts->loader))
		appendStringInfoString(&names, format_procedure_qualified(parts->loader));
	foreach(lc, trusted_names(parts))
		appendStringInfo(&names, " %s", (char *) lfirst(lc));
	for (int i = 0; i < parts->nkeys; i++)
	{
		if (OidIsValid(parts->collations[i]))
			appendStringInfo(&names, " %s",
							 rows_collation_name(parts->collations[i]));
	}
	return names.data;
}

/* What a cache is made of; of one that is not usable, what there is. */
static CacheParts *
take_apart(const CacheDef *def)
{
	CacheParts *parts = palloc0(sizeof(CacheParts));
	ListCell   *lc;

	parts->name = def->name;
	parts->version = def->version;
	parts->loader = def->loader;
	parts->nkeys = def->usable ? def->nkeys : 0;
	parts->collations = definition_collations(def);
	parts->trusted = list_copy(def->trusted);
	foreach(lc, def->untraced)
		parts->untraced = lappend(parts->untraced, pstrdup(lfirst(lc)));
	parts->names = present_names(parts);
	parts->settings = settings_objects(&def->settings);
	return parts;
}

static List *
remember_caches(void)
{
	List	   *all = NIL;
	ListCell   *lc;

	if (!definition_is_readable())
		return NIL;
	foreach(lc, definition_names())
	{
		CacheDef   *def = definition_find(lfirst(lc));

		if (def != NULL && !def->plain)
			all = lappend(all, take_apart(def));
	}
	return all;
}

/* Record a cache's parts under the names of now, if these are others. */
static void
follow_cache(CacheParts *parts)
{
	bool		renamed = strcmp(parts->names, present_names(parts)) != 0;
	CacheDef   *now;

	if (!renamed && !settings_renamed(parts->settings))
		return;
	LockRelationOid(extension_get()->definitions, ShareRowExclusiveLock);

	/* Somebody may have altered or dropped it meanwhile. */
	now = definition_find(NameStr(parts->name));
	if (now == NULL || now->version != parts->version)
		return;
	rows_rename(&parts->name, renamed ? parts->loader : InvalidOid,
				parts->collations, renamed ? parts->nkeys : 0,
				renamed ? trusted_names(parts) : NIL,
				settings_follow(now->settings.recorded, parts->settings));
}

/*-------------------------------------------------------------------------
 * Triggers
 *-------------------------------------------------------------------------
 */

/* Update a trigger's row with other arguments. */
static void
set_arguments(Relation pg_trigger, HeapTuple tuple, char **args, int n)
{
	Datum		values[Natts_pg_trigger] = {0};
	bool		nulls[Natts_pg_trigger] = {0};
	bool		replace[Natts_pg_trigger] = {0};

	values[Anum_pg_trigger_tgargs - 1] = watches_arguments_datum(args, n);
	replace[Anum_pg_trigger_tgargs - 1] = true;
	tuple = heap_modify_tuple(tuple, RelationGetDescr(pg_trigger),
							  values, nulls, replace);
	CatalogTupleUpdate(pg_trigger, &tuple->t_self, tuple);
}

/* Follow the rename of a column among those of a watch. */
static bool
rename_in_columns(char **args, int nargs, const char *from, const char *to)
{
	bool		renamed = false;

	for (int i = 1; i < nargs; i++)
	{
		if (strcmp(args[i], from) != 0)
			continue;
		args[i] = pstrdup(to);
		renamed = true;
	}
	return renamed;
}

/* The same in the expressions of a watch. */
static bool
rename_in_expressions(Oid relid, char **args, int nargs, const char *from,
					  const char *to)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	bool		renamed = false;

	for (int i = WATCH_EXPRESSIONS; i < nargs; i++)
	{
		char	   *now = keyexpr_rename(args[i], rel, from, to);

		renamed |= strcmp(args[i], now) != 0;
		args[i] = now;
	}
	relation_close(rel, NoLock);
	return renamed;
}

/* A column of a table has been renamed: that table's watches follow it. */
static void
follow_column(Relation pg_trigger, Oid relid, const char *from, const char *to)
{
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(pg_trigger, TriggerRelidNameIndexId, true,
							  NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
		char	  **args;
		bool		renamed;

		if (form->tgfoid != extension_get()->trigger_function)
			continue;
		args = watches_arguments(tuple, pg_trigger, form->tgnargs);
		if (args == NULL || watches_has_function(form->tgnargs, args))
			continue;
		if (watches_has_expressions(form->tgnargs, args))
			renamed = rename_in_expressions(relid, args, form->tgnargs, from, to);
		else
			renamed = rename_in_columns(args, form->tgnargs, from, to);
		if (renamed)
			set_arguments(pg_trigger, tuple, args, form->tgnargs);
	}
	systable_endscan(scan);
	CacheInvalidateRelcacheByRelid(relid);
}

/* The tables of a composite type: CREATE TABLE ... OF. */
static List *
typed_tables(Oid relid)
{
	Oid			type = get_rel_type_id(relid);
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	List	   *tables = NIL;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_reloftype, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(type));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		tables = lappend_oid(tables, ((Form_pg_class) GETSTRUCT(tuple))->oid);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tables;
}

/*
 * A column has been renamed, or an attribute of a type: so it has in all
 * tables below it, and in those of the type.
 */
static void
follow_columns(RenameStmt *stmt)
{
	Relation	pg_trigger;
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	List	   *tables = NIL;
	ListCell   *table;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return;
	if (get_rel_relkind(relid) == RELKIND_COMPOSITE_TYPE)
		tables = typed_tables(relid);
	else
		tables = list_make1_oid(relid);
	pg_trigger = table_open(TriggerRelationId, RowExclusiveLock);
	foreach(table, tables)
	{
		foreach(lc, find_all_inheritors(lfirst_oid(table), NoLock, NULL))
			follow_column(pg_trigger, lfirst_oid(lc), stmt->subname,
						  stmt->newname);
	}
	table_close(pg_trigger, RowExclusiveLock);
	CommandCounterIncrement();
}

static List *
remember_watches(void)
{
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, watches_list())
	{
		Watch	   *watch = lfirst(lc);
		WatchParts *parts = palloc(sizeof(WatchParts));

		if (!watch->function ||
			!watches_find_function(watch->args, &parts->function, &parts->relid))
			continue;
		parts->trigger = watch->trigger;
		all = lappend(all, parts);
	}
	return all;
}

/* Let a watch name its key function as that is called now. */
static void
follow_watch(Relation pg_trigger, const WatchParts *parts)
{
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(parts->trigger));
	scan = systable_beginscan(pg_trigger, TriggerOidIndexId, true, NULL,
							  1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
		char	  **args = watches_arguments(tuple, pg_trigger, form->tgnargs);
		List	   *names = watches_function_arguments(parts->function, parts->relid);
		bool		renamed = false;

		for (int i = 1; i < WATCH_FUNCTION_ARGS; i++)
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

static void
follow_watches(List *watches)
{
	Relation	pg_trigger;
	ListCell   *lc;

	if (watches == NIL)
		return;
	pg_trigger = table_open(TriggerRelationId, RowExclusiveLock);
	foreach(lc, watches)
		follow_watch(pg_trigger, lfirst(lc));
	table_close(pg_trigger, RowExclusiveLock);
	CommandCounterIncrement();
}

/*-------------------------------------------------------------------------
 * Commands
 *-------------------------------------------------------------------------
 */

/*
 * Does a command rename what definitions may name?  Those that are being made
 * meanwhile have to be waited for then.  Not so tables: they are renamed too
 * often, and named only as the type of an argument.
 */
static bool
renames_named(Node *command)
{
	ObjectType	type = IsA(command, RenameStmt) ?
		((RenameStmt *) command)->renameType :
		((AlterObjectSchemaStmt *) command)->objectType;

	switch (type)
	{
		case OBJECT_COLLATION:
		case OBJECT_DOMAIN:
		case OBJECT_EXTENSION:
		case OBJECT_FUNCTION:
		case OBJECT_ROUTINE:
		case OBJECT_SCHEMA:
		case OBJECT_TSCONFIGURATION:
		case OBJECT_TYPE:
			return true;
		default:
			return false;
	}
}

/* Do functions have something of this type among their arguments or results? */
static bool
functions_use(Oid type)
{
	Relation	depend;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	if (!OidIsValid(type))
		return false;
	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(TypeRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(type));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2,
							  keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = ((Form_pg_depend) GETSTRUCT(tuple))->classid ==
			ProcedureRelationId;
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

/*
 * May definitions or watches name what a command renames or moves?  Of a relation
 * they name the row type, where a function takes it; never columns, which
 * follow_columns() looks after, nor what else belongs to a table.
 */
static bool
may_be_named(Node *command)
{
	bool		renames = IsA(command, RenameStmt);
	RangeVar   *relation = renames ? ((RenameStmt *) command)->relation :
		((AlterObjectSchemaStmt *) command)->relation;
	Oid			relid;
	Oid			type;

	switch (renames ? ((RenameStmt *) command)->renameType :
			((AlterObjectSchemaStmt *) command)->objectType)
	{
		case OBJECT_ATTRIBUTE:
		case OBJECT_COLUMN:
		case OBJECT_INDEX:
		case OBJECT_POLICY:
		case OBJECT_RULE:
		case OBJECT_SEQUENCE:
		case OBJECT_TABCONSTRAINT:
		case OBJECT_TRIGGER:
			return false;
		case OBJECT_FOREIGN_TABLE:
		case OBJECT_MATVIEW:
		case OBJECT_TABLE:
		case OBJECT_VIEW:
			break;
		default:
			return true;
	}
	relid = RangeVarGetRelid(relation, NoLock, true);
	if (!OidIsValid(relid))
		return true;
	type = get_rel_type_id(relid);
	return functions_use(type) ||
		(OidIsValid(type) && functions_use(get_array_type(type)));
}

/*
 * Before a command: if it renames something, or moves it to another schema,
 * remember what all caches and watches name, in the current memory context.
 * NULL if not.
 */
Renames *
rename_remember(Node *command)
{
	Renames    *renames;

	if (!(IsA(command, RenameStmt) || IsA(command, AlterObjectSchemaStmt)) ||
		XactReadOnly || extension_find() == NULL)
		return NULL;
	if (renames_named(command))
		LockRelationOid(extension_get()->definitions, ShareRowExclusiveLock);
	renames = palloc0(sizeof(Renames));
	if (!may_be_named(command))
		return renames;
	renames->caches = remember_caches();
	renames->watches = remember_watches();
	return renames;
}

/*
 * After the command: let them name it as it is called now.
 */
void
rename_follow(Node *command, Renames *renames)
{
	ListCell   *lc;

	if (extension_find() == NULL)
		return;
	if (IsA(command, RenameStmt) &&
		(((RenameStmt *) command)->renameType == OBJECT_COLUMN ||
		 ((RenameStmt *) command)->renameType == OBJECT_ATTRIBUTE) &&
		((RenameStmt *) command)->relation != NULL)
		follow_columns((RenameStmt *) command);
	follow_watches(renames->watches);
	foreach(lc, renames->caches)
		follow_cache(lfirst(lc));
}
