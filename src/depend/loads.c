/*-------------------------------------------------------------------------
 *
 * loads.c
 *		The loads in progress, and what they depend on.
 *
 * While a loader runs, what it depends on is noted here: its plans tell (plans.c),
 * and of what PL/pgSQL evaluates without the executor, compiled.c.  What is read
 * from a table with row security or a temporary table is different for others, and
 * not stored.  A table that is not watched for this cache (or a foreign table, which
 * cannot be) may change without notice: the result is stored only if the cache has a
 * ttl.  Catalogs are exempt: all DDL invalidates the caches whose loads read them.
 * By what other DDL finds the caches that it concerns is noted here as well, in the
 * registry and, for all loads together, in dependency.c.
 *
 * A load inside a load is watched for both.  A hit inside a load counts as
 * reading whatever the loads of that cache have read, which its slot in the
 * registry remembers, and which columns of each relation.
 *
 * An error that is caught inside a load may have been this session's alone: of
 * the stack's depth, a timeout, a lock, a privilege.  The subtransaction that
 * ends with it tells of it.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_largeobject.h"
#include "catalog/pg_largeobject_metadata.h"
#include "catalog/pg_replication_origin.h"
#include "catalog/pg_shdepend.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_statistic_ext_data.h"
#include "catalog/pg_subscription_rel.h"
#include "nodes/parsenodes.h"
#include "partitioning/partdesc.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/watches.h"
#include "depend/dependency.h"
#include "depend/identity.h"
#include "depend/loads.h"
#include "fence/registry.h"
#include "fence/slotlists.h"

Load	   *current_load = NULL;

/*
 * An empty context, which is moved to the front of its siblings when a load
 * begins: what is in front of it has been made since the last one began.
 */
MemoryContext loads_boundary = NULL;

static uint64 loads_begun = 0;

/* Plannings in progress, in loads */
int			loads_planning = 0;

/*
 * A load that has ended has planned something that depends on what it noted; what
 * functions in SQL keep of that has to be made, and noted, again.
 */
bool		loads_left_plans = false;

/*
 * The loads in progress may read what no plan tells: a function that is trusted
 * for may do anything, and what it was found in may be seen no more.
 */
static void
note_unseen(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0)
			slot_add_unseen(load->def->slot);
	}
}

/*
 * A load begins: of the cache's loader, or (keys) of a key function of its.
 */
void
load_begin(Load *load, CacheDef *def, bool keys)
{
	memset(load, 0, sizeof(Load));
	load->def = def;
	load->keys = keys;
	load->number = ++loads_begun;
	load->role = GetUserId();
	if (loads_boundary == NULL)
		loads_boundary = AllocSetContextCreate(TopMemoryContext, "cache loads",
											   ALLOCSET_SMALL_SIZES);
	MemoryContextSetParent(loads_boundary, NULL);
	MemoryContextSetParent(loads_boundary, CACHE_PLPGSQL_PARENT);
	load->outer = current_load;
	current_load = load;
	if (def->trusted != NIL && !GUARD_REMOVED("unseen"))
		note_unseen();
}

/*
 * Is it noted of this load's cache, and of those whose loads it is a part of, that
 * they depend on the relation?  An earlier load of just one of them may have read it.
 */
static bool
all_depend_on(const Load *load, Oid relid)
{
	for (; load != NULL; load = load->outer)
	{
		if (load->keys || load->def->slot < 0 ||
			!slot_depends_on(load->def->slot, relid))
			return false;
	}
	return true;
}

/*
 * The load is through, without an error: it depends also on what it speaks of
 * and has not read, and so do those that it is a part of.  Before its result is
 * stored.
 */
void
load_note_unread(Load *load)
{
	for (int i = 0; i < load->nanalysed; i++)
	{
		if (!all_depend_on(load, load->analysed[i]))
			dependency_note_mention(load->analysed[i]);
	}
}

/*
 * It ends, also by an error.
 */
void
load_end(Load *load)
{
	current_load = load->outer;
	if (load->planned.mask != 0)
		loads_left_plans = true;
}

/*
 * How many loads are in progress, one inside the other?
 */
int
loads_depth(void)
{
	int			depth = 0;

	for (Load *load = current_load; load != NULL; load = load->outer)
		depth++;
	return depth;
}

/*
 * Forget the loads in progress: the transaction has ended.
 */
void
loads_reset(void)
{
	current_load = NULL;
	loads_planning = 0;
}

/*-------------------------------------------------------------------------
 * Noting
 *-------------------------------------------------------------------------
 */

/* These loads depend on what temporary objects a session has. */
static void
note_own_path(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0)
			pg_atomic_write_u32(&shared_slots[load->def->slot].own_path, 1);
	}
}

/* These loads use what another server has loaded. */
static void
note_elsewhere(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0)
			slot_note_elsewhere(load->def->slot);
	}
}

/*
 * These loads read catalogs, so they depend on all DDL.
 */
void
loads_note_catalogs(void)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		load->reads_catalogs = true;
		if (!load->keys && load->def->slot >= 0)
			slot_note_catalogs(load->def->slot);
	}
}

/*
 * The loads in progress depend on this.  Where the innermost of them runs a
 * function that is trusted, what that function does concerns nobody.
 */
void
loads_note(Reason reason, Oid object)
{
	if (reason == REASON_TEMPORARY_OBJECTS)
	{
		note_own_path();
		return;
	}
	if (reason == REASON_CATALOGS)
	{
		loads_note_catalogs();
		for (Load *load = current_load; loads_planning > 0 && load != NULL;
			 load = load->outer)
			reasons_note(&load->planned, reason, object);
		return;
	}
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (load->trusted_by != NULL && reasons_forgivable(reason))
			break;
		reasons_note(&load->why, reason, object);
		if (loads_planning > 0)
			reasons_note(&load->planned, reason, object);
	}
}

/*
 * The same of several.
 */
void
loads_note_all(const Reasons *reasons)
{
	for (int i = 0; reasons->mask != 0 && i < REASONS; i++)
	{
		if (reasons->mask & REASON_BIT(i))
			loads_note(i, reasons->object[i]);
	}
}

/*
 * Does the innermost load's cache trust the function?
 */
bool
loads_trusted(Oid function)
{
	return current_load != NULL &&
		list_member_oid(current_load->def->trusted, function);
}

/*
 * A subtransaction has ended with an error, inside a load.
 */
void
loads_caught_error(void)
{
	if (current_load != NULL && !GUARD_REMOVED("caught_error"))
		loads_note(REASON_CAUGHT_ERROR, REASON_NOTHING);
}

/*
 * Is it a catalog whose changes are known because they are DDL?  What DDL in
 * other databases leaves in pg_shdepend is not.
 */
bool
loads_is_catalog(Oid relid)
{
	if (relid >= FirstNormalObjectId)
		return false;
	switch (relid)
	{
		case LargeObjectRelationId:
		case LargeObjectMetadataRelationId:
		case ReplicationOriginRelationId:
		case SharedDependRelationId:
		case StatisticRelationId:
		case StatisticExtDataRelationId:
		case SubscriptionRelRelationId:
			return false;
		default:
			return true;
	}
}

/*
 * While a partition is being detached concurrently, plans of before and of
 * after read it or do not, whatever the snapshot says that they run under.
 */
static bool
is_detaching(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
		!GUARD_REMOVED("detaching") &&
		RelationGetPartitionDesc(rel, false)->detached_exist;
}

/* Does a column hold the identity of what has a name in the catalogs? */
static bool
holds_names(TupleDesc columns)
{
	for (int i = 0; i < columns->natts; i++)
	{
		if (identity_is_type(TupleDescAttr(columns, i)->atttypid))
			return true;
	}
	return false;
}

/*
 * The loads in progress read a relation, and of that these columns.
 */
void
loads_note_relation(Relation rel, Columns columns)
{
	Oid			relid = RelationGetRelid(rel);
	char		relkind = rel->rd_rel->relkind;
	bool		temporary = rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP;

	if (relkind == RELKIND_VIEW)
		return;
	if (relid < FirstNormalObjectId || holds_names(RelationGetDescr(rel)))
		loads_note_catalogs();
	if (loads_is_catalog(relid))
		return;

	/*
	 * Whether policies apply depends on the role, its settings and what the
	 * policies call; PlannedStmt does not tell (its dependsOnRole is for
	 * foreign joins alone).
	 */
	if (rel->rd_rel->relrowsecurity && !GUARD_REMOVED("row_security"))
		loads_note(REASON_ROW_SECURITY, relid);
	if (temporary && !GUARD_REMOVED("temporary"))
		loads_note(REASON_TEMPORARY, relid);
	if (is_detaching(rel))
		loads_note(REASON_DETACHING, relid);
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!temporary && !GUARD_REMOVED("unwatched") &&
			(relkind == RELKIND_FOREIGN_TABLE ||
			 !watches_covers(rel, NameStr(load->def->name))))
			reasons_note(&load->why, REASON_UNWATCHED, relid);

		/* By what it reads, a key function tells what DDL concerns. */
		if (load->keys && load->def->slot >= 0 && !temporary)
			slot_depend(load->def->slot, relid);

		/* A slot that cannot hold all that is read makes hits useless. */
		if (!load->keys && load->def->slot >= 0 && !temporary)
			slot_add_read(load->def->slot, relid, columns);
	}
}

/*
 * The loads in progress read through a view.  Whoever uses the result later has to
 * lock it, as this load has.
 */
void
loads_note_view(Oid relid)
{
	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (!load->keys && load->def->slot >= 0 &&
			!slot_add_view(load->def->slot, relid))
			reasons_note(&load->why, REASON_MANY_VIEWS, REASON_NOTHING);
	}
}

/*
 * By whose rights is something done now?  The caller's, if the entries of all
 * loads in progress are in the name of the current role.
 */
DependencyRights
loads_rights(void)
{
	Oid			role = GetUserId();

	for (Load *load = current_load; load != NULL; load = load->outer)
	{
		if (load->keys || load->def->definer || load->role != role)
			return GUARD_REMOVED("caller") ? RIGHTS_OF_CALLER : RIGHTS_OF_ROLE;
	}
	return RIGHTS_OF_CALLER;
}

/*
 * Is the search_path another one than what was recorded?  A function with a
 * setting of its own may have pg_temp in front of what it means.
 */
void
loads_note_search_path(void)
{
	const char *recorded = current_load->def->settings.search_path;

	dependency_note_session(current_load->keys ? RIGHTS_NONE : loads_rights());
	if (recorded != NULL && strcmp(recorded, namespace_search_path) != 0 &&
		!GUARD_REMOVED("settings"))
		note_own_path();
}

/*
 * A command that is not a query is executed: by a VOLATILE function, since
 * others cannot.  What it gives is the session's, by and large.
 */
void
loads_note_utility(Node *command)
{
	if (current_load != NULL && !IsA(command, CallStmt) &&
		!IsA(command, DoStmt) && !IsA(command, LockStmt))
		loads_note(REASON_SESSION, REASON_UTILITY);
}

/*
 * What the loads in progress give is good until then; 0: no bound.
 */
void
loads_bound(TimestampTz expires)
{
	for (Load *load = current_load; load != NULL && expires != 0;
		 load = load->outer)
	{
		if (load->expires == 0 || expires < load->expires)
			load->expires = expires;
	}
}

/*
 * A cached value of another cache was used, of this generation.  If a load is
 * in progress, it has read all that the loads of that cache have read.  Its
 * slot forgets that with each generation, after it has begun the next one: so
 * if the generation is still the same afterwards, nothing was missing.
 */
void
loads_note_hit(CacheDef *inner, uint64 generation, TimestampTz expires)
{
	SlotLists	lists;
	bool		unknown;

	if (current_load == NULL || GUARD_REMOVED("nested_hit"))
		return;
	if (!inner->definer && loads_rights() == RIGHTS_OF_ROLE)
		dependency_note_role(GetUserId());
	unknown = slot_copy_lists(inner->slot, &lists) != generation &&
		!GUARD_REMOVED("nested_race");
	unknown |= !lists.complete;

	for (Load *load = current_load; unknown && load != NULL; load = load->outer)
		reasons_note(&load->why, REASON_MANY_READS, REASON_NOTHING);
	loads_bound(expires);
	if (lists.own_path)
		note_own_path();
	if (lists.unseen && !GUARD_REMOVED("unseen"))
		note_unseen();
	if (lists.reads_catalogs)
		loads_note_catalogs();
	if (lists.elsewhere)
		note_elsewhere();
	for (uint32 i = 0; i < lists.nviews; i++)
		loads_note_view(lists.views[i]);
	for (uint32 i = 0; i < lists.nreads; i++)
	{
		Relation	rel = try_relation_open(lists.reads[i], AccessShareLock);

		if (rel == NULL)
			continue;
		loads_note_relation(rel, lists.columns[i]);
		relation_close(rel, NoLock);
	}
}

