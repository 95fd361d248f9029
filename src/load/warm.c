/*-------------------------------------------------------------------------
 *
 * warm.c
 *		Entries survive a clean restart.
 *
 * When the server is shut down, the postmaster writes the entries to a file
 * (store/dump.c), after the fences.  When it has started again, and the fences go
 * on from there (fence/persist.c), a background worker stores what is in the file.
 * Nobody waits for that.
 *
 * Why it is exact.  Everything that a hit asks, and everything by which others
 * judge what to invalidate, is as it was: the fences of keys, caches, databases
 * and roles, the generation of each cache, what its loads have read, the views
 * that a hit has to lock, what DDL is decided by.  So an entry of the file is what
 * it was in memory, if nothing has been published for it in between.  Nothing was
 * while the server was down, or the file of the fences would not be the present
 * one.  Since the start:
 *
 *	- what concerns the key counts in its fence, which began with no changes;
 *	- what concerns the whole cache, and a slot that is another cache's by now,
 *	  counts in the slot's fence: the generation is another one;
 *	- what concerns the role that the loader ran as counts in that role's fence, and
 *	  the count is in the key's image;
 *	- a change of columns that no load has read, or DDL on what none depends on, is
 *	  let pass by the lists of what they have read, in which the loads of this
 *	  entry have been since before the first transaction after the start.
 *
 * That is looked at under the lock of the key, at the moment when the entry is
 * linked, as for a load (coherence.c).  Whoever publishes for the key later finds
 * the entry and unlinks it; whoever does so for the cache or the role gives these
 * another count, which the entry does not have.
 *
 * A prepared transaction has published before the shutdown: what it has changed
 * was unlinked then, could not be stored since, and is not in the file; its id is
 * in the fences, whatever becomes of it.
 *
 * An entry that is there already stays: it may be younger, which matters where
 * the cache has a ttl.  What has expired is neither written nor stored; when the
 * others expire has been decided when they were loaded.
 *
 * A standby has no such file: it does not write one.  Nor is it used when the server
 * restarts itself after a crash: then the postmaster does not start the worker
 * again, and the present state is another one.
 *
 * Locking: what is called.  The check runs under the store and the partition lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/compat.h"
#include "base/devel.h"
#include "fence/keyfence.h"
#include "fence/persist.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/slotlists.h"
#include "fence/stats.h"
#include "load/warm.h"
#include "protocol/coherence.h"
#include "store/dump.h"
#include "store/index.h"
#include "store/store.h"

/*
 * That the store lock is taken for at once.  Many: hits do not need the lock, and
 * while sessions load what is not there yet, this process would wait for it most
 * of the time.
 */
#define WARM_BATCH		256

/* cache.warm_restart */
static int	warm_size_kb = 1024 * 1024;

PGDLLEXPORT void cache_warm_main(Datum arg);

void
warm_define_settings(void)
{
	DefineCustomIntVariable("cache.warm_restart",
							"Sets the amount of cached values that is kept over a restart.",
							"Zero keeps none.",
							&warm_size_kb,
							1024 * 1024, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
}

/* Is it wanted?  Who has switched the cache off for all wants nothing of it. */
static bool
warm_is_on(void)
{
	return warm_size_kb > 0 && coherence_enabled;
}

/*-------------------------------------------------------------------------
 * The postmaster
 *-------------------------------------------------------------------------
 */

/* Its last act but for the end of the shared memory. */
static void
warm_shutdown(int code, Datum arg)
{
	DumpTotals	totals;
	instr_time	start;
	instr_time	end;

	if (code != 0 || !persist_has_saved() || !warm_is_on())
		return;
	INSTR_TIME_SET_CURRENT(start);
	if (!dump_write((uint64) warm_size_kb * 1024, &totals))
		return;
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	ereport(LOG,
			(errmsg("wrote %llu cached values (%llu kB) to file \"%s\" in %.0f ms",
					(unsigned long long) totals.entries,
					(unsigned long long) totals.bytes / 1024, DUMP_FILE,
					INSTR_TIME_GET_MILLISEC(end))));
}

/*
 * Arrange for the shutdown.  Callbacks run in the reverse order: so this comes
 * before persist_startup(), and the fences are written first, by which the
 * entries are of use.
 */
void
warm_prepare(void)
{
	on_shmem_exit(warm_shutdown, (Datum) 0);
	unlink(DUMP_FILE_NEW);
}

/*
 * After persist_startup(): remove a file that nobody will read, lest it be there
 * if the server crashes.
 */
void
warm_startup(void)
{
	if ((warm_is_on() && persist_has_restored()) || access(DUMP_FILE, F_OK) != 0)
		return;
	if (warm_is_on())
		ereport(LOG,
				(errmsg("file \"%s\" does not belong to the present state of the cluster, ignoring it",
						DUMP_FILE)));
	(void) durable_unlink(DUMP_FILE, LOG);
}

/*
 * Have the postmaster start the worker, if there is a file; while libraries are
 * preloaded.
 */
void
warm_register(void)
{
	BackgroundWorker worker = {0};

	if (IsBinaryUpgrade || !warm_is_on() || access(DUMP_FILE, F_OK) != 0)
		return;

	/* The connection is for its row in pg_stat_activity. */
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "cache", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "cache_warm_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "cache warm restart", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "cache warm restart", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/*-------------------------------------------------------------------------
 * The worker
 *-------------------------------------------------------------------------
 */

/* An entry that is to be stored. */
typedef struct WarmEntry
{
	StoreKey	key;
	StoreValue	value;
	Oid			dbid;
	uint64		cache;
	Oid			role;			/* that the loader ran as, or invalid */
	uint32		role_changes;
} WarmEntry;

/*
 * Is it as good as it was, and not there?  See above.  A StoreCheck.
 */
static bool
warm_check(void *arg)
{
	const WarmEntry *entry = (const WarmEntry *) arg;
	FenceState	key_now;
	FenceState	cache_now;

	if (index_has(&entry->key) && !GUARD_REMOVED("warm_younger"))
		return false;
	fence_read(key_fence(entry->key.hash), &key_now);
	if (key_now.changes != 0 && !GUARD_REMOVED("warm_key"))
		return false;

	/* Of what follows nobody would find the entry. */
	if (OidIsValid(entry->role) &&
		entry->role_changes != role_fence_changes(role_fence(entry->role)))
		return false;
	return slot_read(entry->key.slot, entry->dbid, entry->cache, &cache_now) &&
		cache_now.changes == entry->value.generation;
}

/*
 * Make of an entry of the file what is to be stored, in the current memory context.
 * False if nobody could use it.
 */
static bool
warm_entry(const DumpReader *reader, const DumpEntry *from, WarmEntry *entry,
		   StoreBack *back)
{
	const DumpSlot *slot = dump_slot(reader, from->slot);
	char	   *image;
	int			number;

	if (from->value.expires != 0 &&
		from->value.expires <= GetCurrentStatementStartTimestamp())
		return false;
	number = slot_add_prefix(from->slot, slot->generation, &from->prefix);
	if (number == SLOT_NO_PREFIX)
		return false;
	image = palloc(sizeof(KeyPrefix) + from->keylen);
	memcpy(image, &from->prefix, sizeof(KeyPrefix));
	memcpy(image + sizeof(KeyPrefix), from->key, from->keylen);

	entry->key.hash = from->hash;
	entry->key.image = image;
	entry->key.len = sizeof(KeyPrefix) + from->keylen;
	entry->key.slot = from->slot;
	entry->key.prefix = number;
	entry->key.aside = true;
	entry->value = from->value;
	entry->dbid = slot->dbid;
	entry->cache = slot->id;
	entry->role = from->prefix.role;
	entry->role_changes = from->prefix.role_changes;
	back->put.key = &entry->key;
	back->put.value = &entry->value;
	back->put.arg = entry;
	back->limit = slot->limit;
	back->rank = from->rank;
	return true;
}

/* Store the next few entries of a chunk.  False at its end. */
static bool
warm_batch(DumpReader *reader, uint64 *stored)
{
	WarmEntry	entries[WARM_BATCH];
	StoreBack	backs[WARM_BATCH];
	DumpEntry	from;
	bool		more = true;
	int			n = 0;

	SetCurrentStatementStartTimestamp();
	while (n < WARM_BATCH && (more = dump_next(reader, &from)))
	{
		if (warm_entry(reader, &from, &entries[n], &backs[n]))
			n++;
	}
	STOP_POINT("warm");
	if (n > 0)
		*stored += store_put_back(backs, n, warm_check);
	return more;
}

/* Store what is in the file. */
static void
warm_load(DumpReader *reader)
{
	MemoryContext context;
	MemoryContext caller;
	DumpTotals	totals;
	uint64		stored = 0;
	instr_time	start;
	instr_time	end;

	context = AllocSetContextCreate(CurrentMemoryContext, "cache warm restart",
									ALLOCSET_DEFAULT_SIZES);
	INSTR_TIME_SET_CURRENT(start);
	while (!ShutdownRequestPending && dump_next_chunk(reader))
	{
		bool		more = true;

		while (more && !ShutdownRequestPending)
		{
			caller = MemoryContextSwitchTo(context);
			more = warm_batch(reader, &stored);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(context);
		}
	}
	dump_close(reader, &totals);
	stats_flush();
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	ereport(LOG,
			(errmsg("loaded %llu of %llu cached values from file \"%s\" in %.0f ms",
					(unsigned long long) stored,
					(unsigned long long) totals.entries, DUMP_FILE,
					INSTR_TIME_GET_MILLISEC(end))));
}

/*
 * The main function of the process.
 */
void
cache_warm_main(Datum arg)
{
	DumpReader *reader;

	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	CurrentResourceOwner = ResourceOwnerCreate(NULL, "cache warm restart");
	MemoryContextSwitchTo(TopMemoryContext);

	if (ready_for_use())
	{
		reader = dump_open();
		if (reader != NULL)
			warm_load(reader);
	}
	proc_exit(0);
}
