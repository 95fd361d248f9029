/*-------------------------------------------------------------------------
 *
 * keyexpr.c
 *		Expressions of keys: of a row's columns, and of a loader's arguments.
 *
 * A watch tells the keys of a row by its columns, or by expressions of them:
 * lower(email).  And a cache may say how its keys compare, by an expression of
 * each of the loader's arguments: lower($1).  Then keys have to do with the same
 * rows if the values of their expressions are equal: it is these that are hashed
 * for a get, and of what watches tell.  So all spellings of a key are
 * invalidated together; the loader gets each as it was given, and each has an
 * entry of its own, as with keys of type citext.
 *
 * A watch tells keys.  Where the loader compares its table's column with the
 * expression, as in email = lower($1), what is told is the expression's value
 * already; so it has to stay what it is when the expression is applied to it.
 * That is asked for each key that is loaded (key_is_settled); what is loaded for
 * one of which it is not true is not stored.
 *
 * An expression is IMMUTABLE, and calls nothing but functions that come with the
 * server.  These can neither be replaced nor dropped, are called without regard to
 * privileges and settings, and read nothing; so nothing of a load's precautions is
 * needed here, and an expression's text means the same for ever.  Texts are as
 * they are deparsed, under a search_path of pg_catalog alone, and are read under
 * that.  Whatever else tells keys from rows is for key functions.
 *
 * A trigger's arguments have the expressions of a watch behind two empty strings.
 * The trigger depends on the columns; their renames are followed (rename.c).  The
 * expressions of arguments are a column of cache_definition.
 *
 * Locking: that of the callers, who have the relation locked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_collation.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_param.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/ruleutils.h"

#include "base/compat.h"
#include "definition/keyexpr.h"

/*-------------------------------------------------------------------------
 * Texts
 *-------------------------------------------------------------------------
 */

/*
 * Does a text that is no column's name look like an expression?
 */
bool
keyexpr_is_one(const char *text)
{
	return text[strcspn(text, "()[]'+-*/<>=~!@#%^&|`?:")] != '\0';
}

/* Only what the server brings along is found; gives what path_leave wants. */
static int
path_enter(void)
{
	int			nestlevel = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nestlevel;
}

static void
path_leave(int nestlevel)
{
	AtEOXact_GUC(true, nestlevel);
}

/* An error's position is one in the expression, not in the query. */
static void
error_context(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((const char *) arg);
	}
	errcontext("key expression %s", (const char *) arg);
}

static void
syntax_error(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("\"%s\" is not an expression", text),
			 errhint("Give an expression such as lower(name).")));
}

/* The expressions of a list, as the grammar gives them. */
static List *
parse_raw(const char *text)
{
	List	   *raw = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, raw)->stmt;
	List	   *expressions = NIL;
	ListCell   *lc;

	if (!IsA(select, SelectStmt) || select->targetList == NIL ||
		select->distinctClause != NIL || select->fromClause != NIL ||
		select->whereClause != NULL || select->groupClause != NIL ||
		select->havingClause != NULL || select->windowClause != NIL ||
		select->sortClause != NIL || select->limitOffset != NULL ||
		select->limitCount != NULL || select->lockingClause != NIL ||
		select->op != SETOP_NONE)
		syntax_error(text);
	foreach(lc, select->targetList)
	{
		ResTarget  *target = lfirst_node(ResTarget, lc);

		if (target->name != NULL)
			syntax_error(text);
		expressions = lappend(expressions, target->val);
	}
	return expressions;
}

/*-------------------------------------------------------------------------
 * Checking
 *-------------------------------------------------------------------------
 */

/* What an expression may be of. */
typedef struct Checked
{
	Relation	rel;			/* the columns of this, or */
	int			argument;		/* this one, from 1 */
	bool		found;
} Checked;

static bool
function_is_foreign(Oid function, void *context)
{
	if (function < FirstUnpinnedObjectId)
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("function %s cannot be used in a key expression",
					format_procedure(function)),
			 errdetail("It does not come with the server, so that it could be replaced."),
			 ((Checked *) context)->rel != NULL ?
			 errhint("Call it in a key function: cache_watch(..., keys => 'function(table)').") :
			 errhint("Call it for the key of each get.")));
}

static void
check_column(Var *var, Checked *checked)
{
	if (var->varattno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("key expressions cannot have system columns or whole rows")));
	if (CACHE_IS_VIRTUAL(TupleDescAttr(RelationGetDescr(checked->rel),
									   var->varattno - 1)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("virtual generated column \"%s\" cannot be watched",
						get_attname(RelationGetRelid(checked->rel),
									var->varattno, false)),
				 errhint("Watch the expression that generates it.")));
}

static void
check_parameter(Param *param, Checked *checked)
{
	if (param->paramid != checked->argument)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression %d of the key is one of $%d", checked->argument,
						param->paramid),
				 errhint("Give one expression for each argument of the loader, in their order; that of the first one is of $1 alone.")));
}

static bool
check_walker(Node *node, void *context)
{
	Checked    *checked = context;

	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, function_is_foreign, checked);
	switch (nodeTag(node))
	{
		case T_Var:
			check_column((Var *) node, checked);
			checked->found = true;
			return false;
		case T_Param:
			check_parameter((Param *) node, checked);
			checked->found = true;
			return false;
		case T_List:
			break;
		case T_CollateExpr:
			if (((CollateExpr *) node)->collOid >= FirstNormalObjectId)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("collation \"%s\" cannot be used in a key expression",
								get_collation_name(((CollateExpr *) node)->collOid)),
						 errdetail("It does not come with the server, so that it could be replaced.")));
			break;
		default:
			if (exprType(node) >= FirstUnpinnedObjectId)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("type %s cannot be made in a key expression",
								format_type_be(exprType(node))),
						 errdetail("It does not come with the server, so that it could be replaced.")));
			break;
	}
	return expression_tree_walker(node, check_walker, context);
}

/* Complain unless the value follows from what the expression is of, and nothing else. */
static void
check(Node *tree, ParseState *pstate, Checked *checked, const char *text)
{
	if (pstate->p_hasAggs || pstate->p_hasWindowFuncs || pstate->p_hasSubLinks ||
		pstate->p_hasTargetSRFs || expression_returns_set(tree))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("key expressions cannot have subqueries, aggregates, or functions that return sets"),
				 errhint("Use a key function: cache_watch(..., keys => 'function(table)').")));
	(void) check_walker(tree, checked);
	if (!checked->found)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 checked->rel != NULL ?
				 errmsg("key expression %s is of no column", text) :
				 errmsg("expression %d of the key is not one of $%d",
						checked->argument, checked->argument)));
	if (contain_mutable_functions((Node *) expression_planner(copyObject((Expr *) tree))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("functions in key expression %s must be IMMUTABLE", text),
				 errhint("Where the time zone matters, name it: ts AT TIME ZONE 'UTC'.")));
}

/* Analyse one expression. */
static Node *
analyse(ParseState *pstate, Node *raw, Checked *checked, const char *text)
{
	Node	   *tree = transformExpr(pstate, raw, EXPR_KIND_OTHER);

	assign_expr_collations(pstate, tree);
	check(tree, pstate, checked, text);
	return tree;
}

/* Compile an expression in the current memory context. */
static KeyExpr *
compile(Node *tree)
{
	KeyExpr    *expr = palloc0(sizeof(KeyExpr));
	Oid			role;
	int			context;

	expr->type = exprType(tree);
	expr->collation = exprCollation(tree);
	expr->econtext = CreateStandaloneExprContext();
	expr->param = makeParamList(1);
	expr->econtext->ecxt_param_list_info = expr->param;

	/* It is not the caller who calls these functions. */
	GetUserIdAndSecContext(&role, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   context | SECURITY_LOCAL_USERID_CHANGE);
	expr->state = ExecInitExprWithParams(expression_planner((Expr *) tree),
										 expr->param);
	SetUserIdAndSecContext(role, context);
	return expr;
}

/*-------------------------------------------------------------------------
 * Expressions of rows
 *-------------------------------------------------------------------------
 */

/* attnum: if valid, the column of this number is called by that name. */
static Node *
parse_row(const char *text, Relation rel, bool stored, AttrNumber attnum,
		  const char *name)
{
	ErrorContextCallback callback = {error_context_stack, error_context,
	(void *) text};
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item;
	Checked		checked = {.rel = rel};
	List	   *raw;
	Node	   *tree;
	int			nestlevel = 0;

	error_context_stack = &callback;
	if (stored)
		nestlevel = path_enter();
	pstate->p_sourcetext = text;
	item = addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL,
										 false, true);
	if (attnum != InvalidAttrNumber)
		lfirst(list_nth_cell(item->p_rte->eref->colnames, attnum - 1)) =
			makeString(pstrdup(name));
	addNSItemToQuery(pstate, item, false, true, true);
	raw = parse_raw(text);
	if (list_length(raw) != 1)
		syntax_error(text);
	tree = analyse(pstate, linitial(raw), &checked, text);
	free_parsestate(pstate);
	if (stored)
		path_leave(nestlevel);
	error_context_stack = callback.previous;
	return tree;
}

/*
 * Read an expression of a relation's columns; stored: a text that keyexpr_text
 * has given.  An error, if it cannot be one.
 */
Node *
keyexpr_parse(const char *text, Relation rel, bool stored)
{
	return parse_row(text, rel, stored, InvalidAttrNumber, NULL);
}

/*
 * The text that an expression is kept as, palloc'd.
 */
char *
keyexpr_text(Node *tree, Relation rel)
{
	List	   *context = rel == NULL ? NIL :
		deparse_context_for(RelationGetRelationName(rel), RelationGetRelid(rel));
	int			nestlevel = path_enter();
	char	   *text = deparse_expression(tree, context, false, false);

	path_leave(nestlevel);
	return text;
}

/*
 * The text that a kept one becomes, after a column has been renamed.
 */
char *
keyexpr_rename(const char *text, Relation rel, const char *from, const char *to)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), to);

	return keyexpr_text(parse_row(text, rel, true, attnum, from), rel);
}

/*
 * Set a kept expression up for the rows of a relation, in the current memory
 * context.
 */
KeyExpr *
keyexpr_open(const char *text, Relation rel)
{
	return compile(keyexpr_parse(text, rel, true));
}

/*
 * Its value for a row, in the current memory context.  Errors are those of its
 * functions.
 */
Datum
keyexpr_of_row(KeyExpr *expr, TupleTableSlot *slot, bool *isnull)
{
	expr->econtext->ecxt_scantuple = slot;
	return ExecEvalExpr(expr->state, expr->econtext, isnull);
}

/*-------------------------------------------------------------------------
 * Expressions of arguments
 *-------------------------------------------------------------------------
 */

/* Its parameter is the only one that it is run with. */
static bool
renumber_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
	{
		((Param *) node)->paramid = 1;
		return false;
	}
	return expression_tree_walker(node, renumber_walker, context);
}

/* Let key i compare by an expression, if it is not just the argument. */
static void
set_normal(CacheDef *def, int i, Node *tree)
{
	KeyColumn  *key = &def->keys[i];
	KeyExpr    *expr;
	KeyHash		hash;

	if (IsA(tree, Param))
		return;
	tree = copyObject(tree);
	(void) renumber_walker(tree, NULL);

	/* What a watch tells may be such a value: it has to be of the key's type. */
	if (key_hash_fits(key, exprType(tree), &hash))
	{
		Oid			base = getBaseType(key->type);

		if (exprType(tree) != base)
			tree = coerce_to_target_type(NULL, tree, exprType(tree), base, -1,
										 COERCION_IMPLICIT,
										 COERCE_IMPLICIT_CAST, -1);
		if (tree == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("expression %d of the key is not of type %s, but of one that compares with it",
							i + 1, format_type_be(base)),
					 errhint("Cast it to type %s.", format_type_be(base))));
		assign_expr_collations(NULL, tree);
	}
	expr = compile(tree);
	expr->param->params[0].ptype = key->type;
	expr->again = expr->type == getBaseType(key->type);
	if (!key_hash_lookup(expr->type, &expr->hash))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify a hash function for type %s",
						format_type_be(expr->type)),
				 errdetail("It is the type of expression %d of the key.", i + 1)));
	def->fixed &= expr->hash.fixed;
	def->nested |= expr->hash.nested;
	key->normal = expr;
}

/*
 * Let a cache's keys compare by a list of expressions of the loader's arguments,
 * and give the text that it is kept as, palloc'd, or NULL if they compare as they
 * are; stored: it is such a text.  The keys' types are known already.  Works in
 * the current memory context.
 */
char *
keyexpr_describe(CacheDef *def, const char *text, bool stored)
{
	ErrorContextCallback callback = {error_context_stack, error_context,
	(void *) text};
	ParseState *pstate = make_parsestate(NULL);
	Oid			types[FUNC_MAX_ARGS];
	StringInfoData kept;
	List	   *raw;
	ListCell   *lc;
	bool		computed = false;
	int			nestlevel = 0;

	error_context_stack = &callback;
	if (stored)
		nestlevel = path_enter();
	initStringInfo(&kept);
	for (int i = 0; i < def->nkeys; i++)
		types[i] = def->keys[i].type;
	pstate->p_sourcetext = text;
	setup_parse_fixed_parameters(pstate, types, def->nkeys);
	raw = parse_raw(text);
	if (list_length(raw) != def->nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_plural("cache \"%s\" has %d key, but %d expressions were given",
							   "cache \"%s\" has %d keys, but %d expressions were given",
							   def->nkeys, NameStr(def->name), def->nkeys,
							   list_length(raw)),
				 errhint("Give one expression for each argument of the loader, in their order; just $1, $2 ... for those that are compared as they are.")));
	foreach(lc, raw)
	{
		int			i = foreach_current_index(lc);
		Checked		checked = {.argument = i + 1};
		Node	   *tree = analyse(pstate, lfirst(lc), &checked, text);

		appendStringInfo(&kept, "%s%s", i > 0 ? ", " : "",
						 keyexpr_text(tree, NULL));
		set_normal(def, i, tree);
		computed |= def->keys[i].normal != NULL;
	}
	free_parsestate(pstate);
	if (stored)
		path_leave(nestlevel);
	error_context_stack = callback.previous;
	return computed ? kept.data : NULL;
}

/*
 * The value of an argument's expression, in the current memory context.  Errors
 * are those of its functions.
 */
Datum
keyexpr_of_argument(KeyExpr *expr, Datum value, bool *isnull)
{
	expr->param->params[0].value = value;
	expr->param->params[0].isnull = *isnull;
	return ExecEvalExpr(expr->state, expr->econtext, isnull);
}

/*
 * What a watch tells of key i, of this type, has to become one of the loader's
 * type before the key's expression can be had: set that up, in the current memory
 * context, or NULL if it is not needed.  False if there is no way that works for
 * all values, since no write may fail for this.
 */
bool
keyexpr_coercion(KeyCoercion **coercion, const CacheDef *def, int i, Oid from)
{
	*coercion = NULL;
	if (def->keys[i].normal == NULL ||
		getBaseType(from) == getBaseType(def->keys[i].type))
		return true;
	*coercion = palloc0(sizeof(KeyCoercion));
	return coercion_widen(*coercion, def, i, from);
}

/*
 * The expression is applied under the collation of the loader's argument.  Is that
 * also the one of a watched column, which loaders compare under?
 */
bool
keyexpr_collation_fits(const CacheDef *def, int i, Oid collation)
{
	return def->keys[i].normal == NULL || !OidIsValid(collation) ||
		collation == get_typcollation(def->keys[i].type);
}

/*
 * Make what a watch or a call tells of a key what it compares by, and change the
 * type accordingly.
 */
void
keyexpr_normalize(const KeyColumn *key, KeyCoercion *coercion, Datum *value,
				  bool *isnull, Oid *type)
{
	if (key->normal == NULL)
		return;
	if (coercion != NULL)
		*value = coercion_apply(coercion, *value, isnull);
	*value = keyexpr_of_argument(key->normal, *value, isnull);
	*type = key->normal->type;
}
