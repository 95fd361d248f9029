/*-------------------------------------------------------------------------
 *
 * definition.h
 *		What a cache is: its definition as this backend knows it.
 *
 * See definition.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_DEFINITION_H
#define CACHE_DEFINITION_H

#include "postgres.h"

#include "access/htup.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

#include "definition/cachedef.h"

/* Columns of the table cache_definition */
enum
{
	ANUM_NAME = 1,
	ANUM_ID,
	ANUM_VERSION,
	ANUM_OWNER,
	ANUM_LOADER_SCHEMA,
	ANUM_LOADER_NAME,
	ANUM_LOADER_ARGS,
	ANUM_TTL,
	ANUM_MAX_COST,
	ANUM_ENTRY_COST,
	ANUM_REDIS,
	ANUM_SETTINGS,
	ANUM_KEY_COLLATIONS,
	DEFINITION_COLUMNS_1_0 = ANUM_KEY_COLLATIONS,
	ANUM_TRUST,					/* since 1.1 */
	ANUM_KEY,					/* since 1.1 */
	ANUM_LOGGED,				/* since 1.1 */
	DEFINITION_COLUMNS = ANUM_LOGGED
};

/*
 * In a function that says whether another one can be a loader or the like: say
 * why it cannot, or (report false) just that.
 */
#define UNSUITABLE(...) \
	do { \
		if (report) \
			ereport(ERROR, (__VA_ARGS__)); \
		return false; \
	} while (0)

/* Moves whenever any definition may have changed. */
extern uint64 definition_generation;

/* Moves whenever this backend changes a definition or a watch. */
extern uint64 definition_changes;

extern void definition_init(void);
extern CacheDef *definition_find(const char *name);
extern CacheDef *definition_read(Relation rel, HeapTuple tuple);
extern CacheDef *definition_get(const char *name);
extern void definition_require_loader(CacheDef *def);
extern void definition_use(CacheDef *def);
extern void definition_release(CacheDef *def);
extern void definition_follow(CacheDef *def);
extern Oid *definition_collations(const CacheDef *def);
extern void definition_require_read(CacheDef *def);
extern bool definition_is_owner(CacheDef *def);
extern void definition_require_owner(CacheDef *def);
extern bool definition_is_readable(void);
extern Relation definition_open(LOCKMODE mode);
extern void definition_changed(void);
extern char *definition_name(text *name);
extern char *definition_name_argument(FunctionCallInfo fcinfo, int arg);
extern List *definition_names(void);

extern bool definition_describe(CacheDef *def, Oid loader, bool report);

#endif							/* CACHE_DEFINITION_H */
