/*-------------------------------------------------------------------------
 *
 * identity.h
 *		Types whose values are the identities of objects.
 *
 * See identity.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_IDENTITY_H
#define CACHE_IDENTITY_H

#include "postgres.h"

extern bool identity_is_type(Oid type);

#endif							/* CACHE_IDENTITY_H */
