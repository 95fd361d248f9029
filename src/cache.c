/*-------------------------------------------------------------------------
 *
 * cache.c
 *		The module: settings, hooks, and what happens when it is loaded.
 *
 * A read-through cache whose answers are exactly what its loader functions
 * would give under the caller's own snapshot.  The parts, from the surface
 * down (arrows of dependency point the same way, but for those to watch and
 * admin, which others ask what is watched and tell of DDL, and those of shared,
 * which sets up what is in the segment):
 *
 *	functions, many, set, admin, watch, trigger,	what SQL calls
 *	stats, memory, verify, check, redisview,
 *	watchview, flightview
 *	callsite, coercion, parameter, keytext		keys as calls give them
 *	rowkeys, keyfunction, keyexpr				from rows to keys
 *	get											one read-through get
 *	utility, ddl, naming, rename, restore,		DDL; commit
 *	partition, transaction
 *	loader, flight, ownlocks					running loaders
 *	loads, compiled, inspect, routine, literal,	what a load depends on
 *	plexpr, reason, unstored, dependency,
 *	columns, narrow
 *	searchpath									whose tables its names mean
 *	invalidate									what a transaction changes
 *	keyvalue									what cache_set() has set
 *	anchor										dependencies of caches
 *	definition, owner, extension, settings, key, value	what a cache is
 *	coherence, pending, statement				the protocol
 *	broadcast, worker, probe					what is sent to Redis
 *	tier, codec, siphash						values in Redis
 *	pool, redis, tls, breaker					connections to it
 *	queue										from backends to the worker
 *	store, index, evict							entries
 *	mapping										key functions that race
 *	registry, fence, witness, lineage, persist,	caches, invalidations
 *	software
 *	watchrows									rows that watches have seen
 *	arena										memory
 *	policy, shadow, admission, space, camp,
 *	sketch, node								which entries go
 *	shared, devel								the segment; development builds
 *
 * and beside them, with a segment of their own,
 *
 *	ratelimit									cache_rate_limit()
 *	window, remotewindow						when requests were allowed: in
 *												memory, in Redis (by tier)
 *
 * Without shared_preload_libraries the library has no shared memory: all SQL
 * functions say so, and the triggers do nothing.
 *
 * Locking: see shared.c for the order of all locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/module.h"
#include "definition/definition.h"
#include "definition/value.h"
#include "depend/dependency.h"
#include "depend/loads.h"
#include "depend/routine.h"
#include "fence/persist.h"
#include "policy/policy.h"
#include "protocol/statement.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/window.h"
#include "redis/pool.h"
#include "redis/queue.h"
#include "redis/redis.h"
#include "redis/tier.h"
#include "redis/worker.h"
#include "shared.h"
#include "sql/parameter.h"
#include "write/rowkeys.h"
#include "write/transaction.h"
#include "write/utility.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "cache", .version = "1.1");
#else
PG_MODULE_MAGIC;
#endif

/* cache.enabled */
bool		cache_enabled = true;

static const struct config_enum_entry policy_options[] = {
	{"hit_ratio", POLICY_HIT_RATIO, false},
	{"load_time", POLICY_LOAD_TIME, false},
	{NULL, 0, false}
};

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;

static void
cache_shmem_request(void)
{
	if (prev_shmem_request)
		prev_shmem_request();
	shared_request();
	window_shmem_request();
}

static void
cache_shmem_startup(void)
{
	if (prev_shmem_startup)
		prev_shmem_startup();
	shared_startup();
	window_shmem_startup();
	if (!IsUnderPostmaster)
		persist_startup();
}

void		_PG_init(void);

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;

	DefineCustomIntVariable("cache.memory",
							"Sets the amount of shared memory for cached values.",
							NULL,
							&cache_memory_kb,
							128 * 1024, 1024, 32 * 1024 * 1024 - 1,
							PGC_POSTMASTER, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("cache.policy",
							 "Sets what eviction maximizes.",
							 "The hit ratio, or the load time that hits save.",
							 &cache_policy,
							 POLICY_HIT_RATIO, policy_options,
							 PGC_POSTMASTER, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("cache.enabled",
							 "Uses cached values.",
							 "When off, every get runs the loader.",
							 &cache_enabled,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("cache.redis_queue_size",
							"Sets the amount of shared memory for what is to be sent to Redis.",
							NULL,
							&queue_size_kb,
							4096, 64, 1024 * 1024,
							PGC_POSTMASTER, GUC_UNIT_KB,
							NULL, NULL, NULL);
	value_define_settings();
	redis_define_settings();
	pool_define_settings();
	tier_define_settings();
	ratelimit_define_settings();
	devel_init();
	MarkGUCPrefixReserved("cache");

	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = cache_shmem_request;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = cache_shmem_startup;

	definition_init();
	loads_init();
	routine_init();
	parameter_init();
	dependency_init();
	rowkeys_init();
	statement_init();
	utility_init();
	transaction_init();
	worker_register();
}
