/*-------------------------------------------------------------------------
 *
 * literal.h
 *		Texts that mean the present time.
 *
 * See literal.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_LITERAL_H
#define CACHE_LITERAL_H

#include "postgres.h"

extern bool literal_has_time_word(const char *text, size_t len);
extern bool literal_is_time_word(const char *text);
extern char *literal_at(const char *source, int location, bool *exact);

#endif							/* CACHE_LITERAL_H */
