/*-------------------------------------------------------------------------
 *
 * witness.h
 *		What this session's last transaction to publish has seen.
 *
 * See witness.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WITNESS_H
#define CACHE_WITNESS_H

#include "postgres.h"

#include "access/transam.h"

#include "fence/fence.h"

extern void witness_take(FullTransactionId xid);
extern void witness_replay(FullTransactionId xid);
extern const FenceWitness *witness_last(void);

#endif							/* CACHE_WITNESS_H */
