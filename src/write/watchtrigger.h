/*-------------------------------------------------------------------------
 *
 * watchtrigger.h
 *		Triggers of watches: who may make them, and what they depend on.
 *
 * See watchtrigger.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WATCHTRIGGER_H
#define CACHE_WATCHTRIGGER_H

#include "postgres.h"

#include "nodes/parsenodes.h"

extern void watchtrigger_check_rights(Oid relid, Oid function);
extern void watchtrigger_depend(Oid trigger, Oid relid, char **args, int nargs);
extern void watchtrigger_check(CreateTrigStmt *stmt);
extern void watchtrigger_created(CreateTrigStmt *stmt);
extern void watchtrigger_mend(void);

#endif							/* CACHE_WATCHTRIGGER_H */
