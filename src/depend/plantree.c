/*-------------------------------------------------------------------------
 *
 * plantree.c
 *		What the result of a plan depends on.
 *
 * All expressions in a plan's nodes are inspected (inspect.c); and what the nodes
 * themselves do is looked at: locks of rows, samples, and how tables are scanned,
 * of which whoever asks is told.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"

#include "base/compat.h"
#include "depend/inspect.h"
#include "depend/plantree.h"

typedef struct Walk
{
	Inspection	in;
	PlannedStmt *plan;
	PlanScanCallback scan;		/* told of each scan of a table, or NULL */
	void	   *arg;			/* for that */
} Walk;

static void
walk_list(List *expressions, Walk *walk)
{
	(void) inspect_expression((Node *) expressions, &walk->in);
}

static void walk_tree(Plan *plan, Walk *walk);

static void
walk_trees(List *plans, Walk *walk)
{
	ListCell   *lc;

	foreach(lc, plans)
		walk_tree(lfirst(lc), walk);
}

/* The expressions and children that only some kinds of nodes have. */
static void
walk_parts(Plan *plan, Walk *walk)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			(void) inspect_expression(((Result *) plan)->resconstantqual, &walk->in);
			break;
		case T_IndexScan:
			walk_list(((IndexScan *) plan)->indexqualorig, walk);
			walk_list(((IndexScan *) plan)->indexorderbyorig, walk);
			break;
		case T_IndexOnlyScan:
			walk_list(((IndexOnlyScan *) plan)->indexqual, walk);
			walk_list(((IndexOnlyScan *) plan)->indexorderby, walk);
			break;
		case T_BitmapIndexScan:
			walk_list(((BitmapIndexScan *) plan)->indexqualorig, walk);
			break;
		case T_TidScan:
			walk_list(((TidScan *) plan)->tidquals, walk);
			break;
		case T_TidRangeScan:
			walk_list(((TidRangeScan *) plan)->tidrangequals, walk);
			break;
		case T_SampleScan:
			reasons_note(walk->in.reasons, REASON_SAMPLE, REASON_NOTHING);
			(void) inspect_expression((Node *) ((SampleScan *) plan)->tablesample, &walk->in);
			break;
		case T_FunctionScan:
			walk_list(((FunctionScan *) plan)->functions, walk);
			break;
		case T_ValuesScan:
			walk_list(((ValuesScan *) plan)->values_lists, walk);
			break;
		case T_TableFuncScan:
			(void) inspect_expression((Node *) ((TableFuncScan *) plan)->tablefunc, &walk->in);
			break;
		case T_ForeignScan:
			walk_list(((ForeignScan *) plan)->fdw_exprs, walk);
			break;
		case T_CustomScan:
			walk_list(((CustomScan *) plan)->custom_exprs, walk);
			walk_trees(((CustomScan *) plan)->custom_plans, walk);
			break;
		case T_NestLoop:
			walk_list(((Join *) plan)->joinqual, walk);
			break;
		case T_MergeJoin:
			walk_list(((Join *) plan)->joinqual, walk);
			walk_list(((MergeJoin *) plan)->mergeclauses, walk);
			break;
		case T_HashJoin:
			walk_list(((Join *) plan)->joinqual, walk);
			walk_list(((HashJoin *) plan)->hashclauses, walk);
			break;
		case T_WindowAgg:
			(void) inspect_expression(((WindowAgg *) plan)->startOffset, &walk->in);
			(void) inspect_expression(((WindowAgg *) plan)->endOffset, &walk->in);
			walk_list(((WindowAgg *) plan)->runCondition, walk);
			break;
		case T_Limit:
			(void) inspect_expression(((Limit *) plan)->limitOffset, &walk->in);
			(void) inspect_expression(((Limit *) plan)->limitCount, &walk->in);
			break;
		case T_SubqueryScan:
			walk_tree(((SubqueryScan *) plan)->subplan, walk);
			break;
		case T_Append:
			walk_trees(((Append *) plan)->appendplans, walk);
			break;
		case T_MergeAppend:
			walk_trees(((MergeAppend *) plan)->mergeplans, walk);
			break;
		case T_BitmapAnd:
			walk_trees(((BitmapAnd *) plan)->bitmapplans, walk);
			break;
		case T_BitmapOr:
			walk_trees(((BitmapOr *) plan)->bitmapplans, walk);
			break;
		default:
			break;
	}
}

/*
 * Scans of a table often give all its columns, whether or not these are used.
 * Then it is the query that tells which are: give its relation's entry.
 */
static RangeTblEntry *
gives_all(Plan *plan, Walk *walk)
{
	RangeTblEntry *rte;
	ListCell   *lc;
	AttrNumber	attnum = 0;

	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_IndexScan:
		case T_BitmapHeapScan:
		case T_TidScan:
			rte = rt_fetch(((Scan *) plan)->scanrelid, walk->plan->rtable);
			break;
		default:
			return NULL;
	}
	if (rte->rtekind != RTE_RELATION || !inspect_is_statistic(rte->relid, 0))
		return NULL;
	foreach(lc, plan->targetlist)
	{
		Var		   *var = (Var *) lfirst_node(TargetEntry, lc)->expr;

		if (!IsA(var, Var) || var->varattno != ++attnum)
			return NULL;
	}
	return attnum == (rte->relid == RelationRelationId ? Natts_pg_class :
					  Natts_pg_database) ? rte : NULL;
}

static void
walk_columns(RangeTblEntry *rte, Walk *walk)
{
	Bitmapset  *columns = cache_selected_columns(rte, walk->plan);
	int			column = -1;

	while ((column = bms_next_member(columns, column)) >= 0)
	{
		if (inspect_is_statistic(rte->relid,
								 column + FirstLowInvalidHeapAttributeNumber))
			reasons_note(walk->in.reasons, REASON_SYSTEM_COLUMNS, REASON_NOTHING);
	}
}

/* Tell of a scan of a table, and of its conditions. */
static void
tell_scan(Plan *plan, Walk *walk)
{
	PlanScan	scan = {.qual = plan->qual};

	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_TidScan:
		case T_TidRangeScan:
			break;
		case T_IndexScan:
			scan.indexqual = ((IndexScan *) plan)->indexqualorig;
			break;
		case T_IndexOnlyScan:
			scan.indexqual = ((IndexOnlyScan *) plan)->indexqual;
			scan.indextlist = ((IndexOnlyScan *) plan)->indextlist;
			break;
		case T_BitmapHeapScan:
			scan.indexqual = ((BitmapHeapScan *) plan)->bitmapqualorig;
			break;
		default:
			return;
	}
	scan.varno = ((Scan *) plan)->scanrelid;
	if (rt_fetch(scan.varno, walk->plan->rtable)->rtekind == RTE_RELATION)
		walk->scan(&scan, walk->arg);
}

static void
walk_tree(Plan *plan, Walk *walk)
{
	RangeTblEntry *rte;

	if (plan == NULL)
		return;
	rte = gives_all(plan, walk);
	if (rte != NULL)
		walk_columns(rte, walk);
	else
		walk_list(plan->targetlist, walk);
	walk_list(plan->qual, walk);
	if (walk->scan != NULL)
		tell_scan(plan, walk);
	walk_parts(plan, walk);
	walk_tree(plan->lefttree, walk);
	walk_tree(plan->righttree, walk);
}

/*
 * Find out what a plan depends on besides rows.  trusted: NULL if nothing is;
 * scan: told of each scan of a table, with this argument, or NULL.  Adds to the
 * reasons.  True if it calls functions of users' in SQL.
 *
 * Literals are not looked for: the planner may have folded them.
 */
bool
plantree_inspect(PlannedStmt *plan, InspectTrusted trusted,
				 PlanScanCallback scan, void *arg, Reasons *reasons)
{
	Walk		walk = {
		.in = {.reasons = reasons, .trusted = trusted, .rtable = plan->rtable},
		.plan = plan,
		.scan = scan,
		.arg = arg
	};
	ListCell   *lc;

	foreach(lc, plan->rowMarks)
	{
		if (lfirst_node(PlanRowMark, lc)->markType < ROW_MARK_REFERENCE)
			reasons_note(reasons, REASON_ROW_LOCKS, REASON_NOTHING);
	}
	walk_tree(plan->planTree, &walk);
	walk_trees(plan->subplans, &walk);
	return walk.in.calls_sql;
}
