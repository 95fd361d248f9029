/*-------------------------------------------------------------------------
 *
 * param.c
 *		Parameters, as nodes of expressions.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"

#include "base/param.h"

/*
 * A parameter of an expression, by its number, from 1, and its type.
 */
Param *
param_make(int number, Oid type)
{
	Param	   *param = makeNode(Param);

	param->paramkind = PARAM_EXTERN;
	param->paramid = number;
	param->paramtype = type;
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(type);
	param->location = -1;
	return param;
}
