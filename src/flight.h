/*-------------------------------------------------------------------------
 *
 * flight.h
 *		One backend loads a key, the others wait for it.
 *
 * See flight.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include "postgres.h"

typedef enum FlightRole
{
	FLIGHT_LEADER,				/* load, then call flight_end */
	FLIGHT_LANDED,				/* somebody has loaded: look again */
	FLIGHT_ALONE				/* load without leading */
} FlightRole;

extern FlightRole flight_begin(uint64 hash, bool again);
extern void flight_end(uint64 hash, bool stored);

#endif							/* CACHE_FLIGHT_H */
