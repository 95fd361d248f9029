/*-------------------------------------------------------------------------
 *
 * keptexpr.h
 *		What PL/pgSQL keeps of expressions: queries and plans.
 *
 * See keptexpr.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEPTEXPR_H
#define CACHE_KEPTEXPR_H

#include "postgres.h"

#include "plpgsql.h"

#include "depend/label.h"

/* What looking at the expressions of a statement needs and gives. */
typedef struct KeptLook
{
	const Made *now;			/* what is made in this call is made under */
	bool		to_time;		/* what they give may be turned into a time */
	bool		tainted;		/* a load of another cache's has failed inside */
	bool		complete;		/* all have been made, and labelled */
} KeptLook;

/* Callbacks for plexpr_visit; arg: a KeptLook */
extern void keptexpr_before(PLpgSQL_expr *expr, void *arg);
extern void keptexpr_after(PLpgSQL_expr *expr, void *arg);

#endif							/* CACHE_KEPTEXPR_H */
