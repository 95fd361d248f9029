/*-------------------------------------------------------------------------
 *
 * codec.c
 *		Values as they travel to Redis and back.
 *
 * The value itself travels as the flat datum that shared memory holds too,
 * not in its type's send format: nothing reads it but the server that wrote
 * it, and that only after a keyed MAC has told that not a bit of it was
 * changed (tier.c).  So there is no receive function to be protected from
 * hostile bytes, none to be paid for with each get (for jsonb it would be the
 * parser), and types that have none can be cached as well.
 *
 * The decoder trusts nothing all the same: whatever the bytes are, it reads
 * none beyond their end and gives values within their bounds.  It knows
 * nothing of PostgreSQL, so that a fuzzer can run it.
 *
 * The value comes last, at a multiple of 8 bytes: so it can be used where it
 * has arrived.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "redis/codec.h"

#include <string.h>

/* Says what follows, and in which version. */
#define CODEC_MAGIC		UINT32_C(0x36634c32)

#define FLAG_NULL		0x01
#define FLAG_OWN_PATH	0x02
#define FLAG_UNSEEN		0x04
#define FLAG_CATALOGS	0x08
#define FLAGS_KNOWN		(FLAG_NULL | FLAG_OWN_PATH | FLAG_UNSEEN | \
						 FLAG_CATALOGS)

/* Starts the bytes; arrays, key, zeroes up to a multiple of 8, and value follow. */
typedef struct CodecHeader
{
	uint32_t	magic;
	uint32_t	flags;
	uint64_t	incarnation;
	uint64_t	server;
	uint64_t	cache;
	uint64_t	lsn;
	int64_t		expires;
	uint64_t	cost;
	uint64_t	xmin;
	uint64_t	xmax;
	uint32_t	database;
	uint32_t	nxids;
	uint32_t	nreads;
	uint32_t	nviews;
	uint32_t	keylen;
	uint32_t	len;
	uint32_t	timeline;
	uint32_t	unused;
} CodecHeader;

static size_t
header_size(uint32_t nxids, uint32_t nreads, uint32_t nviews)
{
	return sizeof(CodecHeader) + (nxids + nreads) * sizeof(uint64_t) +
		(nreads + nviews) * sizeof(uint32_t);
}

/* Zeroes behind so many bytes */
static size_t
padding(size_t size)
{
	return -size % CODEC_ALIGN;
}

/*
 * How many bytes a value takes.
 */
size_t
codec_size(const CodecValue *value)
{
	size_t		size = header_size(value->seen.nxids, value->nreads,
								   value->nviews) + value->keylen;

	return size + padding(size) + value->len;
}

static char *
append(char *to, const void *from, size_t size)
{
	if (size > 0)
		memcpy(to, from, size);
	return to + size;
}

/*
 * Write a value as codec_size() bytes.
 */
void
codec_encode(const CodecValue *value, char *to)
{
	static const char zeroes[CODEC_ALIGN] = {0};
	char	   *start = to;
	CodecHeader header;

	memset(&header, 0, sizeof(header));
	header.magic = CODEC_MAGIC;
	header.flags = (value->isnull ? FLAG_NULL : 0) |
		(value->own_path ? FLAG_OWN_PATH : 0) |
		(value->unseen ? FLAG_UNSEEN : 0) |
		(value->reads_catalogs ? FLAG_CATALOGS : 0);
	header.incarnation = value->incarnation;
	header.server = value->server;
	header.cache = value->cache;
	header.timeline = value->timeline;
	header.lsn = value->lsn;
	header.expires = value->expires;
	header.cost = value->cost;
	header.xmin = value->seen.xmin;
	header.xmax = value->seen.xmax;
	header.database = value->database;
	header.nxids = value->seen.nxids;
	header.nreads = value->nreads;
	header.nviews = value->nviews;
	header.keylen = value->keylen;
	header.len = value->len;

	to = append(to, &header, sizeof(header));
	to = append(to, value->seen.xids, header.nxids * sizeof(uint64_t));
	to = append(to, value->columns, header.nreads * sizeof(uint64_t));
	to = append(to, value->relations,
				(header.nreads + header.nviews) * sizeof(uint32_t));
	to = append(to, value->key, header.keylen);
	to = append(to, zeroes, padding(to - start));
	append(to, value->data, header.len);
}

/* Are the running transactions what an image has: sorted and in bounds? */
static bool
image_is_sound(const SnapshotImage *image)
{
	uint64_t	after = image->xmin;

	if (image->xmin > image->xmax)
		return false;
	for (uint32_t i = 0; i < image->nxids; i++)
	{
		if (image->xids[i] < after || image->xids[i] >= image->xmax)
			return false;
		after = image->xids[i] + 1;
	}
	return true;
}

/* Are there nothing but zeroes? */
static bool
is_padding(const char *from, size_t size)
{
	char		bits = 0;

	while (size-- > 0)
		bits |= from[size];
	return bits == 0;
}

/*
 * Read a value.  False if it is not one of this version.  Key and data refer
 * to the bytes that were read; data is aligned if these are.
 */
bool
codec_decode(CodecValue *value, const char *from, size_t size)
{
	CodecHeader header;
	size_t		arrays;
	size_t		before;

	if (size < sizeof(header))
		return false;
	memcpy(&header, from, sizeof(header));
	if (header.magic != CODEC_MAGIC || (header.flags & ~FLAGS_KNOWN) != 0 ||
		header.unused != 0 ||
		header.nxids > IMAGE_XIDS ||
		header.nreads > CODEC_RELATIONS ||
		header.nviews > CODEC_RELATIONS - header.nreads)
		return false;
	arrays = header_size(header.nxids, header.nreads, header.nviews);
	if (size < arrays || header.keylen > size - arrays)
		return false;
	before = arrays + header.keylen;
	if (padding(before) > size - before ||
		!is_padding(from + before, padding(before)))
		return false;
	before += padding(before);
	if (header.len != size - before)
		return false;

	value->incarnation = header.incarnation;
	value->server = header.server;
	value->cache = header.cache;
	value->database = header.database;
	value->timeline = header.timeline;
	value->lsn = header.lsn;
	value->expires = header.expires;
	value->cost = header.cost;
	value->isnull = (header.flags & FLAG_NULL) != 0;
	value->own_path = (header.flags & FLAG_OWN_PATH) != 0;
	value->unseen = (header.flags & FLAG_UNSEEN) != 0;
	value->reads_catalogs = (header.flags & FLAG_CATALOGS) != 0;
	value->seen.xmin = header.xmin;
	value->seen.xmax = header.xmax;
	value->seen.nxids = header.nxids;
	value->nreads = header.nreads;
	value->nviews = header.nviews;
	value->keylen = header.keylen;
	value->len = header.len;

	value->key = from + arrays;
	value->data = from + before;
	from += sizeof(header);
	memcpy(value->seen.xids, from, header.nxids * sizeof(uint64_t));
	from += header.nxids * sizeof(uint64_t);
	memcpy(value->columns, from, header.nreads * sizeof(uint64_t));
	from += header.nreads * sizeof(uint64_t);
	memcpy(value->relations, from,
		   (header.nreads + header.nviews) * sizeof(uint32_t));
	return image_is_sound(&value->seen);
}
