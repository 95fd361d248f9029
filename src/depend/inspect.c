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
 * Plans are inspected when they begin to run; literals, before they are planned,
 * since the planner folds them.  The expressions that PL/pgSQL evaluates without
 * the executor are inspected as analysed queries, as which it keeps them, and as
 * plans, in which functions in SQL and default arguments have been expanded.
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
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "depend/dependency.h"
#include "depend/inspect.h"
#include "depend/literal.h"
#include "depend/routine.h"

/* What texts may be turned into, where they are met. */
typedef enum TextsUse
{
	TEXTS_ARE_VALUES,
	TEXTS_MAY_BE_TIMES,			/* a text that can be nothing else is one */
	TEXTS_BECOME_TIMES			/* each is */
} TextsUse;

typedef struct Inspection
{
	Reasons    *reasons;
	InspectVouched vouched;		/* NULL: nothing is */
	const char *source;			/* text that locations are in, or NULL */
	PlannedStmt *plan;			/* or NULL */
	InspectScan scan;			/* told of each scan of a table, or NULL */
	void	   *arg;			/* for that */
	bool		literals;		/* look for nothing else */
	TextsUse	texts;
	bool		calls_sql;		/* found: a function of a user's in SQL */
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
		[ROUTINE_CATALOGS] = REASON_CATALOGS,
		[ROUTINE_CLOCK] = REASON_CLOCK,
		[ROUTINE_STATE] = REASON_STATE,
		[ROUTINE_VOLATILE] = REASON_VOLATILE,
		[ROUTINE_OPAQUE] = REASON_OPAQUE
	};
	RoutineKind kind = routine_kind(function);

	if (kind == ROUTINE_KNOWN && function < FirstNormalObjectId)
		return;
	dependency_note_function(function);
	if (routine_is_sql(function))
		in->calls_sql = true;
	if (kind != ROUTINE_KNOWN &&
		(in->vouched == NULL || !in->vouched(function)))
		note(in, reasons[kind], function);
	if (kind == ROUTINE_TEMPORARY)
		note(in, REASON_CATALOGS, function);
	if (routine_names_temp(function))
		note(in, REASON_SESSION, REASON_PG_TEMP);
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

/*
 * Can a value of this type be, or have in it, a time?
 */
bool
inspect_holds_time(Oid type)
{
	return OidIsValid(type) && may_hold_time(type);
}

/*
 * Are its values the identities of objects, of which their text is the name?
 * (Whatever changes what text search configurations and the like are called
 * invalidates all caches.)
 */
bool
inspect_names_object(Oid type)
{
	switch (type)
	{
		case REGCLASSOID:
		case REGCLASSARRAYOID:
		case REGTYPEOID:
		case REGTYPEARRAYOID:
		case REGPROCOID:
		case REGPROCARRAYOID:
		case REGPROCEDUREOID:
		case REGPROCEDUREARRAYOID:
		case REGROLEOID:
		case REGROLEARRAYOID:
		case REGNAMESPACEOID:
		case REGNAMESPACEARRAYOID:
		case ACLITEMOID:
		case ACLITEMARRAYOID:
#ifdef REGDATABASEOID
		case REGDATABASEOID:
		case REGDATABASEARRAYOID:
#endif
			return true;
		default:
			return false;
	}
}

/* Is a zone's present offset what gives the literal its meaning? */
static bool
lacks_offset(const char *text)
{
	const char *sign = strpbrk(text, "+-");

	return sign == NULL || !isdigit((unsigned char) sign[1]);
}

/*
 * Was the constant made from a literal that means the present time?  Such a
 * text is read once, when the query is analysed.
 */
static bool
constant_says_now(Const *constant, Inspection *in)
{
	Oid			type = constant->consttype;
	char	   *literal;
	bool		exact = true;
	bool		says = false;

	if (constant->constisnull)
		return false;
	if (type == TEXTOID || type == VARCHAROID || type == BPCHAROID)
	{
		if (in->texts == TEXTS_ARE_VALUES)
			return false;
		literal = TextDatumGetCString(constant->constvalue);
		says = in->texts == TEXTS_BECOME_TIMES ?
			text_has_time_word(literal, strlen(literal)) : text_is_time_word(literal);
		pfree(literal);
		return says;
	}
	if (in->source == NULL ||
		!(may_hold_time(type) ||
		  (in->texts != TEXTS_ARE_VALUES &&
		   (type == JSONOID || type == JSONBOID || type == UNKNOWNOID))))
		return false;
	literal = literal_at(in->source, constant->location, &exact);
	if (literal != NULL)
	{
		says = !exact || text_has_time_word(literal, strlen(literal)) ||
			(type == TIMETZOID && lacks_offset(literal));
		pfree(literal);
	}
	return says;
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

/* Does the constant name an object of some session's? */
static bool
names_temporary(Const *constant)
{
	Oid			object;

	if (constant->constisnull ||
		(constant->consttype != REGCLASSOID && constant->consttype != REGTYPEOID))
		return false;
	object = DatumGetObjectId(constant->constvalue);
	return constant->consttype == REGTYPEOID ? type_is_temporary(object) :
		object >= FirstNormalObjectId &&
		get_rel_persistence(object) == RELPERSISTENCE_TEMP;
}

static bool inspect_expression(Node *node, Inspection *in);

/* The constraints of a domain are checked where a value becomes one. */
static void
inspect_domain(Oid domain, Inspection *in)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "cache domain",
												  ALLOCSET_SMALL_SIZES);
	DomainConstraintRef ref;
	ListCell   *lc;

	InitDomainConstraintRef(domain, &ref, context, false);
	foreach(lc, ref.constraints)
		(void) inspect_expression((Node *) ((DomainConstraintState *) lfirst(lc))->check_expr, in);
	MemoryContextDelete(context);
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
	else if (in->plan != NULL && !IS_SPECIAL_VARNO(var->varno) &&
			 var->varno > 0 && var->varlevelsup == 0 &&
			 (int) var->varno <= list_length(in->plan->rtable))
	{
		RangeTblEntry *rte = rt_fetch(var->varno, in->plan->rtable);

		if (rte->rtekind == RTE_RELATION && is_statistic(rte->relid, var->varattno))
			note(in, REASON_SYSTEM_COLUMNS, REASON_NOTHING);
	}
}

/*
 * A value becomes one of a type: of which session, and with which constraints,
 * its own or those of what it is composed of?  Made from a text, or by a function
 * that knows of types what catalogs say, it is checked, and read by the types'
 * input functions, where no expression tells.
 */
static void
inspect_type_of(Oid type, bool from_text, Inspection *in)
{
	TupleDesc	row;
	Oid			input;
	Oid			param;
	Oid			element = InvalidOid;

	if (inspect_names_object(type))
		note(in, REASON_CATALOGS, InvalidOid);
	if (type < FirstNormalObjectId && !from_text)
		return;
	check_stack_depth();
	if (from_text)
	{
		getTypeInputInfo(type, &input, &param);
		inspect_function(input, in);
	}
	if (type_is_temporary(type))
		note(in, REASON_SESSION, REASON_TEMP_OBJECT);
	switch (get_typtype(type))
	{
		case TYPTYPE_DOMAIN:
			inspect_domain(type, in);
			element = getBaseType(type);
			break;
		case TYPTYPE_COMPOSITE:
			dependency_note_mention(get_typ_typrelid(type));
			row = lookup_rowtype_tupdesc_noerror(type, -1, true);
			for (int i = 0; row != NULL && i < row->natts; i++)
			{
				if (!TupleDescAttr(row, i)->attisdropped)
					inspect_type_of(TupleDescAttr(row, i)->atttypid, from_text, in);
			}
			if (row != NULL)
				ReleaseTupleDesc(row);
			break;
		case TYPTYPE_RANGE:
			element = get_range_subtype(type);
			break;
		case TYPTYPE_MULTIRANGE:
			element = get_multirange_range(type);
			break;
		case TYPTYPE_BASE:
			element = get_element_type(type);
			break;
		default:
			break;
	}
	if (OidIsValid(element))
		inspect_type_of(element, from_text, in);
}

static void
inspect_types(List *types, Inspection *in)
{
	ListCell   *lc;

	foreach(lc, types)
		inspect_type_of(lfirst_oid(lc), true, in);
}

/* What texts in this expression, and not above it, may be turned into. */
static TextsUse
texts_in(Node *node, TextsUse above)
{
	switch (nodeTag(node))
	{
		case T_CoerceViaIO:
		case T_FuncExpr:
			return may_hold_time(exprType(node)) ||
				exprType(node) == RECORDOID ? TEXTS_BECOME_TIMES :
				TEXTS_ARE_VALUES;
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_NullIfExpr:
		case T_RelabelType:
		case T_CoerceToDomain:
		case T_ArrayExpr:
		case T_ArrayCoerceExpr:
		case T_RowExpr:
		case T_TargetEntry:
		case T_FromExpr:
		case T_List:
		case T_Const:
			return above;
		default:
			return TEXTS_ARE_VALUES;
	}
}

/*
 * What a query says of identities of objects, and of row types, the planner may
 * fold into something that does not tell.
 */
static void
inspect_literal_type(Node *node, Inspection *in)
{
	Oid			type;

	switch (nodeTag(node))
	{
		case T_Const:
		case T_CoerceViaIO:
		case T_RelabelType:
		case T_RowExpr:
			type = exprType(node);
			break;
		default:
			return;
	}
	if (inspect_names_object(type))
		note(in, REASON_CATALOGS, REASON_NOTHING);
	if (type >= FirstNormalObjectId)
		dependency_note_mention(get_typ_typrelid(type));
}

static bool
inspect_expression(Node *node, Inspection *in)
{
	TextsUse	above = in->texts;
	bool		stop;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, inspect_expression, in, 0);
	in->texts = texts_in(node, above);
	if (IsA(node, Const) && constant_says_now((Const *) node, in))
		note(in, REASON_CLOCK, REASON_NOW_LITERAL);
	if (in->literals)
		inspect_literal_type(node, in);
	else
	{
		(void) check_functions_in_node(node, function_walker, in);
		switch (nodeTag(node))
		{
			case T_SQLValueFunction:
				inspect_value_function((SQLValueFunction *) node, in);
				break;
			case T_Var:
				inspect_var((Var *) node, in);
				/* FALLTHROUGH */
			case T_Param:
				if (inspect_names_object(exprType(node)))
					note(in, REASON_CATALOGS, InvalidOid);
				break;
			case T_Const:
				if (names_temporary((Const *) node))
					note(in, REASON_SESSION, REASON_TEMP_OBJECT);
				/* FALLTHROUGH */
			case T_RelabelType:
			case T_CoerceToDomain:
			case T_RowExpr:
				inspect_type_of(exprType(node), false, in);
				break;
			case T_CoerceViaIO:
#if PG_VERSION_NUM >= 170000
			case T_JsonExpr:
#endif
				inspect_type_of(exprType(node), true, in);
				break;
			case T_FuncExpr:
				if (inspect_names_object(exprType(node)))
					note(in, REASON_CATALOGS, InvalidOid);
				if (exprType(node) >= FirstNormalObjectId &&
					!routine_is_users(((FuncExpr *) node)->funcid))
					inspect_type_of(exprType(node), true, in);
				break;
			case T_RangeTblFunction:
				inspect_types(((RangeTblFunction *) node)->funccoltypes, in);
				break;
			case T_TableFunc:
				inspect_types(((TableFunc *) node)->coltypes, in);
				break;
			default:
				break;
		}
	}
	stop = expression_tree_walker(node, inspect_expression, in);
	in->texts = above;
	return stop;
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

/*
 * Scans of a table often give all its columns, whether or not these are used.
 * Then it is the query that tells which are: give its relation's entry.
 */
static RangeTblEntry *
gives_all(Plan *plan, Inspection *in)
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
			rte = rt_fetch(((Scan *) plan)->scanrelid, in->plan->rtable);
			break;
		default:
			return NULL;
	}
	if (rte->rtekind != RTE_RELATION || !is_statistic(rte->relid, 0))
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
inspect_columns(RangeTblEntry *rte, Inspection *in)
{
	Bitmapset  *columns = cache_selected_columns(rte, in->plan);
	int			column = -1;

	while ((column = bms_next_member(columns, column)) >= 0)
	{
		if (is_statistic(rte->relid,
						 column + FirstLowInvalidHeapAttributeNumber))
			note(in, REASON_SYSTEM_COLUMNS, REASON_NOTHING);
	}
}

/* Tell of a scan of a table, and of its conditions. */
static void
tell_scan(Plan *plan, Inspection *in)
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
	if (rt_fetch(scan.varno, in->plan->rtable)->rtekind == RTE_RELATION)
		in->scan(&scan, in->arg);
}

static void
inspect_node_tree(Plan *plan, Inspection *in)
{
	RangeTblEntry *rte;

	if (plan == NULL)
		return;
	rte = gives_all(plan, in);
	if (rte != NULL)
		inspect_columns(rte, in);
	else
		inspect_list(plan->targetlist, in);
	inspect_list(plan->qual, in);
	if (in->scan != NULL)
		tell_scan(plan, in);
	inspect_node(plan, in);
	inspect_node_tree(plan->lefttree, in);
	inspect_node_tree(plan->righttree, in);
}

/*
 * Find out what a plan depends on besides rows.  vouched: NULL if nothing is;
 * scan: told of each scan of a table, with this argument, or NULL.  Adds to the
 * reasons.  True if it calls functions of users' in SQL.
 *
 * Literals are not looked for: the planner may have folded them.
 */
bool
inspect_plan(PlannedStmt *plan, InspectVouched vouched, InspectScan scan,
			 void *arg, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .vouched = vouched, .plan = plan,
	.scan = scan, .arg = arg};
	ListCell   *lc;

	foreach(lc, plan->rowMarks)
	{
		if (lfirst_node(PlanRowMark, lc)->markType < ROW_MARK_REFERENCE)
			note(&in, REASON_ROW_LOCKS, REASON_NOTHING);
	}
	inspect_node_tree(plan->planTree, &in);
	inspect_trees(plan->subplans, &in);
	return in.calls_sql;
}

/*
 * The same of an analysed query, literals included.  to_time: what it gives may
 * be turned into a time afterwards.
 */
void
inspect_query(Query *query, const char *source, bool to_time,
			  InspectVouched vouched, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .vouched = vouched, .source = source};
	ListCell   *lc;

	(void) inspect_expression((Node *) query, &in);
	in.literals = true;
	in.texts = TEXTS_MAY_BE_TIMES;
	foreach(lc, to_time ? query->targetList : NIL)
		(void) inspect_expression(lfirst(lc), &in);
}

/*
 * Find the literals of an analysed query that mean the present time.
 */
void
inspect_literals(Query *query, const char *source, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .source = source, .literals = true};

	(void) inspect_expression((Node *) query, &in);
}

/*
 * What a value's being of this type depends on.
 */
void
inspect_type(Oid type, InspectVouched vouched, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .vouched = vouched};

	inspect_type_of(type, true, &in);
}

/*
 * The same of a call of a function.
 */
void
inspect_routine(Oid function, InspectVouched vouched, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .vouched = vouched};

	inspect_function(function, &in);
}
