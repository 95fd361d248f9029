/*-------------------------------------------------------------------------
 *
 * keyfunction.h
 *		Key functions: from a row to the keys that it affects.
 *
 * See keyfunction.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYFUNCTION_H
#define CACHE_KEYFUNCTION_H

#include "postgres.h"

#include "access/attmap.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "definition/coercion.h"
#include "definition/definition.h"

/* One column of a function's result. */
typedef struct KeyResult
{
	AttrNumber	attnum;
	KeyHash		hash;
	KeyCoercion *coercion;		/* to the key's type, if that is needed */
} KeyResult;

typedef struct KeyFunction
{
	Oid			function;
	TupleDesc	argument;		/* the row type that it takes */
	AttrMap    *map;			/* to that from the table's rows, if need be */
	bool		composite;		/* it returns rows, not values */
	bool		retset;
	TupleDesc	result;
	FmgrInfo	fn;
	KeyResult  *keys;			/* one for each of the cache */
} KeyFunction;

extern void key_function_check(CacheDef *def, Oid function, Relation rel,
							   Oid *relid);
extern KeyFunction *key_function_open(CacheDef *def, char **args, Relation rel);
extern void key_function_call(CacheDef *def, KeyFunction *keys,
							  TupleTableSlot *slot);

#endif							/* CACHE_KEYFUNCTION_H */
