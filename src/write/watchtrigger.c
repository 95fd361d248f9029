/*-------------------------------------------------------------------------
 *
 * watchtrigger.c
 *		Triggers of watches: who may make them, and what they depend on.
 *
 * Triggers of watches are made by cache_watch(), and by commands, as when a dump is
 * restored.  They depend on the cache's anchor, and on what their arguments name.
 *
 * Locking: ACCESS SHARE on the table, where expressions are read; the callers have
 * it locked already.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "definition/anchor.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/keyexpr.h"
#include "definition/watches.h"
#include "write/watchtrigger.h"

/*
 * A key function runs as whoever writes to the table, an apply worker
 * included.  That is for the table's owner to allow; and it must not be a way
 * to call what one may not call oneself.  An error, if the current role may not
 * let it watch the table.
 */
void
watchtrigger_check_rights(Oid relid, Oid function)
{
	AclResult	allowed = cache_aclcheck_proc(function, GetUserId());

	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_FUNCTION, get_func_name(function));
	if (!cache_ownercheck_class(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

/*
 * DROP COLUMN of what is in an expression takes the trigger with it or, without
 * CASCADE, is refused.  args: those of the trigger, which is one of this table.
 */
static void
depend_on_expressions(Oid trigger, Oid relid, char **args, int nargs)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	ObjectAddress depender;

	if (rel == NULL)
		return;
	ObjectAddressSet(depender, TriggerRelationId, trigger);
	deleteDependencyRecordsForSpecific(TriggerRelationId, trigger,
									   DEPENDENCY_NORMAL,
									   RelationRelationId, relid);
	for (int i = WATCH_EXPRESSIONS; i < nargs; i++)
		recordDependencyOnSingleRelExpr(&depender,
										keyexpr_parse(args[i], rel, true), relid,
										DEPENDENCY_NORMAL, DEPENDENCY_NORMAL,
										false);
	relation_close(rel, NoLock);
}

/* The same of DROP FUNCTION and a key function. */
static void
depend_on_function(Oid trigger, Oid function)
{
	ObjectAddress depender;
	ObjectAddress referenced;

	ObjectAddressSet(depender, TriggerRelationId, trigger);
	ObjectAddressSet(referenced, ProcedureRelationId, function);
	deleteDependencyRecordsForSpecific(TriggerRelationId, trigger,
									   DEPENDENCY_NORMAL,
									   ProcedureRelationId, function);
	recordDependencyOn(&depender, &referenced, DEPENDENCY_NORMAL);
}

/*
 * Let a trigger of a watch depend on its cache's anchor, and on what else its
 * arguments name.
 */
void
watchtrigger_depend(Oid trigger, Oid relid, char **args, int nargs)
{
	Oid			function;
	Oid			argument;

	anchor_hold(args[0], trigger);
	if (watches_has_expressions(nargs, args))
		depend_on_expressions(trigger, relid, args, nargs);
	else if (watches_has_function(nargs, args) &&
			 watches_find_function(args, &function, &argument))
		depend_on_function(trigger, function);
}

/*
 * Let the triggers of all watches depend on what they should: see anchored_mend.
 */
void
watchtrigger_mend(void)
{
	ListCell   *lc;

	foreach(lc, watches_list())
	{
		Watch	   *watch = lfirst(lc);

		if (!watch->inherited)
			watchtrigger_depend(watch->trigger, watch->relid, watch->args,
								watch->ncolumns + 1);
	}
}

/* The key function that a command names; false if there is none. */
static bool
key_function_of(CreateTrigStmt *stmt, Oid *function)
{
	char	  **args = watches_command_arguments(stmt->args);
	Oid			relid;

	return watches_has_function(list_length(stmt->args), args) &&
		watches_find_function(args, function, &relid);
}

/*
 * Complain unless the current role may make a trigger, if that is one that calls
 * cache_trigger().  This is how dumps are restored; else it would be a way to pass a watch of the wrong
 * columns off as the cache's.  The definition may come later, as in a parallel
 * restore: then the cache's anchor has to be there, and the role's.
 */
void
watchtrigger_check(CreateTrigStmt *stmt)
{
	const Extension *extension = extension_find();
	CacheDef   *def;
	const char *cache;
	Oid			function;

	if (extension == NULL || superuser() ||
		LookupFuncName(stmt->funcname, 0, NULL, true) !=
		extension->trigger_function)
		return;
	cache = stmt->args == NIL ? "" : strVal(linitial(stmt->args));
	def = definition_find(cache);
	if (def != NULL ? !definition_is_owner(def) : !anchor_is_own(cache))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to make a trigger that calls cache_trigger()"),
				 errhint("Use cache_watch(), as owner of the cache.")));
	if (key_function_of(stmt, &function))
		watchtrigger_check_rights(RangeVarGetRelid(stmt->relation, NoLock, false),
								  function);
}

/*
 * A trigger has been made by a command.  If it is that of a watch, all who
 * know the cache are told, and it depends on what it would after cache_watch().
 */
void
watchtrigger_created(CreateTrigStmt *stmt)
{
	const Extension *extension = extension_find();
	Oid			relid;
	Oid			trigger;

	if (extension == NULL ||
		LookupFuncName(stmt->funcname, 0, NULL, true) !=
		extension->trigger_function)
		return;
	definition_changed();
	relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	trigger = OidIsValid(relid) ?
		get_trigger_oid(relid, stmt->trigname, true) : InvalidOid;
	if (!OidIsValid(trigger) || stmt->args == NIL)
		return;
	watchtrigger_depend(trigger, relid, watches_command_arguments(stmt->args),
						list_length(stmt->args));
}
