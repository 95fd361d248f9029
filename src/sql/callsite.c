/*-------------------------------------------------------------------------
 *
 * callsite.c
 *		A place in a query that calls one of our functions.
 *
 * What a call needs to know beyond its arguments' values, that is the cache's
 * definition and how to coerce the arguments to the loader's types, is worked
 * out once for each place in a query that calls, and kept there (fn_extra)
 * until definition_generation moves.
 *
 * Locking: none here; see lock_take for what call_resolve locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

#include "base/compat.h"
#include "definition/extension.h"
#include "depend/searchpath.h"
#include "fence/ready.h"
#include "protocol/coherence.h"
#include "protocol/invalidate.h"
#include "protocol/lock.h"
#include "segment.h"
#include "sql/callsite.h"

/*
 * The site of a call, which may not be set up yet.
 */
CallSite *
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

/* The type that the call gives for a key. */
static Oid
site_key_type(FunctionCallInfo fcinfo, const CallSite *site, int first, int i)
{
	return OidIsValid(site->array_type) ? site->array_type :
		get_fn_expr_argtype(fcinfo->flinfo, first + i);
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
key_argument_collation(Node *arg, Oid from, Oid to)
{
	Oid			collation = exprCollation(arg);
	Oid			own = get_typcollation(to);

	if (from != to && OidIsValid(own) && own != DEFAULT_COLLATION_OID &&
		(from == UNKNOWNOID || from == extension_get()->key_type ||
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
		Node	   *arg = list_nth(((FuncExpr *) expr)->args,
								   first + (OidIsValid(site->array_type) ? 0 : i));
		Oid			from = exprType(arg);
		Oid			collation;

		if (!OidIsValid(site->def->keys[i].collation))
			continue;

		/* An array that was given without a type is read as one of the keys'. */
		if (from != extension_get()->key_type)
			from = site_key_type(fcinfo, site, first, i);
		collation = key_argument_collation(arg, from, site->def->keys[i].type);
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
	KeyCoercion *coercions;
	bool		needed = false;
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
	old = MemoryContextSwitchTo(site->context);
	coercions = palloc0(sizeof(KeyCoercion) * site->nkeys);
	for (int i = 0; i < site->nkeys; i++)
	{
		coercion_setup(&coercions[i], site->def, i,
					   site_key_type(fcinfo, site, first, i));
		needed |= coercions[i].kind != KEY_AS_IT_IS;
	}
	MemoryContextSwitchTo(old);
	if (needed)
		site->coercions = coercions;
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
void
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
		if (coherence_enabled && ready_for_use())
		{
			bool		first = site->def->locked != lock_generation;

			if (lock_take(site->def) && first)
				searchpath_note(site->def);
		}
		if (site->generation == definition_generation)
			break;
	}
}

/*
 * The same, and bring the keys into the loader's types.
 */
CallSite *
call_begin_any(FunctionCallInfo fcinfo, int name_arg, CallKeys *keys)
{
	CallSite   *site;
	Oid			array_type;

	segment_require();
	for (;;)
	{
		site = call_site(fcinfo);
		array_type = collect_keys(fcinfo, name_arg + 1, keys);
		call_resolve(fcinfo, site, name_arg, keys->n, array_type);
		for (int i = 0; site->coercions != NULL && i < keys->n; i++)
			keys->values[i] = coercion_apply(&site->coercions[i], keys->values[i],
										 &keys->nulls[i]);

		/* Coercion may have run code of users' own. */
		if (site->generation == definition_generation)
			return site;
	}
}
