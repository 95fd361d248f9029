/*-------------------------------------------------------------------------
 *
 * cache.c
 *		The module: settings, hooks, and what happens when it is loaded.
 *
 * A read-through cache whose answers are exactly what its loader functions
 * would give under the caller's own snapshot.  Which parts there are, and which
 * may use which others, see README.md in this directory.
 *
 * Without shared_preload_libraries the library has no shared memory: all SQL
 * functions say so, and the triggers do nothing.
 *
 * Locking: none here.
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
#include "definition/definition.h"
#include "definition/value.h"
#include "depend/dependency.h"
#include "depend/plans.h"
#include "depend/routine.h"
#include "depend/spoken.h"
#include "fence/dependencyset.h"
#include "fence/keyfence.h"
#include "fence/lineage.h"
#include "fence/mapping.h"
#include "fence/news.h"
#include "fence/open.h"
#include "fence/persist.h"
#include "fence/ready.h"
#include "fence/recentxid.h"
#include "fence/registry.h"
#include "fence/rolefence.h"
#include "fence/standby.h"
#include "fence/stats.h"
#include "load/flight.h"
#include "load/warm.h"
#include "policy/policy.h"
#include "protocol/coherence.h"
#include "protocol/statement.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/window.h"
#include "redis/address.h"
#include "redis/breaker.h"
#include "redis/keyname.h"
#include "redis/mark.h"
#include "redis/pool.h"
#include "redis/queue.h"
#include "redis/redis.h"
#include "redis/tier.h"
#include "redis/worker.h"
#include "segment.h"
#include "sql/parameter.h"
#include "store/entry.h"
#include "wal/replay.h"
#include "write/rowkeys.h"
#include "write/transaction.h"
#include "write/utility.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "cache", .version = "1.1");
#else
PG_MODULE_MAGIC;
#endif

static const struct config_enum_entry policy_options[] = {
	{"hit_ratio", POLICY_HIT_RATIO, false},
	{"load_time", POLICY_LOAD_TIME, false},
	{NULL, 0, false}
};

/*
 * The parts of the shared memory, in this order.  Those that cache.memory is for
 * come last, and the arena, which takes what is left, last of all.
 */
static const SegmentPart *const parts[] = {
	&ready_part, &recent_xid_part, &standby_part, &registry_part, &role_fences_part,
	&mapping_part, &dependencies_part, &lineage_part, &persist_part,
	&store_part, &flight_part, &breaker_part, &pool_part, &address_part,
	&queue_part, &registry_slots_part, &stats_part, &flight_notes_part,
	&queue_ring_part, &key_fences_part, &key_stamps_part, &marks_part,
	&store_buckets_part, &store_pool_part, &store_arena_part
};

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;

static void
cache_shmem_request(void)
{
	if (prev_shmem_request)
		prev_shmem_request();
	segment_request();
	window_shmem_request();
}

static void
cache_shmem_startup(void)
{
	if (prev_shmem_startup)
		prev_shmem_startup();
	segment_startup();
	window_shmem_startup();
	if (!IsUnderPostmaster)
	{
		warm_prepare();
		persist_startup();
		warm_startup();
	}
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
							&segment_memory_kb,
							128 * 1024, 1024, 32 * 1024 * 1024 - 1,
							PGC_POSTMASTER, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("cache.policy",
							 "Sets what eviction maximizes.",
							 "The hit ratio, or the load time that hits save.",
							 &store_policy_aim,
							 POLICY_HIT_RATIO, policy_options,
							 PGC_POSTMASTER, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("cache.enabled",
							 "Uses cached values.",
							 "When off, every get runs the loader.",
							 &coherence_enabled,
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
	DefineCustomBoolVariable("cache.wal",
							 "Writes what is invalidated into WAL, so that standbys use their caches.",
							 NULL,
							 &news_enabled,
							 false,
							 PGC_POSTMASTER, 0,
							 NULL, NULL, NULL);
	value_define_settings();
	redis_define_settings();
	pool_define_settings();
	keyname_define_settings();
	tier_define_settings();
	warm_define_settings();
	ratelimit_define_settings();
	devel_init();
	MarkGUCPrefixReserved("cache");

	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = cache_shmem_request;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = cache_shmem_startup;

	for (int i = 0; i < lengthof(parts); i++)
		segment_add(parts[i]);
	open_init();
	definition_init();
	plans_init();
	routine_init();
	spoken_init();
	parameter_init();
	dependency_init();
	rowkeys_init();
	statement_init();
	utility_init();
	transaction_init();
	replay_init();
	worker_register();
	warm_register();
}
