/*-------------------------------------------------------------------------
 *
 * utility.c
 *		Utility commands that concern caches.
 *
 * Loaders depend on more than rows: on functions, views, types, policies,
 * privileges, and on what names stand for.  All that changes by DDL.  Once a
 * transaction has run a command that might change a loader's result, it uses no
 * caches itself.  Only commands that are known to be harmless are exempt, and
 * those on temporary objects, which no cached value depends on.  Which caches
 * depend on what it has changed is decided before it commits (ddl.c), and these
 * are invalidated as keys are: by a commit, for all, and never by a rollback.
 *
 * COPY FROM is a statement that changes rows (statement.c).  TRUNCATE is
 * seen by the watches' triggers; but the partitions of a watched table have
 * no such trigger of their own, so a hook looks after them.
 *
 * Commands that may drop what caches depend on, or ask for owners, find
 * the anchors complete (anchored.c); and when a server that is one is dropped or
 * altered, the cache follows.
 *
 * Locking: following a rename locks the table of definitions (rename.c); what is
 * done to partitions locks their watched parents (partition.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "storage/sinval.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/anchor.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "depend/loads.h"
#include "protocol/invalidate.h"
#include "protocol/pending.h"
#include "protocol/statement.h"
#include "segment.h"
#include "write/anchored.h"
#include "write/ddl.h"
#include "write/naming.h"
#include "write/partition.h"
#include "write/rename.h"
#include "write/restore.h"
#include "write/utility.h"
#include "write/watchtrigger.h"

static ProcessUtility_hook_type prev_process_utility = NULL;
static object_access_hook_type prev_object_access = NULL;

/* Is the new relation temporary? */
static bool
makes_temporary(RangeVar *name)
{
	return name->relpersistence == RELPERSISTENCE_TEMP ||
		(name->schemaname && strcmp(name->schemaname, "pg_temp") == 0);
}

/* Is it a temporary relation, made or to be made? */
static bool
is_temporary(RangeVar *name)
{
	Oid			relid;

	if (name == NULL)
		return false;
	if (makes_temporary(name))
		return true;
	relid = RangeVarGetRelid(name, NoLock, true);
	return OidIsValid(relid) &&
		get_rel_persistence(relid) == RELPERSISTENCE_TEMP;
}

/* Is the new table temporary, and nobody's child? */
static bool
makes_temporary_table(CreateStmt *stmt)
{
	return stmt->inhRelations == NIL && makes_temporary(stmt->relation);
}

/* Does an ALTER TABLE make the table somebody's child? */
static bool
alters_inheritance(AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		switch (((AlterTableCmd *) lfirst(lc))->subtype)
		{
			case AT_AddInherit:
			case AT_DropInherit:
			case AT_AttachPartition:
			case AT_DetachPartition:
				return true;
			default:
				break;
		}
	}
	return false;
}

static bool
drops_only_temporary(DropStmt *stmt)
{
	ListCell   *lc;

	switch (stmt->removeType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_SEQUENCE:
			break;
		default:
			return false;
	}
	foreach(lc, stmt->objects)
	{
		if (!is_temporary(makeRangeVarFromNameList((List *) lfirst(lc))))
			return false;
	}
	return true;
}

static CommandEffect
results_unless(bool temporary)
{
	return temporary ? EFFECT_TEMPORARY : EFFECT_RESULTS;
}

/*
 * Commands of the session and its transaction, and those that only run queries:
 * there is nothing to be done about them here, and they are many.
 */
static inline bool
concerns_session(NodeTag tag)
{
	switch (tag)
	{
		case T_TransactionStmt:
		case T_DeclareCursorStmt:
		case T_ClosePortalStmt:
		case T_FetchStmt:
		case T_PrepareStmt:
		case T_ExecuteStmt:
		case T_DeallocateStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
		case T_LockStmt:
		case T_ListenStmt:
		case T_UnlistenStmt:
		case T_NotifyStmt:
		case T_ConstraintsSetStmt:
			return true;
		default:
			return false;
	}
}

static CommandEffect
command_effect(Node *command)
{
	if (concerns_session(nodeTag(command)))
		return EFFECT_NONE;
	switch (nodeTag(command))
	{
		case T_RenameStmt:
			return results_unless(is_temporary(((RenameStmt *) command)->relation));

			/*
			 * These change nothing that a query's result depends on, unless
			 * it reads catalogs of indexes or statistics.
			 */
		case T_CopyStmt:
		case T_DoStmt:
		case T_CallStmt:
		case T_LoadStmt:
		case T_CheckPointStmt:
		case T_AlterSystemStmt:
			return EFFECT_NONE;

		case T_DiscardStmt:
			return EFFECT_TEMPORARY;

			/* Nor do these, which send messages about the table. */
		case T_VacuumStmt:
		case T_ClusterStmt:
		case T_ReindexStmt:
		case T_IndexStmt:

			/* The triggers of watches see to this one. */
		case T_TruncateStmt:

			/* Nobody can watch a materialized view. */
		case T_RefreshMatViewStmt:

			/* Of these the database notes, since 17, that it has any for logins. */
		case T_CreateEventTrigStmt:
		case T_AlterEventTrigStmt:
			return EFFECT_CATALOGS;

			/* These do not, on temporary objects. */
		case T_CreateStmt:
			return results_unless(makes_temporary_table((CreateStmt *) command));
		case T_CreateTableAsStmt:
			return results_unless(makes_temporary(((CreateTableAsStmt *) command)->into->rel));
		case T_CreateSeqStmt:
			return results_unless(makes_temporary(((CreateSeqStmt *) command)->sequence));
		case T_ViewStmt:
			return results_unless(makes_temporary(((ViewStmt *) command)->view));
		case T_AlterTableStmt:
			return results_unless(is_temporary(((AlterTableStmt *) command)->relation) &&
								   !alters_inheritance((AlterTableStmt *) command));
		case T_CreateTrigStmt:
			return results_unless(is_temporary(((CreateTrigStmt *) command)->relation));
		case T_RuleStmt:
			return results_unless(is_temporary(((RuleStmt *) command)->relation));
		case T_DropStmt:
			if (((DropStmt *) command)->removeType == OBJECT_INDEX)
				return EFFECT_CATALOGS;
			return results_unless(drops_only_temporary((DropStmt *) command));

			/* EXPLAIN ANALYZE does what it explains. */
		case T_ExplainStmt:
			{
				Query	   *query = (Query *) ((ExplainStmt *) command)->query;

				return IsA(query, Query) && query->utilityStmt ?
					command_effect(query->utilityStmt) : EFFECT_NONE;
			}

		default:
			return EFFECT_RESULTS;
	}
}

static void
note_effect(CommandEffect effect)
{
	if (GUARD_REMOVED("ddl"))
		return;
	ddl_note_command(effect);
	if (effect == EFFECT_RESULTS)
		pending_add_ddl();
}

/* The relation that a COPY FROM fills. */
static Oid
copy_target(Node *command)
{
	CopyStmt   *copy = (CopyStmt *) command;

	if (!IsA(command, CopyStmt) || !copy->is_from || copy->relation == NULL)
		return InvalidOid;
	return RangeVarGetRelid(copy->relation, NoLock, true);
}

/* Is it the table of definitions? */
static bool
is_definitions(Oid relid)
{
	const Extension *extension = extension_find();

	return extension != NULL && extension->definitions == relid;
}

/* Can the command drop what caches depend on, or ask whose they are? */
static bool
concerns_anchors(Node *command)
{
	DropStmt   *drop = (DropStmt *) command;

	switch (nodeTag(command))
	{
		case T_DropOwnedStmt:
		case T_ReassignOwnedStmt:
		case T_DropRoleStmt:
			return true;
		case T_DropStmt:
			break;
		default:
			return false;
	}
	switch (drop->removeType)
	{
		case OBJECT_INDEX:
			return false;
		case OBJECT_TABLE:
		case OBJECT_FOREIGN_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
			return drop->behavior == DROP_CASCADE;
		default:
			return true;
	}
}

/*
 * The anchors of this database's caches have to be complete.  While pg_upgrade
 * restores, the definitions are not there yet.
 */
static void
mend_anchors(bool again)
{
	if (!IsBinaryUpgrade && !XactReadOnly && extension_find() != NULL &&
		definition_is_readable())
		anchored_mend(again);
}

/*
 * Is it a command on anchors by somebody who is no superuser?  Then it is done
 * here.
 */
static bool
does_itself(Node *command)
{
	if (IsA(command, AlterOwnerStmt))
		return anchor_give((AlterOwnerStmt *) command);
	if (!IsA(command, CreateForeignServerStmt) || superuser() || XactReadOnly ||
		!anchor_is_server((CreateForeignServerStmt *) command))
		return false;

	/* Caches that are being created have their anchors then, and all others. */
	LockRelationOid(extension_get()->definitions, ShareRowExclusiveLock);
	mend_anchors(true);
	anchor_restore((CreateForeignServerStmt *) command);
	return true;
}

static inline void
next_process_utility(PlannedStmt *pstmt, const char *query_string,
					 bool read_only_tree, ProcessUtilityContext context,
					 ParamListInfo params, QueryEnvironment *env,
					 DestReceiver *dest, QueryCompletion *completion)
{
	if (prev_process_utility)
		prev_process_utility(pstmt, query_string, read_only_tree, context,
							 params, env, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree,
								context, params, env, dest, completion);
}

/* All other commands */
static pg_noinline void
process_command(PlannedStmt *pstmt, const char *query_string,
				bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *env,
				DestReceiver *dest, QueryCompletion *completion)
{
	Node	   *command = pstmt->utilityStmt;
	NodeTag		tag = nodeTag(command);
	bool		is_ddl = GetCommandLogLevel(command) == LOGSTMT_DDL;
	bool		is_vacuum = tag == T_VacuumStmt &&
		((VacuumStmt *) command)->is_vacuumcmd;
	volatile bool done = false;
	CommandEffect effect = EFFECT_NONE;
	Oid			dropped = InvalidOid;
	Oid			copied = InvalidOid;
	Renames    *renames = NULL;
	int			level = 0;
	bool		restoring = false;

	/*
	 * In an aborted transaction and without catalog access nothing here can be
	 * looked up.
	 */
	if (IsTransactionState())
	{
		effect = command_effect(command);
		copied = copy_target(command);
		if (IsA(command, DropdbStmt))
			dropped = get_database_oid(((DropdbStmt *) command)->dbname, true);
		partition_begin(command);
		if (IsA(command, CreateTrigStmt))
			watchtrigger_check((CreateTrigStmt *) command);
		if (does_itself(command))
			return;
		renames = rename_remember(command);
		if (concerns_anchors(command))
			mend_anchors(false);
		if (IsA(command, ReassignOwnedStmt) && !XactReadOnly)
			anchor_reassign((ReassignOwnedStmt *) command);
	}

	loads_note_utility(command);
	if (is_ddl)
		pending_count_ddl();
	note_effect(effect);
	if (OidIsValid(copied))
		level = statement_enter(copied);
	if (IsA(command, CopyStmt) && IsTransactionState())
		restoring = restore_enter(command);
	if (is_vacuum)
		ddl_begin_vacuum();
	ddl_begin_command(effect);
	PG_TRY();
	{
		next_process_utility(pstmt, query_string, read_only_tree, context,
							 params, env, dest, completion);
		done = true;
	}
	PG_FINALLY();
	{
		if (restoring)
			restore_leave();
		if (level > 0)
			statement_leave(level);
		if (is_vacuum)
			ddl_end_vacuum(done);
		ddl_end_command(effect);
	}
	PG_END_TRY();

	/*
	 * A command that has ended transactions, as CALL and DO may, can be gone
	 * by now: so only those that cannot are looked at.
	 */
	if (renames != NULL)
		rename_follow(command, renames);
	if (tag == T_CreateTrigStmt)
		watchtrigger_created((CreateTrigStmt *) command);
	if (OidIsValid(copied) && is_definitions(copied))
	{
		CommandCounterIncrement();
		mend_anchors(true);
	}

	if (is_ddl)
		pending_count_ddl();

	/* Some commands use several transactions. */
	if (effect != EFFECT_NONE)
		note_effect(effect);
	if (OidIsValid(dropped))
		pending_drop_database(dropped);
}

static void
cache_process_utility(PlannedStmt *pstmt, const char *query_string,
					  bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment *env,
					  DestReceiver *dest, QueryCompletion *completion)
{
	if (!concerns_session(nodeTag(pstmt->utilityStmt)))
	{
		process_command(pstmt, query_string, read_only_tree, context,
						params, env, dest, completion);
		return;
	}
	loads_note_utility(pstmt->utilityStmt);
	next_process_utility(pstmt, query_string, read_only_tree, context,
						 params, env, dest, completion);
}

/*
 * A relation is about to be truncated.  If it is a partition it has the row
 * triggers of its watched parents, though not those for TRUNCATE.
 */
static void
relation_truncated(Oid relid)
{
	if (pg_class_aclcheck(relid, GetUserId(), ACL_TRUNCATE) != ACLCHECK_OK)
		return;
	partition_lock_ancestors(relid);
	invalidate_watching(relid, invalidate_cache);
}

static pg_noinline void
object_changes(ObjectAccessType access, Oid class_id, Oid object_id,
			   int sub_id)
{
	if (segment_exists())
		naming_note(access, class_id, object_id, sub_id);
	if (access == OAT_TRUNCATE && class_id == RelationRelationId)
		relation_truncated(object_id);
	else if (access == OAT_DROP && class_id == ForeignServerRelationId)
		anchored_drop(object_id);
	else if (access == OAT_POST_ALTER && class_id == ForeignServerRelationId)
		anchored_alter(object_id);
	if (access == OAT_DROP && class_id == RelationRelationId && sub_id == 0)
		partition_lock_ancestors(object_id);
}

/* Most calls are of functions and schemas that are only used. */
static void
cache_object_access(ObjectAccessType access, Oid class_id, Oid object_id,
					int sub_id, void *arg)
{
	if (prev_object_access)
		prev_object_access(access, class_id, object_id, sub_id, arg);
	if (access != OAT_FUNCTION_EXECUTE && access != OAT_NAMESPACE_SEARCH)
		object_changes(access, class_id, object_id, sub_id);
}

/*
 * At the end of a transaction of an apply worker: partitions that it has
 * truncated had neither a trigger nor a hook.  But they have new storage, of
 * which all backends are told.
 */
void
utility_find_truncated(void)
{
	SharedInvalidationMessage *messages;
	bool		init_file;
	int			n;

	if (extension_find() == NULL)
		return;
	n = xactGetCommittedInvalidationMessages(&messages, &init_file);
	for (int i = 0; i < n; i++)
	{
		Oid			relid = messages[i].rc.relId;

		if (messages[i].id == SHAREDINVALRELCACHE_ID && OidIsValid(relid) &&
			get_rel_relispartition(relid))
			invalidate_watching(relid, invalidate_cache);
	}
}

/*
 * Install the hooks; once a process.
 */
void
utility_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = cache_process_utility;
	prev_object_access = object_access_hook;
	object_access_hook = cache_object_access;
}
