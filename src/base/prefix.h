/*-------------------------------------------------------------------------
 *
 * prefix.h
 *		What the image of a key begins with: see key.c.
 *
 * Everything but the key itself that a cached value depends on.  The keys of
 * a cache share few prefixes, so entries in memory have the number of theirs
 * in a list of the cache's slot (slotlists.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PREFIX_H
#define CACHE_PREFIX_H

#include "postgres.h"

/* Compared and hashed as bytes, so without padding. */
typedef struct KeyPrefix
{
	uint64		version;		/* of the cache's definition */
	uint64		layout;			/* of the value's type, 0 if that is fixed */
	Oid			role;			/* that the loader runs as, if it is the caller */
	Oid			collation;		/* that it is called with */
	uint32		flags;
	uint32		role_changes;	/* of that role's rights, see rolefence.c */
} KeyPrefix;

StaticAssertDecl(sizeof(KeyPrefix) == 32, "no padding");

static inline bool
prefix_equals(const KeyPrefix *a, const KeyPrefix *b)
{
	return a->version == b->version && a->layout == b->layout &&
		a->role == b->role && a->collation == b->collation &&
		a->flags == b->flags && a->role_changes == b->role_changes;
}

#endif							/* CACHE_PREFIX_H */
