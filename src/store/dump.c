/*-------------------------------------------------------------------------
 *
 * dump.c
 *		Entries in a file, between a shutdown and the next start.
 *
 * The file begins with a header, and with the slots whose entries there are.
 * The entries follow in chunks, those first that are most worth to have; a chunk
 * without any ends the file.  Each part has a checksum of its own, and the number
 * of the run that wrote it, which is random (lineage.c): so what another run has
 * left on the disk is never taken for a part of this file.
 *
 * The file belongs to the fences that were written at the same shutdown
 * (persist.c).  That these are the present ones, and so everything that they ask
 * of the cluster, is known from the lineage: the run that wrote the file is the
 * last one before the present.
 *
 * Not written are entries that nobody could use: of an old generation, expired,
 * of a role that has got other rights.  Nor are those of caches without a loader,
 * whose values are in a table that has been read to find them, and is as soon read
 * again.
 *
 * Those that are used most come first: so they are there soonest, and what there is
 * no room for is used least.  How often entries are used only the policies' sketches
 * know, which are slow to ask for all entries of a large memory; so only the first
 * of each segment are asked about before the rest follows in the order in which the
 * policies would keep them.  The pool and the caches that have policies of their own each
 * have a share of the file as large as theirs of the memory.
 *
 * Locking: none.  It is written when there is no other process, and read by one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fence/lineage.h"
#include "store/dump.h"
#include "store/entry.h"
#include "store/evict.h"

#define DUMP_MAGIC		0x63656e74

/* Another one after each change of the file, or of what is in an entry. */
#define DUMP_VERSION	1

/* Bytes of a chunk: a larger entry has one for itself. */
#define CHUNK_BYTES		(1024 * 1024)

/* Entries used so often come first, of so many that are looked at in a segment. */
#define HOT_FREQUENCY	4
#define HOT_NODES		(1024 * 1024)

/* Each part of the file begins with this. */
typedef struct PartHeader
{
	uint32		magic;
	uint32		version;
	uint64		incarnation;	/* the run that wrote it */
	uint64		epoch;
	uint32		number;			/* of the part: 0 are the slots, and then chunks */
	uint32		members;		/* slots or entries that follow */
	uint64		bytes;			/* in so many bytes */
	pg_crc32c	crc;			/* of these */
	pg_crc32c	header_crc;		/* of all before */
} PartHeader;

/* Key and value follow, the latter with its length word if it has one. */
typedef struct SavedEntry
{
	uint64		cost;			/* 0: what its bytes are */
	TimestampTz expires;
	uint32		hash;
	uint32		vallen;
	uint16		keylen;
	uint16		slot;
	uint8		prefix;			/* of the slot's, or SLOT_WHOLE_KEY */
	uint8		isnull;
	uint8		varlena;
	uint8		load;			/* policy_load */
	StoreRank	rank;
	uint8		unused[6];
} SavedEntry;

StaticAssertDecl(sizeof(SavedEntry) % MAXIMUM_ALIGNOF == 0,
				 "entries in a chunk are aligned");

/*-------------------------------------------------------------------------
 * Writing
 *-------------------------------------------------------------------------
 */

typedef struct DumpWriter
{
	FILE	   *file;
	bool		good;
	TimestampTz now;
	uint32		number;			/* of the next part */
	uint64		left;			/* bytes that this share may still have */
	char	   *chunk;			/* of CHUNK_BYTES */
	Size		used;
	uint32		members;		/* entries in it */
	DumpTotals *totals;
	int			numbers[REGISTRY_SLOTS];	/* of slots in the file, or -1 */
} DumpWriter;

static void
put(DumpWriter *writer, const void *from, Size size)
{
	if (writer->good && size > 0 && fwrite(from, size, 1, writer->file) != 1)
		writer->good = false;
}

static pg_crc32c
header_crc(const PartHeader *header)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, header, offsetof(PartHeader, header_crc));
	FIN_CRC32C(crc);
	return crc;
}

static void
put_header(DumpWriter *writer, uint32 members, uint64 bytes, pg_crc32c crc)
{
	PartHeader	header;

	memset(&header, 0, sizeof(header));
	header.magic = DUMP_MAGIC;
	header.version = DUMP_VERSION;
	header.incarnation =
		shared_lineage->incarnations[shared_lineage->nincarnations - 1];
	header.epoch = shared_lineage->epoch;
	header.number = writer->number++;
	header.members = members;
	header.bytes = bytes;
	header.crc = crc;
	header.header_crc = header_crc(&header);
	put(writer, &header, sizeof(header));
}

/* Write a part whose bytes are together. */
static void
put_part(DumpWriter *writer, uint32 members, const void *from, Size size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, from, size);
	FIN_CRC32C(crc);
	put_header(writer, members, size, crc);
	put(writer, from, size);
}

static void
chunk_flush(DumpWriter *writer)
{
	if (writer->members > 0)
		put_part(writer, writer->members, writer->chunk, writer->used);
	writer->members = 0;
	writer->used = 0;
}

/* Slots are written, and read again, in the order in which persist.c does. */
static void
write_slots(DumpWriter *writer)
{
	DumpSlot   *saved;
	uint32		n = 0;

	saved = palloc_extended(sizeof(DumpSlot) * REGISTRY_SLOTS,
							MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	if (saved == NULL)
	{
		writer->good = false;
		return;
	}
	for (uint32 i = 0; i < REGISTRY_SLOTS; i++)
	{
		CacheSlot  *slot = &shared_slots[i];

		writer->numbers[i] = -1;
		if (i >= shared_registry->nslots || !slot->used)
			continue;
		saved[n].id = slot->id;
		saved[n].dbid = slot->dbid;
		saved[n].generation = slot->fence.changes;
		if (slot->policy != 0)
		{
			saved[n].limit.max_cost = slot->policy_max_cost;
			saved[n].limit.entry_cost = slot->policy_entry_cost;
		}
		saved[n].nprefixes = pg_atomic_read_u32(&slot->nprefixes);
		memcpy(saved[n].prefixes, slot->prefixes, sizeof(slot->prefixes));
		writer->numbers[i] = n++;
	}
	put_part(writer, n, saved, sizeof(DumpSlot) * n);
	pfree(saved);
}

/* Write an entry in a chunk of its own. */
static void
put_large(DumpWriter *writer, const SavedEntry *saved, const char *key,
		  const char *word, uint32 wordlen, const char *value, Size padding)
{
	static const char zeroes[MAXIMUM_ALIGNOF] = {0};
	uint32		len = saved->vallen - wordlen;
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, saved, sizeof(SavedEntry));
	COMP_CRC32C(crc, key, saved->keylen);
	COMP_CRC32C(crc, word, wordlen);
	COMP_CRC32C(crc, value, len);
	COMP_CRC32C(crc, zeroes, padding);
	FIN_CRC32C(crc);
	put_header(writer, 1,
			   sizeof(SavedEntry) + saved->keylen + saved->vallen + padding, crc);
	put(writer, saved, sizeof(SavedEntry));
	put(writer, key, saved->keylen);
	put(writer, word, wordlen);
	put(writer, value, len);
	put(writer, zeroes, padding);
}

/* Write an entry, if it is of use and there is room. */
static void
write_entry(DumpWriter *writer, Policy *policy, const Entry *entry)
{
	CacheSlot  *slot = &shared_slots[entry->node.slot];
	const char *key = entry->data + entry_keyoffset(entry);
	const char *value = key + entry->keylen;
	uint32		vallen = entry_vallen(entry);
	uint32		wordlen = 0;
	varattrib_4b word;
	SavedEntry	saved;
	Size		size;
	Size		padding;
	char	   *at;

	if ((entry->node.flags & ENTRY_DEAD) != 0 ||
		writer->numbers[entry->node.slot] < 0 ||
		entry_is_stale(entry, writer->now))
		return;
	memset(&saved, 0, sizeof(saved));
	if ((entry->node.flags & ENTRY_VARLENA) != 0)
	{
		wordlen = VARHDRSZ;
		SET_VARSIZE(&word, vallen + VARHDRSZ);
	}
	if ((entry->node.flags & ENTRY_OWN) != 0)
		saved.cost = (uint64) entry->node.cost << slot->policy_shift;
	saved.expires = entry_expires(entry);
	saved.hash = entry->node.hash;
	saved.vallen = wordlen + vallen;
	saved.keylen = entry->keylen;
	saved.slot = writer->numbers[entry->node.slot];
	saved.prefix = entry->prefix;
	saved.isnull = entry_is_null(entry);
	saved.varlena = wordlen > 0;
	saved.load = entry->node.load;
	saved.rank.segment = entry->node.segment;
	saved.rank.frequency = policy_frequency(policy, entry->node.hash);

	size = sizeof(saved) + saved.keylen + saved.vallen;
	padding = MAXALIGN(size) - size;
	size += padding;
	if (size > writer->left)
		return;
	writer->left -= size;
	writer->totals->entries++;
	writer->totals->bytes += size;
	if (size > CHUNK_BYTES)
	{
		put_large(writer, &saved, key, (char *) &word, wordlen, value, padding);
		return;
	}
	if (writer->used + size > CHUNK_BYTES)
		chunk_flush(writer);
	at = writer->chunk + writer->used;
	memcpy(at, &saved, sizeof(saved));
	at += sizeof(saved);
	memcpy(at, key, saved.keylen);
	at += saved.keylen;
	memcpy(at, &word, wordlen);
	memcpy(at + wordlen, value, vallen);
	memset(at + saved.vallen, 0, padding);
	writer->used += size;
	writer->members++;
}

/* Write what is hot in a segment of a policy, or the rest of it. */
static void
write_segment(DumpWriter *writer, Policy *policy, uint8 segment, bool hot)
{
	PolicyWalk	walk;
	PolicyRef	node;

	policy_begin_walk(policy, &walk, segment);
	for (uint64 n = 0; writer->good && writer->left > sizeof(SavedEntry) &&
		 !(hot && n == HOT_NODES); n++)
	{
		Entry	   *entry;
		bool		is_hot;

		node = policy_next(policy, shared_arena, &walk);
		if (node == 0)
			break;
		entry = entry_at(node - NODE_OFFSET);
		is_hot = n < HOT_NODES &&
			policy_frequency(policy, entry->node.hash) >= HOT_FREQUENCY;
		if (is_hot == hot)
			write_entry(writer, policy, entry);
	}
}

/* Write the pool's entries, or those of the caches with policies of their own. */
static void
write_policies(DumpWriter *writer, bool own, bool hot)
{
	for (uint8 segment = POLICY_PROTECTED; segment >= POLICY_WINDOW; segment--)
	{
		if (!own)
			write_segment(writer, shared_policy, segment, hot);
		for (uint32 i = 0; own && i < shared_registry->nslots; i++)
		{
			if (shared_slots[i].used && shared_slots[i].policy != 0)
				write_segment(writer, evict_slot_policy(&shared_slots[i]),
							  segment, hot);
		}
	}
}

static void
write_entries(DumpWriter *writer, uint64 limit)
{
	uint64		units = shared_store->entries.units;
	uint64		own = shared_store->own_units;
	uint64		shares[2];

	/* Shares of the file: of the pool, and of the others. */
	shares[0] = units == 0 ? 0 : limit * ((double) (units - own) / units);
	shares[1] = limit - shares[0];
	for (int hot = 1; hot >= 0; hot--)
	{
		for (int i = 0; i < 2; i++)
		{
			writer->left = shares[i];
			write_policies(writer, i == 1, hot == 1);
			shares[i] = writer->left;
		}
	}
	chunk_flush(writer);
}

/*
 * Write the entries that are most worth to have, at most about limit bytes of
 * them.  False if that has failed, which the log tells.
 *
 * For the postmaster, when it is the last process; raises no errors.
 */
bool
dump_write(uint64 limit, DumpTotals *totals)
{
	DumpWriter	writer;

	memset(&writer, 0, sizeof(writer));
	memset(totals, 0, sizeof(*totals));
	writer.totals = totals;
	writer.now = GetCurrentTimestamp();
	writer.chunk = palloc_extended(CHUNK_BYTES, MCXT_ALLOC_NO_OOM);
	writer.file = AllocateFile(DUMP_FILE_NEW, PG_BINARY_W);
	writer.good = writer.file != NULL && writer.chunk != NULL;
	if (writer.good)
	{
		write_slots(&writer);
		write_entries(&writer, limit);
		put_part(&writer, 0, NULL, 0);
	}
	if (writer.file != NULL && FreeFile(writer.file) != 0)
		writer.good = false;
	if (writer.chunk != NULL)
		pfree(writer.chunk);
	if (!writer.good)
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", DUMP_FILE_NEW)));
		unlink(DUMP_FILE_NEW);
		return false;
	}
	return durable_rename(DUMP_FILE_NEW, DUMP_FILE, LOG) == 0;
}

/*-------------------------------------------------------------------------
 * Reading
 *-------------------------------------------------------------------------
 */

struct DumpReader
{
	FILE	   *file;
	MemoryContext chunk_context;	/* of the part that is being read */
	uint32		number;			/* of the next part */
	uint32		nslots;
	DumpSlot   *slots;
	char	   *part;			/* its bytes */
	Size		size;
	Size		at;				/* where the next entry is */
	uint32		members;		/* that are still to come */
	bool		ended;
	DumpTotals	totals;
};

/* The file is not what it should be.  Gives false. */
static bool
damaged(const char *what)
{
	ereport(LOG,
			(errmsg("file \"%s\" %s, ignoring it", DUMP_FILE, what),
			 errdetail("Values will be cached anew as they are asked for.")));
	return false;
}

/* Was the file written at the shutdown that the fences go on from? */
static bool
header_is_ours(const PartHeader *header)
{
	uint32		n = shared_lineage->nincarnations;

	return n >= 2 && header->epoch == shared_lineage->epoch &&
		header->incarnation == shared_lineage->incarnations[n - 2];
}

/* Read the next part.  False if there is no sound one. */
static bool
read_part(DumpReader *reader, PartHeader *header)
{
	pg_crc32c	crc;

	MemoryContextReset(reader->chunk_context);
	reader->members = 0;
	if (fread(header, sizeof(PartHeader), 1, reader->file) != 1)
		return damaged("ends too early");
	if (header->magic != DUMP_MAGIC ||
		header->header_crc != header_crc(header))
		return damaged("is damaged");
	if (header->version != DUMP_VERSION || !header_is_ours(header))
		return damaged("does not belong to the present state of the cluster");
	if (header->number != reader->number++)
		return damaged("is damaged");
	reader->part = MemoryContextAllocExtended(reader->chunk_context,
											  Max(header->bytes, 1),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (reader->part == NULL)
		return damaged("needs more memory than there is");
	if (header->bytes > 0 &&
		fread(reader->part, header->bytes, 1, reader->file) != 1)
		return damaged("ends too early");
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, reader->part, header->bytes);
	FIN_CRC32C(crc);
	if (!EQ_CRC32C(crc, header->crc))
		return damaged("is damaged");
	reader->size = header->bytes;
	reader->at = 0;
	reader->members = header->members;
	return true;
}

static bool
read_slots(DumpReader *reader)
{
	PartHeader	header;

	if (!read_part(reader, &header))
		return false;
	if (header.members > REGISTRY_SLOTS ||
		header.bytes != header.members * sizeof(DumpSlot))
		return damaged("is damaged");
	reader->nslots = header.members;
	reader->slots = palloc(Max(header.bytes, 1));
	memcpy(reader->slots, reader->part, header.bytes);
	reader->members = 0;
	return true;
}

/* Is the whole file sound?  Then it is as it was when it was opened. */
static bool
file_is_sound(DumpReader *reader)
{
	PartHeader	header;

	do
	{
		if (!read_part(reader, &header))
			return false;
	} while (header.number == 0 || header.members > 0);
	reader->number = 0;
	return fseek(reader->file, 0, SEEK_SET) == 0;
}

/*
 * Open the file and remove it: if the server crashes it must not be there.  Nothing of
 * one that is damaged somewhere is used.  NULL
 * if there is none, or it is not to be used, which the log tells.  The shared
 * memory is ready.
 */
DumpReader *
dump_open(void)
{
	FILE	   *file = AllocateFile(DUMP_FILE, PG_BINARY_R);
	DumpReader *reader;

	if (file == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", DUMP_FILE)));
		return NULL;
	}
	reader = palloc0(sizeof(DumpReader));
	reader->file = file;
	reader->chunk_context = AllocSetContextCreate(CurrentMemoryContext,
												  "cached values",
												  ALLOCSET_DEFAULT_SIZES);
	if (durable_unlink(DUMP_FILE, LOG) == 0 && file_is_sound(reader) &&
		read_slots(reader))
		return reader;
	dump_close(reader, &reader->totals);
	return NULL;
}

/*
 * A slot by its number in the file, which it has got in the registry, too.
 */
const DumpSlot *
dump_slot(const DumpReader *reader, uint16 number)
{
	return &reader->slots[number];
}

/* Take the next entry out of the part. */
static bool
take_entry(DumpReader *reader, DumpEntry *entry)
{
	SavedEntry	saved;
	Size		left = reader->size - reader->at;
	Size		size;

	if (left < sizeof(saved))
		return damaged("is damaged");
	memcpy(&saved, reader->part + reader->at, sizeof(saved));
	size = MAXALIGN(sizeof(saved) + saved.keylen + (Size) saved.vallen);
	if (left < size || saved.slot >= reader->nslots ||
		saved.prefix > Min(reader->slots[saved.slot].nprefixes, SLOT_PREFIXES) ||
		(saved.prefix == SLOT_WHOLE_KEY && saved.keylen < sizeof(KeyPrefix)) ||
		(saved.varlena && saved.vallen < VARHDRSZ))
		return damaged("is damaged");

	memset(entry, 0, sizeof(*entry));
	entry->hash = saved.hash;
	entry->slot = saved.slot;
	entry->key = reader->part + reader->at + sizeof(saved);
	entry->keylen = saved.keylen;
	entry->value.data = unconstify(char *, entry->key) + saved.keylen;
	entry->value.len = saved.vallen;
	if (saved.prefix == SLOT_WHOLE_KEY)
	{
		memcpy(&entry->prefix, entry->key, sizeof(KeyPrefix));
		entry->key += sizeof(KeyPrefix);
		entry->keylen -= sizeof(KeyPrefix);
	}
	else
		entry->prefix = reader->slots[saved.slot].prefixes[saved.prefix - 1];
	entry->value.isnull = saved.isnull;
	entry->value.varlena = saved.varlena;
	entry->value.expires = saved.expires;
	entry->value.cost = saved.cost;
	entry->value.load_time = policy_load_time(saved.load);
	entry->value.generation = reader->slots[saved.slot].generation;
	entry->rank = saved.rank;
	reader->at += size;
	reader->members--;
	reader->totals.entries++;
	reader->totals.bytes += size;
	return true;
}

/*
 * The next entry of the chunk.  False at its end.
 */
bool
dump_next(DumpReader *reader, DumpEntry *entry)
{
	if (reader->members == 0)
		return false;
	if (take_entry(reader, entry))
		return true;
	reader->members = 0;
	reader->ended = true;
	return false;
}

/*
 * Go on to the next chunk; what was read from the last one is gone.  False at the
 * end of the file, or where it is not sound, which the log tells.
 */
bool
dump_next_chunk(DumpReader *reader)
{
	PartHeader	header;

	if (reader->ended || !read_part(reader, &header) || header.members == 0)
		reader->ended = true;
	return !reader->ended;
}

/*
 * That is all.  totals: what there was.
 */
void
dump_close(DumpReader *reader, DumpTotals *totals)
{
	*totals = reader->totals;
	FreeFile(reader->file);
	MemoryContextDelete(reader->chunk_context);
}
