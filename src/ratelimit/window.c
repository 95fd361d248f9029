/*-------------------------------------------------------------------------
 *
 * window.c
 *		Sliding windows: when the last requests of each key were allowed.
 *
 * An exact sliding window needs the times of the requests that it has allowed
 * (a "sliding window log").  A request at the time t is allowed if fewer than
 * max_requests have been allowed in (t - period, t]; then t joins the log.
 * The decision is made, and its time is taken, under a lock of the key, so
 * the log is in order and no window of this length, wherever it begins, holds
 * more than max_requests.  A request exactly one period after another one is
 * in no window with it.
 *
 * Times are whole microseconds of the system's monotonic clock, which nobody
 * can set.  Should it go backwards nevertheless, time stands still for a key
 * until it has caught up.
 *
 * A key may be asked for with changing limits.  Whether a request is allowed
 * depends on the max_requests-th latest time in the log alone.  So the log
 * keeps as many as the largest max_requests that its key has been asked for
 * with, and each for as long as the longest period; once all are older than
 * that the key is idle, and is forgotten with these two.  That is decided by
 * the times alone, not by when memory is reclaimed.
 *
 * Memory: one segment of cache.rate_limit_memory, fixed at start, cut into
 * blocks of one size (block.c).  A key has one block for itself and a list of
 * blocks of times, which grows and shrinks with the requests that are allowed,
 * whatever max_requests is (timelog.c).
 *
 * Keys are spread over partitions by their hash.  Each partition has a heap of
 * its keys, by the time from which on some block can be given back ("due").
 * Requests do not touch it: they only ever make a key due later, so what the
 * heap says is a lower bound, and is put right when a key comes up.  Those
 * that are due are looked at, a few at a time, when keys are added; and all of
 * them, in all partitions, before a request is turned away for want of memory.
 * So memory is short only when all of it holds times that still count.  The
 * heap is a skew heap (Sleator and Tarjan, 1986), which needs no array.
 *
 * Hashes are seeded with a random number, so that nobody can choose keys that
 * meet in one chain.
 *
 * None of this is transactional, nor does it outlive the server: it begins
 * empty after a restart and after a crash.
 *
 * Locking: a partition's lock protects its chains, keys, lists of times, heap
 * and counters.  Nobody holds two of them, or takes any other lock of the
 * module under one, but for the spinlock of block.c.  Nothing raises an error
 * under it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/hashfn.h"
#include "common/sha2.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/guc.h"

#include "base/devel.h"
#include "ratelimit/block.h"
#include "ratelimit/timelog.h"
#include "ratelimit/window.h"

#define SEGMENT_NAME		"cache rate limits"
#define TRANCHE_NAME		"cache_rate_limit"

#define WINDOW_PARTITIONS	32	/* a power of two */
#define WINDOW_KEY			63	/* bytes of a key that need no digest */
#define WINDOW_DIGEST		UINT8_MAX	/* length of a key that has one */
#define NEVER				PG_INT64_MAX

/* A bucket for four blocks; a key has two or more. */
#define BLOCKS_PER_BUCKET	4

/* Keys that are due and are looked at for each one that is added. */
#define RECLAIM_STEPS		4

/* A key.  Its log keeps as many times as the largest max_requests asked for. */
typedef struct Window
{
	TimeLog		log;
	int64		keep;			/* longest period asked for */
	int64		due;			/* in the heap: not before this time */
	uint64		hash;
	BlockRef	chain;			/* next in bucket */
	BlockRef	left;			/* in the heap */
	BlockRef	right;
	Oid			dbid;
	uint8		keylen;			/* WINDOW_DIGEST: the SHA-256 of a longer key */
	char		key[WINDOW_KEY];
} Window;

StaticAssertDecl(sizeof(Window) == BLOCK_BYTES, "a key fills a block");
StaticAssertDecl(PG_SHA256_DIGEST_LENGTH <= WINDOW_KEY, "a digest is a key");

typedef struct Partition
{
	BlockRef	heap;
	uint32		keys;
	uint64		allowed;
	uint64		refused;
	uint64		overflows;
	uint64		reclaimed;

	/* When the heap's first is due.  Written under the lock, read without. */
	pg_atomic_uint64 next_due;
} Partition;

typedef union PartitionPadded
{
	Partition	partition;
	char		pad[PG_CACHE_LINE_SIZE];
} PartitionPadded;

typedef struct Windows
{
	PartitionPadded partitions[WINDOW_PARTITIONS];

	/* Written once, by the postmaster. */
	uint64		seed;			/* of hashes */
	uint32		nbuckets;		/* a power of two, >= WINDOW_PARTITIONS */

	BlockPool	pool;
} Windows;

/* Where each part of the segment begins. */
typedef struct WindowLayout
{
	uint32		nbuckets;
	uint32		nblocks;
	Size		buckets;
	Size		blocks;
	Size		total;
} WindowLayout;

/* A key as it is found. */
typedef struct WindowKey
{
	uint64		hash;
	uint8		len;
	char		bytes[WINDOW_KEY];
} WindowKey;

/* cache.rate_limit_memory */
int			window_memory_kb = 8 * 1024;

static Windows *shared_windows = NULL;
static BlockRef *shared_window_buckets;
static LWLockPadded *shared_window_locks;

#ifdef CACHE_DEVEL

/*
 * cache.rate_limit_clock: in builds for development the time is what tests say,
 * in microseconds, or (-1) the system's; SHOW gives what it is now.
 */
static double set_clock = -1;

static int64 window_clock(void);

static const char *
show_clock(void)
{
	static char buffer[32];

	snprintf(buffer, sizeof(buffer), INT64_FORMAT, window_clock());
	return buffer;
}
#endif

/*
 * Define the settings of builds for development; once a process.
 */
void
window_define_settings(void)
{
#ifdef CACHE_DEVEL
	DefineCustomRealVariable("cache.rate_limit_clock",
							 "The time of rate limits, in microseconds.",
							 "-1 is the system's clock.",
							 &set_clock, -1, -1, 1e15, PGC_SUSET, 0,
							 NULL, NULL, show_clock);
#endif
}

/*-------------------------------------------------------------------------
 * The segment
 *-------------------------------------------------------------------------
 */

static void
window_layout(WindowLayout *layout)
{
	Size		memory = mul_size((Size) window_memory_kb, 1024);

	layout->nbuckets = pg_prevpower2_32(memory / BLOCK_BYTES / BLOCKS_PER_BUCKET);
	layout->buckets = CACHELINEALIGN(sizeof(Windows));
	layout->blocks = CACHELINEALIGN(add_size(layout->buckets,
											 mul_size(layout->nbuckets,
													  sizeof(BlockRef))));
	Assert(layout->nbuckets >= WINDOW_PARTITIONS);
	Assert(layout->blocks < memory);
	layout->nblocks = (memory - layout->blocks) / BLOCK_BYTES;
	layout->total = add_size(memory, PG_CACHE_LINE_SIZE);
}

/*
 * Bytes of the segment.
 */
Size
window_size(void)
{
	WindowLayout layout;

	window_layout(&layout);
	return layout.total;
}

/*
 * shmem_request_hook: ask for the space and the locks.
 */
void
window_shmem_request(void)
{
	WindowLayout layout;

	window_layout(&layout);
	RequestAddinShmemSpace(layout.total);
	RequestNamedLWLockTranche(TRANCHE_NAME, WINDOW_PARTITIONS);
}

/*
 * shmem_startup_hook: attach to the segment, and make it if it is new (at
 * start, and again after a crash).
 */
void
window_shmem_startup(void)
{
	WindowLayout layout;
	char	   *base;
	bool		found;

	window_layout(&layout);

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = ShmemInitStruct(SEGMENT_NAME, layout.total, &found);
	base = (char *) CACHELINEALIGN(base);
	shared_windows = (Windows *) base;
	shared_window_buckets = (BlockRef *) (base + layout.buckets);
	block_attach(&shared_windows->pool, base + layout.blocks);
	shared_window_locks = GetNamedLWLockTranche(TRANCHE_NAME);

	if (!found)
	{
		memset(base, 0, layout.blocks);
		if (!pg_strong_random(&shared_windows->seed, sizeof(shared_windows->seed)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate a random number")));
		shared_windows->nbuckets = layout.nbuckets;
		block_init(layout.nblocks);
		for (int i = 0; i < WINDOW_PARTITIONS; i++)
			pg_atomic_init_u64(&shared_windows->partitions[i].partition.next_due, NEVER);
	}
	LWLockRelease(AddinShmemInitLock);
}

static inline Window *
window_at(BlockRef ref)
{
	return block_at(ref);
}

/* Which partition a key is in. */
static inline uint32
window_partition(uint64 hash)
{
	return hash & (WINDOW_PARTITIONS - 1);
}

/* The chain of a key. */
static inline BlockRef *
window_chain(uint64 hash)
{
	return &shared_window_buckets[hash & (shared_windows->nbuckets - 1)];
}

/*-------------------------------------------------------------------------
 * Heaps, and reclaiming
 *-------------------------------------------------------------------------
 */

static BlockRef
heap_merge(BlockRef a, BlockRef b)
{
	BlockRef	root = 0;
	BlockRef   *link = &root;

	while (a != 0 && b != 0)
	{
		Window	   *window;
		BlockRef	rest;

		if (window_at(b)->due < window_at(a)->due)
		{
			BlockRef	other = a;

			a = b;
			b = other;
		}
		window = window_at(a);
		*link = a;
		rest = window->right;
		window->right = window->left;
		link = &window->left;
		a = rest;
	}
	*link = a != 0 ? a : b;
	return root;
}

static void
heap_add(Partition *partition, BlockRef ref)
{
	Window	   *window = window_at(ref);

	window->due = timelog_due(&window->log, window->keep);
	window->left = window->right = 0;
	partition->heap = heap_merge(partition->heap, ref);
}

/* Publish when something is due next. */
static void
heap_note(Partition *partition)
{
	pg_atomic_write_u64(&partition->next_due, partition->heap == 0 ? NEVER :
						window_at(partition->heap)->due);
}

/* Remove a key that is not in the heap and has no times. */
static void
window_remove(Partition *partition, BlockRef ref)
{
	BlockRef   *link = window_chain(window_at(ref)->hash);

	while (*link != ref)
		link = &window_at(*link)->chain;
	*link = window_at(ref)->chain;
	block_give(ref);
	partition->keys--;
	partition->reclaimed++;
}

/*
 * Look at keys that are due now, at most so many.  Gives the number of blocks
 * given back.  The caller holds the partition's lock.
 */
static uint32
partition_reclaim(Partition *partition, int64 now, uint32 steps)
{
	uint32		given = 0;

	while (steps-- > 0 && partition->heap != 0)
	{
		BlockRef	ref = partition->heap;
		Window	   *window = window_at(ref);

		if (window->due > now)
			break;
		partition->heap = heap_merge(window->left, window->right);
		given += timelog_prune(&window->log, now - window->keep);
		if (window->log.n > 0)
			heap_add(partition, ref);
		else
		{
			window_remove(partition, ref);
			given++;
		}
	}
	heap_note(partition);
	return given;
}

/*
 * Look at all keys that are due, in all partitions.  Gives the number of
 * blocks given back.
 */
static uint32
window_reclaim(int64 now)
{
	uint32		given = 0;

	for (uint32 p = 0; p < WINDOW_PARTITIONS; p++)
	{
		Partition  *partition = &shared_windows->partitions[p].partition;

		if ((int64) pg_atomic_read_u64(&partition->next_due) > now)
			continue;
		LWLockAcquire(&shared_window_locks[p].lock, LW_EXCLUSIVE);
		given += partition_reclaim(partition, now, PG_UINT32_MAX);
		LWLockRelease(&shared_window_locks[p].lock);
	}
	return given;
}

/* When is some key due next? */
static int64
window_next_due(void)
{
	int64		due = NEVER;

	for (uint32 p = 0; p < WINDOW_PARTITIONS; p++)
	{
		Partition  *partition = &shared_windows->partitions[p].partition;

		due = Min(due, (int64) pg_atomic_read_u64(&partition->next_due));
	}
	return due;
}

/*-------------------------------------------------------------------------
 * Requests
 *-------------------------------------------------------------------------
 */

/*
 * The time, in microseconds since some moment before the server's start.
 */
static int64
window_clock(void)
{
	instr_time	time;

	INSTR_TIME_SET_CURRENT(time);
#ifdef CACHE_DEVEL
	if (set_clock >= 0)
		return (int64) set_clock;
#endif
	return (int64) INSTR_TIME_GET_MICROSEC(time);
}

/*
 * Bring a key into the form in which it is found.  A long one is replaced by
 * a digest that nobody can make two keys for.
 */
static void
window_key(WindowKey *key, const char *bytes, Size len)
{
	Size		used = PG_SHA256_DIGEST_LENGTH;

	memset(key, 0, sizeof(WindowKey));
	if (len <= WINDOW_KEY)
	{
		used = key->len = len;
		memcpy(key->bytes, bytes, len);
	}
	else
	{
		pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

		if (pg_cryptohash_init(context) < 0 ||
			pg_cryptohash_update(context, (const uint8 *) bytes, len) < 0 ||
			pg_cryptohash_final(context, (uint8 *) key->bytes,
								PG_SHA256_DIGEST_LENGTH) < 0)
			elog(ERROR, "could not compute SHA-256 of a key: %s",
				 pg_cryptohash_error(context));
		pg_cryptohash_free(context);
		key->len = WINDOW_DIGEST;
	}
	key->hash = hash_bytes_extended((const unsigned char *) key->bytes, used,
									shared_windows->seed + key->len +
									((uint64) MyDatabaseId << 32));
}

/* The caller holds the partition's lock. */
static BlockRef
window_find(const WindowKey *key)
{
	BlockRef	ref = *window_chain(key->hash);

	while (ref != 0)
	{
		const Window *window = window_at(ref);

		if (window->hash == key->hash && window->dbid == MyDatabaseId &&
			window->keylen == key->len &&
			memcmp(window->key, key->bytes, WINDOW_KEY) == 0)
			break;
		ref = window->chain;
	}
	return ref;
}

/*
 * Add a key whose first request is allowed now.  False if there is no memory.
 */
static bool
window_add(Partition *partition, const WindowKey *key,
		   const WindowRequest *request, int64 now)
{
	BlockRef	ref;
	BlockRef   *chain = window_chain(key->hash);
	Window	   *window;

	(void) partition_reclaim(partition, now, RECLAIM_STEPS);
	ref = block_take();
	if (ref == 0)
		return false;
	window = window_at(ref);
	memset(window, 0, sizeof(Window));
	window->keep = request->period;
	window->log.most = request->max_requests;
	window->hash = key->hash;
	window->dbid = MyDatabaseId;
	window->keylen = key->len;
	memcpy(window->key, key->bytes, WINDOW_KEY);
	if (!timelog_add(&window->log, now))
	{
		block_give(ref);
		return false;
	}
	window->chain = *chain;
	*chain = ref;
	partition->keys++;
	heap_add(partition, ref);
	heap_note(partition);
	return true;
}

/*
 * Decide on a request, and note it if it is allowed.  False if there is no
 * memory to note it in: then it counts as nothing, unless it was asked for the
 * last time.  The caller holds the partition's lock.
 */
static bool
window_decide(Partition *partition, const WindowKey *key,
			  const WindowRequest *request, int64 now, bool last,
			  WindowAnswer *answer)
{
	BlockRef	ref = window_find(key);
	uint32		most = request->max_requests;
	uint32		count = 0;
	bool		noted;

	if (ref == 0)
		noted = window_add(partition, key, request, now);
	else
	{
		Window	   *window = window_at(ref);
		TimeLog    *log = &window->log;

		now = Max(now, log->newest);
		(void) timelog_prune(log, now - window->keep);
		if (log->n == 0)
		{
			window->keep = request->period;
			log->most = most;
		}
		window->keep = Max(window->keep, request->period);
		log->most = Max(log->most, most);
		count = request->period == window->keep ? log->n :
			timelog_count(log, now - request->period);
		if (count >= most)
		{
			answer->allowed = false;
			answer->remaining = 0;
			answer->retry_after = timelog_time(log, log->n - most) +
				request->period - now;
			partition->refused++;
			return true;
		}
		noted = timelog_add(log, now);
	}

	answer->allowed = noted || request->open;
	answer->remaining = answer->allowed ? most - count - 1 : 0;
	answer->retry_after = 0;
	if (noted || last)
	{
		if (answer->allowed)
			partition->allowed++;
		else
			partition->refused++;
	}
	if (!noted && last)
		partition->overflows++;
	return noted;
}

/*
 * May this request of the current database be made now?  If so it counts from
 * now on.
 *
 * If there is no memory to note it, after everything that is idle has been
 * reclaimed, the answer is what request->open says; where that is no,
 * retry_after is the time until some memory may become free.
 */
void
window_ask(const WindowRequest *request, WindowAnswer *answer)
{
	WindowKey	key;
	Partition  *partition;
	LWLock	   *lock;
	bool		last = false;

	Assert(request->max_requests > 0);
	Assert(request->period > 0 && request->period <= WINDOW_MAX_PERIOD);
	window_key(&key, request->key, request->len);
	partition = &shared_windows->partitions[window_partition(key.hash)].partition;
	lock = &shared_window_locks[window_partition(key.hash)].lock;

	for (;;)
	{
		int64		now;
		bool		noted;

		LWLockAcquire(lock, LW_EXCLUSIVE);
		now = window_clock();
		noted = window_decide(partition, &key, request, now, last, answer);
		LWLockRelease(lock);
		if (noted)
			return;
		if (last)
		{
			if (!answer->allowed)
				answer->retry_after = Max(window_next_due() - now, 1);
			return;
		}
		CHECK_FOR_INTERRUPTS();

		/* What is given back may go to others; but then they go on. */
		last = window_reclaim(now) == 0;
	}
}

/*
 * What is in memory, and what there has been since the server's start.
 */
void
window_usage(WindowUsage *usage)
{
	memset(usage, 0, sizeof(WindowUsage));
	(void) window_reclaim(window_clock());
	for (uint32 p = 0; p < WINDOW_PARTITIONS; p++)
	{
		Partition  *partition = &shared_windows->partitions[p].partition;

		LWLockAcquire(&shared_window_locks[p].lock, LW_SHARED);
		usage->keys += partition->keys;
		usage->allowed += partition->allowed;
		usage->refused += partition->refused;
		usage->overflows += partition->overflows;
		usage->reclaimed += partition->reclaimed;
		LWLockRelease(&shared_window_locks[p].lock);
	}
	usage->bytes = (uint64) block_used() * BLOCK_BYTES;
}
