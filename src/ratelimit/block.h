/*-------------------------------------------------------------------------
 *
 * block.h
 *		The memory of rate limits, in blocks of one size.
 *
 * See block.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_BLOCK_H
#define CACHE_BLOCK_H

#include "postgres.h"

#include "storage/spin.h"

#define BLOCK_BYTES		128

/* A block, as its number from 1 on; 0 is none. */
typedef uint32 BlockRef;

/* The free blocks; under the spinlock. */
typedef struct BlockPool
{
	slock_t		mutex;
	uint32		nblocks;		/* never changes */
	BlockRef	free;			/* list of those given back */
	uint32		touched;		/* blocks that have ever been used */
	uint32		used;
} BlockPool;

extern char *shared_blocks;

extern void block_attach(BlockPool *pool, char *blocks);
extern void block_init(uint32 nblocks);
extern BlockRef block_take(void);
extern void block_give(BlockRef ref);
extern uint32 block_used(void);

static inline void *
block_at(BlockRef ref)
{
	return shared_blocks + (Size) (ref - 1) * BLOCK_BYTES;
}

#endif							/* CACHE_BLOCK_H */
