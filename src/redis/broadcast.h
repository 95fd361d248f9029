/*-------------------------------------------------------------------------
 *
 * broadcast.h
 *		Telling others, through Redis, what a transaction has invalidated.
 *
 * See broadcast.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_BROADCAST_H
#define CACHE_BROADCAST_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "redis/queue.h"

extern bool broadcast_wanted(void);
extern char *broadcast_message(const char *cache, const char *key);
extern char *broadcast_message_all(bool database);
extern void broadcast_put(uint64 cache, uint64 hash, uint64 xid,
						  bool prepared, const char *message);
extern void broadcast_complete(StringInfo to, const char *message, int len,
							   uint64 xid);
extern void broadcast_lost(StringInfo to);

#endif							/* CACHE_BROADCAST_H */
