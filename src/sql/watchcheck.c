/*-------------------------------------------------------------------------
 *
 * watchcheck.c
 *		Do watches fit the keys of their cache?
 *
 * Locking: see watchcheck_all; else that of the callers, who have the relation
 * locked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "definition/keyexpr.h"
#include "definition/keyhash.h"
#include "definition/watches.h"
#include "sql/watchcheck.h"
#include "write/keyfunction.h"

/* Check what a column, or an expression, is of. */
static Oid
check_type(CacheDef *def, int i, const char *column, Oid type, Oid collation)
{
	KeyHash		hash;
	KeyCoercion *coercion;

	if (!key_hash_fits(&def->keys[i], type, &hash))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s does not compare like key %d of cache \"%s\", which is of type %s",
						column, format_type_be(type), i + 1,
						NameStr(def->name), format_type_be(def->keys[i].type)),
				 errhint("Give the loader an argument of the column's type, or watch the whole cache by naming no columns.")));
	if (!keyexpr_coercion(&coercion, def, i, type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s has values that key %d of cache \"%s\", which is of type %s and compared by an expression, cannot have",
						column, format_type_be(type), i + 1,
						NameStr(def->name), format_type_be(def->keys[i].type)),
				 errhint("Give the loader an argument of the column's type, or watch the whole cache by naming no columns.")));
	if (!OidIsValid(collation) || get_collation_isdeterministic(collation))
		return InvalidOid;
	if (!key_hash_obeys(type, collation) ||
		!key_hash_obeys(def->keys[i].type, collation))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" or key %d of cache \"%s\" holds names that would be compared under the nondeterministic collation \"%s\"",
						column, i + 1, NameStr(def->name),
						get_collation_name(collation)),
				 errhint("Use text instead of name, or watch the whole cache by naming no columns.")));
	return collation;
}

/*
 * Check one column of a watch.  Gives the collation under which the key has
 * to be compared because of it, or InvalidOid.
 */
static Oid
check_column(CacheDef *def, int i, Relation rel, const char *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column);
	Form_pg_attribute att;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						column, RelationGetRelationName(rel))));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("system column \"%s\" cannot be watched", column)));
	att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	if (CACHE_IS_VIRTUAL(att))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("virtual generated column \"%s\" cannot be watched",
						column),
				 errhint("Use a stored generated column, or watch the whole cache by naming no columns.")));
	if (!keyexpr_collation_fits(def, i, att->attcollation))
		ereport(ERROR,
				(errcode(ERRCODE_COLLATION_MISMATCH),
				 errmsg("column \"%s\" has collation \"%s\", under which the expression of key %d of cache \"%s\" may give something else",
						column, get_collation_name(att->attcollation), i + 1,
						NameStr(def->name)),
				 errhint("Name what the loader compares instead of the column, such as lower(%s).",
						 quote_identifier(column))));
	return check_type(def, i, column, att->atttypid, att->attcollation);
}

/* The same of an expression. */
static Oid
check_expression(CacheDef *def, int i, Relation rel, const char *text)
{
	Node	   *tree = keyexpr_parse(text, rel, true);

	return check_type(def, i, text, exprType(tree), exprCollation(tree));
}

/*
 * Complain unless the columns, or expressions, of a watch fit the keys of a cache;
 * fill in the collations that they demand.  The caller has the relation locked.
 */
void
watchcheck_columns(CacheDef *def, Relation rel, char **columns, int n,
				   bool expressions, Oid *collations)
{
	if (n == 0)
		return;
	if (n != def->nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_plural("cache \"%s\" has %d key, but %d columns were given",
							   "cache \"%s\" has %d keys, but %d columns were given",
							   def->nkeys,
							   NameStr(def->name), def->nkeys, n),
				 errhint("Name one column for each argument of the loader, or none to watch the whole cache.")));
	for (int i = 0; i < n; i++)
	{
		Oid			collation = expressions ?
			check_expression(def, i, rel, columns[i]) :
			check_column(def, i, rel, columns[i]);

		if (!OidIsValid(collation) || collation == collations[i])
			continue;
		if (OidIsValid(collations[i]) &&
			!get_collation_isdeterministic(collations[i]))
			ereport(ERROR,
					(errcode(ERRCODE_COLLATION_MISMATCH),
					 errmsg("key %d of cache \"%s\" is already compared under another nondeterministic collation",
							i + 1, NameStr(def->name)),
					 errhint("Watch the whole cache by naming no columns.")));
		collations[i] = collation;
	}
}

/* Does the key function of a watch fit the cache? */
static void
check_key_function(CacheDef *def, char **args, Relation rel)
{
	Oid			function;
	Oid			relid;

	/* One that is gone makes each write invalidate the whole cache. */
	if (watches_find_function(args, &function, &relid))
		key_function_check(def, function, rel, &relid);
}

/*
 * Open a watched table, and wait for all who write to it, partitions without going
 * through the parent included.  NULL if it is gone.
 */
Relation
watchcheck_open(Oid relid)
{
	Relation	rel = try_relation_open(relid, ShareRowExclusiveLock);

	if (rel != NULL && rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		(void) find_all_inheritors(relid, ShareRowExclusiveLock, NULL);
	return rel;
}

/*
 * After a cache has got another loader: do its watches still fit?  Locks the
 * watched tables against writers, whose keys may be pending by the hashes of
 * the old one.
 */
void
watchcheck_all(CacheDef *def)
{
	List	   *watches = watches_triggers(NameStr(def->name), InvalidOid);
	Oid		   *collations = definition_collations(def);
	ListCell   *lc;

	foreach(lc, watches)
	{
		Watch	   *watch = (Watch *) lfirst(lc);
		Relation	rel = watchcheck_open(watch->relid);

		if (rel == NULL)
			continue;
		if (watch->rows && watch->function)
			check_key_function(def, watch->args, rel);
		else if (watch->rows && watch->expressions)
			watchcheck_columns(def, rel, watch->args + WATCH_EXPRESSIONS,
							   watch->ncolumns + 1 - WATCH_EXPRESSIONS, true,
							   collations);
		else if (watch->rows)
			watchcheck_columns(def, rel, watch->columns, watch->ncolumns, false,
							   collations);
		relation_close(rel, NoLock);
	}
	for (int i = 0; i < def->nkeys; i++)
		def->keys[i].collation = collations[i];
}
