/*-------------------------------------------------------------------------
 *
 * routine.h
 *		What is known of a function without looking into it.
 *
 * See routine.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ROUTINE_H
#define CACHE_ROUTINE_H

#include "postgres.h"

typedef enum RoutineKind
{
	ROUTINE_KNOWN,				/* depends on its arguments, or is looked into */
	ROUTINE_SESSION,			/* on the session, or the transaction */
	ROUTINE_TEMPORARY,			/* on the session's temporary objects, and on
								 * catalogs */
	ROUTINE_CATALOGS,			/* on what catalogs say of other objects */
	ROUTINE_CLOCK,				/* on the time */
	ROUTINE_STATE,				/* on what changes without notice */
	ROUTINE_VOLATILE,			/* its result can differ from call to call */
	ROUTINE_OPAQUE				/* on something that nobody can see */
} RoutineKind;

extern void routine_init(void);
extern RoutineKind routine_kind(Oid function);
extern bool routine_is_aggregate(Oid function);
extern bool routine_names_temp(Oid function);
extern bool routine_says_now(Oid function);
extern bool routine_is_noted(Oid function);
extern void routine_set_noted(Oid function);
extern bool routine_is_sql(Oid function);
extern bool routine_is_users(Oid function);

#endif							/* CACHE_ROUTINE_H */
