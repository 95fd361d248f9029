/*-------------------------------------------------------------------------
 *
 * get.h
 *		The read-through get.
 *
 * See get.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_GET_H
#define CACHE_GET_H

#include "postgres.h"

#include "definition/definition.h"
#include "store/item.h"

extern Datum cache_fetch(CacheDef *def, Datum *args, const bool *nulls,
						 Oid collation, bool native, bool *isnull);
extern bool cache_peek(CacheDef *def, StoreKey *key, StoreValue *value);
extern bool cache_expires(CacheDef *def, Datum *args, const bool *nulls,
						  Oid collation, TimestampTz *expires);

#endif							/* CACHE_GET_H */
