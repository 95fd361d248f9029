/*-------------------------------------------------------------------------
 *
 * anchor.h
 *		What stands for a cache in the catalogs.
 *
 * See anchor.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ANCHOR_H
#define CACHE_ANCHOR_H

#include "postgres.h"

#include "nodes/parsenodes.h"

extern bool anchor_any_missing(List *caches);
extern bool anchor_any_restored(void);
extern void anchor_set(const char *cache, Oid owner, Oid loader, bool mend);
extern void anchor_hold(const char *cache, Oid trigger);
extern void anchor_keep_all(void);
extern bool anchor_drop(const char *cache);
extern char *anchor_cache(Oid server, Oid *owner);
extern bool anchor_is_own(const char *cache);
extern bool anchor_is_foreign(const char *cache);
extern void anchor_evict(const char *cache);
extern bool anchor_is_server(CreateForeignServerStmt *stmt);
extern void anchor_restore(CreateForeignServerStmt *stmt);
extern bool anchor_give(AlterOwnerStmt *stmt);
extern void anchor_reassign(ReassignOwnedStmt *stmt);

#endif							/* CACHE_ANCHOR_H */
