/*-------------------------------------------------------------------------
 *
 * rows.h
 *		Rows of the table cache_definition, as they are written.
 *
 * See rows.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ROWS_H
#define CACHE_ROWS_H

#include "postgres.h"

#include "access/htup.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/relcache.h"

#include "definition/definition.h"

/* A new value for some columns of a row. */
typedef struct RowChange
{
	Datum		values[DEFINITION_COLUMNS];
	bool		nulls[DEFINITION_COLUMNS];
	bool		replace[DEFINITION_COLUMNS];
} RowChange;

extern void rows_change(RowChange *row, int anum, Datum value);
extern void rows_clear(RowChange *row, int anum);
extern int64 rows_new_id(void);
extern void rows_insert(Relation rel, RowChange *row);
extern void rows_update(const NameData *cache, RowChange *row);
extern void rows_delete(const NameData *cache);

extern char *rows_collation_name(Oid collation);
extern void rows_name_collations(RowChange *row, const Oid *collations, int n);
extern void rows_name_loader(RowChange *row, Oid loader);
extern void rows_set_collations(const NameData *cache, const Oid *collations,
								int n);
extern void rows_rename(const NameData *cache, Oid loader,
						const Oid *collations, int nkeys, List *trust,
						ArrayType *settings);
extern HeapTuple rows_renew(Relation rel, HeapTuple tuple, Oid owner,
							Oid loader, const Oid *collations, int nkeys,
							List *trust, ArrayType *settings);

#endif							/* CACHE_ROWS_H */
