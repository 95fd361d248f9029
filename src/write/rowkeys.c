/*-------------------------------------------------------------------------
 *
 * rowkeys.c
 *		Where the rows of a watched table hold the key.
 *
 * To find that out takes a trigger as long as all the rest that it does for a
 * row, and most statements write one row.  So it is kept for the session,
 * by the trigger's OID, until an invalidation message says that the table has
 * changed (its columns, and the trigger's arguments) or that a definition may
 * have (definition_generation).
 *
 * What depends on more than that, key functions and hash functions that
 * somebody could replace, is only kept for as long as a statement runs, in its
 * FmgrInfo, and as long as there is no DDL.
 *
 * A message may be read whenever code of others runs, and so while what it
 * drops is in use further up the stack: that stays in memory until the
 * transaction has ended.
 *
 * Locking: none, this is the backend's own.  The table is locked by the
 * statement that writes to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/key.h"
#include "definition/watches.h"
#include "fence/registry.h"
#include "protocol/catalogs.h"
#include "write/rowkeys.h"

typedef struct KeptKeys
{
	Oid			trigger;		/* hash key */
	RowKeys    *keys;
	char		status;
} KeptKeys;

#define SH_PREFIX		kept
#define SH_ELEMENT_TYPE	KeptKeys
#define SH_KEY_TYPE		Oid
#define SH_KEY			trigger
#define SH_HASH_KEY(tb, key)	murmurhash32(key)
#define SH_EQUAL(tb, a, b)		((a) == (b))
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static kept_hash *kept = NULL;
static RowKeys *latest = NULL;	/* the one that was found last, if kept */
static RowKeys *dropped = NULL; /* they go when the transaction has ended */
static uint64 relation_changes = 0;

/*-------------------------------------------------------------------------
 * Forgetting
 *-------------------------------------------------------------------------
 */

/* Keep it no longer.  Raises no errors. */
static void
drop_keys(RowKeys *keys)
{
	kept_delete(kept, keys->trigger);
	keys->next = dropped;
	dropped = keys;
	latest = NULL;
}

static void
rowkeys_relation_changed(Datum arg, Oid relid)
{
	kept_iterator at;
	KeptKeys   *entry;

	relation_changes++;
	if (kept == NULL || GUARD_REMOVED("kept"))
		return;
	kept_start_iterate(kept, &at);
	while ((entry = kept_iterate(kept, &at)) != NULL)
	{
		if (!OidIsValid(relid) || entry->keys->relid == relid)
			drop_keys(entry->keys);
	}
}

/*
 * The transaction has ended.  Raises no errors.
 */
void
rowkeys_reset(void)
{
	while (dropped != NULL)
	{
		RowKeys    *keys = dropped;

		dropped = keys->next;
		MemoryContextDelete(keys->context);
	}
}

/*
 * Register the invalidation callback; once a process.
 */
void
rowkeys_init(void)
{
	CacheRegisterRelcacheCallback(rowkeys_relation_changed, (Datum) 0);
}

/*-------------------------------------------------------------------------
 * Setting up
 *-------------------------------------------------------------------------
 */

/*
 * Set up one column, or expression; false if the key cannot be told from it.
 */
static bool
column_setup(RowColumn *column, CacheDef *def, int i, Relation rel,
			 const char *name, bool expression)
{
	const KeyColumn *key = &def->keys[i];
	Oid			collation;

	column->key = key;
	if (expression)
	{
		column->expr = keyexpr_open(name, rel);
		column->type = column->expr->type;
		collation = column->expr->collation;
	}
	else
	{
		Form_pg_attribute att;

		column->attnum = get_attnum(RelationGetRelid(rel), name);
		if (column->attnum <= 0)
			return false;
		att = TupleDescAttr(RelationGetDescr(rel), column->attnum - 1);
		if (CACHE_IS_VIRTUAL(att))
			return false;
		column->type = att->atttypid;
		collation = att->attcollation;
	}
	get_typlenbyval(column->type, &column->attlen, &column->attbyval);

	/* The key is compared under one collation only. */
	if (OidIsValid(collation) && collation != key->collation &&
		!get_collation_isdeterministic(collation))
		return false;
	if (!expression && !keyexpr_collation_fits(def, i, collation))
		return false;
	return key_hash_fits(key, column->type, &column->hash) &&
		keyexpr_coercion(&column->coercion, def, i, column->type);
}

/* Find out, in the current memory context. */
static RowKeys *
build_keys(TriggerData *data)
{
	Trigger    *trigger = data->tg_trigger;
	RowKeys    *keys = palloc0(offsetof(RowKeys, columns) +
							   sizeof(RowColumn) * trigger->tgnargs);
	bool		expressions;
	int			first;

	keys->trigger = trigger->tgoid;
	keys->relid = RelationGetRelid(data->tg_relation);
	keys->slot = -1;
	keys->slots_made = PG_UINT64_MAX;
	keys->unknown = !definition_is_readable();
	if (!keys->unknown)
		keys->def = definition_find(trigger->tgargs[0]);
	keys->generation = definition_generation;
	keys->catalogs = catalogs_state();
	expressions = watches_has_expressions(trigger->tgnargs, trigger->tgargs);
	first = expressions ? WATCH_EXPRESSIONS : 1;
	keys->ncolumns = trigger->tgnargs - first;
	if (keys->def == NULL)
		return keys;
	if (watches_has_function(trigger->tgnargs, trigger->tgargs))
	{
		if (keys->def->usable)
			keys->function = key_function_open(keys->def, trigger->tgargs,
											   data->tg_relation);
		keys->whole = keys->function == NULL;
		keys->depends = true;
		keys->nested = keys->def->nested;
		return keys;
	}
	keys->whole = !keys->def->usable || keys->ncolumns == 0 ||
		keys->ncolumns != keys->def->nkeys;
	for (int i = 0; !keys->whole && i < keys->ncolumns; i++)
	{
		keys->whole = !column_setup(&keys->columns[i], keys->def, i,
									data->tg_relation,
									trigger->tgargs[first + i], expressions);
		keys->depends |= !keys->whole && !keys->columns[i].hash.fixed;
		keys->nested |= !keys->whole && keys->columns[i].hash.nested;
	}
	keys->depends |= !keys->def->fixed;
	return keys;
}

/*
 * Is this all that the relation says of the trigger now?  A statement works
 * with a copy from when it started.
 */
static bool
is_current(TriggerData *data)
{
	TriggerDesc *triggers = data->tg_relation->trigdesc;
	Trigger    *trigger = data->tg_trigger;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *now = &triggers->triggers[i];

		if (now->tgoid != trigger->tgoid)
			continue;
		if (now->tgnargs != trigger->tgnargs)
			return false;
		for (int j = 0; j < now->tgnargs; j++)
		{
			if (strcmp(now->tgargs[j], trigger->tgargs[j]) != 0)
				return false;
		}
		return true;
	}
	return false;
}

/* Can it be kept beyond the statement? */
static bool
is_lasting(RowKeys *keys, TriggerData *data)
{
	return keys->def != NULL && !keys->depends && is_current(data);
}

/*
 * Find out, and keep it if possible, else for the statement.
 */
static RowKeys *
make_keys(FmgrInfo *flinfo, TriggerData *data)
{
	MemoryContext context;
	MemoryContext old;
	RowKeys    *keys;
	uint64		before = relation_changes;
	bool		found;

	context = AllocSetContextCreate(flinfo->fn_mcxt, "cache keys of rows",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	keys = build_keys(data);
	MemoryContextSwitchTo(old);
	if (!is_lasting(keys, data) || relation_changes != before)
	{
		flinfo->fn_extra = keys;
		return keys;
	}
	if (kept == NULL)
		kept = kept_create(TopMemoryContext, 16, NULL);
	kept_insert(kept, keys->trigger, &found)->keys = keys;
	Assert(!found);
	keys->context = context;
	MemoryContextSetParent(context, TopMemoryContext);
	latest = keys;
	return keys;
}

/* What is kept for a trigger, if it is still good. */
static RowKeys *
find_kept(TriggerData *data)
{
	Oid			trigger = data->tg_trigger->tgoid;
	RowKeys    *keys = latest;

	if (keys == NULL || keys->trigger != trigger)
	{
		KeptKeys   *entry = kept != NULL ? kept_lookup(kept, trigger) : NULL;

		if (entry == NULL)
			return NULL;
		latest = keys = entry->keys;
	}
	if (keys->generation == definition_generation)
		return keys;
	if (GUARD_REMOVED("kept"))
	{
		/* As if only what the columns are were kept too long. */
		keys->def = definition_find(data->tg_trigger->tgargs[0]);
		keys->generation = definition_generation;
		return keys;
	}
	drop_keys(keys);
	return NULL;
}

/*
 * The slot that the cache has in the registry, -1 if it has none.  It may have
 * another one the next moment.
 */
int
rowkeys_slot(RowKeys *keys)
{
	uint64		made;

	if (keys->slot >= 0 && slot_is_of(keys->slot, MyDatabaseId, keys->def->id))
		return keys->slot;
	made = *(volatile uint64 *) &shared_registry->slots_made;
	if (keys->slot >= 0 || keys->slots_made != made)
		keys->slot = slot_find(MyDatabaseId, keys->def->id);
	keys->slots_made = made;
	return keys->slot;
}

/*
 * What a trigger has to know to tell the keys of a row.  It is good until code
 * of others runs, and then to be asked for again.
 */
RowKeys *
rowkeys_find(FmgrInfo *flinfo, TriggerData *data)
{
	RowKeys    *keys = find_kept(data);

	if (keys != NULL)
		return keys;
	keys = flinfo->fn_extra;
	if (keys != NULL && keys->generation == definition_generation &&
		(!keys->depends || keys->catalogs == catalogs_state()))
		return keys;
	return make_keys(flinfo, data);
}
