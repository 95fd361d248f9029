/*-------------------------------------------------------------------------
 *
 * lineage.h
 *		Which history of which cluster a value in Redis belongs to.
 *
 * See lineage.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_LINEAGE_H
#define CACHE_LINEAGE_H

#include "postgres.h"

#include "base/siphash.h"
#include "segment.h"

#define LINEAGE_MAX		16
#define LINEAGE_SECRET	SIPHASH_KEY

typedef struct Lineage
{
	uint64		system;			/* the cluster's identifier */
	uint32		timeline;
	uint32		nincarnations;
	uint64		epoch;			/* random; a new one after each crash */

	/*
	 * One for each run of the server since the epoch began, random; the last
	 * one is the present.  A copy of a cluster that was shut down has the same
	 * ones as the original up to there, and others afterwards.
	 */
	uint64		incarnations[LINEAGE_MAX];
	uint8		secret[LINEAGE_SECRET]; /* of the MAC */
	bool		broken;			/* Redis cannot be used: no random numbers, or a
								 * primary that runs on other software */
} Lineage;

extern Lineage *shared_lineage;

extern const SegmentPart lineage_part;

extern void lineage_begin(Lineage *lineage);
extern void lineage_continue(Lineage *lineage);
extern void lineage_promote(Lineage *lineage);
extern bool lineage_has(const Lineage *lineage, uint64 incarnation);

#endif							/* CACHE_LINEAGE_H */
