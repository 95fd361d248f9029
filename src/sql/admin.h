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

#endif							/* CACHE_ADMIN_H */
