/*-------------------------------------------------------------------------
 *
 * word.h
 *		Words in the text of a function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WORD_H
#define CACHE_WORD_H

#include "postgres.h"

#include <ctype.h>

/*
 * Can the byte be part of a name that is not quoted, or of a key word?
 */
static inline bool
word_has(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || IS_HIGHBIT_SET(c);
}

#endif							/* CACHE_WORD_H */
