/*-------------------------------------------------------------------------
 *
 * columns.c
 *		Which columns of a table loads read, and updates change.
 *
 * An update that changes no column that any load of a cache has read leaves the
 * values of the cache as they are.  For a load under a snapshot that sees the
 * update finds the same rows as one under a snapshot that does not, with the
 * same values in all columns that it looks at, and so does the same.
 *
 * What a load reads is told by the plans that it executes, which say for each
 * relation of the query, and of the views in it, which columns whoever runs it
 * needs the right to SELECT.  That is every column that is mentioned anywhere in
 * the query, whatever the planner makes of it later.  Not among them are those
 * that the rewriter puts in by itself: of policies, with which nothing is
 * stored, and of generated columns that are computed when they are read.
 *
 * Where a query also changes or locks rows, all columns count, and the row.
 *
 * What an update has changed is told by the bytes of both versions: so a value
 * that is merely equal to the old one (1.0 and 1.00) is a change.
 *
 * What follows from both is decided when the writer publishes (publish.c).
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/sysattr.h"
#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"
#include "parser/parsetree.h"
#include "port/pg_bitutils.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/devel.h"
#include "fence/columns.h"

/* Values out of line are compared up to this size, in bytes. */
#define COMPARED_MAX	(64 * 1024)

/*-------------------------------------------------------------------------
 * Reading
 *-------------------------------------------------------------------------
 */

/* The columns in a set of PostgreSQL's. */
static Columns
from_bitmap(const Bitmapset *bitmap)
{
	Columns		columns = COLUMNS_NONE;
	int			member = -1;

	while ((member = bms_next_member(bitmap, member)) >= 0)
		columns |= columns_of(member + FirstLowInvalidHeapAttributeNumber);
	return columns;
}

#if PG_VERSION_NUM >= 160000
/* What made this relation of a plan the child of another one? */
static AppendRelInfo *
find_parent(const PlannedStmt *plan, int rti)
{
	ListCell   *lc;

	foreach(lc, plan->appendRelations)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, lc);

		if (info->child_relid == rti)
			return info;
	}
	return NULL;
}

/*
 * The columns of a relation that a query reads; of children it says so at their
 * parents, by the parents' numbers.
 */
static Columns
selected_columns(const PlannedStmt *plan, int rti)
{
	RangeTblEntry *rte = rt_fetch(rti, plan->rtable);
	AppendRelInfo *info;
	Columns		parents;
	Columns		columns;

	if (rte->rtekind != RTE_RELATION)
		return COLUMNS_ALL;
	if (rte->perminfoindex != 0)
		return from_bitmap(cache_selected_columns(rte, plan));
	info = find_parent(plan, rti);
	if (info == NULL)
		return COLUMNS_ALL;
	parents = selected_columns(plan, info->parent_relid);
	columns = parents & COLUMNS_ROW;
	for (int i = 0; i < info->num_child_cols; i++)
	{
		if (info->parent_colnos[i] > 0 &&
			(parents & columns_of(info->parent_colnos[i])) != 0)
			columns |= columns_of(i + 1);
	}
	return columns;
}
#else
/*
 * The columns of a relation that a query reads.  Children have it translated
 * into their own numbers, and are not asked for rights.
 */
static Columns
selected_columns(const PlannedStmt *plan, int rti)
{
	return from_bitmap(rt_fetch(rti, plan->rtable)->selectedCols);
}
#endif

/* What is computed when it is read may be so from any column. */
static bool
has_virtual(Relation rel, Columns columns)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		if (CACHE_IS_VIRTUAL(TupleDescAttr(desc, i)) &&
			(columns & columns_of(i + 1)) != 0)
			return true;
	}
	return false;
}

/*
 * Which columns of a relation, by its place in the range table, does a plan
 * read?  It may be more than it needs, but never less.
 */
Columns
columns_read(const PlannedStmt *plan, int rti, Relation rel)
{
	Columns		columns;

	if (plan->commandType != CMD_SELECT || plan->hasModifyingCTE ||
		plan->rowMarks != NIL)
		return COLUMNS_ALL;
	columns = selected_columns(plan, rti);
	return has_virtual(rel, columns) ? columns | COLUMNS_USERS : columns;
}

/*-------------------------------------------------------------------------
 * Changing
 *-------------------------------------------------------------------------
 */

/*
 * Are two values out of line the same, in content and form?  Whoever writes a
 * long value again stores it again.
 */
static bool
same_outside(struct varlena *a, struct varlena *b)
{
	struct varatt_external at_a;
	struct varatt_external at_b;

	if (!VARATT_IS_EXTERNAL_ONDISK(a) || !VARATT_IS_EXTERNAL_ONDISK(b))
		return false;
	VARATT_EXTERNAL_GET_POINTER(at_a, a);
	VARATT_EXTERNAL_GET_POINTER(at_b, b);
	return at_a.va_rawsize == at_b.va_rawsize &&
		at_a.va_extinfo == at_b.va_extinfo &&
		at_a.va_rawsize <= COMPARED_MAX &&
		datum_image_eq(PointerGetDatum(a), PointerGetDatum(b), false, -1);
}

static inline bool
same_value(Form_pg_attribute att, Datum a, Datum b)
{
	if (att->attbyval)
		return a == b;
	if (datumIsEqual(a, b, false, att->attlen))
		return true;
	return att->attlen == -1 &&
		same_outside((struct varlena *) DatumGetPointer(a),
					 (struct varlena *) DatumGetPointer(b));
}

/* Is a column, from 0, the same in both versions?  They are taken apart so far. */
static inline bool
same_column(Form_pg_attribute att, TupleTableSlot *before, TupleTableSlot *after,
			int i)
{
	if (att->attisdropped)
		return true;
	if (before->tts_isnull[i] != after->tts_isnull[i])
		return false;
	return before->tts_isnull[i] ||
		same_value(att, before->tts_values[i], after->tts_values[i]);
}

/*
 * Which columns are different in two versions of a row?  As soon as one of those
 * is that matter: COLUMNS_ALL.  They come first: most updates that are watched
 * change one, and then nothing behind it need be taken apart.
 */
Columns
columns_changed(Relation rel, TupleTableSlot *before, TupleTableSlot *after,
				Columns matter)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Columns		changed = COLUMNS_ROW;
	Columns		first = matter & COLUMNS_USERS & ~COLUMNS_OTHERS;

	if ((matter & COLUMNS_ROW) != 0)
		return COLUMNS_ALL;
	for (; first != 0; first &= first - 1)
	{
		int			attnum = pg_rightmost_one_pos64(first);

		if (attnum > desc->natts)
			break;
		slot_getsomeattrs(before, attnum);
		slot_getsomeattrs(after, attnum);
		if (!same_column(TupleDescAttr(desc, attnum - 1), before, after,
						 attnum - 1))
			return COLUMNS_ALL;
	}
	slot_getallattrs(before);
	slot_getallattrs(after);
	for (int i = 0; i < desc->natts; i++)
	{
		Columns		column = columns_of(i + 1);

		if ((column & matter) != 0 && column != COLUMNS_OTHERS)
			continue;
		if (!same_column(TupleDescAttr(desc, i), before, after, i))
			changed |= column;
	}
	return (changed & matter) == 0 ? changed : COLUMNS_ALL;
}

/*
 * Add a change to what has been changed already.  Changes of two tables matter
 * to everybody.  True if there was anything to add.  more: NULL is what matters
 * to everybody.
 */
bool
columns_add_change(ColumnChange *change, const ColumnChange *more)
{
	if (!OidIsValid(change->relid))
		return false;
	if (more == NULL || more->relid != change->relid)
	{
		if (more != NULL && OidIsValid(more->relid) &&
			GUARD_REMOVED("two_relations"))
			return false;
		change->relid = InvalidOid;
		return true;
	}
	if ((more->columns & ~change->columns) == 0 || GUARD_REMOVED("all_columns"))
		return false;
	change->columns |= more->columns;
	return true;
}
