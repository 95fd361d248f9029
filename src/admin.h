/*-------------------------------------------------------------------------
 *
 * admin.h
 *		Creating, altering and dropping caches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ADMIN_H
#define CACHE_ADMIN_H

#include "postgres.h"

#include "definition.h"
#include "fmgr.h"

extern bool admin_option(FunctionCallInfo fcinfo, int arg);
extern CacheDef *admin_begin(FunctionCallInfo fcinfo, int name_arg,
							 bool missing_ok);
extern void admin_mend(bool again);
extern void admin_anchor_dropped(Oid server);
extern void admin_anchor_altered(Oid server);
extern List *admin_remember(void);
extern void admin_follow(List *remembered);
extern void admin_set_collations(CacheDef *def, const Oid *collations);

#endif							/* CACHE_ADMIN_H */
