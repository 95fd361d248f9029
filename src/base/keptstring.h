/*-------------------------------------------------------------------------
 *
 * keptstring.h
 *		Strings that are written again and again, in the same memory.
 *
 * See keptstring.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEPTSTRING_H
#define CACHE_KEPTSTRING_H

#include "postgres.h"

#include "lib/stringinfo.h"

extern StringInfo keptstring_begin(StringInfo text);

#endif							/* CACHE_KEPTSTRING_H */
