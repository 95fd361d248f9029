/*-------------------------------------------------------------------------
 *
 * rolechange.c
 *		What this transaction's DDL has changed of roles.
 *
 * Messages say that a role or a membership was touched, but not how it was
 * before.  The rows that a transaction in progress has deleted or replaced are
 * still in the tables, though: nobody may prune them until it has ended.  So
 * versions of rows are looked at that no snapshot of its own sees.
 *
 * Locking: ACCESS SHARE on the catalogs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/devel.h"
#include "depend/dependency.h"
#include "fence/registry.h"
#include "protocol/pending.h"
#include "redis/broadcast.h"
#include "write/rolechange.h"

/*
 * Is all the same that results of queries may depend on?  Who may log in, until
 * when, how often and with which password, or create databases, is no matter to
 * a session that is there.
 */
static bool
same_rights(Form_pg_authid a, Form_pg_authid b)
{
	return strcmp(NameStr(a->rolname), NameStr(b->rolname)) == 0 &&
		a->rolsuper == b->rolsuper &&
		a->rolinherit == b->rolinherit &&
		a->rolcreaterole == b->rolcreaterole &&
		a->rolreplication == b->rolreplication &&
		a->rolbypassrls == b->rolbypassrls;
}

/* Has this transaction, but for what was rolled back to a savepoint, made it? */
static bool
is_own(HeapTupleHeader row)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row));
}

/* Is it the row as it was before this transaction? */
static bool
is_former(HeapTupleHeader row)
{
	return !is_own(row) &&
		!(row->t_infomask & HEAP_XMAX_INVALID) &&
		!HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(row));
}

/*
 * Has this transaction changed what a role may do, be it for a while?  It has if
 * the role is new or dropped.
 */
bool
rolechange_has(Oid role)
{
	HeapTuple	now = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	Relation	roles;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		former = false;
	bool		same = true;

	if (!HeapTupleIsValid(now))
		return true;
	roles = table_open(AuthIdRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_authid_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(role));
	scan = systable_beginscan(roles, AuthIdOidIndexId, true, SnapshotAny, 1,
							  &key);
	while (same && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		former |= is_former(tuple->t_data);
		same = !(is_own(tuple->t_data) || is_former(tuple->t_data)) ||
			same_rights((Form_pg_authid) GETSTRUCT(tuple),
						(Form_pg_authid) GETSTRUCT(now));
	}
	systable_endscan(scan);
	table_close(roles, AccessShareLock);
	ReleaseSysCache(now);
	return !(former && (same || GUARD_REMOVED("role_change")));
}

/*
 * The members, as a list of OIDs, of memberships with this hash in
 * AUTHMEMROLEMEM: whose it is that was made, changed or taken away, and perhaps
 * others.
 */
List *
rolechange_members(uint32 hash)
{
	Relation	memberships = table_open(AuthMemRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(memberships, InvalidOid, false,
										  SnapshotAny, 0, NULL);
	HeapTuple	tuple;
	List	   *members = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_auth_members form = (Form_pg_auth_members) GETSTRUCT(tuple);

		if (dependency_membership_hash(form) == hash)
			members = list_append_unique_oid(members, form->member);
	}
	systable_endscan(scan);
	table_close(memberships, AccessShareLock);
	return members;
}

/*
 * Make pending what is loaded in the name of a role, in all databases.  Others are
 * told of everything, as it is not known of which caches there is any.
 */
void
rolechange_add_pending(Oid role)
{
	PendingHandle added = pending_add_role(role);
	ListCell   *lc;
	bool		here = false;
	bool		elsewhere = false;

	if (added == PENDING_NONE || !broadcast_wanted())
		return;
	foreach(lc, slot_databases())
	{
		Oid			dbid = lfirst_oid(lc);

		if (dependency_has_caller(dbid, role))
			*(dbid == MyDatabaseId ? &here : &elsewhere) = true;
	}
	if (here || elsewhere)
		pending_describe(added, broadcast_message_all(!elsewhere));
}
