/*-------------------------------------------------------------------------
 *
 * sketch.c
 *	  How often a key was used lately: a count-min sketch with aging.
 *
 * The rows are indexed by independent hashes of the key; with dependent
 * ones two keys that collide in one row tend to collide in all of them.
 *
 * Halving all counters at once would make one call in a period slow, so a
 * call halves at most SKETCH_AGE_STEP words.  A pass is over after a small
 * fraction of the next period, during which estimates of aged and not yet
 * aged keys differ by a factor of at most two.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/sketch.h"

#include <string.h>

#define SKETCH_ROWS			4
#define SKETCH_MIN_WORDS	64	/* words of a row, at least */
#define SKETCH_PERIOD		10	/* additions for each entry in a period */
#define SKETCH_AGE_STEP		512 /* words halved by one call at most */

#ifdef __GNUC__
#define SKETCH_PREFETCH(address)	__builtin_prefetch(address, 1)
#else
#define SKETCH_PREFETCH(address)	((void) (address))
#endif

/*
 * Words of a row: four counters for each entry in every row (eight bytes an
 * entry in all), rounded up to a power of two.
 */
static uint32_t
row_words(uint32_t entries)
{
	uint32_t	words = SKETCH_MIN_WORDS;

	while (words < (UINT32_C(1) << 28) && (uint64_t) words * 4 < entries)
		words <<= 1;
	return words;
}

/*
 * The finalizer of MurmurHash3: makes further independent hashes of one.
 */
static inline uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	x ^= x >> 33;
	return x;
}

/*
 * Positions of a key's counters: the word in the whole table, and the shift
 * of the counter in it.
 */
static inline void
locate(const Sketch *sketch, uint64_t hash, uint32_t word[SKETCH_ROWS],
	   uint32_t shift[SKETCH_ROWS])
{
	uint32_t	mask = sketch->word_mask;
	uint64_t	a = mix(hash ^ UINT64_C(0x9e3779b97f4a7c15));
	uint64_t	b = mix(hash + UINT64_C(0xd1b54a32d192ed03));
	uint32_t	index[SKETCH_ROWS];

	index[0] = (uint32_t) a;
	index[1] = (uint32_t) (a >> 32);
	index[2] = (uint32_t) b;
	index[3] = (uint32_t) (b >> 32);
	for (uint32_t row = 0; row < SKETCH_ROWS; row++)
	{
		word[row] = row * (mask + 1) + ((index[row] >> 4) & mask);
		shift[row] = (index[row] & 15) << 2;
	}
}

/*
 * Bytes of a sketch that is to tell about this many entries apart.
 */
size_t
sketch_size(uint32_t entries)
{
	return offsetof(Sketch, words) +
		(size_t) row_words(entries) * SKETCH_ROWS * sizeof(uint64_t);
}

void
sketch_init(Sketch *sketch, uint32_t entries)
{
	uint32_t	words = row_words(entries);

	memset(sketch, 0, sketch_size(entries));
	sketch->word_mask = words - 1;
	sketch->age_end = words * SKETCH_ROWS;
	sketch->age_next = sketch->age_end;
	sketch_set_entries(sketch, entries);
}

/*
 * Fits the sample period to the number of entries that are really cached.
 * The table cannot grow: with many more entries than it was made for, a
 * period in proportion to them would fill every counter, so it is bounded
 * by the number of counters.
 */
void
sketch_set_entries(Sketch *sketch, uint32_t entries)
{
	uint64_t	counters = ((uint64_t) sketch->word_mask + 1) * 16;

	if (entries < 16)
		entries = 16;
	if (entries > counters)
		entries = (uint32_t) counters;
	sketch->period = (uint64_t) entries * SKETCH_PERIOD;
}

/*
 * Goes on with a halving that was begun.
 */
static void
age_some(Sketch *sketch)
{
	uint32_t	end = sketch->age_end;

	if (end - sketch->age_next > SKETCH_AGE_STEP)
		end = sketch->age_next + SKETCH_AGE_STEP;
	for (uint32_t i = sketch->age_next; i < end; i++)
		sketch->words[i] = (sketch->words[i] >> 1) & UINT64_C(0x7777777777777777);
	sketch->age_next = end;
}

/*
 * Counts one use of a key.  Only the smallest of its counters are raised
 * (conservative update), which keeps the error of the others' keys small.
 */
void
sketch_add(Sketch *sketch, uint64_t hash)
{
	uint32_t	word[SKETCH_ROWS];
	uint32_t	shift[SKETCH_ROWS];
	uint32_t	count[SKETCH_ROWS];
	uint32_t	least = SKETCH_MAX_COUNT;

	locate(sketch, hash, word, shift);
	for (int row = 0; row < SKETCH_ROWS; row++)
	{
		count[row] = (uint32_t) (sketch->words[word[row]] >> shift[row]) & 15;
		if (count[row] < least)
			least = count[row];
	}
	if (least < SKETCH_MAX_COUNT)
	{
		for (int row = 0; row < SKETCH_ROWS; row++)
		{
			if (count[row] == least)
				sketch->words[word[row]] += UINT64_C(1) << shift[row];
		}
		sketch->additions++;
	}

	if (sketch->age_next < sketch->age_end)
		age_some(sketch);
	else if (sketch->additions >= sketch->period)
	{
		sketch->additions /= 2;
		sketch->age_next = 0;
		age_some(sketch);
	}
}

/*
 * Estimates how often a key was used lately, 0 to SKETCH_MAX_COUNT.
 */
uint32_t
sketch_estimate(const Sketch *sketch, uint64_t hash)
{
	uint32_t	word[SKETCH_ROWS];
	uint32_t	shift[SKETCH_ROWS];
	uint32_t	least = SKETCH_MAX_COUNT;

	locate(sketch, hash, word, shift);
	for (int row = 0; row < SKETCH_ROWS; row++)
	{
		uint32_t	count = (uint32_t) (sketch->words[word[row]] >> shift[row]) & 15;

		if (count < least)
			least = count;
	}
	return least;
}

/*
 * Begins to bring a key's counters into the processor's cache, for a
 * sketch_add that follows a little later.
 */
void
sketch_prefetch(const Sketch *sketch, uint64_t hash)
{
	uint32_t	word[SKETCH_ROWS];
	uint32_t	shift[SKETCH_ROWS];

	locate(sketch, hash, word, shift);
	for (int row = 0; row < SKETCH_ROWS; row++)
		SKETCH_PREFETCH(&sketch->words[word[row]]);
}
