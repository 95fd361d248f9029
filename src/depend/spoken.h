/*-------------------------------------------------------------------------
 *
 * spoken.h
 *		The relations that the texts of functions in SQL speak of.
 *
 * See spoken.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SPOKEN_H
#define CACHE_SPOKEN_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "base/reasons.h"

extern void spoken_init(void);
extern List *spoken_relations(Oid function, Reasons *reasons);
extern void spoken_note_mentions(Oid function, Reasons *reasons);

#endif							/* CACHE_SPOKEN_H */
