/*-------------------------------------------------------------------------
 *
 * functions.c
 *		cache_get() and its relatives, as SQL calls them.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "definition/definition.h"
#include "definition/key.h"
#include "definition/keyexpr.h"
#include "depend/loads.h"
#include "load/get.h"
#include "load/keyvalue.h"
#include "protocol/catalogs.h"
#include "protocol/invalidate.h"
#include "segment.h"
#include "sql/callsite.h"

/*
 * cache_get(name text) and cache_get(name text, VARIADIC key "any")
 */
PG_FUNCTION_INFO_V1(cache_get);
Datum
cache_get(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site = call_begin(fcinfo, 0, &keys);
	CacheDef   *def = site->def;
	Datum		result;
	bool		isnull;

	result = get_value(def, keys.values, keys.nulls, site->collation,
						 def->rettype == JSONBOID, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/*
 * cache_get_as(type anyelement, name text, VARIADIC key "any"), and without
 * keys
 */
PG_FUNCTION_INFO_V1(cache_get_as);
Datum
cache_get_as(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site = call_begin(fcinfo, 1, &keys);
	CacheDef   *def = site->def;
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Datum		result;
	bool		isnull;

	if (type != def->rettype)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cache \"%s\" holds values of type %s, not %s",
						NameStr(def->name), format_type_be(def->rettype),
						OidIsValid(type) ? format_type_be(type) : "unknown"),
				 errhint("Pass NULL::%s as the first argument.",
						 format_type_be(def->rettype))));
	if (type == RECORDOID)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cache_get_as() does not support anonymous records"),
				 errhint("Use cache_get(), or let the loader return a named composite type.")));
	result = get_value(def, keys.values, keys.nulls, site->collation,
						 true, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/* When the value of a call's key expires.  False if it has none, or never. */
static bool
call_expires(CallSite *site, CallKeys *keys, TimestampTz *expires)
{
	KeyValue	found;

	if (!site->def->plain)
		return get_expires(site->def, keys->values, keys->nulls,
							 site->collation, expires);
	if (keys->nulls[0] ||
		keyvalue_load(site->def, keys->values[0], &found) != KEYVALUE_FOUND)
		return false;
	*expires = found.expires;
	return found.expires != 0;
}

/*
 * cache_ttl(name text, VARIADIC key "any"), and without keys
 */
PG_FUNCTION_INFO_V1(cache_ttl);
Datum
cache_ttl(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site = call_begin(fcinfo, 0, &keys);
	TimestampTz expires;

	/* What a load makes of this is nothing that others could use. */
	loads_note(REASON_SESSION, fcinfo->flinfo->fn_oid);
	if (!call_expires(site, &keys, &expires))
		PG_RETURN_NULL();
	return DirectFunctionCall2(timestamp_mi, TimestampTzGetDatum(expires),
							   TimestampTzGetDatum(GetCurrentStatementStartTimestamp()));
}

/*
 * A key of a cache without a loader, or all, are about to be deleted: lock the cache.
 * False if it may not be what it was before.
 */
static bool
lock_values(CacheDef *def)
{
	if (!def->plain)
		return true;
	PreventCommandIfReadOnly("cache_invalidate()");
	(void) keyvalue_lock(def->id, RowExclusiveLock);
	return def->valid;
}

/*
 * cache_invalidate(name text, VARIADIC key "any")
 */
PG_FUNCTION_INFO_V1(cache_invalidate);
Datum
cache_invalidate(PG_FUNCTION_ARGS)
{
	CallKeys	keys;
	CallSite   *site;
	CacheDef   *def;
	KeyBuffer	key;
	KeyValueHome home;
	bool		plain;
	PendingHandle added;

	PreventCommandDuringRecovery("cache_invalidate()");
	call_site(fcinfo)->invalidates = true;
	do
	{
		site = call_begin_any(fcinfo, 0, &keys);
		def = site->def;
	} while (!lock_values(def));
	home = keyvalue_home(def);
	plain = def->plain;

	/* The hash may be the one of a function that has been replaced. */
	if (!def->fixed)
	{
		bool		known = catalogs_settle();

		invalidate_told(def, known && def->valid &&
						!(def->nested && catalogs_have_moved()));
	}
	key_build(&key, def, keys.values, keys.nulls, site->collation, false);
	added = invalidate_key(def, key.key.hash, NULL);
	if (added != PENDING_NONE)
	{
		Oid			types[FUNC_MAX_ARGS];

		for (int i = 0; i < def->nkeys; i++)
		{
			types[i] = def->keys[i].type;
			keyexpr_normalize(&def->keys[i], NULL, &keys.values[i],
							  &keys.nulls[i], &types[i]);
		}
		invalidate_tell(def, added, def->nkeys, keys.values, keys.nulls, types);
	}
	if (plain && !keys.nulls[0])
		keyvalue_delete(&home, keys.values[0]);
	PG_RETURN_VOID();
}

/*
 * cache_invalidate(name text)
 */
PG_FUNCTION_INFO_V1(cache_invalidate_all);
Datum
cache_invalidate_all(PG_FUNCTION_ARGS)
{
	char	   *name;
	CacheDef   *def;
	KeyValueHome home;
	bool		plain;

	segment_require();
	name = definition_name_argument(fcinfo, 0);
	PreventCommandDuringRecovery("cache_invalidate()");
	do
	{
		def = definition_get(name);
		invalidate_require(def);
	} while (!lock_values(def));
	home = keyvalue_home(def);
	plain = def->plain;
	invalidate_mapped(def);
	invalidate_cache(def);
	if (plain)
		keyvalue_delete_all(&home);
	PG_RETURN_VOID();
}
