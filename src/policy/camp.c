/*-------------------------------------------------------------------------
 *
 * camp.c
 *	  Nodes of a policy in the order of what they save for the room they take.
 *
 * What an entry is worth is the load time that it saves, times how often it is
 * used, by its cost (Cherkasova's Greedy Dual Size Frequency, with the sketch's
 * frequency).  Its priority is that worth on top of the level that the cache
 * has reached: the priority of the last entry that was evicted.  The one with
 * the least priority goes first.  So an entry lives the longer the more it is
 * worth, and none for ever: the level rises until it goes.
 *
 * An exact order would take a heap of all entries.  Instead, as in CAMP
 * (Ghandeharizadeh, Irani, Lam, Yap: "CAMP: A Cost Adaptive Multi-Queue
 * Eviction Policy for Key-Value Stores", Middleware 2014), worths are rounded,
 * here to half powers of two, and entries of the same worth are in one queue;
 * as the level never falls, a queue in the order of use is in the order of
 * priority, too, and only the queues' tails have to be compared.
 *
 * A node has four bits for the level at which it was queued.  They count in
 * steps of an eighth of its worth, or a little less, modulo 16.  That suffices
 * because the level cannot get past a priority: a node is evicted when the
 * level has risen by its worth, which is less than twelve steps.  Likewise all
 * that tells its queue is in the node: its cost, the class of its load time,
 * and its segment, which stands for its frequency.  Levels wrap around after
 * 2^64, which nobody notices: they are only ever compared with near ones.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/camp.h"

#include <string.h>

#define WORTH_BIAS		32		/* queue of the worth 1; two queues an octave */
#define UNIT_BITS		20		/* priorities count in 2^-20 of that worth */
#define STEP_BITS		3		/* eight steps in a worth, before rounding */
#define SQRT2			46341	/* the square root of two, times 2^15 */

/*
 * Twice the binary logarithm, rounded, of frequencies that share a segment:
 * from POLICY_PROBATION on 1, 2, 3, 4 and 5, 6 to 8, and more.
 */
static const int8_t frequency_log[POLICY_SEGMENTS - POLICY_PROBATION] = {
	0, 2, 3, 4, 6, 7
};

static uint8_t
frequency_segment(uint32_t frequency)
{
	uint8_t		segment = POLICY_PROBATION;

	if (frequency > 8)
		segment += 5;
	else if (frequency > 5)
		segment += 4;
	else if (frequency > 3)
		segment += 3;
	else if (frequency > 1)
		segment += frequency - 1;
	return segment;
}

/*
 * Twice the binary logarithm of a cost, rounded down.
 */
static int
cost_log(uint32_t cost)
{
	int			octave = 0;

	for (int bits = 16; bits > 0; bits /= 2)
	{
		if (cost >> (octave + bits) != 0)
			octave += bits;
	}
	return 2 * octave +
		((uint64_t) cost << 15 >= (uint64_t) SQRT2 << octave);
}

/*
 * The queue that a node is in, or belongs in.
 */
static uint32_t
queue_of(const PolicyNode *node)
{
	int			worth = WORTH_BIAS + 2 * (int) node->load +
		frequency_log[node->segment - POLICY_PROBATION] - cost_log(node->cost);

	if (worth < 0)
		return 0;
	return worth < CAMP_QUEUES ? (uint32_t) worth : CAMP_QUEUES - 1;
}

/*
 * The binary logarithm of a queue's worth in units of priorities, rounded down.
 */
static inline uint32_t
worth_octave(uint32_t queue)
{
	return (queue + 2 * UNIT_BITS - WORTH_BIAS) / 2;
}

static inline uint64_t
worth_of(uint32_t queue)
{
	uint64_t	factor = (queue & 1) ? SQRT2 : UINT64_C(1) << 15;

	return worth_octave(queue) >= 15 ? factor << (worth_octave(queue) - 15) :
		factor >> (15 - worth_octave(queue));
}

/*
 * How many of a queue's steps there are in the present level.
 */
static inline uint64_t
level_steps(const Camp *camp, uint32_t queue)
{
	return camp->level >> (worth_octave(queue) - STEP_BITS);
}

/*
 * A node's priority.
 */
static uint64_t
due_of(const Camp *camp, uint32_t queue, const PolicyNode *node)
{
	uint64_t	now = level_steps(camp, queue);
	uint64_t	then = now - ((now - node->age) & 15);

	return (then << (worth_octave(queue) - STEP_BITS)) + worth_of(queue);
}

/*
 * A queue has got another tail, or none.
 */
static void
tail_changed(Camp *camp, void *base, uint32_t number)
{
	CampQueue  *queue = &camp->queue[number];
	uint64_t	bit = UINT64_C(1) << (number % 64);

	if (queue->tail == 0)
		camp->used[number / 64] &= ~bit;
	else
	{
		camp->used[number / 64] |= bit;
		queue->due = due_of(camp, number, policy_node(base, queue->tail));
	}
}

void
camp_init(Camp *camp)
{
	memset(camp, 0, sizeof(Camp));
}

/*
 * Queues a node that has just been used, and so often lately.
 */
void
camp_link(Camp *camp, void *base, PolicyRef ref, uint32_t frequency)
{
	PolicyNode *node = policy_node(base, ref);
	CampQueue  *queue;
	uint32_t	number;

	node->segment = frequency_segment(frequency);
	number = queue_of(node);
	queue = &camp->queue[number];
	node->age = level_steps(camp, number) & 15;
	node->prev = 0;
	node->next = queue->head;
	queue->head = ref;
	if (node->next != 0)
		policy_node(base, node->next)->prev = ref;
	else
	{
		queue->tail = ref;
		tail_changed(camp, base, number);
	}
}

void
camp_unlink(Camp *camp, void *base, PolicyRef ref)
{
	PolicyNode *node = policy_node(base, ref);
	uint32_t	number = queue_of(node);
	CampQueue  *queue = &camp->queue[number];

	if (node->prev != 0)
		policy_node(base, node->prev)->next = node->next;
	else
		queue->head = node->next;
	if (node->next != 0)
		policy_node(base, node->next)->prev = node->prev;
	else
	{
		queue->tail = node->prev;
		tail_changed(camp, base, number);
	}
	node->prev = node->next = 0;
	node->segment = POLICY_NONE;
}

/*
 * As policy_moved.
 */
void
camp_moved(Camp *camp, void *base, PolicyRef from, PolicyRef to)
{
	PolicyNode *node = policy_node(base, to);
	CampQueue  *queue = &camp->queue[queue_of(node)];

	if (node->prev != 0)
		policy_node(base, node->prev)->next = to;
	else if (queue->head == from)
		queue->head = to;
	if (node->next != 0)
		policy_node(base, node->next)->prev = to;
	else if (queue->tail == from)
		queue->tail = to;
}

/*
 * How far a priority is from the level.
 */
static inline int64_t
distance(const Camp *camp, uint64_t due)
{
	return (int64_t) (due - camp->level);
}

/*
 * The queue whose tail is the next to go, CAMP_QUEUES if there are no nodes.
 */
static uint32_t
least_queue(const Camp *camp)
{
	uint32_t	least = CAMP_QUEUES;

	for (uint32_t i = 0; i < CAMP_QUEUES; i++)
	{
		if ((camp->used[i / 64] >> (i % 64)) == 0)
			i |= 63;
		else if (camp->queue[i].tail != 0 &&
				 (least == CAMP_QUEUES ||
				  distance(camp, camp->queue[i].due) <
				  distance(camp, camp->queue[least].due)))
			least = i;
	}
	return least;
}

/*
 * The node that is the next to go, 0 if there is none.
 */
PolicyRef
camp_least(const Camp *camp)
{
	uint32_t	least = least_queue(camp);

	return least == CAMP_QUEUES ? 0 : camp->queue[least].tail;
}

/*
 * Unlinks what camp_least has given, because something has to go: the level
 * rises to its priority.
 */
void
camp_evict(Camp *camp, void *base, PolicyRef least)
{
	CampQueue  *queue = &camp->queue[queue_of(policy_node(base, least))];

	if (distance(camp, queue->due) > 0)
		camp->level = queue->due;
	camp_unlink(camp, base, least);
}

/*
 * Begins a walk; nothing may be linked or unlinked before its end.
 */
void
camp_begin(const Camp *camp, CampWalk *walk)
{
	walk->count = 0;
	for (uint32_t i = 0; i < CAMP_QUEUES; i++)
	{
		if (camp->queue[i].tail == 0)
			continue;
		walk->next[walk->count] = camp->queue[i].tail;
		walk->due[walk->count++] = camp->queue[i].due;
	}
}

/*
 * The next node of a walk, 0 at its end.
 */
PolicyRef
camp_next(const Camp *camp, void *base, CampWalk *walk)
{
	uint32_t	least = 0;
	PolicyRef	ref;
	PolicyNode *node;

	if (walk->count == 0)
		return 0;
	for (uint32_t i = 1; i < walk->count; i++)
	{
		if (distance(camp, walk->due[i]) < distance(camp, walk->due[least]))
			least = i;
	}
	ref = walk->next[least];
	node = policy_node(base, ref);
	if (node->prev != 0)
	{
		walk->next[least] = node->prev;
		walk->due[least] = due_of(camp, queue_of(node),
								  policy_node(base, node->prev));
	}
	else
	{
		/* Of equal priorities the first queue's is the least, as above. */
		walk->count--;
		for (uint32_t i = least; i < walk->count; i++)
		{
			walk->next[i] = walk->next[i + 1];
			walk->due[i] = walk->due[i + 1];
		}
	}
	return ref;
}
