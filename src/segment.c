/*-------------------------------------------------------------------------
 *
 * segment.c
 *		Lays out the shared memory.
 *
 * There is one segment, cut into parts.  Each has an owner, a file that
 * describes it (SegmentPart), makes it when the server starts, and has the
 * address in a variable whose name begins with shared_: so whatever is in
 * shared memory can be told by its name.  Nothing is known here of what the
 * parts hold.  No pointer is stored in any of them.
 *
 * Some parts belong to what cache.memory is for; they come last, and the last
 * of all takes what the others leave (segment_rest).
 *
 * Rate limits have a segment of their own, of another setting (window.c).
 *
 * Locking: each part has the locks that its owner asks for, all of one named
 * tranche.  For their order see src/README.md.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "base/devel.h"
#include "segment.h"

#define SEGMENT_NAME	"cache"
#define TRANCHE_NAME	"cache"

/* cache.memory */
int			segment_memory_kb = 128 * 1024;

char	   *segment_base = NULL;

static const SegmentPart *parts[SEGMENT_PARTS];
static int	nparts = 0;

/* Where each part begins, and after the last one the end of all. */
typedef struct Layout
{
	Size		starts[SEGMENT_PARTS + 1];
	int			nlocks;
} Layout;

/* While the segment is laid out: what of cache.memory is left. */
static Size rest;

/*
 * There is this part, after those that were added before.  Called while the
 * library is loaded.
 */
void
segment_add(const SegmentPart *part)
{
	if (nparts == SEGMENT_PARTS)
		elog(ERROR, "too many parts of shared memory");
	Assert(nparts == 0 || part->budgeted || !parts[nparts - 1]->budgeted);
	parts[nparts++] = part;
}

/*
 * cache.memory in bytes.
 */
Size
segment_memory(void)
{
	return mul_size((Size) segment_memory_kb, 1024);
}

/*
 * What of cache.memory the parts leave that were added before: for the function
 * that tells the size of the last one.
 */
Size
segment_rest(void)
{
	return rest;
}

/*
 * The largest power of two that is not above n, but at least (a power of two)
 * least and at most 2^28: for sizes of tables.
 */
uint32
segment_power_of_two(Size n, uint32 least)
{
	if (n < least)
		n = least;
	if (n > (Size) 1 << 28)
		n = (Size) 1 << 28;
	return (uint32) 1 << pg_leftmost_one_pos32((uint32) n);
}

static void
segment_layout(Layout *layout)
{
	Size		at = 0;

	rest = segment_memory();
	layout->nlocks = 0;
	for (int i = 0; i < nparts; i++)
	{
		const SegmentPart *part = parts[i];
		Size		bytes = part->size ? part->size() : part->bytes;

		bytes = CACHELINEALIGN(bytes);
		layout->starts[i] = at;
		layout->nlocks += part->nlocks;
		at = add_size(at, bytes);
		if (part->budgeted)
		{
			Assert(bytes <= rest);
			rest -= Min(rest, bytes);
		}
	}
	layout->starts[nparts] = at;
}

/*
 * shmem_request_hook: ask for the space and the locks.
 */
void
segment_request(void)
{
	Layout		layout;

	segment_layout(&layout);
	RequestAddinShmemSpace(add_size(layout.starts[nparts], SEGMENT_SLACK));
	RequestNamedLWLockTranche(TRANCHE_NAME, layout.nlocks);
}

/*
 * shmem_startup_hook: attach to the segment, and make it if it is new (at
 * start, and again after a crash).
 */
void
segment_startup(void)
{
	Layout		layout;
	LWLockPadded *locks;
	char	   *base;
	bool		found;

	segment_layout(&layout);

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = ShmemInitStruct(SEGMENT_NAME,
						   add_size(layout.starts[nparts], SEGMENT_SLACK),
						   &found);
	base = (char *) SEGMENT_ALIGN(base);
	locks = GetNamedLWLockTranche(TRANCHE_NAME);

	for (int i = 0; i < nparts; i++)
	{
		if (parts[i]->address != NULL)
			*parts[i]->address = base + layout.starts[i];
		if (parts[i]->nlocks > 0)
			*parts[i]->locks = locks;
		locks += parts[i]->nlocks;
	}
	segment_base = base;
	DEVEL_SEGMENT(base, layout.starts[nparts]);

	for (int i = 0; i < nparts && !found; i++)
	{
		if (parts[i]->init != NULL)
			parts[i]->init();
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * What the parts take, those of one name together, in the order in which each
 * name was there first; all are the segment.  Gives their number.
 */
int
segment_shares(SegmentShare shares[SEGMENT_PARTS])
{
	Layout		layout;
	int			nshares = 0;

	segment_layout(&layout);
	for (int i = 0; i < nparts; i++)
	{
		int			s = 0;

		while (s < nshares && strcmp(shares[s].name, parts[i]->name) != 0)
			s++;
		if (s == nshares)
		{
			shares[s].name = parts[i]->name;
			shares[s].bytes = 0;
			nshares++;
		}
		shares[s].bytes += layout.starts[i + 1] - layout.starts[i];
	}
	if (nshares > 0)
		shares[0].bytes += SEGMENT_SLACK;
	return nshares;
}

/*
 * Complain if the library was not preloaded.
 */
void
segment_require(void)
{
	if (!segment_exists())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cache must be loaded via shared_preload_libraries"),
				 errhint("Add 'cache' to shared_preload_libraries in postgresql.conf and restart the server.")));
}
