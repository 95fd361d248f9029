/*-------------------------------------------------------------------------
 *
 * rename.h
 *		Renames that watches follow.
 *
 * See rename.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_RENAME_H
#define CACHE_RENAME_H

#include "postgres.h"

#include "nodes/pg_list.h"

extern void rename_column(Oid relid, const char *from, const char *to);
extern List *rename_remember(void);
extern void rename_follow(List *remembered);

#endif							/* CACHE_RENAME_H */
