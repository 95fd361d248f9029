/*-------------------------------------------------------------------------
 *
 * partition.c
 *		Partitions that are taken away from under snapshots.
 *
 * A snapshot goes on seeing rows that others delete, but not those of a
 * partition that is truncated, dropped, detached, or rewritten by ALTER TABLE:
 * these commands wait until nobody reads it any more, by its lock.  Who runs a
 * loader locks the partitions that it reads; who has a hit only locks the
 * table that is watched, their ancestor.  So these commands lock the watched
 * ancestors, too.  (CLUSTER and VACUUM FULL keep rows as they were.)
 *
 * They are locked in ACCESS EXCLUSIVE mode, and first, from the root down, as
 * others lock them.  Where a partition is dropped in passing, and not by DROP
 * SCHEMA or DROP OWNED, it has been locked by then.
 *
 * DETACH CONCURRENTLY must not keep readers of the whole tree waiting.  Its
 * first transaction hides the partition from later snapshots.  When that has
 * published, snapshots that do not see it have no hits any more, and it waits
 * for those who have had one; those who run the loader then are waited for by
 * PostgreSQL, before the second transaction takes the partition away.
 *
 * Locking: as said.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/extension.h"
#include "definition/watches.h"
#include "write/partition.h"

/* Ancestors whose lockers this transaction waits for, once it has published */
static List *awaited = NIL;

/* The watched ancestors of a partition, the root first. */
static List *
watched_ancestors(Oid relid)
{
	List	   *watched = NIL;
	ListCell   *lc;

	if (!get_rel_relispartition(relid) || extension_find() == NULL ||
		GUARD_REMOVED("ancestors"))
		return NIL;
	foreach(lc, get_partition_ancestors(relid))
	{
		if (watches_caches_of(lfirst_oid(lc)) != NIL)
			watched = lcons_oid(lfirst_oid(lc), watched);
	}
	return watched;
}

/*
 * A relation is about to be taken away: if it is a partition, lock its watched
 * ancestors.
 */
void
partition_lock_ancestors(Oid relid)
{
	ListCell   *lc;

	foreach(lc, watched_ancestors(relid))
		LockRelationOid(lfirst_oid(lc), AccessExclusiveLock);
}

/*
 * Is it a form of ALTER TABLE that may rewrite a partition?  Columns can
 * neither be added to one by itself, nor change their type there.
 */
static bool
rewrites(AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_SetLogged:
		case AT_SetUnLogged:
		case AT_SetAccessMethod:
#if PG_VERSION_NUM >= 170000
		case AT_SetExpression:
#endif
			return true;
		default:
			return false;
	}
}

/* Wait for readers of the watched ancestors above this one, but later. */
static void
await_readers(Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	awaited = list_copy(watched_ancestors(relid));
	MemoryContextSwitchTo(old);
}

static void
detach(Oid relid, PartitionCmd *partition)
{
	Oid			child;

	if (partition->concurrent)
	{
		await_readers(relid);
		return;
	}
	child = RangeVarGetRelid(partition->name, NoLock, true);
	if (OidIsValid(child))
		partition_lock_ancestors(child);
}

static void
alter_table(AlterTableStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	ListCell   *lc;

	if (!OidIsValid(relid) || !cache_ownercheck_class(relid, GetUserId()))
		return;
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_DetachPartition)
			detach(relid, castNode(PartitionCmd, cmd->def));
		else if (rewrites(cmd))
			partition_lock_ancestors(relid);
	}
}

static void
drop_tables(DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList((List *) lfirst(lc));
		Oid			relid = RangeVarGetRelid(name, NoLock, true);

		if (OidIsValid(relid) &&
			(cache_ownercheck_class(relid, GetUserId()) ||
			 cache_ownercheck_namespace(get_rel_namespace(relid), GetUserId())))
			partition_lock_ancestors(relid);
	}
}

/* The same, of all partitions that have one of these in a column of pg_class. */
static void
drop_all(AttrNumber column, List *oids)
{
	Relation	pg_class;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *partitions = NIL;
	ListCell   *lc;

	if (oids == NIL)
		return;
	pg_class = table_open(RelationRelationId, AccessShareLock);
	scan = systable_beginscan(pg_class, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (form->relispartition && form->relkind != RELKIND_INDEX &&
			form->relkind != RELKIND_PARTITIONED_INDEX &&
			list_member_oid(oids, column == Anum_pg_class_relowner ?
							form->relowner : form->relnamespace))
			partitions = lappend_oid(partitions, form->oid);
	}
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	foreach(lc, partitions)
		partition_lock_ancestors(lfirst_oid(lc));
}

static void
drop_schemas(DropStmt *stmt)
{
	List	   *schemas = NIL;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		Oid			schema = get_namespace_oid(strVal(lfirst(lc)), true);

		if (OidIsValid(schema) &&
			cache_ownercheck_namespace(schema, GetUserId()))
			schemas = lappend_oid(schemas, schema);
	}
	drop_all(Anum_pg_class_relnamespace, schemas);
}

static void
drop_owned(DropOwnedStmt *stmt)
{
	List	   *roles = NIL;
	ListCell   *lc;

	foreach(lc, stmt->roles)
	{
		Oid			role = get_rolespec_oid(lfirst(lc), true);

		if (OidIsValid(role) && has_privs_of_role(GetUserId(), role))
			roles = lappend_oid(roles, role);
	}
	drop_all(Anum_pg_class_relowner, roles);
}

/*
 * A command is about to be executed.  Locks nothing for those who may not do
 * what it does.
 */
void
partition_begin(Node *command)
{
	if ((!IsA(command, AlterTableStmt) && !IsA(command, DropOwnedStmt) &&
		 !IsA(command, DropStmt)) || extension_find() == NULL)
		return;
	if (IsA(command, AlterTableStmt))
		alter_table((AlterTableStmt *) command);
	else if (IsA(command, DropOwnedStmt))
		drop_owned((DropOwnedStmt *) command);
	else if (IsA(command, DropStmt))
	{
		DropStmt   *drop = (DropStmt *) command;

		if (drop->removeType == OBJECT_TABLE)
			drop_tables(drop);
		else if (drop->removeType == OBJECT_SCHEMA &&
				 drop->behavior == DROP_CASCADE)
			drop_schemas(drop);
	}
}

static pg_noinline void
wait_for_readers(void)
{
	List	   *locktags = NIL;
	ListCell   *lc;

	foreach(lc, awaited)
	{
		LOCKTAG    *tag = palloc(sizeof(LOCKTAG));

		SET_LOCKTAG_RELATION(*tag, MyDatabaseId, lfirst_oid(lc));
		locktags = lappend(locktags, tag);
	}
	awaited = NIL;
	WaitForLockersMultiple(locktags, AccessExclusiveLock, false);
}

/*
 * The transaction has published, and is about to commit: wait for whom it has
 * to.  May raise errors.
 */
void
partition_published(void)
{
	if (awaited != NIL)
		wait_for_readers();
}

/*
 * The transaction has ended.
 */
void
partition_reset(void)
{
	awaited = NIL;
}
