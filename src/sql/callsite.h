/*-------------------------------------------------------------------------
 *
 * callsite.h
 *		A place in a query that calls one of our functions.
 *
 * See callsite.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_CALLSITE_H
#define CACHE_CALLSITE_H

#include "postgres.h"

#include "fmgr.h"

#include "definition/coercion.h"
#include "definition/definition.h"
#include "protocol/lock.h"

/* What a place in a query that calls one of our functions remembers. */
typedef struct CallSite
{
	MemoryContext context;		/* of coercions[]; NULL: none yet */
	uint64		generation;		/* of definitions; 0: not set up */
	CacheDef   *def;
	NameData	name;
	int			nkeys;
	KeyCoercion *coercions;		/* NULL: there is nothing to be done */
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

extern CallSite *call_site(FunctionCallInfo fcinfo);
extern void call_resolve(FunctionCallInfo fcinfo, CallSite *site, int name_arg,
						 int nkeys, Oid array_type);
extern CallSite *call_begin_any(FunctionCallInfo fcinfo, int name_arg,
								CallKeys *keys);

/*
 * Begin a call, see call_begin_any, where mostly all is as it was when this
 * place called last.
 */
static inline CallSite *
call_begin(FunctionCallInfo fcinfo, int name_arg, CallKeys *keys)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;

	if (unlikely(site == NULL || !site->simple ||
				 site->generation != definition_generation ||
				 site->def->locked != lock_generation))
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

#endif							/* CACHE_CALLSITE_H */
