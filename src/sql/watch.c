/*-------------------------------------------------------------------------
 *
 * watch.c
 *		cache_watch() and cache_unwatch().
 *
 * A watch is a pair of triggers on the table (watches.c).  They fire always, also
 * where a subscription applies changes.  They depend on the extension, and on the
 * cache's anchor, and go away with either.  Their names start with a character that
 * sorts before all that people use: appliers that fire only row triggers, and do
 * not go through the executor, have the key pending before the triggers of others
 * run.
 *
 * Locking: cache_watch() takes SHARE ROW EXCLUSIVE on the table, as CREATE
 * TRIGGER does, and so waits for all who are writing to it unwatched;
 * cache_unwatch() takes ACCESS EXCLUSIVE, as DROP TRIGGER does.  The first
 * watch of a cache that has a key function waits for the writers of all its
 * watched tables (mapping.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/textarray.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/keyexpr.h"
#include "definition/rows.h"
#include "definition/watches.h"
#include "protocol/invalidate.h"
#include "segment.h"
#include "sql/command.h"
#include "sql/watch.h"
#include "sql/watchcheck.h"
#include "write/keyfunction.h"
#include "write/watchtrigger.h"

/* Complain if the relation is not one whose rows can be watched. */
static void
check_relation(Relation rel)
{
	const char *hint = NULL;

	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_VIEW:
			hint = "Watch the tables that the view reads.";
			break;
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			hint = "Nothing tells when its rows change; give the cache a ttl.";
			break;
		default:
			hint = "Only tables can be watched.";
	}
	if (hint != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" is not a table",
						RelationGetRelationName(rel)),
				 errhint("%s", hint)));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary table \"%s\" cannot be watched",
						RelationGetRelationName(rel)),
				 errdetail("What a loader reads from a temporary table is not cached.")));
	if (IsSystemRelation(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("system table \"%s\" cannot be watched",
						RelationGetRelationName(rel))));
	if (extension_keeps_values(RelationGetRelid(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot be watched",
						RelationGetRelationName(rel)),
				 errdetail("It has the values of caches without a loader."),
				 errhint("Give the cache a ttl.")));
}

/*
 * Make one trigger of a watch.
 */
static void
create_trigger(Oid relid, char *name, List *args, bool rows)
{
	Extension	extension = *extension_get();
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);
	ObjectAddress trigger;
	ObjectAddress owner;

	stmt->trigname = name;
	stmt->args = args;
	stmt->row = rows;
	stmt->timing = rows ? TRIGGER_TYPE_AFTER : TRIGGER_TYPE_BEFORE;
	stmt->events = rows ? WATCH_EVENTS : TRIGGER_TYPE_TRUNCATE;
	trigger = CreateTriggerFiringOn(stmt, NULL, relid, InvalidOid, InvalidOid,
									InvalidOid, extension.trigger_function,
									InvalidOid, NULL, false, false,
									TRIGGER_FIRES_ALWAYS);
	CommandCounterIncrement();
	ObjectAddressSet(owner, ExtensionRelationId, extension.oid);
	recordDependencyOn(&trigger, &owner, DEPENDENCY_AUTO_EXTENSION);
	watchtrigger_depend(trigger.objectId, relid, watches_command_arguments(args),
						list_length(args));
}

static void
require_column(bool isnull)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column name must not be null")));
}

/*
 * Open a relation that a user has named by its OID; not without the right to
 * make triggers on it, lest anybody lock any table.
 */
static Relation
open_relation(Oid relid)
{
	char	   *name = get_rel_name(relid);
	AclResult	allowed;
	Relation	rel = NULL;

	if (name != NULL)
	{
		allowed = pg_class_aclcheck(relid, GetUserId(), ACL_TRIGGER);
		if (allowed != ACLCHECK_OK)
			aclcheck_error(allowed, OBJECT_TABLE, name);
		rel = try_relation_open(relid, ShareRowExclusiveLock);
	}
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	return rel;
}

/* Open the relation that a call of cache_watch() names. */
static Relation
open_argument(FunctionCallInfo fcinfo, int arg)
{
	Relation	rel;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("relation must not be null")));
	rel = open_relation(PG_GETARG_OID(arg));
	check_relation(rel);
	return rel;
}

/*
 * Is the relation watched in the same way already?  An error, if it is and that
 * is not to be skipped.  args: what follows the cache's name; how: what it is.
 */
static bool
is_watched(CacheDef *def, Relation rel, List *args, const char *how, bool skip)
{
	char	  **columns = watches_command_arguments(args);
	int			n = list_length(args);
	ListCell   *lc;

	foreach(lc, watches_triggers(NameStr(def->name), RelationGetRelid(rel)))
	{
		char	   *repair;

		if (!watches_is_same(lfirst(lc), columns, n))
			continue;
		repair = watches_repair(NameStr(def->name), RelationGetRelid(rel));
		ereport(skip ? NOTICE : ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 skip ?
				 errmsg("relation \"%s\" is already watched for cache \"%s\"%s, skipping",
						RelationGetRelationName(rel), NameStr(def->name), how) :
				 errmsg("relation \"%s\" is already watched for cache \"%s\"%s",
						RelationGetRelationName(rel), NameStr(def->name), how),
				 repair != NULL ? errdetail("Its watch does not work.") : 0,
				 repair != NULL ? errhint("%s", repair) :
				 skip ? 0 :
				 errhint("There is nothing to be done. With if_not_exists => true this is no error.")));
		return true;
	}
	return false;
}

/*
 * Where each write invalidates the whole cache, to tell keys besides is in
 * vain.
 */
static void
note_useless(CacheDef *def, Relation rel, bool whole)
{
	ListCell   *lc;

	foreach(lc, watches_triggers(NameStr(def->name), RelationGetRelid(rel)))
	{
		if ((((Watch *) lfirst(lc))->ncolumns == 0) == whole)
			continue;
		ereport(NOTICE,
				(errmsg("relation \"%s\" is watched for cache \"%s\" as a whole and by keys",
						RelationGetRelationName(rel), NameStr(def->name)),
				 errdetail("Each write invalidates the whole cache, so that the watch by keys is of no use."),
				 errhint("Call cache_unwatch(), and then cache_watch() for the one of them that is wanted.")));
		return;
	}
}

/*
 * Make the triggers of a watch.  args: what follows the cache's name.
 */
static void
create_watch(CacheDef *def, Relation rel, List *args)
{
	Oid			relid = RelationGetRelid(rel);
	uint32		number;
	char	   *base;

	note_useless(def, rel, args == NIL);

	/* Partitions inherit the trigger's name, and may have others' already. */
	number = pg_prng_uint32(&pg_global_prng_state);
	base = psprintf("!cache_watch_" UINT64_FORMAT "_%08x", def->id, number);
	args = lcons(makeString(pstrdup(NameStr(def->name))), args);
	create_trigger(relid, base, args, true);
	create_trigger(relid, psprintf("%s_truncate", base), args, false);

	/*
	 * Who loads under a snapshot from before this cannot have seen all
	 * changes that went unwatched, and must not store what it loads.
	 */
	invalidate_cache(def);
	definition_changed();
}

/*
 * Wait for all who are writing to what the cache watches already: they may
 * have made pending what the cache's definition of before demanded.
 */
static void
wait_for_writers(CacheDef *def)
{
	for (int i = 0; i < def->nwatched; i++)
	{
		Relation	rel = watchcheck_open(def->watched[i]);

		if (rel != NULL)
			relation_close(rel, NoLock);
	}
}

/* Complain unless the cache has a loader, which can be one. */
static void
require_loader(CacheDef *def)
{
	definition_require_loader(def);
	if (def->plain)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cache \"%s\" has no loader that could read a table",
						NameStr(def->name)),
				 errhint("Its values come from cache_set().")));
}

/*
 * What is given for columns may be expressions of columns.  If some are, make all
 * of them such, in the form in which they are kept; else false.
 */
static bool
read_expressions(Relation rel, char **columns, int ncolumns)
{
	bool		some = false;

	for (int i = 0; i < ncolumns && !some; i++)
		some = get_attnum(RelationGetRelid(rel), columns[i]) == InvalidAttrNumber &&
			keyexpr_is_one(columns[i]);
	for (int i = 0; i < ncolumns && some; i++)
	{
		bool		column = get_attnum(RelationGetRelid(rel), columns[i]) !=
			InvalidAttrNumber || !keyexpr_is_one(columns[i]);

		columns[i] = keyexpr_text(keyexpr_parse(column ?
												quote_identifier(columns[i]) :
												columns[i], rel, false), rel);
	}
	return some;
}

/* Watch a relation by columns, or, without any, as a whole. */
static void
watch_columns(CacheDef *def, Relation rel, char **columns, int ncolumns,
			  bool skip)
{
	Oid		   *collations;
	bool		recollate = false;
	bool		expressions = read_expressions(rel, columns, ncolumns);
	List	   *args = NIL;

	if (expressions)
		args = list_make2(makeString(pstrdup("")), makeString(pstrdup("")));
	for (int i = 0; i < ncolumns; i++)
		args = lappend(args, makeString(columns[i]));
	if (is_watched(def, rel, args, ncolumns > 0 ? " by these columns" : "",
				   skip))
		return;
	collations = definition_collations(def);
	watchcheck_columns(def, rel, columns, ncolumns, expressions, collations);
	for (int i = 0; i < def->nkeys; i++)
		recollate |= collations[i] != def->keys[i].collation;
	create_watch(def, rel, args);
	if (recollate)
	{
		wait_for_writers(def);
		rows_set_collations(&def->name, collations, def->nkeys);
	}
}

/*
 * cache_watch(name text, relation regclass, VARIADIC key_columns text[])
 * cache_watch(name text, relation regclass, key_columns text[],
 *			   if_not_exists boolean), since 1.1
 */
PG_FUNCTION_INFO_V1(cache_watch);
Datum
cache_watch(PG_FUNCTION_ARGS)
{
	CacheDef   *def;
	Relation	rel;
	char	  **columns;
	int			ncolumns;

	segment_require();
	def = command_begin(fcinfo, 0, false);
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("key columns must not be null")));
	require_loader(def);
	columns = textarray_read(PG_GETARG_DATUM(2), &ncolumns);
	for (int i = 0; i < ncolumns; i++)
		require_column(columns[i] == NULL);
	rel = open_argument(fcinfo, 1);
	watch_columns(def, rel, columns, ncolumns, command_option(fcinfo, 3));
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}

/*
 * cache_watch(name text, relation regclass, key1 text, ...,
 *			   if_not_exists boolean): with any number of columns
 */
PG_FUNCTION_INFO_V1(cache_watch_columns);
Datum
cache_watch_columns(PG_FUNCTION_ARGS)
{
	CacheDef   *def;
	Relation	rel;
	int			ncolumns = PG_NARGS() - 3;
	char	  **columns = palloc(sizeof(char *) * Max(ncolumns, 1));

	segment_require();
	def = command_begin(fcinfo, 0, false);
	for (int i = 0; i < ncolumns; i++)
	{
		require_column(PG_ARGISNULL(2 + i));
		columns[i] = text_to_cstring(PG_GETARG_TEXT_PP(2 + i));
	}
	require_loader(def);
	rel = open_argument(fcinfo, 1);
	watch_columns(def, rel, columns, ncolumns,
				  command_option(fcinfo, PG_NARGS() - 1));
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}

/*
 * cache_watch(name text, relation regclass, keys regprocedure,
 *			   if_not_exists boolean); the last one since 1.1
 */
PG_FUNCTION_INFO_V1(cache_watch_keys);
Datum
cache_watch_keys(PG_FUNCTION_ARGS)
{
	CacheDef   *def;
	Relation	rel;
	Oid			function;
	Oid			relid;
	List	   *args;

	segment_require();
	def = command_begin(fcinfo, 0, false);
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("key function must not be null")));
	require_loader(def);
	function = PG_GETARG_OID(2);
	rel = open_argument(fcinfo, 1);
	key_function_check(def, function, rel, &relid);
	watchtrigger_check_rights(RelationGetRelid(rel), function);
	args = watches_function_arguments(function, relid);
	if (!is_watched(def, rel, args, " by this function",
					command_option(fcinfo, 3)))
	{
		if (!def->mapped)
			wait_for_writers(def);
		create_watch(def, rel, args);
	}
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}

static void
drop_watches(CacheDef *def, List *watches)
{
	ListCell   *lc;

	foreach(lc, watches)
	{
		ObjectAddress trigger;

		ObjectAddressSet(trigger, TriggerRelationId,
						 ((Watch *) lfirst(lc))->trigger);
		performDeletion(&trigger, DROP_RESTRICT, 0);
	}
	invalidate_cache(def);
	definition_changed();
}

/*
 * Drop all watches of a cache.
 */
void
watch_drop_all(CacheDef *def)
{
	drop_watches(def, watches_triggers(NameStr(def->name), InvalidOid));
}

/* Complain that a relation is not watched; if that is skipped, with a NOTICE. */
static void
not_watched(CacheDef *def, Oid relid, bool skip)
{
	char	   *relname = OidIsValid(relid) ? get_rel_name(relid) : NULL;

	if (relname == NULL)
		ereport(skip ? NOTICE : ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 skip ? errmsg("relation does not exist, skipping") :
				 errmsg("relation with OID %u does not exist", relid)));
	else
		ereport(skip ? NOTICE : ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 skip ?
				 errmsg("relation \"%s\" is not watched for cache \"%s\", skipping",
						relname, NameStr(def->name)) :
				 errmsg("relation \"%s\" is not watched for cache \"%s\"",
						relname, NameStr(def->name))));
}

/*
 * cache_unwatch(name text, relation regclass, if_exists boolean); the last one
 * since 1.1
 *
 * With if_exists a NULL relation is one that does not exist, which is what
 * to_regclass() gives for it.
 */
PG_FUNCTION_INFO_V1(cache_unwatch);
Datum
cache_unwatch(PG_FUNCTION_ARGS)
{
	bool		skip = command_option(fcinfo, 2);
	Oid			relid = PG_ARGISNULL(1) ? InvalidOid : PG_GETARG_OID(1);
	CacheDef   *def;
	List	   *watches = NIL;

	segment_require();
	def = command_begin(fcinfo, 0, skip);
	if (def == NULL)
		PG_RETURN_VOID();
	if (PG_ARGISNULL(1) && !skip)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("relation must not be null")));
	if (OidIsValid(relid))
		watches = watches_triggers(NameStr(def->name), relid);
	if (watches == NIL)
		not_watched(def, relid, skip);
	else
		drop_watches(def, watches);
	PG_RETURN_VOID();
}
