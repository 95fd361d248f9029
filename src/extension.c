/*-------------------------------------------------------------------------
 *
 * extension.c
 *		Where the extension's own objects are in this database.
 *
 * Looked up once a session and again after one of them may have changed; see
 * the invalidation callbacks of definition.c.  Where the extension is not
 * installed, that is remembered as well, until some relation has changed, as
 * its tables do when it is: so those who do not use it pay for one look.
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
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "extension.h"

uint64		extension_generation = 1;

static Extension found;

/* It is not there at all; any message that a relation has changed ends this. */
static bool absent = false;
static uint64 relations_changed = 0;

/*
 * Forget what is known.
 */
void
extension_reset(void)
{
	found.oid = InvalidOid;
	absent = false;
	extension_generation++;
}

/*
 * A relation has changed, whichever: it may have been made by the extension's
 * script.
 */
void
extension_relation_changed(void)
{
	absent = false;
	relations_changed++;
}

/*
 * Is this the table of definitions, as far as this backend has seen it?
 */
bool
extension_owns(Oid relid)
{
	return OidIsValid(found.oid) && found.definitions == relid;
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
	uint64		changed = relations_changed;

	if (OidIsValid(found.oid))
		return &found;
	if (absent)
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
	{
		/* The snapshot of the scan has seen what was told before, not since. */
		absent = changed == relations_changed;
		return NULL;
	}

	noargs = buildoidvector(NULL, 0);
	look.definitions = get_relname_relid("cache_definition", look.schema);
	look.trigger_function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
											CStringGetDatum("cache_trigger"),
											PointerGetDatum(noargs),
											ObjectIdGetDatum(look.schema));
	pfree(noargs);
	look.values = get_relname_relid("cache_value", look.schema);
	look.values_expires = get_relname_relid("cache_value_expires_idx",
											look.schema);
	look.key_type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									CStringGetDatum("cache_key"),
									ObjectIdGetDatum(look.schema));
	if (!OidIsValid(look.definitions) || !OidIsValid(look.trigger_function) ||
		!OidIsValid(look.values) || !OidIsValid(look.values_expires) ||
		!OidIsValid(look.key_type))
		return NULL;
	found = look;
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
