/*-------------------------------------------------------------------------
 *
 * functions.c
 *		cache_get() and its relatives, as SQL calls them.
 *
 * What a call needs to know beyond its arguments' values, that is the cache's
 * definition and how to coerce the arguments to the loader's types, is worked
 * out once for each place in a query that calls, and kept there (fn_extra)
 * until definition_generation moves.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "coherence.h"
#include "definition.h"
#include "get.h"
#include "invalidate.h"
#include "key.h"
#include "keyvalue.h"
#include "loads.h"
#include "module.h"
#include "searchpath.h"
#include "shared.h"

/* Keys that cache_get_many() works on at a time */
#define MANY_KEYS	1024

/* How to turn an argument into a key of the loader's type. */
typedef struct Coercion
{
	bool		literal;		/* of unknown type, a C string: read it */
	bool		text;			/* a cache_key, a text that stands for one */
	FmgrInfo	input;
	Oid			ioparam;
	ExprState  *expr;			/* NULL: nothing to do */
	ExprContext *econtext;
	ParamListInfo param;
} Coercion;

/* What a place in a query that calls one of our functions remembers. */
typedef struct CallSite
{
	MemoryContext context;		/* of coercions[]; NULL: none yet */
	uint64		generation;		/* of definitions; 0: not set up */
	CacheDef   *def;
	NameData	name;
	int			nkeys;
	Coercion   *coercions;		/* NULL: there is nothing to be done */
	Oid			collation;		/* that a direct call would pass */
	Oid			array_type;		/* element type of VARIADIC array keys */
	bool		many;			/* it takes an array of keys of one column */
	bool		invalidates;	/* it does not read */
	bool		simple;			/* see site_is_simple */
} CallSite;

/* The keys of a call. */
typedef struct CallKeys
{
	int			n;
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];
} CallKeys;

static CallSite *
call_site(FunctionCallInfo fcinfo)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;

	if (site == NULL)
	{
		site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
		fcinfo->flinfo->fn_extra = site;
	}
	return site;
}

/*
 * Set one coercion up: from the type that the call gives to the loader's.
 *
 * The parser leaves an untyped literal to a function of "any" as it is, but
 * has no type for an untyped parameter.  So that clients can pass keys as
 * parameters, there are functions whose keys are of type cache_key, to which
 * the parser gives all that has no type.
 */
static void
coercion_setup(Coercion *coercion, CacheDef *def, int i, Oid from,
			   bool text_keys)
{
	Oid			to = def->keys[i].type;
	Param	   *param;
	Node	   *expr;

	if (from == to)
		return;
	coercion->literal = from == UNKNOWNOID;
	coercion->text = text_keys;
	if (coercion->text && to == TEXTOID)
	{
		coercion->text = false;
		return;
	}
	if (coercion->literal || coercion->text)
	{
		Oid			function;

		getTypeInputInfo(to, &function, &coercion->ioparam);
		fmgr_info(function, &coercion->input);
		return;
	}

	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = 1;
	param->paramtype = from;
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(from);
	param->location = -1;
	expr = OidIsValid(from) ?
		coerce_to_target_type(NULL, (Node *) param, from, to, -1,
							  COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1) : NULL;
	if (expr == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("key %d of cache \"%s\" must be of type %s, not %s",
						i + 1, NameStr(def->name), format_type_be(to),
						OidIsValid(from) ? format_type_be(from) : "unknown"),
				 errhint("You might need to add an explicit type cast.")));

	/* A mere change of label changes nothing. */
	if (IsA(expr, RelabelType) && ((RelabelType *) expr)->arg == (Expr *) param)
		return;
	coercion->param = makeParamList(1);
	coercion->param->params[0].ptype = from;
	coercion->param->params[0].pflags = 0;
	coercion->econtext = CreateStandaloneExprContext();
	coercion->econtext->ecxt_param_list_info = coercion->param;
	coercion->expr = ExecInitExprWithParams(expression_planner((Expr *) expr),
											coercion->param);
}

static Datum
coerce_key(Coercion *coercion, Datum value, bool *isnull)
{
	if (coercion->literal || coercion->text)
	{
		char	   *string = NULL;

		if (!*isnull)
			string = coercion->text ? TextDatumGetCString(value) :
				DatumGetCString(value);
		return InputFunctionCall(&coercion->input, string,
								 coercion->ioparam, -1);
	}
	if (coercion->expr == NULL)
		return value;

	coercion->param->params[0].value = value;
	coercion->param->params[0].isnull = *isnull;
	return ExecEvalExpr(coercion->expr, coercion->econtext, isnull);
}

/* The type that the call gives for a key. */
static Oid
site_key_type(FunctionCallInfo fcinfo, const CallSite *site, int first, int i)
{
	return OidIsValid(site->array_type) ? site->array_type :
		get_fn_expr_argtype(fcinfo->flinfo, first + i);
}

/* Is this one of the functions whose keys are of the type cache_key? */
static bool
site_has_text_keys(FunctionCallInfo fcinfo, const CallSite *site)
{
	return !site->many &&
		!OidIsValid(get_func_variadictype(fcinfo->flinfo->fn_oid));
}

/* Has somebody written COLLATE in an expression?  The planner leaves this. */
static bool
names_collation(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CollateExpr))
		return true;
	if (IsA(node, RelabelType) &&
		((RelabelType *) node)->resultcollid !=
		exprCollation((Node *) ((RelabelType *) node)->arg))
		return true;
	if (IsA(node, Const))
		return ((Const *) node)->constcollid !=
			get_typcollation(((Const *) node)->consttype);
	return expression_tree_walker(node, names_collation, context);
}

/*
 * The collation of a key's argument, once it is of the loader's type.  That may
 * have a collation of its own, as name and domains can: a literal gets that
 * one, and what is coerced to a domain, unless another is named.
 */
static Oid
key_argument_collation(Node *arg, Oid from, Oid to, bool text_keys)
{
	Oid			collation = exprCollation(arg);
	Oid			own = get_typcollation(to);

	if (from != to && OidIsValid(own) && own != DEFAULT_COLLATION_OID &&
		(from == UNKNOWNOID || text_keys ||
		 get_typtype(to) == TYPTYPE_DOMAIN) &&
		!names_collation(arg, NULL))
		return own;
	return OidIsValid(collation) ? collation : DEFAULT_COLLATION_OID;
}

/*
 * The collation that a direct call of the loader would pass, which depends on
 * the key's arguments alone: the one that they agree in, where the default
 * gives way.  If they do not, the caller may have named one explicitly.
 */
static Oid
site_collation(FunctionCallInfo fcinfo, CallSite *site, int first)
{
	Node	   *expr = fcinfo->flinfo->fn_expr;
	Oid			common = InvalidOid;

	if (expr == NULL || !IsA(expr, FuncExpr))
		return PG_GET_COLLATION();
	for (int i = 0; i < site->nkeys; i++)
	{
		int			arg = first + (OidIsValid(site->array_type) ? 0 : i);
		Oid			collation;

		if (!OidIsValid(site->def->keys[i].collation))
			continue;
		collation = key_argument_collation(list_nth(((FuncExpr *) expr)->args, arg),
										   site_key_type(fcinfo, site, first, i),
										   site->def->keys[i].type,
										   site_has_text_keys(fcinfo, site));
		if (common == collation || collation == DEFAULT_COLLATION_OID)
			common = OidIsValid(common) ? common : collation;
		else if (!OidIsValid(common) || common == DEFAULT_COLLATION_OID)
			common = collation;
		else
			return PG_GET_COLLATION();
	}
	return common;
}

/*
 * Does every call from this place name the same cache, and are its keys what
 * the loader takes?  Then there is nothing to be done about them.
 */
static bool
site_is_simple(FunctionCallInfo fcinfo, const CallSite *site, int first)
{
	Node	   *expr = fcinfo->flinfo->fn_expr;

	if (expr == NULL || !IsA(expr, FuncExpr) || ((FuncExpr *) expr)->funcvariadic ||
		!IsA(list_nth(((FuncExpr *) expr)->args, first - 1), Const))
		return false;
	return site->coercions == NULL;
}

/* Find out how the keys of a call come into the loader's types. */
static void
site_set_coercions(FunctionCallInfo fcinfo, CallSite *site, int first)
{
	MemoryContext old;
	bool		text_keys;
	int			same = 0;

	site->coercions = NULL;
	if (site->context != NULL)
		MemoryContextReset(site->context);
	while (same < site->nkeys && site->def->keys[same].type ==
		   site_key_type(fcinfo, site, first, same))
		same++;
	if (same == site->nkeys)
		return;

	if (site->context == NULL)
		site->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											  "cache call site",
											  ALLOCSET_SMALL_SIZES);
	text_keys = site_has_text_keys(fcinfo, site);
	old = MemoryContextSwitchTo(site->context);
	site->coercions = palloc0(sizeof(Coercion) * site->nkeys);
	for (int i = 0; i < site->nkeys; i++)
		coercion_setup(&site->coercions[i], site->def, i,
					   site_key_type(fcinfo, site, first, i), text_keys);
	MemoryContextSwitchTo(old);
}

/* Work out everything about a call of the cache. */
static void
site_setup(FunctionCallInfo fcinfo, CallSite *site, const char *name,
		   int first, int nkeys)
{
	site->generation = 0;
	site->def = definition_get(name);
	definition_require_loader(site->def);
	if (site->many && site->def->nkeys != 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("keys of cache \"%s\" have %d columns, not one",
						name, site->def->nkeys),
				 errhint("Call cache_get() for each key.")));
	if (nkeys != site->def->nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_plural("cache \"%s\" has %d key, but %d were given",
							   "cache \"%s\" has %d keys, but %d were given",
							   site->def->nkeys,
							   name, site->def->nkeys, nkeys),
				 site->def->plain ?
				 errdetail("It has no loader, so its key is a text.") :
				 errdetail("Its loader is %s.",
						   format_procedure(site->def->loader))));

	namestrcpy(&site->name, name);
	site->nkeys = nkeys;
	site_set_coercions(fcinfo, site, first);
	site->collation = site_collation(fcinfo, site, first);
	site->simple = site_is_simple(fcinfo, site, first);

	/* Setting up may itself have taken in invalidations. */
	if (site->def->valid)
		site->generation = definition_generation;
}

/* Is the site set up for this very call? */
static bool
site_is_current(const CallSite *site, text *name, int nkeys, Oid array_type)
{
	Size		len = VARSIZE_ANY_EXHDR(name);

	return site->generation == definition_generation &&
		site->nkeys == nkeys && site->array_type == array_type &&
		len < NAMEDATALEN && NameStr(site->name)[len] == '\0' &&
		memcmp(NameStr(site->name), VARDATA_ANY(name), len) == 0;
}

/* Collect the keys of a call, which begin at argument `first`. */
static Oid
collect_keys(FunctionCallInfo fcinfo, int first, CallKeys *keys)
{
	keys->n = 0;
	if (PG_NARGS() > first && get_fn_expr_variadic(fcinfo->flinfo))
	{
		ArrayType  *array;
		Datum	   *values;
		bool	   *nulls;
		int16		typlen;
		bool		typbyval;
		char		typalign;

		if (PG_ARGISNULL(first))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("VARIADIC array of keys must not be null")));
		array = PG_GETARG_ARRAYTYPE_P(first);
		get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
		deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval,
						  typalign, &values, &nulls, &keys->n);
		if (keys->n > FUNC_MAX_ARGS)
			ereport(ERROR,
					(errcode(ERRCODE_TOO_MANY_ARGUMENTS),
					 errmsg("a cache cannot have more than %d keys",
							FUNC_MAX_ARGS)));
		memcpy(keys->values, values, sizeof(Datum) * keys->n);
		memcpy(keys->nulls, nulls, sizeof(bool) * keys->n);
		return ARR_ELEMTYPE(array);
	}

	for (int i = first; i < PG_NARGS(); i++)
	{
		keys->values[keys->n] = PG_GETARG_DATUM(i);
		keys->nulls[keys->n++] = PG_ARGISNULL(i);
	}
	return InvalidOid;
}

/*
 * Find the cache of a call, and how its keys come into the loader's types.
 * Also checks that the caller may read (or invalidate) the cache, and locks what
 * the loader would.  array_type: of the array's elements, if the keys are in one.
 */
static void
call_resolve(FunctionCallInfo fcinfo, CallSite *site, int name_arg, int nkeys,
			 Oid array_type)
{
	text	   *name;

	if (PG_ARGISNULL(name_arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cache name must not be null")));
	name = PG_GETARG_TEXT_PP(name_arg);
	for (;;)
	{
		if (!site_is_current(site, name, nkeys, array_type))
		{
			site->array_type = array_type;
			site_setup(fcinfo, site, definition_name(name), name_arg + 1,
					   nkeys);
			if (site->generation == 0)
				continue;
		}
		if (site->invalidates)
			invalidate_require(site->def);
		else
			definition_require_read(site->def);
		if (cache_enabled && shared_is_ready())
		{
			bool		first = site->def->locked != definition_locks;

			if (definition_lock(site->def) && first)
				searchpath_note(site->def);
		}
		if (site->generation == definition_generation)
			break;
	}
}

/*
 * The same, and bring the keys into the loader's types.
 */
static CallSite *
call_begin_any(FunctionCallInfo fcinfo, int name_arg, CallKeys *keys)
{
	CallSite   *site;
	Oid			array_type;

	shared_require();
	for (;;)
	{
		site = call_site(fcinfo);
		array_type = collect_keys(fcinfo, name_arg + 1, keys);
		call_resolve(fcinfo, site, name_arg, keys->n, array_type);
		for (int i = 0; site->coercions != NULL && i < keys->n; i++)
			keys->values[i] = coerce_key(&site->coercions[i], keys->values[i],
										 &keys->nulls[i]);

		/* Coercion may have run code of users' own. */
		if (site->generation == definition_generation)
			return site;
	}
}

/*
 * The same, where mostly all is as it was when this place called last.
 */
static inline CallSite *
call_begin(FunctionCallInfo fcinfo, int name_arg, CallKeys *keys)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;

	if (unlikely(site == NULL || !site->simple ||
				 site->generation != definition_generation ||
				 site->def->locked != definition_locks))
		return call_begin_any(fcinfo, name_arg, keys);
	definition_require_read(site->def);
	if (unlikely(site->generation != definition_generation))
		return call_begin_any(fcinfo, name_arg, keys);
	keys->n = site->nkeys;
	for (int i = 0; i < site->nkeys; i++)
	{
		keys->values[i] = PG_GETARG_DATUM(name_arg + 1 + i);
		keys->nulls[i] = PG_ARGISNULL(name_arg + 1 + i);
	}
	return site;
}

/*
 * cache_get(name text) and cache_get(name text, VARIADIC key "any")
 */
PG_FUNCTION_INFO_V1(cache_get);
Datum
cache_get(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site = call_begin(fcinfo, 0, &keys);
	CacheDef   *def = site->def;
	Datum		result;
	bool		isnull;

	result = cache_fetch(def, keys.values, keys.nulls, site->collation,
						 def->rettype == JSONBOID, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/*
 * cache_get_as(type anyelement, name text, VARIADIC key "any"), and without
 * keys
 */
PG_FUNCTION_INFO_V1(cache_get_as);
Datum
cache_get_as(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site = call_begin(fcinfo, 1, &keys);
	CacheDef   *def = site->def;
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Datum		result;
	bool		isnull;

	if (type != def->rettype)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cache \"%s\" holds values of type %s, not %s",
						NameStr(def->name), format_type_be(def->rettype),
						OidIsValid(type) ? format_type_be(type) : "unknown"),
				 errhint("Pass NULL::%s as the first argument.",
						 format_type_be(def->rettype))));
	if (type == RECORDOID)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cache_get_as() does not support anonymous records"),
				 errhint("Use cache_get(), or let the loader return a named composite type.")));
	result = cache_fetch(def, keys.values, keys.nulls, site->collation,
						 true, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/* A call of cache_get_many(). */
typedef struct ManyCall
{
	FunctionCallInfo fcinfo;
	CallSite   *site;
	Oid			type;			/* of the elements */
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	FetchItem  *items;			/* MANY_KEYS of them */
} ManyCall;

/*
 * Bring element i into the loader's type.  False if this has run code of users
 * that may have changed the definition.
 */
static bool
many_key(ManyCall *call, int i, FetchItem *item)
{
	item->keynull = call->nulls[i];
	item->key = call->elements[i];
	if (call->site->coercions != NULL)
		item->key = coerce_key(&call->site->coercions[0], item->key,
							   &item->keynull);
	return call->site->generation == definition_generation;
}

static void
many_put(ManyCall *call, int i, const FetchItem *item)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) call->fcinfo->resultinfo;
	Datum		row[2] = {call->elements[i], item->value};
	bool		nulls[2] = {call->nulls[i], item->isnull};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, nulls);
}

static bool
many_is_native(const ManyCall *call)
{
	return call->site->def->rettype == JSONBOID;
}

/*
 * Put rows, from element i on, for as long as shared memory has their values.
 * Gives the first element that it does not have.  Resets the current memory
 * context, which is so small that memory is used again while it is hot.
 */
static int
many_put_cached(ManyCall *call, int i)
{
	CallSite   *site = call->site;
	FetchItem	item;

	for (; i < call->n; i++)
	{
		if (site->generation != definition_generation ||
			!many_key(call, i, &item) ||
			!cache_fetch_cached(site->def, &item, site->collation,
								many_is_native(call)))
			break;
		many_put(call, i, &item);
		if (i % 64 == 0)
			MemoryContextReset(CurrentMemoryContext);
	}
	return i;
}

/* Put rows for n elements, from element i on. */
static void
many_put_all(ManyCall *call, int i, int n)
{
	bool		complete = false;

	for (int j = 0; j < n; j++)
		call->items[j].done = false;
	while (!complete)
	{
		bool		current = true;

		call_resolve(call->fcinfo, call->site, 0, 1, call->type);
		for (int j = 0; j < n; j++)
		{
			if (!call->items[j].done)
				current &= many_key(call, i + j, &call->items[j]);
		}
		complete = current &&
			cache_fetch_many(call->site->def, call->items, n,
							 call->site->collation, many_is_native(call));
	}
	for (int j = 0; j < n; j++)
		many_put(call, i + j, &call->items[j]);
}

/*
 * cache_get_many(name text, keys anyarray): rows of key anyelement, value jsonb
 *
 * From the first key on that shared memory does not have, as many keys are
 * looked at together as memory should be used for.
 */
PG_FUNCTION_INFO_V1(cache_get_many);
Datum
cache_get_many(PG_FUNCTION_ARGS)
{
	ManyCall	call = {0};
	MemoryContext context;
	MemoryContext old;

	shared_require();
	InitMaterializedSRF(fcinfo, 0);
	call.fcinfo = fcinfo;
	call.site = call_site(fcinfo);
	call.site->many = true;
	if (PG_ARGISNULL(1))
		call.type = get_element_type(get_fn_expr_argtype(fcinfo->flinfo, 1));
	else
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
		int16		typlen;
		bool		typbyval;
		char		typalign;

		call.type = ARR_ELEMTYPE(array);
		get_typlenbyvalalign(call.type, &typlen, &typbyval, &typalign);
		deconstruct_array(array, call.type, typlen, typbyval, typalign,
						  &call.elements, &call.nulls, &call.n);
	}

	/* Errors do not depend on whether there are any keys. */
	call_resolve(fcinfo, call.site, 0, 1, call.type);
	call.items = palloc(sizeof(FetchItem) * Min(Max(call.n, 1), MANY_KEYS));
	context = AllocSetContextCreate(CurrentMemoryContext, "cache_get_many",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	for (int i = many_put_cached(&call, 0); i < call.n;
		 i = many_put_cached(&call, i))
	{
		int			n = Min(call.n - i, MANY_KEYS);

		CHECK_FOR_INTERRUPTS();
		many_put_all(&call, i, n);
		i += n;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/* When the value of a call's key expires.  False if it has none, or never. */
static bool
call_expires(CallSite *site, CallKeys *keys, TimestampTz *expires)
{
	KeyValue	found;

	if (!site->def->plain)
		return cache_expires(site->def, keys->values, keys->nulls,
							 site->collation, expires);
	if (keys->nulls[0] ||
		keyvalue_load(site->def->id, keys->values[0], &found) != KEYVALUE_FOUND)
		return false;
	*expires = found.expires;
	return found.expires != 0;
}

/*
 * cache_ttl(name text, VARIADIC key "any"), and without keys
 */
PG_FUNCTION_INFO_V1(cache_ttl);
Datum
cache_ttl(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site = call_begin(fcinfo, 0, &keys);
	TimestampTz expires;

	/* What a load makes of this is nothing that others could use. */
	loads_note(REASON_SESSION, fcinfo->flinfo->fn_oid);
	if (!call_expires(site, &keys, &expires))
		PG_RETURN_NULL();
	return DirectFunctionCall2(timestamp_mi, TimestampTzGetDatum(expires),
							   TimestampTzGetDatum(GetCurrentStatementStartTimestamp()));
}

/*
 * cache_invalidate(name text, VARIADIC key "any")
 */
PG_FUNCTION_INFO_V1(cache_invalidate);
Datum
cache_invalidate(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site;
	CacheDef   *def;
	KeyBuffer	key;

	call_site(fcinfo)->invalidates = true;
	site = call_begin_any(fcinfo, 0, &keys);
	def = site->def;

	/* The hash may be the one of a function that has been replaced. */
	if (!def->fixed)
	{
		bool		known = coherence_settle();

		invalidate_told(def, known && def->valid &&
						!(def->nested && coherence_has_moved()));
	}
	key_build(&key, def, keys.values, keys.nulls, site->collation, false);
	if (invalidate_key(def, key.key.hash))
	{
		Oid			types[FUNC_MAX_ARGS];

		for (int i = 0; i < def->nkeys; i++)
			types[i] = def->keys[i].type;
		invalidate_tell(def, def->nkeys, keys.values, keys.nulls, types);
	}
	if (def->plain && !keys.nulls[0])
	{
		PreventCommandIfReadOnly("cache_invalidate()");
		keyvalue_delete(def->id, keys.values[0]);
	}
	PG_RETURN_VOID();
}

/*
 * cache_invalidate(name text)
 */
PG_FUNCTION_INFO_V1(cache_invalidate_all);
Datum
cache_invalidate_all(PG_FUNCTION_ARGS)
{
	CacheDef   *def;

	shared_require();
	def = definition_get(definition_name_argument(fcinfo, 0));
	invalidate_require(def);
	invalidate_mapped(def);
	invalidate_cache(def);
	if (def->plain)
	{
		PreventCommandIfReadOnly("cache_invalidate()");
		keyvalue_delete_all(def->id);
	}
	PG_RETURN_VOID();
}
