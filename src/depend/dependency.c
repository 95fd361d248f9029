/*-------------------------------------------------------------------------
 *
 * dependency.c
 *		What loads depend on, besides the relations that they read.
 *
 * Which functions, types and relations the loads of a database use follows
 * from a few things that are noted here, for all of them together:
 *
 *	names		all words in the texts of the functions that they call, and of
 *				what these execute: whatever they look up by name has its name
 *				there.  So a new object, or one with another name, matters only
 *				if its name is there.
 *	schemas		in which they look names up: those of their search_paths, and
 *				the names of such as do not exist.
 *	mentions	relations that they do not read: of whose row types expressions
 *				speak, and those in parts of queries that the planner leaves
 *				out.  Without them the query is an error.
 *	roles		whose rights views and functions use, together with all roles
 *				that these are members of, and the memberships.  Of the role
 *				that calls a SECURITY INVOKER loader, what it is a member of:
 *				what else changes for it is in its fence (rolefence.c).
 *
 * What is used without being named, such as the functions of a view, has been
 * bound by OID, and pg_depend tells of it (ddl.c).
 *
 * The set is a Bloom filter in shared memory: it may say yes where it should
 * say no, and then more is invalidated than need be.  Nothing is ever taken
 * out, so each backend notes a thing once and remembers that it has: a load in
 * the long run notes nothing.  What PL/pgSQL and the executor keep from an
 * earlier load, that one has noted.  A clean restart keeps the set, as values
 * in Redis survive it (persist.c).
 *
 * Locking: the registry lock to add; none to ask.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/devel.h"
#include "depend/dependency.h"
#include "depend/routine.h"
#include "depend/word.h"
#include "fence/dependencyset.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "segment.h"

typedef enum Kind
{
	KIND_NAME,
	KIND_ROW_NAME,				/* in a text that uses %TYPE or %ROWTYPE */
	KIND_ANY_NAME,				/* names that cannot be told from the text */
	KIND_SCHEMA,
	KIND_MENTION,
	KIND_ROLE,
	KIND_MEMBERSHIP,
	KIND_CALLER
} Kind;

/* So many texts of a session are remembered. */
#define NOTED_TEXTS		4096

static HTAB *noted_texts = NULL;	/* by their hashes */
static HTAB *noted_roles = NULL;	/* NULL: memberships have changed */

/* What is to be added to the set, by its hashes */
static uint64 added[128];
static int	nadded = 0;
static bool adopts = false;		/* some of it is what DDL is decided by */

/* The search_path that was noted last, and for which role. */
static char *noted_path = NULL;
static Oid	noted_path_role = InvalidOid;
static uint64 noted_path_under = 0; /* names_changed, then */
static uint64 names_changed = 1;	/* schemas and roles may have, so often */

/*-------------------------------------------------------------------------
 * The set
 *-------------------------------------------------------------------------
 */

static uint64
member_hash(Oid dbid, Kind kind, const void *key, size_t len)
{
	return hash_bytes_extended(key, (int) len, ((uint64) dbid << 8) | kind);
}

static bool
set_has(Oid dbid, Kind kind, const void *key, size_t len)
{
	return dependency_set_has(member_hash(dbid, kind, key, len));
}

/* For tests: hashes of members of this database, never 0 (none). */
static uint64
test_hash(Kind kind, const void *key, size_t len)
{
	return member_hash(MyDatabaseId, kind, key, len);
}

static void
test_name(uint64 *hashes, Kind kind, const char *name)
{
	hashes[0] = test_hash(kind, name, strlen(name));
	hashes[1] = test_hash(KIND_ANY_NAME, "", 0);
}

/* A schema in which names are looked up */
static void
test_schema(uint64 *hashes, Oid schema, const char *name)
{
	if (schema == PG_CATALOG_NAMESPACE)
		return;
	test_name(hashes, KIND_NAME, name);
	if (OidIsValid(schema))
		hashes[2] = test_hash(KIND_SCHEMA, &schema, sizeof(schema));
}

/*
 * Add what is to be added.  All caches of the database may depend on it, so their
 * fences have to know of DDL that was decided about without it (registry.c); but
 * who has called loaders is of use only to tell others.
 */
static void
set_flush(void)
{
	if (nadded == 0)
		return;
	LWLockAcquire(shared_registry_lock, LW_EXCLUSIVE);
	if (adopts)
		slots_adopt_ddl();
	for (int i = 0; i < nadded; i++)
		dependency_set_add(added[i]);
	LWLockRelease(shared_registry_lock);
	nadded = 0;
	adopts = false;
}

/* It is added by set_flush(), together with others. */
static void
set_add(Kind kind, const void *key, size_t len)
{
	if (set_has(MyDatabaseId, kind, key, len))
		return;
	if (nadded == (int) lengthof(added))
		set_flush();
	added[nadded++] = member_hash(MyDatabaseId, kind, key, len);
	adopts |= kind != KIND_CALLER;
}

static void
add_name(Kind kind, const char *name)
{
	set_add(kind, name, strlen(name));
}

static void
add_oid(Kind kind, Oid oid)
{
	set_add(kind, &oid, sizeof(oid));
}

/*-------------------------------------------------------------------------
 * Texts
 *-------------------------------------------------------------------------
 */

/* A word may be an identifier that is quoted, or one that is not. */
static void
note_word(const char *word, int len, bool row_names)
{
	char	   *exact = pnstrdup(word, len);
	char	   *lower = downcase_truncate_identifier(word, len, false);

	truncate_identifier(exact, len, false);
	add_name(KIND_NAME, lower);
	if (strcmp(exact, lower) != 0)
		add_name(KIND_NAME, exact);
	if (row_names)
	{
		add_name(KIND_ROW_NAME, lower);
		add_name(KIND_ROW_NAME, exact);
	}
	pfree(exact);
	pfree(lower);
}

/* What may be a quoted identifier that begins here. */
static void
note_quoted(const char *text, bool row_names)
{
	char	   *name = palloc(strlen(text) + 1);
	int			len = 0;

	for (const char *at = text + 1; *at != '\0'; at++)
	{
		if (*at == '"' && *++at != '"')
		{
			name[len] = '\0';
			truncate_identifier(name, len, false);
			add_name(KIND_NAME, name);
			if (row_names)
				add_name(KIND_ROW_NAME, name);
			break;
		}
		name[len++] = *at;

		/* No name is that long; nor is it looked for to the end of a text. */
		if (len > NAMEDATALEN * 4)
			break;
	}
	pfree(name);
}

/* Does the text declare something to be of a column's, or a table's, type? */
static bool
has_row_names(const char *text)
{
	for (const char *at = strchr(text, '%'); at != NULL; at = strchr(at + 1, '%'))
	{
		const char *word = at + 1 + strspn(at + 1, " \t\r\n\f");

		if (pg_strncasecmp(word, "type", 4) == 0 ||
			pg_strncasecmp(word, "rowtype", 7) == 0)
			return true;
	}
	return false;
}

/* All words of the text, whatever they are there. */
static void
note_words(const char *text)
{
	bool		row_names = has_row_names(text);
	const char *at = text;

	while (*at != '\0')
	{
		const char *begin = at;

		if (*at == '"')
		{
			/* Its characters may be given by numbers. */
			if (at - text >= 2 && at[-1] == '&' &&
				(at[-2] == 'u' || at[-2] == 'U'))
				set_add(KIND_ANY_NAME, "", 0);
			note_quoted(at++, row_names);
			continue;
		}
		while (word_has(*at))
			at++;
		if (at == begin)
			at++;
		else
			note_word(begin, at - begin, row_names);
	}
}

static HTAB *
make_memory(const char *name, Size keysize)
{
	HASHCTL		ctl;

	ctl.keysize = ctl.entrysize = keysize;
	return hash_create(name, 64, &ctl, HASH_ELEM | HASH_BLOBS);
}

/*
 * A load parses this text.
 */
void
dependency_note_text(const char *text)
{
	uint64		hash;

	if (text == NULL || !segment_exists())
		return;
	hash = hash_bytes_extended((const unsigned char *) text, strlen(text), 0);
	if (noted_texts != NULL &&
		hash_search(noted_texts, &hash, HASH_FIND, NULL) != NULL)
		return;
	note_words(text);
	set_flush();
	if (noted_texts != NULL && hash_get_num_entries(noted_texts) >= NOTED_TEXTS)
	{
		hash_destroy(noted_texts);
		noted_texts = NULL;
	}
	if (noted_texts == NULL)
		noted_texts = make_memory("cache noted texts", sizeof(uint64));
	(void) hash_search(noted_texts, &hash, HASH_ENTER, NULL);
}

/*
 * A load calls this function.
 */
void
dependency_note_function(Oid function)
{
	HeapTuple	tuple;
	Form_pg_proc form;
	Datum		source;
	bool		isnull;

	if (!segment_exists() || function < FirstNormalObjectId ||
		routine_is_noted(function))
		return;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	add_name(KIND_NAME, NameStr(form->proname));
	add_oid(KIND_SCHEMA, form->pronamespace);
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	if (!isnull)
		dependency_note_text(TextDatumGetCString(source));
	if (form->prosecdef)
		dependency_note_role(form->proowner);
	ReleaseSysCache(tuple);
	set_flush();
	routine_set_noted(function);
}

/*-------------------------------------------------------------------------
 * Roles and schemas
 *-------------------------------------------------------------------------
 */

/*
 * The hash of a membership in AUTHMEMROLEMEM.
 */
uint32
dependency_membership_hash(Form_pg_auth_members form)
{
	return cache_membership_hash(form->roleid, form->member, form->grantor);
}

/* What noted_roles has of one. */
typedef struct NotedRole
{
	Oid			role;
	uint32		kind;
} NotedRole;

static bool
is_noted(const NotedRole *noted)
{
	return noted_roles != NULL &&
		hash_search(noted_roles, noted, HASH_FIND, NULL) != NULL;
}

static void
note_role(Oid role, Kind kind)
{
	NotedRole	noted = {role, kind};
	CatCList   *groups;
	bool		found;

	check_stack_depth();
	if (is_noted(&noted))
		return;
	add_oid(kind, role);
	groups = SearchSysCacheList1(AUTHMEMMEMROLE, ObjectIdGetDatum(role));

	/* Looking up may have taken in changes, which end the table. */
	if (noted_roles == NULL)
		noted_roles = make_memory("cache noted roles", sizeof(NotedRole));
	(void) hash_search(noted_roles, &noted, HASH_ENTER, &found);
	for (int i = 0; i < groups->n_members; i++)
	{
		Form_pg_auth_members form =
			(Form_pg_auth_members) GETSTRUCT(&groups->members[i]->tuple);
		uint32		hash = dependency_membership_hash(form);

		if (kind == KIND_ROLE)
			set_add(KIND_MEMBERSHIP, &hash, sizeof(hash));
		note_role(form->roleid, KIND_ROLE);
	}
	ReleaseSysCacheList(groups);
}

static void
note_any_role(Oid role, Kind kind)
{
	NotedRole	noted = {role, kind};

	if (!segment_exists() || GUARD_REMOVED("ddl_roles") ||
		is_noted(&noted))
		return;
	note_role(role, kind);
	set_flush();
}

/*
 * A load depends on what this role may do: as it is, and by what it is a member
 * of.
 */
void
dependency_note_role(Oid role)
{
	note_any_role(role, KIND_ROLE);
}

static void
note_path(void)
{
	char	   *copy = pstrdup(namespace_search_path);
	List	   *names;
	ListCell   *lc;

	if (!SplitIdentifierString(copy, ',', &names))
		return;
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		Oid			schema;

		if (strcmp(name, "$user") == 0)
			name = GetUserNameFromId(GetUserId(), true);
		if (name == NULL || strcmp(name, "pg_temp") == 0)
			continue;
		add_name(KIND_NAME, name);
		schema = get_namespace_oid(name, true);
		if (OidIsValid(schema))
			add_oid(KIND_SCHEMA, schema);
	}
}

/*
 * A load runs under the present search_path, and with the rights of the current
 * role (RIGHTS_OF_CALLER: in whose name its entries are), or (RIGHTS_NONE) of
 * nobody that matters.
 */
void
dependency_note_session(DependencyRights rights)
{
	Oid			role = GetUserId();
	uint64		under;

	if (!segment_exists())
		return;

	/* An error may have left something to be added. */
	set_flush();
	if (rights != RIGHTS_NONE)
		note_any_role(role, rights == RIGHTS_OF_CALLER ? KIND_CALLER : KIND_ROLE);
	if (noted_path_under == names_changed && noted_path_role == role &&
		strcmp(noted_path, namespace_search_path) == 0)
		return;
	under = names_changed;
	note_path();
	set_flush();
	noted_path_under = 0;
	if (noted_path != NULL)
		pfree(noted_path);
	noted_path = NULL;
	noted_path = MemoryContextStrdup(TopMemoryContext, namespace_search_path);
	noted_path_role = role;
	noted_path_under = under;
}

/*
 * A load speaks of this relation without reading it: an expression of its row type,
 * or a part of a query that the planner has left out.
 */
void
dependency_note_mention(Oid relid)
{
	if (segment_exists() && relid >= FirstNormalObjectId)
	{
		add_oid(KIND_MENTION, relid);
		set_flush();
	}
}

static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	if (noted_roles != NULL)
		hash_destroy(noted_roles);
	noted_roles = NULL;
	names_changed++;
}

static void
schemas_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	names_changed++;
}

/*
 * Register the invalidation callbacks; once a process.
 */
void
dependency_init(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, schemas_changed, (Datum) 0);
}

/*-------------------------------------------------------------------------
 * Asking
 *-------------------------------------------------------------------------
 */

/*
 * Do loads of this database look names up in this schema?
 */
bool
dependency_has_schema(Oid schema, const char *name)
{
	DependencyTest test = {0};

	test_schema(test.hashes[0], schema, name);
	return dependency_set_passes(&test);
}

/*
 * Could they mean an object of this name there?
 */
bool
dependency_has_name(Oid schema, const char *schema_name, const char *name)
{
	DependencyTest test = {0};

	test_name(test.hashes[0], KIND_NAME, name);
	test_schema(test.hashes[1], schema, schema_name);
	return dependency_set_passes(&test) && !GUARD_REMOVED("ddl_name");
}

/*
 * Could they use the type of a relation of this name there, or of one of its
 * columns, without reading it?
 */
bool
dependency_has_row_name(Oid schema, const char *schema_name, const char *name)
{
	DependencyTest test = {0};

	test_name(test.hashes[0], KIND_ROW_NAME, name);
	test_schema(test.hashes[1], schema, schema_name);
	return dependency_set_passes(&test);
}

/*
 * Do they speak of this relation without reading it?
 */
bool
dependency_has_mention(Oid relid)
{
	DependencyTest test = {0};

	test.hashes[0][0] = test_hash(KIND_MENTION, &relid, sizeof(relid));
	return dependency_set_passes(&test);
}

/*
 * Has a loader of a database been called by this role, as which it runs?
 */
bool
dependency_has_caller(Oid dbid, Oid role)
{
	return set_has(dbid, KIND_CALLER, &role, sizeof(role));
}

/*
 * Do loads of a database depend on what this role may do, other than such as are
 * in its own name?
 */
bool
dependency_has_role(Oid dbid, Oid role)
{
	return set_has(dbid, KIND_ROLE, &role, sizeof(role));
}

/*
 * Or on the membership whose hash in AUTHMEMROLEMEM this is?
 */
bool
dependency_has_membership(Oid dbid, uint32 hash)
{
	return set_has(dbid, KIND_MEMBERSHIP, &hash, sizeof(hash));
}
