/*-------------------------------------------------------------------------
 *
 * watchcheck.h
 *		Do watches fit the keys of their cache?
 *
 * See watchcheck.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WATCHCHECK_H
#define CACHE_WATCHCHECK_H

#include "postgres.h"

#include "utils/rel.h"

#include "definition/definition.h"

extern void watchcheck_columns(CacheDef *def, Relation rel, char **columns, int n,
							   bool expressions, Oid *collations);
extern Relation watchcheck_open(Oid relid);
extern void watchcheck_all(CacheDef *def);

#endif							/* CACHE_WATCHCHECK_H */
