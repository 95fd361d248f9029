/*-------------------------------------------------------------------------
 *
 * devel.c
 *		Stop points and guard switches, for development builds only.
 *
 * A stop point parks a backend at a named place, so that a test can force a
 * race instead of hoping for it.  A session that has the point's name in
 * cache.stop_points takes, at that place, the advisory lock
 * (hashtext('cache'), hashtext(name)) in share mode and gives it back at once:
 * it waits there for as long as another session holds that lock.
 *
 * A guard switch takes out one of the protocol's guards, by its name in
 * cache.removed_guard.  Tests use it to prove that they fail without it.
 *
 * cache.late_command stands for what another library does at the end of a
 * transaction, when this one has published.
 *
 * cache_devel_protect() makes the library's shared memory read-only for this
 * process, but for the batches in which it says what it has used: so a hit that
 * wrote there would end in a crash.
 *
 * Locking: stop points wait in the lock manager, so they must not stand where
 * an LWLock is held.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef CACHE_DEVEL

#include <sys/mman.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "base/devel.h"

static char *stop_points = NULL;
static char *removed_guard = NULL;
static char *late_command = NULL;

/* Locks that this library has taken in this process */
uint64		devel_locks = 0;

static char *segment_begin = NULL;
static Size segment_size = 0;
static bool protected = false;
static int	batch_depth = 0;
static int64 batches = 0;

/*
 * What another library might do: run a command at the end of a transaction,
 * when ours has published.  Callbacks run in the reverse order of their
 * registration, and this is the first one.
 */
static void
run_late(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT || late_command == NULL ||
		*late_command == '\0')
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	if (SPI_execute(late_command, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", late_command);
	SPI_finish();
	PopActiveSnapshot();
}

void
devel_init(void)
{
	DefineCustomStringVariable("cache.stop_points",
							   "Names of the places where this session stops.",
							   NULL, &stop_points, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("cache.removed_guard",
							   "Name of the guard that is taken out.",
							   NULL, &removed_guard, "", PGC_SUSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("cache.late_command",
							   "Command that runs when a transaction has published.",
							   NULL, &late_command, "", PGC_SUSET, 0,
							   NULL, NULL, NULL);
	RegisterXactCallback(run_late, NULL);
}

/* hashtext() of a C string */
static uint32
hash_name(const char *name)
{
	return DatumGetUInt32(hash_any((const unsigned char *) name, strlen(name)));
}

/* Is the name one of the words of the list? */
static bool
list_names(const char *list, const char *name)
{
	size_t		len = strlen(name);
	const char *at = list;

	while (at && (at = strstr(at, name)) != NULL)
	{
		if ((at == list || at[-1] == ' ' || at[-1] == ',') &&
			(at[len] == '\0' || at[len] == ' ' || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

/*
 * Wait here while somebody holds the point's advisory lock exclusively.
 */
void
devel_stop(const char *point)
{
	LOCKTAG		tag;

	if (stop_points == NULL || *stop_points == '\0' ||
		!list_names(stop_points, point))
		return;
	/* Who is in no database stops for those in "postgres". */
	SET_LOCKTAG_ADVISORY(tag, OidIsValid(MyDatabaseId) ? MyDatabaseId : PostgresDbOid,
						 hash_name("cache"),
						 hash_name(point), 2);
	(void) LockAcquire(&tag, ShareLock, false, false);
	(void) LockRelease(&tag, ShareLock, false);
}

/*
 * The same for the process that replays WAL, which cannot wait in the lock manager:
 * it looks again and again.  dbid: where the lock is held.
 */
void
devel_stop_replay(const char *point, Oid dbid)
{
	LOCKTAG		tag;

	if (stop_points == NULL || *stop_points == '\0' ||
		!list_names(stop_points, point))
		return;
	SET_LOCKTAG_ADVISORY(tag, dbid, hash_name("cache"), hash_name(point), 2);
	while (LockAcquire(&tag, ShareLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		pg_usleep(1000);
	(void) LockRelease(&tag, ShareLock, true);
}

/*
 * cache_devel_hold_messages(point text) returns void: nobody can send invalidation
 * messages for as long as the point's advisory lock is held
 */
PG_FUNCTION_INFO_V1(cache_devel_hold_messages);
Datum
cache_devel_hold_messages(PG_FUNCTION_ARGS)
{
	char	   *point = text_to_cstring(PG_GETARG_TEXT_PP(0));

	LWLockAcquire(SInvalWriteLock, LW_EXCLUSIVE);
	devel_stop_replay(point, MyDatabaseId);
	LWLockRelease(SInvalWriteLock);
	PG_RETURN_VOID();
}

bool
devel_guard_removed(const char *guard)
{
	return removed_guard != NULL && *removed_guard != '\0' &&
		list_names(removed_guard, guard);
}

/*
 * The shared memory is here.  It begins a page, as SEGMENT_ALIGN sees to.
 */
void
devel_segment(char *base, Size size)
{
	segment_begin = base;
	segment_size = size;
}

/* Whole pages: what begins on the last one may be others'. */
static void
protect(bool read_only)
{
	if (mprotect(segment_begin, segment_size / DEVEL_PAGE * DEVEL_PAGE,
				 read_only ? PROT_READ : PROT_READ | PROT_WRITE) != 0)
		elog(PANIC, "could not protect shared memory: %m");
}

/*
 * A batch of writes begins or ends.
 */
void
devel_batch(bool begin)
{
	batch_depth += begin ? 1 : -1;
	if (!protected || batch_depth > (begin ? 1 : 0))
		return;
	protect(!begin);
	batches += begin;
}

/*
 * cache_devel_protect(on boolean) returns bigint[]: the locks that this library
 * has taken in this process, and the batches that it has written
 */
PG_FUNCTION_INFO_V1(cache_devel_protect);
Datum
cache_devel_protect(PG_FUNCTION_ARGS)
{
	Datum		counts[2];

	protected = PG_GETARG_BOOL(0);
	protect(protected);
	counts[0] = Int64GetDatum(devel_locks);
	counts[1] = Int64GetDatum(batches);
	PG_RETURN_ARRAYTYPE_P(construct_array(counts, 2, INT8OID, sizeof(int64),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

#endif							/* CACHE_DEVEL */
