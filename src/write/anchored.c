/*-------------------------------------------------------------------------
 *
 * anchored.c
 *		Caches and their anchors, kept together.
 *
 * A cache has an anchor (anchor.c), which is made, altered and dropped with it.
 * When the anchor is dropped or handed over by a command, the cache's definition
 * follows; and anchors that are missing are made good, as are those that a dump
 * has restored.
 *
 * Locking: SHARE ROW EXCLUSIVE on cache_definition, see rows.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "definition/anchor.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/owner.h"
#include "definition/rows.h"
#include "load/keyvalue.h"
#include "protocol/invalidate.h"
#include "write/anchored.h"
#include "write/watchtrigger.h"

/*
 * Remove a cache's definition, if it is there, and what was set in the cache.
 */
void
anchored_forget(const char *cache)
{
	CacheDef   *def = definition_find(cache);
	KeyValueHome home;
	NameData	name;

	if (def == NULL)
		return;
	name = def->name;
	home = keyvalue_home(def);
	definition_use(def);
	invalidate_dropped(def);
	if (def->plain)
	{
		(void) keyvalue_lock(home.cache, ExclusiveLock);
		keyvalue_drop(&home);
	}
	definition_release(def);
	rows_delete(&name);
}

/*
 * Give all caches of the database the anchors that they lack, and all anchors
 * their owners, and what depends on them or they depend on: after a restore,
 * pg_upgrade, or an update from extension 1.0.  Whether there is anything to do
 * takes one look at each definition's name, and at each anchor; once a transaction
 * is enough, unless (again) it has restored some itself.
 */
void
anchored_mend(bool again)
{
	static LocalTransactionId looked = InvalidLocalTransactionId;
	ListCell   *lc;

	if (!again && looked == CACHE_MY_LXID)
		return;
	if (!anchor_any_restored() && !anchor_any_missing(definition_names()))
	{
		looked = CACHE_MY_LXID;
		return;
	}
	LockRelationOid(extension_get()->definitions, ShareRowExclusiveLock);
	definition_changed();
	CommandCounterIncrement();
	foreach(lc, definition_names())
	{
		CacheDef   *def = definition_find(lfirst(lc));

		if (def != NULL)
			anchor_set(lfirst(lc), def->owner, def->loader, true);
	}
	watchtrigger_mend();
	anchor_keep_all();
}

/*
 * A foreign server is being dropped: with an anchor goes the cache.
 *
 * Not if all of the extension goes, and its tables have gone already.
 */
void
anchored_drop(Oid server)
{
	const Extension *extension = extension_find();
	Oid			owner;
	char	   *cache = anchor_cache(server, &owner);

	if (cache == NULL || !definition_is_readable())
		return;
	for (int i = 0; i < 2; i++)
	{
		Oid			table = extension->values[i].table;

		if (OidIsValid(table) &&
			!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table)))
			return;
	}
	LockRelationOid(extension->definitions, ShareRowExclusiveLock);
	anchored_forget(cache);
}

/*
 * A foreign server has been altered: whoever owns an anchor owns the cache.
 */
void
anchored_alter(Oid server)
{
	Oid			owner;
	char	   *cache = anchor_cache(server, &owner);
	CacheDef   *def;
	RowChange	row = {0};

	if (cache == NULL || !definition_is_readable())
		return;
	LockRelationOid(extension_get()->definitions, ShareRowExclusiveLock);
	def = definition_find(cache);
	if (def == NULL || def->owner == owner)
		return;
	rows_change(&row, ANUM_OWNER, owner_make(owner));
	rows_update(&def->name, &row);
}
