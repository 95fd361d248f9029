/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between PostgreSQL 15 and 18, all in one place.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_COMPAT_H
#define CACHE_COMPAT_H

#include "postgres.h"

#include "access/attmap.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "postmaster/autovacuum.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#if PG_VERSION_NUM < 160000
#include "storage/shmem.h"
#endif
#include "utils/acl.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "cache needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "utils/guc_hooks.h"
#include "varatt.h"
#else
#include "utils/guc.h"
#endif

#include "base/devel.h"

/* 17 moved the local transaction id into a struct */
#if PG_VERSION_NUM >= 170000
#define CACHE_MY_LXID	(MyProc->vxid.lxid)
#else
#define CACHE_MY_LXID	(MyProc->lxid)
#endif

/* and gave processes numbers that are not in their struct */
#if PG_VERSION_NUM >= 170000
#define CACHE_MY_PROCNO	MyProcNumber
#else
#define CACHE_MY_PROCNO	(MyProc->pgprocno)
#endif

/* 16 replaced the object-specific privilege checks by one */
#if PG_VERSION_NUM >= 160000
#define cache_aclcheck_proc(oid, role) \
	object_aclcheck(ProcedureRelationId, (oid), (role), ACL_EXECUTE)
#define cache_aclcheck_database(oid, role, mode) \
	object_aclcheck(DatabaseRelationId, (oid), (role), (mode))
#define cache_aclcheck_namespace(oid, role) \
	object_aclcheck(NamespaceRelationId, (oid), (role), ACL_USAGE)
#else
#define cache_aclcheck_proc(oid, role) \
	pg_proc_aclcheck((oid), (role), ACL_EXECUTE)
#define cache_aclcheck_database(oid, role, mode) \
	pg_database_aclcheck((oid), (role), (mode))
#define cache_aclcheck_namespace(oid, role) \
	pg_namespace_aclcheck((oid), (role), ACL_USAGE)
#endif

#if PG_VERSION_NUM >= 160000
#define cache_ownercheck_class(oid, role) \
	object_ownercheck(RelationRelationId, (oid), (role))
#define cache_ownercheck_namespace(oid, role) \
	object_ownercheck(NamespaceRelationId, (oid), (role))
#else
#define cache_ownercheck_class(oid, role) \
	pg_class_ownercheck((oid), (role))
#define cache_ownercheck_namespace(oid, role) \
	pg_namespace_ownercheck((oid), (role))
#endif

/* 16 has memberships that do not allow SET ROLE */
#if PG_VERSION_NUM >= 160000
#define cache_check_can_set_role(member, role) \
	check_can_set_role((member), (role))
#define cache_can_set_role(member, role) \
	member_can_set_role((member), (role))
#else
#define cache_check_can_set_role(member, role) \
	check_is_member_of_role((member), (role))
#define cache_can_set_role(member, role) \
	is_member_of_role((member), (role))
#endif

/* 16 can do without columns that are missing */
#if PG_VERSION_NUM >= 160000
#define cache_attrmap(from, to)	build_attrmap_by_name((from), (to), false)
#else
#define cache_attrmap(from, to)	build_attrmap_by_name((from), (to))
#endif

/* 16 made the parsing of names report errors softly */
#if PG_VERSION_NUM >= 160000
#define cache_name_list(string)	stringToQualifiedNameList((string), NULL)
#else
#define cache_name_list(string)	stringToQualifiedNameList((string))
#endif

#if PG_VERSION_NUM >= 160000
#define cache_parse_type(string, type, typmod) \
	((void) parseTypeString((string), (type), (typmod), \
							(Node *) &(ErrorSaveContext) {T_ErrorSaveContext}))
#else
#define cache_parse_type(string, type, typmod) \
	parseTypeString((string), (type), (typmod), true)
#endif

/* 16 has SYSTEM_USER; before that the number is one that no function has */
#if PG_VERSION_NUM < 160000
#define F_SYSTEM_USER	InvalidOid
#endif

/* 18 can have deferrable primary keys in the answer */
#if PG_VERSION_NUM >= 180000
#define cache_primary_key_index(rel)	RelationGetPrimaryKeyIndex((rel), false)
#else
#define cache_primary_key_index(rel)	RelationGetPrimaryKeyIndex(rel)
#endif

/* 15 cannot give nanoseconds */
#define cache_nanoseconds(t)	((uint64) (INSTR_TIME_GET_DOUBLE(t) * 1e9))

/* 17 made resource owners take care of sets of events */
#if PG_VERSION_NUM >= 170000
#define cache_create_wait_set(n)	CreateWaitEventSet(NULL, (n))
#else
#define cache_create_wait_set(n)	CreateWaitEventSet(TopMemoryContext, (n))
#endif

/* 18 has generated columns that are not stored */
#ifdef ATTRIBUTE_GENERATED_VIRTUAL
#define CACHE_IS_VIRTUAL(att)	((att)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define CACHE_IS_VIRTUAL(att)	false
#endif

/* 16 made find_option public, and get_guc_variables a copy */
#if PG_VERSION_NUM >= 160000
#define cache_find_setting(name)	find_option((name), false, true, DEBUG5)
#else
static inline struct config_generic *
cache_find_setting(const char *name)
{
	struct config_generic **all = get_guc_variables();
	int			n = GetNumConfigOptions();

	for (int i = 0; i < n; i++)
	{
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
}
#endif

/* 17 gave each kind of process a name of its own */
#if PG_VERSION_NUM >= 170000
#define CACHE_IS_AUTOVACUUM_WORKER()	AmAutoVacuumWorkerProcess()
#else
#define CACHE_IS_AUTOVACUUM_WORKER()	IsAutoVacuumWorkerProcess()
#endif

/* 18 can log that a lock was not to be had at once */
#if PG_VERSION_NUM >= 180000
#define cache_try_lock(tag, mode) \
	LockAcquireExtended((tag), (mode), false, true, false, NULL, false)
#else
#define cache_try_lock(tag, mode) \
	LockAcquireExtended((tag), (mode), false, true, false, NULL)
#endif

/* Wait for a lock; LOCKACQUIRE_NOT_AVAIL: there is no memory for it. */
#if PG_VERSION_NUM >= 180000
#define cache_wait_lock(tag, mode) \
	LockAcquireExtended((tag), (mode), false, false, false, NULL, false)
#else
#define cache_wait_lock(tag, mode) \
	LockAcquireExtended((tag), (mode), false, false, false, NULL)
#endif

/* 16 replaced SHM_QUEUE: the locks of a process, of one partition */
#if PG_VERSION_NUM >= 160000
#define cache_next_proclock(list, lock) \
	cache_proclock((list), (lock) == NULL ? (list)->head.next : (lock)->procLink.next)
static inline PROCLOCK *
cache_proclock(dlist_head *list, dlist_node *node)
{
	return node == NULL || node == &list->head ? NULL :
		dlist_container(PROCLOCK, procLink, node);
}
#else
#define cache_next_proclock(list, lock) \
	((PROCLOCK *) SHMQueueNext((list), (lock) == NULL ? (list) : &(lock)->procLink, \
							   offsetof(PROCLOCK, procLink)))
#endif

/* 17 lets extensions name what they wait for */
#if PG_VERSION_NUM >= 170000
static inline uint32
cache_wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = WaitEventExtensionNew("CacheFlight");
	return event;
}
#else
#define cache_wait_event()	PG_WAIT_EXTENSION
#endif

/* 18 dropped the last argument of the ExecutorRun hook */
#if PG_VERSION_NUM >= 180000
#define EXECUTOR_RUN_ARGS \
	QueryDesc *query, ScanDirection direction, uint64 count
#define EXECUTOR_RUN_PASS	query, direction, count
#else
#define EXECUTOR_RUN_ARGS \
	QueryDesc *query, ScanDirection direction, uint64 count, bool execute_once
#define EXECUTOR_RUN_PASS	query, direction, count, execute_once
#endif

/* 16 gave the ExecutorCheckPerms hook the rights in a list of their own */
#if PG_VERSION_NUM >= 160000
#define CHECK_PERMS_ARGS	List *tables, List *rights, bool complain
#define CHECK_PERMS_PASS	tables, rights, complain
#else
#define CHECK_PERMS_ARGS	List *tables, bool complain
#define CHECK_PERMS_PASS	tables, complain
#endif

/* 16 moved the columns that a query reads into a list of their own */
#if PG_VERSION_NUM >= 160000
static inline Bitmapset *
cache_selected_columns(const RangeTblEntry *rte, const PlannedStmt *plan)
{
	if (rte->perminfoindex == 0)
		return NULL;
	return list_nth_node(RTEPermissionInfo, plan->permInfos,
						 rte->perminfoindex - 1)->selectedCols;
}
#else
#define cache_selected_columns(rte, plan)	((rte)->selectedCols)
#endif

/* and keeps memberships apart by who has granted them */
#if PG_VERSION_NUM >= 160000
#define cache_membership_hash(role, member, grantor) \
	GetSysCacheHashValue3(AUTHMEMROLEMEM, ObjectIdGetDatum(role), \
						  ObjectIdGetDatum(member), ObjectIdGetDatum(grantor))
#else
#define cache_membership_hash(role, member, grantor) \
	GetSysCacheHashValue2(AUTHMEMROLEMEM, ObjectIdGetDatum(role), \
						  ObjectIdGetDatum(member))
#endif

/* and tells of the roles whose rights a plan uses in another place */
#if PG_VERSION_NUM >= 160000
#define cache_permissions(plan)		((plan)->permInfos)
#define cache_check_as_user(of)		(((RTEPermissionInfo *) (of))->checkAsUser)
#else
#define cache_permissions(plan)		((plan)->rtable)
#define cache_check_as_user(of)		(((RangeTblEntry *) (of))->checkAsUser)
#endif

/* 18 keeps the plans of functions in SQL for the session */
#if PG_VERSION_NUM >= 180000
#define CACHE_KEEPS_SQL_PLANS	true
#else
#define CACHE_KEEPS_SQL_PLANS	false
#endif

/* 18 looks at operators of all kinds of indexes */
#if PG_VERSION_NUM >= 180000
#define cache_op_is_ordering(op)	(get_op_index_interpretation(op) != NIL)
#else
#define cache_op_is_ordering(op)	(get_op_btree_interpretation(op) != NIL)
#endif

/* where PL/pgSQL puts what it has just compiled */
#if PG_VERSION_NUM >= 180000
#define CACHE_PLPGSQL_PARENT	CacheMemoryContext
#else
#define CACHE_PLPGSQL_PARENT	TopMemoryContext
#endif

/* PL/pgSQL's compiled functions have a common head since 18. */
#if PG_VERSION_NUM >= 180000
#define cache_plpgsql_xmin(function)	((function)->cfunc.fn_xmin)
#else
#define cache_plpgsql_xmin(function)	((function)->fn_xmin)
#endif

/* 17 gave it another name */
#if PG_VERSION_NUM < 170000
#define GetSearchPathMatcher(context)	GetOverrideSearchPath(context)
#endif

#endif							/* CACHE_COMPAT_H */
