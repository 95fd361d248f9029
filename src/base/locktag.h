/*-------------------------------------------------------------------------
 *
 * locktag.h
 *		Our locks in PostgreSQL's lock manager.
 *
 * They are in the lock space that user-defined locks were in before there were
 * advisory locks, so that no pg_advisory_lock() meets them.  Each family has keys
 * of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_LOCKTAG_H
#define CACHE_LOCKTAG_H

#include "postgres.h"

#include "storage/lock.h"

typedef enum LockFamily
{
	LOCK_DDL = 0,				/* of a database (catalogs.c); no key */
	LOCK_FLIGHT = 1,			/* of a key's hash (flight.c) */
	LOCK_SETS = 2				/* of a cache without a loader (keyvalue.c) */
} LockFamily;

/*
 * The tag of a lock, in a database or (InvalidOid) in all.
 */
static inline void
locktag_set(LOCKTAG *tag, LockFamily family, Oid dbid, uint64 key)
{
	SET_LOCKTAG_ADVISORY(*tag, dbid, (uint32) (key >> 32), (uint32) key, family);
	tag->locktag_type = LOCKTAG_USERLOCK;
}

#endif							/* CACHE_LOCKTAG_H */
