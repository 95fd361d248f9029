/*-------------------------------------------------------------------------
 *
 * definition.c
 *		What a cache is: its definition as this backend knows it.
 *
 * Definitions are rows of the table cache_definition.  They are read as
 * catalogs are, by the latest committed state and this transaction's own
 * changes, and kept for the session until an invalidation message says that
 * the table, the loader or a watched relation has changed.  Whoever changes a
 * row sends such a message (definition_changed).
 *
 * A definition's version is part of the key of its entries, so a backend that
 * has not heard of an alteration yet neither finds nor makes entries of the
 * new definition.
 *
 * Locking: ACCESS SHARE on cache_definition, while it is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/formatting.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/textarray.h"
#include "definition/definition.h"
#include "definition/extension.h"
#include "definition/keyexpr.h"
#include "definition/keyhash.h"
#include "definition/owner.h"
#include "definition/signature.h"
#include "definition/value.h"
#include "definition/watches.h"

typedef struct DefinitionRef
{
	NameData	name;			/* hash key */
	CacheDef   *def;
} DefinitionRef;

uint64		definition_generation = 1;
uint64		definition_changes = 0;

static HTAB *definitions = NULL;

/* The definition that was found last, at this definition_generation. */
static CacheDef *found_last = NULL;
static uint64 found_generation = 0;
static uint64 privileges_generation = 1;

/*-------------------------------------------------------------------------
 * Invalidation
 *-------------------------------------------------------------------------
 */

static void
invalidate_all(void)
{
	HASH_SEQ_STATUS scan;
	DefinitionRef *ref;

	definition_generation++;
	extension_reset();
	if (definitions == NULL)
		return;
	hash_seq_init(&scan, definitions);
	while ((ref = hash_seq_search(&scan)) != NULL)
		ref->def->valid = false;
}

static bool
definition_depends_on(const CacheDef *def, Oid relid)
{
	for (int i = 0; i < def->nwatched; i++)
	{
		if (def->watched[i] == relid)
			return true;
	}
	return false;
}

static void
definition_relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	DefinitionRef *ref;

	if (!OidIsValid(relid) || extension_owns(relid))
	{
		invalidate_all();
		return;
	}
	if (definitions == NULL)
		return;
	hash_seq_init(&scan, definitions);
	while ((ref = hash_seq_search(&scan)) != NULL)
	{
		if (definition_depends_on(ref->def, relid))
		{
			ref->def->valid = false;
			definition_generation++;
		}
	}
}

static void
loader_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	HASH_SEQ_STATUS scan;
	DefinitionRef *ref;

	privileges_generation++;
	if (definitions == NULL)
		return;
	hash_seq_init(&scan, definitions);
	while ((ref = hash_seq_search(&scan)) != NULL)
	{
		/* Any function may be one of those that hash its keys. */
		if (hashvalue == 0 || ref->def->loader_hash == hashvalue ||
			!ref->def->usable || !ref->def->fixed)
		{
			ref->def->valid = false;
			definition_generation++;
		}
	}
}

static void
privileges_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	privileges_generation++;
}

/* Role names and collations are resolved when a definition is read. */
static void
names_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	privileges_generation++;
	invalidate_all();
}

/* So are the hash functions of keys, through their operator classes. */
static void
operators_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	invalidate_all();
}

/*
 * Register the invalidation callbacks; once a process.
 */
void
definition_init(void)
{
	CacheRegisterRelcacheCallback(definition_relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, loader_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, privileges_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(DATABASEOID, privileges_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, names_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, names_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(CLAOID, operators_changed, (Datum) 0);
}

/*
 * Tell everybody, at commit, that some definition or watch has changed.
 */
void
definition_changed(void)
{
	CacheInvalidateRelcacheByRelid(extension_get()->definitions);
	definition_changes++;
}

/*-------------------------------------------------------------------------
 * Reading
 *-------------------------------------------------------------------------
 */

static bool
describe_argument(CacheDef *def, int i, Oid type, const char *signature,
				  bool report)
{
	KeyColumn  *key = &def->keys[i];
	bool		collatable;

	if (get_typtype(type) == TYPTYPE_PSEUDO)
		UNSUITABLE(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				   errmsg("loader function %s has an argument of pseudo-type %s",
						  signature, format_type_be(type)),
				   errhint("The arguments of a loader must have definite types."));
	if (!key_hash_lookup(type, &key->hash))
		UNSUITABLE(errcode(ERRCODE_UNDEFINED_FUNCTION),
				   errmsg("could not identify a hash function for type %s",
						  format_type_be(type)),
				   errdetail("It is the type of argument %d of loader function %s.",
							 i + 1, signature),
				   errhint("Keys must be of types that can be hashed."));
	key->type = type;
	get_typlenbyval(type, &key->typlen, &key->typbyval);
	key->collation = get_typcollation(type);
	collatable = OidIsValid(key->collation);
	if (collatable && get_collation_isdeterministic(key->collation))
		key->collation = DEFAULT_COLLATION_OID;
	if (!key_hash_obeys(type, key->collation))
		UNSUITABLE(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				   errmsg("type %s holds names that are compared under a nondeterministic collation",
						  format_type_be(type)),
				   errdetail("It is the type of argument %d of loader function %s.",
							 i + 1, signature),
				   errhint("Use text instead of name."));
	def->collatable |= collatable;
	def->fixed &= key->hash.fixed;
	def->nested |= key->hash.nested;
	return true;
}

static bool
describe_function(CacheDef *def, Form_pg_proc proc, bool report)
{
	const char *signature = format_procedure(proc->oid);
	const char *language;

	if (proc->prokind != PROKIND_FUNCTION)
		UNSUITABLE(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				   errmsg("%s is not a plain function", signature),
				   errhint("A loader is a function that is not an aggregate, window function or procedure."));
	if (proc->proretset)
		UNSUITABLE(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				   errmsg("loader function %s must not return a set", signature),
				   errhint("Return one value, for example a jsonb array made with jsonb_agg()."));
	def->is_volatile = proc->provolatile == PROVOLATILE_VOLATILE;
	if (def->is_volatile && report)
		UNSUITABLE(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				   errmsg("loader function %s must not be volatile", signature),
				   errdetail("The result of a volatile function can differ from call to call, so it cannot be cached."),
				   errhint("If the function only reads, declare it so: ALTER FUNCTION %s STABLE.",
						   signature));
	if (get_typtype(proc->prorettype) == TYPTYPE_PSEUDO &&
		proc->prorettype != RECORDOID)
		UNSUITABLE(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				   errmsg("loader function %s returns pseudo-type %s",
						  signature, format_type_be(proc->prorettype)),
				   errhint("A loader must return a value of a definite type."));

	def->loader_schema = proc->pronamespace;
	language = get_language_name(proc->prolang, true);
	def->plpgsql = language != NULL && strcmp(language, "plpgsql") == 0;
	def->strict = proc->proisstrict;
	def->definer = proc->prosecdef;
	def->rettype = proc->prorettype;
	get_typlenbyval(def->rettype, &def->typlen, &def->typbyval);
	def->has_layout = value_has_layout(def->rettype);
	def->nkeys = proc->pronargs;
	def->fixed = true;
	def->keys = palloc0(sizeof(KeyColumn) * Max(def->nkeys, 1));
	def->collatable = false;
	for (int i = 0; i < def->nkeys; i++)
	{
		if (!describe_argument(def, i, proc->proargtypes.values[i], signature,
							   report))
			return false;
	}
	return true;
}

/*
 * Fill in what follows from the loader.  If the function cannot be one: an
 * error, or (report false) false.  Works in the current memory context.
 */
bool
definition_describe(CacheDef *def, Oid loader, bool report)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(loader));
	bool		suitable;
	bool		isnull;
	Datum		source;

	if (!HeapTupleIsValid(tuple))
		UNSUITABLE(errcode(ERRCODE_UNDEFINED_FUNCTION),
				   errmsg("function with OID %u does not exist", loader));
	def->loader = loader;
	def->loader_hash = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(loader));
	suitable = describe_function(def, (Form_pg_proc) GETSTRUCT(tuple), report);
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	def->names_temp = !isnull &&
		strstr(asc_tolower(VARDATA_ANY(DatumGetTextPP(source)),
						   VARSIZE_ANY_EXHDR(DatumGetTextPP(source))),
			   "pg_temp") != NULL;
	ReleaseSysCache(tuple);
	return suitable;
}

/* The functions that are trusted. */
static void
read_trust(CacheDef *def, Datum array)
{
	int			n;
	char	  **names = textarray_read(array, &n);

	for (int i = 0; i < n; i++)
	{
		Oid			function = names[i] == NULL ? InvalidOid :
			signature_find_full(names[i]);

		if (OidIsValid(function))
			def->trusted = lappend_oid(def->trusted, function);
		else if (names[i] != NULL)
			def->untraced = lappend(def->untraced, names[i]);
	}
}

/* What functions are compiled under by loads of this cache. */
static uint64
made_under(const CacheDef *def)
{
	uint64		hash = def->settings.hash;
	ListCell   *lc;

	foreach(lc, def->trusted)
	{
		Oid			function = lfirst_oid(lc);

		hash = hash_bytes_extended((unsigned char *) &function, sizeof(Oid), hash);
	}
	return hash;
}

/* Without a loader the key is a text, compared by its bytes. */
static void
describe_plain(CacheDef *def)
{
	KeyColumn  *key = palloc0(sizeof(KeyColumn));

	def->plain = true;
	def->strict = true;
	def->definer = true;
	key->type = TEXTOID;
	get_typlenbyval(key->type, &key->typlen, &key->typbyval);
	key->collation = C_COLLATION_OID;
	def->usable = key_hash_lookup(key->type, &key->hash);
	def->fixed = true;
	def->keys = key;
	def->nkeys = 1;
	def->rettype = JSONBOID;
	get_typlenbyval(def->rettype, &def->typlen, &def->typbyval);
}

/* Apply the recorded collations; false if one is gone. */
static bool
read_collations(CacheDef *def, Datum array)
{
	char	  **names;
	int			n;

	names = textarray_read(array, &n);
	for (int i = 0; i < Min(n, def->nkeys); i++)
	{
		if (names[i] == NULL || !OidIsValid(def->keys[i].collation))
			continue;
		def->keys[i].collation = get_collation_oid(cache_name_list(names[i]),
												   true);
		if (!OidIsValid(def->keys[i].collation))
			return false;
	}
	return true;
}

/*
 * Turn a row of cache_definition into a definition, in a context of its own
 * below the current one.
 */
CacheDef *
definition_read(Relation rel, HeapTuple tuple)
{
	MemoryContext context;
	MemoryContext old;
	CacheDef   *def;
	WatchedTables watched;
	Datum		values[DEFINITION_COLUMNS];
	bool		nulls[DEFINITION_COLUMNS];

	/* Columns that the extension's version does not have are null. */
	memset(nulls, true, sizeof(nulls));

#define VALUE(anum)		values[(anum) - 1]
#define IS_NULL(anum)	nulls[(anum) - 1]

	context = AllocSetContextCreate(CurrentMemoryContext, "cache definition",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);

	def = palloc0(sizeof(CacheDef));
	def->context = context;
	def->name = *DatumGetName(VALUE(ANUM_NAME));
	def->id = DatumGetInt64(VALUE(ANUM_ID));
	def->version = DatumGetInt64(VALUE(ANUM_VERSION));
	def->owner = owner_role(VALUE(ANUM_OWNER));
	if (!IS_NULL(ANUM_TTL))
	{
		def->ttl = palloc(sizeof(Interval));
		*def->ttl = *DatumGetIntervalP(VALUE(ANUM_TTL));
	}
	if (!IS_NULL(ANUM_MAX_COST))
		def->limit.max_cost = DatumGetInt64(VALUE(ANUM_MAX_COST));
	if (!IS_NULL(ANUM_ENTRY_COST))
		def->limit.entry_cost = DatumGetInt64(VALUE(ANUM_ENTRY_COST));
	def->redis = DatumGetBool(VALUE(ANUM_REDIS));
	settings_parse(&def->settings, DatumGetArrayTypeP(VALUE(ANUM_SETTINGS)));
	if (IS_NULL(ANUM_LOADER_NAME))
	{
		describe_plain(def);
		def->logged = !IS_NULL(ANUM_LOGGED) && DatumGetBool(VALUE(ANUM_LOGGED));
	}
	else
	{
		def->loader = signature_find(TextDatumGetCString(VALUE(ANUM_LOADER_SCHEMA)),
									 TextDatumGetCString(VALUE(ANUM_LOADER_NAME)),
									 VALUE(ANUM_LOADER_ARGS),
									 &def->signature);
		def->usable = OidIsValid(def->loader) &&
			definition_describe(def, def->loader, false);
	}
	if (!IS_NULL(ANUM_KEY))
		def->key = TextDatumGetCString(VALUE(ANUM_KEY));
	if (def->usable && !def->plain && def->key != NULL)
		(void) keyexpr_describe(def, def->key, true);
	if (def->usable && !IS_NULL(ANUM_KEY_COLLATIONS))
		def->usable = read_collations(def, VALUE(ANUM_KEY_COLLATIONS));
	if (!IS_NULL(ANUM_TRUST))
		read_trust(def, VALUE(ANUM_TRUST));
	def->made_under = made_under(def);
	watches_read(NameStr(def->name), &watched);
	def->nwatched = watched.n;
	def->watched = watched.relids;
	def->mapped = watched.mapped;
	def->private = watched.private;
	def->slot = -1;
	def->prefix_slot = -1;
	def->valid = true;
	MemoryContextSwitchTo(old);
	return def;

#undef VALUE
#undef IS_NULL
}

static void
definition_free(CacheDef *def)
{
	MemoryContextDelete(def->context);
}

/*
 * Can the library read the definitions as the extension's SQL script has made
 * them?  Until ALTER EXTENSION UPDATE it may be an older one; where it is
 * another one, writers of watched tables must not fail.
 */
bool
definition_is_readable(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID,
										ObjectIdGetDatum(extension_get()->definitions));
	bool		readable = false;

	if (HeapTupleIsValid(tuple))
	{
		int			columns = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;

		readable = columns >= DEFINITION_COLUMNS_1_0 &&
			columns <= DEFINITION_COLUMNS;
	}
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return readable;
}

/*
 * Open the table of definitions.  The library and the extension's SQL script
 * have to agree on its columns.
 */
Relation
definition_open(LOCKMODE mode)
{
	Relation	rel = table_open(extension_get()->definitions, mode);

	if (!definition_is_readable())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"cache\" and its library are of different versions"),
				 errhint("Restart the server if the library has been replaced, then run ALTER EXTENSION cache UPDATE.")));
	return rel;
}

static CacheDef *
definition_load(const char *name)
{
	NameData	key;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData scankey;
	HeapTuple	tuple;
	CacheDef   *def = NULL;
	Oid			index;
	Oid			role;
	int			context;

	/* Names are looked up here without regard to the caller's privileges. */
	GetUserIdAndSecContext(&role, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   context | SECURITY_LOCAL_USERID_CHANGE);
	namestrcpy(&key, name);
	rel = definition_open(AccessShareLock);
	index = cache_primary_key_index(rel);
	ScanKeyInit(&scankey, ANUM_NAME, BTEqualStrategyNumber, F_NAMEEQ,
				NameGetDatum(&key));
	scan = systable_beginscan(rel, index, OidIsValid(index), NULL, 1, &scankey);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		def = definition_read(rel, tuple);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	SetUserIdAndSecContext(role, context);
	return def;
}

/*
 * The names of all caches of this database, as C strings.
 */
List *
definition_names(void)
{
	List	   *names = NIL;
	Relation	rel = definition_open(AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		name = heap_getattr(tuple, ANUM_NAME, RelationGetDescr(rel),
										&isnull);

		names = lappend(names, pstrdup(NameStr(*DatumGetName(name))));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return names;
}

/*
 * The definition of a cache, NULL if there is none.  It stays as it is until
 * definition_generation moves; see definition_use for longer.
 */
CacheDef *
definition_find(const char *name)
{
	NameData	key;
	DefinitionRef *ref;
	CacheDef   *def;
	bool		found;

	if (found_generation == definition_generation &&
		strcmp(NameStr(found_last->name), name) == 0)
		return found_last;
	if (strlen(name) >= NAMEDATALEN)
		return NULL;
	if (definitions == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(NameData);
		ctl.entrysize = sizeof(DefinitionRef);
		definitions = hash_create("cache definitions", 32, &ctl,
								  HASH_ELEM | HASH_BLOBS);
	}

	namestrcpy(&key, name);
	ref = hash_search(definitions, &key, HASH_FIND, NULL);
	if (ref != NULL && ref->def->valid)
	{
		found_last = ref->def;
		found_generation = definition_generation;
		return ref->def;
	}

	/*
	 * Reading may take in invalidations, which then concern the definition
	 * that is being read as well.
	 */
	for (;;)
	{
		uint64		before = definition_generation;

		def = definition_load(name);
		if (def == NULL || before == definition_generation)
			break;
		definition_free(def);
	}

	ref = hash_search(definitions, &key, HASH_FIND, NULL);
	if (ref != NULL && !ref->def->valid)
	{
		CacheDef   *old = ref->def;

		hash_search(definitions, &key, HASH_REMOVE, NULL);
		old->detached = true;
		if (old->users == 0)
			definition_free(old);
	}
	if (def == NULL)
		return NULL;
	ref = hash_search(definitions, &key, HASH_ENTER, &found);
	ref->def = def;
	MemoryContextSetParent(def->context, TopMemoryContext);
	return def;
}

/*
 * The same; an error if there is none.
 */
CacheDef *
definition_get(const char *name)
{
	CacheDef   *def = definition_find(name);

	if (def == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("cache \"%s\" does not exist", name)));
	return def;
}

/*
 * Complain if the cache's loader has been dropped, or altered so that it
 * cannot be one any more.
 */
void
definition_require_loader(CacheDef *def)
{
	if (def->usable)
		return;
	if (!OidIsValid(def->loader))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("loader function %s of cache \"%s\" does not exist",
						def->signature, NameStr(def->name)),
				 errhint("Create the function again, or name another one with cache_alter().")));
	(void) definition_describe(def, def->loader, true);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("a collation of the keys of cache \"%s\" does not exist",
					NameStr(def->name)),
			 errhint("Name the loader again with cache_alter().")));
}

/*
 * Keep a definition in memory while it is in use, even if it is replaced.
 */
void
definition_use(CacheDef *def)
{
	def->users++;
}

void
definition_release(CacheDef *def)
{
	Assert(def->users > 0);
	if (--def->users == 0 && def->detached)
		definition_free(def);
}

/*
 * A definition that is in use and not valid any more: let its settings name
 * objects as they are called now, if they have been renamed meanwhile and it has
 * the same loader.  What is loaded by it is not stored.
 */
void
definition_follow(CacheDef *def)
{
	CacheDef   *now;
	MemoryContext old;

	if (def->valid || def->plain || def->users == 0)
		return;
	now = definition_find(NameStr(def->name));
	if (now == NULL || now == def || now->id != def->id ||
		now->loader != def->loader ||
		now->settings.hash == def->settings.hash)
		return;
	old = MemoryContextSwitchTo(def->context);
	settings_parse(&def->settings, now->settings.recorded);
	MemoryContextSwitchTo(old);
	def->made_under = now->made_under;
}

/*
 * The collations that a cache's keys are compared under, palloc'd.
 */
Oid *
definition_collations(const CacheDef *def)
{
	Oid		   *collations = palloc(sizeof(Oid) * Max(def->nkeys, 1));

	for (int i = 0; i < def->nkeys; i++)
		collations[i] = def->keys[i].collation;
	return collations;
}

/*
 * A name given by a user; an error if no cache can have it.
 */
char *
definition_name(text *name)
{
	char	   *str = text_to_cstring(name);

	if (str[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("cache name must not be empty")));
	if (strlen(str) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("cache name is too long"),
				 errdetail("The name has %zu bytes, at most %d are allowed.",
						   strlen(str), NAMEDATALEN - 1)));
	return str;
}

/*
 * The name of a cache among a function's arguments; an error if it is NULL,
 * or if no cache can have it.
 */
char *
definition_name_argument(FunctionCallInfo fcinfo, int arg)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cache name must not be null")));
	return definition_name(PG_GETARG_TEXT_PP(arg));
}

/*-------------------------------------------------------------------------
 * Privileges
 *-------------------------------------------------------------------------
 */

/* The same for a cache without a loader: it is for its owner's role. */
static void
require_member(CacheDef *def)
{
	if (definition_is_owner(def))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for cache \"%s\"", NameStr(def->name)),
			 errhint("It has no loader, so it is for members of its owner's role.")));
}

/*
 * Complain unless the current role may call the loader.
 */
void
definition_require_read(CacheDef *def)
{
	Oid			role = GetUserId();
	uint64		generation = privileges_generation;
	AclResult	result;

	if ((def->allowed_role == role &&
		 def->allowed_generation == privileges_generation) ||
		GUARD_REMOVED("privileges"))
		return;

	if (def->plain)
		require_member(def);
	else
	{
		result = cache_aclcheck_namespace(def->loader_schema, role);
		if (result != ACLCHECK_OK)
			aclcheck_error(result, OBJECT_SCHEMA,
						   get_namespace_name(def->loader_schema));
		result = cache_aclcheck_proc(def->loader, role);
		if (result != ACLCHECK_OK)
			aclcheck_error(result, OBJECT_FUNCTION, get_func_name(def->loader));
	}
	def->allowed_role = role;

	/* Of before the checks, which may have read of further changes. */
	def->allowed_generation = generation;
}

/*
 * May the current role alter the cache?
 */
bool
definition_is_owner(CacheDef *def)
{
	return superuser() ||
		(OidIsValid(def->owner) && has_privs_of_role(GetUserId(), def->owner));
}

/*
 * Complain unless it may.
 */
void
definition_require_owner(CacheDef *def)
{
	if (!definition_is_owner(def))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of cache \"%s\"", NameStr(def->name))));
}
