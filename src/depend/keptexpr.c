/*-------------------------------------------------------------------------
 *
 * keptexpr.c
 *		What PL/pgSQL keeps of expressions: queries and plans.
 *
 * An expression is analysed and planned when it is first evaluated, and kept for the
 * session.  In a load, each is looked at
 *
 *	before	it is evaluated: what was not analysed and planned in a load of the
 *			same settings is labelled as invalid, as PostgreSQL does after DDL; then
 *			PL/pgSQL makes it anew, now;
 *	after	that: what was analysed and planned is inspected (inspect.c,
 *			plantree.c), and labelled with what it depends on; later loads are told by
 *			the label.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "base/compat.h"
#include "depend/inspect.h"
#include "depend/keptexpr.h"
#include "depend/loads.h"
#include "depend/plans.h"
#include "depend/plantree.h"

/* In query_context of a CachedPlanSource. */
typedef struct QueryLabel
{
	Label		label;
	Reasons		why;			/* not to store what it gives */
	bool		calls_sql;		/* its plan does, functions of users' */
	bool		speaks;			/* its plan does, of what is not in it */
	uint64		outside;		/* of plans_sql_made_outside, when that was last
								 * set up */
} QueryLabel;

/* In the context of a CachedPlan. */
typedef struct PlanLabel
{
	Label		label;
	Reasons		why;			/* not to store what it gives */
} PlanLabel;

/* See label.c. */
static void
query_tag(void *arg)
{
}

static void
plan_tag(void *arg)
{
}

/* What has been made of an expression; NIL: it has not been evaluated yet. */
static List *
sources_of(PLpgSQL_expr *expr, KeptLook *look)
{
	if (expr->plan != NULL)
		return SPI_plan_get_plan_sources(expr->plan);
	look->complete = false;
	return NIL;
}

/* What plans that PL/pgSQL keeps speak of (plans.c).  Is there anything? */
static bool
note_spoken(CachedPlan *gplan)
{
	bool		any = false;
	ListCell   *lc;

	foreach(lc, gplan->stmt_list)
		any |= plans_note_spoken(lfirst_node(PlannedStmt, lc));
	return any;
}

/*
 * Before: what was not made in a load like this one is made anew.
 *
 * Within a transaction an expression also keeps the functions that it calls,
 * and what these keep: functions in SQL, their plans.  If one may have been
 * made outside of loads meanwhile, that is set up anew.
 */
void
keptexpr_before(PLpgSQL_expr *expr, void *arg)
{
	KeptLook   *look = arg;
	ListCell   *lc;

	foreach(lc, sources_of(expr, look))
	{
		CachedPlanSource *source = lfirst(lc);
		QueryLabel  *query;
		PlanLabel   *plan = NULL;

		query = (QueryLabel *) label_find(source->query_context, query_tag);
		if (!source->is_valid)
			query = NULL;
		if (query != NULL && !label_equals(&query->label.made, look->now))
			query = NULL;
		if (source->gplan != NULL && query != NULL)
			plan = (PlanLabel *) label_find(source->gplan->context, plan_tag);
		if (query == NULL)
			source->is_valid = false;
		if (plan != NULL && !label_equals(&plan->label.made, look->now))
			plan = NULL;
		if (source->gplan != NULL && plan == NULL)
			source->gplan->is_valid = false;
		if (query == NULL)
		{
			look->complete = false;
			continue;
		}
		loads_note_all(&query->why);
		if (plan != NULL)
			loads_note_all(&plan->why);
		else if (source->gplan != NULL)
			look->complete = false;
		if (query->speaks && source->gplan != NULL)
			note_spoken(source->gplan);
		if (query->calls_sql)
			look->complete = false;
		if (query->calls_sql && query->outside != plans_sql_made_outside())
		{
			query->outside = plans_sql_made_outside();
			if (!expr->expr_simple_in_use)
				expr->expr_simple_lxid = InvalidLocalTransactionId;
		}
	}
}

/* A plan that PL/pgSQL keeps has been made: what does its result depend on? */
static bool
inspect_kept(CachedPlan *gplan, Reasons *why)
{
	bool		calls_sql = false;
	ListCell   *lc;

	foreach(lc, gplan->stmt_list)
	{
		PlannedStmt *plan = lfirst_node(PlannedStmt, lc);

		if (plan->commandType != CMD_UTILITY)
			calls_sql |= plantree_inspect(plan, loads_trusted, NULL, NULL, why);
	}
	return calls_sql;
}

/* What was analysed depends on this. */
static void
inspect_source(CachedPlanSource *source, KeptLook *look, Reasons *why)
{
	ListCell   *lc;

	foreach(lc, source->query_list)
		inspect_query(lfirst_node(Query, lc), source->query_string,
					  look->to_time, loads_trusted, why);
}

/*
 * What was made has been invalidated meanwhile, so that it gets no label; but it
 * was used.
 */
static void
note_source(CachedPlanSource *source, KeptLook *look)
{
	Reasons		why = {0};

	inspect_source(source, look, &why);
	if (source->gplan != NULL)
		(void) inspect_kept(source->gplan, &why);
	loads_note_all(&why);
}

/*
 * After: what has been made is inspected and labelled.  What has a label already
 * was made by a load inside this one, under other settings perhaps, and is left
 * alone; the same where such a load has failed and may not have got to label it.
 */
void
keptexpr_after(PLpgSQL_expr *expr, void *arg)
{
	KeptLook   *look = arg;
	ListCell   *lc;

	foreach(lc, sources_of(expr, look))
	{
		CachedPlanSource *source = lfirst(lc);
		QueryLabel  *query;
		PlanLabel   *plan;

		if (!source->is_valid)
		{
			note_source(source, look);
			look->complete = false;
			continue;
		}
		query = (QueryLabel *) label_find(source->query_context, query_tag);
		if (query == NULL && !look->tainted)
		{
			query = (QueryLabel *) label_make(source->query_context, query_tag,
											sizeof(QueryLabel), look->now);
			inspect_source(source, look, &query->why);
			loads_note_all(&query->why);
		}
		if (query == NULL || !label_equals(&query->label.made, look->now))
		{
			look->complete = false;
			continue;
		}

		/*
		 * What was noted while something was planned is not seen again when that
		 * plan is used, which this expression may keep.
		 */
		if (current_load->planned.mask != 0)
		{
			reasons_add_lasting(&query->why, &current_load->planned);
			look->complete = false;
		}
		if (source->gplan == NULL || !source->gplan->is_valid)
			continue;
		plan = (PlanLabel *) label_find(source->gplan->context, plan_tag);
		if (plan == NULL && !look->tainted)
		{
			plan = (PlanLabel *) label_make(source->gplan->context, plan_tag,
										  sizeof(PlanLabel), look->now);
			query->calls_sql = inspect_kept(source->gplan, &plan->why);
			if (query->calls_sql)
				query->outside = plans_sql_made_outside();
			query->speaks = note_spoken(source->gplan);
			loads_note_all(&plan->why);
		}
		if (plan == NULL || !label_equals(&plan->label.made, look->now))
			look->complete = false;
	}
}
