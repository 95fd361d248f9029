/*-------------------------------------------------------------------------
 *
 * naming.c
 *		The names of objects that this transaction's DDL touches.
 *
 * Loads find objects by their names, in the schemas of their search_path or in
 * one that they name.  So a new object matters if they may mean it by its name;
 * and one that was renamed, moved or dropped, if they may have meant it by the
 * name that it had.  The old name is remembered when the object is changed: at
 * that moment the catalogs still have it.
 *
 * What a subtransaction does that is rolled back stays here, which is on the
 * safe side: nothing is decided for a transaction that has changed nothing.
 *
 * Locking: none, this is the backend's own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/devel.h"
#include "depend/dependency.h"
#include "write/naming.h"

/* A name that an object had before this transaction changed or dropped it. */
typedef struct OldName
{
	Oid			class_id;
	Oid			oid;			/* of a relation that is still there */
	Oid			schema;			/* InvalidOid: it had none, being new */
	NameData	schema_name;
	NameData	name;
} OldName;

/* In the top transaction's memory */
static OldName *old_names = NULL;
static int	nold = 0;
static int	old_size = 0;

/* Is the type the row type of a table, or (arrays) an array? */
static bool
comes_along(Oid type, bool arrays)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	bool		along;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_type) GETSTRUCT(tuple);
	along = (arrays && IsTrueArrayType(form)) ||
		(OidIsValid(form->typrelid) &&
		 get_rel_relkind(form->typrelid) != RELKIND_COMPOSITE_TYPE);
	ReleaseSysCache(tuple);
	return along;
}

/*
 * Is the type the row type of a table, or an array?  These come with something
 * else.
 */
bool
naming_comes_along(Oid type)
{
	return comes_along(type, true);
}

/*
 * The name that an object of pg_class, pg_proc, pg_type or pg_namespace has, or
 * had before it was changed just now, and its schema, InvalidOid for one that is a
 * schema.  False if there is no such object.
 */
bool
naming_find(Oid class_id, Oid oid, Oid *schema, NameData *name)
{
	HeapTuple	tuple;
	int			cache = class_id == RelationRelationId ? RELOID :
		class_id == ProcedureRelationId ? PROCOID :
		class_id == TypeRelationId ? TYPEOID : NAMESPACEOID;

	tuple = SearchSysCache1(cache, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		return false;
	switch (cache)
	{
		case RELOID:
			*schema = ((Form_pg_class) GETSTRUCT(tuple))->relnamespace;
			*name = ((Form_pg_class) GETSTRUCT(tuple))->relname;
			break;
		case PROCOID:
			*schema = ((Form_pg_proc) GETSTRUCT(tuple))->pronamespace;
			*name = ((Form_pg_proc) GETSTRUCT(tuple))->proname;
			break;
		case TYPEOID:
			*schema = ((Form_pg_type) GETSTRUCT(tuple))->typnamespace;
			*name = ((Form_pg_type) GETSTRUCT(tuple))->typname;
			break;
		default:
			*schema = InvalidOid;
			*name = ((Form_pg_namespace) GETSTRUCT(tuple))->nspname;
			break;
	}
	ReleaseSysCache(tuple);
	return true;
}

static void
remember_name(Oid class_id, Oid oid, bool is_new)
{
	OldName		old = {class_id, oid};
	char	   *schema_name;

	/* The row has been changed, but by no command that is complete. */
	if (!is_new)
	{
		if (!naming_find(class_id, oid, &old.schema, &old.name) ||
			isAnyTempNamespace(old.schema))
			return;
		schema_name = OidIsValid(old.schema) ?
			get_namespace_name(old.schema) : NULL;
		if (schema_name != NULL)
			namestrcpy(&old.schema_name, schema_name);
	}
	if (nold == old_size)
	{
		old_size = Max(old_size * 2, 16);
		if (old_names == NULL)
			old_names = MemoryContextAllocHuge(TopTransactionContext,
											   sizeof(OldName) * old_size);
		else
			old_names = repalloc_huge(old_names, sizeof(OldName) * old_size);
	}
	old_names[nold++] = old;
}

/*
 * An object has been made or changed, or is about to be dropped: what was it
 * called?
 */
void
naming_note(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id)
{
	if (sub_id != 0 ||
		object_id < FirstNormalObjectId)
		return;
	switch (class_id)
	{
		case RelationRelationId:
			if (access == OAT_POST_CREATE || access == OAT_POST_ALTER ||
				access == OAT_DROP)
				remember_name(class_id, object_id, access == OAT_POST_CREATE);
			break;
		case TypeRelationId:
			if (comes_along(object_id, false))
				break;
			/* FALLTHROUGH */
		case ProcedureRelationId:
		case NamespaceRelationId:
			if (access == OAT_DROP || access == OAT_POST_ALTER)
				remember_name(class_id, object_id, false);
			break;
		default:
			break;
	}
}

/*
 * May loads mean the object by its name?
 */
bool
naming_is_named(Oid class_id, Oid oid)
{
	Oid			schema;
	NameData	name;
	char	   *schema_name;

	if (!naming_find(class_id, oid, &schema, &name))
		return false;
	if (!OidIsValid(schema))
		return dependency_has_schema(oid, NameStr(name)) &&
			!GUARD_REMOVED("ddl_name");
	schema_name = get_namespace_name(schema);
	return schema_name != NULL &&
		dependency_has_name(schema, schema_name, NameStr(name));
}

/* Has a relation that is not temporary got the name that it has? */
static bool
has_new_name(const OldName *old)
{
	Oid			schema;
	NameData	name;

	return naming_find(RelationRelationId, old->oid, &schema, &name) &&
		!isAnyTempNamespace(schema) &&
		(schema != old->schema ||
		 strcmp(NameStr(name), NameStr(old->name)) != 0);
}

/* Had it another one? */
static bool
lost_name(const OldName *old)
{
	return OidIsValid(old->schema) &&
		(has_new_name(old) || get_rel_name(old->oid) == NULL);
}

/*
 * Has anything that is not temporary got a name, or lost one?
 */
bool
naming_changed(void)
{
	for (int i = 0; i < nold; i++)
	{
		if (old_names[i].class_id != RelationRelationId ||
			has_new_name(&old_names[i]) || lost_name(&old_names[i]))
			return true;
	}
	return false;
}

/*
 * May loads mean something that has got its name now, or had it before?
 */
bool
naming_matters(void)
{
	for (int i = 0; i < nold; i++)
	{
		OldName    *old = &old_names[i];

		if (old->class_id == RelationRelationId)
		{
			/* If they have read it, it does not matter by which name. */
			if (has_new_name(old) && naming_is_named(old->class_id, old->oid))
				return true;
			if (lost_name(old) &&
				dependency_has_row_name(old->schema, NameStr(old->schema_name),
										NameStr(old->name)))
				return true;
		}
		else if (OidIsValid(old->schema) ?
				 dependency_has_name(old->schema, NameStr(old->schema_name),
									 NameStr(old->name)) :
				 old->class_id == NamespaceRelationId &&
				 dependency_has_schema(old->oid, NameStr(old->name)))
			return true;
	}
	return false;
}

/*
 * The transaction has ended; its memory goes with its context.
 */
void
naming_reset(void)
{
	old_names = NULL;
	nold = old_size = 0;
}
