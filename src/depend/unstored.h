/*-------------------------------------------------------------------------
 *
 * unstored.h
 *		What keeps the results of caches from being stored.
 *
 * See unstored.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_UNSTORED_H
#define CACHE_UNSTORED_H

#include "postgres.h"

#include "base/reasons.h"
#include "definition/definition.h"

extern void unstored_note(CacheDef *def, const Reasons *why, uint32 mask);
extern void unstored_clear(int slot);
extern bool unstored_first(CacheDef *def, Oid what, bool keys);

#endif							/* CACHE_UNSTORED_H */
