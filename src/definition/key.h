/*-------------------------------------------------------------------------
 *
 * key.h
 *		Keys: their hash, and the image by which entries are told apart.
 *
 * See key.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include "postgres.h"

#include "definition/definition.h"
#include "store/item.h"

struct KeyCoercion;

#define KEY_INLINE	256			/* bytes of an image that need no palloc */

typedef struct KeyBuffer
{
	StoreKey	key;
	char	   *image;
	uint32		size;			/* of image */
	union
	{
		KeyPrefix	prefix;
		char		bytes[KEY_INLINE];
	}			fixed;
} KeyBuffer;

/* What an image says. */
typedef struct KeyParts
{
	bool		native;			/* the value is in the loader's own type */
	Oid			collation;		/* that the loader is called with */
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];
} KeyParts;

/*
 * Make all bits depend on all bits: buckets, fences and sketches take their
 * indexes from different ones (splitmix64's finalizer, by Vigna).
 */
static inline uint64
key_mix(uint64 h)
{
	h ^= h >> 30;
	h *= UINT64CONST(0xbf58476d1ce4e5b9);
	h ^= h >> 27;
	h *= UINT64CONST(0x94d049bb133111eb);
	h ^= h >> 31;
	return h;
}

extern void key_build(KeyBuffer *buffer, const CacheDef *def, Datum *args,
					  const bool *nulls, Oid collation, bool native);
extern uint64 key_hash(const CacheDef *def, Datum *args, const bool *nulls);
extern bool key_has_other_form(const KeyBuffer *buffer, const CacheDef *def,
							   uint64 generation);
extern uint64 key_image_hash(const StoreKey *key, bool of_both_forms);
extern bool key_parse(KeyParts *parts, const CacheDef *def,
					  const StoreKey *key);
extern bool key_type_obeys(Oid type, Oid collation);
extern bool key_collation_fits(const CacheDef *def, Oid collation);
extern int	key_columns(KeyParts *parts, const CacheDef *def,
						const StoreKey *key, uint32 *at);
extern bool key_column_fits(const KeyColumn *key, Oid type, KeyHash *hash);
extern int16 key_typlen(const KeyBuffer *key, const CacheDef *def);
extern uint64 key_hash_start(uint64 cache);
extern uint64 key_hash_column(uint64 hash, const KeyColumn *key, Datum value,
							  bool isnull);
extern uint64 key_hash_told(uint64 hash, const KeyColumn *key, KeyHash *how,
							struct KeyCoercion *coercion, Datum *value,
							bool *isnull, Oid *type);
extern bool key_is_settled(const CacheDef *def, const Datum *args,
						   const bool *nulls);
extern uint64 key_hash_plain(uint64 cache, KeyHash *how, Datum key);
extern uint64 key_hash_add(uint64 hash, KeyHash *how, Oid collation,
						   Datum value, bool isnull);

#endif							/* CACHE_KEY_H */
