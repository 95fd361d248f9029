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

extern bool role_has_changed(Oid role);
extern void role_add_pending(Oid role);
extern List *role_members_of(uint32 hash);

#endif							/* CACHE_ROLECHANGE_H */
