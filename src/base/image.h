/*-------------------------------------------------------------------------
 *
 * image.h
 *		What an MVCC snapshot saw, in a form that outlives it.
 *
 * Knows nothing of PostgreSQL, so that values can be decoded without it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_IMAGE_H
#define CACHE_IMAGE_H

#include <stdint.h>

#define IMAGE_XIDS	64

/*
 * Everything before xmin had ended, nothing from xmax on had, and in between
 * the top-level transactions in xids were running.  A snapshot with more of
 * these is given a lower xmax, and so sees less than it did: the safe side.
 */
typedef struct SnapshotImage
{
	uint64_t	xmin;
	uint64_t	xmax;
	uint32_t	nxids;
	uint64_t	xids[IMAGE_XIDS];
} SnapshotImage;

#endif							/* CACHE_IMAGE_H */
