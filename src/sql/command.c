/*-------------------------------------------------------------------------
 *
 * command.c
 *		What commands on caches and watches begin with.
 *
 * Locking: that of rows.c, before a definition is looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "definition/extension.h"
#include "sql/command.h"
#include "write/anchored.h"

/*
 * An argument such as if_exists: NULL is false, as is one that the function
 * does not have in the extension's version.
 */
bool
command_option(FunctionCallInfo fcinfo, int arg)
{
	return PG_NARGS() > arg && !PG_ARGISNULL(arg) && PG_GETARG_BOOL(arg);
}

/*
 * Begin to change a cache that the caller owns, or its watches.  The cache's
 * loader may be gone.  NULL, and a NOTICE, if there is no such cache and
 * missing_ok.
 */
CacheDef *
command_begin(FunctionCallInfo fcinfo, int name_arg, bool missing_ok)
{
	char	   *name = definition_name_argument(fcinfo, name_arg);
	const char *command = psprintf("%s()", get_func_name(fcinfo->flinfo->fn_oid));
	CacheDef   *def;

	PreventCommandDuringRecovery(command);
	PreventCommandIfReadOnly(command);
	LockRelationOid(extension_get()->definitions, ShareRowExclusiveLock);
	anchored_mend(false);
	def = missing_ok ? definition_find(name) : definition_get(name);
	if (def != NULL)
		definition_require_owner(def);
	else
		ereport(NOTICE,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("cache \"%s\" does not exist, skipping", name)));
	return def;
}
