/*-------------------------------------------------------------------------
 *
 * columns.h
 *		Which columns of a table loads read, and updates change.
 *
 * See columns.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_COLUMNS_H
#define CACHE_COLUMNS_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/plannodes.h"
#include "utils/relcache.h"

/*
 * A set of a table's columns: a bit for each of the first ones, by its number,
 * one for all others together, and one for what is different in each version of
 * a row (its system columns), or that nobody knows.
 */
typedef uint64 Columns;

#define COLUMNS_NUMBERED	62
#define COLUMNS_OTHERS		UINT64CONST(1)
#define COLUMNS_ROW			(UINT64CONST(1) << 63)
#define COLUMNS_NONE		UINT64CONST(0)
#define COLUMNS_ALL			PG_UINT64_MAX
#define COLUMNS_USERS		(COLUMNS_ALL & ~COLUMNS_ROW)

/* The set that has this column, or (attnum 0) all that a whole row consists of. */
static inline Columns
columns_of(AttrNumber attnum)
{
	if (attnum < 0)
		return COLUMNS_ROW;
	if (attnum == 0)
		return COLUMNS_USERS;
	return attnum > COLUMNS_NUMBERED ? COLUMNS_OTHERS : UINT64CONST(1) << attnum;
}

/*
 * What an update has changed in a row of a table.  Without a relation: what
 * matters to everybody, as inserted and deleted rows do.
 */
typedef struct ColumnChange
{
	Oid			relid;
	int			slot;			/* where the cache's slot was, or -1 */
	Columns		columns;
} ColumnChange;

extern Columns columns_read(const PlannedStmt *plan, int rti, Relation rel);
extern Columns columns_changed(Relation rel, TupleTableSlot *before,
							   TupleTableSlot *after, Columns matter);
extern bool columns_add_change(ColumnChange *change, const ColumnChange *more);

#endif							/* CACHE_COLUMNS_H */
