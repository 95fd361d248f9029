/*-------------------------------------------------------------------------
 *
 * restore.h
 *		Dumps that are restored, by superusers and others.
 *
 * See restore.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_RESTORE_H
#define CACHE_RESTORE_H

#include "postgres.h"

#include "nodes/parsenodes.h"

extern bool restore_enter(Node *command);
extern bool restore_user(Oid *role, int *context);
extern void restore_leave(void);

#endif							/* CACHE_RESTORE_H */
