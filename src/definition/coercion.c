/*-------------------------------------------------------------------------
 *
 * coercion.c
 *		From what a call gives for a key to the type of the loader's argument.
 *
 * Whatever a direct call of the loader takes as an argument is taken as a
 * key, and means the same.  Beyond that, since drivers choose types by
 * themselves, a key may be
 *
 *	- a text, also where the loader's argument is something else: it is read
 *	  as a literal would be;
 *	- a number of another type, if it is exactly one of the argument's type:
 *	  two numbers that differ never become one key.
 *
 * What has no type at all is either a literal that the parser has left alone,
 * a C string, or of type cache_key, a text that stands for one.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "base/param.h"
#include "definition/coercion.h"
#include "definition/extension.h"

/*
 * Compile a cast, in the current memory context.  False if there is none.
 */
static bool
cast_setup(KeyCast *cast, Oid from, Oid to, CoercionContext context)
{
	Param	   *param = param_make(1, from);
	Node	   *expr;

	expr = coerce_to_target_type(NULL, (Node *) param, from, to, -1,
								 context, COERCE_IMPLICIT_CAST, -1);
	if (expr == NULL)
		return false;

	/* A mere change of label changes nothing. */
	if (expr == (Node *) param ||
		(IsA(expr, RelabelType) && ((RelabelType *) expr)->arg == (Expr *) param))
		return true;
	cast->param = makeParamList(1);
	cast->param->params[0].ptype = from;
	cast->param->params[0].pflags = 0;
	cast->econtext = CreateStandaloneExprContext();
	cast->econtext->ecxt_param_list_info = cast->param;
	cast->expr = ExecInitExprWithParams(expression_planner((Expr *) expr),
										cast->param);
	return true;
}

static Datum
cast_apply(KeyCast *cast, Datum value, bool *isnull)
{
	if (cast->expr == NULL)
		return value;
	cast->param->params[0].value = value;
	cast->param->params[0].isnull = *isnull;
	return ExecEvalExpr(cast->expr, cast->econtext, isnull);
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/*
 * Set up a cast that PostgreSQL makes in assignments only, since it may round
 * or overflow.  Casts that only change the label (oid to integer) do not keep
 * the number.
 */
static bool
exact_cast_setup(KeyCoercion *coercion)
{
	Oid			from = coercion->from;
	Oid			to = coercion->to;
	Oid			base = getBaseType(from);
	Oid			function;
	TypeCacheEntry *entry;

	if (TypeCategory(base) != TYPCATEGORY_NUMERIC ||
		TypeCategory(getBaseType(to)) != TYPCATEGORY_NUMERIC ||
		find_coercion_pathway(getBaseType(to), base, COERCION_ASSIGNMENT,
							  &function) != COERCION_PATH_FUNC)
		return false;
	entry = lookup_type_cache(base, TYPECACHE_EQ_OPR_FINFO);
	if (!OidIsValid(entry->eq_opr_finfo.fn_oid) ||
		!cast_setup(&coercion->cast, from, to, COERCION_ASSIGNMENT) ||
		!cast_setup(&coercion->back, to, base, COERCION_ASSIGNMENT))
		return false;
	fmgr_info(entry->eq_opr_finfo.fn_oid, &coercion->equal);
	return true;
}

/* Is it one of the types that hold texts, or a domain over one? */
static bool
is_text(Oid type)
{
	return TypeCategory(getBaseType(type)) == TYPCATEGORY_STRING;
}

static void
input_setup(KeyCoercion *coercion)
{
	Oid			function;

	getTypeInputInfo(coercion->to, &function, &coercion->ioparam);
	fmgr_info(function, &coercion->input);
}

/*
 * There is no way to the loader's type, or none that keeps this value: then
 * value is not NULL.
 */
static void
type_error(const KeyCoercion *coercion, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("key %d of cache \"%s\" must be of type %s, not %s",
					coercion->number, coercion->cache,
					format_type_be(coercion->to),
					OidIsValid(coercion->from) ? format_type_be(coercion->from) : "unknown"),
			 value != NULL ?
			 errdetail("%s has no equal of that type.", value) : 0,
			 errhint("You might need to add an explicit type cast.")));
}

/* How it is done; false if it cannot be. */
static bool
coercion_choose(KeyCoercion *coercion)
{
	Oid			from = coercion->from;
	Oid			to = coercion->to;

	coercion->kind = KEY_AS_IT_IS;
	if (from == to)
		return true;
	if (from == UNKNOWNOID || from == extension_get()->key_type)
	{
		if (from != UNKNOWNOID && to == TEXTOID)
			return true;
		coercion->kind = from == UNKNOWNOID ? KEY_LITERAL : KEY_TEXT;
		input_setup(coercion);
		return true;
	}
	if (!OidIsValid(from))
		return false;
	if (is_integer(from) && is_integer(to))
	{
		coercion->kind = KEY_INTEGER;
		return true;
	}
	if (cast_setup(&coercion->cast, from, to, COERCION_IMPLICIT))
	{
		if (coercion->cast.expr != NULL)
			coercion->kind = KEY_CAST;
		return true;
	}
	if (is_text(from) &&
		cast_setup(&coercion->cast, from, TEXTOID, COERCION_IMPLICIT))
	{
		coercion->kind = KEY_TEXT;
		input_setup(coercion);
		return true;
	}
	coercion->kind = KEY_EXACT_CAST;
	return exact_cast_setup(coercion);
}

/*
 * Set one coercion up, which must be zeroed, in the current memory context:
 * from the type that the call gives for key i to the loader's.  An error if
 * there is no way.
 */
void
coercion_setup(KeyCoercion *coercion, const CacheDef *def, int i, Oid from)
{
	coercion->from = from;
	coercion->to = def->keys[i].type;
	coercion->cache = pstrdup(NameStr(def->name));
	coercion->number = i + 1;
	if (!coercion_choose(coercion))
		type_error(coercion, NULL);
}

/*
 * The same, only if it cannot fail for any value; false if it can, or there is
 * no way.  Of a domain's constraints nothing is asked.
 */
bool
coercion_widen(KeyCoercion *coercion, const CacheDef *def, int i, Oid from)
{
	coercion->from = from;
	coercion->to = getBaseType(def->keys[i].type);
	coercion->cache = pstrdup(NameStr(def->name));
	coercion->number = i + 1;
	if (!coercion_choose(coercion))
		return false;
	return coercion->kind == KEY_AS_IT_IS || coercion->kind == KEY_CAST ||
		(coercion->kind == KEY_INTEGER &&
		 get_typlen(from) <= get_typlen(coercion->to));
}

/* An integer of another width. */
static Datum
integer_apply(const KeyCoercion *coercion, Datum value)
{
	int64		n = coercion->from == INT8OID ? DatumGetInt64(value) :
		coercion->from == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);

	if (coercion->to == INT8OID)
		return Int64GetDatum(n);
	if (coercion->to == INT4OID && n == (int32) n)
		return Int32GetDatum((int32) n);
	if (coercion->to == INT2OID && n == (int16) n)
		return Int16GetDatum((int16) n);
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("key %d of cache \"%s\" is out of range for type %s: " INT64_FORMAT,
					coercion->number, coercion->cache,
					format_type_be(coercion->to), n)));
}

/* A number that has to stay what it is. */
static Datum
exact_cast_apply(KeyCoercion *coercion, Datum value, bool *isnull)
{
	Datum		result = cast_apply(&coercion->cast, value, isnull);
	bool		backnull = *isnull;
	Datum		back;
	Oid			output;
	bool		varlena;

	if (*isnull)
		return result;
	back = cast_apply(&coercion->back, result, &backnull);
	if (backnull ||
		!DatumGetBool(FunctionCall2Coll(&coercion->equal, InvalidOid, value, back)))
	{
		getTypeOutputInfo(coercion->from, &output, &varlena);
		type_error(coercion, OidOutputFunctionCall(output, value));
	}
	return result;
}

/*
 * Bring a value, or a NULL, into the loader's type; the result is in the
 * current memory context.  May run code of users: casts, and the checks of
 * domains.
 */
Datum
coercion_apply(KeyCoercion *coercion, Datum value, bool *isnull)
{
	char	   *string = NULL;

	switch (coercion->kind)
	{
		case KEY_AS_IT_IS:
			break;
		case KEY_LITERAL:
			if (!*isnull)
				string = DatumGetCString(value);
			return InputFunctionCall(&coercion->input, string,
									 coercion->ioparam, -1);
		case KEY_TEXT:
			value = cast_apply(&coercion->cast, value, isnull);
			if (!*isnull)
				string = TextDatumGetCString(value);
			return InputFunctionCall(&coercion->input, string,
									 coercion->ioparam, -1);
		case KEY_INTEGER:
			return *isnull ? value : integer_apply(coercion, value);
		case KEY_CAST:
			return cast_apply(&coercion->cast, value, isnull);
		case KEY_EXACT_CAST:
			return exact_cast_apply(coercion, value, isnull);
	}
	return value;
}
