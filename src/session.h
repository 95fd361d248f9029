/*-------------------------------------------------------------------------
 *
 * session.h
 *		Plans whose results depend on the session or on the clock.
 *
 * See session.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SESSION_H
#define CACHE_SESSION_H

#include "postgres.h"

#include "nodes/plannodes.h"

/* What a plan calls. */
typedef struct SessionUse
{
	const char *clock;			/* a function of the time, if any */
	const char *session;		/* a function of the session, if any */
} SessionUse;

extern void session_inspect(PlannedStmt *plan, SessionUse *use);

#endif							/* CACHE_SESSION_H */
