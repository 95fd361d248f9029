/*-------------------------------------------------------------------------
 *
 * textarray.h
 *		Arrays of texts, as C strings.
 *
 * See textarray.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_TEXTARRAY_H
#define CACHE_TEXTARRAY_H

#include "postgres.h"

extern char **textarray_read(Datum array, int *n);
extern Datum textarray_make(char **strings, int n);

#endif							/* CACHE_TEXTARRAY_H */
