/*-------------------------------------------------------------------------
 *
 * spoken.c
 *		The relations that the texts of functions in SQL speak of.
 *
 * To find out whether a call of such a function can be replaced by what is in it,
 * the planner parses and analyses its text, and calls no hook.  If one of its
 * relations is gone, or has another name, that is an error, also where the function
 * would never be called.
 *
 * So the text is parsed here as well, once a session, and the names in it that
 * relations can have are kept.  Which relations they mean is looked up when it is
 * asked for, under the search_path of that moment.  A name too many (of a WITH,
 * say) does no harm.  What a text makes the identity of an object, as in
 * 'name'::regclass, depends on all DDL, as in a query of the load's own.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/devel.h"
#include "depend/dependency.h"
#include "depend/identity.h"
#include "depend/spoken.h"

/* A name in a text, of a relation or of a type, which may be that of its rows. */
typedef struct SpokenName
{
	const char *schema;			/* NULL: by the search_path */
	const char *name;
	bool		is_type;
} SpokenName;

typedef struct SpokenText
{
	Oid			function;		/* hash key */
	List	   *names;			/* of SpokenName */
} SpokenText;

/* In a context of their own. */
static HTAB *texts = NULL;
static MemoryContext texts_context = NULL;
static bool texts_changed = false;	/* since: functions may have */

/*-------------------------------------------------------------------------
 * Names
 *-------------------------------------------------------------------------
 */

static void
add_name(const char *schema, const char *name, bool is_type, List **names)
{
	SpokenName *spoken = palloc(sizeof(SpokenName));

	spoken->schema = schema;
	spoken->name = name;
	spoken->is_type = is_type;
	*names = lappend(*names, spoken);
}

static void
add_type(TypeName *type, List **names)
{
	int			n = list_length(type->names);
	const char *schema = n < 2 ? NULL : strVal(list_nth(type->names, n - 2));

	/* The grammar's own types, which are none of these, are always qualified. */
	if (n > 0 && (schema == NULL || strcmp(schema, "pg_catalog") != 0 ||
				  strncmp(strVal(llast(type->names)), "reg", 3) == 0))
		add_name(schema, strVal(llast(type->names)), true, names);
}

/* Gather the names in what was parsed.  It is a walker. */
static bool
gather_names(Node *node, List **names)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeVar))
		add_name(((RangeVar *) node)->schemaname, ((RangeVar *) node)->relname,
				 false, names);
	else if (IsA(node, TypeName))
		add_type((TypeName *) node, names);
	return raw_expression_tree_walker(node, gather_names, names);
}

/*
 * Of one query, also one that changes rows: of several, or of other commands, the
 * planner analyses nothing.
 */
static List *
names_in(const char *text)
{
	List	   *names = NIL;
	List	   *commands = raw_parser(text, RAW_PARSE_DEFAULT);
	Node	   *command;

	if (list_length(commands) != 1)
		return NIL;
	command = linitial_node(RawStmt, commands)->stmt;
	switch (nodeTag(command))
	{
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			(void) gather_names(command, &names);
			break;
		default:
			break;
	}
	return names;
}

/*
 * The same, or false if the text cannot be parsed: whoever calls the function, or
 * makes a plan with it, hears of that.  The parser touches its memory only.
 */
static bool
parse_names(const char *text, List **names)
{
	MemoryContext before = CurrentMemoryContext;
	volatile bool parsed = false;

	PG_TRY();
	{
		*names = names_in(text);
		parsed = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(before);
		FlushErrorState();
	}
	PG_END_TRY();
	return parsed;
}

/*-------------------------------------------------------------------------
 * Functions
 *-------------------------------------------------------------------------
 */

/* Would the planner parse its text?  Of a body that is kept as a tree it need not. */
static bool
may_be_inlined(HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	return form->prolang == SQLlanguageId &&
		form->prokind == PROKIND_FUNCTION &&
		!form->prosecdef && !form->proretset &&
		form->prorettype != RECORDOID &&
		heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL) &&
		heap_attisnull(tuple, Anum_pg_proc_prosqlbody, NULL);
}

/* The names in a function's text; false if they cannot be told. */
static bool
read_names(Oid function, List **names)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		told = true;

	*names = NIL;
	if (!HeapTupleIsValid(tuple))
		return false;
	if (may_be_inlined(tuple))
	{
		bool		isnull;
		Datum		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc,
											 &isnull);

		told = parse_names(TextDatumGetCString(source), names);
	}
	ReleaseSysCache(tuple);
	return told;
}

static List *
copy_names(List *names)
{
	List	   *copy = NIL;
	ListCell   *lc;

	foreach(lc, names)
	{
		SpokenName *spoken = lfirst(lc);

		add_name(spoken->schema == NULL ? NULL : pstrdup(spoken->schema),
				 pstrdup(spoken->name), spoken->is_type, &copy);
	}
	return copy;
}

static void
texts_make(void)
{
	HASHCTL		ctl;

	texts_changed = false;
	texts_context = AllocSetContextCreate(TopMemoryContext, "cache spoken names",
										  ALLOCSET_SMALL_SIZES);
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(SpokenText);
	ctl.hcxt = texts_context;
	texts = hash_create("cache spoken texts", 64, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
texts_forget(void)
{
	MemoryContextDelete(texts_context);
	texts = NULL;
}

/* The same, kept; they last until this is called again. */
static List *
find_names(Oid function)
{
	SpokenText *text;
	MemoryContext before;
	MemoryContext parsing;
	List	   *names;

	if (texts != NULL && texts_changed)
		texts_forget();
	if (texts == NULL)
		texts_make();
	text = hash_search(texts, &function, HASH_FIND, NULL);
	if (text != NULL)
		return text->names;
	parsing = AllocSetContextCreate(CurrentMemoryContext, "cache parsing",
									ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(parsing);
	if (read_names(function, &names))
	{
		MemoryContextSwitchTo(texts_context);
		names = copy_names(names);
		text = hash_search(texts, &function, HASH_ENTER, NULL);
		text->names = names;
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(parsing);
	return text == NULL ? NIL : text->names;
}

/*
 * The relation that has this name, or whose rows are of the type that has it.  If
 * that type's values are identities of objects, that is a reason.
 */
static Oid
relation_named(const SpokenName *spoken, Reasons *reasons)
{
	Oid			schema = spoken->schema == NULL ? InvalidOid :
		get_namespace_oid(spoken->schema, true);
	Oid			type;
	Oid			element;

	if (spoken->schema != NULL && !OidIsValid(schema))
		return InvalidOid;
	if (!spoken->is_type)
		return OidIsValid(schema) ? get_relname_relid(spoken->name, schema) :
			RelnameGetRelid(spoken->name);
	type = !OidIsValid(schema) ? TypenameGetTypid(spoken->name) :
		GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						CStringGetDatum(spoken->name),
						ObjectIdGetDatum(schema));
	if (identity_is_type(type))
		reasons_note(reasons, REASON_CATALOGS, REASON_NOTHING);
	if (type < FirstNormalObjectId)
		return InvalidOid;
	element = get_element_type(type);
	return get_typ_typrelid(OidIsValid(element) ? element : type);
}

/*
 * The relations of which the text of a function in SQL speaks that the planner may
 * parse, by the search_path in force: a list of OIDs.  What else the load depends on
 * for that is added to the reasons.
 */
List *
spoken_relations(Oid function, Reasons *reasons)
{
	List	   *relids = NIL;
	ListCell   *lc;

	if (function < FirstNormalObjectId || GUARD_REMOVED("spoken"))
		return NIL;
	foreach(lc, find_names(function))
	{
		Oid			relid = relation_named(lfirst(lc), reasons);

		if (relid >= FirstNormalObjectId)
			relids = list_append_unique_oid(relids, relid);
	}
	return relids;
}

/*
 * What a load uses without being seen to make a plan, such as a domain's
 * constraints, calls this function: so it depends on all that this speaks of.
 */
void
spoken_note_mentions(Oid function, Reasons *reasons)
{
	ListCell   *lc;

	foreach(lc, spoken_relations(function, reasons))
		dependency_note_mention(lfirst_oid(lc));
}

static void
functions_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	texts_changed = true;
}

/*
 * Register the invalidation callbacks; once a process.
 */
void
spoken_init(void)
{
	CacheRegisterSyscacheCallback(PROCOID, functions_changed, (Datum) 0);
}
