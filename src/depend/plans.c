/*-------------------------------------------------------------------------
 *
 * plans.c
 *		The plans that loads make and execute.
 *
 * While a loader runs, a hook in ExecutorStart looks at every plan that is
 * executed, at any depth: which tables and columns it reads is noted for the loads
 * in progress (loads.c), whether it finds rows as the watches tell keys is seen in
 * narrow.c, and what else it depends on in plantree.c.
 *
 * What the planner folds into a plan is not seen when that is executed.  So a hook
 * looks at each query before it is planned, and afterwards at what the plan has
 * left out.
 *
 * Functions in SQL keep plans, too, some within a transaction, since 18 for the
 * session: of these it is known whether they were made in loads.
 *
 * Locking: the plan's locks are held, or about to be taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "executor/functions.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/cost.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "depend/dependency.h"
#include "depend/loads.h"
#include "depend/narrow.h"
#include "depend/plans.h"
#include "depend/plantree.h"
#include "depend/routine.h"
#include "depend/spoken.h"

/*
 * The planning in progress, the innermost one: the relations in texts that have been
 * analysed meanwhile, such as functions in SQL that became a part of the query,
 * and those that were read; and functions in SQL that it may have parsed.
 */
typedef struct Planning
{
	List	   *relids;
	List	   *functions;
	MemoryContext context;		/* of these lists */
	struct Planning *outer;
} Planning;

static Planning *planning = NULL;

/*
 * A plan depends on relations that are not in it: without them it could not be made
 * again.  They go with it, as items that PostgreSQL takes for those of another
 * catalog cache.
 */
#define PLAN_SPEAKS_OF	(-1)

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

/*-------------------------------------------------------------------------
 * Executing
 *-------------------------------------------------------------------------
 */

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

static void
add_analysed(Planning *to, Oid relid)
{
	MemoryContext before = MemoryContextSwitchTo(to->context);

	if (relid >= FirstNormalObjectId)
		to->relids = list_append_unique_oid(to->relids, relid);
	MemoryContextSwitchTo(before);
}

/* What a plan has in its range table is read; a table is opened and given. */
static Relation
note_entry(PlannedStmt *plan, RangeTblEntry *rte, int rti)
{
	Relation	rel;

	if (planning != NULL)
		add_analysed(planning, rte->relid);
	if (OidIsValid(rte->relid) && rte->relkind == RELKIND_VIEW)
	{
		if (rte->relid >= FirstNormalObjectId)
			loads_note_view(rte->relid);
		else
			loads_note_catalogs();
		return NULL;
	}
	if (rte->rtekind != RTE_RELATION)
		return NULL;
	if (loads_is_catalog(rte->relid))
	{
		loads_note_catalogs();
		return NULL;
	}
	/* The plan's locks are held already, or about to be taken. */
	rel = table_open(rte->relid, AccessShareLock);
	loads_note_relation(rel, loads_planning > 0 ? COLUMNS_ALL :
						columns_read(plan, rti, rel));
	return rel;
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
 * A load uses this plan, which may have been made by an earlier one: it depends on
 * the relations that were spoken of then.  Are there any?
 */
bool
plans_note_spoken(PlannedStmt *plan)
{
	bool		any = false;
	ListCell   *lc;

	foreach(lc, plan->invalItems)
	{
		PlanInvalItem *item = lfirst_node(PlanInvalItem, lc);

		if (item->cacheId != PLAN_SPEAKS_OF || GUARD_REMOVED("spoken_again"))
			continue;
		defer_mention(current_load, item->hashValue);
		any = true;
	}
	return any;
}

/* Not inline, for the sake of what is executed outside of loads. */
static pg_noinline void
note_plan(PlannedStmt *plan, ParamListInfo params)
{
	int			n = list_length(plan->rtable);
	Relation	few[8];			/* as a rule they are enough */
	PlanTables	tables = {few, params};
	Reasons		reasons = {0};

	if (n > (int) lengthof(few))
		tables.rels = palloc(n * sizeof(Relation));
	loads_note_search_path();
	note_rights(plan);
	(void) plans_note_spoken(plan);
	for (int i = 0; i < n; i++)
		tables.rels[i] = note_entry(plan,
									list_nth_node(RangeTblEntry, plan->rtable, i),
									i + 1);
	(void) plantree_inspect(plan, loads_trusted, note_scan, &tables, &reasons);
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
plans_executor_start(QueryDesc *query, int eflags)
{
	if (current_load != NULL && query->plannedstmt != NULL)
		note_plan(query->plannedstmt, query->params);
	if (prev_executor_start)
		prev_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

/*-------------------------------------------------------------------------
 * Planning
 *-------------------------------------------------------------------------
 */

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

/* The plan speaks of this relation, and so does the load that makes it. */
static void
note_spoken(PlannedStmt *plan, Oid relid)
{
	PlanInvalItem *item = makeNode(PlanInvalItem);

	item->cacheId = PLAN_SPEAKS_OF;
	item->hashValue = relid;
	plan->invalItems = lappend(plan->invalItems, item);
	defer_mention(current_load, relid);
}

/*
 * Note the relations of a query that its plan has left out: in an expression that
 * was folded, say, or a WITH that nobody uses.  What was analysed meanwhile, such
 * as functions in SQL, may still be executed by itself.
 */
static void
note_left_out(List *relids, PlannedStmt *plan, Planning *now)
{
	Reasons		reasons = {0};
	ListCell   *lc;

	if (GUARD_REMOVED("left_out"))
		return;
	foreach(lc, relids)
	{
		if (!plan_has(plan, lfirst_oid(lc)))
			dependency_note_mention(lfirst_oid(lc));
	}
	foreach(lc, now->functions)
		now->relids = list_concat_unique_oid(now->relids,
											 spoken_relations(lfirst_oid(lc),
															  &reasons));
	loads_note_all(&reasons);
	foreach(lc, now->relids)
	{
		if (!plan_has(plan, lfirst_oid(lc)))
			note_spoken(plan, lfirst_oid(lc));
		if (now->outer != NULL)
			add_analysed(now->outer, lfirst_oid(lc));
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
	Planning	now = {.context = CurrentMemoryContext, .outer = planning};

	loads_planning++;
	planning = &now;
	PG_TRY();
	{
		Reasons		reasons = {0};
		List	   *relids = relations_of(query);

		inspect_literals(query, source, &reasons);
		loads_note_all(&reasons);
		plan = plan_seen(query, source, options, params);
		note_left_out(relids, plan, &now);
	}
	PG_FINALLY();
	{
		loads_planning--;
		planning = now.outer;
	}
	PG_END_TRY();
	return plan;
}

static PlannedStmt *
plans_planner(Query *query, const char *source, int options,
			  ParamListInfo params)
{
	if (current_load != NULL)
		return plan_in_load(query, source, options, params);
	return plan_as_before(query, source, options, params);
}

/*-------------------------------------------------------------------------
 * Functions in SQL
 *-------------------------------------------------------------------------
 */

/*
 * A number that moves whenever a function in SQL may have been made into
 * something, outside of loads, that an expression of PL/pgSQL keeps.
 */
uint64
plans_sql_made_outside(void)
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
plans_note_call(Oid function)
{
	uint64		under;

	dependency_note_function(function);
	if (!CACHE_KEEPS_SQL_PLANS || !routine_is_sql(function))
		return;
	if (loads_left_plans)
		sql_plans_are_foreign = true;
	loads_left_plans = false;
	under = current_load->def->made_under ^
		settings_deviation(&current_load->def->settings);
	if (!sql_plans_are_foreign && sql_plans_made_under == under)
		return;
	ResetPlanCache();
	sql_plans_are_foreign = false;
	sql_plans_made_under = under;
}

/*
 * The planner may be about to parse the text of this function.  If that fails, it
 * says so better than we could: so it is looked at afterwards.
 */
static void
note_parsed(Oid function)
{
	MemoryContext before = MemoryContextSwitchTo(planning->context);

	planning->functions = list_append_unique_oid(planning->functions, function);
	MemoryContextSwitchTo(before);
}

/*
 * A function is looked up for being called, inlined or folded.
 *
 * In a load, one in SQL that may have a literal such as 'now' is not inlined:
 * then its text is seen together with what was made of it.
 */
static bool
plans_needs_fmgr(Oid function)
{
	bool		needed = prev_needs_fmgr != NULL && prev_needs_fmgr(function);

	/* What is asked for is noted, also where another library wants it called. */
	if (current_load != NULL)
	{
		plans_note_call(function);
		if (planning != NULL && routine_is_sql(function))
			note_parsed(function);
		return needed || routine_says_now(function);
	}
	if (sql_is_kept && routine_is_users(function))
		sql_made_outside++;
	if (CACHE_KEEPS_SQL_PLANS && !sql_plans_are_foreign)
		sql_plans_are_foreign = routine_is_users(function);
	return needed;
}

/*
 * A text is analysed while something is planned: a function that gives a set may
 * become a part of that, with its literals, and is not planned by itself.
 */
static void
note_analysed(Query *query, const char *source)
{
	Reasons		reasons = {0};
	ListCell   *lc;

	foreach(lc, relations_of(query))
		add_analysed(planning, lfirst_oid(lc));
	inspect_literals(query, source, &reasons);
	loads_note_all(&reasons);
}

/*
 * A text is analysed: by a load; or it is the body of a function in SQL, outside
 * of loads.
 */
static void
plans_post_parse_analyze(ParseState *pstate, Query *query, JumbleState *jumble)
{
	if (current_load == NULL && pstate->p_paramref_hook == sql_param_hook)
	{
		sql_plans_are_foreign = true;
		if (sql_is_kept)
			sql_made_outside++;
	}
	if (current_load != NULL)
		dependency_note_text(pstate->p_sourcetext);
	if (current_load != NULL && planning != NULL)
		note_analysed(query, pstate->p_sourcetext);
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jumble);
}

/*
 * The transaction has ended, and with it the loads in progress.
 */
void
plans_reset(void)
{
	planning = NULL;
	if (sql_is_kept)
		sql_made_outside++;
	sql_is_kept = false;
}

/*
 * Install the hooks; once a process.
 */
void
plans_init(void)
{
	ParseState	pstate = {0};

	prev_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = plans_executor_start;
	prev_planner = planner_hook;
	planner_hook = plans_planner;
	prev_needs_fmgr = needs_fmgr_hook;
	needs_fmgr_hook = plans_needs_fmgr;
	prev_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = plans_post_parse_analyze;
	sql_fn_parser_setup(&pstate, NULL);
	sql_param_hook = pstate.p_paramref_hook;
}
