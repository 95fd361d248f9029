/*-------------------------------------------------------------------------
 *
 * arena.h
 *		Variable-sized blocks in one piece of shared memory.
 *
 * See arena.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ARENA_H
#define CACHE_ARENA_H

#include "postgres.h"

#define ARENA_TAG_SHIFT	3		/* a block's tag: its units, and flags */
#define ARENA_UNIT		8		/* bytes; sizes and references count these */
#define ARENA_MIN_UNITS	2		/* a block may have so many, less one, too much */
#define ARENA_SL_BITS	4
#define ARENA_SL		(1 << ARENA_SL_BITS)
#define ARENA_FL		26		/* size classes: powers of two */
#define ARENA_HANDS		2

/* A block, as a number of units from the arena's start; 0 is none. */
typedef uint32 ArenaRef;

typedef enum ArenaHand
{
	ARENA_COMPACT_HAND,
	ARENA_SWEEP_HAND
} ArenaHand;

typedef struct Arena
{
	uint32		first;			/* first block */
	uint32		end;			/* one past the last block */
	uint32		free_units;
	uint32		used_blocks;	/* without pinned ones */
	uint32		hands[ARENA_HANDS]; /* always the start of a block */
	uint32		fl_map;
	uint32		sl_map[ARENA_FL];
	ArenaRef	heads[ARENA_FL][ARENA_SL];
} Arena;

/* Units of a used block, by its tag. */
static inline uint32
arena_block_units(uint32 tag)
{
	return tag >> ARENA_TAG_SHIFT;
}

/*
 * Moves a block down to `to`, with arena_slide.  False: the block could not be
 * moved because it has been freed meanwhile.
 */
typedef bool (*ArenaMove) (ArenaRef from, ArenaRef to);

extern void arena_init(Arena *arena, char *base, Size bytes);
extern ArenaRef arena_alloc(Arena *arena, char *base, uint32 units);
extern void arena_free(Arena *arena, char *base, ArenaRef ref);
extern void arena_pin(Arena *arena, char *base, ArenaRef ref, bool pinned);
extern uint32 arena_units(char *base, ArenaRef ref);
extern ArenaRef arena_step(Arena *arena, char *base, ArenaHand hand);
extern ArenaRef arena_compact(Arena *arena, char *base, uint32 units,
							  ArenaMove move);
extern void arena_slide(Arena *arena, char *base, ArenaRef from, ArenaRef to);
extern bool arena_is_consistent(Arena *arena, char *base);

#endif							/* CACHE_ARENA_H */
