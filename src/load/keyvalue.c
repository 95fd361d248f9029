/*-------------------------------------------------------------------------
 *
 * keyvalue.c
 *		The values of caches without a loader, in their table.
 *
 * What is set is a row of the unlogged table cache_value.  So it is seen by
 * whom it should be seen, rolled back, prepared, and found again by old
 * snapshots, as rows are; and shared memory is in front of it as it is in
 * front of any loader, by the same protocol.  Nothing is lost when an entry is
 * evicted.  An unlogged table is empty after a crash and cannot be read on a
 * standby: that is what makes it cheaper than a table of one's own.
 *
 * A row that has expired counts as absent, by the statement's start, as it
 * does in shared memory.  Transactions that set something remove a few of
 * those, so that the table does not outgrow what is alive by much.  They do
 * so when they commit, lest anybody wait for long, or in vain, for a key that
 * they have not set; and without waiting for anybody else.
 *
 * Rows are read and removed without running any queries.  They are written by
 * queries whose names are all qualified, as the table's owner, as foreign keys
 * are looked after by PostgreSQL.
 *
 * A row is written when it is set, and not, in the order of keys, at the end of
 * the transaction.  That would spare others a wait, and transactions that cross
 * a deadlock; but what can go wrong (a timeout, a serialization failure) would
 * do so at COMMIT, where nobody can catch it, and a prepared transaction would
 * block the same keys as before.  And a second store would have to be as exact
 * as rows are about command ids, savepoints, cursors and memory.  Callers that
 * set in the order of keys have no deadlock.
 *
 * Locking: whoever sets a key locks the cache, a heavyweight lock of type
 * userlock, in ROW EXCLUSIVE mode until the end of the transaction; whoever
 * drops it, in EXCLUSIVE mode.  So no rows are left behind.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/locktag.h"
#include "definition/extension.h"
#include "definition/key.h"
#include "load/keyvalue.h"
#include "protocol/pending.h"

/* Columns of the table cache_value */
enum
{
	ANUM_VALUE_CACHE = 1,
	ANUM_VALUE_KEY,
	ANUM_VALUE_VALUE,
	ANUM_VALUE_EXPIRES,
	ANUM_VALUE_COST
};

/* The queries that write */
typedef enum ValueQuery
{
	QUERY_SET,
	QUERY_DELETE,
	QUERY_DELETE_ALL,
	VALUE_QUERIES
} ValueQuery;

#define VALUE_COLUMNS	5

static const char *const query_texts[VALUE_QUERIES] = {
	"INSERT INTO %s (cache, key, value, expires, cost)"
	" VALUES ($1, $2, $3, $4, $5)"
	" ON CONFLICT (cache, key) DO UPDATE"
	" SET value = EXCLUDED.value, expires = EXCLUDED.expires,"
	" cost = EXCLUDED.cost",
	"DELETE FROM %s WHERE cache OPERATOR(pg_catalog.=) $1"
	" AND key OPERATOR(pg_catalog.=) $2",
	"DELETE FROM %s WHERE cache OPERATOR(pg_catalog.=) $1"
};
static const int query_nargs[VALUE_QUERIES] = {VALUE_COLUMNS, 2, 1};

/* Saved plans, good for as long as extension_generation is this. */
static SPIPlanPtr plans[VALUE_QUERIES];
static uint64 plans_generation = 0;

/* Caches in which this transaction has set something, and how often. */
#define PURGE_CACHES	8
#define PURGE_MIN		8		/* rows that are removed, if there are any */
#define PURGE_MAX		1024

typedef struct Purge
{
	uint64		cache;
	int			rows;			/* to be removed at most */
} Purge;

static Purge purges[PURGE_CACHES];
static int	npurges = 0;

/*-------------------------------------------------------------------------
 * Reading
 *-------------------------------------------------------------------------
 */

/* Has this transaction written the row? */
static bool
is_own(HeapTuple tuple)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
}

static void
read_row(Relation rel, HeapTuple tuple, KeyValue *found)
{
	Datum		values[VALUE_COLUMNS];
	bool		nulls[VALUE_COLUMNS];

	heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
	found->isnull = nulls[ANUM_VALUE_VALUE - 1];
	found->value = found->isnull ? (Datum) 0 :
		PointerGetDatum(PG_DETOAST_DATUM_COPY(values[ANUM_VALUE_VALUE - 1]));
	found->expires = nulls[ANUM_VALUE_EXPIRES - 1] ? 0 :
		DatumGetTimestampTz(values[ANUM_VALUE_EXPIRES - 1]);
	found->cost = nulls[ANUM_VALUE_COST - 1] ? 0 :
		DatumGetInt64(values[ANUM_VALUE_COST - 1]);
}

/*
 * Look a key up under the active snapshot.  The value is in the current memory
 * context.
 */
KeyValueState
keyvalue_load(uint64 cache, Datum key, KeyValue *found)
{
	KeyValueState state = KEYVALUE_ABSENT;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;

	/* Unlogged tables cannot be read on a standby. */
	if (RecoveryInProgress())
		return KEYVALUE_ABSENT;

	rel = table_open(extension_get()->values, AccessShareLock);
	ScanKeyInit(&keys[0], ANUM_VALUE_CACHE, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) cache));
	ScanKeyInit(&keys[1], ANUM_VALUE_KEY, BTEqualStrategyNumber, F_TEXTEQ, key);
	scan = systable_beginscan(rel, cache_primary_key_index(rel), true,
							  GetActiveSnapshot(), 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		own = is_own(tuple);

		/*
		 * An old snapshot may see a row that somebody has deleted since, and
		 * one that this transaction has set after that.
		 */
		if (state != KEYVALUE_ABSENT && !own)
			continue;
		read_row(rel, tuple, found);
		state = found->expires == 0 ||
			found->expires > GetCurrentStatementStartTimestamp() ?
			KEYVALUE_FOUND : KEYVALUE_EXPIRED;
		if (own)
			break;
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return state;
}

/*-------------------------------------------------------------------------
 * Writing
 *-------------------------------------------------------------------------
 */

/*
 * Lock a cache until the end of the transaction.  False if the transaction had
 * this lock before; otherwise invalidation messages have been read, and the
 * caller looks whether the cache is still there.
 */
bool
keyvalue_lock(uint64 cache, LOCKMODE mode)
{
	LOCKTAG		tag;

	locktag_set(&tag, LOCK_SETS, MyDatabaseId, cache);
	if (LockAcquire(&tag, mode, false, false) == LOCKACQUIRE_ALREADY_HELD)
		return false;
	AcceptInvalidationMessages();
	return true;
}

/* The plan of a query; made in the present user's name. */
static SPIPlanPtr
query_plan(ValueQuery query)
{
	const Extension *extension = extension_get();
	Oid			types[VALUE_COLUMNS] = {INT8OID, TEXTOID, JSONBOID,
	TIMESTAMPTZOID, INT8OID};
	char	   *table;

	if (plans_generation != extension_generation)
	{
		for (int i = 0; i < VALUE_QUERIES; i++)
		{
			if (plans[i] != NULL)
				SPI_freeplan(plans[i]);
			plans[i] = NULL;
		}
		plans_generation = extension_generation;
	}
	if (plans[query] == NULL)
	{
		SPIPlanPtr	plan;

		table = quote_qualified_identifier(get_namespace_name(extension->schema),
										   get_rel_name(extension->values));
		plan = SPI_prepare(psprintf(query_texts[query], table),
						   query_nargs[query], types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare a query on %s: %s", table,
				 SPI_result_code_string(SPI_result));
		plans[query] = plan;
	}
	return plans[query];
}

/* Run a query as the owner of the table, whoever the caller is. */
static void
run_query(ValueQuery query, Datum *values, const char *nulls)
{
	HeapTuple	tuple;
	Oid			owner;
	Oid			role;
	int			context;
	int			result;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(extension_get()->values));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", extension_get()->values);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	/* An error ends the (sub)transaction, which restores the role. */
	GetUserIdAndSecContext(&role, &context);
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_NOFORCE_RLS);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	result = SPI_execute_plan(query_plan(query), values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
	SPI_finish();
	SetUserIdAndSecContext(role, context);
}

/* This transaction will remove what has expired in the cache. */
static void
note_purge(uint64 cache)
{
	for (int i = 0; i < npurges; i++)
	{
		if (purges[i].cache == cache)
		{
			purges[i].rows = Min(purges[i].rows + 2, PURGE_MAX);
			return;
		}
	}
	if (npurges < PURGE_CACHES)
	{
		purges[npurges].cache = cache;
		purges[npurges++].rows = PURGE_MIN;
	}
}

/*
 * Set a key.  The caller has locked the cache, and made the key pending.
 */
void
keyvalue_set(uint64 cache, Datum key, const KeyValue *value)
{
	Datum		values[VALUE_COLUMNS];
	char		nulls[VALUE_COLUMNS];

	memset(nulls, ' ', sizeof(nulls));
	values[ANUM_VALUE_CACHE - 1] = Int64GetDatum((int64) cache);
	values[ANUM_VALUE_KEY - 1] = key;
	values[ANUM_VALUE_VALUE - 1] = value->value;
	if (value->isnull)
		nulls[ANUM_VALUE_VALUE - 1] = 'n';
	values[ANUM_VALUE_EXPIRES - 1] = TimestampTzGetDatum(value->expires);
	if (value->expires == 0)
		nulls[ANUM_VALUE_EXPIRES - 1] = 'n';
	values[ANUM_VALUE_COST - 1] = Int64GetDatum((int64) value->cost);
	if (value->cost == 0)
		nulls[ANUM_VALUE_COST - 1] = 'n';
	note_purge(cache);
	run_query(QUERY_SET, values, nulls);
}

/*
 * Delete a key.
 */
void
keyvalue_delete(uint64 cache, Datum key)
{
	Datum		values[2] = {Int64GetDatum((int64) cache), key};

	run_query(QUERY_DELETE, values, NULL);
}

/*
 * Delete all keys of a cache.
 */
void
keyvalue_delete_all(uint64 cache)
{
	Datum		values[1] = {Int64GetDatum((int64) cache)};

	run_query(QUERY_DELETE_ALL, values, NULL);
}

/*-------------------------------------------------------------------------
 * Removing rows without a query
 *-------------------------------------------------------------------------
 */

/*
 * Remove rows that a scan finds, at most so many.  wait: also those that
 * somebody is changing.  how: make their keys pending.
 */
static void
remove_rows(Relation rel, SysScanDesc scan, Snapshot snapshot, uint64 cache,
			int rows, bool wait, KeyHash *how)
{
	while (rows-- > 0)
	{
		HeapTuple	tuple = systable_getnext(scan);
		TM_FailureData failure;
		Datum		key;
		bool		isnull;

		if (!HeapTupleIsValid(tuple))
			break;
		key = heap_getattr(tuple, ANUM_VALUE_KEY, RelationGetDescr(rel),
						   &isnull);
		if (how != NULL)
			(void) pending_add_key(cache, key_hash_plain(cache, how, key),
								   NULL);
		(void) table_tuple_delete(rel, &tuple->t_self,
								  GetCurrentCommandId(true), snapshot,
								  InvalidSnapshot, wait, &failure, false);
	}
}

/*
 * Remove all that a cache has, whether the transaction's snapshot sees it or
 * not: the cache is dropped, and the caller has locked it against others.
 */
void
keyvalue_drop(uint64 cache)
{
	Relation	rel = table_open(extension_get()->values, RowExclusiveLock);
	SysScanDesc scan;
	ScanKeyData key;

	PushActiveSnapshot(GetLatestSnapshot());
	ScanKeyInit(&key, ANUM_VALUE_CACHE, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) cache));
	scan = systable_beginscan(rel, cache_primary_key_index(rel), true,
							  GetActiveSnapshot(), 1, &key);
	remove_rows(rel, scan, GetActiveSnapshot(), cache, INT_MAX, true, NULL);
	systable_endscan(scan);
	PopActiveSnapshot();
	table_close(rel, NoLock);
}

/*
 * Remove rows of a cache that have expired, and that nobody else has changed
 * or is changing.  To those whose statement began before the expiry a row that
 * is gone is another thing than one that is not, so the keys are pending.
 */
static void
purge_cache(Relation rel, const Extension *extension, const Purge *purge,
			KeyHash *how)
{
	SysScanDesc scan;
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], ANUM_VALUE_CACHE, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) purge->cache));
	ScanKeyInit(&keys[1], ANUM_VALUE_EXPIRES, BTLessEqualStrategyNumber,
				F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(GetCurrentStatementStartTimestamp()));
	scan = systable_beginscan(rel, extension->values_expires, true,
							  GetActiveSnapshot(), 2, keys);
	remove_rows(rel, scan, GetActiveSnapshot(), purge->cache, purge->rows,
				false, how);
	systable_endscan(scan);
}

/* Not inline, for the sake of transactions that have set nothing. */
static pg_noinline void
purge_caches(void)
{
	const Extension *extension = extension_find();
	KeyHash		how;
	Relation	rel;

	if (extension == NULL || IsolationIsSerializable() ||
		!key_hash_lookup(TEXTOID, &how))
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	rel = table_open(extension->values, RowExclusiveLock);
	for (int i = 0; i < npurges; i++)
		purge_cache(rel, extension, &purges[i], &how);
	table_close(rel, NoLock);
	PopActiveSnapshot();
}

/*
 * Remove a few rows that have expired, before the transaction publishes what
 * it has changed and commits.
 *
 * Not if it is SERIALIZABLE: this must not be in conflict with anybody.
 */
void
keyvalue_purge(void)
{
	if (npurges > 0)
		purge_caches();
}

/*
 * The transaction has ended.
 */
void
keyvalue_reset(void)
{
	npurges = 0;
}
