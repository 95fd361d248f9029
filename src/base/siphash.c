/*-------------------------------------------------------------------------
 *
 * siphash.c
 *		A keyed hash that is a MAC.
 *
 * SipHash-2-4 with 128 bits of output, by Aumasson and Bernstein ("SipHash: a
 * fast short-input PRF", 2012).  Who does not know the key cannot tell its
 * values from random ones.  PostgreSQL has an HMAC, but as OpenSSL provides it
 * its setup alone takes longer than all else about a value from Redis.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "base/siphash.h"

#include <string.h>

static inline uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

/* Bytes are taken as little-endian numbers. */
static inline uint64_t
load(const uint8_t *from, size_t bytes)
{
	uint64_t	number = 0;

	while (bytes-- > 0)
		number = number << 8 | from[bytes];
	return number;
}

static inline uint64_t
load64(const uint8_t *from)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t	number;

	memcpy(&number, from, sizeof(number));
	return number;
#else
	return load(from, sizeof(uint64_t));
#endif
}

static inline void
store64(uint8_t *to, uint64_t number)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(to, &number, sizeof(number));
#else
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t) (number >> (8 * i));
#endif
}

/* The state */
typedef struct Sip
{
	uint64_t	v0;
	uint64_t	v1;
	uint64_t	v2;
	uint64_t	v3;
} Sip;

static inline void
sip_round(Sip *sip)
{
	sip->v0 += sip->v1;
	sip->v2 += sip->v3;
	sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
	sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
	sip->v0 = rotate(sip->v0, 32);
	sip->v2 += sip->v1;
	sip->v0 += sip->v3;
	sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
	sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
	sip->v2 = rotate(sip->v2, 32);
}

static inline void
sip_begin(Sip *sip, const uint8_t *key)
{
	uint64_t	k0 = load64(key);
	uint64_t	k1 = load64(key + 8);

	sip->v0 = UINT64_C(0x736f6d6570736575) ^ k0;
	sip->v1 = UINT64_C(0x646f72616e646f6d) ^ k1 ^ 0xee;
	sip->v2 = UINT64_C(0x6c7967656e657261) ^ k0;
	sip->v3 = UINT64_C(0x7465646279746573) ^ k1;
}

static inline void
sip_word(Sip *sip, uint64_t word)
{
	sip->v3 ^= word;
	sip_round(sip);
	sip_round(sip);
	sip->v0 ^= word;
}

static inline uint64_t
sip_finish(Sip *sip)
{
	for (int i = 0; i < 4; i++)
		sip_round(sip);
	return sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

/* Take in what is left from the given word on, and give the hash. */
static void
sip_end(Sip sip, const uint8_t *from, size_t len, size_t word, uint8_t *hash)
{
	for (; word < len / 8; word++)
		sip_word(&sip, load64(from + 8 * word));
	sip_word(&sip, (uint64_t) len << 56 | load(from + 8 * word, len % 8));
	sip.v2 ^= 0xee;
	store64(hash, sip_finish(&sip));
	sip.v1 ^= 0xdd;
	store64(hash + 8, sip_finish(&sip));
}

/*
 * The hash of some bytes, SIPHASH_SIZE bytes, under a key of SIPHASH_KEY bytes.
 */
void
siphash(const uint8_t *key, const void *data, size_t len, uint8_t *hash)
{
	Sip			sip;

	sip_begin(&sip, key);
	sip_end(sip, data, len, 0, hash);
}

/*
 * The hashes of two, under the same key.  Each step waits for the one before,
 * so a processor has time for another message in between.
 */
void
siphash_two(const uint8_t *key, const void *data[2], const size_t len[2],
			uint8_t *hash[2])
{
	const uint8_t *from0 = data[0];
	const uint8_t *from1 = data[1];
	size_t		words = (len[0] < len[1] ? len[0] : len[1]) / 8;
	Sip			sip0;
	Sip			sip1;

	sip_begin(&sip0, key);
	sip1 = sip0;
	for (size_t i = 0; i < words; i++)
	{
		uint64_t	word0 = load64(from0 + 8 * i);
		uint64_t	word1 = load64(from1 + 8 * i);

		sip0.v3 ^= word0;
		sip1.v3 ^= word1;
		sip_round(&sip0);
		sip_round(&sip1);
		sip_round(&sip0);
		sip_round(&sip1);
		sip0.v0 ^= word0;
		sip1.v0 ^= word1;
	}
	sip_end(sip0, from0, len[0], words, hash[0]);
	sip_end(sip1, from1, len[1], words, hash[1]);
}
