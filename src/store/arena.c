/*-------------------------------------------------------------------------
 *
 * arena.c
 *		Variable-sized blocks in one piece of shared memory.
 *
 * A two-level segregated fit allocator (Masmano et al., "TLSF: a New Dynamic
 * Memory Allocator for Real-Time Systems"): free lists by power of two, each
 * divided in ARENA_SL, found through bitmaps, so that alloc and free take
 * constant time; neighbouring free blocks are joined at once.
 *
 * Fragmentation has a bound, because blocks can be moved: arena_compact
 * slides blocks down into a free block before them, and so lets a gap wander
 * upwards and swallow every free block it meets.  With a fraction f of the
 * arena free, it finds room for a block by moving about 1/f times its size.
 *
 * A block starts with a 32-bit tag: its size in units and three flags.  A
 * free block has its free list's links behind the tag, and its size again in
 * its last four bytes, where its right neighbour finds it.  The rest of a
 * used block is the caller's.
 *
 * Locking: the caller serializes all calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "store/arena.h"

#define TAG_USED		0x1		/* the block is in use */
#define TAG_PINNED		0x2		/* in use, and never moved */
#define TAG_PREV_FREE	0x4		/* the block before it is free */
#define TAG_FLAGS		0x7
#define TAG_SHIFT		ARENA_TAG_SHIFT

#define MAX_UNITS		((uint32) 1 << 28)	/* 2 GB; fits into a tag */

typedef struct FreeBlock
{
	uint32		tag;
	ArenaRef	next;
	ArenaRef	prev;
} FreeBlock;

static inline uint32 *
tag_of(char *base, ArenaRef ref)
{
	return (uint32 *) (base + (Size) ref * ARENA_UNIT);
}

static inline FreeBlock *
free_block(char *base, ArenaRef ref)
{
	return (FreeBlock *) (base + (Size) ref * ARENA_UNIT);
}

static inline uint32 *
footer_of(char *base, ArenaRef end)
{
	return (uint32 *) (base + (Size) end * ARENA_UNIT - sizeof(uint32));
}

/*
 * Units of a block.
 */
uint32
arena_units(char *base, ArenaRef ref)
{
	return arena_block_units(*tag_of(base, ref));
}

/* The list that holds free blocks of this size. */
static void
class_of(uint32 units, uint32 *fl, uint32 *sl)
{
	uint32		log = pg_leftmost_one_pos32(units);

	if (log < ARENA_SL_BITS)
	{
		*fl = 0;
		*sl = units;
	}
	else
	{
		*fl = log - ARENA_SL_BITS + 1;
		*sl = (units >> (log - ARENA_SL_BITS)) - ARENA_SL;
	}
}

static void
free_list_push(Arena *arena, char *base, ArenaRef ref, uint32 units)
{
	FreeBlock  *block = free_block(base, ref);
	uint32		fl,
				sl;

	class_of(units, &fl, &sl);
	block->tag = units << TAG_SHIFT;
	block->prev = 0;
	block->next = arena->heads[fl][sl];
	if (block->next)
		free_block(base, block->next)->prev = ref;
	arena->heads[fl][sl] = ref;
	arena->fl_map |= (uint32) 1 << fl;
	arena->sl_map[fl] |= (uint32) 1 << sl;
	*footer_of(base, ref + units) = units;
	*tag_of(base, ref + units) |= TAG_PREV_FREE;
	arena->free_units += units;
}

static void
free_list_remove(Arena *arena, char *base, ArenaRef ref)
{
	FreeBlock  *block = free_block(base, ref);
	uint32		units = arena_block_units(block->tag);
	uint32		fl,
				sl;

	class_of(units, &fl, &sl);
	if (block->next)
		free_block(base, block->next)->prev = block->prev;
	if (block->prev)
		free_block(base, block->prev)->next = block->next;
	else
	{
		arena->heads[fl][sl] = block->next;
		if (block->next == 0)
		{
			arena->sl_map[fl] &= ~((uint32) 1 << sl);
			if (arena->sl_map[fl] == 0)
				arena->fl_map &= ~((uint32) 1 << fl);
		}
	}
	*tag_of(base, ref + units) &= ~TAG_PREV_FREE;
	arena->free_units -= units;
}

/* No hand may point into the middle of a block. */
static void
hands_follow(Arena *arena, ArenaRef start, uint32 units, ArenaRef target)
{
	for (int i = 0; i < ARENA_HANDS; i++)
	{
		if (arena->hands[i] >= start && arena->hands[i] < start + units)
			arena->hands[i] = target;
	}
}

/*
 * Make the whole memory one free block, or several where it is larger than a
 * block can be; a pinned block of the smallest size ends each.
 */
void
arena_init(Arena *arena, char *base, Size bytes)
{
	Size		units = Min(bytes / ARENA_UNIT, (Size) PG_UINT32_MAX - 1);
	ArenaRef	at = 1;

	memset(arena, 0, sizeof(Arena));
	arena->first = at;
	arena->end = (uint32) units;
	for (int i = 0; i < ARENA_HANDS; i++)
		arena->hands[i] = at;
	while (arena->end - at > 2 * ARENA_MIN_UNITS)
	{
		uint32		n = Min(arena->end - at - ARENA_MIN_UNITS, MAX_UNITS);

		if (arena->end - at - n - ARENA_MIN_UNITS <= 2 * ARENA_MIN_UNITS)
			arena->end = at + n + ARENA_MIN_UNITS;
		*tag_of(base, at + n) = (ARENA_MIN_UNITS << TAG_SHIFT) | TAG_USED | TAG_PINNED;
		free_list_push(arena, base, at, n);
		at += n + ARENA_MIN_UNITS;
	}
}

/* The smallest list, from this size on, whose blocks are all large enough. */
static ArenaRef
free_list_find(Arena *arena, char *base, uint32 units)
{
	uint32		log = pg_leftmost_one_pos32(units);
	uint32		fl,
				sl;
	uint32		map;

	/* Round up to the next list's smallest size. */
	if (log >= ARENA_SL_BITS)
		class_of(units + ((uint32) 1 << (log - ARENA_SL_BITS)) - 1, &fl, &sl);
	else
		class_of(units, &fl, &sl);
	if (fl < ARENA_FL)
	{
		map = arena->sl_map[fl] & (PG_UINT32_MAX << sl);
		if (map == 0)
		{
			uint32		fl_map = arena->fl_map & (PG_UINT32_MAX << fl << 1);

			if (fl_map != 0)
			{
				fl = pg_rightmost_one_pos32(fl_map);
				map = arena->sl_map[fl];
			}
		}
		if (map != 0)
			return arena->heads[fl][pg_rightmost_one_pos32(map)];
	}

	/* A few blocks of the exact list may do. */
	class_of(units, &fl, &sl);
	if (fl < ARENA_FL)
	{
		ArenaRef	ref = arena->heads[fl][sl];

		for (int tries = 0; ref && tries < 8; tries++)
		{
			FreeBlock  *block = free_block(base, ref);

			if (arena_block_units(block->tag) >= units)
				return ref;
			ref = block->next;
		}
	}
	return 0;
}

/* Take units from the start of a free block. */
static ArenaRef
take_block(Arena *arena, char *base, ArenaRef ref, uint32 units)
{
	uint32		have = arena_units(base, ref);

	free_list_remove(arena, base, ref);
	if (have - units >= ARENA_MIN_UNITS)
	{
		*tag_of(base, ref + units) = 0;
		free_list_push(arena, base, ref + units, have - units);
	}
	else
		units = have;
	*tag_of(base, ref) = (units << TAG_SHIFT) | TAG_USED;
	arena->used_blocks++;
	return ref;
}

/*
 * Take a block of that many units; 0 when no free block is large enough, or
 * none is found at once (arena_compact finds it).  The content behind the tag
 * is undefined.
 */
ArenaRef
arena_alloc(Arena *arena, char *base, uint32 units)
{
	ArenaRef	ref;

	units = Max(units, ARENA_MIN_UNITS);
	if (units > MAX_UNITS)
		return 0;
	ref = free_list_find(arena, base, units);
	return ref != 0 ? take_block(arena, base, ref, units) : 0;
}

/* Make a free block of these units, joined with its free neighbours. */
static void
release_units(Arena *arena, char *base, ArenaRef ref, uint32 units,
			  bool prev_free)
{
	uint32		next_tag = *tag_of(base, ref + units);

	if (!(next_tag & TAG_USED))
	{
		free_list_remove(arena, base, ref + units);
		units += arena_block_units(next_tag);
	}
	if (prev_free)
	{
		uint32		before = *footer_of(base, ref);

		ref -= before;
		free_list_remove(arena, base, ref);
		units += before;
	}
	hands_follow(arena, ref, units, ref);
	free_list_push(arena, base, ref, units);
}

/*
 * Give a block back.
 */
void
arena_free(Arena *arena, char *base, ArenaRef ref)
{
	uint32		tag = *tag_of(base, ref);

	Assert(tag & TAG_USED);
	arena->used_blocks--;
	release_units(arena, base, ref, arena_block_units(tag), (tag & TAG_PREV_FREE) != 0);
}

/*
 * Say whether a block may be moved.  Pinned blocks are not the store's
 * entries: arena_step passes them over.
 */
void
arena_pin(Arena *arena, char *base, ArenaRef ref, bool pinned)
{
	uint32	   *tag = tag_of(base, ref);

	if (pinned)
	{
		*tag |= TAG_PINNED;
		arena->used_blocks--;
	}
	else
	{
		*tag &= ~TAG_PINNED;
		arena->used_blocks++;
	}
}

static ArenaRef
hand_advance(Arena *arena, char *base, ArenaRef at)
{
	at += arena_units(base, at);
	return at < arena->end ? at : arena->first;
}

/*
 * Look at the block under a hand and move the hand on.  Gives the block, or
 * 0 if it is free or pinned.
 */
ArenaRef
arena_step(Arena *arena, char *base, ArenaHand hand)
{
	ArenaRef	at = arena->hands[hand];
	uint32		tag = *tag_of(base, at);

	arena->hands[hand] = hand_advance(arena, base, at);
	if ((tag & (TAG_USED | TAG_PINNED)) != TAG_USED)
		return 0;
	return at;
}

/*
 * Take a block, as arena_alloc does, after sliding blocks together until a
 * free one has come about that is large enough; 0 if that does not happen.
 * Goes around the arena once at most.  move() moves a block with arena_slide
 * and repairs what refers to it; or frees something, and says so.
 */
ArenaRef
arena_compact(Arena *arena, char *base, uint32 units, ArenaMove move)
{
	uint32		need = Max(units, ARENA_MIN_UNITS);
	ArenaRef	at = arena->hands[ARENA_COMPACT_HAND];
	uint64		left = (uint64) (arena->end - arena->first) + need;

	while (left > 0)
	{
		uint32		tag = *tag_of(base, at);
		uint32		gap = arena_block_units(tag);
		ArenaRef	next = at + gap;
		uint32		moved;

		left -= Min(left, Max(gap, 1));
		if (tag & TAG_USED)
		{
			at = hand_advance(arena, base, at);
			continue;
		}
		if (gap >= need)
		{
			arena->hands[ARENA_COMPACT_HAND] = at;
			return take_block(arena, base, at, need);
		}
		if (next >= arena->end || (*tag_of(base, next) & TAG_PINNED))
		{
			at = hand_advance(arena, base, at);
			continue;
		}

		/*
		 * Move the block behind the gap to the gap's start.  If it goes away
		 * instead, the gap may have become part of a larger one: begin again
		 * where the hand has followed to.
		 */
		moved = arena_units(base, next);
		arena->hands[ARENA_COMPACT_HAND] = at;
		if (!move(next, at))
		{
			at = arena->hands[ARENA_COMPACT_HAND];
			continue;
		}
		left -= Min(left, moved);
		at += moved;
	}
	arena->hands[ARENA_COMPACT_HAND] = at;
	return 0;
}

/*
 * For move(): the block at `from`, which follows the free block at `to`,
 * takes its place; the gap comes behind it.
 */
void
arena_slide(Arena *arena, char *base, ArenaRef from, ArenaRef to)
{
	uint32		units = arena_units(base, from);
	uint32		gap = from - to;

	free_list_remove(arena, base, to);
	memmove(base + (Size) to * ARENA_UNIT, base + (Size) from * ARENA_UNIT,
			(Size) units * ARENA_UNIT);
	*tag_of(base, to) &= ~TAG_PREV_FREE;
	hands_follow(arena, to, units + gap, to);
	*tag_of(base, to + units) = 0;
	release_units(arena, base, to + units, gap, false);
}

/*
 * For tests and assertions: does every block end where the next one starts,
 * and do the totals agree?
 */
bool
arena_is_consistent(Arena *arena, char *base)
{
	ArenaRef	at = arena->first;
	bool		prev_free = false;
	uint32		free_units = 0;
	uint32		used = 0;

	while (at < arena->end)
	{
		uint32		tag = *tag_of(base, at);
		uint32		units = arena_block_units(tag);

		if (units < ARENA_MIN_UNITS || units > arena->end - at)
			return false;
		if (((tag & TAG_PREV_FREE) != 0) != prev_free)
			return false;
		prev_free = !(tag & TAG_USED);
		if (prev_free)
		{
			if (*footer_of(base, at + units) != units)
				return false;
			free_units += units;
		}
		else if (!(tag & TAG_PINNED))
			used++;
		at += units;
	}
	return at == arena->end && free_units == arena->free_units &&
		used == arena->used_blocks;
}
