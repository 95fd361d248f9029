/*-------------------------------------------------------------------------
 *
 * key.c
 *		Keys: their hash, and the image by which entries are told apart.
 *
 * A key's hash is made with the hash functions of its types, so that keys
 * that compare equal have the same hash whatever their bytes are (numeric 1.0
 * and 1.00, citext, nondeterministic collations).  The hash chooses the
 * fence, and invalidation drops all entries of a hash; so two different keys
 * that happen to share one cost an unneeded load at worst.
 *
 * An entry is found by its image, byte by byte: besides the key's own bytes
 * everything else that a loader's result may depend on.  A loader may well
 * tell 1.0 from 1.00, so these have entries of their own.
 *
 * The hash depends on the cache's id but not on its version: a writer that
 * has not heard of an alteration yet must still hit the right fence.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "compat.h"
#include "devel.h"
#include "key.h"
#include "value.h"

/* What an image starts with, behind the version. */
#define IMAGE_NATIVE	0x01	/* the loader's own type, not jsonb */
#define IMAGE_ROLE		0x02	/* the calling role follows */
#define IMAGE_COLLATION	0x04	/* a collation follows */
#define IMAGE_LAYOUT	0x08	/* the fingerprint of a layout follows */

/* Any hash of a NULL will do. */
#define NULL_HASH		UINT64CONST(0x9e3779b97f4a7c15)

/*
 * Make all bits depend on all bits: buckets, fences and sketches take their
 * indexes from different ones (splitmix64's finalizer, by Vigna).
 */
static uint64
mix(uint64 h)
{
	h ^= h >> 30;
	h *= UINT64CONST(0xbf58476d1ce4e5b9);
	h ^= h >> 27;
	h *= UINT64CONST(0x94d049bb133111eb);
	h ^= h >> 31;
	return h;
}

/*
 * Do values of a type compare, and hash, like those of the key?
 * Sets up the column's hash function in the current memory context.
 */
bool
key_column_fits(const KeyColumn *key, Oid type, KeyHash *hash)
{
	if (!key_hash_lookup(type, hash) || hash->opfamily != key->hash.opfamily)
		return false;

	/* Some classes serve many types that do not compare with each other. */
	if (IsPolymorphicType(hash->input) || hash->input == RECORDOID ||
		IsPolymorphicType(key->hash.input) || key->hash.input == RECORDOID)
		return getBaseType(type) == getBaseType(key->type);
	return true;
}

/*
 * Begin the hash of a key of a cache, by its id.
 */
uint64
key_hash_start(uint64 cache)
{
	return mix(cache ^ ((uint64) MyDatabaseId << 32));
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
	return mix(hash_combine64(hash, h));
}

/*
 * The hash of a key of a cache without a loader, which is a text.
 */
uint64
key_hash_plain(uint64 cache, KeyHash *how, Datum key)
{
	return key_hash_add(key_hash_start(cache), how, C_COLLATION_OID, key, false);
}

/* Make room for an image that is longer than most. */
static void
image_grow(KeyBuffer *buffer, uint32 len)
{
	uint32		size = (buffer->key.len + len) * 2;
	char	   *larger = palloc(size);

	memcpy(larger, buffer->image, buffer->key.len);
	if (buffer->image != buffer->fixed)
		pfree(buffer->image);
	buffer->image = larger;
	buffer->size = size;
}

static inline void
image_append(KeyBuffer *buffer, const void *bytes, uint32 len)
{
	if (unlikely(buffer->key.len + len > buffer->size))
		image_grow(buffer, len);
	memcpy(buffer->image + buffer->key.len, bytes, len);
	buffer->key.len += len;
}

static void
image_append_datum(KeyBuffer *buffer, const KeyColumn *column, Datum value,
				   bool isnull)
{
	char		null = isnull;

	image_append(buffer, &null, 1);
	if (isnull)
		return;
	if (column->typbyval)
	{
		Datum		bytes;

		store_att_byval(&bytes, value, column->typlen);
		image_append(buffer, &bytes, column->typlen);
	}
	else if (column->typlen == -1)
	{
		struct varlena *flat = PG_DETOAST_DATUM_PACKED(value);
		uint32		len = VARSIZE_ANY_EXHDR(flat);

		/*
		 * What is too long is never stored, so it need not be kept apart from
		 * other such keys.
		 */
		image_append(buffer, &len, sizeof(len));
		image_append(buffer, VARDATA_ANY(flat), Min(len, STORE_MAX_KEY + 1));
		if ((Pointer) flat != DatumGetPointer(value))
			pfree(flat);
	}
	else if (column->typlen == -2)
		image_append(buffer, DatumGetCString(value),
					 strlen(DatumGetCString(value)) + 1);
	else
		image_append(buffer, DatumGetPointer(value), column->typlen);
}

/*
 * Build the key of a call: hash and image.  The arguments are of the types of
 * the loader's; collation is what a direct call would pass to it; native says
 * whether the value is wanted in the loader's own type.  The slot is left to
 * the caller.  The image lives in the buffer or the current memory context.
 */
void
key_build(KeyBuffer *buffer, const CacheDef *def, Datum *args,
		  const bool *nulls, Oid collation, bool native)
{
	uint64		hash = key_hash_start(def->id);
	uint8		flags = 0;

	buffer->key.len = 0;
	buffer->image = buffer->fixed;
	buffer->size = KEY_INLINE;

	if (native)
		flags |= IMAGE_NATIVE;
	if (!def->definer && !GUARD_REMOVED("role"))
		flags |= IMAGE_ROLE;
	if (def->collatable && collation != DEFAULT_COLLATION_OID)
		flags |= IMAGE_COLLATION;
	if (native && def->has_layout)
		flags |= IMAGE_LAYOUT;
	image_append(buffer, &def->version, sizeof(def->version));
	image_append(buffer, &flags, 1);
	if (flags & IMAGE_ROLE)
	{
		Oid			role = GetUserId();

		image_append(buffer, &role, sizeof(role));
	}
	if (flags & IMAGE_COLLATION)
		image_append(buffer, &collation, sizeof(collation));
	if (flags & IMAGE_LAYOUT)
	{
		uint64		layout = value_layout(def->rettype);

		image_append(buffer, &layout, sizeof(layout));
	}

	buffer->prefix = buffer->key.len;

	for (int i = 0; i < def->nkeys; i++)
	{
		KeyColumn  *column = &def->keys[i];

		image_append_datum(buffer, column, args[i], nulls[i]);
		hash = key_hash_add(hash, &column->hash, column->collation,
							args[i], nulls[i]);
	}
	buffer->key.hash = hash;
	buffer->key.image = buffer->image;
	buffer->key.slot = 0;
	buffer->key.aside = false;
}

/* Copy the next bytes of an image.  False if there are not so many. */
static bool
image_read(const StoreKey *key, uint32 *at, void *to, uint32 len)
{
	if (key->len - *at < len)
		return false;
	memcpy(to, key->image + *at, len);
	*at += len;
	return true;
}

/* The counterpart of image_append_datum; in the current memory context. */
static bool
image_read_datum(const StoreKey *key, uint32 *at, const KeyColumn *column,
				 Datum *value, bool *isnull)
{
	char		null;
	uint32		len;
	char	   *bytes;

	*value = (Datum) 0;
	if (!image_read(key, at, &null, 1))
		return false;
	*isnull = null;
	if (*isnull)
		return true;
	if (column->typbyval)
	{
		Datum		own;

		if (!image_read(key, at, &own, column->typlen))
			return false;
		*value = fetch_att(&own, true, column->typlen);
		return true;
	}
	if (column->typlen == -1)
	{
		if (!image_read(key, at, &len, sizeof(len)) || key->len - *at < len)
			return false;
		bytes = palloc(VARHDRSZ + len);
		SET_VARSIZE(bytes, VARHDRSZ + len);
		*value = PointerGetDatum(bytes);
		return image_read(key, at, VARDATA(bytes), len);
	}
	len = column->typlen == -2 ?
		strnlen(key->image + *at, key->len - *at) + 1 : column->typlen;
	bytes = palloc(len);
	*value = PointerGetDatum(bytes);
	return image_read(key, at, bytes, len);
}

/*
 * Read an image, with the key's values in the current memory context.  False
 * if it is one that no call of the current role would build now: of another
 * version of the definition, another role, another layout of the value's type.
 */
bool
key_parse(KeyParts *parts, const CacheDef *def, const StoreKey *key)
{
	uint32		at = 0;
	uint64		version;
	uint64		layout;
	uint8		flags;
	Oid			role;

	if (!image_read(key, &at, &version, sizeof(version)) ||
		version != def->version ||
		!image_read(key, &at, &flags, 1))
		return false;

	parts->native = (flags & IMAGE_NATIVE) != 0;
	if (((flags & IMAGE_ROLE) != 0) == def->definer ||
		((flags & IMAGE_LAYOUT) != 0) != (parts->native && def->has_layout))
		return false;
	if ((flags & IMAGE_ROLE) &&
		(!image_read(key, &at, &role, sizeof(role)) || role != GetUserId()))
		return false;
	parts->collation = def->collatable ? DEFAULT_COLLATION_OID : InvalidOid;
	if ((flags & IMAGE_COLLATION) &&
		!image_read(key, &at, &parts->collation, sizeof(Oid)))
		return false;
	if ((flags & IMAGE_LAYOUT) &&
		(!image_read(key, &at, &layout, sizeof(layout)) ||
		 layout != value_layout(def->rettype)))
		return false;

	for (int i = 0; i < def->nkeys; i++)
	{
		if (!image_read_datum(key, &at, &def->keys[i], &parts->values[i],
							  &parts->nulls[i]))
			return false;
	}
	return at == key->len;
}
