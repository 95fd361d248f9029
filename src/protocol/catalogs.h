/*-------------------------------------------------------------------------
 *
 * catalogs.h
 *		What this backend's catalog caches have heard of DDL.
 *
 * See catalogs.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_CATALOGS_H
#define CACHE_CATALOGS_H

#include "postgres.h"

extern void catalogs_begin_change(Oid dbid);
extern bool catalogs_settle(void);
extern bool catalogs_have_moved(void);
extern uint64 catalogs_state(void);
extern uint64 catalogs_changes(void);
extern uint64 catalogs_heard(void);

#endif							/* CACHE_CATALOGS_H */
