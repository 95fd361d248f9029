/*-------------------------------------------------------------------------
 *
 * persist.c
 *		Fences and lineage survive a clean restart.
 *
 * What is in Redis, or was in memory (load/warm.c), can be used after a restart
 * only if everything is known that was invalidated since it was loaded.  So when
 * the server is shut down, the postmaster, as its last process, writes the fences
 * to a file, and when it starts it reads the file and removes it.  With them go
 * the lists of transactions that others put into their fences (mapping.c): those
 * that are prepared may be in there.
 *
 * A slot goes on with its generation and with what its loads have read: by that
 * others judge what to invalidate, from the first transaction after the start on,
 * also of entries that are loaded again later.  A role's fence goes on with its
 * count of changes, which is in the images of keys.  Those of keys begin with
 * none: so they tell what has been published since the start.
 *
 * The file counts only if nothing has happened in between: the shutdown's
 * checkpoint must still be the last one, which it is not if the server has run
 * without this library, or has crashed, or was recovered.  And what was loaded
 * by another version of the server, or under other collations of the C library's
 * or ICU's (software.c), is not what a loader gives now.  Otherwise, and whenever
 * the file is damaged or cannot be had, a new epoch begins, in which nothing
 * that is in Redis is used.
 *
 * Locking: none; there is no other process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "storage/ipc.h"

#include "base/devel.h"
#include "fence/dependencyset.h"
#include "fence/keyfence.h"
#include "fence/lineage.h"
#include "fence/mapping.h"
#include "fence/persist.h"
#include "fence/ready.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/software.h"
#include "segment.h"

#define STATE_FILE		PGSTAT_STAT_PERMANENT_DIRECTORY "/cache.state"
#define STATE_FILE_NEW	STATE_FILE ".tmp"

#define STATE_MAGIC		0x63616368

/* Another one after each change of the file, of keys' images or of the codec. */
#define STATE_VERSION	7

typedef struct StateHeader
{
	uint32		magic;
	uint32		version;
	XLogRecPtr	checkpoint;		/* the shutdown's */
	uint64		start_floor;
	uint64		server;
	Lineage		lineage;
	char		software[SOFTWARE_NAME];	/* that the loaders ran on */
	uint32		nfences;		/* in memory */
	uint32		nsaved;			/* of these, in the file */
	uint32		nsaved_stamps;	/* of KEY_STAMPS for each fence */
	uint32		nslots;			/* in the file */
	uint32		nwords;			/* of the dependencies' bits, in the file */
	uint32		nroles;			/* fences of roles, in the file */
} StateHeader;

/* A fence of a key or of a role: those that remember nothing are left out. */
typedef struct SavedFence
{
	uint32		index;
	FenceState	state;
} SavedFence;

typedef struct SavedStamp
{
	uint64		xid;
	uint32		index;
	uint32		unused;
} SavedStamp;

typedef struct SavedSlot
{
	uint64		id;
	Oid			dbid;
	uint32		nvariants;
	uint32		variants[SLOT_VARIANTS];
	uint32		reads_catalogs;
	uint32		unknown;
	uint32		elsewhere;
	uint64		filter[SLOT_FILTER];
	uint32		nreads;
	uint32		nviews;
	uint32		own_path;
	uint32		unseen;
	Oid			reads[SLOT_READS];
	Oid			views[SLOT_VIEWS];
	Columns		columns[SLOT_READS];
	FenceState	state;
} SavedSlot;

/* Of the bits of what loads depend on; those that have none are left out. */
typedef struct SavedWord
{
	uint64		bits;
	uint32		index;
	uint32		unused;
} SavedWord;

static SharedPersist *shared_persist;

static void
persist_init(void)
{
	shared_persist->restored = false;
	shared_persist->saved = false;
}

const SegmentPart persist_part = {
	.name = "header",
	.address = (void **) &shared_persist,
	.bytes = sizeof(SharedPersist),
	.init = persist_init,
};

/* A file and the checksum of what went through it so far. */
typedef struct StateFile
{
	FILE	   *file;
	pg_crc32c	crc;
	bool		good;
} StateFile;

static void
put(StateFile *state, const void *from, size_t size)
{
	COMP_CRC32C(state->crc, from, size);
	if (state->good && fwrite(from, size, 1, state->file) != 1)
		state->good = false;
}

static bool
get(StateFile *state, void *to, size_t size)
{
	if (state->good && fread(to, size, 1, state->file) != 1)
		state->good = false;
	if (state->good)
		COMP_CRC32C(state->crc, to, size);
	return state->good;
}

/*
 * The checkpoint that the server was shut down with; invalid if it was not.
 */
static XLogRecPtr
shutdown_checkpoint(void)
{
	bool		good;
	ControlFileData *control = get_controlfile(DataDir, &good);
	XLogRecPtr	checkpoint = InvalidXLogRecPtr;

	if (good && control->state == DB_SHUTDOWNED)
		checkpoint = control->checkPoint;
	pfree(control);
	return checkpoint;
}

/*-------------------------------------------------------------------------
 * Writing
 *-------------------------------------------------------------------------
 */

static bool
fence_is_blank(const Fence *fence)
{
	return fence->nxids == 0 && fence->changes == 0 &&
		fence->floor.highest == shared_registry->start_floor;
}

static bool
stamp_is_blank(uint32 index)
{
	return pg_atomic_read_u64(&shared_key_stamps[index]) == shared_registry->start_floor;
}

static void
write_slot(StateFile *state, CacheSlot *slot)
{
	SavedSlot	saved;

	/* Who has passed is not kept apart. */
	fence_remember(&slot->fence, &slot->passed);
	memset(&saved, 0, sizeof(saved));
	saved.id = slot->id;
	saved.dbid = slot->dbid;
	saved.nvariants = pg_atomic_read_u32(&slot->nvariants);
	memcpy(saved.variants, slot->variants, sizeof(saved.variants));
	saved.reads_catalogs = pg_atomic_read_u32(&slot->reads_catalogs);
	saved.unknown = pg_atomic_read_u32(&slot->unknown);
	saved.elsewhere = pg_atomic_read_u32(&slot->elsewhere);
	for (int i = 0; i < SLOT_FILTER; i++)
		saved.filter[i] = pg_atomic_read_u64(&slot->filter[i]);
	saved.nreads = pg_atomic_read_u32(&slot->nreads);
	saved.nviews = pg_atomic_read_u32(&slot->nviews);
	saved.own_path = pg_atomic_read_u32(&slot->own_path);
	saved.unseen = pg_atomic_read_u32(&slot->unseen);
	memcpy(saved.reads, slot->reads, sizeof(saved.reads));
	memcpy(saved.views, slot->views, sizeof(saved.views));
	for (int i = 0; i < SLOT_READS; i++)
		saved.columns[i] = pg_atomic_read_u64(&slot->columns[i]);
	fence_read(&slot->fence, &saved.state);
	put(state, &saved, sizeof(saved));
}

static uint64
dependency_word(int i)
{
	return pg_atomic_read_u64(&shared_dependencies->bits[i]);
}

/* What loads depend on, and the DDL that there has been */
static void
write_dependencies(StateFile *state)
{
	for (int i = 0; i < DEPENDENCY_WORDS; i++)
	{
		SavedWord	saved = {dependency_word(i), i};

		if (saved.bits != 0)
			put(state, &saved, sizeof(saved));
	}
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		FenceState	fences[2];

		fence_read(&shared_registry->ddl_fences[i], &fences[0]);
		fence_read(&shared_registry->catalog_fences[i], &fences[1]);
		put(state, fences, sizeof(fences));
	}
}

static void
write_fences(StateFile *state, Fence *fences, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
	{
		SavedFence	saved;

		if (fence_is_blank(&fences[i]))
			continue;
		memset(&saved, 0, sizeof(saved));
		saved.index = i;
		fence_read(&fences[i], &saved.state);
		put(state, &saved, sizeof(saved));
	}
}

static void
write_state(StateFile *state, XLogRecPtr checkpoint)
{
	StateHeader header;

	memset(&header, 0, sizeof(header));
	header.magic = STATE_MAGIC;
	header.version = STATE_VERSION;
	header.checkpoint = checkpoint;
	header.start_floor = shared_registry->start_floor;
	header.server = shared_dependencies->server;
	header.lineage = *shared_lineage;
	software_name(header.software);
	header.nfences = key_nfences;
	for (uint32 i = 0; i < key_nfences; i++)
		header.nsaved += !fence_is_blank(&shared_key_fences[i]);
	for (uint32 i = 0; i < key_nstamps; i++)
		header.nsaved_stamps += !stamp_is_blank(i);
	for (uint32 i = 0; i < shared_registry->nslots; i++)
		header.nslots += shared_slots[i].used;
	for (int i = 0; i < DEPENDENCY_WORDS; i++)
		header.nwords += dependency_word(i) != 0;
	for (int i = 0; i < ROLE_FENCES; i++)
		header.nroles += !fence_is_blank(&shared_role_fences[i]);
	put(state, &header, sizeof(header));

	put(state, shared_mapping->running,
		sizeof(shared_mapping->running));
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		FenceState	fence;

		fence_read(&shared_registry->database_fences[i], &fence);
		put(state, &fence, sizeof(fence));
	}
	for (uint32 i = 0; i < shared_registry->nslots; i++)
	{
		if (shared_slots[i].used)
			write_slot(state, &shared_slots[i]);
	}
	write_fences(state, shared_key_fences, key_nfences);
	write_fences(state, shared_role_fences, ROLE_FENCES);
	for (uint32 i = 0; i < key_nstamps; i++)
	{
		SavedStamp	saved = {0};

		if (stamp_is_blank(i))
			continue;
		saved.index = i;
		saved.xid = pg_atomic_read_u64(&shared_key_stamps[i]);
		put(state, &saved, sizeof(saved));
	}
	write_dependencies(state);
	if (state->good &&
		fwrite(&state->crc, sizeof(state->crc), 1, state->file) != 1)
		state->good = false;
}

/* The postmaster's last act, unless the server has crashed. */
static void
persist_shutdown(int code, Datum arg)
{
	XLogRecPtr	checkpoint;
	StateFile	state;

	if (code != 0 || !segment_exists() ||
		!ready_has_opened() ||
		shared_lineage->broken)
		return;
	checkpoint = shutdown_checkpoint();
	if (XLogRecPtrIsInvalid(checkpoint))
		return;

	state.file = AllocateFile(STATE_FILE_NEW, PG_BINARY_W);
	state.good = state.file != NULL;
	INIT_CRC32C(state.crc);
	if (state.good)
		write_state(&state, checkpoint);
	if (state.file != NULL && FreeFile(state.file) != 0)
		state.good = false;
	if (!state.good)
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", STATE_FILE_NEW)));
		unlink(STATE_FILE_NEW);
		return;
	}
	shared_persist->saved = durable_rename(STATE_FILE_NEW, STATE_FILE, LOG) == 0;
}

/*
 * Have the fences been written, so that the next start can go on from them?  Of
 * the postmaster, for what is called after persist_shutdown.
 */
bool
persist_has_saved(void)
{
	return shared_persist->saved;
}

/*-------------------------------------------------------------------------
 * Reading
 *-------------------------------------------------------------------------
 */

/* Let a fence know what another one knew; alone: and nothing else. */
static void
fence_restore(Fence *fence, const FenceState *state, bool alone)
{
	Fence		from;

	if (alone)
		fence->floor = state->floor;
	memset(&from, 0, sizeof(from));
	from.floor = state->floor;
	from.nxids = Min(state->nxids, FENCE_XIDS);
	memcpy(from.xids, state->xids, sizeof(from.xids));
	fence_inherit(fence, &from, NULL);
}

/*
 * There may be another number of fences or stamps now, also a power of two:
 * then a fence takes over from all that its keys may have had before.
 */
static void
restore_key_fence(uint32 index, uint32 nfences, const FenceState *state)
{
	uint32		now = key_nfences;

	for (uint64 i = index & (now - 1); i < now; i += nfences)
		fence_restore(&shared_key_fences[i], state, now >= nfences);
}

static void
restore_stamp(uint32 index, uint32 nstamps, uint64 xid)
{
	uint32		now = key_nstamps;

	for (uint64 i = index & (now - 1); i < now; i += nstamps)
	{
		if (xid > pg_atomic_read_u64(&shared_key_stamps[i]))
			pg_atomic_write_u64(&shared_key_stamps[i], xid);
	}
}

static bool
read_slot(StateFile *state, CacheSlot *slot)
{
	SavedSlot	saved;

	if (!get(state, &saved, sizeof(saved)))
		return false;
	slot->id = saved.id;
	slot->dbid = saved.dbid;
	pg_atomic_write_u32(&slot->nvariants, saved.nvariants);
	memcpy(slot->variants, saved.variants, sizeof(saved.variants));
	fence_restore(&slot->fence, &saved.state, true);
	slot->fence.changes = saved.state.changes;
	if (!GUARD_REMOVED("restored_reads"))
		pg_atomic_write_u32(&slot->nreads, saved.nreads);
	pg_atomic_write_u32(&slot->nviews, saved.nviews);
	pg_atomic_write_u32(&slot->own_path, saved.own_path);
	pg_atomic_write_u32(&slot->unseen, saved.unseen);
	memcpy(slot->reads, saved.reads, sizeof(saved.reads));
	memcpy(slot->views, saved.views, sizeof(saved.views));
	for (int i = 0; i < SLOT_READS; i++)
		pg_atomic_write_u64(&slot->columns[i], saved.columns[i]);
	pg_atomic_write_u32(&slot->reads_catalogs, saved.reads_catalogs);
	pg_atomic_write_u32(&slot->unknown, saved.unknown);
	pg_atomic_write_u32(&slot->elsewhere, saved.elsewhere);
	for (int i = 0; i < SLOT_FILTER; i++)
		pg_atomic_write_u64(&slot->filter[i], saved.filter[i]);
	pg_atomic_write_u64(&slot->lists_of, slot->fence.changes);
	slot->made = ++shared_registry->slots_made;
	slot->used = true;
	return true;
}

static bool
read_dependencies(StateFile *state, const StateHeader *header)
{
	SavedWord	word;
	FenceState	fences[2];

	for (uint32 i = 0; i < header->nwords; i++)
	{
		if (!get(state, &word, sizeof(word)) ||
			word.index >= DEPENDENCY_WORDS)
			return false;
		pg_atomic_write_u64(&shared_dependencies->bits[word.index], word.bits);
	}
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		if (!get(state, fences, sizeof(fences)))
			return false;
		fence_restore(&shared_registry->ddl_fences[i], &fences[0], true);
		fence_restore(&shared_registry->catalog_fences[i], &fences[1], true);
	}
	return true;
}

/* Does the header fit the cluster as it is? */
static bool
header_fits(const StateHeader *header)
{
	char		software[SOFTWARE_NAME];

	software_name(software);
	return header->magic == STATE_MAGIC &&
		header->version == STATE_VERSION &&
		header->lineage.system == GetSystemIdentifier() &&
		header->lineage.nincarnations <= LINEAGE_MAX &&
		header->nfences > 0 && header->nfences < PG_UINT32_MAX / KEY_STAMPS &&
		(header->nfences & (header->nfences - 1)) == 0 &&
		header->nslots <= REGISTRY_SLOTS &&
		memcmp(header->software, software, SOFTWARE_NAME) == 0 &&
		header->checkpoint == shutdown_checkpoint();
}

/*
 * Take everything from the file.  If it turns out to be damaged, what has been
 * taken so far is thrown away later (open.c).
 */
static bool
read_state(StateFile *state)
{
	StateHeader header;
	FenceState	fence;
	SavedFence	saved;
	SavedStamp	stamp;
	pg_crc32c	crc;

	if (!get(state, &header, sizeof(header)) || !header_fits(&header))
		return false;
	shared_registry->start_floor = header.start_floor;
	shared_dependencies->server = header.server;
	*shared_lineage = header.lineage;
	if (!get(state, shared_mapping->running,
			 sizeof(shared_mapping->running)))
		return false;
	for (int i = 0; i < REGISTRY_FENCES; i++)
	{
		if (!get(state, &fence, sizeof(fence)))
			return false;
		fence_restore(&shared_registry->database_fences[i], &fence, true);
	}
	for (uint32 i = 0; i < header.nslots; i++)
	{
		if (!read_slot(state, &shared_slots[i]))
			return false;
	}
	shared_registry->nslots = header.nslots;
	for (uint32 i = 0; i < key_nfences; i++)
		fence_begin(&shared_key_fences[i], header.start_floor);
	for (uint32 i = 0; i < header.nsaved; i++)
	{
		if (!get(state, &saved, sizeof(saved)) ||
			saved.index >= header.nfences)
			return false;
		restore_key_fence(saved.index, header.nfences, &saved.state);
	}
	for (uint32 i = 0; i < key_nfences; i++)
		shared_key_fences[i].changes = 0;
	for (uint32 i = 0; i < ROLE_FENCES; i++)
		fence_begin(&shared_role_fences[i], header.start_floor);
	for (uint32 i = 0; i < header.nroles; i++)
	{
		if (!get(state, &saved, sizeof(saved)) ||
			saved.index >= ROLE_FENCES)
			return false;
		fence_restore(&shared_role_fences[saved.index], &saved.state,
					  true);
		shared_role_fences[saved.index].changes = saved.state.changes;
	}
	for (uint32 i = 0; i < key_nstamps; i++)
		pg_atomic_write_u64(&shared_key_stamps[i], header.start_floor);
	for (uint32 i = 0; i < header.nsaved_stamps; i++)
	{
		if (!get(state, &stamp, sizeof(stamp)) ||
			stamp.index >= header.nfences * KEY_STAMPS)
			return false;
		restore_stamp(stamp.index, header.nfences * KEY_STAMPS, stamp.xid);
	}
	if (!read_dependencies(state, &header))
		return false;
	return fread(&crc, sizeof(crc), 1, state->file) == 1 &&
		EQ_CRC32C(crc, state->crc);
}

/*
 * Read what the last shutdown has left, and arrange for the next one.  Called
 * by the postmaster when it has made the shared memory.
 */
void
persist_startup(void)
{
	StateFile	state;

	on_shmem_exit(persist_shutdown, (Datum) 0);
	unlink(STATE_FILE_NEW);
	state.file = AllocateFile(STATE_FILE, PG_BINARY_R);
	if (state.file == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", STATE_FILE)));
		return;
	}
	state.good = true;
	INIT_CRC32C(state.crc);
	shared_persist->restored = read_state(&state);
	FreeFile(state.file);
	if (shared_persist->restored)
		lineage_continue(shared_lineage);
	else
		ereport(LOG,
				(errmsg("file \"%s\" does not describe the present state of the cluster, ignoring it",
						STATE_FILE),
				 errdetail("Values in Redis will not be used.")));

	/* If the server crashes now, the file must not be there. */
	if (durable_unlink(STATE_FILE, LOG) != 0)
		shared_persist->restored = false;
}

/*
 * Is what is in shared memory as the last shutdown has left it?
 */
bool
persist_has_restored(void)
{
	return shared_persist->restored;
}
