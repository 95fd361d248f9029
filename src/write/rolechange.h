/*-------------------------------------------------------------------------
 *
 * rolechange.h
 *		What this transaction's DDL has changed of roles.
 *
 * See rolechange.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ROLECHANGE_H
#define CACHE_ROLECHANGE_H

#include "postgres.h"

#include "nodes/pg_list.h"

extern bool rolechange_has(Oid role);
extern void rolechange_add_pending(Oid role);
extern List *rolechange_members(uint32 hash);

#endif							/* CACHE_ROLECHANGE_H */
