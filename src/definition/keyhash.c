/*-------------------------------------------------------------------------
 *
 * keyhash.c
 *		The hash of a key, column by column.
 *
 * A key's hash is made with the hash functions of its types, so that keys
 * that compare equal have the same hash whatever their bytes are (numeric 1.0
 * and 1.00, citext, nondeterministic collations).  One hash function of
 * PostgreSQL's is not like that: a name is hashed by its bytes, whatever
 * collation names are compared under; so here it is hashed as a text where that
 * matters.
 *
 * The hash depends on the cache's id but not on its version: a writer that
 * has not heard of an alteration yet must still hit the right fence.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "base/devel.h"
#include "base/mix.h"
#include "definition/keyhash.h"

/* Any hash of a NULL will do. */
#define NULL_HASH		UINT64CONST(0x9e3779b97f4a7c15)

/*-------------------------------------------------------------------------
 * How a type is hashed
 *-------------------------------------------------------------------------
 */

/* What holds for a type inside of another one holds for that one. */
static void
hash_contains(KeyHash *hash, Oid type)
{
	KeyHash		inner;

	if (!OidIsValid(type) || !key_hash_lookup(type, &inner))
		return;
	hash->fixed &= inner.fixed;
	hash->nested |= inner.nested ||
		inner.function.fn_oid >= FirstUnpinnedObjectId;
}

/*
 * Can DDL change what a type's values are hashed to?  A function that comes
 * with the server cannot be replaced; but what it hashes may consist of values
 * of other types.
 */
static void
hash_inspect(KeyHash *hash, Oid type)
{
	Oid			base = getBaseType(type);

	check_stack_depth();
	hash->fixed = hash->function.fn_oid < FirstUnpinnedObjectId;
	hash->nested = false;
	if (!hash->fixed)
		return;
	if (hash->input == ANYARRAYOID)
		hash_contains(hash, get_base_element_type(base));
	else if (type_is_multirange(base))
		hash_contains(hash, get_range_subtype(get_multirange_range(base)));
	else if (type_is_range(base))
		hash_contains(hash, get_range_subtype(base));
	else if (hash->input == RECORDOID)
	{
		TupleDesc	desc = lookup_rowtype_tupdesc_noerror(base, -1, true);

		/* It can get other columns. */
		hash->fixed = false;
		for (int i = 0; desc != NULL && i < desc->natts; i++)
		{
			if (!TupleDescAttr(desc, i)->attisdropped)
				hash_contains(hash, TupleDescAttr(desc, i)->atttypid);
		}
		if (desc != NULL)
			ReleaseTupleDesc(desc);
	}
}

/*
 * How values of a type are hashed; false if they cannot be.  The function is
 * set up in the current memory context.
 */
bool
key_hash_lookup(Oid type, KeyHash *hash)
{
	TypeCacheEntry *entry;
	Oid			function;

	entry = lookup_type_cache(type, TYPECACHE_HASH_OPFAMILY |
							  TYPECACHE_HASH_PROC |
							  TYPECACHE_HASH_EXTENDED_PROC);
	hash->extended = OidIsValid(entry->hash_extended_proc);
	function = hash->extended ? entry->hash_extended_proc : entry->hash_proc;
	if (!OidIsValid(function))
		return false;
	hash->opfamily = entry->hash_opf;
	hash->input = entry->hash_opintype;
	fmgr_info_cxt(function, &hash->function, CurrentMemoryContext);
	hash_inspect(hash, type);
	return true;
}

/*
 * Can values be equal under the collation that have different bytes?
 */
bool
key_hash_is_loose(Oid collation)
{
	return OidIsValid(collation) && collation != DEFAULT_COLLATION_OID &&
		collation != C_COLLATION_OID &&
		!get_collation_isdeterministic(collation) &&
		!GUARD_REMOVED("names");
}

/* The same of a composite type, which has a collation for each column. */
static bool
row_obeys(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(type, -1, true);
	bool		obeys = true;

	if (desc == NULL)
		return true;
	for (int i = 0; i < desc->natts && obeys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped)
			obeys = getBaseType(att->atttypid) == NAMEOID ?
				!key_hash_is_loose(att->attcollation) :
				key_hash_obeys(att->atttypid, att->attcollation);
	}
	ReleaseTupleDesc(desc);
	return obeys;
}

/*
 * Do values of a type hash alike that are equal under a collation?  Not if
 * there are names inside, which key_hash_add() does not see.
 */
bool
key_hash_obeys(Oid type, Oid collation)
{
	Oid			base = getBaseType(type);
	Oid			inner = get_base_element_type(base);

	check_stack_depth();
	if (OidIsValid(inner))
		return getBaseType(inner) == NAMEOID ? !key_hash_is_loose(collation) :
			key_hash_obeys(inner, collation);
	if (type_is_multirange(base))
		base = get_multirange_range(base);
	if (type_is_range(base))
	{
		inner = get_range_subtype(base);
		collation = get_range_collation(base);
		return getBaseType(inner) == NAMEOID ? !key_hash_is_loose(collation) :
			key_hash_obeys(inner, collation);
	}
	if (get_typtype(base) == TYPTYPE_COMPOSITE)
		return row_obeys(base);
	return true;
}

/*
 * Do values of a type compare, and hash, like those of the key?
 * Sets up the column's hash function in the current memory context.
 */
bool
key_hash_fits(const KeyColumn *key, Oid type, KeyHash *hash)
{
	if (!key_hash_obeys(type, key->collation))
		return false;
	if (!key_hash_lookup(type, hash) || hash->opfamily != key->hash.opfamily)
		return false;

	/* Some classes serve many types that do not compare with each other. */
	if (IsPolymorphicType(hash->input) || hash->input == RECORDOID ||
		IsPolymorphicType(key->hash.input) || key->hash.input == RECORDOID)
		return getBaseType(type) == getBaseType(key->type);
	return true;
}

/*-------------------------------------------------------------------------
 * Hashing
 *-------------------------------------------------------------------------
 */

/* The hash of a name as that of the text. */
static uint64
name_hash(Datum value, Oid collation)
{
	text	   *string = cstring_to_text(NameStr(*DatumGetName(value)));
	uint64		hash;

	hash = DatumGetUInt64(DirectFunctionCall2Coll(hashtextextended, collation,
												  PointerGetDatum(string),
												  UInt64GetDatum(0)));
	pfree(string);
	return hash;
}

/* The type's hash of a value; of the commonest types without a function call. */
static inline uint64
extended_hash(KeyHash *how, Oid collation, Datum value)
{
	switch (how->function.fn_oid)
	{
		case F_HASHINT4EXTENDED:
			return hash_bytes_uint32_extended(DatumGetInt32(value), 0);
		case F_HASHINT8EXTENDED:
			{
				/* the same as hashint4extended() where the value is */
				int64		n = DatumGetInt64(value);
				uint32		high = (uint32) (n >> 32);

				if (n < 0)
					high = ~high;
				return hash_bytes_uint32_extended((uint32) n ^ high, 0);
			}
		case F_UUID_HASH_EXTENDED:
			return hash_bytes_extended((const unsigned char *) DatumGetPointer(value),
									   UUID_LEN, 0);
		case F_HASHNAMEEXTENDED:
			if (key_hash_is_loose(collation))
				return name_hash(value, collation);
			/* FALLTHROUGH */
		default:
			return DatumGetUInt64(FunctionCall2Coll(&how->function, collation,
													value, UInt64GetDatum(0)));
	}
}

/*
 * Add the next column to the hash.  `how` may be of another type than the
 * loader's argument, if it is of the same operator family.
 */
uint64
key_hash_add(uint64 hash, KeyHash *how, Oid collation, Datum value, bool isnull)
{
	uint64		h;

	if (isnull)
		h = NULL_HASH;
	else if (how->extended)
		h = extended_hash(how, collation, value);
	else
		h = DatumGetUInt32(FunctionCall1Coll(&how->function, collation, value));
	return key_mix(hash_combine64(hash, h));
}

/*
 * The hash of a key of a cache without a loader, which is a text.
 */
uint64
key_hash_plain(uint64 cache, KeyHash *how, Datum key)
{
	return key_hash_add(key_hash_start(cache), how, C_COLLATION_OID, key, false);
}
