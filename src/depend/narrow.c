/*-------------------------------------------------------------------------
 *
 * narrow.c
 *		Loads that find rows in another way than their watches tell keys.
 *
 * A watch by columns says that a row has to do with the key in its columns.
 * That is wrong where the loader compares an expression of such a column, as in
 * lower(email) = lower($1), or the column with something else than the key, as in
 * email = lower($1), or by an operator that takes different values for a match:
 * then rows have to do with keys that they do not hold.  What such a load gives
 * is not stored, unless the cache knows how its keys compare.
 *
 * The scans of each plan that a load executes tell it.  Of a column that is
 * compared as it is in one condition nothing is held against the others, since
 * these only take rows away.  Comparisons by order, functions and conditions of
 * joins say nothing: it is known that a watch is too narrow, or nothing is.
 *
 * Locking: the plan's locks are held, or about to be taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteManip.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/param.h"
#include "definition/key.h"
#include "definition/keyexpr.h"
#include "definition/watches.h"
#include "depend/loads.h"
#include "depend/narrow.h"

/* A column of a watch, in a scan of its table. */
typedef struct Lookup
{
	const PlanScan *scan;
	ParamListInfo params;		/* of the plan */
	AttrNumber	attnum;
	const KeyColumn *key;
	const Datum *arg;			/* what the loader was called with, or NULL */
	bool		argnull;
} Lookup;

/* What a condition says of it. */
typedef struct Finding
{
	bool		direct;			/* it is equal to something */
	bool		other;			/* it is matched in another way: */
	Node	   *expr;			/* an expression of it is equal to */
	Node	   *value;			/* this; or it is itself, if that is NULL */
} Finding;

/* What would help, as found last in this session. */
typedef struct Advice
{
	NameData	cache;
	Oid			relid;
	char	   *hint;			/* NULL: nothing that could be told */
} Advice;

static Advice advice = {.relid = InvalidOid};

/* What a variable of an index-only scan stands for. */
static Node *
resolve(Node *node, const Lookup *lookup)
{
	if (node != NULL && IsA(node, Var) && ((Var *) node)->varno == INDEX_VAR &&
		((Var *) node)->varattno <= list_length(lookup->scan->indextlist))
		return (Node *) list_nth_node(TargetEntry, lookup->scan->indextlist,
									  ((Var *) node)->varattno - 1)->expr;
	return node;
}

/* Does a cast keep different values different?  Then it is implicit, or one to text. */
static bool
is_lossless(Node *cast, Node *from)
{
	Oid			to_type = exprType(cast);
	Oid			from_type = exprType(from);

	if (IsA(cast, CoerceViaIO))
		return TypeCategory(to_type) == TYPCATEGORY_STRING;
	return from_type != to_type &&
		can_coerce_type(1, &from_type, &to_type, COERCION_IMPLICIT);
}

static bool
is_cast(Node *node)
{
	FuncExpr   *function = (FuncExpr *) node;

	return IsA(node, FuncExpr) && list_length(function->args) >= 1 &&
		(function->funcformat == COERCE_IMPLICIT_CAST ||
		 function->funcformat == COERCE_EXPLICIT_CAST);
}

/* Without what changes nothing but the type. */
static Node *
strip_labels(Node *node, const Lookup *lookup)
{
	for (;;)
	{
		node = resolve(node, lookup);
		if (node == NULL)
			return NULL;
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, CollateExpr))
			node = (Node *) ((CollateExpr *) node)->arg;
		else if (IsA(node, CoerceToDomain))
			node = (Node *) ((CoerceToDomain *) node)->arg;
		else if (is_cast(node) &&
				 is_lossless(node, linitial(((FuncExpr *) node)->args)))
			node = linitial(((FuncExpr *) node)->args);
		else if (IsA(node, CoerceViaIO) &&
				 is_lossless(node, (Node *) ((CoerceViaIO *) node)->arg))
			node = (Node *) ((CoerceViaIO *) node)->arg;
		else
			return node;
	}
}

static bool
is_column(Node *node, const Lookup *lookup)
{
	Var		   *var = (Var *) strip_labels(node, lookup);

	return var != NULL && IsA(var, Var) && var->varno == lookup->scan->varno &&
		var->varattno == lookup->attnum && var->varlevelsup == 0;
}

static bool
mentions_walker(Node *node, void *context)
{
	const Lookup *lookup = context;

	node = resolve(node, lookup);
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return is_column(node, lookup);
	return expression_tree_walker(node, mentions_walker, context);
}

static bool
parameter_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXTERN;
	return expression_tree_walker(node, parameter_walker, context);
}

/* The value of a constant or a parameter, if it is known before the plan runs. */
static bool
known_value(Node *node, const Lookup *lookup, Oid *type, Datum *value,
			bool *isnull)
{
	ParamListInfo params = lookup->params;
	Param	   *param = (Param *) node;
	ParamExternData workspace;
	ParamExternData *extern_param;

	if (IsA(node, Const))
	{
		*type = ((Const *) node)->consttype;
		*value = ((Const *) node)->constvalue;
		*isnull = ((Const *) node)->constisnull;
		return true;
	}
	if (!IsA(node, Param) || param->paramkind != PARAM_EXTERN || params == NULL ||
		param->paramid <= 0 || param->paramid > params->numParams)
		return false;
	extern_param = params->paramFetch != NULL ?
		params->paramFetch(params, param->paramid, true, &workspace) :
		&params->params[param->paramid - 1];
	*type = extern_param->ptype;
	*value = extern_param->value;
	*isnull = extern_param->isnull;
	return *type == param->paramtype;
}

/* Is it another value than the key, or than one that the key compares like? */
static bool
differs(KeyHash *hash, Oid type, Datum value, const Lookup *lookup)
{
	uint64		found;

	if (lookup->key->normal == NULL)
		found = key_hash_add(0, hash, lookup->key->collation, value, false);
	else if (getBaseType(type) == getBaseType(lookup->key->type))
		found = key_hash_column(0, lookup->key, value, false);
	else
		return false;
	return found != key_hash_column(0, lookup->key, *lookup->arg,
									lookup->argnull);
}

/*
 * Is it known to be another value than the key, or to have another one in it, for
 * = ANY?  What is NULL equals nothing.
 */
static bool
is_another(Node *node, const Lookup *lookup)
{
	KeyHash		hash;
	Oid			type;
	Oid			element;
	Datum		value;
	bool		isnull;
	ArrayIterator iterator;
	bool		found = false;

	if (lookup->arg == NULL ||
		!known_value(node, lookup, &type, &value, &isnull) || isnull)
		return false;

	/* As a rule it is the key itself. */
	if (type == lookup->key->type && !lookup->argnull &&
		datumIsEqual(value, *lookup->arg, lookup->key->typbyval,
					 lookup->key->typlen))
		return false;
	if (key_hash_fits(lookup->key, type, &hash))
		return differs(&hash, type, value, lookup);
	element = get_base_element_type(type);
	if (!OidIsValid(element) || !key_hash_fits(lookup->key, element, &hash))
		return false;
	iterator = array_create_iterator(DatumGetArrayTypeP(value), 0, NULL);
	while (!found && array_iterate(iterator, &value, &isnull))
		found = !isnull && differs(&hash, element, value, lookup);
	array_free_iterator(iterator);
	return found;
}

/*
 * Is it something else than the key: another value, or computed from a parameter?
 * Casts do not count: a key that they change is of no type that such a column could
 * be watched for.
 */
static bool
is_computed(Node *node, const Lookup *lookup)
{
	ListCell   *lc;

	node = strip_labels(node, lookup);
	if (node == NULL)
		return false;
	if (IsA(node, Const) || IsA(node, Param))
		return is_another(node, lookup);
	if (is_cast(node))
		return is_computed(linitial(((FuncExpr *) node)->args), lookup);
	if (IsA(node, CoerceViaIO))
		return is_computed((Node *) ((CoerceViaIO *) node)->arg, lookup);
	if (IsA(node, ArrayExpr))
	{
		foreach(lc, ((ArrayExpr *) node)->elements)
		{
			if (is_computed(lfirst(lc), lookup))
				return true;
		}
		return false;
	}
	return parameter_walker(node, NULL);
}

/* How an operator compares. */
typedef enum Comparison
{
	BY_EQUALITY,
	BY_ORDER,
	BY_ANYTHING_ELSE
} Comparison;

/*
 * Operators of PostgreSQL's own that are equalities stay so, unless it is a matter
 * of what they compare.
 */
static bool
is_equality(Oid operator, Node *left)
{
	static Oid	known = InvalidOid;

	if (operator == known)
		return true;
	if (!op_hashjoinable(operator, exprType(left)) &&
		!op_mergejoinable(operator, exprType(left)))
		return false;
	if (operator < FirstUnpinnedObjectId && operator != ARRAY_EQ_OP &&
		operator != RECORD_EQ_OP)
		known = operator;
	return true;
}

static Comparison
comparison_of(Oid operator, Node *left)
{
	if (is_equality(operator, left))
		return BY_EQUALITY;
	return cache_op_is_ordering(operator) ? BY_ORDER : BY_ANYTHING_ELSE;
}

/* Values are equal by it that are not for the key. */
static bool
is_looser(Oid collation, const Lookup *lookup)
{
	return OidIsValid(collation) && collation != lookup->key->collation &&
		!get_collation_isdeterministic(collation) && !GUARD_REMOVED("names");
}

static Finding
inspect_comparison(Oid operator, Oid collation, Node *left, Node *right,
				   const Lookup *lookup)
{
	Finding		found = {0};
	bool		on_left = is_column(left, lookup);
	bool		column = on_left || is_column(right, lookup);
	Node	   *value = on_left ? right : left;
	Comparison	comparison;

	if (lookup->key->normal != NULL)
	{
		/* What is compared by expressions is for the key's to fit. */
		if (column && is_equality(operator, left))
		{
			found.other = is_another(strip_labels(value, lookup), lookup);
			found.direct = !found.other;
		}
		return found;
	}
	if (!column)
	{
		on_left = mentions_walker(left, (void *) lookup);
		if (!on_left && !mentions_walker(right, (void *) lookup))
			return found;
	}

	/* Operators are looked up for what concerns the column alone. */
	comparison = comparison_of(operator, left);
	if (comparison == BY_ORDER)
		return found;
	if (column)
	{
		found.other = comparison == BY_ANYTHING_ELSE ?
			!contain_var_clause(value) :
			is_looser(collation, lookup) || is_computed(value, lookup);
		found.direct = comparison == BY_EQUALITY && !found.other &&
			!contain_var_clause(value);
		if (comparison == BY_EQUALITY)
			found.value = value;
	}
	else
	{
		found.other = !contain_var_clause(on_left ? right : left);
		if (comparison == BY_EQUALITY)
		{
			found.expr = on_left ? left : right;
			found.value = on_left ? right : left;
		}
	}
	return found;
}

static Finding
inspect_condition(Node *node, const Lookup *lookup)
{
	Finding		found = {0};
	ListCell   *lc;

	if (node == NULL)
		return found;
	switch (nodeTag(node))
	{
		case T_OpExpr:
			if (list_length(((OpExpr *) node)->args) == 2)
				found = inspect_comparison(((OpExpr *) node)->opno,
										   ((OpExpr *) node)->inputcollid,
										   linitial(((OpExpr *) node)->args),
										   lsecond(((OpExpr *) node)->args), lookup);
			break;
		case T_ScalarArrayOpExpr:
			if (((ScalarArrayOpExpr *) node)->useOr)
				found = inspect_comparison(((ScalarArrayOpExpr *) node)->opno,
										   ((ScalarArrayOpExpr *) node)->inputcollid,
										   linitial(((ScalarArrayOpExpr *) node)->args),
										   lsecond(((ScalarArrayOpExpr *) node)->args),
										   lookup);
			break;
		case T_NullTest:
			found.direct = ((NullTest *) node)->nulltesttype == IS_NULL &&
				is_column((Node *) ((NullTest *) node)->arg, lookup);
			break;
		case T_BoolExpr:
			if (((BoolExpr *) node)->boolop == NOT_EXPR)
			{
				DistinctExpr *distinct = linitial(((BoolExpr *) node)->args);

				if (IsA(distinct, DistinctExpr))
					found = inspect_comparison(distinct->opno, distinct->inputcollid,
											   linitial(distinct->args),
											   lsecond(distinct->args), lookup);
				break;
			}
			foreach(lc, ((BoolExpr *) node)->args)
			{
				Finding		one = inspect_condition(lfirst(lc), lookup);

				found.direct |= one.direct;
				if (!one.other || one.direct)
					continue;
				found.other = true;
				found.expr = one.expr;
				found.value = one.value;
			}
			if (((BoolExpr *) node)->boolop == AND_EXPR && found.direct)
				found.other = false;
			break;
		default:
			break;
	}
	return found;
}

/* Is the column matched, but never as it is?  found_first: how, then. */
static bool
is_narrow(const Lookup *lookup, Finding *found_first)
{
	List	   *conditions[] = {lookup->scan->qual, lookup->scan->indexqual};
	bool		other = false;

	for (int i = 0; i < (int) lengthof(conditions); i++)
	{
		ListCell   *lc;

		foreach(lc, conditions[i])
		{
			Finding		found = inspect_condition(lfirst(lc), lookup);

			if (found.direct && !found.other)
				return false;
			if (found.other && !other)
				*found_first = found;
			other |= found.other;
		}
	}
	return other;
}

/*-------------------------------------------------------------------------
 * Advice
 *-------------------------------------------------------------------------
 */

/* What takes the column's place in an expression. */
typedef struct Replacement
{
	const Lookup *lookup;
	Param	   *param;
} Replacement;

static Node *
replace_column(Node *node, void *context)
{
	Replacement *with = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && is_column(node, with->lookup))
		return (Node *) with->param;
	return expression_tree_mutator(node, replace_column, context);
}

/* Is there a parameter but this one? */
static bool
other_parameter_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind != PARAM_EXTERN ||
			((Param *) node)->paramid != *(int *) context;
	return expression_tree_walker(node, other_parameter_walker, context);
}

static bool
function_is_foreign(Oid function, void *context)
{
	return function >= FirstUnpinnedObjectId;
}

static bool
foreign_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, function_is_foreign, context))
		return true;
	return expression_tree_walker(node, foreign_walker, context);
}

/* Would it be taken for a key's or a watch's expression? */
static bool
may_be_expression(Node *expr)
{
	return !foreign_walker(expr, NULL) && !contain_mutable_functions(expr);
}

static bool
operator_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return IsA(node, OpExpr) ||
		expression_tree_walker(node, operator_walker, context);
}

/*
 * cache_alter(), with this expression for argument i; NULL if there are columns in
 * it, or operators, which hardly leave their own results as they are: $1 + 1.
 */
static char *
advise_key(CacheDef *def, int i, Node *expr)
{
	StringInfoData key;

	if (contain_var_clause(expr) || operator_walker(expr, NULL))
		return NULL;
	initStringInfo(&key);
	for (int j = 0; j < def->nkeys; j++)
	{
		appendStringInfoString(&key, j > 0 ? ", " : "");
		if (j == i)
			appendStringInfoString(&key, keyexpr_text(expr, NULL));
		else
			appendStringInfo(&key, "$%d", j + 1);
	}
	return psprintf("SELECT cache_alter(%s, key => %s)",
					quote_literal_cstr(NameStr(def->name)),
					quote_literal_cstr(key.data));
}

/* cache_watch(), with this expression of its only column */
static char *
advise_watch(CacheDef *def, Relation rel, Node *expr, const Lookup *lookup)
{
	expr = copyObject(expr);
	ChangeVarNodes(expr, lookup->scan->varno, 1, 0);
	return psprintf("SELECT cache_watch(%s, %s, %s)",
					quote_literal_cstr(NameStr(def->name)),
					quote_literal_cstr(quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
																  RelationGetRelationName(rel))),
					quote_literal_cstr(keyexpr_text(expr, rel)));
}

/*
 * What would help, if that can be told: a hint, palloc'd; else NULL.  What the
 * planner has made a constant may have been computed from the key, or not.
 */
static char *
advise(CacheDef *def, Relation rel, const Lookup *lookup, int i,
	   const Finding *found)
{
	Replacement with = {lookup, param_make(i + 1, lookup->key->type)};
	Node	   *value = strip_labels(found->value, lookup);
	int			number = i + 1;
	char	   *key;

	if (value == NULL || lookup->scan->indextlist != NIL ||
		!may_be_expression(found->expr != NULL ? found->expr : value))
		return NULL;
	if (found->expr == NULL)
	{
		if (IsA(value, Const) || IsA(value, Param) ||
			type_is_array(exprType(value)) ||
			other_parameter_walker(value, &number))
			return NULL;
		key = advise_key(def, i, value);
		return key == NULL ? NULL : psprintf("Say how keys compare: %s.", key);
	}
	key = advise_key(def, i, replace_column(found->expr, &with));
	if (!IsA(value, Const) && !IsA(value, Param))
		return key == NULL ? NULL : psprintf("Say how keys compare: %s.", key);
	if ((IsA(value, Param) || key == NULL) && def->nkeys == 1)
		return psprintf("Watch what the loader compares: %s.",
						advise_watch(def, rel, found->expr, lookup));
	if (def->nkeys == 1)
		return psprintf("Say how keys compare: %s.  Or, if they are given in this form already, watch what the loader compares: %s.",
						key, advise_watch(def, rel, found->expr, lookup));
	return NULL;
}

static void
remember_advice(CacheDef *def, Relation rel, const Lookup *lookup, int i,
				const Finding *found)
{
	char	   *hint = advise(def, rel, lookup, i, found);

	if (advice.hint != NULL)
		pfree(advice.hint);
	advice.hint = NULL;
	advice.cache = def->name;
	advice.relid = RelationGetRelid(rel);
	if (hint != NULL)
		advice.hint = MemoryContextStrdup(TopMemoryContext, hint);
}

/*
 * What would help the cache, whose loads find rows of this relation in another way
 * than its watch tells, as far as this session knows: sentences, palloc'd; else
 * NULL.
 */
char *
narrow_advice(const char *cache, Oid relid)
{
	if (advice.relid != relid || advice.hint == NULL ||
		strcmp(NameStr(advice.cache), cache) != 0)
		return NULL;
	return pstrdup(advice.hint);
}

/* A column's number, 0: there is none of this name. */
static AttrNumber
column_number(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (NameStr(att->attname)[0] == name[0] && !att->attisdropped &&
			strcmp(NameStr(att->attname), name) == 0)
			return i + 1;
	}
	return InvalidAttrNumber;
}

/* May what is found in these rows have to do with other keys than theirs? */
static bool
is_narrow_for(Load *load, Relation rel, Lookup *lookup)
{
	CacheDef   *def = load->def;
	bool		narrow = false;
	Finding		found = {0};
	int			at = 0;
	Trigger    *watch;

	while ((watch = watches_next(rel, NameStr(def->name), &at)) != NULL)
	{
		AttrNumber	columns[FUNC_MAX_ARGS];
		int			n = Min(watch->tgnargs - 1, def->nkeys);

		/* Of these it is not known what they tell. */
		if (watch->tgnargs == 1 || watch->tgargs[1][0] == '\0')
			return false;

		/* What is looked up in what follows may renew the table's triggers. */
		for (int i = 0; i < n; i++)
			columns[i] = column_number(rel, watch->tgargs[i + 1]);
		for (int i = 0; i < n; i++)
		{
			lookup->attnum = columns[i];
			lookup->key = &def->keys[i];
			lookup->arg = load->args != NULL ? &load->args[i] : NULL;
			lookup->argnull = load->args != NULL && load->nulls[i];
			if (columns[i] == InvalidAttrNumber || !is_narrow(lookup, &found))
				continue;
			narrow = true;
			remember_advice(def, rel, lookup, i, &found);
		}
	}
	return narrow;
}

/*
 * The loads in progress execute a plan with this scan of the relation.  params:
 * those of the plan, or NULL.
 */
void
narrow_note_scan(Relation rel, const PlanScan *scan, ParamListInfo params)
{
	Lookup		lookup = {.scan = scan, .params = params};

	if ((scan->qual == NIL && scan->indexqual == NIL) ||
		RelationGetRelid(rel) < FirstNormalObjectId || GUARD_REMOVED("narrow"))
		return;
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->usable && is_narrow_for(load, rel, &lookup))
			reasons_note(&load->why, REASON_NARROW_WATCH, RelationGetRelid(rel));
	}
}
