/*-------------------------------------------------------------------------
 *
 * block.c
 *		The memory of rate limits, in blocks of one size.
 *
 * As they all have one size, they cannot fragment.  Blocks that have never been
 * used are taken in their order, so that memory which nobody needs is not
 * touched.
 *
 * Locking: a spinlock for the free blocks, which may be taken under any lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ratelimit/block.h"

/* A block that is free */
typedef struct FreeBlock
{
	BlockRef	next;
} FreeBlock;

char	   *shared_blocks;

static BlockPool *shared_block_pool;

/*
 * Where the pool and the blocks are in shared memory; once a process.
 */
void
block_attach(BlockPool *pool, char *blocks)
{
	shared_block_pool = pool;
	shared_blocks = blocks;
}

/*
 * There are so many blocks, all free; once, when the pool is all zeros.
 */
void
block_init(uint32 nblocks)
{
	SpinLockInit(&shared_block_pool->mutex);
	shared_block_pool->nblocks = nblocks;
}

/*
 * Take a block, whose bytes may be anything; 0 if none is free.
 */
BlockRef
block_take(void)
{
	BlockPool  *pool = shared_block_pool;
	BlockRef	ref;

	SpinLockAcquire(&pool->mutex);
	ref = pool->free;
	if (ref != 0)
		pool->free = ((FreeBlock *) block_at(ref))->next;
	else if (pool->touched < pool->nblocks)
		ref = ++pool->touched;
	if (ref != 0)
		pool->used++;
	SpinLockRelease(&pool->mutex);
	return ref;
}

/*
 * Give a block back.
 */
void
block_give(BlockRef ref)
{
	BlockPool  *pool = shared_block_pool;

	SpinLockAcquire(&pool->mutex);
	((FreeBlock *) block_at(ref))->next = pool->free;
	pool->free = ref;
	pool->used--;
	SpinLockRelease(&pool->mutex);
}

/*
 * How many blocks are in use.
 */
uint32
block_used(void)
{
	BlockPool  *pool = shared_block_pool;
	uint32		used;

	SpinLockAcquire(&pool->mutex);
	used = pool->used;
	SpinLockRelease(&pool->mutex);
	return used;
}
