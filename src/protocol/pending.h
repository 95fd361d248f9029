/*-------------------------------------------------------------------------
 *
 * pending.h
 *		What this transaction has invalidated, and not yet published.
 *
 * See pending.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PENDING_H
#define CACHE_PENDING_H

#include "postgres.h"

#include "utils/snapshot.h"

#include "fence/columns.h"

/*
 * What has just become pending, so that others may still have to be told of it:
 * see pending_describe.  Good until the subtransaction ends.
 */
typedef int PendingHandle;

#define PENDING_NONE	(-1)	/* nothing is left to be told */

extern PendingHandle pending_add_key(uint64 cache, uint64 hash,
									 const ColumnChange *change);
extern PendingHandle pending_add_cache(uint64 cache,
									   const ColumnChange *change);
extern void pending_note_mapped(uint64 cache, const char *told, bool moves);
extern void pending_note_told(uint64 cache, bool known);
extern void pending_note_call(uint64 cache, Snapshot snapshot);
extern void pending_add_created(uint64 cache);
extern PendingHandle pending_add_dropped(uint64 cache);
extern bool pending_is_key(PendingHandle added);
extern void pending_describe(PendingHandle added, char *message);
extern bool pending_is_created(uint64 cache);
extern void pending_add_ddl(void);
extern PendingHandle pending_add_role(Oid role);
extern PendingHandle pending_add_dependent(uint64 cache);
extern void pending_add_database(Oid dbid);
extern void pending_drop_database(Oid dbid);
extern void pending_count_ddl(void);
extern uint64 pending_ddl_count(void);
extern uint64 pending_ddl_commands(void);
extern bool pending_is_whole(uint64 cache);
extern bool pending_covers(uint64 cache, uint64 hash);

extern void pending_prefetch(void);
extern void pending_publish(void);
extern void pending_after_commit(void);
extern void pending_after_prepare(void);
extern void pending_reset(void);
extern void pending_subcommit(int nestlevel);
extern void pending_subabort(int nestlevel);

#endif							/* CACHE_PENDING_H */
