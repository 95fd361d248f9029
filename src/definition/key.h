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

#include "definition/cachedef.h"
#include "definition/keyhash.h"
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

extern void key_build(KeyBuffer *buffer, const CacheDef *def, Datum *args,
					  const bool *nulls, Oid collation, bool native);
extern uint64 key_hash(const CacheDef *def, Datum *args, const bool *nulls);
extern bool key_has_other_form(const KeyBuffer *buffer, const CacheDef *def,
							   uint64 generation);
extern uint64 key_image_hash(const StoreKey *key, bool of_both_forms);
extern bool key_parse(KeyParts *parts, const CacheDef *def,
					  const StoreKey *key);
extern bool key_collation_fits(const CacheDef *def, Oid collation);
extern int	key_columns(KeyParts *parts, const CacheDef *def,
						const StoreKey *key, uint32 *at);
extern uint64 key_hash_column(uint64 hash, const KeyColumn *key, Datum value,
							  bool isnull);
extern uint64 key_hash_told(uint64 hash, const KeyColumn *key, KeyHash *how,
							struct KeyCoercion *coercion, Datum *value,
							bool *isnull, Oid *type);
extern bool key_is_settled(const CacheDef *def, const Datum *args,
						   const bool *nulls);

#endif							/* CACHE_KEY_H */
