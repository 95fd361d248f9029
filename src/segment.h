/*-------------------------------------------------------------------------
 *
 * segment.h
 *		Lays out the shared memory.
 *
 * See segment.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SEGMENT_H
#define CACHE_SEGMENT_H

#include "postgres.h"

#include "storage/lwlock.h"

/*
 * A part of the shared memory, as its owner describes it.  All that is needed
 * is the address or the locks; the rest may be left out.
 */
typedef struct SegmentPart
{
	const char *name;			/* in the view cache_memory, where parts of one
								 * name are told together */
	bool		budgeted;		/* belongs to what cache.memory is for */

	void	  **address;		/* where the owner keeps its part's address */
	Size		bytes;			/* how large it is; or, if that depends on
								 * settings, what tells: */
	Size		(*size) (void);

	int			nlocks;
	LWLockPadded **locks;		/* where the owner keeps their address */

	void		(*init) (void); /* makes the part: once, when the addresses of
								 * all parts are known; its bytes may be
								 * anything before */
} SegmentPart;

/* What the parts of one name take. */
typedef struct SegmentShare
{
	const char *name;
	Size		bytes;
} SegmentShare;

#define SEGMENT_PARTS	32		/* at most */

extern int	segment_memory_kb;	/* cache.memory */
extern char *segment_base;		/* NULL: not preloaded */

extern void segment_add(const SegmentPart *part);
extern Size segment_memory(void);
extern Size segment_rest(void);
extern uint32 segment_power_of_two(Size n, uint32 least);
extern void segment_request(void);
extern void segment_startup(void);
extern int	segment_shares(SegmentShare shares[SEGMENT_PARTS]);
extern void segment_require(void);

/* Is there any?  Not if the library was not preloaded. */
static inline bool
segment_exists(void)
{
	return segment_base != NULL;
}

#endif							/* CACHE_SEGMENT_H */
