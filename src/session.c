/*-------------------------------------------------------------------------
 *
 * session.c
 *		Plans whose results depend on the session or on the clock.
 *
 * A STABLE function may use current_setting() or now(): one gives different
 * results to different sessions, the other to different transactions, and
 * neither tells anybody that it has changed.  What a query of a loader
 * computes from them must not be given to others, or (the clock) for a while
 * at most.  Other result caches know the problem as well: they refuse queries
 * with such functions.
 *
 * Only plans can be looked at.  An expression that PL/pgSQL evaluates by
 * itself, without a plan, escapes; so does a literal such as 'now'.
 *
 * current_user is not among them: entries are kept apart by role where it
 * matters (see key.c).
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "session.h"

static const struct
{
	Oid			function;
	const char *name;
	bool		clock;			/* else of the session, or the transaction */
}			functions[] = {
	{F_NOW, "now", true},
	{F_TRANSACTION_TIMESTAMP, "transaction_timestamp", true},
	{F_STATEMENT_TIMESTAMP, "statement_timestamp", true},
	{F_LO_GET_OID, "lo_get", true}, /* large objects cannot be watched */
	{F_LO_GET_OID_INT8_INT4, "lo_get", true},
	{F_CURRENT_SETTING_TEXT, "current_setting", false},
	{F_CURRENT_SETTING_TEXT_BOOL, "current_setting", false},
	{F_SESSION_USER, "session_user", false},
	{F_SYSTEM_USER, "system_user", false},
	{F_INET_CLIENT_ADDR, "inet_client_addr", false},
	{F_INET_CLIENT_PORT, "inet_client_port", false},
	{F_INET_SERVER_ADDR, "inet_server_addr", false},
	{F_INET_SERVER_PORT, "inet_server_port", false},
	{F_PG_BACKEND_PID, "pg_backend_pid", false},
	{F_PG_SHOW_ALL_SETTINGS, "pg_settings", false},
	{F_PG_PREPARED_STATEMENT, "pg_prepared_statements", false},
	{F_PG_CURSOR, "pg_cursors", false},
	{F_PG_LISTENING_CHANNELS, "pg_listening_channels", false},
	{F_PG_TRIGGER_DEPTH, "pg_trigger_depth", false},
	{F_CURRENT_SCHEMAS, "current_schemas", false},
	{F_CURRENT_QUERY, "current_query", false},
	{F_PG_MY_TEMP_SCHEMA, "pg_my_temp_schema", false},
	{F_PG_CLIENT_ENCODING, "pg_client_encoding", false},
	{F_TXID_CURRENT, "txid_current", false},
	{F_TXID_CURRENT_IF_ASSIGNED, "txid_current_if_assigned", false},
	{F_TXID_CURRENT_SNAPSHOT, "txid_current_snapshot", false},
	{F_PG_CURRENT_XACT_ID, "pg_current_xact_id", false},
	{F_PG_CURRENT_XACT_ID_IF_ASSIGNED, "pg_current_xact_id_if_assigned", false},
	{F_PG_CURRENT_SNAPSHOT, "pg_current_snapshot", false}
};

static void
note_use(SessionUse *use, const char *name, bool clock)
{
	if (clock)
		use->clock = name;
	else
		use->session = name;
}

static bool
inspect_function(Oid function, void *context)
{
	for (int i = 0; i < (int) lengthof(functions); i++)
	{
		if (functions[i].function == function)
			note_use((SessionUse *) context, functions[i].name,
					 functions[i].clock);
	}
	if (function >= FirstNormalObjectId &&
		isAnyTempNamespace(get_func_namespace(function)))
		note_use((SessionUse *) context, "a temporary function", false);
	return false;
}

static bool
inspect_expression(Node *node, SessionUse *use)
{
	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, inspect_function, use);
	if (IsA(node, SQLValueFunction))
	{
		switch (((SQLValueFunction *) node)->op)
		{
			case SVFOP_CURRENT_ROLE:
			case SVFOP_CURRENT_USER:
			case SVFOP_USER:
			case SVFOP_CURRENT_CATALOG:
			case SVFOP_CURRENT_SCHEMA:
				break;
			case SVFOP_SESSION_USER:
				note_use(use, "session_user", false);
				break;
			default:
				note_use(use, "current_timestamp", true);
				break;
		}
	}
	return expression_tree_walker(node, inspect_expression, use);
}

static void
inspect_list(List *expressions, SessionUse *use)
{
	(void) inspect_expression((Node *) expressions, use);
}

static void inspect_plan(Plan *plan, SessionUse *use);

static void
inspect_plans(List *plans, SessionUse *use)
{
	ListCell   *lc;

	foreach(lc, plans)
		inspect_plan(lfirst(lc), use);
}

/* The expressions and children that only some kinds of nodes have. */
static void
inspect_node(Plan *plan, SessionUse *use)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			(void) inspect_expression(((Result *) plan)->resconstantqual, use);
			break;
		case T_IndexScan:
			inspect_list(((IndexScan *) plan)->indexqualorig, use);
			inspect_list(((IndexScan *) plan)->indexorderbyorig, use);
			break;
		case T_IndexOnlyScan:
			inspect_list(((IndexOnlyScan *) plan)->indexqual, use);
			inspect_list(((IndexOnlyScan *) plan)->indexorderby, use);
			break;
		case T_BitmapIndexScan:
			inspect_list(((BitmapIndexScan *) plan)->indexqualorig, use);
			break;
		case T_TidScan:
			inspect_list(((TidScan *) plan)->tidquals, use);
			break;
		case T_TidRangeScan:
			inspect_list(((TidRangeScan *) plan)->tidrangequals, use);
			break;
		case T_SampleScan:
			(void) inspect_expression((Node *) ((SampleScan *) plan)->tablesample, use);
			break;
		case T_FunctionScan:
			inspect_list(((FunctionScan *) plan)->functions, use);
			break;
		case T_ValuesScan:
			inspect_list(((ValuesScan *) plan)->values_lists, use);
			break;
		case T_TableFuncScan:
			(void) inspect_expression((Node *) ((TableFuncScan *) plan)->tablefunc, use);
			break;
		case T_ForeignScan:
			inspect_list(((ForeignScan *) plan)->fdw_exprs, use);
			break;
		case T_CustomScan:
			inspect_list(((CustomScan *) plan)->custom_exprs, use);
			inspect_plans(((CustomScan *) plan)->custom_plans, use);
			break;
		case T_NestLoop:
			inspect_list(((Join *) plan)->joinqual, use);
			break;
		case T_MergeJoin:
			inspect_list(((Join *) plan)->joinqual, use);
			inspect_list(((MergeJoin *) plan)->mergeclauses, use);
			break;
		case T_HashJoin:
			inspect_list(((Join *) plan)->joinqual, use);
			inspect_list(((HashJoin *) plan)->hashclauses, use);
			break;
		case T_WindowAgg:
			(void) inspect_expression(((WindowAgg *) plan)->startOffset, use);
			(void) inspect_expression(((WindowAgg *) plan)->endOffset, use);
			inspect_list(((WindowAgg *) plan)->runCondition, use);
			break;
		case T_Limit:
			(void) inspect_expression(((Limit *) plan)->limitOffset, use);
			(void) inspect_expression(((Limit *) plan)->limitCount, use);
			break;
		case T_SubqueryScan:
			inspect_plan(((SubqueryScan *) plan)->subplan, use);
			break;
		case T_Append:
			inspect_plans(((Append *) plan)->appendplans, use);
			break;
		case T_MergeAppend:
			inspect_plans(((MergeAppend *) plan)->mergeplans, use);
			break;
		case T_BitmapAnd:
			inspect_plans(((BitmapAnd *) plan)->bitmapplans, use);
			break;
		case T_BitmapOr:
			inspect_plans(((BitmapOr *) plan)->bitmapplans, use);
			break;
		default:
			break;
	}
}

static void
inspect_plan(Plan *plan, SessionUse *use)
{
	if (plan == NULL)
		return;
	inspect_list(plan->targetlist, use);
	inspect_list(plan->qual, use);
	inspect_node(plan, use);
	inspect_plan(plan->lefttree, use);
	inspect_plan(plan->righttree, use);
}

/*
 * Find out whether a plan calls functions of the clock or of the session.
 */
void
session_inspect(PlannedStmt *plan, SessionUse *use)
{
	use->clock = NULL;
	use->session = NULL;
	inspect_plan(plan->planTree, use);
	inspect_plans(plan->subplans, use);
}
