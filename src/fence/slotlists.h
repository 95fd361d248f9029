/*-------------------------------------------------------------------------
 *
 * slotlists.h
 *		What the loads of a cache have read, and the keys that they were for.
 *
 * See slotlists.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SLOTLISTS_H
#define CACHE_SLOTLISTS_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "base/prefix.h"
#include "fence/columns.h"
#include "fence/registry.h"

/* A cache, of whichever database. */
typedef struct SlotCache
{
	Oid			dbid;
	uint64		id;
} SlotCache;

/* What the loads of a generation have read: a copy of its slot's lists. */
typedef struct SlotLists
{
	bool		complete;		/* else there is more, that did not fit */
	bool		own_path;		/* see CacheSlot, also for what follows */
	bool		unseen;
	bool		reads_catalogs;
	bool		elsewhere;
	uint32		nreads;
	uint32		nviews;
	Oid			reads[SLOT_READS];
	Columns		columns[SLOT_READS];
	Oid			views[SLOT_VIEWS];
} SlotLists;

extern uint64 slot_copy_lists(int index, SlotLists *lists);
extern void slot_depend(int index, Oid relid);
extern bool slot_depends_on(int index, Oid relid);
extern void slot_note_catalogs(int index);
extern void slot_note_elsewhere(int index);
extern bool slot_any_reads_catalogs(Oid dbid);
extern void slot_publish_dependents(Oid dbid, const Oid *relids, int n,
									bool lasting, FullTransactionId xid,
									const MappingRunning *others);
extern List *slot_dependents(Oid dbid, const Oid *relids, int n, bool lasting);
extern void slot_add_read(int index, Oid relid, Columns columns);
extern void slot_add_unseen(int index);
extern bool slot_reads(int index, Oid dbid, uint64 id, Oid relid,
					   Columns *columns);
extern bool slot_add_view(int index, Oid relid);
extern int	slot_find_prefix(int index, uint64 generation,
							 const KeyPrefix *prefix);
extern int	slot_add_prefix(int index, uint64 generation,
							const KeyPrefix *prefix);
extern bool slot_get_prefix(int index, uint64 generation, int number,
							KeyPrefix *prefix);
extern bool slot_add_variant(int index, uint32 variant);
extern uint32 slot_variants(Oid dbid, uint64 id, uint32 *variants);

#endif							/* CACHE_SLOTLISTS_H */
