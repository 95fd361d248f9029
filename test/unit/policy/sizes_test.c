/*-------------------------------------------------------------------------
 *
 * sizes_test.c
 *	  Entries of different sizes under the eviction policy, without a server.
 *
 * usage: sizes_test
 *
 * What is asked of the policy where entries are not alike: that large entries
 * in demand find a place among small ones, that a very large one does so
 * after a bounded number of requests, and that a cache which has held entries
 * of other sizes has its full capacity again; whichever aim the policy has,
 * all load times being alike.  The numbers are units of 8 bytes in a cache of
 * 8 MB.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"

#define CAPACITY		1000000
#define EXPECTED		16384
#define MAX_NODES		150000

/* Sizes of entries whose values have so many bytes */
#define UNITS_100		20
#define UNITS_1K		132
#define UNITS_10K		1257
#define UNITS_100K		12507

static PolicyCell nodes[MAX_NODES];
static Policy *policy;
static PolicyAim aim;
static uint64_t state;
static uint64_t seed;			/* of the keys' hashes */
static int	failures;

/*
 * SplitMix64.
 */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint32_t
below(uint32_t limit)
{
	state = mix(state);
	return (uint32_t) (state >> 33) % limit;
}

static void
expect(bool condition, const char *what, double got)
{
	if (condition)
		return;
	fprintf(stderr, "sizes_test: %s: %g (aim %d, seed %d)\n", what, got,
			(int) aim, (int) seed);
	failures++;
}

/*
 * A new policy, and no entries.
 */
static void
begin(void)
{
	free(policy);
	policy = malloc(policy_size(aim, EXPECTED));
	if (policy == NULL)
		exit(1);
	policy_init(policy, aim, CAPACITY, EXPECTED);
	for (uint32_t i = 0; i < MAX_NODES; i++)
	{
		nodes[i].node.segment = POLICY_NONE;
		nodes[i].node.hash = (uint32_t) mix(i + seed * MAX_NODES);
	}
	state = 1;
}

/*
 * Requests a key, and stores it if it was not there.  Gives whether it was.
 */
static bool
request(uint32_t key, uint32_t units)
{
	PolicyRef	ref = key * CELL_UNITS;
	bool		rejected;

	if (nodes[key].node.segment != POLICY_NONE)
	{
		policy_touch(policy, nodes, ref);
		return true;
	}
	policy_miss(policy, nodes[key].node.hash);
	nodes[key].node.cost = units;
	policy_add(policy, nodes, ref);
	while (policy_evict(policy, nodes, &rejected) != 0)
		;
	return false;
}

/*
 * Requests keys in turn, several times over.  Gives how many entries of this
 * size are there then.
 */
static uint32_t
fill(uint32_t first, uint32_t n, uint32_t units, int passes)
{
	uint32_t	present = 0;

	for (int pass = 0; pass < passes; pass++)
	{
		for (uint32_t key = first; key < first + n; key++)
			request(key, units);
	}
	for (uint32_t key = 1; key < MAX_NODES; key++)
		present += nodes[key].node.segment != POLICY_NONE && nodes[key].node.cost == units;
	return present;
}

/*
 * 200 large entries get half of all requests, beside 50,000 small ones that
 * have filled the cache before: they use a quarter of it.
 */
static void
large_in_demand(void)
{
	const uint32_t small = 50000;
	const uint32_t large = 200;
	uint32_t	hits = 0;
	uint32_t	requests = 0;

	begin();
	for (int i = 0; i < 500000; i++)
		request(1 + below(small), UNITS_100);
	for (int i = 0; i < 500000; i++)
	{
		if (below(2) == 0)
		{
			requests++;
			hits += request(1 + small + below(large), UNITS_10K);
		}
		else
			request(1 + below(small), UNITS_100);
	}
	expect(hits > requests * 0.95, "share of hits of large entries in demand",
		   (double) hits / requests);
}

/*
 * An entry as large as 600 others, in demand as those are, and requested so
 * seldom that it has left the window each time.  Gives whether it is hit five
 * times in a row before long.
 */
static bool
very_large_stays(void)
{
	const uint32_t small = 60000;
	uint32_t	hits = 0;

	begin();
	for (int i = 0; i < 1000000; i++)
		request(1 + below(small), UNITS_100);
	for (int requests = 0; hits < 5 && requests < 50; requests++)
	{
		hits = request(1 + small, UNITS_100K) ? hits + 1 : 0;
		for (int i = 0; i < 20000; i++)
			request(1 + below(small), UNITS_100);
	}
	return hits == 5;
}

/*
 * Its neighbours in the sketch may keep it out; but for most hashes they do not.
 */
static void
very_large_in_demand(void)
{
	int			stays = 0;

	for (seed = 0; seed < 8; seed++)
		stays += very_large_stays();
	expect(stays >= 4, "of 8 very large entries in demand stay", stays);
	seed = 0;
}

/*
 * After values of 100 bytes, 1 kB and 10 kB as many of 100 bytes are stored as
 * ever, a few passes later.
 */
static void
capacity_after_others(int passes)
{
	const uint32_t n = 1.2 * CAPACITY / UNITS_100;
	uint32_t	fresh;
	uint32_t	again;

	begin();
	fresh = fill(1, n, UNITS_100, passes);
	(void) fill(1 + n, 1.2 * CAPACITY / UNITS_1K, UNITS_1K, passes);
	(void) fill(1 + n + 10000, 1.2 * CAPACITY / UNITS_10K, UNITS_10K, passes);
	again = fill(1 + n + 20000, n, UNITS_100, 4);
	expect(again >= fresh * 0.95, "part of a fresh cache's capacity",
		   (double) again / fresh);
}

int
main(void)
{
	for (aim = POLICY_HIT_RATIO; aim <= POLICY_LOAD_TIME; aim++)
	{
		large_in_demand();
		very_large_in_demand();
		for (seed = 0; seed < 4; seed++)
		{
			capacity_after_others(1);
			capacity_after_others(2);
			capacity_after_others(5);
			capacity_after_others(20);
		}
		seed = 0;
	}
	free(policy);
	if (failures > 0)
		return 1;
	printf("sizes_test: passed\n");
	return 0;
}
