/*-------------------------------------------------------------------------
 *
 * values.c
 *		What others write to the table of logged values.
 *
 * cache_set() and its like write to cache_value_logged by their own queries
 * (keyvalue.c), and have made pending what they change.  Others do, too: COPY, for
 * who restores a dump; a subscription; a superuser by hand.  A trigger of the
 * table, which fires always, makes pending what they change, so that gets are
 * exact all the same.
 *
 * What is restored has the id that its cache had where it was dumped, and the
 * cache's name.  If there is a cache of that name, it is the one.  It may have been
 * there before, and then has another id; keys that it has already stay as they are,
 * as definitions do.  If there is none yet, its definition may be about to be
 * restored, with the id that it had.  For those who are no superusers (restore.c)
 * definitions come first, and caches get new ids.
 *
 * A subscription writes what the publisher has, and nothing else.
 *
 * Locking: restored rows lock their cache as cache_set() does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/keyhash.h"
#include "load/keyvalue.h"
#include "protocol/invalidate.h"
#include "protocol/pending.h"
#include "segment.h"
#include "write/restore.h"

/* The cache that was last warned of */
static uint64 warned = 0;

static Datum
column(Relation rel, HeapTuple tuple, int anum, bool *isnull)
{
	return heap_getattr(tuple, anum, RelationGetDescr(rel), isnull);
}

/* The name of a row's cache; NULL: none, of which the table complains. */
static char *
cache_name(Relation rel, HeapTuple tuple)
{
	bool		isnull;
	Datum		name = column(rel, tuple, ANUM_VALUE_NAME, &isnull);

	return isnull ? NULL : TextDatumGetCString(name);
}

/* A row is written or goes: its key is pending. */
static void
note_change(Relation rel, HeapTuple tuple)
{
	char	   *name = cache_name(rel, tuple);
	CacheDef   *def = name == NULL ? NULL : definition_find(name);
	KeyHash		how;
	Datum		cache;
	Datum		key;
	bool		no_cache;
	bool		null;
	Oid			type = TEXTOID;
	uint64		hash;

	cache = column(rel, tuple, ANUM_VALUE_CACHE, &no_cache);
	key = column(rel, tuple, ANUM_VALUE_KEY, &null);
	if (no_cache || null || !key_hash_lookup(type, &how))
		return;
	hash = key_hash_plain((uint64) DatumGetInt64(cache), &how, key);
	if (def != NULL && def->plain && def->id == (uint64) DatumGetInt64(cache))
	{
		PendingHandle added = invalidate_key(def, hash, NULL);

		if (added != PENDING_NONE)
			invalidate_tell(def, added, 1, &key, &null, &type);
	}
	else
		(void) pending_add_key((uint64) DatumGetInt64(cache), hash, NULL);
}

/*
 * Who fills the table in another's name has to own the cache.
 */
static void
require_owner(CacheDef *def, const char *name)
{
	Oid			restoring;
	int			restoring_context;
	Oid			role;
	int			context;

	if (!restore_user(&restoring, &restoring_context))
		return;
	if (def == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("cache \"%s\" does not exist", name),
				 errhint("Restore the definitions of caches first, or create the cache with cache_create().")));
	GetUserIdAndSecContext(&role, &context);
	SetUserIdAndSecContext(restoring, restoring_context);
	definition_require_owner(def);
	SetUserIdAndSecContext(role, context);
}

/* Has the cache the key already, whether the command's snapshot sees it or not? */
static bool
has_key(CacheDef *def, Datum key)
{
	KeyValue	found;
	bool		has;

	PushActiveSnapshot(GetLatestSnapshot());
	has = keyvalue_load(def, key, &found) != KEYVALUE_ABSENT;
	PopActiveSnapshot();
	return has;
}

/* A row that is restored, as it is to be inserted; NULL: not at all. */
static HeapTuple
adopt(Relation rel, HeapTuple tuple)
{
	char	   *name = cache_name(rel, tuple);
	CacheDef   *def;
	Datum		key;
	bool		isnull;
	int			anum = ANUM_VALUE_CACHE;
	Datum		id;

	key = column(rel, tuple, ANUM_VALUE_KEY, &isnull);
	if (name == NULL || isnull)
		return tuple;
	do
	{
		def = definition_find(name);
		require_owner(def, name);
		if (def == NULL)
			return tuple;
		if (!def->logged)
		{
			if (warned != def->id)
				ereport(WARNING,
						(errmsg("what was set in cache \"%s\" is not restored", name),
						 errdetail("There is a cache of this name already, which is not logged."),
						 errhint("SELECT cache_alter(%s, logged => true); then restore the data of cache_value_logged again.",
								 quote_literal_cstr(name))));
			warned = def->id;
			return NULL;
		}
		(void) keyvalue_lock(def->id, RowExclusiveLock);
	} while (!def->valid);
	if (has_key(def, key))
		return NULL;
	id = Int64GetDatum((int64) def->id);
	isnull = false;
	return heap_modify_tuple_by_cols(tuple, RelationGetDescr(rel), 1, &anum, &id,
									 &isnull);
}

/*
 * cache_restore_value(): a trigger of cache_value_logged, see above.  Needs no shared
 * memory.
 */
PG_FUNCTION_INFO_V1(cache_restore_value);
Datum
cache_restore_value(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	HeapTuple	tuple;
	Oid			role;
	int			context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		RelationGetRelid(data->tg_relation) != extension_get()->values[true].table)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cache_restore_value() can only be called as the trigger of cache_value_logged")));
	tuple = data->tg_trigtuple;
	if (!keyvalue_is_writing())
	{
		if (TRIGGER_FIRED_BY_INSERT(data->tg_event) &&
			(restore_user(&role, &context) ||
			 SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA))
			tuple = adopt(data->tg_relation, tuple);
		if (tuple == NULL)
			return PointerGetDatum(NULL);
		if (segment_exists())
		{
			note_change(data->tg_relation, tuple);
			if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
				note_change(data->tg_relation, data->tg_newtuple);
		}
	}
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(data->tg_event) ?
						   data->tg_newtuple : tuple);
}
