/*-------------------------------------------------------------------------
 *
 * inspect.h
 *		What the result of an expression or a query depends on.
 *
 * See inspect.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_INSPECT_H
#define CACHE_INSPECT_H

#include "postgres.h"

#include "nodes/parsenodes.h"

#include "base/reasons.h"

/* Is this function trusted? */
typedef bool (*InspectTrusted) (Oid function);

/* What texts may be turned into, where they are met. */
typedef enum TextsUse
{
	TEXTS_ARE_VALUES,
	TEXTS_MAY_BE_TIMES,			/* a text that can be nothing else is one */
	TEXTS_BECOME_TIMES			/* each is */
} TextsUse;

/* What an inspection needs, and gives. */
typedef struct Inspection
{
	Reasons    *reasons;		/* found: they are added here */
	InspectTrusted trusted;		/* NULL: nothing is */
	const char *source;			/* text that locations are in, or NULL */
	const List *rtable;			/* of the plan that it is in, or NIL */
	bool		literals;		/* look for nothing else */
	TextsUse	texts;
	bool		in_domain;		/* in the constraints of one */
	bool		calls_sql;		/* found: a function of a user's in SQL */
} Inspection;

extern bool inspect_expression(Node *node, Inspection *in);
extern bool inspect_is_statistic(Oid relid, AttrNumber attnum);
extern void inspect_query(Query *query, const char *source, bool to_time,
						  InspectTrusted trusted, Reasons *reasons);
extern void inspect_literals(Query *query, const char *source,
							 Reasons *reasons);
extern void inspect_type(Oid type, InspectTrusted trusted, Reasons *reasons);
extern bool inspect_holds_time(Oid type);
extern void inspect_routine(Oid function, InspectTrusted trusted,
							Reasons *reasons);

#endif							/* CACHE_INSPECT_H */
