/*-------------------------------------------------------------------------
 *
 * rowkeys.h
 *		Where the rows of a watched table hold the key.
 *
 * See rowkeys.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ROWKEYS_H
#define CACHE_ROWKEYS_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

#include "definition/definition.h"
#include "definition/keyexpr.h"
#include "fence/watchrows.h"
#include "write/keyfunction.h"

/* A column, or an expression of columns, that tells a part of the key. */
typedef struct RowColumn
{
	AttrNumber	attnum;
	KeyExpr    *expr;			/* NULL: a column */
	int16		attlen;
	bool		attbyval;
	Oid			type;
	const KeyColumn *key;
	KeyHash		hash;
	KeyCoercion *coercion;		/* to the key's type, if that is needed */
} RowColumn;

/* What a trigger of a watch has to know. */
typedef struct RowKeys
{
	Oid			trigger;
	Oid			relid;
	uint64		generation;		/* of definitions */
	CacheDef   *def;			/* NULL: there is no such cache */
	bool		unknown;		/* no definition can be read at present */
	bool		whole;			/* no key can be told from a row */
	bool		depends;		/* DDL can replace what the keys are told by */
	bool		nested;			/* it can, in a way that is noticed late */
	uint64		catalogs;		/* catalogs_state, if it depends */
	KeyFunction *function;		/* that tells the keys, if any */
	bool		called;			/* it has been, by this statement */
	int			slot;			/* where the cache's slot was last, -1: it had none */
	uint64		slots_made;		/* when it had none */
	WatchRows	rows;
	MemoryContext context;		/* of its own, if it is kept */
	struct RowKeys *next;		/* in the list of those that are kept no more */
	int			ncolumns;
	RowColumn	columns[FLEXIBLE_ARRAY_MEMBER];
} RowKeys;

extern void rowkeys_init(void);
extern RowKeys *rowkeys_find(FmgrInfo *flinfo, TriggerData *data);
extern int	rowkeys_slot(RowKeys *keys);
extern void rowkeys_reset(void);

/*
 * What a row holds of the key; what is computed is in the current memory context.
 */
static inline Datum
rowkeys_value(RowColumn *column, TupleTableSlot *slot, bool *isnull)
{
	if (unlikely(column->expr != NULL))
		return keyexpr_of_row(column->expr, slot, isnull);
	return slot_getattr(slot, column->attnum, isnull);
}

#endif							/* CACHE_ROWKEYS_H */
