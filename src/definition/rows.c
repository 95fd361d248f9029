/*-------------------------------------------------------------------------
 *
 * rows.c
 *		Rows of the table cache_definition, as they are written.
 *
 * They are written here directly: the table's privileges are nobody's but the
 * extension's.  What a cache is made of is recorded by its names, so that it
 * survives dumps.  Whoever has changed a row tells everybody (definition_changed).
 *
 * Locking: whoever changes definitions or watches holds SHARE ROW EXCLUSIVE
 * on cache_definition until the end of its transaction; so they come one
 * after the other, and readers are not held up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/textarray.h"
#include "definition/definition.h"
#include "definition/owner.h"
#include "definition/rows.h"

/*
 * Give a column this value.
 */
void
rows_change(RowChange *row, int anum, Datum value)
{
	row->values[anum - 1] = value;
	row->nulls[anum - 1] = false;
	row->replace[anum - 1] = true;
}

/*
 * Let a column be null.
 */
void
rows_clear(RowChange *row, int anum)
{
	row->nulls[anum - 1] = true;
	row->replace[anum - 1] = true;
}

/*
 * A new id or version.  They are random: never used twice, even after a restore
 * or in a transaction that is rolled back.
 */
int64
rows_new_id(void)
{
	uint64		id;

	do
	{
		if (!pg_strong_random(&id, sizeof(id)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate a random number")));
		id &= PG_INT64_MAX;
	} while (id == 0);
	return (int64) id;
}

/* The row of a definition; the caller ends the scan. */
static HeapTuple
find_row(Relation rel, const NameData *name, SysScanDesc *scan)
{
	ScanKeyData key;

	ScanKeyInit(&key, ANUM_NAME, BTEqualStrategyNumber, F_NAMEEQ,
				NameGetDatum(name));
	*scan = systable_beginscan(rel, cache_primary_key_index(rel), true, NULL,
							   1, &key);
	return systable_getnext(*scan);
}

/*
 * Insert a definition into their table, which the caller has opened.
 */
void
rows_insert(Relation rel, RowChange *row)
{
	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), row->values,
											row->nulls));
	definition_changed();
	CommandCounterIncrement();
}

/*
 * Update the row of a cache's definition; it gets a new version.
 */
void
rows_update(const NameData *cache, RowChange *row)
{
	Relation	rel = definition_open(RowExclusiveLock);
	SysScanDesc scan;
	HeapTuple	tuple;
	HeapTuple	changed;

	rows_change(row, ANUM_VERSION, Int64GetDatum(rows_new_id()));
	tuple = find_row(rel, cache, &scan);
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "definition of cache \"%s\" has vanished",
			 NameStr(*cache));
	changed = heap_modify_tuple(tuple, RelationGetDescr(rel), row->values,
								row->nulls, row->replace);
	CatalogTupleUpdate(rel, &tuple->t_self, changed);
	systable_endscan(scan);
	table_close(rel, NoLock);
	definition_changed();
	CommandCounterIncrement();
}

/*
 * Delete it, if it is there.
 */
void
rows_delete(const NameData *cache)
{
	Relation	rel = definition_open(RowExclusiveLock);
	SysScanDesc scan;
	HeapTuple	tuple = find_row(rel, cache, &scan);

	if (HeapTupleIsValid(tuple))
		CatalogTupleDelete(rel, &tuple->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
	definition_changed();
	CommandCounterIncrement();
}

/*-------------------------------------------------------------------------
 * What a cache is made of, by its names
 *-------------------------------------------------------------------------
 */

/*
 * The full name of a collation, palloc'd.
 */
char *
rows_collation_name(Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Form_pg_collation form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	form = (Form_pg_collation) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(form->collnamespace),
									  NameStr(form->collname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 * Record the collations of keys by their names, nulls where a key has none.
 */
void
rows_name_collations(RowChange *row, const Oid *collations, int n)
{
	char	  **names = palloc(sizeof(char *) * Max(n, 1));

	for (int i = 0; i < n; i++)
		names[i] = !OidIsValid(collations[i]) ? NULL :
			rows_collation_name(collations[i]);
	rows_change(row, ANUM_KEY_COLLATIONS, textarray_make(names, n));
}

/*
 * Record a loader by its name and the types of its arguments.
 */
void
rows_name_loader(RowChange *row, Oid loader)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(loader));
	Form_pg_proc proc;
	char	   *types[FUNC_MAX_ARGS];

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", loader);
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	for (int i = 0; i < proc->pronargs; i++)
		types[i] = format_type_be_qualified(proc->proargtypes.values[i]);
	rows_change(row, ANUM_LOADER_SCHEMA,
				  CStringGetTextDatum(get_namespace_name(proc->pronamespace)));
	rows_change(row, ANUM_LOADER_NAME,
				  CStringGetTextDatum(NameStr(proc->proname)));
	rows_change(row, ANUM_LOADER_ARGS, textarray_make(types, proc->pronargs));
	ReleaseSysCache(tuple);
}

/*
 * Update a cache's row: under which collations its n keys compare.
 */
void
rows_set_collations(const NameData *cache, const Oid *collations, int n)
{
	RowChange	row = {0};

	rows_name_collations(&row, collations, n);
	rows_update(cache, &row);
}

/* Record by their names what a cache is made of; see rows_rename. */
static void
name_parts(RowChange *row, Oid loader, const Oid *collations, int nkeys,
		   List *trust, ArrayType *settings)
{
	if (OidIsValid(loader))
		rows_name_loader(row, loader);
	if (nkeys > 0)
		rows_name_collations(row, collations, nkeys);
	if (trust != NIL)
	{
		char	  **names = palloc(sizeof(char *) * list_length(trust));
		ListCell   *lc;

		foreach(lc, trust)
			names[foreach_current_index(lc)] = lfirst(lc);
		rows_change(row, ANUM_TRUST,
					  textarray_make(names, list_length(trust)));
	}
	if (settings != NULL)
		rows_change(row, ANUM_SETTINGS, PointerGetDatum(settings));
}

/*
 * Something that a cache is made of has another name: record it.  loader and
 * nkeys collations by OID, the functions that are trusted by name, and
 * settings; InvalidOid, 0 and NULL leave what there is.  The caller holds the
 * lock on the definitions.
 */
void
rows_rename(const NameData *cache, Oid loader, const Oid *collations, int nkeys,
			List *trust, ArrayType *settings)
{
	RowChange	row = {0};

	name_parts(&row, loader, collations, nkeys, trust, settings);
	rows_update(cache, &row);
}

/*
 * A row that somebody wants to insert, with all that the cache is made of
 * recorded as cache_create() would, and ids that no cache has.
 */
HeapTuple
rows_renew(Relation rel, HeapTuple tuple, Oid owner, Oid loader,
		   const Oid *collations, int nkeys, List *trust, ArrayType *settings)
{
	RowChange	row = {0};

	name_parts(&row, loader, collations, nkeys, trust, settings);
	if (trust == NIL)
		rows_clear(&row, ANUM_TRUST);
	rows_change(&row, ANUM_ID, Int64GetDatum(rows_new_id()));
	rows_change(&row, ANUM_VERSION, Int64GetDatum(rows_new_id()));
	rows_change(&row, ANUM_OWNER, owner_make(owner));
	return heap_modify_tuple(tuple, RelationGetDescr(rel), row.values,
							 row.nulls, row.replace);
}
