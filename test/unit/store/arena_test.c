/*-------------------------------------------------------------------------
 *
 * arena_test.c
 *		Random test of the arena, against a list of what it has given away.
 *
 * Allocates, frees, pins and compacts at random, in arenas that are mostly
 * full; after each compaction, and now and then, checks that every block
 * still holds what was written to it and that the arena is consistent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdio.h>

#include "store/arena.h"

/* The C library's, not the server's. */
#undef printf

#define BLOCKS		2000
#define HEADER		8			/* tag, and the number of the block */

typedef struct Block
{
	ArenaRef	ref;			/* 0: not in use */
	uint32		units;
	uint8		fill;
	bool		pinned;
	bool		movable;		/* false: move() frees it instead */
} Block;

static Arena arena;
static char *base;
static Block blocks[BLOCKS];
static uint64 state = 42;

static uint32
randomly(uint32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32) (state >> 33) % n;
}

static void
fail(const char *what)
{
	printf("arena: %s\n", what);
	exit(1);
}

static void
release(Block *block)
{
	if (block->pinned)
		arena_pin(&arena, base, block->ref, false);
	arena_free(&arena, base, block->ref);
	block->ref = 0;
}

static void
verify(const Block *block)
{
	const char *at = base + (Size) block->ref * ARENA_UNIT;

	if (arena_units(base, block->ref) < block->units)
		fail("a block is too small");
	if (*(const uint32 *) (at + 4) != block - blocks)
		fail("a block is another one");
	for (Size i = HEADER; i < (Size) block->units * ARENA_UNIT; i++)
	{
		if ((uint8) at[i] != block->fill)
			fail("a block has been overwritten");
	}
}

static void
verify_all(void)
{
	if (!arena_is_consistent(&arena, base))
		fail("inconsistent");
	for (int i = 0; i < BLOCKS; i++)
	{
		if (blocks[i].ref != 0)
			verify(&blocks[i]);
	}
}

static bool
move(ArenaRef from, ArenaRef to)
{
	Block	   *block = &blocks[*(uint32 *) (base + (Size) from * ARENA_UNIT + 4)];

	if (block->ref != from || block->pinned)
		fail("moves what it must not");
	if (!block->movable)
	{
		release(block);
		return false;
	}
	arena_slide(&arena, base, from, to);
	block->ref = to;
	return true;
}

static void
allocate(Block *block, uint32 units)
{
	block->ref = arena_alloc(&arena, base, units);
	if (block->ref == 0)
	{
		uint32		free_before = arena.free_units;

		block->ref = arena_compact(&arena, base, units, move);
		if (block->ref == 0 && free_before >= units * 64)
			fail("compaction gave up too early");
		verify_all();
		if (block->ref == 0)
			return;
	}
	block->units = units;
	block->fill = (uint8) randomly(256);
	block->pinned = randomly(100) == 0;
	block->movable = randomly(50) != 0;
	*(uint32 *) (base + (Size) block->ref * ARENA_UNIT + 4) = block - blocks;
	memset(base + (Size) block->ref * ARENA_UNIT + HEADER, block->fill,
		   (Size) units * ARENA_UNIT - HEADER);
	if (block->pinned)
		arena_pin(&arena, base, block->ref, true);
}

int
main(int argc, char **argv)
{
	long		steps = argc > 1 ? atol(argv[1]) : 100000;
	Size		bytes = 512 * 1024;

	base = malloc(bytes);
	arena_init(&arena, base, bytes);
	verify_all();
	for (long step = 0; step < steps; step++)
	{
		Block	   *block = &blocks[randomly(BLOCKS)];

		if (block->ref != 0)
		{
			verify(block);
			release(block);
		}
		else
			allocate(block, step % 4 ? 32 + randomly(2) :
					 2 + (randomly(8) ? randomly(40) : randomly(400)));
		(void) arena_step(&arena, base, ARENA_SWEEP_HAND);
		if (step % 10000 == 0)
			verify_all();
	}
	for (int i = 0; i < BLOCKS; i++)
	{
		if (blocks[i].ref != 0)
			release(&blocks[i]);
	}
	verify_all();
	if (arena.used_blocks != 0)
		fail("blocks are left");
	printf("arena: %ld steps, no mistakes\n", steps);
	free(base);
	return 0;
}
