/*-------------------------------------------------------------------------
 *
 * publish.h
 *		What a transaction has changed goes into the fences.
 *
 * See publish.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PUBLISH_H
#define CACHE_PUBLISH_H

#include "postgres.h"

#include "access/transam.h"

#include "fence/columns.h"
#include "fence/mapping.h"

extern uint64 publish_xid;

extern FullTransactionId publish_begin(void);
extern void publish_end(void);
extern void publish_reset(void);
extern void publish_prefetch_key(uint64 hash);
extern void publish_prefetch_entry(uint64 hash);
extern uint32 publish_key_of(Oid dbid, uint64 cache, uint64 hash,
							 FullTransactionId xid, const MappingRunning *others,
							 const ColumnChange *change);
extern void publish_key(uint64 cache, uint64 hash, FullTransactionId xid,
						const MappingRunning *others,
						const ColumnChange *change);
extern void publish_cache(uint64 cache, FullTransactionId xid,
						  const MappingRunning *others,
						  const ColumnChange *change);
extern void publish_dropped(uint64 cache, FullTransactionId xid,
							const MappingRunning *others,
							const ColumnChange *change);
extern void publish_database(Oid dbid, FullTransactionId xid);
extern void publish_dependent(Oid dbid, uint64 cache, FullTransactionId xid);
extern void publish_role(Oid role, FullTransactionId xid);
extern void publish_begin_ddl(Oid dbid, FullTransactionId xid, bool lasting);
extern void publish_replace(Oid dbid, FullTransactionId xid);

#endif							/* CACHE_PUBLISH_H */
