/*-------------------------------------------------------------------------
 *
 * statement.h
 *		Which caches the statements in progress are changing.
 *
 * See statement.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_STATEMENT_H
#define CACHE_STATEMENT_H

#include "postgres.h"

extern void statement_init(void);
extern void statement_reset(void);
extern bool statement_changes(const char *cache);
extern bool statement_wrote_catalog(bool shared);
extern int	statement_enter(Oid relid);
extern void statement_leave(int level);

#endif							/* CACHE_STATEMENT_H */
