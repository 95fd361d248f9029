/*-------------------------------------------------------------------------
 *
 * watches.h
 *		Which tables are watched for which caches, as the catalogs tell.
 *
 * See watches.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WATCHES_H
#define CACHE_WATCHES_H

#include "postgres.h"

#include "access/htup.h"
#include "catalog/pg_trigger.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

/* What a row trigger of a watch fires for */
#define WATCH_EVENTS \
	(TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE)

/* What expressions stand behind in a trigger's arguments: the cache's name, and
 * two empty strings, which no column and no schema can be called. */
#define WATCH_EXPRESSIONS	3

/* Arguments of a trigger that calls a key function, the cache's name first */
#define WATCH_FUNCTION_ARGS	6

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

/* What is watched for a cache. */
typedef struct WatchedTables
{
	int			n;
	Oid		   *relids;			/* each once, in the order of their OIDs, so that
								 * all lock them in the same order */
	bool		mapped;			/* some watch has a key function */
	bool		private;		/* one has a temporary child of this session */
} WatchedTables;

extern bool watches_has_expressions(int nargs, char **args);
extern bool watches_has_function(int nargs, char **args);
extern bool watches_find_function(char **args, Oid *function, Oid *relid);
extern List *watches_function_arguments(Oid function, Oid relid);
extern char **watches_arguments(HeapTuple tuple, Relation pg_trigger, int n);
extern Datum watches_arguments_datum(char **args, int n);
extern char **watches_command_arguments(List *list);

extern Trigger *watches_next(Relation rel, const char *cache, int *at);
extern bool watches_covers(Relation rel, const char *cache);
extern List *watches_caches(Relation rel);
extern List *watches_caches_of(Oid relid);

extern List *watches_triggers(const char *cache, Oid relid);
extern List *watches_list(void);
extern List *watches_caches_below(Oid parent);
extern bool watches_has_companion(List *watches, const Watch *watch);
extern bool watches_is_same(const Watch *watch, char **columns, int n);
extern char *watches_repair(const char *cache, Oid relid);
extern bool watches_has_children(Oid relid);
extern void watches_read(const char *cache, WatchedTables *watched);

#endif							/* CACHE_WATCHES_H */
