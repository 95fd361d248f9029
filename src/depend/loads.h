/*-------------------------------------------------------------------------
 *
 * loads.h
 *		The loads in progress, and what they depend on.
 *
 * See loads.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_LOADS_H
#define CACHE_LOADS_H

#include "postgres.h"

#include "nodes/nodes.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"

#include "base/reasons.h"
#include "definition/definition.h"
#include "depend/dependency.h"
#include "fence/columns.h"

/* A load in progress. */
#define LOAD_ANALYSED	16

typedef struct Load
{
	CacheDef   *def;
	bool		keys;			/* it is a key function, not the loader */
	const Datum *args;			/* of the loader, NULL: it is not called */
	const bool *nulls;
	Reasons		why;			/* not to store what it gives */
	Reasons		planned;		/* those of them that were found while something
								 * was planned, which is kept */
	TimestampTz expires;		/* of the entries that it has used, or 0 */
	bool		stale;			/* something has to be compiled anew: see
								 * compiled.c */
	bool		reads_catalogs;
	bool		unsettled;		/* this session may not have heard of all DDL */
	uint64		deviation;		/* of its settings from the recorded ones */
	void	   *prepared;		/* the loader as it is compiled: see compiled.c */
	void	   *trusted_by;		/* the call of a function that is trusted */
	uint64		number;			/* of this load, in this session */
	Oid			role;			/* that has called it */

	/*
	 * Relations in texts that were analysed for plans without them: they are
	 * executed by themselves later on, or never.
	 */
	Oid			analysed[LOAD_ANALYSED];
	int			nanalysed;
	struct Load *outer;
} Load;

/* The innermost one, NULL: none. */
extern Load *current_load;
extern MemoryContext loads_boundary;
extern int	loads_planning;
extern bool loads_left_plans;

extern DependencyRights loads_rights(void);
extern void load_begin(Load *load, CacheDef *def, bool keys);
extern void load_note_unread(Load *load);
extern void load_end(Load *load);
extern int	loads_depth(void);
extern void loads_reset(void);
extern void loads_note(Reason reason, Oid object);
extern void loads_note_all(const Reasons *reasons);
extern void loads_note_catalogs(void);
extern bool loads_is_catalog(Oid relid);
extern void loads_note_relation(Relation rel, Columns columns);
extern void loads_note_view(Oid relid);
extern void loads_note_search_path(void);
extern void loads_note_utility(Node *command);
extern void loads_note_hit(CacheDef *inner, uint64 generation,
						   TimestampTz expires);
extern void loads_bound(TimestampTz expires);
extern void loads_caught_error(void);
extern bool loads_trusted(Oid function);

#endif							/* CACHE_LOADS_H */
