/*-------------------------------------------------------------------------
 *
 * hitratio.c
 *	  Runs a trace through the eviction policy and prints the hit ratio.
 *
 * usage: hitratio TRACE SIZE...
 *
 * A trace has one integer key a line and may be compressed with gzip; "-"
 * is standard input.  Every entry costs 1; a lookup that misses is followed
 * by a put; the cold start is included.  The calls made to the policy are
 * those of the server.  For each size a line is printed, the hit ratio in
 * percent being its last, and only, word.
 *
 *-------------------------------------------------------------------------
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"


/* The trace: for each request the number of its key, from 1 */
typedef struct Trace
{
	uint32_t   *key;
	size_t		length;
	size_t		allocated;
} Trace;

/* The keys seen: an open addressing hash table from key to number */
typedef struct Keys
{
	uint64_t   *value;
	uint32_t   *number;			/* 0: free */
	size_t		buckets;
	uint32_t	count;
} Keys;

static void *
allocate(void *old, size_t count, size_t size)
{
	void	   *new = realloc(old, count * size);

	if (new == NULL)
	{
		fprintf(stderr, "hitratio: out of memory\n");
		exit(1);
	}
	return new;
}

/*
 * The finalizer of SplitMix64.
 */
static uint64_t
hash_key(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static size_t
find_bucket(const Keys *keys, uint64_t value)
{
	size_t		i = hash_key(value) & (keys->buckets - 1);

	while (keys->number[i] != 0 && keys->value[i] != value)
		i = (i + 1) & (keys->buckets - 1);
	return i;
}

static void
resize(Keys *keys, size_t buckets)
{
	Keys		old = *keys;

	keys->buckets = buckets;
	keys->value = allocate(NULL, buckets, sizeof(uint64_t));
	keys->number = allocate(NULL, buckets, sizeof(uint32_t));
	memset(keys->number, 0, buckets * sizeof(uint32_t));
	for (size_t i = 0; i < old.buckets; i++)
	{
		if (old.number[i] != 0)
		{
			size_t		bucket = find_bucket(keys, old.value[i]);

			keys->value[bucket] = old.value[i];
			keys->number[bucket] = old.number[i];
		}
	}
	free(old.value);
	free(old.number);
}

static uint32_t
key_number(Keys *keys, uint64_t value)
{
	size_t		i;

	if (2 * (size_t) keys->count >= keys->buckets)
		resize(keys, keys->buckets == 0 ? 1024 : keys->buckets * 2);
	i = find_bucket(keys, value);
	if (keys->number[i] == 0)
	{
		keys->value[i] = value;
		keys->number[i] = ++keys->count;
	}
	return keys->number[i];
}

/*
 * Reads a trace through zcat, which passes on what is not compressed.
 */
static void
read_trace(const char *name, Trace *trace, Keys *keys)
{
	FILE	   *file;
	char		line[256];

	if (setenv("TRACE_FILE", name, 1) != 0)
		abort();
	file = popen(strcmp(name, "-") == 0 ? "gzip -dcf" :
				 "gzip -dcf -- \"$TRACE_FILE\"", "r");
	if (file == NULL)
	{
		fprintf(stderr, "hitratio: could not run gzip\n");
		exit(1);
	}
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char	   *end;
		uint64_t	value = strtoull(line, &end, 10);

		if (end == line)
			continue;
		if (trace->length == trace->allocated)
		{
			trace->allocated = trace->allocated * 2 + 1024;
			trace->key = allocate(trace->key, trace->allocated,
								  sizeof(uint32_t));
		}
		trace->key[trace->length++] = key_number(keys, value);
	}
	if (pclose(file) != 0 || trace->length == 0)
	{
		fprintf(stderr, "hitratio: could not read a trace from \"%s\"\n", name);
		exit(1);
	}
}

/*
 * Runs the trace with a cache of `size` entries, returns the hits.
 */
static size_t
run(const Trace *trace, const Keys *keys, uint32_t size)
{
	Policy	   *policy = allocate(NULL, 1, policy_size(POLICY_HIT_RATIO, size));
	PolicyCell *nodes = allocate(NULL, (size_t) keys->count + 1,
								 sizeof(PolicyCell));
	size_t		hits = 0;

	policy_init(policy, POLICY_HIT_RATIO, size, size);
	memset(nodes, 0, ((size_t) keys->count + 1) * sizeof(PolicyCell));
	for (size_t i = 0; i < keys->buckets; i++)
	{
		if (keys->number[i] != 0)
		{
			nodes[keys->number[i]].node.hash = (uint32_t) hash_key(keys->value[i]);
			nodes[keys->number[i]].node.cost = 1;
		}
	}
	for (size_t i = 0; i < trace->length; i++)
	{
		PolicyNode *node = &nodes[trace->key[i]].node;
		PolicyRef	ref = (PolicyRef) (trace->key[i] * CELL_UNITS);
		bool		rejected;

		if (node->segment != POLICY_NONE)
		{
			hits++;
			policy_touch(policy, nodes, ref);
			continue;
		}
		policy_miss(policy, node->hash);
		policy_add(policy, nodes, ref);
		while (policy_evict(policy, nodes, &rejected) != 0)
			;
	}
	if (policy_cost(policy) > size)
		abort();
	free(nodes);
	free(policy);
	return hits;
}

int
main(int argc, char **argv)
{
	Trace		trace = {0};
	Keys		keys = {0};

	if (argc < 3)
	{
		fprintf(stderr, "usage: hitratio TRACE SIZE...\n");
		return 2;
	}
	read_trace(argv[1], &trace, &keys);
	for (int i = 2; i < argc; i++)
	{
		char	   *end;
		unsigned long size = strtoul(argv[i], &end, 10);

		if (*end != '\0' || size == 0 || size > UINT32_MAX)
		{
			fprintf(stderr, "hitratio: invalid size \"%s\"\n", argv[i]);
			return 2;
		}
		printf("%.2f\n", 100.0 * (double) run(&trace, &keys, (uint32_t) size) /
			   (double) trace.length);
	}
	free(trace.key);
	free(keys.value);
	free(keys.number);
	return 0;
}
