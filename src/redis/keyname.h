/*-------------------------------------------------------------------------
 *
 * keyname.h
 *		What keys are called in Redis.
 *
 * See keyname.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYNAME_H
#define CACHE_KEYNAME_H

#include "postgres.h"

#define KEYNAME_SIZE	256		/* of a name, with its end */
#define KEYNAME_DIGITS	9		/* that tell a cache's keys apart */

extern char *keyname_prefix;	/* cache.redis_prefix */

extern void keyname_define_settings(void);
extern char *keyname_server(char *name);
extern char *keyname_cache(char *name, Oid dbid, uint64 cache);
extern char *keyname_append(char *to, uint64 hash, uint32 variant);
extern int	keyname_key(char *name, Oid dbid, uint64 cache, uint64 hash,
						uint32 variant);
extern void keyname_probe(char *name);

#endif							/* CACHE_KEYNAME_H */
