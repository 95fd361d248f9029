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

#include "definition/definition.h"
#include "fmgr.h"

extern bool admin_option(FunctionCallInfo fcinfo, int arg);
extern CacheDef *admin_begin(FunctionCallInfo fcinfo, int name_arg,
							 bool missing_ok);
extern void admin_mend(bool again);
extern void admin_anchor_dropped(Oid server);
extern void admin_anchor_altered(Oid server);
extern char *admin_collation_name(Oid collation);
extern void admin_rename(CacheDef *def, Oid loader, const Oid *collations,
						 int nkeys, List *trust, ArrayType *settings);
extern HeapTuple admin_renew(Relation rel, HeapTuple tuple, Oid owner,
							 Oid loader, const Oid *collations, int nkeys,
							 List *trust, ArrayType *settings);
extern void admin_set_collations(CacheDef *def, const Oid *collations);

#endif							/* CACHE_ADMIN_H */
