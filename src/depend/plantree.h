/*-------------------------------------------------------------------------
 *
 * plantree.h
 *		What the result of a plan depends on.
 *
 * See plantree.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PLANTREE_H
#define CACHE_PLANTREE_H

#include "postgres.h"

#include "nodes/plannodes.h"

#include "depend/inspect.h"

/* A scan of a table in a plan. */
typedef struct PlanScan
{
	Index		varno;			/* the table, in the plan's range table */
	List	   *qual;			/* conditions on its rows */
	List	   *indexqual;		/* more of them, by which they are found */
	List	   *indextlist;		/* what INDEX_VAR stands for, NIL: it is the table */
} PlanScan;

typedef void (*PlanScanCallback) (const PlanScan *scan, void *arg);

extern bool plantree_inspect(PlannedStmt *plan, InspectTrusted trusted,
							 PlanScanCallback scan, void *arg,
							 Reasons *reasons);

#endif							/* CACHE_PLANTREE_H */
