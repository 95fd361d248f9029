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

#endif							/* CACHE_SIPHASH_H */
