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

extern Datum get_value(CacheDef *def, Datum *args, const bool *nulls,
						 Oid collation, bool native, bool *isnull);
extern bool get_peek(CacheDef *def, StoreKey *key, StoreValue *value);
extern bool get_expires(CacheDef *def, Datum *args, const bool *nulls,
						  Oid collation, TimestampTz *expires);

#endif							/* CACHE_GET_H */
