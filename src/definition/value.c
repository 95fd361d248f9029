/*-------------------------------------------------------------------------
 *
 * value.c
 *		Values between datums and the store's bytes.
 *
 * A value is stored as its flat datum: no toast pointers, no expanded
 * objects.  The layout of composite types can be changed by DDL while some
 * backend still has the old one in its caches, so a fingerprint of the layout
 * is part of the key of values that contain one: a backend only finds values
 * that it knows how to read.
 *
 * Large ones may be compressed as PostgreSQL does it in tables.  A hit then
 * gives the compressed datum, as reading a table does, and whoever looks into
 * it decompresses it; so the cost comes only with the need.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/toast_compression.h"
#include "access/toast_internals.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "base/param.h"
#include "definition/value.h"

#define COMPRESSION_OFF		0	/* else as in pg_attribute.attcompression */
#define COMPRESSION_MIN		2048	/* bytes of a value; as in tables, about */

static const struct config_enum_entry compression_options[] = {
	{"off", COMPRESSION_OFF, false},
	{"pglz", TOAST_PGLZ_COMPRESSION, false},
#ifdef USE_LZ4
	{"lz4", TOAST_LZ4_COMPRESSION, false},
#endif
	{NULL, 0, false}
};

/* cache.compression */
static int	compression = COMPRESSION_OFF;

void
value_define_settings(void)
{
	DefineCustomEnumVariable("cache.compression",
							 "Sets how large values are compressed in memory and in Redis.",
							 NULL,
							 &compression,
							 COMPRESSION_OFF, compression_options,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
}

/*
 * The type that a type is made of, for types whose own layout is fixed;
 * InvalidOid: none.
 */
static Oid
inner_type(Oid type)
{
	switch (get_typtype(type))
	{
		case TYPTYPE_DOMAIN:
			return getBaseType(type);
		case TYPTYPE_RANGE:
			return get_range_subtype(type);
		case TYPTYPE_MULTIRANGE:
			return get_multirange_range(type);
		default:
			return get_element_type(type);
	}
}

/*
 * Does the type contain a composite type?
 */
bool
value_has_layout(Oid type)
{
	while (OidIsValid(type))
	{
		if (type_is_rowtype(type))
			return true;
		type = inner_type(type);
	}
	return false;
}

/*
 * A fingerprint of all that decides how the bytes of a value are laid out,
 * as this backend sees it now.
 */
uint64
value_layout(Oid type)
{
	uint64		hash = 0;
	TypeCacheEntry *entry;

	check_stack_depth();
	while (get_typtype(type) != TYPTYPE_COMPOSITE)
	{
		hash = hash_combine64(hash, type);
		type = inner_type(type);
		if (!OidIsValid(type))
			return hash;
	}

	entry = lookup_type_cache(type, TYPECACHE_TUPDESC);
	if (entry->tupDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("type %u is not composite", type)));
	hash = hash_combine64(hash, type);
	for (int i = 0; i < entry->tupDesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(entry->tupDesc, i);

		hash = hash_combine64(hash, att->attisdropped);
		hash = hash_combine64(hash, (uint16) att->attlen);
		hash = hash_combine64(hash, (uint8) att->attalign);
		if (!att->attisdropped)
			hash = hash_combine64(hash, value_layout(att->atttypid));
	}
	return hash;
}

/*
 * Make a datum flat, in the current memory context.
 */
void
value_flatten(StoreValue *value, Datum datum, bool isnull,
			  int16 typlen, bool typbyval)
{
	value->isnull = isnull;
	value->varlena = !isnull && !typbyval && typlen == -1;
	value->len = 0;
	value->data = NULL;
	if (isnull)
		return;

	if (typbyval)
	{
		value->data = palloc(sizeof(Datum));
		memcpy(value->data, &datum, sizeof(Datum));
		value->len = sizeof(Datum);
	}
	else if (typlen == -1)
	{
		struct varlena *flat = PG_DETOAST_DATUM(datum);

		value->data = (char *) flat;
		value->len = VARSIZE(flat);
	}
	else
	{
		value->data = DatumGetPointer(datum);
		value->len = typlen == -2 ? strlen(value->data) + 1 : typlen;
	}
}

/*
 * Compress a flat value of a type, in the current memory context, if that is
 * wanted, the type's functions expect it, and it saves a quarter.
 */
void
value_compress(StoreValue *value, Oid type)
{
	struct varlena *smaller;

	if (compression == COMPRESSION_OFF || !value->varlena ||
		value->len < COMPRESSION_MIN || get_typstorage(type) == TYPSTORAGE_PLAIN)
		return;
	smaller = (struct varlena *)
		DatumGetPointer(toast_compress_datum(PointerGetDatum(value->data),
											 compression));
	if (smaller == NULL || VARSIZE(smaller) > value->len / 4 * 3)
		return;
	value->varlena = false;
	value->data = (char *) smaller;
	value->len = VARSIZE(smaller);
}

/*
 * The datum of a value that is not NULL.  It refers to the value's memory.
 */
Datum
value_datum(const StoreValue *value, int16 typlen, bool typbyval)
{
	if (typbyval)
	{
		Datum		datum;

		memcpy(&datum, value->data, sizeof(Datum));
		return datum;
	}
	return PointerGetDatum(value->data);
}

/*
 * Can values of a type be told from what to_jsonb() makes of them, whatever the
 * settings?
 */
bool
value_survives_jsonb(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
			return true;
		default:
			return false;
	}
}

/* The number that to_jsonb() has made a scalar of. */
static Datum
scalar_number(const JsonbValue *scalar)
{
	/* NaN and infinity are strings there. */
	if (scalar->type == jbvString)
		return DirectFunctionCall3(numeric_in,
								   CStringGetDatum(pnstrdup(scalar->val.string.val,
															scalar->val.string.len)),
								   ObjectIdGetDatum(InvalidOid),
								   Int32GetDatum(-1));
	Assert(scalar->type == jbvNumeric);
	return NumericGetDatum(scalar->val.numeric);
}

/*
 * The value of such a type that to_jsonb() has made this of, in the current
 * memory context.
 */
Datum
value_from_jsonb(Oid type, Datum jsonb)
{
	JsonbValue	scalar;

	if (!JsonbExtractScalar(&DatumGetJsonbP(jsonb)->root, &scalar))
		elog(ERROR, "jsonb is no scalar");
	switch (type)
	{
		case BOOLOID:
			return BoolGetDatum(scalar.val.boolean);
		case INT2OID:
			return DirectFunctionCall1(numeric_int2, scalar_number(&scalar));
		case INT4OID:
			return DirectFunctionCall1(numeric_int4, scalar_number(&scalar));
		case INT8OID:
			return DirectFunctionCall1(numeric_int8, scalar_number(&scalar));
		case NUMERICOID:
			return datumCopy(scalar_number(&scalar), false, -1);
		case TEXTOID:
		case VARCHAROID:
			return PointerGetDatum(cstring_to_text_with_len(scalar.val.string.val,
															scalar.val.string.len));
		default:
			elog(ERROR, "unexpected type %u", type);
	}
}

/*
 * Prepare to_jsonb() for values of a type, in the current memory context.
 */
void
value_jsonb_setup(FmgrInfo *function, Oid type)
{
	fmgr_info_cxt(F_TO_JSONB, function, CurrentMemoryContext);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID,
											 list_make1(param_make(1, type)),
											 InvalidOid, InvalidOid,
											 COERCE_EXPLICIT_CALL),
					   function);
}
