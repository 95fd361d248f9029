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

#include "datatype/timestamp.h"
#include "port/atomics.h"

#include "definition.h"
#include "store.h"

/* What a get may load, or wait for. */
typedef struct Flight
{
	uint64		cache;			/* its id */
	uint64		hash;			/* of the key's image */
	const StoreKey *key;
} Flight;

#define FLIGHT_IMAGE	208

/* What a backend loads or waits for, for others to look at. */
typedef struct FlightNote
{
	pg_atomic_uint32 seq;		/* odd while its owner writes */
	int			pid;			/* 0: nothing */
	Oid			dbid;
	bool		leads;
	uint32		len;			/* of the key's image */
	TimestampTz since;
	uint64		cache;
	uint64		hash;
	char		image[FLIGHT_IMAGE];	/* or so much of it */
} FlightNote;

StaticAssertDecl(sizeof(FlightNote) == 256, "notes do not share cache lines");

typedef enum FlightRole
{
	FLIGHT_LEADER,				/* load, then call flight_end */
	FLIGHT_LANDED,				/* somebody has loaded: look again */
	FLIGHT_ALONE				/* load without leading */
} FlightRole;

extern Size flight_notes_size(void);
extern void flight_notes_init(void);
extern bool flight_read_note(int i, FlightNote *copy);

extern void flight_prepare(Flight *flight, const CacheDef *def,
						   const StoreKey *key);
extern FlightRole flight_begin(const Flight *flight, bool again);
extern void flight_end(const Flight *flight, bool stored);
extern void flight_forget(void);

#endif							/* CACHE_FLIGHT_H */
