/*-------------------------------------------------------------------------
 *
 * many.c
 *		cache_get_many(): the values of many keys.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/compat.h"
#include "definition/extension.h"
#include "load/get.h"
#include "load/getmany.h"
#include "segment.h"
#include "sql/callsite.h"

/* Keys that cache_get_many() works on at a time */
#define MANY_KEYS	1024

/* A call of cache_get_many(). */
typedef struct ManyCall
{
	FunctionCallInfo fcinfo;
	CallSite   *site;
	Oid			type;			/* of the elements */
	bool		untyped;		/* that nobody has given */
	FmgrInfo	output;			/* then: of the type */
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
		item->key = coercion_apply(&call->site->coercions[0], item->key,
								   &item->keynull);
	return call->site->generation == definition_generation;
}

static void
many_put(ManyCall *call, int i, const FetchItem *item)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) call->fcinfo->resultinfo;
	Datum		row[2] = {call->elements[i], item->value};
	bool		nulls[2] = {call->nulls[i], item->isnull};

	if (call->untyped && !nulls[0])
		row[0] = CStringGetTextDatum(OutputFunctionCall(&call->output, row[0]));
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
			!getmany_cached(site->def, &item, site->collation,
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
			getmany_fetch(call->site->def, call->items, n,
							 call->site->collation, many_is_native(call));
	}
	for (int j = 0; j < n; j++)
		many_put(call, i + j, &call->items[j]);
}

static void
many_set_array(ManyCall *call, ArrayType *array)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;

	call->type = ARR_ELEMTYPE(array);
	get_typlenbyvalalign(call->type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, call->type, typlen, typbyval, typalign,
					  &call->elements, &call->nulls, &call->n);
}

/*
 * The array is a text, since it was given without a type: read it as an array
 * of the loader's type.
 */
static void
many_read_array(ManyCall *call)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	CacheDef   *def = definition_get(definition_name_argument(fcinfo, 0));
	Oid			array;
	Oid			function;
	Oid			ioparam;
	bool		varlena;

	definition_require_loader(def);
	call->type = def->nkeys == 1 ? def->keys[0].type : InvalidOid;
	call_resolve(fcinfo, call->site, 0, 1, call->type);
	array = get_array_type(call->type);
	if (!OidIsValid(array))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("there are no arrays of keys of type %s",
						format_type_be(call->type)),
				 errhint("Call cache_get() for each key.")));
	getTypeOutputInfo(call->type, &function, &varlena);
	fmgr_info(function, &call->output);
	call->untyped = true;
	if (PG_ARGISNULL(1))
		return;
	getTypeInputInfo(array, &function, &ioparam);
	many_set_array(call,
				   DatumGetArrayTypeP(OidInputFunctionCall(function,
														   TextDatumGetCString(PG_GETARG_DATUM(1)),
														   ioparam, -1)));
}

/*
 * cache_get_many(name text, keys anyarray): rows of key anyelement, value jsonb
 * cache_get_many(name text, keys cache_key): rows of key text, value jsonb
 *
 * From the first key on that shared memory does not have, as many keys are
 * looked at together as memory should be used for.
 */
PG_FUNCTION_INFO_V1(cache_get_many);
Datum
cache_get_many(PG_FUNCTION_ARGS)
{
	Oid			given = get_fn_expr_argtype(fcinfo->flinfo, 1);
	ManyCall	call = {0};
	MemoryContext context;
	MemoryContext old;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	call.fcinfo = fcinfo;
	call.site = call_site(fcinfo);
	call.site->many = true;
	if (given == extension_get()->key_type)
		many_read_array(&call);
	else if (PG_ARGISNULL(1))
		call.type = get_element_type(given);
	else
		many_set_array(&call, PG_GETARG_ARRAYTYPE_P(1));

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
