/*-------------------------------------------------------------------------
 *
 * position.h
 *		Positions in the cluster's WAL, by which servers share what they load.
 *
 * See position.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_POSITION_H
#define CACHE_POSITION_H

#include "postgres.h"

#include "access/xlogdefs.h"

typedef struct WalPosition
{
	TimeLineID	timeline;
	XLogRecPtr	lsn;
} WalPosition;

extern void position_of_load(WalPosition *position);
extern bool position_is_passed(const WalPosition *position);

#endif							/* CACHE_POSITION_H */
