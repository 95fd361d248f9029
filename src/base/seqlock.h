/*-------------------------------------------------------------------------
 *
 * seqlock.h
 *		Sequence numbers: what is read without a lock.
 *
 * A writer, one at a time, makes the number odd, writes, and makes it even
 * again.  A reader notes the number, copies, and looks again: if it was even and
 * is the same, the copy is of one piece.  Between the two calls nothing may raise
 * an error.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SEQLOCK_H
#define CACHE_SEQLOCK_H

#include "postgres.h"

#include "port/atomics.h"

static inline void
seqlock_begin_write(pg_atomic_uint32 *seq)
{
	pg_atomic_write_u32(seq, pg_atomic_read_u32(seq) + 1);
	pg_write_barrier();
}

static inline void
seqlock_end_write(pg_atomic_uint32 *seq)
{
	pg_write_barrier();
	pg_atomic_write_u32(seq, pg_atomic_read_u32(seq) + 1);
}

#endif							/* CACHE_SEQLOCK_H */
