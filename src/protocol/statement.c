/*-------------------------------------------------------------------------
 *
 * statement.c
 *		Which caches the statements in progress are changing.
 *
 * The keys of changed rows become pending through AFTER ROW triggers, which
 * fire at the end of a statement.  Other code may run between a row's change
 * and that: other triggers of any name, functions called for later rows.  It
 * sees the changed rows if it takes a snapshot of its own.  So from the
 * moment that a statement starts to change rows of a watched table until all
 * its triggers have fired, gets from the table's caches step around the
 * cache in this backend.
 *
 * That moment and that end are those of ExecutorRun and ExecutorFinish (the
 * latter fires the triggers), and of COPY FROM.  A statement that leaves its
 * triggers to an outer one, as the actions of foreign keys do, leaves its
 * flags to it as well.
 *
 * Compared with a BEFORE ROW trigger that makes keys pending early, this
 * costs nothing per row, and holds for whatever a later trigger does to the
 * row and for generated columns.
 *
 * Rows of catalogs can be changed like those of tables.  What follows from that
 * is decided with DDL (ddl.c), so that it has happened is remembered.
 *
 * Locking: none, this is the backend's own; COPY's target is locked as COPY
 * locks it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/watches.h"
#include "protocol/pending.h"
#include "protocol/statement.h"

/* A cache that a statement at some level is changing. */
typedef struct Flag
{
	NameData	cache;
	int			level;
} Flag;

static Flag *flags = NULL;
static int	nflags = 0;
static int	flags_size = 0;
static int	level = 0;			/* changing statements in progress */

/* Statements of this transaction have changed rows of a catalog */
static bool wrote_catalog = false;
static bool wrote_shared = false;	/* of one that all databases share */

/* Which caches watch a relation, or some partition of it? */
typedef struct WatchedRelation
{
	Oid			relid;			/* hash key */
	bool		partitioned;
	int			ncaches;
	NameData   *caches;
} WatchedRelation;

static HTAB *watched = NULL;
static WatchedRelation *latest = NULL;	/* the one that was found last */
static MemoryContext watched_context = NULL;
static bool watched_valid = false;
static uint64 relation_changes = 0;

/*
 * Relations that have changed and may be partitions of those that are known;
 * that is looked up when it matters.  More of them than have a place are as if
 * each of these had changed.
 */
#define CHANGED_MAX		64

static Oid	changed[CHANGED_MAX];
static int	nchanged = 0;
static int	npartitioned = 0;	/* that are known */

static ExecutorRun_hook_type prev_executor_run = NULL;
static ExecutorFinish_hook_type prev_executor_finish = NULL;

/* Know a relation no longer.  Raises no errors. */
static void
watched_forget(WatchedRelation *entry)
{
	npartitioned -= entry->partitioned;
	pfree(entry->caches);
	hash_search(watched, &entry->relid, HASH_REMOVE, NULL);
	latest = NULL;
}

static void
statement_relation_changed(Datum arg, Oid relid)
{
	WatchedRelation *entry;

	relation_changes++;
	if (!watched_valid || watched == NULL)
		return;
	if (!OidIsValid(relid))
	{
		watched_valid = false;
		return;
	}
	entry = hash_search(watched, &relid, HASH_FIND, NULL);
	if (entry != NULL)
		watched_forget(entry);
	if (npartitioned == 0)
		return;
	if (nchanged == CHANGED_MAX)
		watched_valid = false;
	else
		changed[nchanged++] = relid;
}

static void
watched_setup(void)
{
	HASHCTL		ctl;

	if (watched_valid && watched != NULL)
		return;
	if (watched_context == NULL)
		watched_context = AllocSetContextCreate(TopMemoryContext,
												"cache watched relations",
												ALLOCSET_SMALL_SIZES);
	watched = NULL;
	latest = NULL;
	nchanged = 0;
	npartitioned = 0;
	MemoryContextReset(watched_context);
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(WatchedRelation);
	ctl.hcxt = watched_context;
	watched = hash_create("cache watched relations", 64, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	watched_valid = true;
}

/*
 * Forget the partitioned tables of which partitions have changed.  What comes and
 * goes as a partition changes its parent as well.  Looking may find more changes.
 */
static pg_noinline void
forget_changed_parents(void)
{
	for (int i = 0; i < nchanged && watched_valid &&
		 !GUARD_REMOVED("changed_parents"); i++)
	{
		List	   *ancestors = get_rel_relispartition(changed[i]) ?
			get_partition_ancestors(changed[i]) : NIL;
		ListCell   *lc;

		foreach(lc, ancestors)
		{
			Oid			parent = lfirst_oid(lc);
			WatchedRelation *entry = hash_search(watched, &parent, HASH_FIND,
												 NULL);

			if (entry != NULL)
				watched_forget(entry);
		}
	}
	nchanged = 0;
}

/* What is known is what there is, as far as this backend has heard. */
static inline void
watched_catch_up(void)
{
	if (nchanged > 0)
		forget_changed_parents();
	watched_setup();
}

/*
 * The caches that watch a relation or, if it is partitioned, a partition.  The
 * relation is locked already by whoever writes to it.  Partitions are neither
 * opened nor locked: there may be thousands, of which a statement needs one.
 */
static List *
collect_caches(Oid relid, bool *partitioned)
{
	List	   *names;
	Relation	rel = RelationIdGetRelation(relid);

	*partitioned = false;
	if (!RelationIsValid(rel))
		return NIL;
	names = watches_caches(rel);
	*partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	if (*partitioned)
		names = list_concat(names, watches_caches_below(relid));
	RelationClose(rel);
	return names;
}

/*
 * The caches that watch a relation.  A row that is written to a partitioned
 * table ends in any of its partitions, which may be watched by themselves.
 */
static WatchedRelation *
watched_find(Oid relid)
{
	WatchedRelation *entry;
	NameData   *caches;
	List	   *names;
	ListCell   *lc;
	bool		partitioned;
	uint64		before;

	watched_catch_up();
	if (latest != NULL && latest->relid == relid)
		return latest;
	entry = hash_search(watched, &relid, HASH_FIND, NULL);
	if (entry != NULL)
		return latest = entry;

	/* Opening relations may make what is known stale, this included. */
	do
	{
		watched_catch_up();
		before = relation_changes;
		names = collect_caches(relid, &partitioned);
	} while (relation_changes != before);

	caches = MemoryContextAlloc(watched_context,
								sizeof(NameData) * Max(list_length(names), 1));
	entry = hash_search(watched, &relid, HASH_ENTER, NULL);
	entry->partitioned = partitioned;
	entry->ncaches = 0;
	entry->caches = caches;
	npartitioned += partitioned;
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		bool		known = false;

		for (int i = 0; i < entry->ncaches; i++)
			known |= strcmp(NameStr(entry->caches[i]), name) == 0;
		if (!known)
			namestrcpy(&entry->caches[entry->ncaches++], name);
	}
	return entry;
}

/* Is the cache flagged at this level, or one around it? */
static bool
is_flagged(const char *cache, int at, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (flags[i].level <= at && strcmp(NameStr(flags[i].cache), cache) == 0)
			return true;
	}
	return false;
}

static void
flag_relation(Oid relid, int at)
{
	WatchedRelation *entry;

	if (relid < FirstNormalObjectId)
		return;
	entry = watched_find(relid);
	for (int i = 0; i < entry->ncaches; i++)
	{
		if (is_flagged(NameStr(entry->caches[i]), at, nflags))
			continue;
		if (nflags == flags_size)
		{
			int			size = Max(flags_size * 2, 16);

			if (flags == NULL)
				flags = MemoryContextAlloc(TopMemoryContext, sizeof(Flag) * size);
			else
				flags = repalloc(flags, sizeof(Flag) * size);
			flags_size = size;
		}
		flags[nflags].cache = entry->caches[i];
		flags[nflags].level = at;
		nflags++;
	}
}

/* If the relation is a catalog, this is DDL. */
static void
note_catalog(Oid relid)
{
	if (relid >= FirstNormalObjectId || !OidIsValid(relid))
		return;
	wrote_catalog = true;
	wrote_shared |= IsSharedRelation(relid);
	pending_add_ddl();
}

/* Leave the flags of this level to the statement around it. */
static void
hand_flags_out(int at)
{
	int			n = 0;

	for (int i = 0; i < nflags; i++)
	{
		Flag		flag = flags[i];

		flag.level = Min(flag.level, Max(at - 1, 1));
		if (!is_flagged(NameStr(flag.cache), flag.level, n))
			flags[n++] = flag;
	}
	nflags = n;
}

/* The statements at this level and inside it are through. */
static void
unflag(int at)
{
	while (nflags > 0 && flags[nflags - 1].level >= at)
		nflags--;
}

/*
 * Is a statement in progress changing what the cache is made from?
 */
bool
statement_changes(const char *cache)
{
	for (int i = 0; i < nflags; i++)
	{
		if (strcmp(NameStr(flags[i].cache), cache) == 0)
			return true;
	}
	return false;
}

/*
 * Has a statement of this transaction, also one that was rolled back, changed rows
 * of a catalog, or (shared) of one that all databases share?
 */
bool
statement_wrote_catalog(bool shared)
{
	return shared ? wrote_shared : wrote_catalog;
}

/*
 * The transaction has ended.
 */
void
statement_reset(void)
{
	nflags = 0;
	level = 0;
	wrote_catalog = wrote_shared = false;
}

/*
 * For COPY FROM: begin to change a relation.  Gives what statement_leave
 * wants, also after an error.
 */
int
statement_enter(Oid relid)
{
	level++;
	if (OidIsValid(relid))
	{
		/* As COPY will. */
		LockRelationOid(relid, RowExclusiveLock);
		flag_relation(relid, level);
	}
	return level;
}

void
statement_leave(int at)
{
	unflag(at);
	level = at - 1;
}

static bool
changes_rows(QueryDesc *query)
{
	return query->operation != CMD_SELECT ||
		(query->plannedstmt != NULL && query->plannedstmt->hasModifyingCTE);
}

static void
next_executor_run(EXECUTOR_RUN_ARGS)
{
	if (prev_executor_run)
		prev_executor_run(EXECUTOR_RUN_PASS);
	else
		standard_ExecutorRun(EXECUTOR_RUN_PASS);
}

static void
next_executor_finish(QueryDesc *query)
{
	if (prev_executor_finish)
		prev_executor_finish(query);
	else
		standard_ExecutorFinish(query);
}

/* Of those that change rows; not inline, for the sake of those that do not. */
static pg_noinline void
run_changing(EXECUTOR_RUN_ARGS)
{
	int			at = level + 1;
	ListCell   *lc;

	level = at;
	PG_TRY();
	{
		foreach(lc, query->plannedstmt->resultRelations)
		{
			Oid			relid = rt_fetch(lfirst_int(lc),
										 query->plannedstmt->rtable)->relid;

			flag_relation(relid, at);
			note_catalog(relid);
		}
		next_executor_run(EXECUTOR_RUN_PASS);
	}
	PG_CATCH();
	{
		statement_leave(at);
		PG_RE_THROW();
	}
	PG_END_TRY();

	/* The flags stay until ExecutorFinish has fired the triggers. */
	level = at - 1;
}

static void
statement_executor_run(EXECUTOR_RUN_ARGS)
{
	if (changes_rows(query))
		run_changing(EXECUTOR_RUN_PASS);
	else
		next_executor_run(EXECUTOR_RUN_PASS);
}

static pg_noinline void
finish_changing(QueryDesc *query)
{
	int			at = level + 1;

	level = at;
	PG_TRY();
	{
		next_executor_finish(query);
		pending_prefetch();
	}
	PG_CATCH();
	{
		statement_leave(at);
		PG_RE_THROW();
	}
	PG_END_TRY();

	if (query->estate->es_top_eflags & EXEC_FLAG_SKIP_TRIGGERS)
	{
		hand_flags_out(at);
		level = at - 1;
	}
	else
		statement_leave(at);
}

static void
statement_executor_finish(QueryDesc *query)
{
	if (changes_rows(query))
		finish_changing(query);
	else
		next_executor_finish(query);
}

/*
 * Install the hooks; once a process.
 */
void
statement_init(void)
{
	prev_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = statement_executor_run;
	prev_executor_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = statement_executor_finish;
	CacheRegisterRelcacheCallback(statement_relation_changed, (Datum) 0);
}
