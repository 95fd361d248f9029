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

#include "definition/definition.h"
#include "segment.h"
#include "store/store.h"

/* What a get may load, or wait for. */
typedef struct Flight
{
	uint64		cache;			/* its id */
	uint64		hash;			/* of the key's image */
	const StoreKey *key;
	int			slot;
	bool		expires;		/* the cache has a ttl */
	bool		leads;
	bool		free;			/* the leader cannot be waiting for us */
	bool		queues;			/* waits in the lock manager */
	TimestampTz deadline;		/* else: until then; 0: has not waited */
} Flight;

#define FLIGHT_IMAGE	208
#define FLIGHT_DEPTH	8		/* keys that a backend loads for others, one
								 * within the load of the other */

/* What a backend loads or waits for, for others to look at. */
typedef struct FlightNote
{
	pg_atomic_uint32 seq;		/* odd while its owner writes */
	int			pid;			/* 0: nothing */
	Oid			dbid;
	uint32		len;			/* of the key's image */
	uint32		nled;
	TimestampTz since;
	uint64		cache;			/* 0: leads within loads only */
	uint64		hash;
	uint64		led[FLIGHT_DEPTH];	/* hashes of what it loads for others */
	char		image[FLIGHT_IMAGE];	/* or so much of it */
} FlightNote;

StaticAssertDecl(sizeof(FlightNote) == 320, "notes do not share cache lines");

typedef enum FlightRole
{
	FLIGHT_LEADER,				/* load for others as well */
	FLIGHT_LANDED,				/* somebody has loaded: look again */
	FLIGHT_ALONE				/* load without leading */
} FlightRole;

extern const SegmentPart flight_part;
extern const SegmentPart flight_notes_part;

extern bool flight_read_note(int i, FlightNote *copy);

extern void flight_prepare(Flight *flight, const CacheDef *def,
						   const StoreKey *key);
extern FlightRole flight_begin(Flight *flight, bool again);
extern void flight_end(Flight *flight, bool stored);
extern int	flight_depth(void);
extern void flight_forget(int depth);
extern void flight_reset(void);

#endif							/* CACHE_FLIGHT_H */
