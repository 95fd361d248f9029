/*-------------------------------------------------------------------------
 *
 * owner.h
 *		Who owns a cache, as definitions record it.
 *
 * See owner.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_OWNER_H
#define CACHE_OWNER_H

#include "postgres.h"

extern Datum owner_make(Oid role);
extern Oid	owner_role(Datum owner);

#endif							/* CACHE_OWNER_H */
