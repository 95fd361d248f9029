/*-------------------------------------------------------------------------
 *
 * reason.h
 *		The words for why a result is not stored.
 *
 * See reason.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_REASON_H
#define CACHE_REASON_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "base/reasons.h"

extern const char *reason_name(Reason reason);
extern char *reason_object(Reason reason, Oid object);
extern char *reason_problem(Reason reason, Oid object, const char *cache);
extern char *reason_of_keys(Reason reason, Oid object, const char *cache);
extern char *reason_hint(Reason reason, Oid object, const char *cache,
						 const char *loader, List *trusted);
extern bool reason_warns(Reason reason);
extern bool reason_is_of_relation(Reason reason);

#endif							/* CACHE_REASON_H */
