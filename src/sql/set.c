/*-------------------------------------------------------------------------
 *
 * set.c
 *		cache_set(): what caches without a loader keep.
 *
 * Locking: see keyvalue.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "definition/definition.h"
#include "definition/key.h"
#include "load/keyvalue.h"
#include "protocol/invalidate.h"
#include "segment.h"
#include "store/store.h"

/* Complain about a size over its limit. */
static void
require_size(const char *what, Size size, Size limit, const char *hint)
{
	if (size <= limit)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("%s is too large", what),
			 errdetail("It has %zu bytes, at most %zu are allowed.", size, limit),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/*
 * When a key that is set now expires, 0 for never.  An interval counts from
 * the start of the statement, as the check does.
 */
static TimestampTz
set_expires(Interval *ttl)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	TimestampTz expires;

	if (ttl == NULL)
		return 0;
	expires = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													  TimestampTzGetDatum(now),
													  IntervalPGetDatum(ttl)));
	if (expires <= now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ttl must be positive"),
				 errhint("Leave it out to have that of the cache.")));
	return expires;
}

/* Read the arguments of cache_set() from the second on. */
static void
set_arguments(FunctionCallInfo fcinfo, CacheDef *def, KeyValue *value)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("key must not be null")));
	require_size("key", VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)),
				 KEYVALUE_MAX_KEY, NULL);
	value->isnull = PG_ARGISNULL(2);
	if (!value->isnull)
	{
		value->value = PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(2)));
		require_size("value", VARSIZE(DatumGetPointer(value->value)),
					 store_max_entry() - KEYVALUE_MAX_KEY,
					 "A value may have about an eighth of cache.memory.");
	}
	value->expires = set_expires(PG_ARGISNULL(3) ? def->ttl :
								 PG_GETARG_INTERVAL_P(3));
	value->cost = 0;
	if (!PG_ARGISNULL(4))
	{
		if (PG_GETARG_INT64(4) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cost must be positive"),
					 errhint("Leave it out to have that of the cache's entries.")));
		value->cost = PG_GETARG_INT64(4);
	}
}

/*
 * cache_set(name text, key text, value jsonb, ttl interval, cost bigint)
 *
 * The key is pending before its row is written, so nobody finds the new value
 * while the transaction is in progress, and this transaction not the old one.
 */
PG_FUNCTION_INFO_V1(cache_set);
Datum
cache_set(PG_FUNCTION_ARGS)
{
	char	   *name;
	CacheDef   *def;
	KeyValue	value;
	KeyBuffer	buffer;
	Datum		key;
	bool		null = false;
	Oid			type = TEXTOID;
	KeyValueHome home;
	PendingHandle added;

	segment_require();
	name = definition_name_argument(fcinfo, 0);
	PreventCommandDuringRecovery("cache_set()");
	do
	{
		def = definition_get(name);
		if (!def->plain)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("cache \"%s\" has a loader, so its values cannot be set",
							name),
					 errhint("Change what the loader reads, or create a cache without a loader.")));
		definition_require_read(def);
		PreventCommandIfReadOnly("cache_set()");
		PreventCommandIfParallelMode("cache_set()");
	} while (keyvalue_lock(def->id, RowExclusiveLock) || !def->valid);

	set_arguments(fcinfo, def, &value);
	home = keyvalue_home(def);
	key = PG_GETARG_DATUM(1);
	key_build(&buffer, def, &key, &null, C_COLLATION_OID, true);
	added = invalidate_key(def, buffer.key.hash, NULL);
	if (added != PENDING_NONE)
		invalidate_tell(def, added, 1, &key, &null, &type);
	keyvalue_set(&home, key, &value);
	PG_RETURN_VOID();
}
