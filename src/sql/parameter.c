/*-------------------------------------------------------------------------
 *
 * parameter.c
 *		Parameters without a type, as keys.
 *
 * Most drivers send parameters without a type, and some ask the server which
 * type each has before they send its value.  An argument of a function gives
 * a parameter its type, but "any" has none to give, and cache_key is no type
 * that a driver knows.  Here, at the end of parse analysis, such parameters
 * get the type that they would have in a direct call of the loader: that of
 * the key, if the call names the cache by a constant, and else cache_key,
 * which is read as the key's type at each call.
 *
 * The parser comes here before its caller refuses parameters whose type is
 * still unknown, and lets us change the types that it has found.  Where a
 * parameter is a key only, all its uses change together; one that is of use
 * elsewhere, too, stays of the type that this has given it, unless it has none.
 * A call of a function with cache_key arguments whose parameters now have
 * other types becomes one of its sibling with "any", as the parser would
 * choose for such types: so nothing changes when the query is analyzed again
 * with these types, as those of prepared statements are after DDL.
 *
 * What a call gives does not depend on what is done here: it coerces its keys
 * by the definition that it finds, whatever their types are.
 *
 * Locking: none, but for what reading a definition locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "parser/parse_param.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "sql/parameter.h"

/* What parse_param.c keeps in p_ref_hook_state; parameter_init checks it. */
typedef struct VariableParams
{
	Oid		  **types;
	int		   *n;
} VariableParams;

/* A parameter of the query. */
typedef struct Parameter
{
	bool		open;			/* its type may be chosen here */
	Oid			type;			/* that its uses as a key want */
	int			uses;
	int			key_uses;
} Parameter;

typedef struct Parameters
{
	Oid			schema;			/* of the extension */
	Oid			key_type;		/* cache_key */
	int			n;
	Parameter  *all;			/* by number - 1 */
	bool		decided;		/* what is to be changed: change it */
} Parameters;

static post_parse_analyze_hook_type prev_post_parse_analyze = NULL;

/* How parse_param.c can be told in a ParseState. */
static ParseParamRefHook variable_paramref = NULL;

/* The functions whose last arguments are keys. */
static const struct
{
	const char *name;
	int			first;
}			key_functions[] = {
	{"cache_get", 1},
	{"cache_get_as", 2},
	{"cache_ttl", 1},
	{"cache_invalidate", 1}
};

/*
 * Is this a call of a function with keys, in the ordinary notation?  If so, the
 * number of the first one.
 */
static bool
is_key_call(const Parameters *params, FuncExpr *expr, int *first)
{
	HeapTuple	tuple;
	bool		found = false;

	if (expr->funcid < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(expr->funcid));
	if (!HeapTupleIsValid(tuple))
		return false;
	if (((Form_pg_proc) GETSTRUCT(tuple))->pronamespace == params->schema &&
		((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		const char *name = NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname);

		for (int i = 0; i < lengthof(key_functions) && !found; i++)
		{
			found = strcmp(name, key_functions[i].name) == 0;
			*first = key_functions[i].first;
		}
	}
	ReleaseSysCache(tuple);
	if (!found || list_length(expr->args) <= *first)
		return false;
	for (int i = 0; i < list_length(expr->args); i++)
	{
		if (IsA(list_nth(expr->args, i), NamedArgExpr))
			return false;
	}
	return true;
}

/* The definition of the cache that an expression names, NULL if unknown. */
static CacheDef *
named_cache(Node *name)
{
	Const	   *constant = (Const *) name;
	CacheDef   *def;

	if (!IsA(name, Const) || constant->constisnull ||
		constant->consttype != TEXTOID || !definition_is_readable())
		return NULL;
	def = definition_find(TextDatumGetCString(constant->constvalue));
	return def != NULL && def->usable ? def : NULL;
}

/* The parameter that an expression is, if its type can still be chosen. */
static Parameter *
open_parameter(const Parameters *params, Node *node)
{
	Param	   *param = (Param *) node;
	Parameter  *parameter;

	if (node == NULL || !IsA(node, Param) || param->paramkind != PARAM_EXTERN ||
		param->paramid <= 0 || param->paramid > params->n)
		return NULL;
	parameter = &params->all[param->paramid - 1];
	return parameter->open ? parameter : NULL;
}

/*
 * The keys of a call.  Of many without a type the parser has made an array.
 */
static List *
call_keys(FuncExpr *expr, int first)
{
	Node	   *last = llast(expr->args);

	if (!expr->funcvariadic)
		return list_copy_tail(expr->args, first);
	return IsA(last, ArrayExpr) ? ((ArrayExpr *) last)->elements : NIL;
}

/* Note the types that the keys of a call should have. */
static void
note_call(Parameters *params, FuncExpr *expr, int first)
{
	CacheDef   *def = named_cache(list_nth(expr->args, first - 1));
	List	   *keys = call_keys(expr, first);
	int			nkeys = list_length(keys);

	for (int i = 0; i < nkeys; i++)
	{
		Parameter  *parameter = open_parameter(params, list_nth(keys, i));
		Oid			type = params->key_type;

		if (parameter == NULL)
			continue;
		if (def != NULL && def->nkeys == nkeys)
			type = def->keys[i].type;
		if (parameter->key_uses++ == 0)
			parameter->type = type;
		else if (parameter->type != type)
			parameter->type = params->key_type;
	}
}

/*
 * The keys of a call may not all be of type cache_key any more: then it is one
 * of the function of the same name with "any".
 */
static void
retarget_call(Parameters *params, FuncExpr *expr, int first)
{
	Oid			types[3] = {ANYELEMENTOID, TEXTOID, ANYOID};
	List	   *keys = call_keys(expr, first);
	bool		typed = false;
	Oid			sibling;

	for (int i = 0; i < list_length(keys); i++)
		typed |= exprType(list_nth(keys, i)) != params->key_type;
	if (!typed || get_func_variadictype(expr->funcid) == ANYOID)
		return;
	sibling = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							  CStringGetDatum(get_func_name(expr->funcid)),
							  PointerGetDatum(buildoidvector(types + 2 - first,
															 first + 1)),
							  ObjectIdGetDatum(params->schema));
	if (!OidIsValid(sibling))
		elog(ERROR, "function with keys of any type not found");
	expr->funcid = sibling;
	expr->funcvariadic = false;
	expr->args = list_concat(list_truncate(expr->args, first), keys);
}

/* Note, or change, everything below a node. */
static bool
parameter_walker(Node *node, Parameters *params)
{
	Parameter  *parameter = open_parameter(params, node);
	int			first;

	if (node == NULL)
		return false;
	if (parameter != NULL && params->decided)
	{
		Param	   *param = (Param *) node;

		param->paramtype = parameter->type;
		param->paramtypmod = -1;
		param->paramcollid = get_typcollation(parameter->type);
	}
	else if (parameter != NULL)
		parameter->uses++;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, parameter_walker, params, 0);
	if (IsA(node, FuncExpr) && is_key_call(params, (FuncExpr *) node, &first) &&
		!params->decided)
		note_call(params, (FuncExpr *) node, first);
	if (expression_tree_walker(node, parameter_walker, params))
		return true;
	if (IsA(node, FuncExpr) && params->decided &&
		is_key_call(params, (FuncExpr *) node, &first))
		retarget_call(params, (FuncExpr *) node, first);
	return false;
}

/*
 * Walk through a query, also through one in a utility command.
 */
static void
parameter_walk(Query *query, Parameters *params)
{
	Node	   *utility = query->utilityStmt;
	Node	   *inner = (Node *) query;

	if (query->commandType != CMD_UTILITY)
		(void) query_tree_walker(query, parameter_walker, params, 0);
	else if (IsA(utility, CallStmt))
		(void) parameter_walker((Node *) ((CallStmt *) utility)->funcexpr, params);
	else
	{
		if (IsA(utility, ExplainStmt))
			inner = ((ExplainStmt *) utility)->query;
		else if (IsA(utility, CreateTableAsStmt))
			inner = ((CreateTableAsStmt *) utility)->query;
		else if (IsA(utility, DeclareCursorStmt))
			inner = ((DeclareCursorStmt *) utility)->query;
		if (inner != (Node *) query && IsA(inner, Query))
			parameter_walk((Query *) inner, params);
	}
}

/*
 * Choose types for the parameters of a query that is to be prepared.  Costs
 * next to nothing where the parser has found ordinary types for all.
 */
static void
parameters_choose(Query *query, Oid *types, int n)
{
	const Extension *extension;
	Parameters	params = {0};
	bool		any = false;

	for (int i = 0; i < n; i++)
		any |= types[i] == UNKNOWNOID || types[i] >= FirstNormalObjectId;
	if (!any || (extension = extension_find()) == NULL)
		return;
	params.schema = extension->schema;
	params.key_type = extension->key_type;
	params.n = n;
	params.all = palloc0(sizeof(Parameter) * n);
	any = false;
	for (int i = 0; i < n; i++)
	{
		params.all[i].open = types[i] == UNKNOWNOID || types[i] == params.key_type;
		any |= params.all[i].open;
	}
	if (any)
		parameter_walk(query, &params);

	any = false;
	for (int i = 0; i < n; i++)
	{
		Parameter  *parameter = &params.all[i];

		/* Who wants a cache_key for something else shall have it. */
		parameter->open = parameter->key_uses > 0 &&
			parameter->type != types[i] &&
			(types[i] == UNKNOWNOID || parameter->key_uses == parameter->uses);
		if (parameter->open)
			types[i] = parameter->type;
		any |= parameter->open;
	}
	params.decided = true;
	if (any)
		parameter_walk(query, &params);
	pfree(params.all);
}

/* Does EXPLAIN make a plan without having values for the parameters? */
static bool
is_generic_explain(Query *query)
{
	ListCell   *cell;

	if (query->commandType != CMD_UTILITY || !IsA(query->utilityStmt, ExplainStmt))
		return false;
	foreach(cell, ((ExplainStmt *) query->utilityStmt)->options)
	{
		DefElem    *option = lfirst(cell);

		if (strcmp(option->defname, "generic_plan") == 0 && defGetBoolean(option))
			return true;
	}
	return false;
}

/*
 * EXPLAIN (GENERIC_PLAN) has kept the types in variables of a function that has
 * returned; nobody needs them.
 */
static pg_noinline void
choose_variable(Query *query, VariableParams *variable)
{
	if (!is_generic_explain(query))
		parameters_choose(query, *variable->types, *variable->n);
}

/* post_parse_analyze_hook */
static void
parameter_post_parse_analyze(ParseState *pstate, Query *query,
							 JumbleState *jstate)
{
	if (pstate->p_paramref_hook == variable_paramref)
		choose_variable(query, pstate->p_ref_hook_state);
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jstate);
}

/*
 * Install the hook; once a process.  Not where parse_param.c is not what it is
 * in all versions so far.
 */
void
parameter_init(void)
{
	ParseState *pstate = make_parsestate(NULL);
	Oid		   *types = NULL;
	int			n = 0;
	VariableParams *variable;

	setup_parse_variable_parameters(pstate, &types, &n);
	variable = pstate->p_ref_hook_state;
	if (variable->types == &types && variable->n == &n)
	{
		variable_paramref = pstate->p_paramref_hook;
		prev_post_parse_analyze = post_parse_analyze_hook;
		post_parse_analyze_hook = parameter_post_parse_analyze;
	}
	else
		elog(LOG, "cache cannot give parameters of this server a type");
	pfree(variable);
	free_parsestate(pstate);
}
