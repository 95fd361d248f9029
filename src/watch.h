/*-------------------------------------------------------------------------
 *
 * watch.h
 *		Which tables are watched for which caches.
 *
 * See watch.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WATCH_H
#define CACHE_WATCH_H

#include "postgres.h"

#include "definition.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

extern bool watch_covers(Relation rel, const char *cache);
extern List *watch_caches(Relation rel);
extern void watch_relations(const char *cache, Oid **relids, int *n);
extern bool watch_is_private(CacheDef *def);
extern void watch_check_trigger(CreateTrigStmt *stmt);
extern void watch_rename_column(Oid relid, const char *from, const char *to);
extern void watch_drop_all(CacheDef *def);
extern void watch_check_all(CacheDef *def);
extern bool watch_column_fits(const KeyColumn *key, Oid type, KeyHash *hash);

#endif							/* CACHE_WATCH_H */
