/*-------------------------------------------------------------------------
 *
 * anchor.c
 *		What stands for a cache in the catalogs.
 *
 * A definition is a row of a table: nothing in the catalogs can depend on it,
 * nor it on anything.  So each cache has an anchor, an object of a kind that
 * PostgreSQL and pg_dump know: a foreign server "cache <name>" of the
 * foreign-data wrapper "cache", which has no handler, is a member of the
 * extension, and is for nobody else to use.  Its type is the cache's name; that
 * cannot be altered, so the server may be renamed.
 *
 *	- It depends on the cache's loader: DROP FUNCTION is refused, or with
 *	  CASCADE takes the cache along.
 *	- The triggers of the cache's watches depend on it, and go with it.
 *	- It has the cache's owner: REASSIGN OWNED hands the cache over, DROP OWNED
 *	  drops it, and DROP ROLE is refused, in other databases too.
 *	- It depends on the wrapper, but does not keep it: DROP EXTENSION needs no
 *	  CASCADE.
 *
 * When a server is dropped or gets another owner, by whatever command, a hook
 * has the definition follow (utility.c, anchored.c).
 *
 * A dump contains servers with their owners, but not what they depend on; those
 * that were restored depend on the wrapper in the ordinary way, which tells
 * them from those that are complete.  Extension 1.0 has no wrapper, and caches
 * that were made by it, or restored by a dump of it, have no anchors.
 * anchored_mend() makes good what is missing.
 *
 * Everything here is done in the name of the superuser, since the wrapper is
 * for nobody: the callers have asked for rights.
 *
 * Locking: callers that change anchors hold SHARE ROW EXCLUSIVE on
 * cache_definition, see rows.c; a loader is locked in ACCESS SHARE mode, so
 * that it cannot be dropped before it is known that an anchor depends on it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/user.h"
#include "common/hashfn.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "definition/anchor.h"
#include "definition/extension.h"

#define WRAPPER		"cache"

/* A server, as the catalog has it. */
typedef struct Anchor
{
	Oid			server;
	Oid			owner;
	char	   *cache;
} Anchor;

/* Who is to be restored when something has been done in another's name. */
typedef struct Caller
{
	Oid			role;
	int			context;
} Caller;

static void
become_superuser(Caller *caller)
{
	GetUserIdAndSecContext(&caller->role, &caller->context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   caller->context | SECURITY_LOCAL_USERID_CHANGE);
}

static void
become_caller(const Caller *caller)
{
	SetUserIdAndSecContext(caller->role, caller->context);
}

/* The extension's wrapper; InvalidOid if its version has none. */
static Oid
wrapper(void)
{
	const Extension *extension = extension_find();
	Oid			oid = extension == NULL ? InvalidOid :
		get_foreign_data_wrapper_oid(WRAPPER, true);

	return OidIsValid(oid) &&
		getExtensionOfObject(ForeignDataWrapperRelationId, oid) == extension->oid ?
		oid : InvalidOid;
}

/*-------------------------------------------------------------------------
 * Looking for anchors
 *-------------------------------------------------------------------------
 */

/* The cache whose anchor this row of pg_foreign_server is; NULL if of none. */
static char *
cache_of(HeapTuple tuple, Relation pg_foreign_server, Oid fdw)
{
	bool		isnull;
	Datum		type;

	if (((Form_pg_foreign_server) GETSTRUCT(tuple))->srvfdw != fdw)
		return NULL;
	type = heap_getattr(tuple, Anum_pg_foreign_server_srvtype,
						RelationGetDescr(pg_foreign_server), &isnull);
	return isnull ? NULL : TextDatumGetCString(type);
}

/* All anchors, or, if cache is not NULL, that of the cache. */
static List *
find_anchors(const char *cache)
{
	Oid			fdw = wrapper();
	List	   *found = NIL;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(fdw))
		return NIL;
	rel = table_open(ForeignServerRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_server form = (Form_pg_foreign_server) GETSTRUCT(tuple);
		char	   *name = cache_of(tuple, rel, fdw);

		if (name == NULL)
			continue;
		if (cache == NULL || strcmp(name, cache) == 0)
		{
			Anchor	   *anchor = palloc(sizeof(Anchor));

			anchor->server = form->oid;
			anchor->owner = form->srvowner;
			anchor->cache = name;
			found = lappend(found, anchor);
		}
		else
			pfree(name);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * The cache whose anchor this server is, and the owner that the server has just
 * now, in the middle of a command that alters it; NULL if it is none.
 */
char *
anchor_cache(Oid server, Oid *owner)
{
	Oid			fdw = wrapper();
	char	   *cache = NULL;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	if (!OidIsValid(fdw))
		return NULL;
	rel = table_open(ForeignServerRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_foreign_server_oid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(server));
	scan = systable_beginscan(rel, ForeignServerOidIndexId, true, SnapshotSelf,
							  1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		cache = cache_of(tuple, rel, fdw);
		*owner = ((Form_pg_foreign_server) GETSTRUCT(tuple))->srvowner;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return cache;
}

/*
 * The nth name that the server of a cache may have.  One that is too long ends
 * in a hash, as does each name but the first.
 */
static char *
server_name(const char *cache, int n)
{
	char	   *name = psprintf("cache %s", cache);
	int			length = strlen(name);
	uint32		hash = hash_bytes((const unsigned char *) cache,
								  strlen(cache)) + n;
	char	   *end;

	if (n == 0 && length < NAMEDATALEN)
		return name;
	end = psprintf(" %08x", hash);
	length = pg_mbcliplen(name, length, NAMEDATALEN - 1 - strlen(end));
	return psprintf("%.*s%s", length, name, end);
}

/* The server of a cache; InvalidOid if there is none. */
static Oid
find_server(const char *cache)
{
	Oid			server = get_foreign_server_oid(server_name(cache, 0), true);
	Oid			owner;
	char	   *found = OidIsValid(server) ? anchor_cache(server, &owner) : NULL;
	List	   *anchors;

	if (found != NULL && strcmp(found, cache) == 0)
		return server;

	/* It may have another name. */
	anchors = find_anchors(cache);
	return anchors == NIL ? InvalidOid :
		((Anchor *) linitial(anchors))->server;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/*
 * Has one of these caches no anchor?  Not where caches have none.
 */
bool
anchor_any_missing(List *caches)
{
	List	   *anchors;
	char	  **names;
	int			n = 0;
	ListCell   *lc;

	if (!OidIsValid(wrapper()))
		return false;
	anchors = find_anchors(NULL);
	names = palloc(sizeof(char *) * Max(list_length(anchors), 1));
	foreach(lc, anchors)
		names[n++] = ((Anchor *) lfirst(lc))->cache;
	qsort(names, n, sizeof(char *), compare_names);
	foreach(lc, caches)
	{
		char	   *cache = lfirst(lc);

		if (bsearch(&cache, names, n, sizeof(char *), compare_names) == NULL)
			return true;
	}
	return false;
}

/*
 * Is there an anchor that a restore has made, and nobody completed?
 */
bool
anchor_any_restored(void)
{
	Oid			fdw = wrapper();
	bool		any = false;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;

	if (!OidIsValid(fdw))
		return false;
	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(ForeignDataWrapperRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(fdw));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, keys);
	while (!any && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		any = form->classid == ForeignServerRelationId &&
			form->deptype == DEPENDENCY_NORMAL;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return any;
}

/*-------------------------------------------------------------------------
 * Making and dropping them
 *-------------------------------------------------------------------------
 */

/* Let an object depend on another, and on no other of that class. */
static void
depend(Oid class, Oid object, Oid refclass, Oid referenced, DependencyType type)
{
	ObjectAddress depender;
	ObjectAddress target;

	deleteDependencyRecordsForClass(class, object, refclass, DEPENDENCY_NORMAL);
	deleteDependencyRecordsForClass(class, object, refclass, DEPENDENCY_AUTO);
	if (!OidIsValid(referenced))
		return;
	ObjectAddressSet(depender, class, object);
	ObjectAddressSet(target, refclass, referenced);
	recordDependencyOn(&depender, &target, type);
}

/* mend: it is not made by an extension's script, should one be running. */
static Oid
create_server(const char *cache, bool mend)
{
	CreateForeignServerStmt *stmt = makeNode(CreateForeignServerStmt);
	int			n = 0;
	Oid			server;

	do
		stmt->servername = server_name(cache, n++);
	while (OidIsValid(get_foreign_server_oid(stmt->servername, true)));
	stmt->servertype = pstrdup(cache);
	stmt->fdwname = WRAPPER;
	server = CreateForeignServer(stmt).objectId;
	CommandCounterIncrement();
	if (creating_extension && mend)
		deleteDependencyRecordsForClass(ForeignServerRelationId, server,
										ExtensionRelationId,
										DEPENDENCY_EXTENSION);
	return server;
}

static void
set_owner(Oid server, Oid owner)
{
	if (OidIsValid(owner) && GetForeignServer(server)->owner != owner)
	{
		AlterForeignServerOwner_oid(server, owner);
		CommandCounterIncrement();
	}
}

/*
 * See to it that a cache has an anchor, which belongs to this role (InvalidOid:
 * to whom it does) and depends on this loader (InvalidOid: on none).  An error
 * if the loader has been dropped meanwhile.  mend: the cache was made before.
 */
void
anchor_set(const char *cache, Oid owner, Oid loader, bool mend)
{
	Oid			fdw = wrapper();
	Oid			server;
	Caller		caller;

	if (!OidIsValid(fdw))
		return;
	if (OidIsValid(loader))
	{
		char	   *signature = format_procedure(loader);

		LockDatabaseObject(ProcedureRelationId, loader, 0, AccessShareLock);
		if (!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(loader)))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FUNCTION),
					 errmsg("function %s does not exist", signature)));
	}
	become_superuser(&caller);
	server = find_server(cache);
	if (!OidIsValid(server))
		server = create_server(cache, mend);
	set_owner(server, owner);
	depend(ForeignServerRelationId, server, ForeignDataWrapperRelationId, fdw,
		   DEPENDENCY_AUTO);
	depend(ForeignServerRelationId, server, ProcedureRelationId, loader,
		   DEPENDENCY_NORMAL);
	CommandCounterIncrement();
	become_caller(&caller);
}

/*
 * A trigger of a watch goes away with the cache's anchor, if that is there.
 */
void
anchor_hold(const char *cache, Oid trigger)
{
	Oid			server = OidIsValid(wrapper()) ? find_server(cache) : InvalidOid;

	if (OidIsValid(server))
		depend(TriggerRelationId, trigger, ForeignServerRelationId, server,
			   DEPENDENCY_AUTO);
}

/*
 * No anchor keeps the extension from being dropped, those neither that belong to
 * no cache.
 */
void
anchor_keep_all(void)
{
	Oid			fdw = wrapper();
	ListCell   *lc;

	foreach(lc, find_anchors(NULL))
		depend(ForeignServerRelationId, ((Anchor *) lfirst(lc))->server,
			   ForeignDataWrapperRelationId, fdw, DEPENDENCY_AUTO);
	CommandCounterIncrement();
}

/*
 * Drop a cache's anchor, and by that what depends on it: the definition, see
 * anchored_drop().  False if there is none.
 */
bool
anchor_drop(const char *cache)
{
	ObjectAddress address;
	Oid			server = OidIsValid(wrapper()) ? find_server(cache) : InvalidOid;

	if (!OidIsValid(server))
		return false;
	ObjectAddressSet(address, ForeignServerRelationId, server);
	performDeletion(&address, DROP_RESTRICT, 0);
	return true;
}

/*
 * Has the current role restored the anchor of a cache that is not there yet?
 */
bool
anchor_is_own(const char *cache)
{
	Oid			server = OidIsValid(wrapper()) ? find_server(cache) : InvalidOid;

	return OidIsValid(server) &&
		has_privs_of_role(GetUserId(), GetForeignServer(server)->owner);
}

/*
 * Has another role?
 */
bool
anchor_is_foreign(const char *cache)
{
	return OidIsValid(wrapper()) && OidIsValid(find_server(cache)) &&
		!anchor_is_own(cache);
}

/*
 * A cache is about to be created.  If somebody else has restored an anchor of
 * this name, that goes, and with it the watches that he has made for it.
 */
void
anchor_evict(const char *cache)
{
	Oid			server = OidIsValid(wrapper()) ? find_server(cache) : InvalidOid;
	ObjectAddress address;
	Caller		caller;

	if (!OidIsValid(server) || GetForeignServer(server)->owner == GetUserId())
		return;
	ObjectAddressSet(address, ForeignServerRelationId, server);
	become_superuser(&caller);
	performDeletion(&address, DROP_CASCADE, 0);
	become_caller(&caller);
	CommandCounterIncrement();
}

/*
 * Is the new server to be one of the wrapper?
 */
bool
anchor_is_server(CreateForeignServerStmt *stmt)
{
	return strcmp(stmt->fdwname, WRAPPER) == 0 && OidIsValid(wrapper());
}

/*
 * CREATE SERVER, as a dump has it.  The wrapper is for nobody, so a server for
 * somebody who is no superuser is made here, in the superuser's name, and given
 * to him.  He may have it if he may create objects in the database, and there is
 * no such cache: its anchor would be there, as the caller has seen to, who holds
 * the lock on the definitions.
 */
void
anchor_restore(CreateForeignServerStmt *stmt)
{
	AclResult	allowed;
	Caller		caller;
	Oid			server;

	allowed = cache_aclcheck_database(MyDatabaseId, GetUserId(), ACL_CREATE);
	if (stmt->servertype == NULL || stmt->version != NULL ||
		stmt->options != NIL || allowed != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign-data wrapper %s",
						WRAPPER),
				 errdetail("Its servers stand for caches."),
				 errhint("Restore as a superuser or as owner of the database, or create the cache with cache_create().")));
	if (OidIsValid(find_server(stmt->servertype)))
	{
		ereport(stmt->if_not_exists ? NOTICE : ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("cache \"%s\" has a server already",
						stmt->servertype)));
		return;
	}
	become_superuser(&caller);
	server = CreateForeignServer(stmt).objectId;
	CommandCounterIncrement();
	if (OidIsValid(server))
		set_owner(server, caller.role);
	become_caller(&caller);
}

/*
 * ALTER SERVER ... OWNER of an anchor, by somebody who is no superuser: a new
 * owner would need rights on the wrapper.  Whoever may give a table away may do
 * this as well.  False if it is something else.
 */
bool
anchor_give(AlterOwnerStmt *stmt)
{
	Oid			server;
	Oid			owner;
	Oid			role;
	Caller		caller;

	if (stmt->objectType != OBJECT_FOREIGN_SERVER || superuser())
		return false;
	server = get_foreign_server_oid(strVal(stmt->object), true);
	if (!OidIsValid(server) || anchor_cache(server, &owner) == NULL ||
		!has_privs_of_role(GetUserId(), owner))
		return false;
	PreventCommandIfReadOnly("ALTER SERVER");
	role = get_rolespec_oid(stmt->newowner, false);
	cache_check_can_set_role(GetUserId(), role);
	become_superuser(&caller);
	set_owner(server, role);
	become_caller(&caller);
	return true;
}

/*
 * REASSIGN OWNED is about to hand over what these roles own.  A new owner of a
 * server needs rights on the wrapper, which nobody has: so anchors are handed
 * over here, to whom the caller could hand over a table.  What else is to be
 * complained of, the command does.
 */
void
anchor_reassign(ReassignOwnedStmt *stmt)
{
	List	   *roles;
	Oid			owner;
	Caller		caller;
	ListCell   *lc;

	if (superuser() || !OidIsValid(wrapper()))
		return;
	roles = roleSpecsToIds(stmt->roles);
	owner = get_rolespec_oid(stmt->newrole, false);
	foreach(lc, roles)
	{
		if (!has_privs_of_role(GetUserId(), lfirst_oid(lc)))
			return;
	}
	if (!has_privs_of_role(GetUserId(), owner))
		return;
	foreach(lc, find_anchors(NULL))
	{
		Anchor	   *anchor = lfirst(lc);

		if (!list_member_oid(roles, anchor->owner))
			continue;
		cache_check_can_set_role(GetUserId(), owner);
		become_superuser(&caller);
		set_owner(anchor->server, owner);
		become_caller(&caller);
	}
}
