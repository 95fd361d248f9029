/*-------------------------------------------------------------------------
 *
 * codec.h
 *		Values as they travel to Redis and back.
 *
 * See codec.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_CODEC_H
#define CACHE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/image.h"

#define CODEC_RELATIONS		64	/* that a value may depend on */
#define CODEC_MAX_HEADER	2048	/* bytes besides key and value */
#define CODEC_ALIGN			8	/* of data, from the start of the bytes */

/* A value and all that decides whether it may be used. */
typedef struct CodecValue
{
	uint64_t	incarnation;	/* of the history that it was loaded in */
	uint64_t	server;			/* that loaded it */
	uint64_t	cache;			/* the cache's id */
	uint32_t	database;		/* and its database */
	uint32_t	timeline;
	uint64_t	lsn;			/* all that the load saw is before this in WAL */
	int64_t		expires;		/* time stamp; 0: never */
	uint64_t	cost;			/* 0: what the cache's entries cost */
	bool		isnull;
	bool		own_path;		/* see CacheSlot */
	bool		unseen;			/* see CacheSlot */
	bool		reads_catalogs; /* the same */
	SnapshotImage seen;			/* by the load */
	uint32_t	nreads;			/* relations that it has read */
	uint32_t	nviews;			/* views that it has read through */
	uint32_t	relations[CODEC_RELATIONS]; /* both, one after the other */
	uint64_t	columns[CODEC_RELATIONS];	/* of each of the first, read */
	const char *key;			/* the key's image */
	uint32_t	keylen;
	const char *data;
	uint32_t	len;
} CodecValue;

extern size_t codec_size(const CodecValue *value);
extern void codec_encode(const CodecValue *value, char *to);
extern bool codec_decode(CodecValue *value, const char *from, size_t size);

#endif							/* CACHE_CODEC_H */
