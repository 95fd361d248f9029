/*-------------------------------------------------------------------------
 *
 * narrow.h
 *		Loads that find rows in another way than their watches tell keys.
 *
 * See narrow.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_NARROW_H
#define CACHE_NARROW_H

#include "postgres.h"

#include "nodes/params.h"
#include "utils/relcache.h"

#include "depend/plantree.h"

extern void narrow_note_scan(Relation rel, const PlanScan *scan,
							 ParamListInfo params);

extern char *narrow_advice(const char *cache, Oid relid);

#endif							/* CACHE_NARROW_H */
