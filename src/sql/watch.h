/*-------------------------------------------------------------------------
 *
 * watch.h
 *		Which tables are watched for which caches.
 *
 * See watch.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WATCH_H
#define CACHE_WATCH_H

#include "postgres.h"

#include "definition/definition.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

/* A trigger of a watch, as the catalog has it. */
typedef struct Watch
{
	Oid			trigger;
	Oid			relid;
	char	   *name;
	bool		rows;			/* the row trigger, not the one for TRUNCATE */
	bool		inherited;		/* by a partition, from its parent */
	bool		enabled;		/* it fires, in apply workers too */
	bool		sound;			/* and for all writes */
	char	  **args;			/* the cache's name first */
	bool		function;		/* a key function follows, not columns */
	bool		expressions;	/* expressions follow, behind two empty strings */
	int			ncolumns;
	char	  **columns;
} Watch;

extern List *watch_list(void);
extern char **watch_arguments(HeapTuple tuple, Relation pg_trigger, int n);
extern bool watch_has_companion(List *watches, const Watch *watch);
extern bool watch_is_same(const Watch *watch, char **columns, int n);
extern Trigger *watch_next(Relation rel, const char *cache, int *at);
extern bool watch_covers(Relation rel, const char *cache);
extern char *watch_repair(const char *cache, Oid relid);
extern List *watch_caches(Relation rel);
extern List *watch_caches_below(Oid parent);
extern List *watch_caches_of(Oid relid);
extern void watch_read(CacheDef *def);
extern void watch_check_trigger(CreateTrigStmt *stmt);
extern void watch_drop_all(CacheDef *def);
extern void watch_mend(void);
extern void watch_check_all(CacheDef *def);
extern void watch_trigger_created(CreateTrigStmt *stmt);

#endif							/* CACHE_WATCH_H */
