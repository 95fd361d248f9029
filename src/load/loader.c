/*-------------------------------------------------------------------------
 *
 * loader.c
 *		Running loaders.
 *
 * A loader is called as the executor would call it, under the caller's active
 * snapshot and the settings recorded with its cache.  While it runs, it is
 * watched what it depends on (loads.c); here it is decided whether what it
 * gives may be stored.  The result is converted to jsonb in the same way, as that
 * may run functions of users.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/extension.h"
#include "definition/key.h"
#include "definition/value.h"
#include "definition/watches.h"
#include "depend/compiled.h"
#include "depend/dependency.h"
#include "depend/inspect.h"
#include "depend/loads.h"
#include "depend/plans.h"
#include "depend/reason.h"
#include "depend/unstored.h"
#include "fence/registry.h"
#include "fence/slotlists.h"
#include "load/keyvalue.h"
#include "load/loader.h"
#include "protocol/catalogs.h"
#include "protocol/pending.h"

/*
 * A load whose functions turn out to have been compiled elsewhere is run again,
 * with those compiled anew; each time it may show more of them.
 */
#define LOADER_PASSES	4

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
	state.ddl = catalogs_state();
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
	memset(&def->loader_why, 0, sizeof(Reasons));
	memset(&def->loader_is, 0, sizeof(Reasons));
	if (!def->is_volatile && !list_member_oid(def->trusted, def->loader))
		inspect_routine(def->loader, NULL, &def->loader_is);
	fmgr_info(def->loader, &def->loader_fn);
	value_jsonb_setup(&def->to_jsonb, def->rettype);
	MemoryContextSwitchTo(old);
	def->loader_state = state;
	def->loader_failed = false;
}

static void
call_loader(CacheDef *def, FmgrInfo *function, Datum *args, const bool *nulls,
			Oid collation, bool native, const Datum *given,
			LoadResult *result)
{
	LOCAL_FCINFO(fcinfo, FUNC_MAX_ARGS);

	if (given != NULL)
	{
		result->native = *given;
		result->isnull = false;
		result->value = FunctionCall1(&def->to_jsonb, *given);
		return;
	}
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
	if (def->plpgsql)
		compiled_prepare(fcinfo);
	result->value = result->native = FunctionCallInvoke(fcinfo);
	result->isnull = fcinfo->isnull;
	if (!native && !result->isnull && def->rettype != JSONBOID)
		result->value = FunctionCall1(&def->to_jsonb, result->value);
}

/* Say, once a session, why a cache without a loader has nothing. */
static void
note_standby(CacheDef *def, Oid table)
{
	if (unstored_first(def, table, true))
		ereport(WARNING,
				(errmsg("cache \"%s\" is empty on a standby", NameStr(def->name)),
				 errdetail("It is not logged, so that standbys do not get what is set in it."),
				 errhint("On the primary: SELECT cache_alter(%s, logged => true);",
						 quote_literal_cstr(NameStr(def->name)))));
}

/*
 * Without a loader: read what was set.  To loads in progress the table is one
 * that is not watched.
 */
static void
load_plain(CacheDef *def, Datum key, LoadResult *result)
{
	Relation	rel = table_open(extension_get()->values[def->logged].table,
								 AccessShareLock);
	KeyValue	found = {0};
	KeyValueState state = keyvalue_load(def, key, &found);

	if (!def->logged && RecoveryInProgress())
		note_standby(def, RelationGetRelid(rel));
	loads_note_relation(rel, COLUMNS_ALL);
	if (def->slot >= 0)
		slot_add_read(def->slot, RelationGetRelid(rel), COLUMNS_ALL);
	table_close(rel, NoLock);

	result->isnull = state != KEYVALUE_FOUND || found.isnull;
	result->value = result->isnull ? (Datum) 0 : found.value;
	result->expires = state == KEYVALUE_FOUND ? found.expires : 0;
	result->cost = state == KEYVALUE_FOUND ? found.cost : 0;
	loads_bound(result->expires);

	/* It is still there for those whose statement began before the expiry. */
	result->storable = state != KEYVALUE_EXPIRED;
}

/* What a load has to be ended with, and how it went. */
typedef struct Run
{
	Load		load;
	bool		complete;		/* all recorded settings were in force */
} Run;

/*
 * Run the loader once, watched.  given: see run_loader.
 */
static void
run_once(CacheDef *def, Datum *args, const bool *nulls, Oid collation,
		 bool native, const Datum *given, Run *run, LoadResult *result)
{
	FmgrInfo	again;
	FmgrInfo   *function = &def->loader_fn;
	int			nestlevel = 0;
	Oid			role;
	int			context;
	void	   *compiled;

	definition_follow(def);
	loader_prepare(def, collation);
	/* What a function keeps between calls must not be entered twice. */
	if (def->loading > 0)
	{
		fmgr_info(def->loader, &again);
		function = &again;
	}

	compiled = compiled_enter();
	load_begin(&run->load, def, false);
	run->load.args = args;
	run->load.nulls = nulls;
	def->loading++;
	GetUserIdAndSecContext(&role, &context);

	PG_TRY();
	{
		nestlevel = settings_apply(&def->settings, &run->complete);
		if (!run->complete)
			run->load.deviation = settings_deviation(&def->settings);
		if (!def->definer)
			dependency_note_session(loads_rights());
		plans_note_call(def->loader);
		loads_note_all(&def->loader_is);
		if (def->definer)
			SetUserIdAndSecContext(role, context | SECURITY_RESTRICTED_OPERATION);
		call_loader(def, function, args, nulls, collation, native, given,
					result);
		load_note_unread(&run->load);
	}
	PG_CATCH();
	{
		load_end(&run->load);
		compiled_failed(compiled);
		def->loader_failed = true;
		def->loading--;
		PG_RE_THROW();
	}
	PG_END_TRY();

	SetUserIdAndSecContext(role, context);
	settings_restore(nestlevel);
	load_end(&run->load);
	compiled_leave(compiled);
	def->loading--;

	/* PL/pgSQL's plans are seen to in compiled.c. */
	if (!def->plpgsql && given == NULL)
		reasons_add_lasting(&def->loader_why, &run->load.planned);
}

/*
 * What a kept plan of the loader's was made with is not seen again when it is
 * used again, also when a load is run again: an IMMUTABLE function that was folded
 * into it, for instance.  So what was noted when it was planned (run_once) holds for
 * all loads under it.
 */
static void
recall_planned(CacheDef *def, Load *load)
{
	reasons_add(&load->why, &def->loader_why);

	/* This one forbids nothing, but holds for whatever uses the result. */
	if (load->why.mask & REASON_BIT(REASON_CATALOGS))
	{
		load->why.mask &= ~REASON_BIT(REASON_CATALOGS);
		if (def->slot >= 0)
			slot_note_catalogs(def->slot);
		if (current_load != NULL)
			loads_note(REASON_CATALOGS, REASON_NOTHING);
	}
}

/* How far this transaction had come. */
typedef struct Progress
{
	TransactionId xid;
	CommandId	command;
} Progress;

static bool
has_written(const Progress *since)
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
		(!TransactionIdIsValid(since->xid) ||
		 GetCurrentCommandId(false) != since->command);
}

/*
 * Is there a point in running a load again, with its functions compiled anew?
 * Not if its result would not be stored for other reasons, and never if it has
 * written, or called something VOLATILE.
 */
static bool
is_worthwhile(CacheDef *def, Load *load, const Progress *since)
{
	return !def->is_volatile && !has_written(since) &&
		!(load->why.mask & REASON_BIT(REASON_VOLATILE)) &&
		reasons_that_forbid(&load->why, def->ttl != NULL) == 0;
}

/* Note something of a load that has ended, and of those that it was a part of. */
static void
note_load(Load *load, Reason reason, Oid object)
{
	reasons_note(&load->why, reason, object);
	loads_note(reason, object);
}

/*
 * The rules of what may be stored, beside what was noted while the load ran: each
 * notes what speaks against its result, and what else depends on that.  converted:
 * the loader was not called, just its result converted.
 */
static void
judge_load(CacheDef *def, Run *run, Datum *args, const bool *nulls,
		   bool converted, const Progress *before)
{
	Load	   *load = &run->load;

	/* Functions that run were compiled under other settings, still. */
	if (load->stale && is_worthwhile(def, load, before))
		note_load(load, REASON_COMPILED, def->loader);
	else if (load->stale && current_load != NULL)
		current_load->stale = true;

	if (!run->complete)
		note_load(load, REASON_SETTINGS, REASON_NOTHING);

	if (def->is_volatile)
	{
		/* Whatever else there is does not matter. */
		memset(&load->why, 0, sizeof(Reasons));
		note_load(load, REASON_VOLATILE_LOADER, def->loader);
	}

	if (!def->plpgsql && !converted)
		recall_planned(def, load);

	if (!converted && !key_is_settled(def, args, nulls))
		reasons_note(&load->why, REASON_KEY_EXPRESSION, REASON_NOTHING);

	/* A load that writes does not give others what it gives itself. */
	if (!def->is_volatile && has_written(before))
		reasons_note(&load->why, REASON_WRITES, REASON_NOTHING);
}

/*
 * May the result be stored?  Else the reasons are told, if there are such that
 * the user can do something about.
 */
static bool
may_store(CacheDef *def, Load *load)
{
	uint32		mask = reasons_that_forbid(&load->why, def->ttl != NULL);

	if (mask != 0)
	{
		unstored_note(def, &load->why, mask);
		return false;
	}

	if (load->unsettled || load->stale)
		return false;

	if (reasons_hide_reads(&load->why) && def->slot >= 0 &&
		!GUARD_REMOVED("unseen"))
		slot_add_unseen(def->slot);

	/*
	 * What nobody tells us of may be stored for a while, if the user has said
	 * for how long; but not what this transaction may have changed itself.
	 */
	return load->why.mask == 0 ||
		!TransactionIdIsValid(GetTopTransactionIdIfAny());
}

/*
 * Run the loader until what runs has been compiled for it, and decide about its
 * result.  given: see run_loader.
 */
static void
load_watched(CacheDef *def, Datum *args, const bool *nulls, Oid collation,
			 bool native, const Datum *given, LoadResult *result)
{
	Run			run;
	Progress	before = {GetTopTransactionIdIfAny(), GetCurrentCommandId(false)};
	int			passes = 0;

	do
		run_once(def, args, nulls, collation, native, given, &run, result);
	while (run.load.stale && is_worthwhile(def, &run.load, &before) &&
		   ++passes < LOADER_PASSES);
	judge_load(def, &run, args, nulls, given != NULL, &before);
	result->storable = may_store(def, &run.load);
	result->expires = run.load.expires;
	result->cost = 0;
	def->unstorable = !result->storable;
}

/*
 * loader_run or, if what the loader would give is given, loader_convert.
 */
static void
run_loader(CacheDef *def, Datum *args, const bool *nulls, Oid collation,
		   bool native, const Datum *given, LoadResult *result)
{
	bool		pushed = false;

	if (!ActiveSnapshotSet())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		pushed = true;
	}
	if (def->plain)
		load_plain(def, args[0], result);
	else
		load_watched(def, args, nulls, collation, native, given, result);
	if (pushed)
		PopActiveSnapshot();
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
	run_loader(def, args, nulls, collation, native, NULL, result);
}

/*
 * What loader_run would give as jsonb, if the loader's result is this value,
 * which is not NULL.  What else the conversion depends on is watched, as in a
 * load.
 */
void
loader_convert(CacheDef *def, Oid collation, Datum value, LoadResult *result)
{
	run_loader(def, NULL, NULL, collation, false, &value, result);
}

/* Warn, once a session, that a key function's answers cannot be relied on. */
static void
warn_keys(CacheDef *def, Oid function, const Reasons *why)
{
	Reason		reason = 0;
	char	   *repair = NULL;

	while (!(why->mask & REASON_BIT(reason)))
		reason++;
	if (!unstored_first(def, why->object[reason] ^ reason, true))
		return;
	if (reason == REASON_UNWATCHED)
		repair = watches_repair(NameStr(def->name), why->object[reason]);
	ereport(WARNING,
			(errmsg("key function %s invalidates all of cache \"%s\"",
					format_procedure(function), NameStr(def->name)),
			 errdetail("%s", reason_of_keys(reason, why->object[reason],
											NameStr(def->name))),
			 repair != NULL ? errhint("%s", repair) :
			 reason == REASON_UNWATCHED ?
			 errhint("Watch that table as well.") :
			 errhint("The keys of a row must depend on nothing but watched tables without row level security.")));
}

/*
 * Call a key function, by way of the given procedure, as a loader is called:
 * under the recorded settings, and watched.  False if its answer must not be
 * relied on: it has read something whose changes could move rows from key to
 * key without notice, or has caught an error, or was compiled elsewhere.
 */
bool
loader_call_keys(CacheDef *def, Oid function, void (*call) (void *), void *arg)
{
	Load		load;
	bool		complete = false;
	int			nestlevel = 0;
	int			passes = 0;
	Oid			role;
	int			context;
	void	   *compiled;

	definition_use(def);
	definition_follow(def);
	GetUserIdAndSecContext(&role, &context);
	do
	{
		/* Keys that are told twice are the same keys. */
		compiled = compiled_enter();
		load_begin(&load, def, true);
		PG_TRY();
		{
			nestlevel = settings_apply(&def->settings, &complete);
			SetUserIdAndSecContext(role, context | SECURITY_RESTRICTED_OPERATION);
			dependency_note_session(RIGHTS_NONE);
			dependency_note_function(function);
			inspect_routine(function, loads_trusted, &load.why);
			call(arg);
			load_note_unread(&load);
		}
		PG_CATCH();
		{
			load_end(&load);
			compiled_failed(compiled);
			definition_release(def);
			PG_RE_THROW();
		}
		PG_END_TRY();

		SetUserIdAndSecContext(role, context);
		settings_restore(nestlevel);
		load_end(&load);
		compiled_leave(compiled);
	} while (load.stale && load.why.mask == 0 && ++passes < LOADER_PASSES);
	if (load.stale || load.reads_catalogs)
		complete = false;
	if (load.why.mask != 0)
	{
		complete = false;
		warn_keys(def, function, &load.why);
	}
	definition_release(def);
	return complete;
}
