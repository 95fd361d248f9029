/*-------------------------------------------------------------------------
 *
 * keytext.h
 *		Keys as texts.
 *
 * See keytext.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYTEXT_H
#define CACHE_KEYTEXT_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "definition/key.h"

extern StringInfo key_text_start(void);
extern void key_text_add(StringInfo key, const char *part);
extern void key_text_end(StringInfo key);
extern char *key_text(const CacheDef *def, const KeyParts *parts);
extern char *key_text_beginning(const CacheDef *def, const StoreKey *key);

#endif							/* CACHE_KEYTEXT_H */
