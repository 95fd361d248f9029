/*-------------------------------------------------------------------------
 *
 * siphash.h
 *		A keyed hash that is a MAC.
 *
 * Knows nothing of PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SIPHASH_H
#define CACHE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY		16
#define SIPHASH_SIZE	16

extern void siphash(const uint8_t *key, const void *data, size_t len,
					uint8_t *hash);
extern void siphash_two(const uint8_t *key, const void *data[2],
						const size_t len[2], uint8_t *hash[2]);

#endif							/* CACHE_SIPHASH_H */
