/*-------------------------------------------------------------------------
 *
 * keyvalue.c
 *		The values of caches without a loader, in their tables.
 *
 * What is set is a row of the unlogged table cache_value.  So it is seen by
 * whom it should be seen, rolled back, prepared, and found again by old
 * snapshots, as rows are; and shared memory is in front of it as it is in
 * front of any loader, by the same protocol.  Nothing is lost when an entry is
 * evicted.  An unlogged table is empty after a crash and cannot be read on a
 * standby: that is what makes it cheaper than a table of one's own.
 *
 * A cache that is to survive a crash is logged: its rows are in the ordinary
 * table cache_value_logged.  cache_alter() moves them from one table to the
 * other.  Whether a cache is logged is known as of now, but its rows are read
 * under snapshots, which may be older; and whoever reads may not have heard of
 * a change that its snapshot sees.  But each snapshot sees a row in one of the
 * tables only.  So who does not find one where it ought to be looks for it in
 * the other.  Writers cannot be wrong about the table, since they have locked
 * the cache.  But what they remove an older snapshot may see in the other one:
 * there it ends in a serialization failure, as an update of any row that has
 * changed since.
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
 * Locking: whoever sets or removes a key locks the cache, a heavyweight lock of
 * type userlock, in ROW EXCLUSIVE mode until the end of the transaction; whoever
 * drops it, or moves its rows, in EXCLUSIVE mode.  So no rows are left behind.
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
#include "storage/bufmgr.h"
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

/* The queries that write */
typedef enum ValueQuery
{
	QUERY_SET,
	QUERY_DELETE,
	QUERY_DELETE_ALL,
	QUERY_MOVE,
	VALUE_QUERIES
} ValueQuery;

/* What they have in common.  Names of caches are in the logged table only. */
#define SET_REST \
	" ON CONFLICT (cache, key) DO UPDATE" \
	" SET value = EXCLUDED.value, expires = EXCLUDED.expires," \
	" cost = EXCLUDED.cost"
#define DELETE_REST		" WHERE cache OPERATOR(pg_catalog.=) $1"
#define MOVED \
	"WITH moved AS (DELETE FROM %2$s" DELETE_REST " RETURNING *)" \
	" INSERT INTO %1$s (cache, key, value, expires, cost"

/* On one table, and (QUERY_MOVE) into it from the other; by whether it is logged */
static const char *const query_texts[VALUE_QUERIES][2] = {
	{
		"INSERT INTO %1$s (cache, key, value, expires, cost)"
		" VALUES ($1, $2, $3, $4, $5)" SET_REST,
		"INSERT INTO %1$s (cache, key, value, expires, cost, name)"
		" VALUES ($1, $2, $3, $4, $5, $6)" SET_REST
	},
	{
		"DELETE FROM %1$s" DELETE_REST " AND key OPERATOR(pg_catalog.=) $2",
		"DELETE FROM %1$s" DELETE_REST " AND key OPERATOR(pg_catalog.=) $2"
	},
	{
		"DELETE FROM %1$s" DELETE_REST,
		"DELETE FROM %1$s" DELETE_REST
	},
	{
		MOVED ") SELECT cache, key, value, expires, cost FROM moved",
		MOVED ", name) SELECT cache, key, value, expires, cost, $2 FROM moved"
	}
};
static const int query_nargs[VALUE_QUERIES][2] = {{5, 6}, {2, 2}, {1, 1}, {1, 2}};

/* Saved plans, good for as long as extension_generation is this. */
static SPIPlanPtr plans[VALUE_QUERIES][2];
static uint64 plans_generation = 0;

/* Caches in which this transaction has set something, and how often. */
#define PURGE_CACHES	8
#define PURGE_MIN		8		/* rows that are removed, if there are any */
#define PURGE_MAX		1024

typedef struct Purge
{
	uint64		cache;
	bool		logged;
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

/* Begin to look for a key's row, or (key NULL) all rows of a cache. */
static SysScanDesc
scan_begin(Relation rel, uint64 cache, const Datum *key)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], ANUM_VALUE_CACHE, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) cache));
	if (key != NULL)
		ScanKeyInit(&keys[1], ANUM_VALUE_KEY, BTEqualStrategyNumber, F_TEXTEQ,
					*key);
	return systable_beginscan(rel, cache_primary_key_index(rel), true,
							  GetActiveSnapshot(), key != NULL ? 2 : 1, keys);
}

/* Look a key up in one of the tables. */
static KeyValueState
load_from(Relation rel, uint64 cache, Datum key, KeyValue *found)
{
	KeyValueState state = KEYVALUE_ABSENT;
	SysScanDesc scan = scan_begin(rel, cache, &key);
	HeapTuple	tuple;

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
	return state;
}

/*
 * Look a key up under the active snapshot.  The value is in the current memory
 * context.
 *
 * What this transaction has set is where the cache has its rows now, so it is
 * found before what the snapshot may see in the other table.
 */
KeyValueState
keyvalue_load(const CacheDef *def, Datum key, KeyValue *found)
{
	KeyValueState state = KEYVALUE_ABSENT;
	uint64		cache = def->id;
	bool		logged = def->logged;

	for (int i = 0; i < 2 && state == KEYVALUE_ABSENT; i++)
	{
		Oid			table = extension_get()->values[logged ^ i].table;
		Relation	rel;

		if (!OidIsValid(table))
			continue;
		rel = table_open(table, AccessShareLock);

		/*
		 * Unlogged tables cannot be read on a standby.  The other table is
		 * empty where no cache is logged, or all are.
		 */
		if (!(RecoveryInProgress() && !RelationIsPermanent(rel)) &&
			(i == 0 || RelationGetNumberOfBlocks(rel) > 0))
			state = load_from(rel, cache, key, found);
		table_close(rel, NoLock);
	}
	return state;
}

/*
 * The ids of caches that have rows in the logged table, by the active snapshot.
 */
List *
keyvalue_logged_caches(void)
{
	List	   *caches = NIL;
	Relation	rel = table_open(extension_get()->values[true].table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false,
										  GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple;
	uint64	   *last = NULL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		uint64		cache = (uint64) DatumGetInt64(heap_getattr(tuple, ANUM_VALUE_CACHE,
																RelationGetDescr(rel),
																&isnull));

		if (last != NULL && *last == cache)
			continue;
		last = palloc(sizeof(uint64));
		*last = cache;
		caches = lappend(caches, last);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return caches;
}

/*-------------------------------------------------------------------------
 * Writing
 *-------------------------------------------------------------------------
 */

/*
 * Lock a cache until the end of the transaction: see above.  False if the transaction had
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

/* The full name of one of the tables. */
static char *
table_name(const Extension *extension, bool logged)
{
	return quote_qualified_identifier(get_namespace_name(extension->schema),
									  get_rel_name(extension->values[logged].table));
}

/* The plan of a query on one of the tables; made in the present user's name. */
static SPIPlanPtr
query_plan(ValueQuery query, bool logged)
{
	const Extension *extension = extension_get();
	Oid			types[VALUE_COLUMNS] = {INT8OID, TEXTOID, JSONBOID,
	TIMESTAMPTZOID, INT8OID, TEXTOID};

	if (plans_generation != extension_generation)
	{
		for (int i = 0; i < VALUE_QUERIES * 2; i++)
		{
			if (plans[i / 2][i % 2] != NULL)
				SPI_freeplan(plans[i / 2][i % 2]);
			plans[i / 2][i % 2] = NULL;
		}
		plans_generation = extension_generation;
	}
	if (plans[query][logged] == NULL)
	{
		SPIPlanPtr	plan;
		char	   *table = table_name(extension, logged);

		/* Only a query that moves has another table. */
		plan = SPI_prepare(psprintf(query_texts[query][logged], table,
									query == QUERY_MOVE ?
									table_name(extension, !logged) : ""),
						   query_nargs[query][logged], types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare a query on %s: %s", table,
				 SPI_result_code_string(SPI_result));
		plans[query][logged] = plan;
	}
	return plans[query][logged];
}

/*
 * Run a query as the owner of the table, whoever the caller is.  latest: it is to
 * see what the transaction's snapshot does not, and fail if it has to change that.
 */
static void
run_query(ValueQuery query, bool logged, Datum *values, const char *nulls,
		  bool latest)
{
	Oid			table = extension_get()->values[logged].table;
	HeapTuple	tuple;
	Oid			owner;
	Oid			role;
	int			context;
	int			result;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", table);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	/* An error ends the (sub)transaction, which restores the role. */
	GetUserIdAndSecContext(&role, &context);
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_NOFORCE_RLS);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	latest = latest && IsolationUsesXactSnapshot();
	if (latest)
		CommandCounterIncrement();
	result = SPI_execute_snapshot(query_plan(query, logged), values, nulls,
								  latest ? GetLatestSnapshot() : InvalidSnapshot,
								  latest ? GetTransactionSnapshot() : InvalidSnapshot,
								  false, true, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
	SPI_finish();
	SetUserIdAndSecContext(role, context);
}

/*
 * Is it one of these queries that is writing to the tables?  Nobody else but the
 * triggers of foreign keys has this, and the tables have none.
 */
bool
keyvalue_is_writing(void)
{
	return InNoForceRLSOperation();
}

/* This transaction will remove what has expired in the cache. */
static void
note_purge(uint64 cache, bool logged)
{
	for (int i = 0; i < npurges; i++)
	{
		if (purges[i].cache == cache && purges[i].logged == logged)
		{
			purges[i].rows = Min(purges[i].rows + 2, PURGE_MAX);
			return;
		}
	}
	if (npurges < PURGE_CACHES)
	{
		purges[npurges].cache = cache;
		purges[npurges].logged = logged;
		purges[npurges++].rows = PURGE_MIN;
	}
}

/*
 * Where a cache has its rows, as long as it is locked.
 */
KeyValueHome
keyvalue_home(const CacheDef *def)
{
	KeyValueHome home = {.cache = def->id, .logged = def->logged, .name = def->name};

	return home;
}

/*
 * Set a key.  The caller has locked the cache, and made the key pending.
 */
void
keyvalue_set(const KeyValueHome *home, Datum key, const KeyValue *value)
{
	Datum		values[VALUE_COLUMNS];
	char		nulls[VALUE_COLUMNS];

	memset(nulls, ' ', sizeof(nulls));
	values[ANUM_VALUE_CACHE - 1] = Int64GetDatum((int64) home->cache);
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
	values[ANUM_VALUE_NAME - 1] = home->logged ?
		CStringGetTextDatum(NameStr(home->name)) : (Datum) 0;
	note_purge(home->cache, home->logged);
	run_query(QUERY_SET, home->logged, values, nulls, false);
}

/*
 * Delete rows.  A snapshot that is kept may be older than the last move, and see
 * them in the other table; one that is taken now, with the cache locked, does not.
 */
static void
delete_rows(ValueQuery query, const KeyValueHome *home, Datum *values)
{
	if (IsolationUsesXactSnapshot() &&
		OidIsValid(extension_get()->values[!home->logged].table))
		run_query(query, !home->logged, values, NULL, false);
	run_query(query, home->logged, values, NULL, false);
}

/*
 * Delete a key.  The caller has locked the cache.
 */
void
keyvalue_delete(const KeyValueHome *home, Datum key)
{
	Datum		values[2] = {Int64GetDatum((int64) home->cache), key};

	delete_rows(QUERY_DELETE, home, values);
}

/*
 * Delete all keys of a cache.  The caller has locked it.
 */
void
keyvalue_delete_all(const KeyValueHome *home)
{
	Datum		values[1] = {Int64GetDatum((int64) home->cache)};

	delete_rows(QUERY_DELETE_ALL, home, values);
}

/*
 * Move all that a cache has to where it has its rows from now on.  The caller has
 * locked it against others.  If the transaction's snapshot does not see all of it,
 * that is a serialization failure: the transaction would see it afterwards.
 */
void
keyvalue_move(const KeyValueHome *home)
{
	Datum		values[2] = {Int64GetDatum((int64) home->cache),
	CStringGetTextDatum(NameStr(home->name))};

	run_query(QUERY_MOVE, home->logged, values, NULL, true);
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
keyvalue_drop(const KeyValueHome *home)
{
	Relation	rel = table_open(extension_get()->values[home->logged].table,
								 RowExclusiveLock);
	SysScanDesc scan;

	PushActiveSnapshot(GetLatestSnapshot());
	scan = scan_begin(rel, home->cache, NULL);
	remove_rows(rel, scan, GetActiveSnapshot(), home->cache, INT_MAX, true, NULL);
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
purge_cache(const ExtensionValues *values, const Purge *purge, KeyHash *how)
{
	Relation	rel = table_open(values->table, RowExclusiveLock);
	SysScanDesc scan;
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], ANUM_VALUE_CACHE, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) purge->cache));
	ScanKeyInit(&keys[1], ANUM_VALUE_EXPIRES, BTLessEqualStrategyNumber,
				F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(GetCurrentStatementStartTimestamp()));
	scan = systable_beginscan(rel, values->expires, true, GetActiveSnapshot(),
							  2, keys);
	remove_rows(rel, scan, GetActiveSnapshot(), purge->cache, purge->rows,
				false, how);
	systable_endscan(scan);
	table_close(rel, NoLock);
}

/* Not inline, for the sake of transactions that have set nothing. */
static pg_noinline void
purge_caches(void)
{
	const Extension *extension = extension_find();
	KeyHash		how;

	if (extension == NULL || IsolationIsSerializable() ||
		!key_hash_lookup(TEXTOID, &how))
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	for (int i = 0; i < npurges; i++)
	{
		/* Opening the one before may have brought messages. */
		ExtensionValues values = extension_get()->values[purges[i].logged];

		purge_cache(&values, &purges[i], &how);
	}
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
