/*-------------------------------------------------------------------------
 *
 * rename.h
 *		Renames that caches and watches follow.
 *
 * See rename.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_RENAME_H
#define CACHE_RENAME_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

/* What all caches and watches name, by OID. */
typedef struct Renames
{
	List	   *caches;
	List	   *watches;
} Renames;

extern Renames *rename_remember(Node *command);
extern void rename_follow(Node *command, Renames *renames);

#endif							/* CACHE_RENAME_H */
