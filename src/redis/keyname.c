/*-------------------------------------------------------------------------
 *
 * keyname.c
 *		What keys are called in Redis.
 *
 * Names are hashes, and short: how long they are decides much of what a key
 * costs Redis.  What they stand for is in the values, so that two keys which
 * have the same name are not confused, but only get in each other's way.
 *
 * After the prefix, which may contain anything, each kind of name in Redis has a
 * colon and an ending that tells its kind and how long it is: these digits,
 * ":probe", and the digests of remotewindow.c.  So names of different prefixes
 * and kinds are different.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "base/mix.h"
#include "fence/lineage.h"
#include "redis/keyname.h"

#define PREFIX_MAX		100		/* bytes */

/* Digits of the parts of a name, of six bits each */
#define SERVER_DIGITS	5
#define CACHE_DIGITS	8

StaticAssertDecl(PREFIX_MAX + 1 + SERVER_DIGITS + CACHE_DIGITS +
				 KEYNAME_DIGITS < KEYNAME_SIZE, "a name fits its buffer");

/* cache.redis_prefix */
char	   *keyname_prefix = NULL;

static bool
check_prefix(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) > PREFIX_MAX)
	{
		GUC_check_errdetail("It may have %d bytes.", PREFIX_MAX);
		return false;
	}
	return true;
}

/*
 * Define the setting of what all names begin with; once a process.
 */
void
keyname_define_settings(void)
{
	DefineCustomStringVariable("cache.redis_prefix",
							   "Sets what the names of keys and channels in Redis begin with.",
							   NULL,
							   &keyname_prefix, "cache",
							   PGC_SIGHUP, 0,
							   check_prefix, NULL, NULL);
}

/* Six bits in each. */
static inline char *
append_digits(char *to, uint64 number, int digits)
{
	while (digits-- > 0)
	{
		*to++ = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[number & 63];
		number >>= 6;
	}
	return to;
}

/*
 * What the names of all keys of this cluster begin with, in its present epoch, in a
 * buffer of KEYNAME_SIZE bytes.  Gives where that ends; there is no zero.
 */
char *
keyname_server(char *name)
{
	const Lineage *lineage = shared_lineage;
	char	   *to = name + strlcpy(name, keyname_prefix, PREFIX_MAX + 1);

	*to++ = ':';
	return append_digits(to, key_mix(key_mix(lineage->system) ^ lineage->epoch),
						 SERVER_DIGITS);
}

/*
 * What those of a cache begin with, in the same way.
 */
char *
keyname_cache(char *name, Oid dbid, uint64 cache)
{
	return append_digits(keyname_server(name), key_mix(key_mix(cache) ^ dbid),
						 CACHE_DIGITS);
}

/*
 * And what follows, of KEYNAME_DIGITS bytes: for many keys of a cache.  Gives
 * where that ends.
 */
char *
keyname_append(char *to, uint64 hash, uint32 variant)
{
	return append_digits(to, key_mix(hash ^ key_mix(variant)), KEYNAME_DIGITS);
}

/*
 * The name of a key, in a buffer of KEYNAME_SIZE bytes.  Gives its length.
 */
int
keyname_key(char *name, Oid dbid, uint64 cache, uint64 hash, uint32 variant)
{
	char	   *to = keyname_append(keyname_cache(name, dbid, cache), hash, variant);

	*to = '\0';
	return to - name;
}

/*
 * The name of what a server writes to see whether it can, in a buffer of
 * KEYNAME_SIZE bytes.
 */
void
keyname_probe(char *name)
{
	strcpy(keyname_server(name), ":probe");
}
