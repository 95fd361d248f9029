/*-------------------------------------------------------------------------
 *
 * param.h
 *		Parameters, as nodes of expressions.
 *
 * See param.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PARAM_H
#define CACHE_PARAM_H

#include "postgres.h"

#include "nodes/primnodes.h"

extern Param *param_make(int number, Oid type);

#endif							/* CACHE_PARAM_H */
