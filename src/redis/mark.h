/*-------------------------------------------------------------------------
 *
 * mark.h
 *		Marks: which keys may have values in Redis.
 *
 * See mark.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_MARK_H
#define CACHE_MARK_H

#include "postgres.h"

#include "segment.h"

extern const SegmentPart marks_part;

extern void mark_set(uint64 hash);
extern bool mark_clear(uint64 hash);

#endif							/* CACHE_MARK_H */
