/*-------------------------------------------------------------------------
 *
 * inspect.c
 *		What the result of a plan or an expression depends on.
 *
 * Rows of tables are one thing: watches tell of their changes (loads.c).  Here
 * it is what else a query can depend on, of which nobody tells: functions of
 * the session, of the clock and of the server's state, functions into which
 * nobody can see, locks of rows, system columns, samples, texts such as 'now'.
 *
 * Plans are inspected when they begin to run; the expressions that PL/pgSQL
 * evaluates without the executor are inspected as analysed queries, as which
 * it keeps them, before the planner has folded anything.
 *
 * current_user is not among what is looked for: entries are kept apart by role
 * where it matters (see key.c).
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "inspect.h"
#include "routine.h"

typedef struct Inspection
{
	Reasons    *reasons;
	InspectVouched vouched;		/* NULL: nothing is */
	const char *source;			/* text that locations are in, or NULL */
	List	   *rtable;			/* of a plan, or NIL */
} Inspection;

static void
note(Inspection *in, Reason reason, Oid object)
{
	reasons_note(in->reasons, reason, object);
}

static void inspect_function(Oid function, Inspection *in);

/* The functions that an aggregate of a user's calls. */
static void
inspect_aggregate(Oid function, Inspection *in)
{
	HeapTuple	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(function));
	Form_pg_aggregate form;
	Oid			calls[8];

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_aggregate) GETSTRUCT(tuple);
	calls[0] = form->aggtransfn;
	calls[1] = form->aggfinalfn;
	calls[2] = form->aggcombinefn;
	calls[3] = form->aggserialfn;
	calls[4] = form->aggdeserialfn;
	calls[5] = form->aggmtransfn;
	calls[6] = form->aggminvtransfn;
	calls[7] = form->aggmfinalfn;
	ReleaseSysCache(tuple);
	for (int i = 0; i < (int) lengthof(calls); i++)
	{
		if (OidIsValid(calls[i]))
			inspect_function(calls[i], in);
	}
}

static void
inspect_function(Oid function, Inspection *in)
{
	static const Reason reasons[] = {
		[ROUTINE_SESSION] = REASON_SESSION,
		[ROUTINE_TEMPORARY] = REASON_TEMPORARY_OBJECTS,
		[ROUTINE_CLOCK] = REASON_CLOCK,
		[ROUTINE_STATE] = REASON_STATE,
		[ROUTINE_VOLATILE] = REASON_VOLATILE,
		[ROUTINE_OPAQUE] = REASON_OPAQUE
	};
	RoutineKind kind = routine_kind(function);

	if (kind != ROUTINE_KNOWN &&
		(in->vouched == NULL || !in->vouched(function)))
		note(in, reasons[kind], function);
	if (routine_names_temp(function))
		note(in, REASON_SESSION, function);
	if (routine_is_aggregate(function))
		inspect_aggregate(function, in);
}

static bool
function_walker(Oid function, void *context)
{
	inspect_function(function, (Inspection *) context);
	return false;
}

/* Can a text that stands for a value of this type mean the present time? */
static bool
may_hold_time(Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(type, &category, &preferred);
	switch (category)
	{
		case TYPCATEGORY_DATETIME:
		case TYPCATEGORY_ARRAY:
		case TYPCATEGORY_RANGE:
		case TYPCATEGORY_COMPOSITE:
			return true;
		default:
			return false;
	}
}

/* Is one of these words in the text? */
static bool
has_time_word(const char *text, size_t len)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};

	for (size_t i = 0; i < len; i++)
	{
		if (i > 0 && isalnum((unsigned char) text[i - 1]))
			continue;
		for (int w = 0; w < (int) lengthof(words); w++)
		{
			size_t		end = i + strlen(words[w]);

			if (end <= len &&
				pg_strncasecmp(text + i, words[w], strlen(words[w])) == 0 &&
				(end == len || !isalnum((unsigned char) text[end])))
				return true;
		}
	}
	return false;
}

/*
 * Does the literal at this place of the text say 'now' or the like?  Such a
 * text is read once, when the query is analysed.  If an SQL function has been
 * inlined, the place may be one in another text: then there is most likely no
 * literal there.
 */
static bool
says_now(const char *source, int location)
{
	const char *start;
	const char *end;

	if (source == NULL || location < 0 || (size_t) location >= strlen(source))
		return false;
	start = source + location;

	/* 'text', E'text', U&'text', or $tag$text$tag$ */
	if (*start == '$')
	{
		start = strchr(start + 1, '$');
		if (start == NULL)
			return false;
		end = strchr(start + 1, '$');
	}
	else
	{
		start += strspn(start, "eEuU&nN");
		end = *start == '\'' ? strchr(start + 1, '\'') : NULL;
	}
	return end != NULL && has_time_word(start + 1, end - start - 1);
}

/* Is the type one of some session's temporary objects? */
static bool
type_is_temporary(Oid type)
{
	HeapTuple	tuple;
	bool		temporary;

	if (type < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	temporary = isAnyTempNamespace(((Form_pg_type) GETSTRUCT(tuple))->typnamespace);
	ReleaseSysCache(tuple);
	return temporary;
}

static void
inspect_value_function(SQLValueFunction *function, Inspection *in)
{
	switch (function->op)
	{
		case SVFOP_CURRENT_ROLE:
		case SVFOP_CURRENT_USER:
		case SVFOP_USER:
		case SVFOP_CURRENT_CATALOG:
		case SVFOP_CURRENT_SCHEMA:
			break;
		case SVFOP_SESSION_USER:
			note(in, REASON_SESSION, F_SESSION_USER);
			break;
		default:
			note(in, REASON_CLOCK, REASON_CURRENT_TIME);
			break;
	}
}

/* Columns of catalogs that change by VACUUM and the like, not by DDL. */
static bool
is_statistic(Oid relid, AttrNumber attnum)
{
	switch (relid)
	{
		case RelationRelationId:
			return attnum == 0 || attnum == Anum_pg_class_relpages ||
				attnum == Anum_pg_class_reltuples ||
				attnum == Anum_pg_class_relallvisible ||
				attnum == Anum_pg_class_relfilenode ||
				attnum == Anum_pg_class_relfrozenxid ||
				attnum == Anum_pg_class_relminmxid;
		case DatabaseRelationId:
			return attnum == 0 || attnum == Anum_pg_database_datfrozenxid ||
				attnum == Anum_pg_database_datminmxid;
		default:
			return false;
	}
}

static void
inspect_var(Var *var, Inspection *in)
{
	if (var->varattno < 0 && var->varattno != TableOidAttributeNumber)
		note(in, REASON_SYSTEM_COLUMNS, REASON_NOTHING);
	else if (!IS_SPECIAL_VARNO(var->varno) && var->varno > 0 &&
			 (int) var->varno <= list_length(in->rtable) && var->varlevelsup == 0)
	{
		RangeTblEntry *rte = rt_fetch(var->varno, in->rtable);

		if (rte->rtekind == RTE_RELATION && is_statistic(rte->relid, var->varattno))
			note(in, REASON_SYSTEM_COLUMNS, REASON_NOTHING);
	}
}

static bool
inspect_expression(Node *node, Inspection *in)
{
	Oid			type;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, inspect_expression, in, 0);
	(void) check_functions_in_node(node, function_walker, in);
	switch (nodeTag(node))
	{
		case T_SQLValueFunction:
			inspect_value_function((SQLValueFunction *) node, in);
			break;
		case T_Var:
			inspect_var((Var *) node, in);
			break;
		case T_Const:
			type = ((Const *) node)->consttype;
			if (in->source != NULL && may_hold_time(type) &&
				says_now(in->source, ((Const *) node)->location))
				note(in, REASON_CLOCK, REASON_NOW_LITERAL);
			/* FALLTHROUGH */
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_CoerceToDomain:
		case T_RowExpr:
			if (type_is_temporary(exprType(node)))
				note(in, REASON_SESSION, REASON_TEMP_TYPE);
			break;
		default:
			break;
	}
	return expression_tree_walker(node, inspect_expression, in);
}

static void
inspect_list(List *expressions, Inspection *in)
{
	(void) inspect_expression((Node *) expressions, in);
}

static void inspect_node_tree(Plan *plan, Inspection *in);

static void
inspect_trees(List *plans, Inspection *in)
{
	ListCell   *lc;

	foreach(lc, plans)
		inspect_node_tree(lfirst(lc), in);
}

/* The expressions and children that only some kinds of nodes have. */
static void
inspect_node(Plan *plan, Inspection *in)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			(void) inspect_expression(((Result *) plan)->resconstantqual, in);
			break;
		case T_IndexScan:
			inspect_list(((IndexScan *) plan)->indexqualorig, in);
			inspect_list(((IndexScan *) plan)->indexorderbyorig, in);
			break;
		case T_IndexOnlyScan:
			inspect_list(((IndexOnlyScan *) plan)->indexqual, in);
			inspect_list(((IndexOnlyScan *) plan)->indexorderby, in);
			break;
		case T_BitmapIndexScan:
			inspect_list(((BitmapIndexScan *) plan)->indexqualorig, in);
			break;
		case T_TidScan:
			inspect_list(((TidScan *) plan)->tidquals, in);
			break;
		case T_TidRangeScan:
			inspect_list(((TidRangeScan *) plan)->tidrangequals, in);
			break;
		case T_SampleScan:
			note(in, REASON_SAMPLE, REASON_NOTHING);
			(void) inspect_expression((Node *) ((SampleScan *) plan)->tablesample, in);
			break;
		case T_FunctionScan:
			inspect_list(((FunctionScan *) plan)->functions, in);
			break;
		case T_ValuesScan:
			inspect_list(((ValuesScan *) plan)->values_lists, in);
			break;
		case T_TableFuncScan:
			(void) inspect_expression((Node *) ((TableFuncScan *) plan)->tablefunc, in);
			break;
		case T_ForeignScan:
			inspect_list(((ForeignScan *) plan)->fdw_exprs, in);
			break;
		case T_CustomScan:
			inspect_list(((CustomScan *) plan)->custom_exprs, in);
			inspect_trees(((CustomScan *) plan)->custom_plans, in);
			break;
		case T_NestLoop:
			inspect_list(((Join *) plan)->joinqual, in);
			break;
		case T_MergeJoin:
			inspect_list(((Join *) plan)->joinqual, in);
			inspect_list(((MergeJoin *) plan)->mergeclauses, in);
			break;
		case T_HashJoin:
			inspect_list(((Join *) plan)->joinqual, in);
			inspect_list(((HashJoin *) plan)->hashclauses, in);
			break;
		case T_WindowAgg:
			(void) inspect_expression(((WindowAgg *) plan)->startOffset, in);
			(void) inspect_expression(((WindowAgg *) plan)->endOffset, in);
			inspect_list(((WindowAgg *) plan)->runCondition, in);
			break;
		case T_Limit:
			(void) inspect_expression(((Limit *) plan)->limitOffset, in);
			(void) inspect_expression(((Limit *) plan)->limitCount, in);
			break;
		case T_SubqueryScan:
			inspect_node_tree(((SubqueryScan *) plan)->subplan, in);
			break;
		case T_Append:
			inspect_trees(((Append *) plan)->appendplans, in);
			break;
		case T_MergeAppend:
			inspect_trees(((MergeAppend *) plan)->mergeplans, in);
			break;
		case T_BitmapAnd:
			inspect_trees(((BitmapAnd *) plan)->bitmapplans, in);
			break;
		case T_BitmapOr:
			inspect_trees(((BitmapOr *) plan)->bitmapplans, in);
			break;
		default:
			break;
	}
}

static void
inspect_node_tree(Plan *plan, Inspection *in)
{
	if (plan == NULL)
		return;
	inspect_list(plan->targetlist, in);
	inspect_list(plan->qual, in);
	inspect_node(plan, in);
	inspect_node_tree(plan->lefttree, in);
	inspect_node_tree(plan->righttree, in);
}

/*
 * Find out what a plan depends on besides rows.  source: the text that it was
 * made from, or NULL; vouched: NULL if nothing is.  Adds to the reasons.
 */
void
inspect_plan(PlannedStmt *plan, const char *source, InspectVouched vouched,
			 Reasons *reasons)
{
	Inspection	in = {reasons, vouched, source, plan->rtable};
	ListCell   *lc;

	foreach(lc, plan->rowMarks)
	{
		if (lfirst_node(PlanRowMark, lc)->markType < ROW_MARK_REFERENCE)
			note(&in, REASON_ROW_LOCKS, REASON_NOTHING);
	}
	inspect_node_tree(plan->planTree, &in);
	inspect_trees(plan->subplans, &in);
}

/*
 * The same of an analysed query.
 */
void
inspect_query(Query *query, const char *source, InspectVouched vouched,
			  Reasons *reasons)
{
	Inspection	in = {reasons, vouched, source, NIL};

	(void) inspect_expression((Node *) query, &in);
}

/*
 * The same of a call of a function.
 */
void
inspect_routine(Oid function, InspectVouched vouched, Reasons *reasons)
{
	Inspection	in = {reasons, vouched, NULL, NIL};

	inspect_function(function, &in);
}
