/*-------------------------------------------------------------------------
 *
 * ownlocks.h
 *		The locks that this session holds, and that a load may want.
 *
 * See ownlocks.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_OWNLOCKS_H
#define CACHE_OWNLOCKS_H

#include "postgres.h"

extern bool ownlocks_may_block(void);

#endif							/* CACHE_OWNLOCKS_H */
