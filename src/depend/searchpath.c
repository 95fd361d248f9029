/*-------------------------------------------------------------------------
 *
 * searchpath.c
 *		Loaders that find names by the search_path recorded with their cache.
 *
 * A loader without a search_path of its own runs under the one that was in
 * force when its cache was created (settings.c), in all sessions.  Where each
 * tenant has a schema, with the same tables in it, and sessions select theirs
 * by search_path, that is another table than the caller would mean.  It is what
 * the promise says, but not what everybody expects.  So it is said
 *
 * - when a cache is created, or given a loader, under a search_path that this
 *   session has set and that has a schema which sessions do not have by default;
 * - once a session, when the cache is used under a search_path by which a table
 *   that its loads read is another one;
 * - in cache_check(): by the caller's search_path, and where other schemas have
 *   tables of the same names.
 *
 * Nothing is said of loaders whose names are bound: by a search_path of their
 * own, or because their body was parsed when they were created; nor of tables
 * that the loader's source names with their schema alone.  Whether it does is
 * told from its text, which needs no more care than a warning.
 *
 * Locking: none; of the registry, what is read without (registry.h).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/relname.h"
#include "base/textarray.h"
#include "definition/extension.h"
#include "definition/settings.h"
#include "depend/loads.h"
#include "depend/searchpath.h"
#include "depend/word.h"
#include "fence/registry.h"
#include "fence/slotlists.h"

/*
 * A session that uses a cache under one search_path after the other compares
 * so many of them.
 */
#define COMPARED_PATHS	16

/* The caches that this session has been warned of, by their ids */
static HTAB *warned = NULL;

/*-------------------------------------------------------------------------
 * Paths, as lists of schemas: without temporary ones, and without pg_catalog
 * where it is not named, since that comes first in all of them.
 *-------------------------------------------------------------------------
 */

/* Those that a search_path stands for, for the current role. */
static List *
path_schemas(const char *path)
{
	char	   *copy = pstrdup(path);
	List	   *schemas = NIL;
	List	   *names;
	ListCell   *lc;

	if (!SplitIdentifierString(copy, ',', &names))
		return NIL;
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		Oid			schema;

		if (strcmp(name, "pg_temp") == 0)
			continue;
		if (strcmp(name, "$user") == 0)
			name = GetUserNameFromId(GetUserId(), true);
		schema = name == NULL ? InvalidOid : get_namespace_oid(name, true);
		if (OidIsValid(schema))
			schemas = list_append_unique_oid(schemas, schema);
	}
	return schemas;
}

/*
 * Those in which names are looked up now.  fetch_search_path() would make a temporary
 * schema, if the path begins with pg_temp, which a standby cannot.
 */
static List *
present_schemas(void)
{
	List	   *schemas = NIL;
	ListCell   *lc;

	foreach(lc, GetSearchPathMatcher(CurrentMemoryContext)->schemas)
	{
		if (!isAnyTempNamespace(lfirst_oid(lc)))
			schemas = lappend_oid(schemas, lfirst_oid(lc));
	}
	return schemas;
}

/*
 * Those that sessions have without setting anything: what the path is reset to,
 * unless it is this client that brought it along; the standard one, and the
 * extension's.
 */
static List *
default_schemas(void)
{
	struct config_generic *variable = cache_find_setting("search_path");
	List	   *schemas = path_schemas("\"$user\", public");

	if (variable->reset_source < PGC_S_CLIENT)
		schemas = list_concat_unique_oid(schemas,
										 path_schemas(GetConfigOptionResetString("search_path")));
	schemas = list_append_unique_oid(schemas, PG_CATALOG_NAMESPACE);
	return list_append_unique_oid(schemas,
								  extension_get()->schema);
}

/* The relation that a name stands for, InvalidOid if there is none. */
static Oid
relation_in(const List *schemas, const char *name)
{
	ListCell   *lc;

	foreach(lc, schemas)
	{
		Oid			relid = get_relname_relid(name, lfirst_oid(lc));

		if (OidIsValid(relid))
			return relid;
	}
	return InvalidOid;
}

/* The path recorded with a cache, as text. */
static const char *
recorded_path(const CacheDef *def)
{
	for (int i = 0; i < def->settings.n; i++)
	{
		if (strcmp(def->settings.list[i].name, "search_path") == 0)
			return def->settings.list[i].value;
	}
	return "";
}

/*-------------------------------------------------------------------------
 * Loaders
 *-------------------------------------------------------------------------
 */

/* Has a function a search_path of its own? */
static bool
sets_path(Datum config)
{
	int			n;
	char	  **settings = textarray_read(config, &n);

	for (int i = 0; i < n; i++)
	{
		if (settings[i] != NULL && strncmp(settings[i], "search_path=", 12) == 0)
			return true;
	}
	return false;
}

/*
 * The source of a loader that finds names when it runs, by the search_path that
 * is recorded with its cache.  NULL if it does not.
 */
static char *
unbound_source(Oid loader)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(loader));
	char	   *source = NULL;
	Datum		value;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proconfig, &isnull);
	if (isnull || !sets_path(value))
	{
		(void) SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &isnull);
		if (isnull)
		{
			value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
			source = isnull ? NULL : TextDatumGetCString(value);
		}
	}
	ReleaseSysCache(tuple);
	return source;
}

typedef enum Mention
{
	MENTION_NONE,
	MENTION_QUALIFIED,			/* always with something in front */
	MENTION_BARE				/* the greatest says most */
} Mention;

/*
 * How does a source name a relation?  What is followed by a dot is no relation,
 * but stands for the rows of one that is named elsewhere.
 */
static Mention
find_mention(const char *source, const char *name)
{
	size_t		len = strlen(name);
	Mention		found = MENTION_NONE;

	for (const char *at = source; *at != '\0'; at++)
	{
		const char *before = at;
		const char *after = at + len;

		if (pg_strncasecmp(at, name, len) != 0 ||
			(at > source && word_has(at[-1])) || word_has(*after))
			continue;
		after += strspn(after, "\" \t\n\r");
		if (*after == '.')
			continue;
		while (before > source && strchr("\" \t\n\r", before[-1]) != NULL)
			before--;
		if (before == source || before[-1] != '.')
			return MENTION_BARE;
		found = MENTION_QUALIFIED;
	}
	return found;
}

/*-------------------------------------------------------------------------
 * What loads read
 *-------------------------------------------------------------------------
 */

/*
 * The relations and views that loads of the cache have read by a name that the
 * search_path gives a meaning to, as far as can be told.
 */
static List *
named_relations(const CacheDef *def, int index, const char *source,
				const List *schemas)
{
	SlotLists	lists;
	List	   *named = NIL;

	(void) slot_copy_lists(index, &lists);
	if (!slot_is_of(index, MyDatabaseId, def->id))
		return NIL;
	for (uint32 i = 0; i < lists.nreads + lists.nviews; i++)
	{
		Oid			relid = i < lists.nreads ? lists.reads[i] :
			lists.views[i - lists.nreads];
		char	   *name = get_rel_name(relid);
		Mention		mention;

		if (name == NULL || relation_in(schemas, name) != relid)
			continue;
		mention = find_mention(source, name);

		/* By way of a view, or of the table that it is a partition of? */
		if (mention == MENTION_NONE &&
			(lists.nviews > 0 || get_rel_relispartition(relid)))
			continue;
		if (mention != MENTION_QUALIFIED)
			named = lappend_oid(named, relid);
	}
	return named;
}

/* What to do: works under the caller's search_path, and silences what is said. */
static char *
binding_hint(Oid loader, const char *path)
{
	return psprintf("If this is meant, write schemas in the loader, or ALTER FUNCTION %s SET search_path = %s. If each tenant has a schema, create a cache for each.",
					format_procedure(loader), path);
}

/*-------------------------------------------------------------------------
 * When a cache is given a loader
 *-------------------------------------------------------------------------
 */

/* How does a source name the objects of a schema that are in this catalog? */
static Mention
mentions_objects(const char *source, Oid schema, Oid catalog, AttrNumber name,
				 AttrNumber namespace)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	Mention		found = MENTION_NONE;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, namespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(schema));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (found != MENTION_BARE &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, name, RelationGetDescr(rel),
										 &isnull);

		found = Max(found, find_mention(source, NameStr(*DatumGetName(value))));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* How does it name a schema's functions, and its relations? */
static Mention
mentions_functions(const char *source, Oid schema)
{
	return mentions_objects(source, schema, ProcedureRelationId,
							Anum_pg_proc_proname, Anum_pg_proc_pronamespace);
}

static Mention
mentions_relations(const char *source, Oid schema)
{
	return mentions_objects(source, schema, RelationRelationId,
							Anum_pg_class_relname, Anum_pg_class_relnamespace);
}

/*
 * Say so if the search_path that is recorded with the cache is one of this
 * session alone, and the loader may need it: it names something of the schemas
 * in question without its schema, or calls functions or executes texts that
 * may.  def: its name and loader.
 */
void
searchpath_notice(const CacheDef *def)
{
	char	   *source = unbound_source(def->loader);
	List	   *usual = default_schemas();
	StringInfoData unusual;
	char	   *path;
	bool		needed;
	int			n = 0;
	ListCell   *lc;

	if (source == NULL)
		return;
	needed = find_mention(source, "execute") != MENTION_NONE;
	initStringInfo(&unusual);
	foreach(lc, present_schemas())
	{
		Oid			schema = lfirst_oid(lc);

		if (list_member_oid(usual, schema))
			needed |= schema != PG_CATALOG_NAMESPACE &&
				mentions_functions(source, schema) != MENTION_NONE;
		else
		{
			needed |= mentions_relations(source, schema) == MENTION_BARE ||
				mentions_functions(source, schema) != MENTION_NONE;
			appendStringInfo(&unusual, "%s%s", n++ > 0 ? ", " : "",
							 quote_identifier(get_namespace_name(schema)));
		}
	}
	if (n == 0 || !needed)
		return;
	path = settings_search_path();
	ereport(NOTICE,
			(errmsg("cache \"%s\" keeps the search_path of this session, with %s",
					NameStr(def->name), unusual.data),
			 errdetail("Its loader finds names in %s from now on, whatever the search_path of a caller is, and sessions do not have %s in theirs by default.",
					   path, unusual.data),
			 errhint("%s", binding_hint(def->loader, path))));
}

/*-------------------------------------------------------------------------
 * When it is used
 *-------------------------------------------------------------------------
 */

static bool
is_warned(const CacheDef *def)
{
	return warned != NULL &&
		hash_search(warned, &def->id, HASH_FIND, NULL) != NULL;
}

static void
remember_warned(const CacheDef *def)
{
	if (warned == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(def->id);
		ctl.entrysize = sizeof(def->id);
		warned = hash_create("cache search paths", 16, &ctl,
							 HASH_ELEM | HASH_BLOBS);
	}
	(void) hash_search(warned, &def->id, HASH_ENTER, NULL);
}

/*
 * What searchpath_note does when the search_path is another one than last time,
 * or loads have not shown yet what they read.
 */
void
searchpath_compare(CacheDef *def)
{
	CacheSlot  *slot;
	List	   *recorded;
	List	   *present;
	ListCell   *lc;
	char	   *source;

	if (def->plain || def->slot < 0)
		return;
	slot = &shared_slots[def->slot];
	if (pg_atomic_read_u32(&slot->nreads) == 0 || loads_depth() > 0)
		return;

	if (def->compared_path != NULL)
		pfree(def->compared_path);
	def->compared_path = MemoryContextStrdup(def->context, namespace_search_path);
	def->compared_role = GetUserId();
	source = unbound_source(def->loader);
	if (++def->compared > COMPARED_PATHS || source == NULL || is_warned(def))
	{
		def->path_settled = true;
		return;
	}

	recorded = path_schemas(recorded_path(def));
	present = present_schemas();
	if (equal(recorded, present))
		return;
	foreach(lc, named_relations(def, def->slot, source, recorded))
	{
		Oid			relid = lfirst_oid(lc);
		char	   *name = get_rel_name(relid);
		Oid			meant = name ? relation_in(present, name) : InvalidOid;

		if (!OidIsValid(meant) || meant == relid)
			continue;
		remember_warned(def);
		def->path_settled = true;
		ereport(WARNING,
				(errmsg("cache \"%s\" answers from %s, but by the search_path of this session %s would be %s",
						NameStr(def->name), relname_full(relid),
						quote_identifier(name), relname_full(meant)),
				 errdetail("Its loader has no search_path of its own, and finds names by the one recorded with the cache, %s.",
						   recorded_path(def)),
				 errhint("%s", binding_hint(def->loader, recorded_path(def)))));
		break;
	}
}

/*-------------------------------------------------------------------------
 * When it is checked
 *-------------------------------------------------------------------------
 */

/* Can rows be read from it, by a name? */
static bool
is_readable(Form_pg_class form)
{
	switch (form->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			return !isAnyTempNamespace(form->relnamespace) &&
				(form->relnamespace >= FirstNormalObjectId ||
				 form->relnamespace == PG_PUBLIC_NAMESPACE);
	}
	return false;
}

/* A relation of this name in a schema that is not one of these, if any. */
static Oid
namesake(const char *name, const List *schemas)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	Oid			found = InvalidOid;
	NameData	key;
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;

	namestrcpy(&key, name);
	ScanKeyInit(&scankey, Anum_pg_class_relname, BTEqualStrategyNumber,
				F_NAMEEQ, NameGetDatum(&key));
	scan = systable_beginscan(rel, ClassNameNspIndexId, true, NULL, 1, &scankey);
	while (!OidIsValid(found) && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (is_readable(form) && !list_member_oid(schemas, form->relnamespace))
			found = form->oid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* What is to be said about a relation that loads read: NULL if nothing. */
static char *
confusion(Oid relid, const List *recorded, const List *present,
		  const List *usual)
{
	char	   *name = get_rel_name(relid);
	Oid			other;

	if (name == NULL)
		return NULL;
	other = relation_in(present, name);
	if (OidIsValid(other) && other != relid)
		return psprintf("by the search_path of this session the loader's name of it would be %s",
						relname_full(other));
	if (list_member_oid(usual, get_rel_namespace(relid)))
		return NULL;
	other = namesake(name, recorded);
	if (!OidIsValid(other))
		return NULL;
	return psprintf("the loader finds it by the search_path that the cache was created under, where others may find %s",
					relname_full(other));
}

static SearchPathProblem *
make_problem(char *object, char *problem, char *hint)
{
	SearchPathProblem *item = palloc(sizeof(SearchPathProblem));

	item->object = object;
	item->problem = problem;
	item->hint = hint;
	return item;
}

/*
 * What is wrong with the recorded search_path, and which names can be confused
 * by a caller's: a list of SearchPathProblem in the current memory context; the
 * latter only for a cache that is in shared memory.
 */
List *
searchpath_problems(CacheDef *def)
{
	int			slot = slot_find(MyDatabaseId, def->id);
	char	   *source = def->usable && !def->plain ?
		unbound_source(def->loader) : NULL;
	const char *missing = source == NULL ? NULL :
		settings_missing_schema(&def->settings);
	List	   *problems = NIL;
	List	   *recorded;
	List	   *present;
	List	   *usual;
	ListCell   *lc;

	if (missing != NULL)
		problems = lappend(problems, make_problem(def->signature,
												  psprintf("the search_path recorded with the cache, by which the loader finds names, has schema %s, which does not exist",
														   quote_identifier(missing)),
												  psprintf("Set search_path to what the loader needs, and record it: SELECT cache_alter(%s, loader => %s).",
														   quote_literal_cstr(NameStr(def->name)),
														   quote_literal_cstr(def->signature))));
	if (slot < 0 || source == NULL)
		return problems;
	recorded = path_schemas(recorded_path(def));
	present = present_schemas();
	usual = default_schemas();
	foreach(lc, named_relations(def, slot, source, recorded))
	{
		char	   *problem = confusion(lfirst_oid(lc), recorded, present, usual);

		if (problem != NULL)
			problems = lappend(problems,
							   make_problem(relname_full(lfirst_oid(lc)), problem,
											binding_hint(def->loader, recorded_path(def))));
	}
	return problems;
}
