/*-------------------------------------------------------------------------
 *
 * ddl.c
 *		What this transaction's DDL touches, and which caches depend on it.
 *
 * PostgreSQL sends invalidation messages for each change of a catalog, by which
 * all sessions know what their own caches must forget; and those that a
 * transaction will send are known when it is about to commit.  So nothing need
 * be known of commands: whatever a function has changed, or a plain UPDATE of a
 * catalog, is found, what was rolled back to a savepoint is not, and a command
 * that did nothing (IF EXISTS) has no message.  Messages identify objects by
 * the hashes of catalog caches, from which the OIDs follow.
 *
 * What loads depend on is noted by them (slotlists.c, dependency.c).  Here it is
 * decided:
 *
 *	relations	invalidate the caches whose loads have read them, or read
 *				through them, and those that watch them.  A relation that has
 *				got its name, or moved, invalidates all if loads may mean it by
 *				that name; and any one whose row type is used elsewhere.
 *	functions, types, schemas
 *				invalidate all caches if loads may mean them by their names, or
 *				by the ones they had; or if others depend on them, according
 *				to pg_depend, who need not name them.
 *	roles		invalidate what is loaded in their own names (rolefence.c); and
 *				all caches of those databases in which other loads depend on
 *				their rights.
 *	operators, casts, collations and what else has no name in a text
 *				invalidate all caches.
 *	all of them, and comments, indexes, statistics ...
 *				invalidate the caches whose loads read catalogs.
 *
 * A load may note a dependency only after that.  So the transaction first enters
 * its id in fences of the database's, from which the fence of a cache inherits
 * whenever something new is noted: then whoever does not see the transaction
 * does not use what was loaded by one who did.  See dependency.c, slotlists.c.
 *
 * On a standby other loads have noted other things: what is decided here, and the
 * questions that it is decided by, go there by WAL (news.c, wal/replay.c).
 *
 * What commands tell is that a transaction has run nothing but those that
 * change no result, such as CREATE INDEX, though they send messages about a
 * table.
 *
 * Two changes are not meant.  pg_shdepend changes with nearly all DDL; to
 * loaders it is a table that nobody can watch (loads.c).  And VACUUM notes in
 * pg_class and pg_database how far it has come.
 *
 * Locking: a transaction that other sessions' catalog caches must hear of takes
 * the lock that catalogs_settle() looks at.  The registry lock, for what it is
 * decided by.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_shdepend.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/sinval.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/anchor.h"
#include "definition/definition.h"
#include "depend/dependency.h"
#include "fence/dependencyset.h"
#include "fence/news.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/slotlists.h"
#include "protocol/catalogs.h"
#include "protocol/invalidate.h"
#include "protocol/pending.h"
#include "protocol/publish.h"
#include "protocol/statement.h"
#include "redis/broadcast.h"
#include "segment.h"
#include "write/ddl.h"
#include "write/naming.h"
#include "write/rolechange.h"

/* What is touched, in the order in which it is looked at. */
typedef enum ObjectKind
{
	OBJECT_IS_RELATION,
	OBJECT_IS_FUNCTION,
	OBJECT_IS_TYPE,
	OBJECT_IS_SCHEMA,
	OBJECT_IS_ROLE,
	OBJECT_IS_DATABASE,
	OBJECT_IS_MEMBERSHIP		/* a hash instead of an OID */
} ObjectKind;

typedef struct Object
{
	ObjectKind	kind;
	Oid			oid;
	List	   *members;		/* of a membership: who is, or was */
} Object;

/* What the messages of the transaction say. */
typedef struct Touched
{
	Object	   *objects;
	int			nobjects;
	int			size;
	bool		here;			/* something in this database */
	bool		shared;			/* something that all databases have */
	bool		lasting;		/* more than temporary objects and such as are
								 * in catalogs alone */
	bool		all_relations;	/* any relation */
	bool		all;			/* any cache here may depend on it */
	bool		everywhere;		/* any cache of any database may */
	bool		replaced;		/* what tells keys may be another, see mapping.c */
} Touched;

static bool ran[EFFECT_RESULTS + 1];	/* commands of such an effect */
static int	running[EFFECT_RESULTS + 1];	/* such commands in progress */
static uint64 changes = 0;		/* definition_changes before the transaction */

static int	vacuums = 0;		/* VACUUM commands in progress */
static bool vacuumed = false;	/* this transaction is the end of one */

/*-------------------------------------------------------------------------
 * While the transaction runs
 *-------------------------------------------------------------------------
 */

/*
 * A command is executed.
 */
void
ddl_note_command(CommandEffect effect)
{
	ran[effect] = true;
}

/*
 * A command begins, which may have transactions of its own; it ends, also by an
 * error.
 */
void
ddl_begin_command(CommandEffect effect)
{
	running[effect]++;
}

void
ddl_end_command(CommandEffect effect)
{
	running[effect]--;
}

/*
 * Is this transaction, or a part of it, such a command?  Triggers and what else has
 * been changed for a definition or a watch are ours.
 */
static bool
has_run(CommandEffect effect)
{
	return ran[effect] || running[effect] > 0 ||
		(effect == EFFECT_CATALOGS && changes != definition_changes);
}

/*
 * A VACUUM begins, which has transactions of its own.
 */
void
ddl_begin_vacuum(void)
{
	vacuums++;
}

/*
 * It is through, or (done false) has failed; its last transaction has not
 * committed yet.
 */
void
ddl_end_vacuum(bool done)
{
	vacuums--;
	vacuumed = done;
}

/*
 * The transaction has ended.
 */
void
ddl_reset(void)
{
	memset(ran, false, sizeof(ran));
	changes = definition_changes;
	vacuumed = false;
	dependency_set_record(NULL);
	naming_reset();
}

/*-------------------------------------------------------------------------
 * Messages
 *-------------------------------------------------------------------------
 */

/* The OID that has this hash in a catalog cache with OIDs as its only key. */
static Oid
unhash(int cache, uint32 hash)
{
	uint32		oid = hash;

	/* murmurhash32() backwards */
	oid ^= oid >> 16;
	oid *= 0x7ed1b41d;
	oid ^= (oid >> 13) ^ (oid >> 26);
	oid *= 0xa5cb9243;
	oid ^= oid >> 16;
	return GetSysCacheHashValue1(cache, ObjectIdGetDatum(oid)) == hash ?
		(Oid) oid : InvalidOid;
}

static void
add_object(Touched *touched, ObjectKind kind, Oid oid)
{
	if (touched->nobjects == touched->size)
	{
		touched->size = Max(touched->size * 2, 64);
		touched->objects = touched->objects == NULL ?
			palloc_extended(sizeof(Object) * touched->size, MCXT_ALLOC_HUGE) :
			repalloc_huge(touched->objects, sizeof(Object) * touched->size);
	}
	touched->objects[touched->nobjects].kind = kind;
	touched->objects[touched->nobjects].members = NIL;
	touched->objects[touched->nobjects++].oid = oid;
}

/* The same, of a hash; if it tells no OID, it may be anything. */
static void
add_hashed(Touched *touched, ObjectKind kind, int cache, uint32 hash)
{
	Oid			oid = unhash(cache, hash);

	if (OidIsValid(oid))
		add_object(touched, kind, oid);
	else
		touched->all = touched->everywhere = true;
}

/*
 * A server that stands for a cache concerns that one alone, and is looked after
 * by anchored.c.  One that is gone took its foreign tables along.
 */
static bool
is_foreign(uint32 hash)
{
	Oid			server = unhash(FOREIGNSERVEROID, hash);
	Oid			owner;

	return !OidIsValid(server) ||
		(SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(server)) &&
		 anchor_cache(server, &owner) == NULL);
}

/* A value of an enum: what matters is its type, which is told of when it goes. */
static void
add_enum(Touched *touched, uint32 hash)
{
	Oid			value = unhash(ENUMOID, hash);
	HeapTuple	tuple;

	if (!OidIsValid(value))
	{
		touched->all = true;
		return;
	}
	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(value));
	if (!HeapTupleIsValid(tuple))
		return;
	add_object(touched, OBJECT_IS_TYPE,
			   ((Form_pg_enum) GETSTRUCT(tuple))->enumtypid);
	ReleaseSysCache(tuple);
}

/* A row of a catalog that a catalog cache has. */
static void
add_row(Touched *touched, int cache, uint32 hash)
{
	switch (cache)
	{
		case PROCOID:
			add_hashed(touched, OBJECT_IS_FUNCTION, cache, hash);
			break;
		case TYPEOID:
			add_hashed(touched, OBJECT_IS_TYPE, cache, hash);
			break;
		case ENUMOID:
			add_enum(touched, hash);
			break;
		case RANGETYPE:
			add_hashed(touched, OBJECT_IS_TYPE, cache, hash);
			break;
		case NAMESPACEOID:
			add_hashed(touched, OBJECT_IS_SCHEMA, cache, hash);
			break;
		case AUTHOID:
			add_hashed(touched, OBJECT_IS_ROLE, cache, hash);
			break;
		case DATABASEOID:
			add_hashed(touched, OBJECT_IS_DATABASE, cache, hash);
			break;
		case AUTHMEMROLEMEM:
			add_object(touched, OBJECT_IS_MEMBERSHIP, hash);
			break;
		case FOREIGNSERVEROID:
			if (is_foreign(hash))
				touched->all = true;
			break;

			/* Of the same rows, by another key. */
		case AUTHMEMMEMROLE:
		case AUTHNAME:
		case ENUMTYPOIDNAME:
		case FOREIGNSERVERNAME:
		case NAMESPACENAME:
		case PROCNAMEARGSNSP:
		case RANGEMULTIRANGE:
		case RELNAMENSP:
		case RELOID:
		case TYPENAMENSP:

			/* They come with messages about relations, where that matters. */
		case AGGFNOID:
		case ATTNAME:
		case ATTNUM:
		case CONSTROID:
		case FOREIGNTABLEREL:
		case INDEXRELID:
		case PARTRELID:
		case RULERELNAME:
		case SEQRELID:

			/* No result of a query depends on them. */
		case DEFACLROLENSPOBJ:
		case EVENTTRIGGERNAME:
		case EVENTTRIGGEROID:
		case PUBLICATIONNAME:
		case PUBLICATIONNAMESPACE:
		case PUBLICATIONNAMESPACEMAP:
		case PUBLICATIONOID:
		case PUBLICATIONREL:
		case PUBLICATIONRELMAP:
		case REPLORIGIDENT:
		case REPLORIGNAME:
		case STATEXTDATASTXOID:
		case STATEXTNAMENSP:
		case STATEXTOID:
		case STATRELATTINH:
		case SUBSCRIPTIONNAME:
		case SUBSCRIPTIONOID:
		case SUBSCRIPTIONRELMAP:
		case TABLESPACEOID:
#if PG_VERSION_NUM >= 180000
		case EXTENSIONNAME:
		case EXTENSIONOID:
#endif
			break;

		case PARAMETERACLNAME:
		case PARAMETERACLOID:
			touched->everywhere = true;
			break;

			/* Operators, casts ... and those of later versions */
		default:
			touched->all = true;
			break;
	}
}

static void
add_message(Touched *touched, const SharedInvalidationMessage *message)
{
	Oid			dbid;

	if (message->id >= 0)
		dbid = message->cc.dbId;
	else if (message->id == SHAREDINVALCATALOG_ID)
		dbid = message->cat.dbId;
	else if (message->id == SHAREDINVALRELCACHE_ID)
		dbid = message->rc.dbId;
	else if (message->id == SHAREDINVALSNAPSHOT_ID &&
			 message->sn.relId != SharedDependRelationId)
		dbid = message->sn.dbId;
	else
		return;

	/* One about all relations goes to all databases, but is about this one's. */
	if (OidIsValid(dbid) || (message->id == SHAREDINVALRELCACHE_ID &&
							 !OidIsValid(message->rc.relId)))
		touched->here = true;
	else
		touched->shared = true;
	if (message->id >= 0)
		add_row(touched, message->cc.id, message->cc.hashValue);
	else if (message->id == SHAREDINVALRELCACHE_ID)
	{
		if (!OidIsValid(message->rc.relId))
			touched->all_relations = true;
		else if (message->rc.relId >= FirstNormalObjectId)
			add_object(touched, OBJECT_IS_RELATION, message->rc.relId);
	}
}

static int
compare_objects(const void *a, const void *b)
{
	const Object *x = a;
	const Object *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->oid < y->oid ? -1 : x->oid > y->oid;
}

/* One object may have many messages. */
static void
remove_duplicates(Touched *touched)
{
	int			n = 0;

	if (touched->nobjects == 0)
		return;
	qsort(touched->objects, touched->nobjects, sizeof(Object), compare_objects);
	for (int i = 1; i < touched->nobjects; i++)
	{
		if (compare_objects(&touched->objects[i], &touched->objects[n]) != 0)
			touched->objects[++n] = touched->objects[i];
	}
	touched->nobjects = n + 1;
}

/*
 * Is what is gone supposed to have been temporary?  A session drops its own when
 * it ends, and autovacuum those that are left.
 */
static bool
drops_temporary(void)
{
	return (has_run(EFFECT_TEMPORARY) && !has_run(EFFECT_RESULTS)) ||
		proc_exit_inprogress || CACHE_IS_AUTOVACUUM_WORKER();
}

static bool
is_temporary_schema(Oid schema)
{
	char	   *name = get_namespace_name(schema);

	return name != NULL && (strncmp(name, "pg_temp_", 8) == 0 ||
							strncmp(name, "pg_toast_temp_", 14) == 0);
}

/*
 * Is an object nobody else's, or no more than what comes with one that is looked
 * at by itself?
 */
static bool
is_aside(const Object *object)
{
	NameData	name;
	Oid			schema = InvalidOid;

	switch (object->kind)
	{
		case OBJECT_IS_RELATION:
			schema = get_rel_namespace(object->oid);
			break;
		case OBJECT_IS_FUNCTION:
			schema = get_func_namespace(object->oid);
			break;
		case OBJECT_IS_SCHEMA:
			if (get_namespace_name(object->oid) != NULL)
				return is_temporary_schema(object->oid);
			break;
		case OBJECT_IS_TYPE:
			if (naming_comes_along(object->oid))
				return true;
			(void) naming_find(TypeRelationId, object->oid, &schema, &name);
			break;
		case OBJECT_IS_ROLE:
			return !rolechange_has(object->oid);
		default:
			return false;
	}
	return OidIsValid(schema) ? isAnyTempNamespace(schema) : drops_temporary();
}

/*
 * Leave out what does not concern results; is there more than that?  Nothing but
 * commands that change no result: then the relations are those that they were
 * about, and what the database notes are its event triggers.
 */
static void
sort_out(Touched *touched)
{
	bool		harmless = has_run(EFFECT_CATALOGS) && !has_run(EFFECT_RESULTS);
	int			n = 0;

	for (int i = 0; i < touched->nobjects; i++)
	{
		Object	   *object = &touched->objects[i];

		if (!(harmless && (object->kind == OBJECT_IS_RELATION ||
						   object->kind == OBJECT_IS_DATABASE)) &&
			!is_aside(object))
			touched->objects[n++] = *object;
	}
	touched->nobjects = n;
	touched->all |= statement_wrote_catalog(false) ||
		(touched->all_relations && !harmless);
	touched->everywhere |= statement_wrote_catalog(true);
	touched->lasting = n > 0 || touched->all || touched->everywhere;
}

/*-------------------------------------------------------------------------
 * Deciding
 *-------------------------------------------------------------------------
 */

/* Is this an object that has come with the one that it depends on? */
static bool
is_part(Form_pg_depend form, Oid class_id)
{
	switch (form->classid)
	{
		case TriggerRelationId:
		case EventTriggerRelationId:
			return true;		/* reading fires none */
		case TypeRelationId:
		case RelationRelationId:
			return class_id == TypeRelationId &&
				form->deptype == DEPENDENCY_INTERNAL;
		default:
			return false;
	}
}

/* Does anything depend on a function or a type that loads may use without it? */
static bool
has_dependents(Oid class_id, Oid oid)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(class_id));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2,
							  keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = !is_part((Form_pg_depend) GETSTRUCT(tuple), class_id);
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

static bool
type_has_dependents(Oid type)
{
	Oid			array = get_array_type(type);

	return has_dependents(TypeRelationId, type) ||
		(OidIsValid(array) && has_dependents(TypeRelationId, array));
}

/* May loads mean the array type that has come with a type by its name? */
static bool
array_is_named(Oid type)
{
	Oid			array = OidIsValid(type) ? get_array_type(type) : InvalidOid;

	return OidIsValid(array) && naming_is_named(TypeRelationId, array);
}

/* Is a relation, or its row type, used without its being read? */
static bool
relation_matters(Oid relid)
{
	Oid			type = get_rel_type_id(relid);
	char	   *name = get_rel_name(relid);
	Oid			schema = get_rel_namespace(relid);
	char	   *schema_name = get_namespace_name(schema);

	if (dependency_has_mention(relid))
		return true;
	if (name == NULL || schema_name == NULL)
		return false;
	return dependency_has_row_name(schema, schema_name, name) ||
		(get_rel_relkind(relid) == RELKIND_COMPOSITE_TYPE &&
		 naming_is_named(TypeRelationId, type)) ||
		array_is_named(type) ||
		(OidIsValid(type) && type_has_dependents(type));
}

/* A new membership matters to who is a member. */
static bool
membership_matters(Oid dbid, const Object *membership)
{
	ListCell   *lc;

	if (dependency_has_membership(dbid, membership->oid))
		return true;
	foreach(lc, membership->members)
	{
		if (dependency_has_role(dbid, lfirst_oid(lc)))
			return true;
	}
	return false;
}

/* Does the object matter to all caches of a database? */
static bool
matters_to_database(const Object *object, Oid dbid)
{
	switch (object->kind)
	{
		case OBJECT_IS_ROLE:
			return dependency_has_role(dbid, object->oid);
		case OBJECT_IS_MEMBERSHIP:
			return membership_matters(dbid, object);
		case OBJECT_IS_DATABASE:
			return object->oid == dbid;
		default:
			break;
	}
	if (dbid != MyDatabaseId)
		return false;
	switch (object->kind)
	{
		case OBJECT_IS_RELATION:
			return relation_matters(object->oid);
		case OBJECT_IS_FUNCTION:
			return object->oid < FirstNormalObjectId ||
				naming_is_named(ProcedureRelationId, object->oid) ||
				has_dependents(ProcedureRelationId, object->oid);
		case OBJECT_IS_TYPE:
			return object->oid < FirstNormalObjectId ||
				naming_is_named(TypeRelationId, object->oid) ||
				array_is_named(object->oid) ||
				type_has_dependents(object->oid);
		case OBJECT_IS_SCHEMA:
			return naming_is_named(NamespaceRelationId, object->oid) ||
				dependency_has_schema(object->oid, "");
		default:
			return false;
	}
}

static bool
any_matters_to_database(const Touched *touched, Oid dbid)
{
	if (dbid == MyDatabaseId && (touched->all || naming_matters()))
		return true;
	for (int i = 0; i < touched->nobjects; i++)
	{
		if (matters_to_database(&touched->objects[i], dbid))
			return true;
	}
	return false;
}

/* Others are told of the cache, if it is one of which they are. */
static void
add_dependent(uint64 id)
{
	PendingHandle added = pending_add_dependent(id);
	ListCell   *lc;

	if (added == PENDING_NONE || !broadcast_wanted())
		return;
	if (!definition_is_readable())
	{
		pending_describe(added, broadcast_message_all(true));
		return;
	}
	foreach(lc, definition_names())
	{
		CacheDef   *def = definition_find(lfirst(lc));

		if (def != NULL && def->id == id && def->redis)
			pending_describe(added,
							 broadcast_message(NameStr(def->name), NULL));
	}
}

static void
add_watching(CacheDef *def)
{
	add_dependent(def->id);
}

/* Which caches depend on the relations that are touched, or on catalogs? */
static void
add_dependents(const Touched *touched, bool results, bool lasting)
{
	Oid		   *relids = palloc_extended(sizeof(Oid) * Max(touched->nobjects, 1),
										 MCXT_ALLOC_HUGE);
	int			n = 0;
	ListCell   *lc;

	for (int i = 0; results && i < touched->nobjects; i++)
	{
		if (touched->objects[i].kind == OBJECT_IS_RELATION)
			relids[n++] = touched->objects[i].oid;
	}
	if (n > 0)
		news_add_relations(relids, n);
	else
		news_add_catalogs(MyDatabaseId, lasting);
	foreach(lc, slot_dependents(MyDatabaseId, relids, n, lasting))
		add_dependent(((SlotCache *) lfirst(lc))->id);

	/* What a rewrite does to rows the triggers of watches do not see. */
	for (int i = 0; i < n; i++)
		invalidate_watching(relids[i], add_watching);
}

/* What is loaded in the names of roles */
static void
add_roles(const Touched *touched)
{
	for (int i = 0; i < touched->nobjects; i++)
	{
		Object	   *object = &touched->objects[i];
		ListCell   *lc;

		if (object->kind == OBJECT_IS_ROLE)
			rolechange_add_pending(object->oid);
		foreach(lc, object->members)
			rolechange_add_pending(lfirst_oid(lc));
	}
}

/* In other databases, loads that read the catalogs which all share, and of others */
static void
publish_elsewhere(FullTransactionId xid, bool lasting)
{
	ListCell   *lc;

	foreach(lc, slot_dependents(InvalidOid, NULL, 0, lasting))
	{
		SlotCache  *found = lfirst(lc);

		if (found->dbid != MyDatabaseId)
			publish_dependent(found->dbid, found->id, xid);
	}
}

/* Can functions and types be others now, by which keys are told? */
static bool
may_replace(const Touched *touched)
{
	for (int i = 0; i < touched->nobjects; i++)
	{
		if (touched->objects[i].kind != OBJECT_IS_RELATION &&
			touched->objects[i].kind <= OBJECT_IS_SCHEMA)
			return true;
	}
	return false;
}

/* The databases that have caches; and this one, if others are to be told of it. */
static List *
databases(void)
{
	List	   *all = slot_databases();

	return news_wanted() ? list_append_unique_oid(all, MyDatabaseId) : all;
}

/* Standbys find out which databases depend on what all have. */
static void
tell_shared(const Touched *touched)
{
	for (int i = 0; i < touched->nobjects; i++)
	{
		Object	   *object = &touched->objects[i];
		ListCell   *lc;

		if (object->kind == OBJECT_IS_ROLE)
			news_add_role_test(object->oid);
		else if (object->kind == OBJECT_IS_MEMBERSHIP)
			news_add_membership_test(object->oid);
		else if (object->kind == OBJECT_IS_DATABASE)
			news_add_database(object->oid);
		foreach(lc, object->members)
			news_add_role_test(lfirst_oid(lc));
	}
}

/* Make what depends on it pending, or publish it. */
static void
decide(Touched *touched, bool results, bool lasting, FullTransactionId xid)
{
	ListCell   *lc;

	/* What is answered with no here, others may answer otherwise. */
	dependency_set_record(news_wanted() ? news_add_test : NULL);
	if (results)
	{
		if (touched->everywhere)
			pending_add_database(InvalidOid);
		for (int i = 0; i < touched->nobjects; i++)
		{
			if (touched->objects[i].kind == OBJECT_IS_MEMBERSHIP)
				touched->objects[i].members =
					rolechange_members(touched->objects[i].oid);
		}
		foreach(lc, touched->everywhere ? NIL : databases())
		{
			Oid			dbid = lfirst_oid(lc);

			if (any_matters_to_database(touched, dbid))
				pending_add_database(dbid);
		}
		add_roles(touched);
		tell_shared(touched);
		STOP_POINT("asked");
		if (may_replace(touched))
			publish_replace(MyDatabaseId, xid);
	}
	else if (naming_matters())
		pending_add_database(MyDatabaseId);
	dependency_set_record(NULL);
	add_dependents(touched, results, lasting);
	if (touched->shared)
	{
		publish_elsewhere(xid, lasting);
		news_add_catalogs(InvalidOid, lasting);
	}
}

/*
 * The transaction is about to commit or to be prepared: decide what depends on
 * what it has touched, and make that pending, or publish it.  May raise errors.
 */
void
ddl_decide(void)
{
	SharedInvalidationMessage *messages;
	bool		init_file;
	Touched		touched = {0};
	FullTransactionId xid;
	bool		silent;
	bool		results;
	bool		lasting;
	Oid			dbid;
	int			n;

	if (!segment_exists())
		return;
	n = xactGetCommittedInvalidationMessages(&messages, &init_file);
	if (n == 0)
		return;
	xid = GetTopFullTransactionIdIfAny();
	if (!FullTransactionIdIsValid(xid) || !ready_for_use() ||
		GUARD_REMOVED("ddl"))
		return;

	silent = vacuums > 0 || vacuumed || CACHE_IS_AUTOVACUUM_WORKER();
	for (int i = 0; i < n; i++)
		add_message(&touched, &messages[i]);
	pfree(messages);
	remove_duplicates(&touched);
	sort_out(&touched);
	if (silent || GUARD_REMOVED("shared_catalogs"))
		touched.shared = touched.everywhere = false;
	results = touched.lasting && !silent;
	dbid = touched.shared ? InvalidOid : MyDatabaseId;
	lasting = results || (!silent && naming_changed());
	if (!lasting)
	{
		publish_begin_ddl(dbid, xid, false);
		news_add_catalogs(dbid, false);
		if (!slot_any_reads_catalogs(dbid))
			return;
	}

	catalogs_begin_change(MyDatabaseId);
	if (touched.shared)
		catalogs_begin_change(InvalidOid);
	publish_begin_ddl(dbid, xid, true);
	decide(&touched, results, lasting, xid);
	STOP_POINT("decided");
}
