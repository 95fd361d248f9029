/*-------------------------------------------------------------------------
 *
 * plexpr.c
 *		The expressions of PL/pgSQL's statements.
 *
 * PL/pgSQL has no function that walks over its statements (as of release 18), so
 * the kinds of them are listed here.  What a later release adds is not known,
 * and the caller has to take it for the worst.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "depend/plexpr.h"

static void
visit(PLpgSQL_expr *expr, PlexprCallback callback, void *arg)
{
	if (expr != NULL)
		callback(expr, arg);
}

static void
visit_list(List *expressions, PlexprCallback callback, void *arg)
{
	ListCell   *lc;

	foreach(lc, expressions)
		visit((PLpgSQL_expr *) lfirst(lc), callback, arg);
}

static void
visit_default(PLpgSQL_datum *datum, PlexprCallback callback, void *arg)
{
	switch (datum->dtype)
	{
		case PLPGSQL_DTYPE_VAR:
		case PLPGSQL_DTYPE_PROMISE:
			visit(((PLpgSQL_var *) datum)->default_val, callback, arg);
			break;
		case PLPGSQL_DTYPE_REC:
			visit(((PLpgSQL_rec *) datum)->default_val, callback, arg);
			break;
		default:
			break;
	}
}

static void
visit_cursor(PLpgSQL_function *function, int cursor, PlexprCallback callback,
			 void *arg)
{
	PLpgSQL_datum *datum = function->datums[cursor];

	if (datum->dtype == PLPGSQL_DTYPE_VAR)
		visit(((PLpgSQL_var *) datum)->cursor_explicit_expr, callback, arg);
}

/*
 * Calls back for each expression that executing a statement of the function
 * itself evaluates, not for those of the statements in it.  False: the statement
 * is of a kind that is not known.
 */
bool
plexpr_visit(PLpgSQL_function *function, PLpgSQL_stmt *stmt,
			 PlexprCallback callback, void *arg)
{
	ListCell   *lc;

#define EACH(expr)		visit((expr), callback, arg)
#define EACH_OF(list)	visit_list((list), callback, arg)
#define STMT(type)		((PLpgSQL_stmt_##type *) stmt)

	switch (stmt->cmd_type)
	{
		case PLPGSQL_STMT_BLOCK:
			for (int i = 0; i < STMT(block)->n_initvars; i++)
				visit_default(function->datums[STMT(block)->initvarnos[i]],
							  callback, arg);
			return true;
		case PLPGSQL_STMT_ASSIGN:
			EACH(STMT(assign)->expr);
			return true;
		case PLPGSQL_STMT_IF:
			EACH(STMT(if)->cond);
			foreach(lc, STMT(if)->elsif_list)
				EACH(((PLpgSQL_if_elsif *) lfirst(lc))->cond);
			return true;
		case PLPGSQL_STMT_CASE:
			EACH(STMT(case)->t_expr);
			foreach(lc, STMT(case)->case_when_list)
				EACH(((PLpgSQL_case_when *) lfirst(lc))->expr);
			return true;
		case PLPGSQL_STMT_LOOP:
			return true;
		case PLPGSQL_STMT_WHILE:
			EACH(STMT(while)->cond);
			return true;
		case PLPGSQL_STMT_FORI:
			EACH(STMT(fori)->lower);
			EACH(STMT(fori)->upper);
			EACH(STMT(fori)->step);
			return true;
		case PLPGSQL_STMT_FORS:
			EACH(STMT(fors)->query);
			return true;
		case PLPGSQL_STMT_FORC:
			EACH(STMT(forc)->argquery);
			visit_cursor(function, STMT(forc)->curvar, callback, arg);
			return true;
		case PLPGSQL_STMT_FOREACH_A:
			EACH(STMT(foreach_a)->expr);
			return true;
		case PLPGSQL_STMT_EXIT:
			EACH(STMT(exit)->cond);
			return true;
		case PLPGSQL_STMT_RETURN:
			EACH(STMT(return)->expr);
			return true;
		case PLPGSQL_STMT_RETURN_NEXT:
			EACH(STMT(return_next)->expr);
			return true;
		case PLPGSQL_STMT_RETURN_QUERY:
			EACH(STMT(return_query)->query);
			EACH(STMT(return_query)->dynquery);
			EACH_OF(STMT(return_query)->params);
			return true;
		case PLPGSQL_STMT_RAISE:
			EACH_OF(STMT(raise)->params);
			foreach(lc, STMT(raise)->options)
				EACH(((PLpgSQL_raise_option *) lfirst(lc))->expr);
			return true;
		case PLPGSQL_STMT_ASSERT:
			EACH(STMT(assert)->cond);
			EACH(STMT(assert)->message);
			return true;
		case PLPGSQL_STMT_EXECSQL:
			EACH(STMT(execsql)->sqlstmt);
			return true;
		case PLPGSQL_STMT_DYNEXECUTE:
			EACH(STMT(dynexecute)->query);
			EACH_OF(STMT(dynexecute)->params);
			return true;
		case PLPGSQL_STMT_DYNFORS:
			EACH(STMT(dynfors)->query);
			EACH_OF(STMT(dynfors)->params);
			return true;
		case PLPGSQL_STMT_GETDIAG:
			return true;
		case PLPGSQL_STMT_OPEN:
			EACH(STMT(open)->argquery);
			EACH(STMT(open)->query);
			EACH(STMT(open)->dynquery);
			EACH_OF(STMT(open)->params);
			visit_cursor(function, STMT(open)->curvar, callback, arg);
			return true;
		case PLPGSQL_STMT_FETCH:
			EACH(STMT(fetch)->expr);
			return true;
		case PLPGSQL_STMT_CLOSE:
			return true;
		case PLPGSQL_STMT_PERFORM:
			EACH(STMT(perform)->expr);
			return true;
		case PLPGSQL_STMT_CALL:
			EACH(STMT(call)->expr);
			return true;
		case PLPGSQL_STMT_COMMIT:
		case PLPGSQL_STMT_ROLLBACK:
			return true;
		default:
			return false;
	}

#undef EACH
#undef EACH_OF
#undef STMT
}
