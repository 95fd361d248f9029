/*-------------------------------------------------------------------------
 *
 * key.c
 *		Keys: their hash, and the image by which entries are told apart.
 *
 * The hash (keyhash.c) chooses the fence, and invalidation drops all entries of a
 * hash; so two different keys that happen to share one cost an unneeded load at
 * worst.
 *
 * An entry is found by its image, byte by byte: first, in a KeyPrefix,
 * everything else that a loader's result may depend on, and then the bytes of
 * the key's columns.  A loader may well tell 1.0 from 1.00, so these have
 * entries of their own.
 *
 * Values in Redis are told apart in the same way, also after an upgrade of
 * this library: whoever changes the image changes STATE_VERSION (persist.c).
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "miscadmin.h"

#include "base/devel.h"
#include "definition/key.h"
#include "definition/keyexpr.h"
#include "definition/value.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/slotlists.h"

/* KeyPrefix.flags */
#define IMAGE_NATIVE	0x01	/* the loader's own type, not jsonb */
#define IMAGE_NULLS		0x02	/* the key begins with a bit for each column */

/*
 * A loader may compare keys under the collation that it is called with.  Are
 * they hashed under that collation, if that matters?  Of collations that are
 * not the default one.
 */
bool
key_collation_fits(const CacheDef *def, Oid collation)
{
	/* What they compare by may be another value under another collation. */
	for (int i = 0; i < def->nkeys; i++)
	{
		if (def->keys[i].normal != NULL && !GUARD_REMOVED("normal_collation"))
			return false;
	}
	if (!key_hash_is_loose(collation))
		return true;
	for (int i = 0; i < def->nkeys; i++)
	{
		if (OidIsValid(def->keys[i].collation) &&
			def->keys[i].collation != collation)
			return false;
	}
	return true;
}

/* The collation of what a key compares by. */
static Oid
normal_collation(const KeyColumn *key)
{
	if (!OidIsValid(key->normal->collation))
		return InvalidOid;
	return OidIsValid(key->collation) ? key->collation : DEFAULT_COLLATION_OID;
}

/* Add the next column by what the key compares by. */
static pg_noinline uint64
key_hash_normal(uint64 hash, const KeyColumn *key, Datum value, bool isnull)
{
	value = keyexpr_of_argument(key->normal, value, &isnull);
	return key_hash_add(hash, &key->normal->hash, normal_collation(key), value,
						isnull);
}

/*
 * Add the next column, a value of the loader's type.
 */
uint64
key_hash_column(uint64 hash, const KeyColumn *key, Datum value, bool isnull)
{
	if (unlikely(key->normal != NULL))
		return key_hash_normal(hash, key, value, isnull);
	return key_hash_add(hash, unconstify(KeyHash *, &key->hash), key->collation,
						value, isnull);
}

/*
 * Does what the key compares by stay what it is, if it is taken for a key?
 */
bool
key_is_settled(const CacheDef *def, const Datum *args, const bool *nulls)
{
	for (int i = 0; i < def->nkeys; i++)
	{
		const KeyColumn *key = &def->keys[i];
		bool		isnull = nulls[i];
		Datum		value;

		if (key->normal == NULL || !key->normal->again ||
			GUARD_REMOVED("settled"))
			continue;
		value = keyexpr_of_argument(key->normal, args[i], &isnull);
		if (key_hash_normal(0, key, value, isnull) !=
			key_hash_normal(0, key, args[i], nulls[i]))
			return false;
	}
	return true;
}

/*
 * Add what a watch tells of a key, hashed by how if the key compares as it is;
 * else it is made what the key compares by, and left so for those who are told.
 */
uint64
key_hash_told(uint64 hash, const KeyColumn *key, KeyHash *how,
			  KeyCoercion *coercion, Datum *value, bool *isnull, Oid *type)
{
	if (likely(key->normal == NULL))
		return key_hash_add(hash, how, key->collation, *value, *isnull);
	keyexpr_normalize(key, coercion, value, isnull, type);
	return key_hash_add(hash, &key->normal->hash, normal_collation(key), *value,
						*isnull);
}

/* Make room for an image that is longer than most. */
static void
image_grow(KeyBuffer *buffer, uint32 len)
{
	uint32		size = (buffer->key.len + len) * 2;
	char	   *larger = palloc(size);

	memcpy(larger, buffer->image, buffer->key.len);
	if (buffer->image != buffer->fixed.bytes)
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

/* A column that is passed by reference. */
static void
image_append_reference(KeyBuffer *buffer, const KeyColumn *column, Datum value)
{
	if (column->typlen == -1)
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

static inline void
image_append_datum(KeyBuffer *buffer, const KeyColumn *column, Datum value)
{
	if (!column->typbyval)
		image_append_reference(buffer, column, value);
	else if (column->typlen == sizeof(int32))
	{
		int32		bytes = DatumGetInt32(value);

		image_append(buffer, &bytes, sizeof(bytes));
	}
	else
	{
		Datum		bytes;

		store_att_byval(&bytes, value, column->typlen);
		image_append(buffer, &bytes, column->typlen);
	}
}

/* Bytes of the bits that say which columns are NULL. */
static inline uint32
null_bytes(const CacheDef *def)
{
	return (def->nkeys + BITS_PER_BYTE - 1) / BITS_PER_BYTE;
}

/* If some column is NULL, say which. */
static void
image_append_nulls(KeyBuffer *buffer, const CacheDef *def, const bool *nulls)
{
	uint8		bits[(FUNC_MAX_ARGS + BITS_PER_BYTE - 1) / BITS_PER_BYTE] = {0};

	for (int i = 0; i < def->nkeys; i++)
	{
		if (nulls[i])
			bits[i / BITS_PER_BYTE] |= 1 << (i % BITS_PER_BYTE);
	}
	image_append(buffer, bits, null_bytes(def));
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
	KeyPrefix  *prefix = &buffer->fixed.prefix;
	uint64		hash = key_hash_start(def->id);
	bool		null = false;

	prefix->version = def->version;
	prefix->layout = native && def->has_layout ? value_layout(def->rettype) : 0;
	prefix->role = def->definer || GUARD_REMOVED("role") ? InvalidOid : GetUserId();
	prefix->collation = def->collatable ? collation : InvalidOid;
	prefix->flags = native ? IMAGE_NATIVE : 0;
	prefix->role_changes = OidIsValid(prefix->role) ?
		role_fence_changes(role_fence(prefix->role)) : 0;

	buffer->key.len = sizeof(KeyPrefix);
	buffer->image = buffer->fixed.bytes;
	buffer->size = KEY_INLINE;

	for (int i = 0; i < def->nkeys; i++)
		null |= nulls[i];
	if (unlikely(null))
	{
		prefix->flags |= IMAGE_NULLS;
		image_append_nulls(buffer, def, nulls);
	}
	for (int i = 0; i < def->nkeys; i++)
	{
		KeyColumn  *column = &def->keys[i];

		if (!nulls[i])
			image_append_datum(buffer, column, args[i]);
		hash = key_hash_column(hash, column, args[i], nulls[i]);
	}
	buffer->key.hash = hash;
	buffer->key.image = buffer->image;
	buffer->key.slot = 0;
	buffer->key.prefix = SLOT_WHOLE_KEY;
	buffer->key.aside = false;
}

/*
 * The hash alone.
 */
uint64
key_hash(const CacheDef *def, Datum *args, const bool *nulls)
{
	uint64		hash = key_hash_start(def->id);

	for (int i = 0; i < def->nkeys; i++)
		hash = key_hash_column(hash, &def->keys[i], args[i], nulls[i]);
	return hash;
}

/*
 * A value has two forms, in the loader's own type and as jsonb.  May there be
 * the one that is not asked for here, among the cache's entries of this
 * generation?  Of this very key or of others, that is.
 */
bool
key_has_other_form(const KeyBuffer *buffer, const CacheDef *def,
				   uint64 generation)
{
	KeyPrefix	other = *(const KeyPrefix *) buffer->image;

	other.flags ^= IMAGE_NATIVE;
	other.layout = (other.flags & IMAGE_NATIVE) && def->has_layout ?
		value_layout(def->rettype) : 0;
	return slot_find_prefix(buffer->key.slot, generation, &other) != SLOT_NO_PREFIX;
}

/*
 * A hash of the key's image, on request the same for both forms.  The types'
 * layout may not be part of it then.
 */
uint64
key_image_hash(const StoreKey *key, bool of_both_forms)
{
	KeyPrefix	prefix = *(const KeyPrefix *) key->image;

	if (of_both_forms)
		prefix.flags &= ~IMAGE_NATIVE;
	return hash_bytes_extended((const unsigned char *) key->image + sizeof(prefix),
							   key->len - sizeof(prefix),
							   hash_bytes_extended((const unsigned char *) &prefix,
												   sizeof(prefix), 0));
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
				 Datum *value)
{
	uint32		len;
	char	   *bytes;

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
 * Read the columns of an image, which may be but the beginning of one, with
 * the values in the current memory context.  Gives how many there are, and
 * where in the image they end; -1 if it is of another version of the
 * definition.
 */
int
key_columns(KeyParts *parts, const CacheDef *def, const StoreKey *key,
			uint32 *at)
{
	uint8		bits[(FUNC_MAX_ARGS + BITS_PER_BYTE - 1) / BITS_PER_BYTE] = {0};
	KeyPrefix	prefix;

	*at = 0;
	if (!image_read(key, at, &prefix, sizeof(prefix)) ||
		prefix.version != def->version)
		return -1;
	parts->native = (prefix.flags & IMAGE_NATIVE) != 0;
	parts->collation = prefix.collation;
	if ((prefix.flags & IMAGE_NULLS) &&
		!image_read(key, at, bits, null_bytes(def)))
		return 0;

	for (int i = 0; i < def->nkeys; i++)
	{
		uint32		end = *at;

		parts->values[i] = (Datum) 0;
		parts->nulls[i] = (bits[i / BITS_PER_BYTE] >> (i % BITS_PER_BYTE)) & 1;
		if (parts->nulls[i])
			continue;
		if (!image_read_datum(key, &end, &def->keys[i], &parts->values[i]))
			return i;
		*at = end;
	}
	return def->nkeys;
}

/*
 * Read an image, with the key's values in the current memory context.  False
 * if it is one that no call of the current role would build now: of another
 * version of the definition, another role or other rights of it, another layout
 * of the value's type.
 */
bool
key_parse(KeyParts *parts, const CacheDef *def, const StoreKey *key)
{
	KeyPrefix	prefix;
	uint32		at;

	if (key->len < sizeof(prefix))
		return false;
	memcpy(&prefix, key->image, sizeof(prefix));
	if (prefix.role != (def->definer ? InvalidOid : GetUserId()))
		return false;
	if (OidIsValid(prefix.role) &&
		prefix.role_changes != role_fence_changes(role_fence(prefix.role)))
		return false;
	if ((prefix.flags & IMAGE_NATIVE) && def->has_layout &&
		prefix.layout != value_layout(def->rettype))
		return false;
	return key_columns(parts, def, key, &at) == def->nkeys && at == key->len;
}
