/*-------------------------------------------------------------------------
 *
 * ratelimit.h
 *		cache_rate_limit(), as SQL calls it.
 *
 * See ratelimit.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_RATELIMIT_H
#define CACHE_RATELIMIT_H

#include "postgres.h"

extern void ratelimit_define_settings(void);

#endif							/* CACHE_RATELIMIT_H */
