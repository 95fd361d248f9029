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

#include "definition/key.h"

extern char *key_text(const CacheDef *def, const KeyParts *parts);
extern char *key_text_beginning(const CacheDef *def, const StoreKey *key);

#endif							/* CACHE_KEYTEXT_H */
