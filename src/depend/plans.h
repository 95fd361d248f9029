/*-------------------------------------------------------------------------
 *
 * plans.h
 *		The plans that loads make and execute.
 *
 * See plans.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PLANS_H
#define CACHE_PLANS_H

#include "postgres.h"

#include "nodes/plannodes.h"

extern void plans_init(void);
extern void plans_reset(void);
extern void plans_note_call(Oid function);
extern bool plans_note_spoken(PlannedStmt *plan);
extern uint64 plans_sql_made_outside(void);

#endif							/* CACHE_PLANS_H */
