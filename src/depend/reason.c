/*-------------------------------------------------------------------------
 *
 * reason.c
 *		The words for why a result is not stored.
 *
 * They are the same ones in the WARNING that a session gets once, in
 * cache_check() and in the view cache_unstored.  Which reasons there are, and what
 * follows of each: base/reasons.c.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

#include "base/relname.h"
#include "definition/extension.h"
#include "definition/watches.h"
#include "depend/narrow.h"
#include "depend/reason.h"

typedef enum ReasonSubject
{
	SUBJECT_LOADER,
	SUBJECT_RELATION,
	SUBJECT_FUNCTION
} ReasonSubject;

/*
 * For each reason: its name in cache_unstored, whether it is told to nobody (it
 * passes by itself, or tells itself), what it is found at, what is wrong (%s: the
 * object), and what to do.  A NULL hint: see reason_hint.
 */
static const struct
{
	const char *name;
	bool		silent;
	ReasonSubject subject;
	const char *problem;
	const char *hint;
}			reasons[REASONS] = {
	[REASON_VOLATILE_LOADER] = {
		"volatile loader", false, SUBJECT_FUNCTION,
		"its loader %s is volatile, so it is run for every get", NULL
	},
	[REASON_UNWATCHED] = {
		"unwatched table", false, SUBJECT_RELATION,
		"its loader reads table %s, which is not watched", NULL
	},
	[REASON_NARROW_WATCH] = {
		"narrow watch", false, SUBJECT_RELATION,
		"its loader finds rows of table %s in another way than by the watched columns being equal to the key",
		NULL
	},
	[REASON_KEY_EXPRESSION] = {
		"key expression", false, SUBJECT_LOADER,
		"the expression that its keys compare by gives something else when it is applied to its own result",
		"Compare keys by an expression that leaves its results as they are, such as lower(); others, such as md5(), are to be called for the key of each get."
	},
	[REASON_ROW_SECURITY] = {
		"row level security", false, SUBJECT_RELATION,
		"its loader reads table %s, which has row level security",
		"Let the loader read a table without policies, with what they depend on as an argument."
	},
	[REASON_TEMPORARY] = {
		"temporary table", false, SUBJECT_RELATION,
		"its loader reads temporary table %s",
		"Let the loader read tables that all sessions have."
	},
	[REASON_SESSION] = {
		"session", false, SUBJECT_FUNCTION,
		"its loader uses %s, whose result depends on the session",
		"Pass what is needed of the session as an argument."
	},
	[REASON_CLOCK] = {
		"clock", false, SUBJECT_FUNCTION,
		"its loader uses %s, and nothing tells when its result changes",
		"Pass its result as an argument, or give the cache a ttl."
	},
	[REASON_STATE] = {
		"state of the server", false, SUBJECT_FUNCTION,
		"its loader uses %s, which reads what changes without notice",
		"Leave it out, or give the cache a ttl."
	},
	[REASON_VOLATILE] = {
		"volatile function", false, SUBJECT_FUNCTION,
		"its loader calls the volatile function %s", NULL
	},
	[REASON_OPAQUE] = {
		"opaque function", false, SUBJECT_FUNCTION,
		"its loader calls %s, in whose code nobody can see what it depends on",
		NULL
	},
	[REASON_CAUGHT_ERROR] = {
		"caught error", false, SUBJECT_LOADER,
		"its loader has caught an error, which may have been this session's alone",
		"Let the loader test for what it expects instead of catching errors (EXCEPTION WHEN)."
	},
	[REASON_ROW_LOCKS] = {
		"row locks", false, SUBJECT_LOADER,
		"its loader locks rows (FOR UPDATE, FOR SHARE, SKIP LOCKED ...)",
		"Leave the locking clause out, or give the cache a ttl."
	},
	[REASON_SYSTEM_COLUMNS] = {
		"system columns", false, SUBJECT_LOADER,
		"its loader reads system columns such as ctid or xmin",
		"Leave them out, or give the cache a ttl."
	},
	[REASON_SAMPLE] = {
		"sample", false, SUBJECT_LOADER,
		"its loader reads a sample of a table (TABLESAMPLE)",
		"Leave it out, or give the cache a ttl."
	},
	[REASON_PARALLEL] = {
		"parallel plan", false, SUBJECT_LOADER,
		"a plan of its loader calls functions in parallel workers, where nobody sees what they read",
		NULL
	},
	[REASON_ROLE] = {
		"role", false, SUBJECT_LOADER,
		"a plan of its loader depends on the role that runs it",
		"Let the loader read tables without row level security, and no foreign joins that depend on the user."
	},
	[REASON_COMPILED] = {
		"compiled elsewhere", false, SUBJECT_FUNCTION,
		"function %s was compiled under other settings, and is running",
		"Set what it depends on with the function: ALTER FUNCTION ... SET search_path, SET \"TimeZone\"."
	},
	[REASON_DETACHING] = {
		"partition being detached", true, SUBJECT_RELATION,
		"a partition of table %s is being detached",
		"Let ALTER TABLE ... DETACH PARTITION end, or end it with FINALIZE."
	},
	[REASON_MANY_VIEWS] = {
		"too many views", false, SUBJECT_LOADER,
		"its loader reads through more views than can be kept in mind",
		"Let it read the tables, or fewer views."
	},
	[REASON_MANY_READS] = {
		"too many tables", false, SUBJECT_LOADER,
		"its loader uses another cache whose loads read more tables than can be kept in mind",
		"Let it call the other cache's loader."
	},
	[REASON_SETTINGS] = {
		"settings", false, SUBJECT_LOADER,
		"a setting that is recorded with the cache cannot be set any more",
		NULL
	},
	[REASON_WRITES] = {
		"writes", false, SUBJECT_LOADER,
		"its loader writes, so its results are for nobody else",
		"Let the loader only read."
	},
	[REASON_TOO_LARGE] = {
		"too large", false, SUBJECT_LOADER,
		"a value is too large to be stored",
		"Return less, or give the server more cache.memory."
	},
	[REASON_TEMPORARY_OBJECTS] = {
		"temporary objects", true, SUBJECT_FUNCTION,
		"its loader uses %s, whose result depends on the session's temporary objects",
		""
	},
	[REASON_CATALOGS] = {
		"catalogs", true, SUBJECT_FUNCTION,
		"its loader uses %s, which reads catalogs",
		""
	}
};

/*
 * The reason's name, a constant.
 */
const char *
reason_name(Reason reason)
{
	return reasons[reason].name;
}

/*
 * Is a session to be warned of it?
 */
bool
reason_warns(Reason reason)
{
	return !reasons[reason].silent;
}

/*
 * Is it found at a relation?
 */
bool
reason_is_of_relation(Reason reason)
{
	return reasons[reason].subject == SUBJECT_RELATION;
}

static char *
function_name(Oid function)
{
	switch (function)
	{
		case REASON_CURRENT_TIME:
			return pstrdup("current_timestamp");
		case REASON_NOW_LITERAL:
			return pstrdup("a literal such as 'now'");
		case REASON_PG_CONTEXT:
			return pstrdup("GET DIAGNOSTICS ... PG_CONTEXT");
		case REASON_CURSOR:
			return pstrdup("a cursor that was opened elsewhere");
		case REASON_TEMP_OBJECT:
			return pstrdup("a temporary type or relation");
		case REASON_ASSERT:
			return pstrdup("plpgsql.check_asserts");
		case REASON_PG_TEMP:
			return pstrdup("pg_temp");
		case REASON_UTILITY:
			return pstrdup("a command such as SHOW or EXPLAIN");
		default:
			break;
	}
	if (function < FirstGenbkiObjectId)
	{
		char	   *name = get_func_name(function);

		if (name != NULL)
			return name;
	}
	return format_procedure(function);
}

/*
 * The name of what it was found at, NULL if that is the loader; palloc'd.
 */
char *
reason_object(Reason reason, Oid object)
{
	switch (reasons[reason].subject)
	{
		case SUBJECT_RELATION:
			return relname_full(object);
		case SUBJECT_FUNCTION:
			return function_name(object);
		default:
			return NULL;
	}
}

/*
 * What is wrong with this cache, as a clause; palloc'd.
 */
char *
reason_problem(Reason reason, Oid object, const char *cache)
{
	char	   *name = reason_object(reason, object);

	if (reason == REASON_UNWATCHED && watches_repair(cache, object) != NULL)
		return psprintf("its loader reads table %s, whose watch does not work",
						name);
	return name == NULL ? pstrdup(reasons[reason].problem) :
		psprintf(reasons[reason].problem, name);
}

static bool
is_watchable(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return (relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE) &&
		relid >= FirstNormalObjectId && !extension_keeps_values(relid);
}

/*
 * The same of a key function, as a sentence; palloc'd.
 */
char *
reason_of_keys(Reason reason, Oid object, const char *cache)
{
	static const char loader[] = "its loader ";
	char	   *problem = reason_problem(reason, object, cache);

	if (strncmp(problem, loader, strlen(loader)) == 0)
		return psprintf("It %s.", problem + strlen(loader));
	return psprintf("%c%s.", pg_toupper((unsigned char) problem[0]), problem + 1);
}

static bool
is_own(Oid extension)
{
	const Extension *own = extension_find();

	return own != NULL && own->oid == extension;
}

/*
 * What to do about a function that has to be taken as it is: trust it, and
 * go on trusting those that are already.
 */
static char *
trust_hint(Oid function, const char *cache, List *trusted)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, trusted)
		appendStringInfo(&names, "%s, ", format_procedure(lfirst_oid(lc)));
	appendStringInfoString(&names, format_procedure(function));
	return psprintf("If its result depends on nothing but its arguments and watched tables, trust it: SELECT cache_alter(%s, trust => %s).  Else give the cache a ttl.",
					cache, quote_literal_cstr(names.data));
}

/*
 * What to do about it, as sentences; cache and loader: their names, the loader's
 * as ALTER FUNCTION takes it; trusted: the OIDs of functions that the cache
 * trusts.  palloc'd.
 */
char *
reason_hint(Reason reason, Oid object, const char *cache, const char *loader,
			List *trusted)
{
	const char *quoted = quote_literal_cstr(cache);
	char	   *repair;
	Oid			extension;

	if (reasons[reason].hint != NULL)
		return pstrdup(reasons[reason].hint);
	switch (reason)
	{
		case REASON_VOLATILE_LOADER:
			return psprintf("If the function only reads, declare it so: ALTER FUNCTION %s STABLE.",
							loader);
		case REASON_UNWATCHED:
			repair = watches_repair(cache, object);
			if (repair != NULL)
				return repair;
			return is_watchable(object) ?
				psprintf("Watch the table with SELECT cache_watch(%s, %s, ...), naming the columns that hold the key, or give the cache a ttl.",
						 quoted, quote_literal_cstr(relname_full(object))) :
				pstrdup("It cannot be watched; give the cache a ttl.");
		case REASON_NARROW_WATCH:
			repair = narrow_advice(cache, object);
			return repair != NULL ? repair :
				psprintf("Say how keys compare: SELECT cache_alter(%s, key => ...), with an expression such as 'lower($1)'; or watch what the loader compares, SELECT cache_watch(%s, %s, ...), with an expression such as 'lower(name)', or without any, which stands for the whole table.",
							quoted, quoted, quote_literal_cstr(relname_full(object)));
		case REASON_VOLATILE:
			extension = object < FirstNormalObjectId ? InvalidOid :
				getExtensionOfObject(ProcedureRelationId, object);
			if (object < FirstNormalObjectId || is_own(extension))
				return pstrdup("Leave it out, or give the cache a ttl.");
			if (OidIsValid(extension))
				return trust_hint(object, quoted, trusted);
			return psprintf("If it only reads, declare it so: ALTER FUNCTION %s STABLE.  Else leave it out, or give the cache a ttl.",
							function_name(object));
		case REASON_OPAQUE:
			return trust_hint(object, quoted, trusted);
		case REASON_PARALLEL:
			return psprintf("Keep its plans from being parallel: ALTER FUNCTION %s SET max_parallel_workers_per_gather = 0.",
							loader);
		case REASON_SETTINGS:
			return psprintf("Record the present ones: SELECT cache_alter(%s, loader => %s).",
							quoted, quote_literal_cstr(loader));
		default:
			return pstrdup("");
	}
}
