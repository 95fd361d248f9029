/*-------------------------------------------------------------------------
 *
 * camp_test.c
 *	  The order in which nodes go by load time, against an exact one.
 *
 * usage: camp_test
 *
 * Nodes of random costs, load times and frequencies are linked, used again,
 * unlinked and evicted.  Of each the exact worth is known, and the level at
 * which it was used last.  So it can be told, within what rounding makes of
 * it, that none goes before its time, and that none has outlived it; and that
 * a walk gives the nodes in the order in which they are evicted then.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/camp.h"

#define NODES		500
#define UNIT		1048576.0	/* priorities count in its fractions */
#define LOOKS		40			/* nodes of a walk that are looked at */

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "camp_test: line %d: %s (step %ld)\n", \
					__LINE__, #condition, step); \
			exit(1); \
		} \
	} while (0)

static long step;
static uint64_t state = 1;

static Camp camp;
static PolicyCell nodes[2 * NODES + 1];
static bool linked[2 * NODES + 1];
static double worth[2 * NODES + 1];
static uint64_t level[2 * NODES + 1];

/*
 * SplitMix64.
 */
static uint32_t
below(uint32_t limit)
{
	uint64_t	x = state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t) ((x ^ (x >> 31)) >> 33) % limit;
}

static void
use(uint32_t i)
{
	static const uint32_t frequencies[] = {1, 2, 3, 4, 8, 12};
	PolicyNode *node = &nodes[i].node;
	uint32_t	frequency = frequencies[below(6)];

	camp_link(&camp, nodes, i * CELL_UNITS, frequency);
	CHECK(node->segment >= POLICY_PROBATION && node->segment < POLICY_SEGMENTS);
	linked[i] = true;
	level[i] = camp.level;
	worth[i] = frequency * (double) (UINT32_C(1) << node->load) / node->cost;
}

/*
 * What is known of a node that goes, or stays: how far the level has risen since
 * its last use, by its worth.
 */
static double
risen(uint32_t i)
{
	return (double) (camp.level - level[i]) / UNIT / worth[i];
}

static void
evict(void)
{
	PolicyRef	ref = camp_least(&camp);
	uint32_t	i = ref / CELL_UNITS;

	if (ref == 0)
	{
		for (i = 1; i <= 2 * NODES; i++)
			CHECK(!linked[i]);
		return;
	}
	CHECK(linked[i]);
	camp_evict(&camp, nodes, ref);
	CHECK(nodes[i].node.segment == POLICY_NONE);
	linked[i] = false;
	CHECK(risen(i) > 0.75);
	for (i = 1; i <= 2 * NODES; i++)
		CHECK(!linked[i] || risen(i) < 1.5);
}

/*
 * A walk says what would be evicted next, and changes nothing.
 */
static void
walk(void)
{
	CampWalk	at;
	PolicyRef	ref[LOOKS];

	camp_begin(&camp, &at);
	for (int i = 0; i < LOOKS; i++)
		ref[i] = camp_next(&camp, nodes, &at);
	for (int i = 0; i < LOOKS; i++)
	{
		CHECK(camp_least(&camp) == ref[i]);
		evict();
	}
}

static void
move(uint32_t from, uint32_t to)
{
	nodes[to] = nodes[from];
	memset(&nodes[from], 0xee, sizeof(PolicyCell));
	linked[to] = true;
	linked[from] = false;
	worth[to] = worth[from];
	level[to] = level[from];
	camp_moved(&camp, nodes, from * CELL_UNITS, to * CELL_UNITS);
}

int
main(void)
{
	camp_init(&camp);
	CHECK(camp_least(&camp) == 0);
	camp.level = UINT64_MAX - 1000000;	/* soon to wrap around */
	for (step = 0; step < 300000; step++)
	{
		uint32_t	i = 1 + below(NODES);
		uint32_t	twin = i + NODES;
		uint32_t	what = below(1000);

		if (linked[twin])
			i = twin;
		if (!linked[i])
		{
			nodes[i].node.cost = UINT32_C(1) << below(14);
			nodes[i].node.cost += below(nodes[i].node.cost);
			nodes[i].node.load = below(27);
			use(i);
		}
		else if (what < 300)
		{
			camp_unlink(&camp, nodes, i * CELL_UNITS);
			use(i);
		}
		else if (what < 500)
			move(i, i == twin ? i - NODES : twin);
		else if (what < 550)
		{
			camp_unlink(&camp, nodes, i * CELL_UNITS);
			linked[i] = false;
		}
		else if (what < 551)
			walk();
		else
			evict();
	}
	for (int i = 0; i <= 2 * NODES; i++)
		evict();
	printf("camp_test: passed\n");
	return 0;
}
