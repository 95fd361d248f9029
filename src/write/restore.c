/*-------------------------------------------------------------------------
 *
 * restore.c
 *		Dumps that are restored, by superusers and others.
 *
 * A dump has the rows of cache_definition, which pg_restore copies into that
 * table; the servers that stand for caches (anchor.c); and the triggers of
 * watches (watchtrigger.c).  A superuser may do all that, and gets what was there,
 * with its ids and owners.
 *
 * Others have no right to write to cache_definition.  But who restores a database
 * of his own should have its caches, too: so COPY ... FROM STDIN into that table
 * is for everybody who may call cache_create(), and each row is taken as a call of
 * it.  It must name a loader that is there and that its user may execute; what was
 * recorded is recorded anew, and an owner that the user cannot become is replaced
 * by him.  The command is run in the name of the superuser, who then decides by a
 * trigger what is inserted.  Nothing of the user's runs meanwhile: there is no
 * file, program or WHERE clause, and defaults are constants; and the table is the one
 * that was meant, not one of the user's that has got its name by the time COPY
 * opens it, whose triggers would run.  The first rights that are asked for are
 * those of COPY, before it does anything with its table: so they tell which it is.
 *
 * In the same way they restore what was set in caches that are logged, and were it
 * not for this they could not even dump their database: pg_dump copies the table
 * cache_value_logged in any case.  They may, if all that is in it is of their caches.
 * What becomes of its rows, see values.c.
 *
 * Locking: that of COPY; ids are random, and names are unique.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_proc.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/anchor.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/rows.h"
#include "definition/settings.h"
#include "load/keyvalue.h"
#include "write/restore.h"

/* Who copies into or out of a table; InvalidOid: nobody, or a superuser. */
static Oid	restoring = InvalidOid;
static int	restoring_context;

/* The table that COPY has to open; InvalidOid: it has. */
static Oid	expected = InvalidOid;

/* Installed only meanwhile, so that nobody else's statements pass by */
static ExecutorCheckPerms_hook_type prev_check_perms = NULL;

/*-------------------------------------------------------------------------
 * Rows
 *-------------------------------------------------------------------------
 */

static Datum
column(Relation rel, HeapTuple tuple, int anum, bool *isnull)
{
	return heap_getattr(tuple, anum, RelationGetDescr(rel), isnull);
}

static bool
is_null(Relation rel, HeapTuple tuple, int anum)
{
	bool		isnull;

	(void) column(rel, tuple, anum, &isnull);
	return isnull;
}

static void
invalid(const char *name, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid definition of cache \"%s\"", name),
			 errdetail("%s", detail),
			 errhint("Create the cache with cache_create().")));
}

/* Is an array of strings one that can be read? */
static void
check_array(const char *name, Relation rel, HeapTuple tuple, int anum,
			bool nulls)
{
	bool		isnull;
	Datum		value = column(rel, tuple, anum, &isnull);
	ArrayType  *array = isnull ? NULL : DatumGetArrayTypeP(value);

	if (array != NULL &&
		(ARR_NDIM(array) > 1 || (!nulls && array_contains_nulls(array)) ||
		 ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > FUNC_MAX_ARGS))
		invalid(name, "An array in it is malformed.");
}

/* The interval and the costs: as the arguments of cache_create() */
static void
check_options(const char *name, Relation rel, HeapTuple tuple)
{
	bool		isnull;
	Datum		value = column(rel, tuple, ANUM_TTL, &isnull);
	Interval	zero = {0};
	int64		max_cost;
	int64		entry_cost;

	if (!isnull &&
		DatumGetInt32(DirectFunctionCall2(interval_cmp, value,
										  IntervalPGetDatum(&zero))) <= 0)
		invalid(name, "ttl must be positive.");
	if (!isnull)
		(void) DirectFunctionCall2(timestamptz_pl_interval,
								   TimestampTzGetDatum(GetCurrentTimestamp()),
								   value);
	value = column(rel, tuple, ANUM_MAX_COST, &isnull);
	max_cost = isnull ? PG_INT64_MAX : DatumGetInt64(value);
	value = column(rel, tuple, ANUM_ENTRY_COST, &isnull);
	entry_cost = isnull ? 1 : DatumGetInt64(value);
	if (max_cost <= 0 || entry_cost <= 0 || entry_cost > max_cost)
		invalid(name, "Costs must be positive, and entry_cost not greater than max_cost.");
}

/* The recorded settings, as they can be recorded now. */
static ArrayType *
record_again(CacheDef *def)
{
	Settings   *settings = &def->settings;
	ArrayType  *recorded;
	bool		complete;
	int			nestlevel;

	for (int i = 0; i < settings->n; i++)
	{
		if (settings->list[i].variable == NULL)
			invalid(NameStr(def->name), "A setting is not one that caches record.");
	}
	nestlevel = settings_apply(settings, &complete);
	recorded = settings_record();
	settings_restore(nestlevel);
	if (!complete)
		ereport(WARNING,
				(errmsg("a setting that is recorded with cache \"%s\" cannot be set any more",
						NameStr(def->name)),
				 errdetail("The present one is recorded.")));
	return recorded;
}

/* Whose the cache is to be. */
static Oid
settle_owner(const CacheDef *def, Oid user)
{
	if (OidIsValid(def->owner) && cache_can_set_role(user, def->owner))
		return def->owner;
	ereport(NOTICE,
			(errmsg("cache \"%s\" is restored for role \"%s\"",
					NameStr(def->name), GetUserNameFromId(user, false))));
	return user;
}

/* What a user inserts, as if it had been created by him. */
static HeapTuple
admit(Relation rel, HeapTuple tuple, const char *name)
{
	static const int required[] = {
		ANUM_ID, ANUM_VERSION, ANUM_OWNER, ANUM_REDIS, ANUM_SETTINGS, ANUM_LOGGED
	};
	CacheDef   *def;
	Oid			owner;
	bool		isnull;
	List	   *trust = NIL;
	ListCell   *lc;

	/* The table complains of these. */
	for (int i = 0; i < (int) lengthof(required); i++)
	{
		if (is_null(rel, tuple, required[i]))
			return tuple;
	}
	if (!is_null(rel, tuple, ANUM_LOADER_NAME) &&
		DatumGetBool(column(rel, tuple, ANUM_LOGGED, &isnull)))
		invalid(name, "It has a loader, so it cannot be logged.");
	if (name[0] == '\0' ||
		is_null(rel, tuple, ANUM_LOADER_NAME) != is_null(rel, tuple, ANUM_LOADER_SCHEMA) ||
		is_null(rel, tuple, ANUM_LOADER_NAME) != is_null(rel, tuple, ANUM_LOADER_ARGS))
		invalid(name, "A name is missing.");
	check_array(name, rel, tuple, ANUM_LOADER_ARGS, false);
	check_array(name, rel, tuple, ANUM_SETTINGS, false);
	check_array(name, rel, tuple, ANUM_KEY_COLLATIONS, true);
	check_array(name, rel, tuple, ANUM_TRUST, false);
	check_options(name, rel, tuple);

	def = definition_read(rel, tuple);
	definition_require_loader(def);
	owner = settle_owner(def, restoring);
	if (anchor_is_foreign(name))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the server of cache \"%s\"", name),
				 errhint("Create the cache with cache_create().")));
	if (def->plain)
		return rows_renew(rel, tuple, owner, InvalidOid, NULL, 0, NIL, NULL);
	definition_require_read(def);
	foreach(lc, def->trusted)
		trust = lappend(trust, format_procedure_qualified(lfirst_oid(lc)));
	return rows_renew(rel, tuple, owner, def->loader,
					  definition_collations(def), def->nkeys, trust,
					  record_again(def));
}

/*
 * cache_restore(): a trigger of cache_definition, for the rows that a restore
 * inserts.  Caches that are there already stay as they are, so that the data of
 * a dump can be restored by itself.  Needs no shared memory.
 */
PG_FUNCTION_INFO_V1(cache_restore);
Datum
cache_restore(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	HeapTuple	tuple;
	Oid			role;
	int			context;
	const char *name;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(data->tg_event) ||
		RelationGetRelid(data->tg_relation) != extension_get()->definitions)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cache_restore() can only be called as the trigger of cache_definition")));
	tuple = data->tg_trigtuple;
	if (is_null(data->tg_relation, tuple, ANUM_NAME))
		return PointerGetDatum(tuple);
	name = NameStr(*DatumGetName(column(data->tg_relation, tuple, ANUM_NAME,
										&(bool) {false})));
	if (definition_find(name) != NULL)
	{
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("cache \"%s\" already exists, skipping", name)));
		return PointerGetDatum(NULL);
	}
	if (!OidIsValid(restoring))
		return PointerGetDatum(tuple);
	GetUserIdAndSecContext(&role, &context);
	SetUserIdAndSecContext(restoring, restoring_context);
	tuple = admit(data->tg_relation, tuple, name);
	SetUserIdAndSecContext(role, context);
	return PointerGetDatum(tuple);
}

/*-------------------------------------------------------------------------
 * COPY
 *-------------------------------------------------------------------------
 */

/* May the current user call cache_create()? */
static bool
may_create(void)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum("cache_create"));
	bool		may = false;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		may |= proc->pronamespace == extension_get()->schema &&
			cache_aclcheck_proc(proc->oid, GetUserId()) == ACLCHECK_OK;
	}
	ReleaseSysCacheList(list);
	return may;
}

/* Has the table the trigger, and does that fire?  Nobody else can make one. */
static bool
is_guarded(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		guarded = false;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		guarded |= strcmp(trigger->tgname, "restore") == 0 &&
			(trigger->tgenabled == TRIGGER_FIRES_ALWAYS ||
			 (trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN &&
			  SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA));
	}
	table_close(rel, NoLock);
	return guarded;
}

/* The ExecutorCheckPerms hook: COPY asks for the rights on its table. */
static bool
check_table(CHECK_PERMS_ARGS)
{
	ListCell   *lc;

	foreach(lc, OidIsValid(expected) && !GUARD_REMOVED("restored_table") ?
			tables : NIL)
	{
		Oid			relid = lfirst_node(RangeTblEntry, lc)->relid;

		if (relid != expected)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relid));
	}
	expected = InvalidOid;
	return prev_check_perms == NULL || prev_check_perms(CHECK_PERMS_PASS);
}

/* May the current user's COPY fill this table, as the trigger decides? */
static bool
may_restore(Oid relid)
{
	const Extension *extension = extension_get();

	return OidIsValid(relid) &&
		(relid == extension->definitions || relid == extension->values[true].table) &&
		may_create() && is_guarded(relid);
}

/* Is this one of the caches that the current user owns? */
static bool
owns(uint64 cache)
{
	ListCell   *lc;

	foreach(lc, definition_names())
	{
		CacheDef   *def = definition_find(lfirst(lc));

		if (def != NULL && def->id == cache)
			return definition_is_owner(def);
	}
	return false;
}

/*
 * May his COPY read the table, as he cannot by himself?  The values of a cache are
 * for its owner; and a dump is complete, or an error.
 */
static bool
may_dump(Oid relid)
{
	ListCell   *lc;

	if (!OidIsValid(relid) || relid != extension_get()->values[true].table ||
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return false;
	foreach(lc, keyvalue_logged_caches())
	{
		if (!owns(*(uint64 *) lfirst(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for table %s", get_rel_name(relid)),
					 errdetail("It has what was set in caches of other owners."),
					 errhint("Dump it as a role that may read all data, or leave it out: pg_dump --exclude-table-data='*.%s'",
							 get_rel_name(relid))));
	}
	return true;
}

/*
 * Before a command: if it is a COPY of definitions, or of what was set, by
 * somebody who has no rights on their tables, run it in the superuser's name.  True
 * if so; then restore_leave has to be called, also after an error.
 */
bool
restore_enter(Node *command)
{
	CopyStmt   *copy = (CopyStmt *) command;
	Oid			relid;

	if (!IsA(command, CopyStmt) || copy->relation == NULL ||
		copy->filename != NULL || copy->is_program ||
		copy->whereClause != NULL || OidIsValid(restoring) || superuser() ||
		extension_find() == NULL)
		return false;
	relid = RangeVarGetRelid(copy->relation, NoLock, true);
	STOP_POINT("restoring");
	if (!definition_is_readable() ||
		!(copy->is_from ? may_restore(relid) : may_dump(relid)))
		return false;
	expected = relid;
	prev_check_perms = ExecutorCheckPerms_hook;
	ExecutorCheckPerms_hook = check_table;
	GetUserIdAndSecContext(&restoring, &restoring_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   restoring_context | SECURITY_LOCAL_USERID_CHANGE);
	return true;
}

/*
 * In whose name a table is being filled; false if that is nobody, or a superuser.
 */
bool
restore_user(Oid *role, int *context)
{
	*role = restoring;
	*context = restoring_context;
	return OidIsValid(restoring);
}

/*
 * Afterwards.
 */
void
restore_leave(void)
{
	SetUserIdAndSecContext(restoring, restoring_context);
	restoring = expected = InvalidOid;
	ExecutorCheckPerms_hook = prev_check_perms;
}
