/*-------------------------------------------------------------------------
 *
 * admin.c
 *		Creating, altering and dropping caches.
 *
 * The arguments of cache_create(), cache_alter() and cache_drop() become a row of
 * cache_definition (rows.c), and beside it is the cache's anchor (anchor.c), which
 * is made, altered and dropped with it.
 *
 * Locking: that of rows.c, before a definition is looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/textarray.h"
#include "definition/anchor.h"
#include "definition/definition.h"
#include "definition/keyexpr.h"
#include "definition/owner.h"
#include "definition/rows.h"
#include "depend/searchpath.h"
#include "load/keyvalue.h"
#include "protocol/invalidate.h"
#include "protocol/pending.h"
#include "segment.h"
#include "sql/command.h"
#include "sql/watch.h"
#include "sql/watchcheck.h"
#include "write/anchored.h"

/* The argument of cache_create() and cache_alter() */
#define TRUST_ARGUMENT	7
#define KEY_ARGUMENT	8
#define LOGGED_ARGUMENT	9

/*-------------------------------------------------------------------------
 * Checking arguments
 *-------------------------------------------------------------------------
 */

/* Is the interval's sum positive (1), zero (0) or negative (-1)? */
static int
interval_sign(Interval *interval)
{
	Interval	zero = {0};

	return DatumGetInt32(DirectFunctionCall2(interval_cmp,
											 IntervalPGetDatum(interval),
											 IntervalPGetDatum(&zero)));
}

static void
require_positive(const char *what, int64 value, bool zero_removes)
{
	if (value > 0 || (value == 0 && zero_removes))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be positive", what),
			 zero_removes ?
			 errhint("Zero removes the present one.") :
			 errhint("Leave it out to have none.")));
}

static void
set_cost(RowChange *row, int anum, const char *what, int64 value, bool alter)
{
	require_positive(what, value, alter);
	if (value == 0)
		rows_clear(row, anum);
	else
		rows_change(row, anum, Int64GetDatum(value));
}

/*
 * Read the arguments that cache_create() and cache_alter() share, from the
 * third on: ttl, max_cost, entry_cost, redis.  NULL leaves a column alone.
 */
static void
read_options(FunctionCallInfo fcinfo, RowChange *row, bool alter)
{
	if (!PG_ARGISNULL(2))
	{
		Interval   *ttl = PG_GETARG_INTERVAL_P(2);
		int			sign = interval_sign(ttl);

		require_positive("ttl", sign, alter);
		if (sign == 0)
			rows_clear(row, ANUM_TTL);
		else
		{
			/* Also an error if the time cannot be told. */
			(void) DirectFunctionCall2(timestamptz_pl_interval,
									   TimestampTzGetDatum(GetCurrentTimestamp()),
									   IntervalPGetDatum(ttl));
			rows_change(row, ANUM_TTL, IntervalPGetDatum(ttl));
		}
	}
	if (!PG_ARGISNULL(3))
		set_cost(row, ANUM_MAX_COST, "max_cost", PG_GETARG_INT64(3), alter);
	if (!PG_ARGISNULL(4))
		set_cost(row, ANUM_ENTRY_COST, "entry_cost", PG_GETARG_INT64(4), alter);
	if (!PG_ARGISNULL(5))
		rows_change(row, ANUM_REDIS, BoolGetDatum(PG_GETARG_BOOL(5)));
}

/* The full name of a function that is trusted. */
static char *
trust_one(const char *name)
{
	Oid			function = DatumGetObjectId(DirectFunctionCall1(regprocedurein,
																CStringGetDatum(name)));
	char	   *language = NULL;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s does not exist", name)));
	if (((Form_pg_proc) GETSTRUCT(tuple))->provolatile != PROVOLATILE_VOLATILE)
		language = get_language_name(((Form_pg_proc) GETSTRUCT(tuple))->prolang, true);
	ReleaseSysCache(tuple);
	if (language != NULL && strcmp(language, "sql") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("function %s need not be trusted", format_procedure(function)),
				 errdetail("Functions in SQL are looked into."),
				 errhint("Trust the functions that it calls.")));
	return format_procedure_qualified(function);
}

/*
 * Read the argument trust: a list of functions, as ALTER FUNCTION names them,
 * separated by commas.  An empty one removes what there is.
 */
static void
read_trust_argument(FunctionCallInfo fcinfo, RowChange *row)
{
	char	   *list;
	char	   *start;
	int			depth = 0;
	bool		quoted = false;
	List	   *names = NIL;
	char	  **strings;
	int			n = 0;
	ListCell   *lc;

	if (PG_NARGS() <= TRUST_ARGUMENT || PG_ARGISNULL(TRUST_ARGUMENT))
		return;
	list = text_to_cstring(PG_GETARG_TEXT_PP(TRUST_ARGUMENT));
	start = list;
	for (char *at = list;; at++)
	{
		if (*at == '"')
			quoted = !quoted;
		else if (!quoted && (*at == '(' || *at == ')'))
			depth += *at == '(' ? 1 : -1;
		if (*at == '\0' || (*at == ',' && !quoted && depth == 0))
		{
			bool		end = *at == '\0';

			*at = '\0';
			if (start[strspn(start, " \t\n")] != '\0')
				names = lappend(names, trust_one(start));
			if (end)
				break;
			start = at + 1;
		}
	}
	if (names == NIL)
	{
		rows_clear(row, ANUM_TRUST);
		return;
	}
	strings = palloc(sizeof(char *) * list_length(names));
	foreach(lc, names)
		strings[n++] = lfirst(lc);
	rows_change(row, ANUM_TRUST, textarray_make(strings, n));
}

/* One of these values is new, the other what the cache has. */
static void
check_costs(uint64 max_cost, uint64 entry_cost)
{
	if (max_cost != 0 && entry_cost > max_cost)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("entry_cost must not be greater than max_cost"),
				 errdetail("No entry could ever be stored.")));
	if (max_cost == 0 && entry_cost != 0)
		ereport(NOTICE,
				(errmsg("entry_cost limits nothing without max_cost"),
				 errhint("Give the cache a max_cost, or leave out entry_cost.")));
}

/* Is there an argument that says how keys compare? */
static bool
has_key_argument(FunctionCallInfo fcinfo)
{
	return PG_NARGS() > KEY_ARGUMENT && !PG_ARGISNULL(KEY_ARGUMENT);
}

/*
 * Read the argument key: expressions of the loader's arguments, by which keys
 * compare.  Without it those that there are (NULL: none) stay; an empty one
 * removes them.
 */
static void
read_key_argument(FunctionCallInfo fcinfo, RowChange *row, CacheDef *def,
				  const char *present)
{
	char	   *key;

	if (!has_key_argument(fcinfo))
	{
		if (present != NULL)
			(void) keyexpr_describe(def, present, true);
		return;
	}
	key = text_to_cstring(PG_GETARG_TEXT_PP(KEY_ARGUMENT));
	key = key[strspn(key, " \t\n")] == '\0' ? NULL :
		keyexpr_describe(def, key, false);
	if (key == NULL)
		rows_clear(row, ANUM_KEY);
	else
		rows_change(row, ANUM_KEY, CStringGetTextDatum(key));
}

/* Complain about a key of a cache without a loader. */
static void
refuse_key_argument(FunctionCallInfo fcinfo, const char *name)
{
	if (has_key_argument(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cache \"%s\" has no loader whose arguments could be compared",
						name),
				 errhint("Its keys are texts, compared as they are.")));
}

/*
 * Read the argument logged: is what is set in the cache to be logged?  NULL leaves
 * what there is.
 */
static bool
read_logged_argument(FunctionCallInfo fcinfo, const char *name, bool plain,
					 bool present)
{
	bool		logged;

	if (PG_NARGS() <= LOGGED_ARGUMENT || PG_ARGISNULL(LOGGED_ARGUMENT))
		return present;
	logged = PG_GETARG_BOOL(LOGGED_ARGUMENT);
	if (logged && !plain)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cache \"%s\" has a loader, so it cannot be logged", name),
				 errdetail("What the loader reads is what survives a crash."),
				 errhint("Only caches without a loader can be logged, which keep what cache_set() sets.")));
	return logged;
}

/*
 * Fill in what follows from the loader, which is another one or (anew false) only
 * has other keys; present: see read_key_argument.
 */
static void
set_loader(FunctionCallInfo fcinfo, RowChange *row, CacheDef *def, Oid loader,
		   bool anew, const char *present)
{
	(void) definition_describe(def, loader, true);
	read_key_argument(fcinfo, row, def, present);
	if (anew)
	{
		definition_require_read(def);
		searchpath_notice(def);
		rows_name_loader(row, loader);
		rows_change(row, ANUM_SETTINGS, PointerGetDatum(settings_record()));
	}
	watchcheck_all(def);
	rows_name_collations(row, definition_collations(def), def->nkeys);
}

/*-------------------------------------------------------------------------
 * SQL functions
 *-------------------------------------------------------------------------
 */

/*
 * cache_create(name text, loader regprocedure, ttl interval, max_cost bigint,
 *				entry_cost bigint, redis boolean, if_not_exists boolean,
 *				trust text, key text, logged boolean); the last four since
 *				1.1
 */
PG_FUNCTION_INFO_V1(cache_create);
Datum
cache_create(PG_FUNCTION_ARGS)
{
	char	   *name;
	CacheDef	def = {0};
	RowChange	row = {0};
	Relation	rel;
	NameData	key;

	segment_require();
	name = definition_name_argument(fcinfo, 0);
	PreventCommandDuringRecovery("cache_create()");
	PreventCommandIfReadOnly("cache_create()");
	rel = definition_open(ShareRowExclusiveLock);
	anchored_mend(false);
	if (definition_find(name) != NULL)
	{
		bool		skip = command_option(fcinfo, 6);

		ereport(skip ? NOTICE : ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 skip ? errmsg("cache \"%s\" already exists, skipping", name) :
				 errmsg("cache \"%s\" already exists", name)));
		table_close(rel, NoLock);
		PG_RETURN_VOID();
	}

	anchor_evict(name);
	memset(row.nulls, true, sizeof(row.nulls));
	namestrcpy(&key, name);
	def.name = key;
	rows_change(&row, ANUM_NAME, NameGetDatum(&key));
	def.id = rows_new_id();
	pending_add_created(def.id);
	rows_change(&row, ANUM_ID, Int64GetDatum(def.id));
	rows_change(&row, ANUM_VERSION, Int64GetDatum(rows_new_id()));
	rows_change(&row, ANUM_OWNER, owner_make(GetUserId()));
	rows_change(&row, ANUM_REDIS, BoolGetDatum(false));
	rows_change(&row, ANUM_LOGGED,
				BoolGetDatum(read_logged_argument(fcinfo, name, PG_ARGISNULL(1), false)));
	if (PG_ARGISNULL(1))
	{
		refuse_key_argument(fcinfo, name);
		rows_change(&row, ANUM_SETTINGS, textarray_make(NULL, 0));
	}
	else
		set_loader(fcinfo, &row, &def, PG_GETARG_OID(1), true, NULL);
	read_options(fcinfo, &row, false);
	read_trust_argument(fcinfo, &row);
	check_costs(PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3),
				PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4));

	rows_insert(rel, &row);
	table_close(rel, NoLock);
	anchor_set(name, GetUserId(),
			   PG_ARGISNULL(1) ? InvalidOid : PG_GETARG_OID(1), false);
	PG_RETURN_VOID();
}

/*
 * The role that is to own a cache, as for ALTER TABLE OWNER: the caller must be
 * able to become it.
 */
static Oid
new_owner(FunctionCallInfo fcinfo, int arg)
{
	Oid			role = PG_GETARG_OID(arg);

	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist", role)));
	cache_check_can_set_role(GetUserId(), role);
	return role;
}

/*
 * cache_alter(name text, loader regprocedure, ttl interval, max_cost bigint,
 *			   entry_cost bigint, redis boolean, owner regrole, trust text,
 *			   key text, logged boolean); the last four since 1.1
 *
 * NULL leaves what there is; a ttl or cost of zero removes it.  A cache without
 * a loader keeps what was set: if it is logged from now on, or not any more, in
 * another table (keyvalue.c).
 */
PG_FUNCTION_INFO_V1(cache_alter);
Datum
cache_alter(PG_FUNCTION_ARGS)
{
	CacheDef   *def;
	RowChange	row = {0};
	NameData	name;
	Oid			owner;
	Oid			loader;
	KeyValueHome home;
	bool		moves;

	segment_require();
	def = command_begin(fcinfo, 0, false);
	name = def->name;
	home = keyvalue_home(def);
	owner = def->owner;
	loader = def->loader;
	if (def->plain && !PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cache \"%s\" has no loader, and cannot be given one",
						NameStr(def->name)),
				 errhint("Drop the cache and create it with a loader.")));
	if (def->plain)
		refuse_key_argument(fcinfo, NameStr(def->name));
	home.logged = read_logged_argument(fcinfo, NameStr(name), def->plain,
									   def->logged);
	moves = home.logged != def->logged;
	if (moves)
		rows_change(&row, ANUM_LOGGED, BoolGetDatum(home.logged));
	read_options(fcinfo, &row, true);
	read_trust_argument(fcinfo, &row);
	if (!PG_ARGISNULL(3) || !PG_ARGISNULL(4))
		check_costs(PG_ARGISNULL(3) ? def->limit.max_cost : PG_GETARG_INT64(3),
					PG_ARGISNULL(4) ? def->limit.entry_cost : PG_GETARG_INT64(4));
	if (PG_NARGS() > 6 && !PG_ARGISNULL(6))
	{
		owner = new_owner(fcinfo, 6);
		rows_change(&row, ANUM_OWNER, owner_make(owner));
	}
	invalidate_cache(def);
	if (!PG_ARGISNULL(1) || has_key_argument(fcinfo))
	{
		CacheDef	altered = {0};
		char	   *present = def->key == NULL ? NULL : pstrdup(def->key);
		bool		anew = !PG_ARGISNULL(1);

		if (anew)
			loader = PG_GETARG_OID(1);
		else
			definition_require_loader(def);
		altered.name = name;
		set_loader(fcinfo, &row, &altered, loader, anew, present);
		rows_update(&name, &row);
	}
	else
		rows_update(&name, &row);
	if (moves)
	{
		(void) keyvalue_lock(home.cache, ExclusiveLock);
		keyvalue_move(&home);
	}
	anchor_set(NameStr(name), owner, loader, false);
	PG_RETURN_VOID();
}

/*
 * cache_drop(name text, if_exists boolean); the last one since 1.1
 */
PG_FUNCTION_INFO_V1(cache_drop);
Datum
cache_drop(PG_FUNCTION_ARGS)
{
	CacheDef   *def;
	NameData	name;

	segment_require();
	def = command_begin(fcinfo, 0, command_option(fcinfo, 1));
	if (def == NULL)
		PG_RETURN_VOID();
	name = def->name;
	definition_use(def);
	watch_drop_all(def);
	definition_release(def);
	if (!anchor_drop(NameStr(name)))
		anchored_forget(NameStr(name));
	PG_RETURN_VOID();
}

/*
 * cache_mend(): for the extension's script, and without shared memory
 */
PG_FUNCTION_INFO_V1(cache_mend);
Datum
cache_mend(PG_FUNCTION_ARGS)
{
	anchored_mend(true);
	PG_RETURN_VOID();
}
