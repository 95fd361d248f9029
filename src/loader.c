/*-------------------------------------------------------------------------
 *
 * loader.c
 *		Running loaders, and watching what they read.
 *
 * A loader is called as the executor would call it, under the caller's active
 * snapshot and the settings recorded with its cache.
 *
 * While it runs, a hook in ExecutorStart looks at every plan that is executed,
 * at any depth.  What is read from a table with row security or a temporary
 * table is different for others, and not stored.  A table that is not watched
 * for this cache (or a foreign table, which cannot be) may change without
 * notice: the result is stored only if the cache has a ttl.  Catalogs are
 * exempt: DDL invalidates all caches.
 *
 * A load inside a load is watched for both.  A hit inside a load counts as
 * reading whatever the loads of that cache have read, which its slot in the
 * registry remembers.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_largeobject.h"
#include "catalog/pg_largeobject_metadata.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "coherence.h"
#include "devel.h"
#include "keyvalue.h"
#include "loader.h"
#include "pending.h"
#include "registry.h"
#include "session.h"
#include "shared.h"
#include "value.h"
#include "watch.h"

/* A load in progress. */
typedef struct Load
{
	CacheDef   *def;
	bool		keys;			/* it is a key function, not the loader */
	bool		forbidden;		/* has read what must not be stored */
	Oid			unwatched;		/* a table that is not watched, if any */
	SessionUse	use;			/* of the clock and the session */
	TimestampTz expires;		/* of the entries that it has used, or 0 */
	struct Load *outer;
} Load;

static Load *current_load = NULL;

/* (cache, table) pairs that this session has been warned of */
typedef struct Warned
{
	uint64		cache;
	Oid			relid;			/* or WARNED_... */
	uint32		keys;			/* read by a key function */
} Warned;

/* Numbers that no table has */
#define WARNED_CLOCK	1
#define WARNED_SESSION	2

static HTAB *warned = NULL;

static ExecutorStart_hook_type prev_executor_start = NULL;

/*
 * How many loads are in progress, one inside the other?
 */
int
loader_depth(void)
{
	int			depth = 0;

	for (Load *load = current_load; load != NULL; load = load->outer)
		depth++;
	return depth;
}

/*
 * Forget the loads in progress: the transaction has ended.
 */
void
loader_reset(void)
{
	current_load = NULL;
}

/*-------------------------------------------------------------------------
 * Watching
 *-------------------------------------------------------------------------
 */

/* Is it a catalog whose changes are known because they are DDL? */
static bool
is_catalog(Oid relid)
{
	return relid < FirstNormalObjectId &&
		relid != LargeObjectRelationId && relid != LargeObjectMetadataRelationId;
}

static void
note_relation(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	char		relkind = rel->rd_rel->relkind;

	if (relkind == RELKIND_VIEW || is_catalog(relid))
		return;
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		/*
		 * Whether policies apply depends on the role, its settings and what
		 * the policies call; PlannedStmt does not tell (its dependsOnRole is
		 * for foreign joins alone).
		 */
		if (rel->rd_rel->relrowsecurity && !GUARD_REMOVED("row_security"))
			load->forbidden = true;
		if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		{
			if (!GUARD_REMOVED("temporary"))
				load->forbidden = true;
		}
		else if ((relkind == RELKIND_FOREIGN_TABLE ||
				  !watch_covers(rel, NameStr(load->def->name))) &&
				 !OidIsValid(load->unwatched))
			load->unwatched = relid;

		/* A slot that cannot hold all that is read makes hits useless. */
		if (!load->keys && load->def->slot >= 0 &&
			rel->rd_rel->relpersistence != RELPERSISTENCE_TEMP)
			slot_add_read(load->def->slot, relid);
	}
}

/* Whoever uses the result later has to lock the view, as this load has. */
static void
note_view(Oid relid)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0 &&
			!slot_add_view(load->def->slot, relid))
			load->forbidden = true;
	}
}

/* May parallel workers call functions of users, where this hook is not? */
static bool
calls_in_workers(PlannedStmt *plan)
{
	ListCell   *lc;

	if (!plan->parallelModeNeeded)
		return false;
	foreach(lc, plan->invalItems)
	{
		if (lfirst_node(PlanInvalItem, lc)->cacheId == PROCOID)
			return true;
	}
	return false;
}

/* These loads depend on what temporary objects a session has. */
static void
note_own_path(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0)
			pg_atomic_write_u32(&cache_slots[load->def->slot].own_path, 1);
	}
}

/*
 * Is the search_path another one than what was recorded?  A function with a
 * setting of its own may have pg_temp in front of what it means.
 */
static void
note_search_path(void)
{
	const Settings *settings = &current_load->def->settings;

	if (GUARD_REMOVED("settings"))
		return;
	for (int i = 0; i < settings->n; i++)
	{
		if (strcmp(settings->list[i].name, "search_path") == 0 &&
			strcmp(settings->list[i].value, namespace_search_path) != 0)
			note_own_path();
	}
}

static void
note_plan(PlannedStmt *plan)
{
	ListCell   *lc;
	SessionUse	use;
	bool		hidden = calls_in_workers(plan);

	note_search_path();
	session_inspect(plan, &use);
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (plan->dependsOnRole || hidden)
			load->forbidden = true;
		if (use.clock != NULL)
			load->use.clock = use.clock;
		if (use.session != NULL)
			load->use.session = use.session;
	}
	foreach(lc, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		Relation	rel;

		if (OidIsValid(rte->relid) && rte->relkind == RELKIND_VIEW)
		{
			if (rte->relid >= FirstNormalObjectId)
				note_view(rte->relid);
			continue;
		}
		if (rte->rtekind != RTE_RELATION || is_catalog(rte->relid))
			continue;
		/* The plan's locks are held already, or about to be taken. */
		rel = table_open(rte->relid, AccessShareLock);
		note_relation(rel);
		table_close(rel, NoLock);
	}
}

static void
loader_executor_start(QueryDesc *query, int eflags)
{
	if (current_load != NULL && query->plannedstmt != NULL)
		note_plan(query->plannedstmt);
	if (prev_executor_start)
		prev_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

/* What the loads in progress give is good until then; 0: no bound. */
static void
bound_loads(TimestampTz expires)
{
	for (Load *load = current_load; load != NULL && expires != 0;
		 load = load->outer)
	{
		if (load->expires == 0 || expires < load->expires)
			load->expires = expires;
	}
}

/*
 * A cached value of another cache was used, of this generation.  If a load is
 * in progress, it has read all that the loads of that cache have read.  Its
 * slot forgets that with each generation, after it has begun the next one: so
 * if the generation is still the same afterwards, nothing was missing.
 */
void
loader_note_hit(CacheDef *inner, uint64 generation, TimestampTz expires)
{
	CacheSlot  *slot;
	Oid			reads[SLOT_READS];
	Oid			views[SLOT_VIEWS];
	uint32		nreads;
	uint32		nviews;
	bool		own_path;
	bool		unknown;

	if (current_load == NULL || GUARD_REMOVED("nested_hit"))
		return;
	slot = &cache_slots[inner->slot];
	nreads = pg_atomic_read_u32(&slot->nreads);
	nviews = pg_atomic_read_u32(&slot->nviews);
	own_path = pg_atomic_read_u32(&slot->own_path) != 0;
	pg_read_barrier();
	memcpy(reads, slot->reads, sizeof(reads));
	memcpy(views, slot->views, sizeof(views));
	pg_read_barrier();
	unknown = nreads > SLOT_READS || nviews > SLOT_VIEWS ||
		(slot->fence.changes != generation && !GUARD_REMOVED("nested_race"));

	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (unknown)
			load->forbidden = true;
	}
	bound_loads(expires);
	if (own_path)
		note_own_path();
	for (uint32 i = 0; i < Min(nviews, SLOT_VIEWS); i++)
		note_view(views[i]);
	for (uint32 i = 0; i < Min(nreads, SLOT_READS); i++)
	{
		Relation	rel = try_relation_open(reads[i], AccessShareLock);

		if (rel == NULL)
			continue;
		note_relation(rel);
		relation_close(rel, NoLock);
	}
}

/*
 * What the loads in progress give is nothing that others could use.
 */
void
loader_forbid(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
		load->forbidden = true;
}

/*
 * Install the hook; once a process.
 */
void
loader_init(void)
{
	prev_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = loader_executor_start;
}

/* Is this the first time that this session is to be warned of it? */
static bool
warn_first(CacheDef *def, Oid what, bool keys)
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
	key.cache = def->id;
	key.relid = what;
	key.keys = keys;
	hash_search(warned, &key, HASH_ENTER, &found);
	return !found;
}

/* Warn, once a session, of a table that keeps results from being stored. */
static void
warn_unwatched(CacheDef *def, Oid relid)
{
	char	   *name;
	char	   *relname = get_rel_name(relid);
	char		relkind = get_rel_relkind(relid);
	bool		watchable = (relkind == RELKIND_RELATION ||
							 relkind == RELKIND_PARTITIONED_TABLE) &&
		relid >= FirstNormalObjectId && relid != keyvalue_table();

	if (relname == NULL || !warn_first(def, relid, false))
		return;
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  relname);
	ereport(WARNING,
			(errmsg("results of cache \"%s\" are not stored, because its loader reads table %s, which is not watched",
					NameStr(def->name), name),
			 watchable ?
			 errhint("Watch the table with SELECT cache_watch(%s, %s, ...), naming the columns that hold the key, or give the cache a ttl.",
					 quote_literal_cstr(NameStr(def->name)),
					 quote_literal_cstr(name)) :
			 errhint("It cannot be watched; give the cache a ttl.")));
}

/* Warn, once a session, of a function that does. */
static void
warn_function(CacheDef *def, const char *name, bool clock)
{
	if (!warn_first(def, clock ? WARNED_CLOCK : WARNED_SESSION, false))
		return;
	ereport(WARNING,
			(errmsg("results of cache \"%s\" are not stored, because its loader uses %s",
					NameStr(def->name), name),
			 clock ?
			 errdetail("Nothing tells when its result changes.") :
			 errdetail("The result depends on the session."),
			 clock ?
			 errhint("Pass its result as an argument, or give the cache a ttl.") :
			 errhint("Pass what is needed of the session as an argument.")));
}

/*-------------------------------------------------------------------------
 * Running
 *-------------------------------------------------------------------------
 */

/*
 * Look the loader up.  What a function keeps between its calls, plans above
 * all, is kept for as long as nothing in the catalogs has changed, for the
 * role and the collation that it was made for; and not if a load has failed,
 * or was one of those that concern nobody else.
 */
static void
loader_prepare(CacheDef *def, Oid collation)
{
	LoaderState state = {0};
	MemoryContext old;

	if (def->loading > 0)
		return;
	state.ddl = coherence_catalog_state();
	state.own_ddl = pending_ddl_count();
	GetUserIdAndSecContext(&state.role, &state.context);
	state.collation = collation;
	if (def->loader_context != NULL)
	{
		if (!def->loader_failed && !def->unstorable && state.ddl != 0 &&
			memcmp(&state, &def->loader_state, sizeof(state)) == 0)
			return;
		MemoryContextDelete(def->loader_context);
	}
	def->loader_context = AllocSetContextCreate(def->context, "cache loader",
												ALLOCSET_SMALL_SIZES);
	def->loader_failed = true;
	old = MemoryContextSwitchTo(def->loader_context);
	fmgr_info(def->loader, &def->loader_fn);
	value_jsonb_setup(&def->to_jsonb, def->rettype);
	MemoryContextSwitchTo(old);
	def->loader_state = state;
	def->loader_failed = false;
}

static void
call_loader(CacheDef *def, FmgrInfo *function, Datum *args, const bool *nulls,
			Oid collation, bool native, LoadResult *result)
{
	LOCAL_FCINFO(fcinfo, FUNC_MAX_ARGS);

	InitFunctionCallInfoData(*fcinfo, function, def->nkeys, collation,
							 NULL, NULL);
	for (int i = 0; i < def->nkeys; i++)
	{
		/* It may have become strict since the definition was read. */
		if (nulls[i] && function->fn_strict)
		{
			result->value = (Datum) 0;
			result->isnull = true;
			return;
		}
		fcinfo->args[i].value = args[i];
		fcinfo->args[i].isnull = nulls[i];
	}
	result->value = FunctionCallInvoke(fcinfo);
	result->isnull = fcinfo->isnull;
	if (!native && !result->isnull && def->rettype != JSONBOID)
		result->value = FunctionCall1(&def->to_jsonb, result->value);
}

/*
 * Without a loader: read what was set.  To loads in progress the table is one
 * that is not watched.
 */
static void
load_plain(CacheDef *def, Datum key, LoadResult *result)
{
	Relation	rel = table_open(keyvalue_table(), AccessShareLock);
	KeyValue	found = {0};
	KeyValueState state = keyvalue_load(def->id, key, &found);

	note_relation(rel);
	if (def->slot >= 0)
		slot_add_read(def->slot, RelationGetRelid(rel));
	table_close(rel, NoLock);

	result->isnull = state != KEYVALUE_FOUND || found.isnull;
	result->value = result->isnull ? (Datum) 0 : found.value;
	result->expires = state == KEYVALUE_FOUND ? found.expires : 0;
	result->cost = state == KEYVALUE_FOUND ? found.cost : 0;
	bound_loads(result->expires);

	/* It is still there for those whose statement began before the expiry. */
	result->storable = state != KEYVALUE_EXPIRED;
}

/*
 * Call the loader, or give NULL if it is strict and a key is NULL (the caller
 * sees to that).  The value is in the current memory context, as jsonb or, if
 * native, in the loader's own type.
 */
void
loader_run(CacheDef *def, Datum *args, const bool *nulls, Oid collation,
		   bool native, LoadResult *result)
{
	Load		load = {0};
	FmgrInfo	again;
	FmgrInfo   *function = &def->loader_fn;
	TransactionId xid = GetTopTransactionIdIfAny();
	CommandId	command = GetCurrentCommandId(false);
	bool		pushed = false;
	bool		complete = false;
	int			nestlevel = 0;
	Oid			role;
	int			context;

	if (!ActiveSnapshotSet())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		pushed = true;
	}
	if (def->plain)
	{
		load_plain(def, args[0], result);
		if (pushed)
			PopActiveSnapshot();
		return;
	}
	loader_prepare(def, collation);
	/* What a function keeps between calls must not be entered twice. */
	if (def->loading > 0)
	{
		fmgr_info(def->loader, &again);
		function = &again;
	}

	load.def = def;
	load.outer = current_load;
	current_load = &load;
	def->loading++;
	GetUserIdAndSecContext(&role, &context);

	PG_TRY();
	{
		nestlevel = settings_apply(&def->settings, &complete);
		if (def->definer)
			SetUserIdAndSecContext(role, context | SECURITY_RESTRICTED_OPERATION);
		call_loader(def, function, args, nulls, collation, native, result);
	}
	PG_CATCH();
	{
		current_load = load.outer;
		def->loader_failed = true;
		def->loading--;
		PG_RE_THROW();
	}
	PG_END_TRY();

	SetUserIdAndSecContext(role, context);
	settings_restore(nestlevel);
	current_load = load.outer;
	def->loading--;
	if (pushed)
		PopActiveSnapshot();

	result->storable = complete && !load.forbidden;
	result->expires = load.expires;
	result->cost = 0;

	/* A load that writes does not give others what it gives itself. */
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
		(!TransactionIdIsValid(xid) || GetCurrentCommandId(false) != command))
		result->storable = false;

	/*
	 * What nobody tells us of may be stored for a while, if the user has said
	 * for how long; but not what this transaction may have changed itself.
	 * What only concerns this session is nothing to others at any time.
	 */
	if (GUARD_REMOVED("unwatched"))
		load.unwatched = InvalidOid;
	if (OidIsValid(load.unwatched) &&
		TransactionIdIsValid(GetTopTransactionIdIfAny()))
		result->storable = false;
	if (result->storable && load.use.session != NULL)
	{
		result->storable = false;
		warn_function(def, load.use.session, false);
	}
	if (result->storable && def->ttl == NULL && OidIsValid(load.unwatched))
	{
		result->storable = false;
		warn_unwatched(def, load.unwatched);
	}
	if (result->storable && def->ttl == NULL && load.use.clock != NULL)
	{
		result->storable = false;
		warn_function(def, load.use.clock, true);
	}
	def->unstorable = !result->storable;
}

/* Warn, once a session, that a key function's answers cannot be relied on. */
static void
warn_keys(CacheDef *def, Oid function, const Load *load)
{
	const char *name = format_procedure(function);
	char	   *relname = OidIsValid(load->unwatched) ?
		get_rel_name(load->unwatched) : NULL;
	const char *use = load->use.session ? load->use.session : load->use.clock;

	if (!warn_first(def, OidIsValid(load->unwatched) ? load->unwatched : WARNED_SESSION, true))
		return;
	ereport(WARNING,
			(errmsg("key function %s invalidates all of cache \"%s\"",
					name, NameStr(def->name)),
			 relname ?
			 errdetail("It reads table %s, which is not watched for the cache.",
					   quote_qualified_identifier(get_namespace_name(get_rel_namespace(load->unwatched)),
												  relname)) :
			 use ?
			 errdetail("It uses %s.", use) :
			 errdetail("It reads what is different for different roles or sessions."),
			 relname ?
			 errhint("Watch that table as well.") :
			 use ?
			 errhint("The keys of a row must depend on nothing but tables.") :
			 errhint("Let it read plain tables without row level security.")));
}

/*
 * Call a key function, by way of the given procedure, as a loader is called:
 * under the recorded settings, and watched.  False if it has read something
 * whose changes could move rows from key to key without notice; then its
 * answer must not be relied on.
 */
bool
loader_call_keys(CacheDef *def, Oid function, void (*call) (void *), void *arg)
{
	Load		load = {0};
	bool		complete = false;
	int			nestlevel = 0;
	Oid			role;
	int			context;

	load.def = def;
	load.keys = true;
	load.outer = current_load;
	current_load = &load;
	definition_use(def);
	GetUserIdAndSecContext(&role, &context);
	PG_TRY();
	{
		nestlevel = settings_apply(&def->settings, &complete);
		SetUserIdAndSecContext(role, context | SECURITY_RESTRICTED_OPERATION);
		call(arg);
	}
	PG_CATCH();
	{
		current_load = load.outer;
		definition_release(def);
		PG_RE_THROW();
	}
	PG_END_TRY();

	SetUserIdAndSecContext(role, context);
	settings_restore(nestlevel);
	current_load = load.outer;
	if (GUARD_REMOVED("unwatched"))
		load.unwatched = InvalidOid;
	if (load.forbidden || OidIsValid(load.unwatched) ||
		load.use.session != NULL || load.use.clock != NULL)
	{
		complete = false;
		warn_keys(def, function, &load);
	}
	definition_release(def);
	return complete;
}
