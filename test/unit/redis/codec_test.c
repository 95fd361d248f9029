/*-------------------------------------------------------------------------
 *
 * codec_test.c
 *		The decoder against bytes of all kinds, and a target for libFuzzer.
 *
 * Whatever the bytes are, the decoder either refuses them or gives a value
 * that lies within them, that is sound, and that is encoded as the very same
 * bytes.  A value that was encoded is decoded as it was.
 *
 * Bytes are put at the end of a block of their own, of exactly their size, so
 * that the address sanitizer sees the first byte read beyond them.
 *
 *-------------------------------------------------------------------------
 */
#include "redis/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEY		300
#define MAX_DATA	2000
#define MUTATIONS	60			/* of each value */

int			LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
fail(const char *what)
{
	fprintf(stderr, "codec: %s\n", what);
	abort();
}

/* Is the value what decoding may give, whatever was decoded? */
static void
check_sound(const CodecValue *value, const char *bytes, size_t size)
{
	uint64_t	after = value->seen.xmin;

	if (value->seen.xmin > value->seen.xmax || value->seen.nxids > IMAGE_XIDS)
		fail("an image that no snapshot has");
	for (uint32_t i = 0; i < value->seen.nxids; i++)
	{
		if (value->seen.xids[i] < after ||
			value->seen.xids[i] >= value->seen.xmax)
			fail("running transactions out of order or out of bounds");
		after = value->seen.xids[i] + 1;
	}
	if (value->nreads > CODEC_RELATIONS ||
		value->nviews > CODEC_RELATIONS - value->nreads)
		fail("more relations than there is room for");
	if (value->key < bytes || value->keylen > size ||
		value->data < value->key + value->keylen ||
		value->data - (value->key + value->keylen) >= CODEC_ALIGN ||
		value->data + value->len != bytes + size)
		fail("key and data are not at the end of the bytes");
	if ((value->data - bytes) % CODEC_ALIGN != 0)
		fail("data is not aligned");
}

/*
 * Decode bytes.  True if they were taken for a value, which is then as it has
 * to be.
 */
static int
check_bytes(const char *bytes, size_t size)
{
	CodecValue	value;
	char	   *again;

	if (!codec_decode(&value, bytes, size))
		return 0;
	check_sound(&value, bytes, size);
	if (codec_size(&value) != size)
		fail("another size when encoded again");
	again = malloc(size);
	codec_encode(&value, again);
	if (memcmp(again, bytes, size) != 0)
		fail("other bytes when encoded again");
	free(again);
	return 1;
}

/*
 * libFuzzer's entry.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char	   *copy = malloc(size ? size : 1);

	/* The sanitizer has to see where the bytes end, also if there are none. */
	memcpy(copy + (size ? 0 : 1), bytes, size);
	(void) check_bytes(copy + (size ? 0 : 1), size);
	free(copy);
	return 0;
}

#ifndef CODEC_FUZZER

static uint64_t state = 42;

/* xorshift64 */
static uint64_t
random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t
randomly(uint32_t n)
{
	return (uint32_t) (random64() >> 33) % n;
}

/* Often 0, often all there is room for, else anything between. */
static uint32_t
amount(uint32_t max)
{
	switch (randomly(4))
	{
		case 0:
			return 0;
		case 1:
			return max;
		default:
			return randomly(max + 1);
	}
}

/* A value such as a server might send; key and data are malloc'ed. */
static void
random_value(CodecValue *value)
{
	char	   *key;
	char	   *data;

	memset(value, 0, sizeof(*value));
	value->incarnation = random64();
	value->cache = random64();
	value->database = (uint32_t) random64();
	value->server = random64();
	value->timeline = random64();
	value->lsn = random64();
	value->expires = (int64_t) random64();
	value->isnull = randomly(2);
	value->own_path = randomly(2);
	value->unseen = randomly(2);
	value->seen.xmin = random64() >> randomly(64);
	if (value->seen.xmin > UINT64_MAX / 2)
		value->seen.xmin /= 2;
	value->seen.xmax = value->seen.xmin;
	value->seen.nxids = amount(IMAGE_XIDS);
	for (uint32_t i = 0; i < value->seen.nxids; i++)
	{
		value->seen.xids[i] = value->seen.xmax + randomly(3);
		value->seen.xmax = value->seen.xids[i] + 1;
	}
	value->nreads = amount(CODEC_RELATIONS);
	value->nviews = amount(CODEC_RELATIONS - value->nreads);
	for (uint32_t i = 0; i < value->nreads + value->nviews; i++)
		value->relations[i] = (uint32_t) random64();
	for (uint32_t i = 0; i < value->nreads; i++)
		value->columns[i] = random64();
	value->keylen = amount(MAX_KEY);
	value->len = value->isnull ? 0 : amount(MAX_DATA);
	key = malloc(value->keylen + 1);
	data = malloc(value->len + 1);
	for (uint32_t i = 0; i < value->keylen; i++)
		key[i] = (char) random64();
	for (uint32_t i = 0; i < value->len; i++)
		data[i] = (char) random64();
	value->key = key;
	value->data = data;
}

static void
free_value(CodecValue *value)
{
	free((char *) value->key);
	free((char *) value->data);
}

static int
image_equal(const SnapshotImage *a, const SnapshotImage *b)
{
	return a->xmin == b->xmin && a->xmax == b->xmax && a->nxids == b->nxids &&
		memcmp(a->xids, b->xids, sizeof(uint64_t) * a->nxids) == 0;
}

static int
value_equal(const CodecValue *a, const CodecValue *b)
{
	return a->incarnation == b->incarnation && a->cache == b->cache &&
		a->database == b->database && a->lsn == b->lsn &&
		a->server == b->server && a->timeline == b->timeline &&
		a->expires == b->expires && a->isnull == b->isnull &&
		a->own_path == b->own_path && a->unseen == b->unseen &&
		image_equal(&a->seen, &b->seen) &&
		a->nreads == b->nreads && a->nviews == b->nviews &&
		memcmp(a->columns, b->columns, sizeof(uint64_t) * a->nreads) == 0 &&
		memcmp(a->relations, b->relations,
			   sizeof(uint32_t) * (a->nreads + a->nviews)) == 0 &&
		a->keylen == b->keylen && memcmp(a->key, b->key, a->keylen) == 0 &&
		a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Change bytes at random places, mostly in the header. */
static void
mutate(char *bytes, size_t size)
{
	static const uint32_t edges[] = {
		0, 1, 2, IMAGE_XIDS - 1, IMAGE_XIDS, IMAGE_XIDS + 1, 0x7fffffff,
		0x80000000, 0xfffffff0, 0xffffffff
	};

	for (uint32_t n = 1 + randomly(4); n > 0; n--)
	{
		size_t		within = randomly(4) ? (size < 96 ? size : 96) : size;
		size_t		at = randomly((uint32_t) within);
		uint32_t	edge = edges[randomly(sizeof(edges) / sizeof(edges[0]))];

		switch (randomly(3))
		{
			case 0:
				bytes[at] ^= (char) (1 << randomly(8));
				break;
			case 1:
				bytes[at] = (char) random64();
				break;
			default:
				at &= ~(size_t) 3;
				if (at + sizeof(edge) <= size)
					memcpy(bytes + at, &edge, sizeof(edge));
				break;
		}
	}
}

/* Where the header has what; see CodecHeader in codec.c. */
enum
{
	AT_XMIN = 40,
	AT_XMAX = 48,
	AT_NXIDS = 60,
	AT_NREADS = 64,
	AT_NVIEWS = 68,
	AT_KEYLEN = 72,
	AT_LEN = 76,
	HEADER = 80
};

static void
set_count(char *bytes, int at, uint32_t count)
{
	memcpy(bytes + at, &count, sizeof(count));
}

/* Claim other counts, which fit the size of the bytes all the same. */
static void
claim(char *bytes, size_t size)
{
	uint32_t	nxids = randomly(2 * IMAGE_XIDS);
	uint32_t	nreads = randomly(2 * CODEC_RELATIONS);
	uint32_t	nviews = randomly(2 * CODEC_RELATIONS);
	size_t		arrays = 8 * nxids + 4 * (nreads + nviews);
	size_t		before;
	uint32_t	keylen;

	if (size < HEADER + arrays + CODEC_ALIGN)
		return;
	keylen = randomly((uint32_t) (size - HEADER - arrays - CODEC_ALIGN + 1));
	before = HEADER + arrays + keylen;
	for (; before % CODEC_ALIGN != 0; before++)
		bytes[before] = randomly(50) == 0;
	set_count(bytes, AT_NXIDS, nxids);
	set_count(bytes, AT_NREADS, nreads);
	set_count(bytes, AT_NVIEWS, nviews);
	set_count(bytes, AT_KEYLEN, keylen);
	set_count(bytes, AT_LEN, (uint32_t) (size - before));

	/* Running transactions in order, if there are so many. */
	for (uint64_t i = 0; i < nxids; i++)
		memcpy(bytes + HEADER + 8 * i, &i, sizeof(i));
	memset(bytes + AT_XMIN, 0, 8);
	memset(bytes + AT_XMAX, 1, 8);
}

/* Give a copy of bytes to the decoder, in a block of exactly that size. */
static int
check_copy(const char *bytes, size_t size)
{
	char	   *copy = malloc(size ? size : 1);
	int			taken;

	memcpy(copy, bytes, size);
	taken = check_bytes(copy, size);
	free(copy);
	return taken;
}

static void
check_value(uint64_t *taken)
{
	CodecValue	value;
	CodecValue	decoded;
	size_t		size;
	char	   *bytes;
	char	   *changed;

	random_value(&value);
	size = codec_size(&value);
	if (size > CODEC_MAX_HEADER + value.keylen + (size_t) value.len)
		fail("a header is larger than CODEC_MAX_HEADER");
	bytes = malloc(size);
	changed = malloc(size + 1);
	codec_encode(&value, bytes);
	if (!codec_decode(&decoded, bytes, size) || !value_equal(&value, &decoded))
		fail("a value is not what it was");

	for (size_t shorter = 0; shorter < size; shorter++)
	{
		if (check_copy(bytes, shorter))
			fail("bytes that are cut off are taken for a value");
	}
	memcpy(changed, bytes, size);
	changed[size] = 0;
	if (check_copy(changed, size + 1))
		fail("a byte too many is taken for a value");

	/* Each bit of what is before key and data, and some of these. */
	for (size_t bit = 0; bit < 8 * (size < 128 ? size : 128); bit++)
	{
		memcpy(changed, bytes, size);
		changed[bit / 8] ^= (char) (1 << (bit % 8));
		*taken += check_copy(changed, size);
	}
	for (int i = 0; i < MUTATIONS; i++)
	{
		memcpy(changed, bytes, size);
		if (randomly(4) == 0)
			claim(changed, size);
		else
			mutate(changed, size);
		*taken += check_copy(changed, randomly(4) ? size : randomly((uint32_t) size));
	}
	free(changed);
	free(bytes);
	free_value(&value);
}

int
main(int argc, char **argv)
{
	long		values = argc > 1 ? atol(argv[1]) : 1000;
	uint64_t	taken = 0;

	for (long i = 0; i < values; i++)
		check_value(&taken);

	/* If no change were taken for a value, little would have been tested. */
	if (taken == 0)
		fail("the decoder has refused everything that was changed");
	printf("codec: %ld values, %llu changed ones decoded\n",
		   values, (unsigned long long) taken);
	return 0;
}

#endif
