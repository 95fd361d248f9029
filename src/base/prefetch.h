/*-------------------------------------------------------------------------
 *
 * prefetch.h
 *		Fetch what will be read, or written, soon into the processor's cache.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PREFETCH_H
#define CACHE_PREFETCH_H

#ifdef __GNUC__
#define CACHE_PREFETCH_READ(address)	__builtin_prefetch(address)
#define CACHE_PREFETCH_WRITE(address)	__builtin_prefetch((address), 1)
#else
#define CACHE_PREFETCH_READ(address)	((void) (address))
#define CACHE_PREFETCH_WRITE(address)	((void) (address))
#endif

#endif							/* CACHE_PREFETCH_H */
