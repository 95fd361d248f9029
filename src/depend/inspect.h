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

#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

#include "base/reasons.h"

/* Is this function vouched for? */
typedef bool (*InspectVouched) (Oid function);

/* A plan has a scan of a relation; see narrow_note_scan. */
typedef void (*InspectScan) (Oid relid, Index varno, List *clauses,
							 List *indextlist, ParamListInfo params);

extern bool inspect_plan(PlannedStmt *plan, InspectVouched vouched,
						 InspectScan scan, ParamListInfo params,
						 Reasons *reasons);
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
