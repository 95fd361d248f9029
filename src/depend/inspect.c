/*-------------------------------------------------------------------------
 *
 * inspect.c
 *		What the result of an expression or a query depends on.
 *
 * Rows of tables are one thing: watches tell of their changes (loads.c).  Here
 * it is what else a query can depend on, of which nobody tells: functions of
 * the session, of the clock and of the server's state, functions into which
 * nobody can see, locks of rows, system columns, samples, texts such as 'now'.
 *
 * Plans are inspected when they begin to run (plantree.c); literals, before they are
 * planned, since the planner folds them.  The expressions that PL/pgSQL evaluates without
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
#include "depend/identity.h"
#include "depend/inspect.h"
#include "depend/literal.h"
#include "depend/routine.h"
#include "depend/spoken.h"

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
	if (in->in_domain)
		spoken_note_mentions(function, in->reasons);
	if (routine_is_sql(function))
		in->calls_sql = true;
	if (kind != ROUTINE_KNOWN &&
		(in->trusted == NULL || !in->trusted(function)))
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
			literal_has_time_word(literal, strlen(literal)) :
			literal_is_time_word(literal);
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
		says = !exact || literal_has_time_word(literal, strlen(literal)) ||
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

/* The constraints of a domain are checked where a value becomes one. */
static void
inspect_domain(Oid domain, Inspection *in)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "cache domain",
												  ALLOCSET_SMALL_SIZES);
	DomainConstraintRef ref;
	bool		outer = in->in_domain;
	ListCell   *lc;

	InitDomainConstraintRef(domain, &ref, context, false);
	in->in_domain = true;
	foreach(lc, ref.constraints)
		(void) inspect_expression((Node *) ((DomainConstraintState *) lfirst(lc))->check_expr, in);
	in->in_domain = outer;
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

/*
 * Is it a column of a catalog that changes by VACUUM and the like, not by DDL?
 * 0: one of all of them, is it?
 */
bool
inspect_is_statistic(Oid relid, AttrNumber attnum)
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
			 var->varlevelsup == 0 &&
			 (int) var->varno <= list_length(in->rtable))
	{
		RangeTblEntry *rte = rt_fetch(var->varno, in->rtable);

		if (rte->rtekind == RTE_RELATION && inspect_is_statistic(rte->relid, var->varattno))
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

	if (identity_is_type(type))
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

static void
inspect_spoken_type(Oid type, Inspection *in)
{
	Oid			element;

	if (identity_is_type(type))
		note(in, REASON_CATALOGS, REASON_NOTHING);
	if (type < FirstNormalObjectId)
		return;
	element = get_element_type(type);
	dependency_note_mention(get_typ_typrelid(OidIsValid(element) ? element : type));
}

static void
inspect_spoken_types(List *types, Inspection *in)
{
	ListCell   *lc;

	foreach(lc, types)
		inspect_spoken_type(lfirst_oid(lc), in);
}

/*
 * What a query says of identities of objects, and of row types, the planner may
 * fold into something that does not tell, or leave out.
 */
static void
inspect_literal_type(Node *node, Inspection *in)
{
	switch (nodeTag(node))
	{
		case T_Const:
		case T_CoerceViaIO:
		case T_RelabelType:
		case T_RowExpr:
		case T_ArrayExpr:
		case T_ArrayCoerceExpr:
#if PG_VERSION_NUM >= 170000
		case T_JsonExpr:
#endif
			inspect_spoken_type(exprType(node), in);
			break;
		case T_RangeTblFunction:
			inspect_spoken_types(((RangeTblFunction *) node)->funccoltypes, in);
			break;
		case T_TableFunc:
			inspect_spoken_types(((TableFunc *) node)->coltypes, in);
			break;
		default:
			break;
	}
}

/*
 * Find out what an expression, a list of them, or a query depends on.  It is a
 * walker, which gives false.
 */
bool
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
				if (identity_is_type(exprType(node)))
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
				if (identity_is_type(exprType(node)))
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

/*
 * Find out what an analysed query depends on besides rows, literals included, and
 * add it to the reasons.  trusted: NULL if nothing is; source: its text; to_time: what it gives may
 * be turned into a time afterwards.
 */
void
inspect_query(Query *query, const char *source, bool to_time,
			  InspectTrusted trusted, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .trusted = trusted, .source = source};
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
inspect_type(Oid type, InspectTrusted trusted, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .trusted = trusted};

	inspect_type_of(type, true, &in);
}

/*
 * The same of a call of a function.
 */
void
inspect_routine(Oid function, InspectTrusted trusted, Reasons *reasons)
{
	Inspection	in = {.reasons = reasons, .trusted = trusted};

	inspect_function(function, &in);
}
