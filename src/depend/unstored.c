/*-------------------------------------------------------------------------
 *
 * unstored.c
 *		What keeps the results of caches from being stored.
 *
 * When a load's result is not stored because of what it depends on, the session
 * is warned, once for each cache, reason and object; and the cache's slot keeps
 * in mind, for cache_check(), that it was so, until a result has been stored;
 * and counts, for the view cache_unstored.
 *
 * Locking: none; the slot's fields are read and written by themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "base/compat.h"
#include "depend/reason.h"
#include "depend/unstored.h"
#include "fence/registry.h"
#include "segment.h"

#define UNSTORED_COLUMNS	4

/* What this session has been warned of. */
typedef struct Warned
{
	uint64		cache;
	Oid			object;
	uint32		what;			/* the reason; or of a key function */
} Warned;

#define WARNED_KEYS		REASONS

static HTAB *warned = NULL;

static bool
first(uint64 cache, uint32 what, Oid object)
{
	Warned		key = {0};
	bool		found;

	if (warned == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(Warned);
		ctl.entrysize = sizeof(Warned);
		warned = hash_create("cache warnings", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	key.cache = cache;
	key.object = object;
	key.what = what;
	hash_search(warned, &key, HASH_ENTER, &found);
	return !found;
}

/*
 * Is this the first time that the session is to be warned of an object in another
 * connection than a load's result, such as (keys) that of a key function?
 */
bool
unstored_first(CacheDef *def, Oid what, bool keys)
{
	return first(def->id, keys ? WARNED_KEYS : 0, what);
}

/*
 * A load's result is not stored: for these of its reasons, which are told, and
 * counted.
 */
void
unstored_note(CacheDef *def, const Reasons *why, uint32 mask)
{
	for (int i = 0; i < REASONS; i++)
	{
		if (!(mask & REASON_BIT(i)))
			continue;
		if (def->slot >= 0)
		{
			CacheSlot  *slot = &shared_slots[def->slot];

			pg_atomic_write_u32(&slot->unstored_object[i], why->object[i]);
			pg_atomic_fetch_or_u32(&slot->unstored_mask, REASON_BIT(i));
			pg_atomic_fetch_add_u64(&slot->unstored[i], 1);
		}
		if (reason_warns(i) && first(def->id, i, why->object[i]))
			ereport(WARNING,
					(errmsg("results of cache \"%s\" are not stored, because %s",
							NameStr(def->name),
							reason_problem(i, why->object[i], NameStr(def->name))),
					 errhint("%s", reason_hint(i, why->object[i],
											   NameStr(def->name),
											   def->signature,
											   def->trusted))));
	}
}

/*
 * A result has been stored: what stood in the way does not any more.
 */
void
unstored_clear(int slot)
{
	if (slot >= 0 && pg_atomic_read_u32(&shared_slots[slot].unstored_mask) != 0)
		pg_atomic_write_u32(&shared_slots[slot].unstored_mask, 0);
}

/*
 * cache_unstored_rows(): the rows of the view cache_unstored
 */
PG_FUNCTION_INFO_V1(cache_unstored_rows);
Datum
cache_unstored_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, definition_names())
	{
		CacheDef   *def = definition_find(lfirst(lc));
		int			slot = def == NULL ? -1 : slot_find(MyDatabaseId, def->id);

		for (int i = 0; slot >= 0 && i < REASONS; i++)
		{
			uint64		n = pg_atomic_read_u64(&shared_slots[slot].unstored[i]);
			Oid			object = pg_atomic_read_u32(&shared_slots[slot].unstored_object[i]);
			Datum		values[UNSTORED_COLUMNS];
			bool		nulls[UNSTORED_COLUMNS] = {0};
			char	   *name;

			if (n == 0)
				continue;
			name = reason_object(i, object);
			values[0] = CStringGetTextDatum(lfirst(lc));
			values[1] = CStringGetTextDatum(reason_name(i));
			nulls[2] = name == NULL;
			values[2] = name == NULL ? (Datum) 0 : CStringGetTextDatum(name);
			values[3] = Int64GetDatum(n);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}
