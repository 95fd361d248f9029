/*-------------------------------------------------------------------------
 *
 * plexpr.h
 *		The expressions of PL/pgSQL's statements.
 *
 * See plexpr.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PLEXPR_H
#define CACHE_PLEXPR_H

#include "postgres.h"

#include "plpgsql.h"

typedef void (*PlexprCallback) (PLpgSQL_expr *expr, void *arg);

extern bool plexpr_visit(PLpgSQL_function *function, PLpgSQL_stmt *stmt,
						 PlexprCallback callback, void *arg);

#endif							/* CACHE_PLEXPR_H */
