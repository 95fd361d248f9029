/*-------------------------------------------------------------------------
 *
 * extension.c
 *		Where the extension's own objects are in this database.
 *
 * Looked up once a session and again after one of them may have changed; see
 * the invalidation callbacks of definition.c.  Where the extension is not
 * installed there is no function of the name of its trigger's, which PostgreSQL
 * remembers: so those who do not use it pay for one look.
 *
 * Locking: none beyond the catalogs' own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "definition/extension.h"

uint64		extension_generation = 1;

/*
 * What was found last, and whether it is still so.  Messages may come at any time,
 * while somebody looks at it: so forgetting leaves it as it is.
 */
static Extension found;
static bool is_found = false;

/*
 * Forget what is known.
 */
void
extension_reset(void)
{
	is_found = false;
	extension_generation++;
}

/*
 * Is this the table of definitions, as far as this backend has seen it?
 */
bool
extension_owns(Oid relid)
{
	return is_found && found.definitions == relid;
}

/* Is there a function cache_trigger() in any schema? */
static bool
has_trigger_function(void)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum("cache_trigger"));
	bool		found_any = list->n_members > 0;

	ReleaseSysCacheList(list);
	return found_any;
}

/*
 * The extension's objects, or NULL where it is not installed (or half
 * installed, while its script runs).
 */
const Extension *
extension_find(void)
{
	Extension	look = {0};
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	oidvector  *noargs;

	if (is_found)
		return &found;
	if (!has_trigger_function())
		return NULL;

	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("cache"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);

		look.oid = form->oid;
		look.schema = form->extnamespace;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (!OidIsValid(look.oid))
		return NULL;

	noargs = buildoidvector(NULL, 0);
	look.definitions = get_relname_relid("cache_definition", look.schema);
	look.trigger_function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
											CStringGetDatum("cache_trigger"),
											PointerGetDatum(noargs),
											ObjectIdGetDatum(look.schema));
	pfree(noargs);
	look.values[false].table = get_relname_relid("cache_value", look.schema);
	look.values[false].expires = get_relname_relid("cache_value_expires_idx",
												   look.schema);

	/* Since 1.1 */
	look.values[true].table = get_relname_relid("cache_value_logged", look.schema);
	look.values[true].expires = get_relname_relid("cache_value_logged_expires_idx",
												  look.schema);
	look.key_type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									CStringGetDatum("cache_key"),
									ObjectIdGetDatum(look.schema));
	if (!OidIsValid(look.definitions) || !OidIsValid(look.trigger_function) ||
		!OidIsValid(look.values[false].table) ||
		!OidIsValid(look.values[false].expires) || !OidIsValid(look.key_type))
		return NULL;
	found = look;
	is_found = true;
	return &found;
}

/*
 * The same; an error where it is not installed.
 */
const Extension *
extension_get(void)
{
	const Extension *extension = extension_find();

	if (extension == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"cache\" is not installed in this database")));
	return extension;
}

/*
 * Is this one of the tables of what was set in caches without a loader?
 */
bool
extension_keeps_values(Oid relid)
{
	const Extension *extension = extension_get();

	return relid == extension->values[false].table ||
		relid == extension->values[true].table;
}
