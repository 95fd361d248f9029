/*-------------------------------------------------------------------------
 *
 * invalidate.h
 *		What this transaction changes: pending here, and told to others.
 *
 * See invalidate.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_INVALIDATE_H
#define CACHE_INVALIDATE_H

#include "postgres.h"

#include "definition/definition.h"
#include "fence/columns.h"
#include "protocol/pending.h"

extern void invalidate_require(CacheDef *def);
extern void invalidate_mapped(CacheDef *def);
extern void invalidate_told(CacheDef *def, bool known);
extern void invalidate_cache(CacheDef *def);
extern void invalidate_cache_by(CacheDef *def, const ColumnChange *change);
extern void invalidate_watching(Oid relid,
								void (*invalidate) (CacheDef *def));
extern void invalidate_dropped(CacheDef *def);
extern PendingHandle invalidate_key(CacheDef *def, uint64 hash,
									const ColumnChange *change);
extern void invalidate_tell(CacheDef *def, PendingHandle added, int nkeys,
							const Datum *values, const bool *nulls,
							const Oid *types);

#endif							/* CACHE_INVALIDATE_H */
