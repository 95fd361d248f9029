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

extern void plans_init(void);
extern void plans_reset(void);
extern void plans_note_call(Oid function);
extern uint64 plans_sql_made_outside(void);

#endif							/* CACHE_PLANS_H */
