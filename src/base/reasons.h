/*-------------------------------------------------------------------------
 *
 * reasons.h
 *		Sets of reasons why a result is not stored.
 *
 * See reasons.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_REASONS_H
#define CACHE_REASONS_H

#include "postgres.h"

/* In the order in which they are told.  What each means: depend/reason.c. */
typedef enum Reason
{
	REASON_VOLATILE_LOADER,
	REASON_UNWATCHED,
	REASON_NARROW_WATCH,
	REASON_KEY_EXPRESSION,
	REASON_ROW_SECURITY,
	REASON_TEMPORARY,
	REASON_SESSION,
	REASON_CLOCK,
	REASON_STATE,
	REASON_VOLATILE,
	REASON_OPAQUE,
	REASON_CAUGHT_ERROR,
	REASON_ROW_LOCKS,
	REASON_SYSTEM_COLUMNS,
	REASON_SAMPLE,
	REASON_PARALLEL,
	REASON_ROLE,
	REASON_COMPILED,
	REASON_DETACHING,
	REASON_MANY_VIEWS,
	REASON_MANY_READS,
	REASON_SETTINGS,
	REASON_WRITES,
	REASON_TOO_LARGE,

	/*
	 * This forbids nothing: but what is stored is not for sessions that have
	 * temporary objects.
	 */
	REASON_TEMPORARY_OBJECTS,

	/* Nor does this: but the cache depends on all DDL. */
	REASON_CATALOGS
} Reason;

#define REASONS		(REASON_CATALOGS + 1)

/*
 * Reasons that hold, and what each was found at: an OID of a relation or a
 * function, or one of the things below.
 */
typedef struct Reasons
{
	uint32		mask;
	Oid			object[REASONS];
} Reasons;

/* What is no function, among functions; no function has such a number. */
#define REASON_NOTHING			InvalidOid
#define REASON_CURRENT_TIME		((Oid) 1)	/* CURRENT_TIMESTAMP and the like */
#define REASON_NOW_LITERAL		((Oid) 2)	/* a literal such as 'now' */
#define REASON_PG_CONTEXT		((Oid) 3)	/* GET DIAGNOSTICS ... PG_CONTEXT */
#define REASON_CURSOR			((Oid) 4)	/* a cursor opened elsewhere */
#define REASON_TEMP_OBJECT		((Oid) 5)	/* a temporary type or relation */
#define REASON_ASSERT			((Oid) 6)	/* an ASSERT that is switched off */
#define REASON_UTILITY			((Oid) 7)	/* SHOW, EXPLAIN and the like */
#define REASON_PG_TEMP			((Oid) 8)	/* the name pg_temp in a source */

#define REASON_BIT(reason)	((uint32) 1 << (reason))

extern void reasons_note(Reasons *reasons, Reason reason, Oid object);
extern void reasons_add(Reasons *reasons, const Reasons *more);
extern void reasons_add_lasting(Reasons *reasons, const Reasons *more);
extern uint32 reasons_that_forbid(const Reasons *reasons, bool has_ttl);
extern bool reasons_hide_reads(const Reasons *reasons);
extern bool reasons_forgivable(Reason reason);

#endif							/* CACHE_REASONS_H */
