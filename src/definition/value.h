/*-------------------------------------------------------------------------
 *
 * value.h
 *		Values between datums and the store's bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_VALUE_H
#define CACHE_VALUE_H

#include "postgres.h"

#include "fmgr.h"

#include "store/item.h"

extern void value_define_settings(void);
extern bool value_has_layout(Oid type);
extern uint64 value_layout(Oid type);
extern void value_flatten(StoreValue *value, Datum datum, bool isnull,
						  int16 typlen, bool typbyval);
extern void value_compress(StoreValue *value, Oid type);
extern Datum value_datum(const StoreValue *value, int16 typlen, bool typbyval);
extern bool value_survives_jsonb(Oid type);
extern Datum value_from_jsonb(Oid type, Datum jsonb);
extern void value_jsonb_setup(FmgrInfo *function, Oid type);

#endif							/* CACHE_VALUE_H */
