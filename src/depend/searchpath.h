/*-------------------------------------------------------------------------
 *
 * searchpath.h
 *		Loaders that find names by the search_path recorded with their cache.
 *
 * See searchpath.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SEARCHPATH_H
#define CACHE_SEARCHPATH_H

#include "postgres.h"

#include "catalog/namespace.h"
#include "miscadmin.h"

#include "definition/definition.h"

/* What is wrong with how a loader finds names. */
typedef struct SearchPathProblem
{
	char	   *object;			/* that loads read, or the loader */
	char	   *problem;
	char	   *hint;
} SearchPathProblem;

extern void searchpath_notice(const CacheDef *def);
extern void searchpath_compare(CacheDef *def);
extern List *searchpath_problems(CacheDef *def);

/*
 * Warn, once a session, if the cache's loader means other tables than the
 * caller would.  For the first use of a cache in a transaction, when it has
 * been locked: where the search_path is what it was, this is a comparison of
 * two strings.  May take in invalidations.
 */
static inline void
searchpath_note(CacheDef *def)
{
	if (def->path_settled ||
		(def->compared_path != NULL && def->compared_role == GetUserId() &&
		 strcmp(def->compared_path, namespace_search_path) == 0))
		return;
	searchpath_compare(def);
}

#endif							/* CACHE_SEARCHPATH_H */
