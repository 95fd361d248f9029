/*-------------------------------------------------------------------------
 *
 * inspect.h
 *		What the result of a plan or an expression depends on.
 *
 * See inspect.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_INSPECT_H
#define CACHE_INSPECT_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

#include "base/reasons.h"

/* Is this function vouched for? */
typedef bool (*InspectVouched) (Oid function);

/* A scan of a table in a plan. */
typedef struct PlanScan
{
	Index		varno;			/* the table, in the plan's range table */
	List	   *qual;			/* conditions on its rows */
	List	   *indexqual;		/* more of them, by which they are found */
	List	   *indextlist;		/* what INDEX_VAR stands for, NIL: it is the table */
} PlanScan;

typedef void (*InspectScan) (const PlanScan *scan, void *arg);

extern bool inspect_plan(PlannedStmt *plan, InspectVouched vouched,
						 InspectScan scan, void *arg, Reasons *reasons);
extern void inspect_query(Query *query, const char *source, bool to_time,
						  InspectVouched vouched, Reasons *reasons);
extern void inspect_literals(Query *query, const char *source,
							 Reasons *reasons);
extern void inspect_type(Oid type, InspectVouched vouched, Reasons *reasons);
extern bool inspect_holds_time(Oid type);
extern bool inspect_names_object(Oid type);
extern void inspect_routine(Oid function, InspectVouched vouched,
							Reasons *reasons);

#endif							/* CACHE_INSPECT_H */
