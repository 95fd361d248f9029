/*-------------------------------------------------------------------------
 *
 * dump.h
 *		Entries in a file, between a shutdown and the next start.
 *
 * See dump.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_DUMP_H
#define CACHE_DUMP_H

#include "postgres.h"

#include "pgstat.h"

#include "fence/registry.h"
#include "store/item.h"
#include "store/store.h"

#define DUMP_FILE		PGSTAT_STAT_PERMANENT_DIRECTORY "/cache.entries"
#define DUMP_FILE_NEW	DUMP_FILE ".tmp"

/* A cache whose entries are in the file, under the number that its slot gets. */
typedef struct DumpSlot
{
	uint64		id;
	uint64		generation;		/* of all of its entries */
	StoreLimit	limit;
	Oid			dbid;
	uint32		nprefixes;
	KeyPrefix	prefixes[SLOT_PREFIXES];
} DumpSlot;

/* An entry from the file; key and value are in the reader's memory. */
typedef struct DumpEntry
{
	uint32		hash;			/* the lowest bits of the key's */
	uint16		slot;			/* number among the file's */
	KeyPrefix	prefix;
	const char *key;			/* without its prefix */
	uint32		keylen;
	StoreValue	value;
	StoreRank	rank;
} DumpEntry;

/* What has been written or read. */
typedef struct DumpTotals
{
	uint64		entries;
	uint64		bytes;
} DumpTotals;

typedef struct DumpReader DumpReader;

extern bool dump_write(uint64 limit, DumpTotals *totals);
extern DumpReader *dump_open(void);
extern const DumpSlot *dump_slot(const DumpReader *reader, uint16 number);
extern bool dump_next(DumpReader *reader, DumpEntry *entry);
extern bool dump_next_chunk(DumpReader *reader);
extern void dump_close(DumpReader *reader, DumpTotals *totals);

#endif							/* CACHE_DUMP_H */
