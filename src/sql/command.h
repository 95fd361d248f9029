/*-------------------------------------------------------------------------
 *
 * command.h
 *		What commands on caches and watches begin with.
 *
 * See command.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_COMMAND_H
#define CACHE_COMMAND_H

#include "postgres.h"

#include "fmgr.h"

#include "definition/definition.h"

extern bool command_option(FunctionCallInfo fcinfo, int arg);
extern CacheDef *command_begin(FunctionCallInfo fcinfo, int name_arg,
							   bool missing_ok);

#endif							/* CACHE_COMMAND_H */
