/*-------------------------------------------------------------------------
 *
 * check.c
 *		cache_check(): what is wrong with caches and watches.
 *
 * Whatever is found here costs speed, not exactness, with one exception: the
 * results of a cache with a ttl may be as old as that.
 *
 * Locking: ACCESS SHARE on the tables that it looks at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relname.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/key.h"
#include "definition/keyexpr.h"
#include "definition/watches.h"
#include "depend/reason.h"
#include "depend/routine.h"
#include "depend/searchpath.h"
#include "fence/registry.h"
#include "fence/slotlists.h"
#include "fence/stats.h"
#include "segment.h"
#include "write/keyfunction.h"

/* A cache that was asked so often, and has not answered once, is no use. */
#define CHECK_GETS	100

#define CHECK_COLUMNS	4

/* A problem that has been reported for a table need not be told again. */
typedef struct Reported
{
	NameData	cache;
	Oid			relid;
} Reported;

typedef struct Check
{
	ReturnSetInfo *rsinfo;
	List	   *watches;		/* all triggers of watches */
	List	   *reported;
} Check;

static void
report(Check *check, const char *cache, const char *object,
	   const char *problem, const char *hint)
{
	Datum		values[CHECK_COLUMNS];
	bool		nulls[CHECK_COLUMNS] = {0};

	values[0] = CStringGetTextDatum(cache);
	values[1] = CStringGetTextDatum(object);
	values[2] = CStringGetTextDatum(problem);
	values[3] = CStringGetTextDatum(hint);
	tuplestore_putvalues(check->rsinfo->setResult, check->rsinfo->setDesc,
						 values, nulls);
}

static bool
is_reported(Check *check, const char *cache, Oid relid)
{
	ListCell   *lc;

	foreach(lc, check->reported)
	{
		Reported   *item = lfirst(lc);

		if (item->relid == relid && strcmp(NameStr(item->cache), cache) == 0)
			return true;
	}
	return false;
}

static void
report_relation(Check *check, const char *cache, Oid relid,
				const char *problem, const char *hint)
{
	Reported   *item = palloc(sizeof(Reported));

	namestrcpy(&item->cache, cache);
	item->relid = relid;
	check->reported = lappend(check->reported, item);
	report(check, cache, relname_full(relid), problem, hint);
}

/*-------------------------------------------------------------------------
 * Triggers
 *-------------------------------------------------------------------------
 */

/* Can keys be told from the rows? */
static bool
tells_keys(CacheDef *def, const Watch *watch, Relation rel)
{
	KeyHash		hash;

	if (watch->ncolumns == 0)
		return true;
	if (watch->function)
		return key_function_open(def, watch->args, rel) != NULL;
	if (watch->expressions)
	{
		for (int i = WATCH_EXPRESSIONS; i <= watch->ncolumns; i++)
		{
			if (i - WATCH_EXPRESSIONS >= def->nkeys ||
				!key_hash_fits(&def->keys[i - WATCH_EXPRESSIONS],
							   keyexpr_open(watch->args[i], rel)->type, &hash))
				return false;
		}
		return watch->ncolumns + 1 - WATCH_EXPRESSIONS == def->nkeys;
	}
	for (int i = 0; i < watch->ncolumns; i++)
	{
		AttrNumber	attnum = get_attnum(watch->relid, watch->columns[i]);

		if (i >= def->nkeys || attnum <= 0 ||
			!key_hash_fits(&def->keys[i],
						   TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid,
						   &hash))
			return false;
	}
	return watch->ncolumns == def->nkeys;
}

static void
check_trigger(Check *check, const Watch *watch)
{
	const char *cache = watch->args[0];
	CacheDef   *def = definition_find(cache);
	Relation	rel;

	if (def == NULL)
	{
		report_relation(check, cache, watch->relid,
						psprintf("trigger %s watches for a cache that does not exist",
								 quote_identifier(watch->name)),
						psprintf("Create the cache, or DROP TRIGGER %s ON %s.",
								 quote_identifier(watch->name),
								 relname_full(watch->relid)));
		return;
	}
	if (!watch->enabled)
	{
		report_relation(check, cache, watch->relid,
						psprintf("trigger %s of the watch is disabled, or enabled in another way than ALWAYS",
								 quote_identifier(watch->name)),
						psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s;",
								 relname_full(watch->relid),
								 quote_identifier(watch->name)));
		return;
	}
	if (!watch->sound)
	{
		report_relation(check, cache, watch->relid,
						psprintf("trigger %s of the watch has been altered",
								 quote_identifier(watch->name)),
						"Call cache_unwatch() and cache_watch() again.");
		return;
	}
	if (watch->inherited)
		return;
	if (!watches_has_companion(check->watches, watch))
		report_relation(check, cache, watch->relid,
						watch->rows ? "the watch has lost its trigger for TRUNCATE" :
						"the watch has lost its trigger for rows",
						"Call cache_unwatch() and cache_watch() again.");
	if (!watch->rows || !def->usable)
		return;
	rel = try_relation_open(watch->relid, AccessShareLock);
	if (rel == NULL)
		return;
	if (!tells_keys(def, watch, rel))
		report_relation(check, cache, watch->relid,
						watch->function ?
						"the watch's key function is gone or does not fit, so that each write invalidates the whole cache" :
						"the watch's columns are gone or do not fit, so that each write invalidates the whole cache",
						"Call cache_unwatch() and cache_watch() again.");
	relation_close(rel, NoLock);
}

/*-------------------------------------------------------------------------
 * Tables
 *-------------------------------------------------------------------------
 */

/* Are the partitions and children of a watched table watched as well? */
static void
check_children(Check *check, CacheDef *def, Oid parent)
{
	ListCell   *lc;

	if (!watches_has_children(parent))
		return;
	foreach(lc, find_all_inheritors(parent, NoLock, NULL))
	{
		Oid			relid = lfirst_oid(lc);
		Relation	rel;

		if (relid == parent || is_reported(check, NameStr(def->name), relid))
			continue;
		rel = try_relation_open(relid, AccessShareLock);
		if (rel == NULL)
			continue;
		if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			report_relation(check, NameStr(def->name), relid,
							"the watched table has a foreign table below it, whose changes elsewhere go unnoticed",
							"Give the cache a ttl.");
		else if (rel->rd_rel->relpersistence != RELPERSISTENCE_TEMP &&
				 !watches_covers(rel, NameStr(def->name)))
			report_relation(check, NameStr(def->name), relid,
							rel->rd_rel->relispartition ?
							"the partition of a watched table is not watched" :
							"the child of a watched table is not watched",
							"Watch it with cache_watch() as well.");
		relation_close(rel, NoLock);
	}
}

/* What have loads read? */
static void
check_read(Check *check, CacheDef *def, Oid relid)
{
	Relation	rel;

	if (is_reported(check, NameStr(def->name), relid))
		return;
	rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL)
		return;
	if (rel->rd_rel->relrowsecurity)
		report_relation(check, NameStr(def->name), relid,
						"the loader reads a table with row level security, so that results are not stored",
						"Let the loader read a table without policies, with what they depend on as an argument.");
	else if (def->ttl != NULL)
		;						/* whoever gives one knows */
	else if ((rel->rd_rel->relkind != RELKIND_RELATION &&
			  rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) ||
			 extension_keeps_values(relid))
		report_relation(check, NameStr(def->name), relid,
						"the loader reads what cannot be watched, so that results are not stored",
						"Give the cache a ttl.");
	else if (!watches_covers(rel, NameStr(def->name)))
		report_relation(check, NameStr(def->name), relid,
						"the loader reads a table that is not watched, so that results are not stored",
						"Watch it with cache_watch(), or give the cache a ttl.");
	relation_close(rel, NoLock);
}

static void
check_reads(Check *check, CacheDef *def)
{
	int			index = slot_find(MyDatabaseId, def->id);
	SlotLists	lists;

	if (index < 0 || def->plain)
		return;
	(void) slot_copy_lists(index, &lists);
	for (uint32 i = 0; i < lists.nreads; i++)
		check_read(check, def, lists.reads[i]);
}

/* Which of their names could be taken for others? */
static void
check_names(Check *check, CacheDef *def)
{
	ListCell   *lc;

	foreach(lc, searchpath_problems(def))
	{
		SearchPathProblem *item = lfirst(lc);

		report(check, NameStr(def->name), item->object, item->problem, item->hint);
	}
}

/*-------------------------------------------------------------------------
 * Caches
 *-------------------------------------------------------------------------
 */

/* Does what a load has met at an object not hold any more? */
static bool
is_mended(CacheDef *def, Reason reason, Oid object)
{
	Relation	rel;
	bool		mended;

	if (reasons_forgivable(reason) && list_member_oid(def->trusted, object))
		return true;
	if (reason == REASON_VOLATILE)
		return routine_kind(object) != ROUTINE_VOLATILE;
	if (reason == REASON_OPAQUE)
		return routine_kind(object) != ROUTINE_OPAQUE ||
			!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(object));
	if (reason != REASON_UNWATCHED && reason != REASON_ROW_SECURITY)
		return false;
	rel = try_relation_open(object, AccessShareLock);
	if (rel == NULL)
		return true;
	mended = reason == REASON_ROW_SECURITY ? !rel->rd_rel->relrowsecurity :
		rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE &&
		watches_covers(rel, NameStr(def->name));
	relation_close(rel, NoLock);
	return mended;
}

/*
 * Why were results not stored, since the last one was?  This is kept over DDL,
 * which what loads have read is not; unless that was it.
 */
static void
check_unstored(Check *check, CacheDef *def)
{
	int			index = slot_find(MyDatabaseId, def->id);
	uint32		mask = index < 0 ? 0 :
		pg_atomic_read_u32(&shared_slots[index].unstored_mask);

	for (int i = 0; i < REASONS; i++)
	{
		Oid			object;
		char	   *name;

		if (!(mask & REASON_BIT(i)))
			continue;
		object = pg_atomic_read_u32(&shared_slots[index].unstored_object[i]);
		if (is_mended(def, i, object) ||
			(reason_is_of_relation(i) &&
			 is_reported(check, NameStr(def->name), object)))
			continue;
		name = reason_object(i, object);
		report(check, NameStr(def->name),
			   name != NULL ? name :
			   def->signature != NULL ? def->signature : NameStr(def->name),
			   psprintf("results are not stored, because %s",
						reason_problem(i, object, NameStr(def->name))),
			   reason_hint(i, object, NameStr(def->name), def->signature,
						   def->trusted));
	}
}

/* Functions that are trusted, but are not there */
static void
check_trust(Check *check, CacheDef *def)
{
	if (def->untraced != NIL)
		report(check, NameStr(def->name), NameStr(def->name),
			   "a function that the cache trusts is gone",
			   "Name those that there are with cache_alter(..., trust => ...).");
}

static void
check_use(Check *check, CacheDef *def)
{
	int			slot = slot_find(MyDatabaseId, def->id);

	if (slot >= 0 && stats_read(slot, STATS_MISSES) >= CHECK_GETS &&
		stats_read(slot, STATS_HITS) + stats_read(slot, STATS_REDIS_HITS) +
		stats_read(slot, STATS_WAITS) == 0)
		report(check, NameStr(def->name), NameStr(def->name),
			   psprintf("none of " UINT64_FORMAT " gets was answered from the cache",
						stats_read(slot, STATS_MISSES)),
			   "See what cache_stats says of bypasses, rejected and invalidations, or drop the cache.");
}

/* Caches that have nothing here, because nothing of them is replicated */
static void
check_standby(Check *check, CacheDef *def)
{
	if (def->plain && !def->logged && RecoveryInProgress())
		report(check, NameStr(def->name), NameStr(def->name),
			   "the cache is empty on a standby, because it is not logged",
			   psprintf("On the primary: SELECT cache_alter(%s, logged => true);",
						quote_literal_cstr(NameStr(def->name))));
}

static void
check_cache(Check *check, const char *name)
{
	CacheDef   *def = definition_find(name);
	Oid		   *watched;
	int			nwatched;

	if (def == NULL)
		return;
	definition_use(def);
	nwatched = def->nwatched;
	watched = def->watched;
	if (!OidIsValid(def->owner))
		report(check, name, name, "the owner is gone, so that only superusers can change the cache",
			   "Give the cache to a role: cache_alter(..., owner => ...).");
	if (!def->usable)
		report(check, name, def->signature, "the loader is gone or cannot be one",
			   "Create the function again, or name another one with cache_alter().");
	for (int i = 0; i < nwatched; i++)
		check_children(check, def, watched[i]);
	if (def->is_volatile)
		report(check, name, def->signature,
			   "the loader has become volatile, so that it is run for every get",
			   reason_hint(REASON_VOLATILE_LOADER, def->loader, name, def->signature,
						   def->trusted));
	check_trust(check, def);
	check_reads(check, def);
	if (!def->is_volatile)
		check_unstored(check, def);
	check_names(check, def);
	check_use(check, def);
	check_standby(check, def);
	definition_release(def);
}

/*
 * cache_check(): rows (cache, object, problem, hint); none if all is well
 */
PG_FUNCTION_INFO_V1(cache_check);
Datum
cache_check(PG_FUNCTION_ARGS)
{
	Check		check = {0};
	ListCell   *lc;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	check.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	stats_flush();
	check.watches = watches_list();
	foreach(lc, check.watches)
		check_trigger(&check, lfirst(lc));
	foreach(lc, definition_names())
		check_cache(&check, lfirst(lc));
	return (Datum) 0;
}
