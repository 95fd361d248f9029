/*-------------------------------------------------------------------------
 *
 * costs.c
 *	  Eviction policies where entries differ in size and in load time.
 *
 * usage: costs SEED
 *
 * Makes a trace from the seed and runs it through several policies and cache
 * sizes, a lookup that misses being followed by a put.  Prints a line each:
 * size in percent of all bytes, policy, and in percent the hits, the bytes
 * hit and the load time saved.
 *
 * The trace: OBJECTS keys of Zipfian popularity, which drifts (now and then
 * two keys change places), and between them, one in five requests, keys that
 * come only once.  Sizes are log-uniform from 100 bytes to 100 kB, load times
 * from 0.1 to 100 ms, independent of each other and of popularity.
 *
 * The policies:
 *
 * tinylfu		the server's (policy.c), an entry's cost being its size
 * lru			least recently used
 * gdsf			Greedy Dual Size Frequency (Cherkasova: "Improving WWW Proxies
 *				Performance with Greedy-Dual-Size-Frequency Caching Policy"),
 *				its cost being the load time: the entry with the least
 *				priority goes, which is that of the last to go plus frequency
 *				times load time by size
 * gdsf-lfu		the same with the frequency from TinyLFU's sketch, so that
 *				keys that are not in the cache have one too, and with its
 *				admission: a candidate has to save more load time than all
 *				the victims that it would push out, together
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "sketch.h"

#define OBJECTS		20000
#define REQUESTS	400000
#define SKEW		0.9
#define ONCE		5			/* one request in so many is of a new key */
#define DRIFT		20			/* after so many, two keys change places */
#define KEYS		(OBJECTS + REQUESTS / ONCE + 1)

typedef struct Key
{
	uint32_t	hash;
	uint32_t	size;			/* bytes */
	double		time;			/* milliseconds */
} Key;

/* In a cache that is ordered by priority: a binary heap, the least on top */
typedef struct Ranked
{
	double		priority;
	uint32_t	uses;
	uint32_t	place;			/* in the heap, from 1; 0: not cached */
} Ranked;

typedef struct Heap
{
	Ranked		ranked[KEYS];
	uint32_t	key[KEYS + 1];	/* by place */
	uint32_t	count;
	uint64_t	bytes;
} Heap;

typedef enum Ranking
{
	LRU, GDSF, GDSF_LFU
} Ranking;

typedef struct Score
{
	double		hits;
	double		bytes;
	double		time;
} Score;

static Key	keys[KEYS];
static uint32_t trace[REQUESTS];
static Heap heap;
static uint64_t random_state;

static void *
allocate(size_t bytes)
{
	void	   *block = calloc(1, bytes);

	if (block == NULL)
	{
		fprintf(stderr, "costs: out of memory\n");
		exit(1);
	}
	return block;
}

/*
 * SplitMix64.
 */
static uint64_t
random_bits(void)
{
	uint64_t	x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static double
random_unit(void)
{
	return (double) (random_bits() >> 11) / 9007199254740992.0;
}

static void
make_trace(void)
{
	static double sum[OBJECTS + 1];
	static uint32_t ranked[OBJECTS];
	uint32_t	once = OBJECTS;

	for (uint32_t i = 0; i < KEYS; i++)
	{
		keys[i].hash = (uint32_t) random_bits();
		keys[i].size = (uint32_t) (100 * pow(1000, random_unit()));
		keys[i].time = 0.1 * pow(1000, random_unit());
	}
	for (uint32_t i = 0; i < OBJECTS; i++)
	{
		ranked[i] = i;
		sum[i + 1] = sum[i] + pow(i + 1, -SKEW);
	}
	for (uint32_t i = 0; i < REQUESTS; i++)
	{
		double		at = random_unit() * sum[OBJECTS];
		uint32_t	low = 0;
		uint32_t	high = OBJECTS;

		if (i % DRIFT == 0)
		{
			uint32_t	a = random_bits() % OBJECTS;
			uint32_t	b = random_bits() % OBJECTS;
			uint32_t	key = ranked[a];

			ranked[a] = ranked[b];
			ranked[b] = key;
		}
		while (high - low > 1)
		{
			uint32_t	middle = (low + high) / 2;

			if (sum[middle] <= at)
				low = middle;
			else
				high = middle;
		}
		trace[i] = i % ONCE == 0 ? once++ : ranked[low];
	}
}

static void
heap_place(uint32_t place, uint32_t key)
{
	heap.key[place] = key;
	heap.ranked[key].place = place;
}

/* Moves a key from a place that is free to where it belongs. */
static void
heap_settle(uint32_t place, uint32_t key)
{
	double		priority = heap.ranked[key].priority;

	while (place > 1 && heap.ranked[heap.key[place / 2]].priority > priority)
	{
		heap_place(place, heap.key[place / 2]);
		place /= 2;
	}
	for (;;)
	{
		uint32_t	child = place * 2;

		if (child < heap.count && heap.ranked[heap.key[child + 1]].priority <
			heap.ranked[heap.key[child]].priority)
			child++;
		if (child > heap.count ||
			heap.ranked[heap.key[child]].priority >= priority)
			break;
		heap_place(place, heap.key[child]);
		place = child;
	}
	heap_place(place, key);
}

static void
heap_insert(uint32_t key)
{
	heap.bytes += keys[key].size;
	heap.count++;
	heap_settle(heap.count, key);
}

static uint32_t
heap_pop(void)
{
	uint32_t	key = heap.key[1];
	uint32_t	last = heap.key[heap.count--];

	if (last != key)
		heap_settle(1, last);
	heap.ranked[key].place = 0;
	heap.bytes -= keys[key].size;
	return key;
}

/*
 * May the candidate take the place of the entries that come first?  Those that
 * have to go for a candidate that has to save more are out already, and are
 * put back.  Otherwise inflation becomes the priority of the last to go.
 */
static bool
admit(const Sketch *sketch, uint32_t candidate, uint64_t capacity,
	  double *inflation)
{
	static uint32_t victims[KEYS];
	uint32_t	count = 0;
	double		gain = sketch_estimate(sketch, keys[candidate].hash) *
		keys[candidate].time;
	bool		admitted = true;

	while (admitted && heap.bytes + keys[candidate].size > capacity)
	{
		uint32_t	victim = heap_pop();

		victims[count++] = victim;
		gain -= sketch_estimate(sketch, keys[victim].hash) * keys[victim].time;
		admitted = gain > 0;
	}
	if (admitted && count > 0)
		*inflation = heap.ranked[victims[count - 1]].priority;
	while (!admitted && count > 0)
		heap_insert(victims[--count]);
	return admitted;
}

static Score
run_ranked(Ranking ranking, uint64_t capacity, uint32_t entries)
{
	Sketch	   *sketch = allocate(sketch_size(entries));
	Score		score = {0};
	double		inflation = 0;

	sketch_init(sketch, entries);
	memset(&heap, 0, sizeof(heap));
	for (uint32_t i = 0; i < REQUESTS; i++)
	{
		Key		   *key = &keys[trace[i]];
		Ranked	   *ranked = &heap.ranked[trace[i]];
		bool		hit = ranked->place != 0;
		double		uses;

		sketch_add(sketch, key->hash);
		if (hit)
		{
			score.hits++;
			score.bytes += key->size;
			score.time += key->time;
		}
		else if (key->size > capacity)
			continue;
		else if (ranking == GDSF_LFU)
		{
			if (!admit(sketch, trace[i], capacity, &inflation))
				continue;
		}
		else
		{
			while (heap.bytes + key->size > capacity)
				inflation = heap.ranked[heap_pop()].priority;
		}

		ranked->uses = hit ? ranked->uses + 1 : 1;
		uses = ranking == GDSF_LFU ? sketch_estimate(sketch, key->hash) :
			ranked->uses;
		ranked->priority = ranking == LRU ? i :
			inflation + uses * key->time / key->size;
		if (hit)
			heap_settle(ranked->place, trace[i]);
		else
			heap_insert(trace[i]);
	}
	free(sketch);
	return score;
}

static Score
run_policy(uint64_t capacity, uint32_t entries)
{
	Policy	   *policy = allocate(policy_size(entries));
	PolicyCell *nodes = allocate((KEYS + 1) * sizeof(PolicyCell));
	Score		score = {0};

	policy_init(policy, capacity / POLICY_UNIT, entries);
	for (uint32_t i = 0; i < REQUESTS; i++)
	{
		Key		   *key = &keys[trace[i]];
		PolicyNode *node = &nodes[trace[i] + 1].node;
		PolicyRef	ref = (trace[i] + 1) * CELL_UNITS;
		bool		rejected;

		if (node->segment != POLICY_NONE)
		{
			score.hits++;
			score.bytes += key->size;
			score.time += key->time;
			policy_touch(policy, nodes, ref);
			continue;
		}
		policy_miss(policy, key->hash);
		node->hash = key->hash;
		node->cost = (key->size + POLICY_UNIT - 1) / POLICY_UNIT;
		if (node->cost > policy_capacity(policy))
			continue;
		policy_add(policy, nodes, ref);
		while (policy_evict(policy, nodes, &rejected) != 0)
			;
	}
	free(nodes);
	free(policy);
	return score;
}

int
main(int argc, char **argv)
{
	static const double shares[] = {1, 5, 20};
	static const char *const names[] = {"lru", "gdsf", "gdsf-lfu"};
	Score		all = {0};
	double		total = 0;

	if (argc != 2)
	{
		fprintf(stderr, "usage: costs SEED\n");
		return 2;
	}
	random_state = strtoull(argv[1], NULL, 10);
	make_trace();
	for (uint32_t i = 0; i < OBJECTS; i++)
		total += keys[i].size;
	for (uint32_t i = 0; i < REQUESTS; i++)
	{
		all.bytes += keys[trace[i]].size;
		all.time += keys[trace[i]].time;
	}
	for (int s = 0; s < 3; s++)
	{
		uint64_t	capacity = (uint64_t) (total * shares[s] / 100);
		uint32_t	entries = (uint32_t) (OBJECTS * shares[s] / 100);

		for (int p = 0; p < 4; p++)
		{
			Score		score = p == 0 ? run_policy(capacity, entries) :
				run_ranked((Ranking) (p - 1), capacity, entries);

			printf("%g %s %.2f %.2f %.2f\n", shares[s],
				   p == 0 ? "tinylfu" : names[p - 1],
				   100 * score.hits / REQUESTS, 100 * score.bytes / all.bytes,
				   100 * score.time / all.time);
		}
	}
	return 0;
}
