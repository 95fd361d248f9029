/*-------------------------------------------------------------------------
 *
 * mix.h
 *		Mixing bits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_MIX_H
#define CACHE_MIX_H

#include "postgres.h"

/*
 * Make all bits depend on all bits: buckets, fences and sketches take their
 * indexes from different ones (splitmix64's finalizer, by Vigna).
 */
static inline uint64
key_mix(uint64 h)
{
	h ^= h >> 30;
	h *= UINT64CONST(0xbf58476d1ce4e5b9);
	h ^= h >> 27;
	h *= UINT64CONST(0x94d049bb133111eb);
	h ^= h >> 31;
	return h;
}

#endif							/* CACHE_MIX_H */
