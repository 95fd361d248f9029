/*-------------------------------------------------------------------------
 *
 * costs.c
 *	  Eviction policies where entries differ in size and in load time.
 *
 * usage: costs SEED
 *
 * Makes traces from the seed and runs each through several policies and cache
 * sizes, a lookup that misses being followed by a put.  Prints a line each:
 * trace, size in percent of all bytes, policy, and in percent the hits, the
 * bytes hit and the load time saved.
 *
 * The traces: OBJECTS keys of Zipfian popularity, which drifts (now and then
 * two keys change places), and between them, one in five requests, keys that
 * come only once.  Sizes are log-uniform from 100 bytes to 100 kB.
 *
 * independent	load times are log-uniform from 0.1 to 100 ms, independent of
 *				size and popularity, as they are where nothing else is said
 * by_size		load times are in proportion to the size, times a log-normal
 *				factor
 * alike		all load times are the same
 * shift		popularity is dealt anew after every fifth of the requests
 * scan			the keys that come only once come in runs of 10,000
 *
 * The policies:
 *
 * hit_ratio	the server's (policy.c), an entry's cost being its size
 * load_time	the same with its other aim
 * lru			least recently used
 * gdsf			Greedy Dual Size Frequency (Cherkasova: "Improving WWW Proxies
 *				Performance with Greedy-Dual-Size-Frequency Caching Policy"),
 *				its cost being the load time: the entry with the least
 *				priority goes, which is that of the last to go plus frequency
 *				times load time by size
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

#define OBJECTS		20000
#define REQUESTS	400000
#define SKEW		0.9
#define ONCE		5			/* one request in so many is of a new key */
#define DRIFT		20			/* after so many, two keys change places */
#define SHIFT		(REQUESTS / 5)	/* after so many, all do */
#define RUN			10000		/* of keys that come once, see scan */
#define ENTRY		512			/* bytes that the server expects of an entry */
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

typedef enum Kind
{
	INDEPENDENT, BY_SIZE, ALIKE, SHIFTING, SCAN, KINDS
} Kind;

typedef enum Ranking
{
	LRU, GDSF
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

/*
 * A log-normal factor around one (Box and Muller).
 */
static double
random_factor(void)
{
	double		radius = sqrt(-2 * log(1 - random_unit()));

	return exp(0.7 * radius * cos(2 * acos(-1.0) * random_unit()));
}

static void
swap(uint32_t *a, uint32_t *b)
{
	uint32_t	c = *a;

	*a = *b;
	*b = c;
}

static void
make_keys(Kind kind)
{
	for (uint32_t i = 0; i < KEYS; i++)
	{
		keys[i].hash = (uint32_t) random_bits();
		keys[i].size = (uint32_t) (100 * pow(1000, random_unit()));
		if (kind == BY_SIZE)
			keys[i].time = keys[i].size / 1000.0 * random_factor();
		else if (kind == ALIKE)
			keys[i].time = 1;
		else
			keys[i].time = 0.1 * pow(1000, random_unit());
	}
}

static void
make_trace(Kind kind)
{
	static double sum[OBJECTS + 1];
	static uint32_t ranked[OBJECTS];
	uint32_t	once = OBJECTS;

	make_keys(kind);
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
			swap(&ranked[random_bits() % OBJECTS],
				 &ranked[random_bits() % OBJECTS]);
		for (uint32_t j = 0; kind == SHIFTING && i % SHIFT == 0 && j < OBJECTS; j++)
			swap(&ranked[j], &ranked[random_bits() % OBJECTS]);
		while (high - low > 1)
		{
			uint32_t	middle = (low + high) / 2;

			if (sum[middle] <= at)
				low = middle;
			else
				high = middle;
		}
		if (kind == SCAN ? i / RUN % ONCE == 0 : i % ONCE == 0)
			trace[i] = once++;
		else
			trace[i] = ranked[low];
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

static Score
run_ranked(Ranking ranking, uint64_t capacity)
{
	Score		score = {0};
	double		inflation = 0;

	memset(&heap, 0, sizeof(heap));
	for (uint32_t i = 0; i < REQUESTS; i++)
	{
		Key		   *key = &keys[trace[i]];
		Ranked	   *ranked = &heap.ranked[trace[i]];
		bool		hit = ranked->place != 0;

		if (hit)
		{
			score.hits++;
			score.bytes += key->size;
			score.time += key->time;
		}
		else if (key->size > capacity)
			continue;
		while (!hit && heap.bytes + key->size > capacity)
			inflation = heap.ranked[heap_pop()].priority;

		ranked->uses = hit ? ranked->uses + 1 : 1;
		ranked->priority = ranking == LRU ? i :
			inflation + ranked->uses * key->time / key->size;
		if (hit)
			heap_settle(ranked->place, trace[i]);
		else
			heap_insert(trace[i]);
	}
	return score;
}

static Score
run_policy(PolicyAim aim, uint64_t capacity)
{
	uint32_t	entries = (uint32_t) (capacity / ENTRY);
	Policy	   *policy = allocate(policy_size(aim, entries));
	PolicyCell *nodes = allocate((KEYS + 1) * sizeof(PolicyCell));
	Score		score = {0};

	policy_init(policy, aim, capacity / POLICY_UNIT, entries);
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
		node->load = policy_load((uint64_t) (key->time * 1e6));
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

/*
 * Runs the trace, in caches of so many percent of all its keys' bytes.
 */
static void
run(const char *name, double share)
{
	static const char *const policies[] = {"hit_ratio", "load_time", "lru", "gdsf"};
	Score		all = {0};
	double		total = 0;
	uint64_t	capacity;

	for (uint32_t i = 0; i < OBJECTS; i++)
		total += keys[i].size;
	for (uint32_t i = 0; i < REQUESTS; i++)
	{
		all.bytes += keys[trace[i]].size;
		all.time += keys[trace[i]].time;
	}
	capacity = (uint64_t) (total * share / 100);
	for (int p = 0; p < 4; p++)
	{
		Score		score;

		if (p < 2)
			score = run_policy(p == 0 ? POLICY_HIT_RATIO : POLICY_LOAD_TIME,
							   capacity);
		else
			score = run_ranked(p == 2 ? LRU : GDSF, capacity);
		printf("%s %g %s %.2f %.2f %.2f\n", name, share, policies[p],
			   100 * score.hits / REQUESTS, 100 * score.bytes / all.bytes,
			   100 * score.time / all.time);
	}
}

int
main(int argc, char **argv)
{
	static const char *const names[KINDS] = {
		"independent", "by_size", "alike", "shift", "scan"
	};

	if (argc != 2)
	{
		fprintf(stderr, "usage: costs SEED\n");
		return 2;
	}
	for (Kind kind = INDEPENDENT; kind < KINDS; kind++)
	{
		random_state = strtoull(argv[1], NULL, 10);
		make_trace(kind);
		run(names[kind], 1);
		run(names[kind], 5);
		run(names[kind], 20);
	}
	return 0;
}
