/*-------------------------------------------------------------------------
 *
 * loads.c
 *		The loads in progress, and what they depend on.
 *
 * While a loader runs, a hook in ExecutorStart looks at every plan that is
 * executed, at any depth.  What is read from a table with row security or a
 * temporary table is different for others, and not stored.  A table that is
 * not watched for this cache (or a foreign table, which cannot be) may change
 * without notice: the result is stored only if the cache has a ttl.  Catalogs
 * are exempt: all DDL invalidates the caches whose loads read them.  By what
 * other DDL finds the caches that it concerns is noted here as well, in the
 * registry and, for all loads together, in dependency.c.  What else a plan can
 * depend on is found by inspect.c; what PL/pgSQL evaluates without the executor,
 * by compiled.c.
 *
 * A load inside a load is watched for both.  A hit inside a load counts as
 * reading whatever the loads of that cache have read, which its slot in the
 * registry remembers, and which columns of each relation.
 *
 * An error that is caught inside a load may have been this session's alone: of
 * the stack's depth, a timeout, a lock, a privilege.  The subtransaction that
 * ends with it tells of it.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_largeobject.h"
#include "catalog/pg_largeobject_metadata.h"
#include "catalog/pg_replication_origin.h"
#include "catalog/pg_shdepend.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_statistic_ext_data.h"
#include "catalog/pg_subscription_rel.h"
#include "executor/executor.h"
#include "executor/functions.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/cost.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "partitioning/partdesc.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/watches.h"
#include "depend/dependency.h"
#include "depend/inspect.h"
#include "depend/loads.h"
#include "depend/narrow.h"
#include "depend/routine.h"
#include "fence/registry.h"

Load	   *current_load = NULL;

/*
 * An empty context, which is moved to the front of its siblings when a load
 * begins: what is in front of it has been made since the last one began.
 */
MemoryContext loads_boundary = NULL;

static uint64 loads_begun = 0;

/* Plannings in progress, in loads */
static int	planning = 0;

/*
 * The relations in texts that have been analysed during the innermost of them,
 * such as functions in SQL that became a part of the query.
 */
static List *analysed = NIL;
static MemoryContext analysed_context = NULL;

/*
 * Within a transaction expressions of PL/pgSQL keep what functions in SQL were
 * made into.  This moves when such may have been made outside of loads, if it
 * has been asked for in this transaction, and at its end.
 */
static uint64 sql_made_outside = 0;
static bool sql_is_kept = false;

/*
 * Where PostgreSQL keeps the plans of functions in SQL for the session: some may
 * have been made outside of loads, or have to be noted again; and under what the
 * others were made.
 */
static bool sql_plans_are_foreign = true;
static uint64 sql_plans_made_under = 0;

/* What the parser is told for the body of a function in SQL. */
static ParseParamRefHook sql_param_hook = NULL;

static ExecutorStart_hook_type prev_executor_start = NULL;
static planner_hook_type prev_planner = NULL;
static needs_fmgr_hook_type prev_needs_fmgr = NULL;
static post_parse_analyze_hook_type prev_post_parse_analyze = NULL;

/*
 * The loads in progress may read what no plan tells: a function that is vouched
 * for may do anything, and what it was found in may be seen no more.
 */
static void
note_unseen(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0)
			slot_add_unseen(load->def->slot);
	}
}

/*
 * A load begins: of the cache's loader, or (keys) of a key function of its.
 */
void
load_begin(Load *load, CacheDef *def, bool keys)
{
	memset(load, 0, sizeof(Load));
	load->def = def;
	load->keys = keys;
	load->number = ++loads_begun;
	load->role = GetUserId();
	if (loads_boundary == NULL)
		loads_boundary = AllocSetContextCreate(TopMemoryContext, "cache loads",
											   ALLOCSET_SMALL_SIZES);
	MemoryContextSetParent(loads_boundary, NULL);
	MemoryContextSetParent(loads_boundary, CACHE_PLPGSQL_PARENT);
	load->outer = current_load;
	current_load = load;
	if (def->trusted != NIL && !GUARD_REMOVED("unseen"))
		note_unseen();
}

/*
 * The load is through, without an error: it depends also on what it speaks of
 * and has not read.  Before its result is stored.
 */
void
load_note_unread(Load *load)
{
	int			slot = load->keys ? -1 : load->def->slot;

	for (int i = 0; i < load->nanalysed; i++)
	{
		if (slot < 0 || !slot_depends_on(slot, load->analysed[i]))
			dependency_note_mention(load->analysed[i]);
	}
}

/*
 * It ends, also by an error.
 */
void
load_end(Load *load)
{
	current_load = load->outer;
	if (load->planned.mask != 0)
		sql_plans_are_foreign = true;
}

/*
 * How many loads are in progress, one inside the other?
 */
int
loads_depth(void)
{
	int			depth = 0;

	for (Load *load = current_load; load != NULL; load = load->outer)
		depth++;
	return depth;
}

/*
 * Forget the loads in progress: the transaction has ended.
 */
void
loads_reset(void)
{
	current_load = NULL;
	planning = 0;
	analysed = NIL;
	if (sql_is_kept)
		sql_made_outside++;
	sql_is_kept = false;
}

/*-------------------------------------------------------------------------
 * Noting
 *-------------------------------------------------------------------------
 */

/* These loads depend on what temporary objects a session has. */
static void
note_own_path(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0)
			pg_atomic_write_u32(&shared_slots[load->def->slot].own_path, 1);
	}
}

/* These loads read catalogs, so they depend on all DDL. */
static void
note_catalogs(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		load->reads_catalogs = true;
		if (!load->keys && load->def->slot >= 0)
			slot_note_catalogs(load->def->slot);
	}
}

/*
 * The loads in progress depend on this.  Where the innermost of them runs a
 * function that is vouched for, what that function does concerns nobody.
 */
void
loads_note(Reason reason, Oid object)
{
	if (reason == REASON_TEMPORARY_OBJECTS)
	{
		note_own_path();
		return;
	}
	if (reason == REASON_CATALOGS)
	{
		note_catalogs();
		for (Load *load = current_load; planning > 0 && load != NULL;
			 load = load->outer)
			reasons_note(&load->planned, reason, object);
		return;
	}
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (load->vouched_by != NULL && reasons_vouchable(reason))
			break;
		reasons_note(&load->why, reason, object);
		if (planning > 0)
			reasons_note(&load->planned, reason, object);
	}
}

/*
 * The same of several.
 */
void
loads_note_all(const Reasons *reasons)
{
	for (int i = 0; reasons->mask != 0 && i < REASONS; i++)
	{
		if (reasons->mask & REASON_BIT(i))
			loads_note(i, reasons->object[i]);
	}
}

/*
 * Does the innermost load's cache vouch for the function?
 */
bool
loads_vouched(Oid function)
{
	return current_load != NULL &&
		list_member_oid(current_load->def->trusted, function);
}

/*
 * A subtransaction has ended with an error, inside a load.
 */
void
loads_caught_error(void)
{
	if (current_load != NULL && !GUARD_REMOVED("caught_error"))
		loads_note(REASON_CAUGHT_ERROR, REASON_NOTHING);
}

/*
 * Is it a catalog whose changes are known because they are DDL?  What DDL in
 * other databases leaves in pg_shdepend is not.
 */
static bool
is_catalog(Oid relid)
{
	if (relid >= FirstNormalObjectId)
		return false;
	switch (relid)
	{
		case LargeObjectRelationId:
		case LargeObjectMetadataRelationId:
		case ReplicationOriginRelationId:
		case SharedDependRelationId:
		case StatisticRelationId:
		case StatisticExtDataRelationId:
		case SubscriptionRelRelationId:
			return false;
		default:
			return true;
	}
}

/*
 * While a partition is being detached concurrently, plans of before and of
 * after read it or do not, whatever the snapshot says that they run under.
 */
static bool
is_detaching(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
		!GUARD_REMOVED("detaching") &&
		RelationGetPartitionDesc(rel, false)->detached_exist;
}

/* Does a column hold the identity of what has a name in the catalogs? */
static bool
holds_names(TupleDesc columns)
{
	for (int i = 0; i < columns->natts; i++)
	{
		if (inspect_names_object(TupleDescAttr(columns, i)->atttypid))
			return true;
	}
	return false;
}

/*
 * The loads in progress read a relation, and of that these columns.
 */
void
loads_note_relation(Relation rel, Columns columns)
{
	Oid			relid = RelationGetRelid(rel);
	char		relkind = rel->rd_rel->relkind;
	bool		temporary = rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP;

	if (relkind == RELKIND_VIEW)
		return;
	if (relid < FirstNormalObjectId || holds_names(RelationGetDescr(rel)))
		note_catalogs();
	if (is_catalog(relid))
		return;

	/*
	 * Whether policies apply depends on the role, its settings and what the
	 * policies call; PlannedStmt does not tell (its dependsOnRole is for
	 * foreign joins alone).
	 */
	if (rel->rd_rel->relrowsecurity && !GUARD_REMOVED("row_security"))
		loads_note(REASON_ROW_SECURITY, relid);
	if (temporary && !GUARD_REMOVED("temporary"))
		loads_note(REASON_TEMPORARY, relid);
	if (is_detaching(rel))
		loads_note(REASON_DETACHING, relid);
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!temporary && !GUARD_REMOVED("unwatched") &&
			(relkind == RELKIND_FOREIGN_TABLE ||
			 !watch_covers(rel, NameStr(load->def->name))))
			reasons_note(&load->why, REASON_UNWATCHED, relid);

		/* By what it reads, a key function tells what DDL concerns. */
		if (load->keys && load->def->slot >= 0 && !temporary)
			slot_depend(load->def->slot, relid);

		/* A slot that cannot hold all that is read makes hits useless. */
		if (!load->keys && load->def->slot >= 0 && !temporary)
			slot_add_read(load->def->slot, relid, columns);
	}
}

/* Whoever uses the result later has to lock the view, as this load has. */
static void
note_view(Oid relid)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0 &&
			!slot_add_view(load->def->slot, relid))
			reasons_note(&load->why, REASON_MANY_VIEWS, REASON_NOTHING);
	}
}

/* May parallel workers call functions of users, where this hook is not? */
static bool
calls_in_workers(PlannedStmt *plan)
{
	ListCell   *lc;

	if (!plan->parallelModeNeeded)
		return false;
	foreach(lc, plan->invalItems)
	{
		if (lfirst_node(PlanInvalItem, lc)->cacheId == PROCOID)
			return true;
	}
	return false;
}

/*
 * By whose rights is something done now?  The caller's, if the entries of all
 * loads in progress are in the name of the current role.
 */
DependencyRights
loads_rights(void)
{
	Oid			role = GetUserId();

	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (load->keys || load->def->definer || load->role != role)
			return GUARD_REMOVED("caller") ? RIGHTS_OF_CALLER : RIGHTS_OF_ROLE;
	}
	return RIGHTS_OF_CALLER;
}

/*
 * Is the search_path another one than what was recorded?  A function with a
 * setting of its own may have pg_temp in front of what it means.
 */
void
loads_note_search_path(void)
{
	const char *recorded = current_load->def->settings.search_path;

	dependency_note_session(current_load->keys ? RIGHTS_NONE : loads_rights());
	if (recorded != NULL && strcmp(recorded, namespace_search_path) != 0 &&
		!GUARD_REMOVED("settings"))
		note_own_path();
}

/* By whose rights does it read?  The owners of views have a say. */
static void
note_rights(PlannedStmt *plan)
{
	ListCell   *lc;

	foreach(lc, cache_permissions(plan))
	{
		Oid			role = cache_check_as_user(lfirst(lc));

		if (OidIsValid(role))
			dependency_note_role(role);
	}
}

/*
 * A plan that is looked at: the tables of its range table, opened, NULL where
 * there is none, or just a catalog; and what it is run with.
 */
typedef struct PlanTables
{
	Relation   *rels;
	ParamListInfo params;
} PlanTables;

static void
note_scan(const PlanScan *scan, void *arg)
{
	PlanTables *tables = arg;

	if (tables->rels[scan->varno - 1] != NULL)
		narrow_note_scan(tables->rels[scan->varno - 1], scan, tables->params);
}

/* What a plan has in its range table is read; a table is opened and given. */
static Relation
note_entry(PlannedStmt *plan, RangeTblEntry *rte, int rti)
{
	Relation	rel;

	if (OidIsValid(rte->relid) && rte->relkind == RELKIND_VIEW)
	{
		if (rte->relid >= FirstNormalObjectId)
			note_view(rte->relid);
		else
			note_catalogs();
		return NULL;
	}
	if (rte->rtekind != RTE_RELATION)
		return NULL;
	if (is_catalog(rte->relid))
	{
		note_catalogs();
		return NULL;
	}
	/* The plan's locks are held already, or about to be taken. */
	rel = table_open(rte->relid, AccessShareLock);
	loads_note_relation(rel, planning > 0 ? COLUMNS_ALL :
						columns_read(plan, rti, rel));
	return rel;
}

/* Not inline, for the sake of what is executed outside of loads. */
static pg_noinline void
note_plan(PlannedStmt *plan, ParamListInfo params)
{
	int			n = list_length(plan->rtable);
	Relation	few[8];
	PlanTables	tables = {few, params};
	Reasons		reasons = {0};

	if (n > (int) lengthof(few))
		tables.rels = palloc(n * sizeof(Relation));
	loads_note_search_path();
	note_rights(plan);
	for (int i = 0; i < n; i++)
		tables.rels[i] = note_entry(plan,
									list_nth_node(RangeTblEntry, plan->rtable, i),
									i + 1);
	(void) inspect_plan(plan, loads_vouched, note_scan, &tables, &reasons);
	for (int i = n - 1; i >= 0; i--)
	{
		if (tables.rels[i] != NULL)
			table_close(tables.rels[i], NoLock);
	}
	if (tables.rels != few)
		pfree(tables.rels);
	loads_note_all(&reasons);
	if (plan->dependsOnRole)
		loads_note(REASON_ROLE, REASON_NOTHING);
	if (calls_in_workers(plan))
		loads_note(REASON_PARALLEL, REASON_NOTHING);
}

static void
loads_executor_start(QueryDesc *query, int eflags)
{
	if (current_load != NULL && query->plannedstmt != NULL)
		note_plan(query->plannedstmt, query->params);
	if (prev_executor_start)
		prev_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

static PlannedStmt *
plan_as_before(Query *query, const char *source, int options,
			   ParamListInfo params)
{
	return prev_planner ? prev_planner(query, source, options, params) :
		standard_planner(query, source, options, params);
}

/*
 * Make a plan all of which is seen when it runs: one without workers, if these
 * would call functions of users.  What is computed once may take longer.
 */
static PlannedStmt *
plan_seen(Query *query, const char *source, int options, ParamListInfo params)
{
	Query	   *again = NULL;
	PlannedStmt *plan;

	/* The planner changes the query. */
	if ((options & CURSOR_OPT_PARALLEL_OK) &&
		max_parallel_workers_per_gather > 0 && !GUARD_REMOVED("seen"))
		again = copyObject(query);
	plan = plan_as_before(query, source, options, params);
	if (again != NULL && calls_in_workers(plan))
		plan = plan_as_before(again, source, options & ~CURSOR_OPT_PARALLEL_OK,
							  params);
	return plan;
}

/* Gather the relations of a query, other than those that constants name. */
static bool
gather_relations(Node *node, List **relids)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		ListCell   *lc;

		foreach(lc, ((Query *) node)->rtable)
		{
			Oid			relid = lfirst_node(RangeTblEntry, lc)->relid;

			if (OidIsValid(relid))
				*relids = list_append_unique_oid(*relids, relid);
		}
		return query_tree_walker((Query *) node, gather_relations, relids, 0);
	}
	return expression_tree_walker(node, gather_relations, relids);
}

/*
 * Which relations does a query speak of?  One that a constant of regclass names is
 * a matter of the catalogs (inspect.c).
 */
static List *
relations_of(Query *query)
{
	List	   *relids = NIL;

	(void) gather_relations((Node *) query, &relids);
	return relids;
}

/* Such a text has been analysed, in memory that does not last. */
static void
note_analysed(Query *query)
{
	MemoryContext before = MemoryContextSwitchTo(analysed_context);

	analysed = list_concat(analysed, relations_of(query));
	MemoryContextSwitchTo(before);
}

static bool
plan_has(PlannedStmt *plan, Oid relid)
{
	ListCell   *lc;

	foreach(lc, plan->rtable)
	{
		if (lfirst_node(RangeTblEntry, lc)->relid == relid)
			return true;
	}
	return false;
}

/* It is known at the end of the load whether this was read: see load_note_unread. */
static void
defer_mention(Load *load, Oid relid)
{
	for (int i = 0; i < load->nanalysed; i++)
	{
		if (load->analysed[i] == relid)
			return;
	}
	if (load->nanalysed < LOAD_ANALYSED)
		load->analysed[load->nanalysed++] = relid;
	else
		dependency_note_mention(relid);
}

/*
 * Note the relations of a query that its plan has left out: in an expression that
 * was folded, say, or a WITH that nobody uses.  What was analysed meanwhile, such
 * as functions in SQL, may still be executed by itself.
 */
static void
note_left_out(List *relids, PlannedStmt *plan)
{
	ListCell   *lc;

	if (GUARD_REMOVED("left_out"))
		return;
	foreach(lc, relids)
	{
		if (!plan_has(plan, lfirst_oid(lc)))
			dependency_note_mention(lfirst_oid(lc));
	}
	foreach(lc, analysed)
	{
		if (!plan_has(plan, lfirst_oid(lc)))
			defer_mention(current_load, lfirst_oid(lc));
	}
}

/*
 * The planner is asked for a plan.  Of what it folds into the plan nothing is
 * seen when that is executed, now or in later loads: of literals that say 'now',
 * and of functions that claim to be IMMUTABLE.
 */
static pg_noinline PlannedStmt *
plan_in_load(Query *query, const char *source, int options,
			 ParamListInfo params)
{
	PlannedStmt *plan;
	List	   *outer = analysed;
	MemoryContext outer_context = analysed_context;

	planning++;
	analysed = NIL;
	analysed_context = CurrentMemoryContext;
	PG_TRY();
	{
		Reasons		reasons = {0};
		List	   *relids = relations_of(query);

		inspect_literals(query, source, &reasons);
		loads_note_all(&reasons);
		plan = plan_seen(query, source, options, params);
		note_left_out(relids, plan);
	}
	PG_FINALLY();
	{
		planning--;
		analysed = outer;
		analysed_context = outer_context;
	}
	PG_END_TRY();
	return plan;
}

static PlannedStmt *
loads_planner(Query *query, const char *source, int options,
			  ParamListInfo params)
{
	if (current_load != NULL)
		return plan_in_load(query, source, options, params);
	return plan_as_before(query, source, options, params);
}

/*
 * A number that moves whenever a function in SQL may have been made into
 * something, outside of loads, that an expression of PL/pgSQL keeps.
 */
uint64
loads_sql_made_outside(void)
{
	sql_is_kept = true;
	return sql_made_outside;
}

/*
 * The load is about to call this function.  If it is in SQL, and PostgreSQL keeps
 * the plans of such, all plans that the session keeps are made anew when they are
 * used next, unless none of a function in SQL was made elsewhere since they were
 * last.
 */
void
loads_note_call(Oid function)
{
	uint64		under;

	dependency_note_function(function);
	if (!CACHE_KEEPS_SQL_PLANS || !routine_is_sql(function))
		return;
	under = current_load->def->made_under ^
		settings_deviation(&current_load->def->settings);
	if (!sql_plans_are_foreign && sql_plans_made_under == under)
		return;
	ResetPlanCache();
	sql_plans_are_foreign = false;
	sql_plans_made_under = under;
}

/*
 * A function is looked up for being called, inlined or folded.
 *
 * In a load, one in SQL that may have a literal such as 'now' is not inlined:
 * then its text is seen together with what was made of it.
 */
static bool
loads_needs_fmgr(Oid function)
{
	if (prev_needs_fmgr && prev_needs_fmgr(function))
		return true;
	if (current_load != NULL)
	{
		loads_note_call(function);
		return routine_says_now(function);
	}
	if (sql_is_kept && routine_is_users(function))
		sql_made_outside++;
	if (CACHE_KEEPS_SQL_PLANS && !sql_plans_are_foreign)
		sql_plans_are_foreign = routine_is_users(function);
	return false;
}

/*
 * A text is analysed: by a load; or it is the body of a function in SQL, outside
 * of loads.
 */
static void
loads_post_parse_analyze(ParseState *pstate, Query *query, JumbleState *jumble)
{
	if (current_load == NULL && pstate->p_paramref_hook == sql_param_hook)
	{
		sql_plans_are_foreign = true;
		if (sql_is_kept)
			sql_made_outside++;
	}
	if (current_load != NULL)
		dependency_note_text(pstate->p_sourcetext);
	if (current_load != NULL && planning > 0)
		note_analysed(query);
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jumble);
}

/*
 * A command that is not a query is executed: by a VOLATILE function, since
 * others cannot.  What it gives is the session's, by and large.
 */
void
loads_note_utility(Node *command)
{
	if (current_load != NULL && !IsA(command, CallStmt) &&
		!IsA(command, DoStmt) && !IsA(command, LockStmt))
		loads_note(REASON_SESSION, REASON_UTILITY);
}

/*
 * What the loads in progress give is good until then; 0: no bound.
 */
void
loads_bound(TimestampTz expires)
{
	for (Load *load = current_load; load != NULL && expires != 0;
		 load = load->outer)
	{
		if (load->expires == 0 || expires < load->expires)
			load->expires = expires;
	}
}

/*
 * A cached value of another cache was used, of this generation.  If a load is
 * in progress, it has read all that the loads of that cache have read.  Its
 * slot forgets that with each generation, after it has begun the next one: so
 * if the generation is still the same afterwards, nothing was missing.
 */
void
loads_note_hit(CacheDef *inner, uint64 generation, TimestampTz expires)
{
	CacheSlot  *slot;
	Oid			reads[SLOT_READS];
	Oid			views[SLOT_VIEWS];
	Columns		columns[SLOT_READS];
	uint32		nreads;
	uint32		nviews;
	bool		own_path;
	bool		unseen;
	bool		reads_catalogs;
	bool		unknown;

	if (current_load == NULL || GUARD_REMOVED("nested_hit"))
		return;
	if (!inner->definer && loads_rights() == RIGHTS_OF_ROLE)
		dependency_note_role(GetUserId());
	slot = &shared_slots[inner->slot];
	nreads = pg_atomic_read_u32(&slot->nreads);
	nviews = pg_atomic_read_u32(&slot->nviews);
	own_path = pg_atomic_read_u32(&slot->own_path) != 0;
	unseen = pg_atomic_read_u32(&slot->unseen) != 0;
	reads_catalogs = pg_atomic_read_u32(&slot->reads_catalogs) != 0;
	pg_read_barrier();
	memcpy(reads, slot->reads, sizeof(reads));
	for (uint32 i = 0; i < Min(nreads, SLOT_READS); i++)
		columns[i] = pg_atomic_read_u64(&slot->columns[i]);
	memcpy(views, slot->views, sizeof(views));
	pg_read_barrier();
	unknown = nreads > SLOT_READS || nviews > SLOT_VIEWS ||
		(slot->fence.changes != generation && !GUARD_REMOVED("nested_race"));

	for (Load *load = current_load; unknown && load != NULL; load = load->outer)
		reasons_note(&load->why, REASON_MANY_READS, REASON_NOTHING);
	loads_bound(expires);
	if (own_path)
		note_own_path();
	if (unseen && !GUARD_REMOVED("unseen"))
		note_unseen();
	if (reads_catalogs)
		note_catalogs();
	for (uint32 i = 0; i < Min(nviews, SLOT_VIEWS); i++)
		note_view(views[i]);
	for (uint32 i = 0; i < Min(nreads, SLOT_READS); i++)
	{
		Relation	rel = try_relation_open(reads[i], AccessShareLock);

		if (rel == NULL)
			continue;
		loads_note_relation(rel, columns[i]);
		relation_close(rel, NoLock);
	}
}

/*
 * Install the hooks; once a process.
 */
void
loads_init(void)
{
	ParseState	pstate = {0};

	prev_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = loads_executor_start;
	prev_planner = planner_hook;
	planner_hook = loads_planner;
	prev_needs_fmgr = needs_fmgr_hook;
	needs_fmgr_hook = loads_needs_fmgr;
	prev_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = loads_post_parse_analyze;
	sql_fn_parser_setup(&pstate, NULL);
	sql_param_hook = pstate.p_paramref_hook;
}
