/*-------------------------------------------------------------------------
 *
 * partition.h
 *		Partitions that are taken away from under snapshots.
 *
 * See partition.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PARTITION_H
#define CACHE_PARTITION_H

#include "postgres.h"

#include "nodes/nodes.h"

extern void partition_lock_ancestors(Oid relid);
extern void partition_begin(Node *command);
extern void partition_published(void);
extern void partition_reset(void);

#endif							/* CACHE_PARTITION_H */
