/*-------------------------------------------------------------------------
 *
 * keyhash.h
 *		The hash of a key, column by column.
 *
 * See keyhash.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYHASH_H
#define CACHE_KEYHASH_H

#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "base/mix.h"

/* How keys of a type are hashed. */
typedef struct KeyHash
{
	FmgrInfo	function;
	bool		extended;		/* it makes 64 bits */
	bool		fixed;			/* no DDL can change what it makes */
	bool		nested;			/* it can, by way of a type inside the type */
	Oid			opfamily;
	Oid			input;			/* the operator class's type */
} KeyHash;

typedef struct KeyColumn
{
	Oid			type;			/* of the loader's argument */
	int16		typlen;
	bool		typbyval;
	Oid			collation;		/* that keys are compared under, or none */
	KeyHash		hash;
	struct KeyExpr *normal;		/* what they compare by, NULL: as they are */
} KeyColumn;

/*
 * Begin the hash of a key of a cache, by its id.
 */
static inline uint64
key_hash_start(uint64 cache)
{
	return key_mix(cache ^ ((uint64) MyDatabaseId << 32));
}

extern bool key_hash_lookup(Oid type, KeyHash *hash);
extern bool key_hash_is_loose(Oid collation);
extern bool key_hash_obeys(Oid type, Oid collation);
extern bool key_hash_fits(const KeyColumn *key, Oid type, KeyHash *hash);
extern uint64 key_hash_add(uint64 hash, KeyHash *how, Oid collation,
						   Datum value, bool isnull);
extern uint64 key_hash_plain(uint64 cache, KeyHash *how, Datum key);

#endif							/* CACHE_KEYHASH_H */
