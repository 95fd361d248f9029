/*-------------------------------------------------------------------------
 *
 * mark.c
 *		Marks: which keys may have values in Redis.
 *
 * They say by a hash what may be there, so that nothing else need be deleted.
 * They begin as set.  Those of a key that is deleted are taken off, together
 * with the mark of whoever shares it: at worst a value that no fence allows any
 * more stays until it expires.
 *
 * Locking: atomic variables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/shmem.h"

#include "fence/keyfence.h"
#include "redis/mark.h"

#define MARKS_PER_STAMP		16	/* bits; a power of two */
#define WORD_BITS			32

/* The first bit of the hash that chooses the mark */
#define HASH_SHIFT			8

static pg_atomic_uint32 *shared_marks;

/* After the stamps, in the order of parts. */
static Size
mark_size(void)
{
	return mul_size(key_nstamps, MARKS_PER_STAMP / 8);
}

static void
mark_init(void)
{
	for (uint32 i = 0; i < key_nstamps / (WORD_BITS / MARKS_PER_STAMP); i++)
		pg_atomic_init_u32(&shared_marks[i], PG_UINT32_MAX);
}

const SegmentPart marks_part = {
	.name = "marks",
	.budgeted = true,
	.address = (void **) &shared_marks,
	.size = mark_size,
	.init = mark_init,
};

/* Where the mark of a key is. */
static pg_atomic_uint32 *
mark_find(uint64 hash, uint32 *bit)
{
	uint32		index = (hash >> HASH_SHIFT) & (key_nstamps * MARKS_PER_STAMP - 1);

	*bit = (uint32) 1 << (index % WORD_BITS);
	return &shared_marks[index / WORD_BITS];
}

/*
 * A value of the key is about to be sent.
 */
void
mark_set(uint64 hash)
{
	uint32		bit;
	pg_atomic_uint32 *word = mark_find(hash, &bit);

	if (!(pg_atomic_read_u32(word) & bit))
		pg_atomic_fetch_or_u32(word, bit);
}

/*
 * May values of the key be in Redis?  They are about to be deleted.
 */
bool
mark_clear(uint64 hash)
{
	uint32		bit;
	pg_atomic_uint32 *word = mark_find(hash, &bit);

	return (pg_atomic_read_u32(word) & bit) != 0 &&
		(pg_atomic_fetch_and_u32(word, ~bit) & bit) != 0;
}
