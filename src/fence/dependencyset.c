/*-------------------------------------------------------------------------
 *
 * dependencyset.c
 *		The set of what loads depend on, besides the relations that they read.
 *
 * A Bloom filter for all databases together, of which nothing is ever taken
 * out.  What its members are dependency.c knows; here they are hashes.
 *
 * What it has is what the loads of this server have met.  Those of others of the
 * cluster, whose values are in Redis, have met other things: values say by a number
 * whose they are.  A clean restart keeps both.
 *
 * Locking: none to ask.  Whoever adds a member that DDL has to know of holds the
 * registry lock, exclusively, see slots_adopt_ddl().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fence/dependencyset.h"

SharedDependencies *shared_dependencies;

/* Of this backend */
static DependencyRecorder recorder = NULL;

static void
dependencies_init(void)
{
	/* Without a random number nothing is taken for our own. */
	if (!pg_strong_random(&shared_dependencies->server, sizeof(uint64)))
		shared_dependencies->server = 0;
	for (int i = 0; i < DEPENDENCY_WORDS; i++)
		pg_atomic_init_u64(&shared_dependencies->bits[i], 0);
}

const SegmentPart dependencies_part = {
	.name = "header",
	.address = (void **) &shared_dependencies,
	.bytes = sizeof(SharedDependencies),
	.init = dependencies_init,
};

static bool
test_bit(uint32 bit)
{
	bit &= DEPENDENCY_BITS - 1;
	return (pg_atomic_read_u64(&shared_dependencies->bits[bit / 64]) &
			UINT64CONST(1) << (bit % 64)) != 0;
}

static void
set_bit(uint32 bit)
{
	bit &= DEPENDENCY_BITS - 1;
	pg_atomic_fetch_or_u64(&shared_dependencies->bits[bit / 64],
						   UINT64CONST(1) << (bit % 64));
}

/*
 * Is the member of this hash there, or another one that looks like it?
 */
bool
dependency_set_has(uint64 hash)
{
	return test_bit((uint32) hash) && test_bit((uint32) (hash >> 32));
}

static bool
test_group(const uint64 *hashes)
{
	bool		any = false;

	for (int i = 0; i < DEPENDENCY_HASHES; i++)
	{
		if (hashes[i] == 0)
			continue;
		any = true;
		if (dependency_set_has(hashes[i]))
			return true;
	}
	return !any;
}

/*
 * May loads mean what the test is about?
 */
bool
dependency_set_passes(const DependencyTest *test)
{
	for (int i = 0; i < DEPENDENCY_GROUPS; i++)
	{
		if (!test_group(test->hashes[i]))
		{
			if (recorder != NULL)
				recorder(test);
			return false;
		}
	}
	return true;
}

/*
 * Have this called with each test that is not passed; NULL: no more.  Where other
 * loads are noted, as on a standby, it may be.
 */
void
dependency_set_record(DependencyRecorder new_recorder)
{
	recorder = new_recorder;
}

/*
 * Add it.
 */
void
dependency_set_add(uint64 hash)
{
	set_bit((uint32) hash);
	set_bit((uint32) (hash >> 32));
}
