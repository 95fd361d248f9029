/*-------------------------------------------------------------------------
 *
 * policy_test.c
 *	  Model-based random test of the eviction policy, without a server.
 *
 * usage: policy_test [SEED]
 *
 * Random operations run against the policy and against a model that only
 * knows which nodes are linked and what they cost.  After every operation
 * totals are compared, from time to time the lists are walked.  The segment
 * sums are found through the nodes alone, as the structure is private.  All of
 * that for both of a policy's aims.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

#define PLACES		4000		/* places for nodes */
#define STRIDE		5			/* units from place to place: 40 bytes */
#define FLAGS		0xa5

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "policy_test: line %d: %s (seed %" PRIu64 ", step %ld)\n", \
					__LINE__, #condition, seed, step); \
			exit(1); \
		} \
	} while (0)

static uint64_t seed;
static long step;
static uint64_t state;

static uint64_t arena[(PLACES + 1) * STRIDE];
static bool linked[PLACES + 1];
static uint32_t hashes[PLACES + 1];
static uint32_t costs[PLACES + 1];
static PolicyAim aim;
static uint64_t total;
static uint32_t count;

static Policy *policy;

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

static PolicyRef
ref_of(uint32_t place)
{
	return place * STRIDE;
}

static PolicyNode *
node_of(uint32_t place)
{
	return (PolicyNode *) &arena[place * STRIDE];
}

/*
 * A place that is, or is not, in use: the first from a random one on.
 */
static uint32_t
find_place(bool used)
{
	uint32_t	start = below(PLACES);

	for (uint32_t i = 0; i < PLACES; i++)
	{
		uint32_t	place = (start + i) % PLACES + 1;

		if (linked[place] == used)
			return place;
	}
	return 0;
}

/*
 * The policy gave up a node.
 */
static void
gone(PolicyRef ref)
{
	uint32_t	place = ref / STRIDE;

	CHECK(ref % STRIDE == 0 && place >= 1 && place <= PLACES);
	CHECK(linked[place]);
	CHECK(node_of(place)->segment == POLICY_NONE);
	CHECK(node_of(place)->flags == FLAGS && node_of(place)->slot == place);
	linked[place] = false;
	total -= costs[place];
	count--;
	memset(node_of(place), 0xee, sizeof(PolicyNode));
}

static void
check_totals(void)
{
	CHECK(policy_cost(policy) == total);
	CHECK(policy_count(policy) == count);
}

/*
 * Every list is entered at its heads, the nodes without a predecessor; there
 * is one of each segment, and all nodes are reached.  By load time all but the
 * window are many lists, of several segments each.
 */
static void
check_lists(void)
{
	uint32_t	heads[POLICY_SEGMENTS] = {0};
	uint32_t	reached = 0;

	for (uint32_t place = 1; place <= PLACES; place++)
	{
		PolicyNode *node = node_of(place);
		uint32_t	at = place;

		if (!linked[place])
			continue;
		CHECK(node->segment >= POLICY_WINDOW &&
			  (aim == POLICY_LOAD_TIME || node->segment <= POLICY_PROTECTED));
		CHECK(node->hash == hashes[place] && node->cost == costs[place]);
		CHECK(node->flags == FLAGS && node->slot == place);
		if (node->prev != 0)
			continue;
		heads[node->segment]++;
		for (;;)
		{
			PolicyRef	next = node_of(at)->next;

			CHECK(++reached <= count);
			if (next == 0)
				break;
			CHECK(linked[next / STRIDE]);
			CHECK(node_of(next / STRIDE)->prev == ref_of(at));
			if (aim == POLICY_LOAD_TIME)
				CHECK((node_of(next / STRIDE)->segment == POLICY_WINDOW) ==
					  (node->segment == POLICY_WINDOW));
			else
				CHECK(node_of(next / STRIDE)->segment == node->segment);
			at = next / STRIDE;
		}
	}
	CHECK(heads[POLICY_WINDOW] <= 1);
	for (int segment = POLICY_PROBATION;
		 aim == POLICY_HIT_RATIO && segment <= POLICY_PROTECTED; segment++)
		CHECK(heads[segment] <= 1);
	CHECK(reached == count);
}

static void
evict_all(void)
{
	uint32_t	turns = 0;
	PolicyRef	ref;
	bool		rejected;

	while ((ref = policy_evict(policy, arena, &rejected)) != 0)
	{
		CHECK(total > policy_capacity(policy));
		CHECK(++turns <= PLACES);
		gone(ref);
	}
	CHECK(total <= policy_capacity(policy));
}

static void
add(uint32_t max_cost, uint32_t keys)
{
	uint32_t	place = find_place(false);
	uint32_t	hash = (uint32_t) mix(below(keys));
	PolicyNode *node = node_of(place);

	if (place == 0)
		return;
	policy_miss(policy, hash);
	memset(node, 0xee, sizeof(*node));
	node->hash = hashes[place] = hash;
	node->cost = costs[place] = 1 + (below(50) == 0 ? below(max_cost * 20) :
									 below(max_cost));
	node->segment = POLICY_NONE;
	node->load = below(3) == 0 ? below(32) : 5;
	node->flags = FLAGS;
	node->slot = (uint16_t) place;
	linked[place] = true;
	total += node->cost;
	count++;
	policy_add(policy, arena, ref_of(place));
	check_totals();
	if (below(20) != 0)
		evict_all();
}

static void
move(void)
{
	uint32_t	from = find_place(true);
	uint32_t	to = find_place(false);

	if (from == 0 || to == 0)
		return;
	*node_of(to) = *node_of(from);
	node_of(to)->slot = (uint16_t) to;
	memset(node_of(from), 0xee, sizeof(PolicyNode));
	hashes[to] = hashes[from];
	costs[to] = costs[from];
	linked[to] = true;
	linked[from] = false;
	policy_moved(policy, arena, ref_of(from), ref_of(to));
}

static void
round_of_steps(uint32_t expected, uint64_t capacity, uint32_t max_cost,
			   uint32_t keys)
{
	uint64_t   *block = malloc(policy_size(aim, expected));

	policy = (Policy *) block;
	if (block == NULL)
		exit(1);
	memset(block, 0x5a, policy_size(aim, expected));
	memset(linked, 0, sizeof(linked));
	total = count = 0;
	policy_init(policy, aim, capacity, expected);
	CHECK(policy_capacity(policy) == capacity);
	for (step = 0; step < 60000; step++)
	{
		uint32_t	what = below(1000);
		uint32_t	place;

		if (what < 400)
			add(max_cost, keys);
		else if (what < 900)
		{
			place = find_place(true);
			if (place != 0)
				policy_touch(policy, arena, ref_of(place));
		}
		else if (what < 950)
			move();
		else if (what < 980)
		{
			place = find_place(true);
			if (place != 0)
			{
				policy_remove(policy, arena, ref_of(place));
				gone(ref_of(place));
			}
		}
		else if (what < 998)
		{
			PolicyRef	ref = policy_evict_any(policy, arena);

			CHECK((ref == 0) == (count == 0));
			if (ref != 0)
				gone(ref);
		}
		else if (what < 999)
		{
			policy_set_capacity(policy, below(4) == 0 ? below(10) :
								capacity / 2 + below((uint32_t) capacity + 1));
			evict_all();
		}
		else
		{
			/* another process maps the policy elsewhere */
			uint64_t   *copy = malloc(policy_size(aim, expected));

			if (copy == NULL)
				exit(1);
			memcpy(copy, policy, policy_size(aim, expected));
			memset(policy, 0xee, policy_size(aim, expected));
			free(policy);
			policy = (Policy *) copy;
		}
		check_totals();
		if (step % 500 == 0)
			check_lists();
	}
	while (count > 0)
		gone(policy_evict_any(policy, arena));
	check_totals();
	CHECK(policy_evict_any(policy, arena) == 0);
	free(policy);
}

int
main(int argc, char **argv)
{
	uint64_t	first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;

	for (seed = first; seed < first + 3; seed++)
	{
		for (aim = POLICY_HIT_RATIO; aim <= POLICY_LOAD_TIME; aim++)
		{
			state = seed;
			round_of_steps(1000, 1000, 1, 3000);
			round_of_steps(16, 100000, 100, 5000);
			round_of_steps(2000, 3000, 1, 100000);
			round_of_steps(1, 1, 1, 10);
			round_of_steps(0, 0, 1, 10);
			round_of_steps(100000, 500000, 1000, 20000);
			round_of_steps(50, 50, 5, 200);
		}
	}
	printf("policy_test: passed\n");
	return 0;
}
