/*-------------------------------------------------------------------------
 *
 * compiled.c
 *		What PL/pgSQL has compiled, and for whom.
 *
 * PL/pgSQL keeps for the session what it has compiled: a function's variables
 * and their types, and each expression, analysed and planned when it was first
 * evaluated.  That may have been in a direct call, under the caller's
 * search_path, TimeZone and temporary objects: 'timestamptz ''2020-01-01''' is
 * a constant by then, a type may be a temporary one, and an IMMUTABLE function
 * has been folded.  A load that reused it would give everybody what one
 * session has made of it.
 *
 * So a load runs only what was compiled in a load, under the settings that are
 * recorded with its cache, and since the last DDL.  While it runs, a plugin of
 * PL/pgSQL looks at each function as it is entered, and at the expressions of
 * each statement before and after it is executed for the first time (keptexpr.c).
 * What has been looked at has a label (label.c).
 *
 * A function that was not compiled in such a load cannot be made anew while it
 * runs.  It is labelled as outdated, and the load is run once more (loader.c).
 * For the loader itself that is seen to before it is called.
 *
 * Outside of loads the plugin is not there, and calls cost what they did.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/settings.h"
#include "depend/compiled.h"
#include "depend/inspect.h"
#include "depend/keptexpr.h"
#include "depend/label.h"
#include "depend/loads.h"
#include "depend/plexpr.h"
#include "depend/routine.h"
#include "depend/spoken.h"
#include "protocol/catalogs.h"
#include "protocol/pending.h"

/* In fn_cxt of a function. */
typedef struct FunctionLabel
{
	Label		label;
	Reasons		why;			/* not to store what it gives: its variables */
	bool		to_time;		/* some of its variables can be times */
	uint64		load;			/* of the flags: the number of a load */
	unsigned int nstatements;
	bool	   *checked;		/* statements that need not be looked at again
								 * in this load */
} FunctionLabel;

/* In portalContext of a cursor. */
typedef struct CursorLabel
{
	Label		label;
	uint64		load;			/* that has opened it */
} CursorLabel;

/* A call in progress of a PL/pgSQL function, inside a load. */
typedef struct Activation
{
	PLpgSQL_execstate *estate;
	PLpgSQL_function *function;
	FunctionLabel *label;
	Load	   *load;
	uint64		deviation;		/* of the settings from the cache's */
	Made		now;			/* what is made in it is made under; at its
								 * beginning, so that DDL since then shows */
	bool		tainted;		/* a load of another cache's has failed inside */
	int			nestlevel;		/* of transactions, at its beginning */
	struct Activation *outer;
} Activation;

static Activation *activations = NULL;

/* The pointer that PL/pgSQL looks at, and what it pointed to before us. */
static PLpgSQL_plugin **plugin_pointer = NULL;
static PLpgSQL_plugin *other_plugin = NULL;

static void compiled_setup(PLpgSQL_execstate *estate, PLpgSQL_function *function);
static void compiled_begin(PLpgSQL_execstate *estate, PLpgSQL_function *function);
static void compiled_end(PLpgSQL_execstate *estate, PLpgSQL_function *function);
static void compiled_before(PLpgSQL_execstate *estate, PLpgSQL_stmt *stmt);
static void compiled_after(PLpgSQL_execstate *estate, PLpgSQL_stmt *stmt);

static PLpgSQL_plugin our_plugin = {
	.func_setup = compiled_setup,
	.func_beg = compiled_begin,
	.func_end = compiled_end,
	.stmt_beg = compiled_before,
	.stmt_end = compiled_after
};

/*-------------------------------------------------------------------------
 * Labels
 *-------------------------------------------------------------------------
 */

/* See label.c. */
static void
function_tag(void *arg)
{
}

static void
cursor_tag(void *arg)
{
}

/* Key functions run in sessions that may not have heard of all DDL. */
#define MADE_FOR_KEYS	UINT64CONST(0x9e3779b97f4a7c15)

/* Nor is it known in loads whose results are not stored for that. */
#define MADE_UNSETTLED	(UINT64CONST(1) << 63)

/*
 * What is made now.  Where it is not known whether this session has heard of
 * all DDL, a load's result is not stored; but it has to be that of the recorded
 * settings all the same, so what such loads run is kept apart from what others
 * do.
 */
static void
made_now(Made *made)
{
	made->settings = current_load->def->made_under;
	made->settings ^= activations != NULL && activations->load == current_load ?
		activations->deviation : current_load->deviation;
	made->own_ddl = pending_ddl_commands();
	if (current_load->keys)
	{
		made->settings ^= MADE_FOR_KEYS;
		made->ddl = catalogs_changes() + 1;
	}
	else
		made->ddl = catalogs_state();
	if (made->ddl == 0)
	{
		current_load->unsettled = true;
		made->ddl = MADE_UNSETTLED | catalogs_heard();
	}
}

/*-------------------------------------------------------------------------
 * Statements
 *-------------------------------------------------------------------------
 */

/* The cursor that a variable names, NULL: none. */
static Portal
cursor_of(PLpgSQL_execstate *estate, int cursor)
{
	PLpgSQL_datum *datum = estate->datums[cursor];
	PLpgSQL_var *var = (PLpgSQL_var *) datum;

	if (datum->dtype != PLPGSQL_DTYPE_VAR || var->isnull)
		return NULL;
	return SPI_cursor_find(TextDatumGetCString(var->value));
}

/* What statements depend on that have no expression that would tell. */
static void
note_statement(PLpgSQL_execstate *estate, PLpgSQL_stmt *stmt)
{
	ListCell   *lc;
	Portal		portal;
	CursorLabel *cursor;
	const char *value;

	switch (stmt->cmd_type)
	{
		case PLPGSQL_STMT_GETDIAG:
			foreach(lc, ((PLpgSQL_stmt_getdiag *) stmt)->diag_items)
			{
				if (((PLpgSQL_diag_item *) lfirst(lc))->kind == PLPGSQL_GETDIAG_CONTEXT)
					loads_note(REASON_SESSION, REASON_PG_CONTEXT);
			}
			break;
		case PLPGSQL_STMT_FETCH:
			portal = cursor_of(estate, ((PLpgSQL_stmt_fetch *) stmt)->curvar);
			cursor = portal == NULL ? NULL :
				(CursorLabel *) label_find(portal->portalContext, cursor_tag);
			if (portal != NULL &&
				(cursor == NULL || cursor->load != current_load->number))
				loads_note(REASON_SESSION, REASON_CURSOR);
			break;
		case PLPGSQL_STMT_ASSERT:
			value = GetConfigOption("plpgsql.check_asserts", true, false);
			if (value != NULL && strcmp(value, "on") != 0)
				loads_note(REASON_SESSION, REASON_ASSERT);
			break;
		default:
			break;
	}
}

static void
activation_pop(void)
{
	if (activations->load->trusted_by == activations)
		activations->load->trusted_by = NULL;
	activations = activations->outer;
}

/* The activation of this call; NULL: it has begun before the load. */
static Activation *
activation_find(PLpgSQL_execstate *estate)
{
	return activations != NULL && activations->estate == estate ?
		activations : NULL;
}

static bool *
statement_flag(Activation *activation, PLpgSQL_stmt *stmt)
{
	FunctionLabel *label = activation->label;

	if (label == NULL || label->load != current_load->number ||
		stmt->stmtid >= label->nstatements)
		return NULL;
	return &label->checked[stmt->stmtid];
}

/* What looking at the expressions of a statement in this call needs */
static KeptLook
look_of(const Activation *activation)
{
	KeptLook	look = {
		.now = &activation->now,
		.to_time = activation->label == NULL || activation->label->to_time,
		.tainted = activation->tainted,
		.complete = true
	};

	return look;
}

/* Before a statement of this call is executed; checked: its flag, or NULL */
static void
look_before(Activation *activation, PLpgSQL_stmt *stmt, bool *checked)
{
	KeptLook	look = look_of(activation);

	if (GUARD_REMOVED("compiled"))
		look.complete = false;
	else if (!plexpr_visit(activation->function, stmt, keptexpr_before, &look))
		loads_note(REASON_OPAQUE, activation->function->fn_oid);
	note_statement(activation->estate, stmt);
	if (checked != NULL)
		*checked = look.complete && stmt->cmd_type != PLPGSQL_STMT_OPEN &&
			stmt->cmd_type != PLPGSQL_STMT_FETCH;
}

/* The same afterwards */
static void
look_after(Activation *activation, PLpgSQL_stmt *stmt, bool *checked)
{
	KeptLook	look = look_of(activation);
	Portal		portal;

	if (!plexpr_visit(activation->function, stmt, keptexpr_after, &look))
		look.complete = false;
	if (stmt->cmd_type == PLPGSQL_STMT_OPEN)
	{
		portal = cursor_of(activation->estate, ((PLpgSQL_stmt_open *) stmt)->curvar);
		if (portal != NULL)
			((CursorLabel *) label_make(portal->portalContext, cursor_tag,
									  sizeof(CursorLabel), &activation->now))->load =
				current_load->number;
		look.complete = false;
	}
	if (stmt->cmd_type == PLPGSQL_STMT_FETCH)
		look.complete = false;
	if (checked != NULL)
		*checked = look.complete;
}

/* Look at a statement in a load, unless there is nothing new about it. */
static void
look_at(PLpgSQL_execstate *estate, PLpgSQL_stmt *stmt,
		void (*look) (Activation *activation, PLpgSQL_stmt *stmt, bool *checked))
{
	Activation *activation = activation_find(estate);
	bool	   *checked;

	if (current_load == NULL || activation == NULL)
		return;
	checked = statement_flag(activation, stmt);
	if (checked == NULL || !*checked)
		look(activation, stmt, checked);
}

static void
compiled_before(PLpgSQL_execstate *estate, PLpgSQL_stmt *stmt)
{
	look_at(estate, stmt, look_before);
	if (other_plugin != NULL && other_plugin->stmt_beg)
		other_plugin->stmt_beg(estate, stmt);
}

static void
compiled_after(PLpgSQL_execstate *estate, PLpgSQL_stmt *stmt)
{
	look_at(estate, stmt, look_after);
	if (other_plugin != NULL && other_plugin->stmt_end)
		other_plugin->stmt_end(estate, stmt);
}

/*-------------------------------------------------------------------------
 * Functions
 *-------------------------------------------------------------------------
 */

/*
 * What assigning to a variable of this type may call: PL/pgSQL casts by itself,
 * where no expression tells.
 */
static void
inspect_casts(Oid type, Reasons *why)
{
	Relation	casts;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			input;
	Oid			param;

	if (type != TIMETZOID && type < FirstNormalObjectId)
		return;
	if (get_typtype(type) == TYPTYPE_PSEUDO)
		return;
	getTypeInputInfo(type, &input, &param);
	inspect_routine(input, loads_trusted, why);
	casts = table_open(CastRelationId, AccessShareLock);
	scan = systable_beginscan(casts, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_cast cast = (Form_pg_cast) GETSTRUCT(tuple);

		if (cast->casttarget == type && OidIsValid(cast->castfunc))
		{
			inspect_routine(cast->castfunc, loads_trusted, why);
			spoken_note_mentions(cast->castfunc, why);
		}
	}
	systable_endscan(scan);
	table_close(casts, AccessShareLock);
}

/* What a function is compiled into depends on the types of its variables. */
static void
inspect_variables(PLpgSQL_function *function, FunctionLabel *label)
{
	label->to_time = inspect_holds_time(function->fn_rettype);
	for (int i = 0; i < function->ndatums; i++)
	{
		PLpgSQL_datum *datum = function->datums[i];
		PLpgSQL_type *type = NULL;

		if (datum->dtype == PLPGSQL_DTYPE_VAR ||
			datum->dtype == PLPGSQL_DTYPE_PROMISE)
			type = ((PLpgSQL_var *) datum)->datatype;
		else if (datum->dtype == PLPGSQL_DTYPE_REC)
		{
			/* of a type, or of none in particular */
			type = ((PLpgSQL_rec *) datum)->datatype;
			label->to_time = true;
		}
		if (type == NULL)
			continue;
		label->to_time |= inspect_holds_time(type->typoid);
		inspect_type(type->typoid, loads_trusted, &label->why);
		inspect_casts(type->typoid, &label->why);
	}
	if (get_typtype(function->fn_rettype) != TYPTYPE_PSEUDO)
		inspect_type(function->fn_rettype, loads_trusted, &label->why);
	inspect_casts(function->fn_rettype, &label->why);
}

/*
 * Has the function been compiled since this load began, or since one inside it
 * did?  New memory contexts are put in front of what their parent has.
 */
static bool
is_fresh(PLpgSQL_function *function)
{
	MemoryContext context = CACHE_PLPGSQL_PARENT->firstchild;

	while (context != NULL && context != loads_boundary)
	{
		if (context == function->fn_cxt)
			return true;
		context = context->nextchild;
	}
	return false;
}

/* Whoever calls the function next compiles it anew. */
static void
outdate(PLpgSQL_function *function)
{
	cache_plpgsql_xmin(function) = InvalidTransactionId;
	current_load->stale = true;
}

/* The label of a function that this load may run; NULL if it may not. */
static FunctionLabel *
function_label(PLpgSQL_function *function)
{
	Made		now;
	FunctionLabel *label = (FunctionLabel *) label_find(function->fn_cxt, function_tag);

	made_now(&now);
	if (label == NULL && is_fresh(function))
	{
		label = (FunctionLabel *) label_make(function->fn_cxt, function_tag,
										  sizeof(FunctionLabel), &now);
		if (OidIsValid(function->fn_oid))
			inspect_routine(function->fn_oid, loads_trusted, &label->why);
		inspect_variables(function, label);
		label->nstatements = function->nstatements + 1;
		label->checked = MemoryContextAllocZero(function->fn_cxt,
											   label->nstatements);
	}
	return label != NULL && label_equals(&label->label.made, &now) ? label : NULL;
}

static void
copy_services(void)
{
	if (other_plugin == NULL)
		return;
	other_plugin->error_callback = our_plugin.error_callback;
	other_plugin->assign_expr = our_plugin.assign_expr;
	other_plugin->assign_value = our_plugin.assign_value;
	other_plugin->eval_datum = our_plugin.eval_datum;
	other_plugin->cast_value = our_plugin.cast_value;
}

static void
compiled_setup(PLpgSQL_execstate *estate, PLpgSQL_function *function)
{
	Activation *activation;
	bool		trusted;

	copy_services();
	if (other_plugin != NULL && other_plugin->func_setup)
		other_plugin->func_setup(estate, function);
	if (current_load == NULL)
		return;

	loads_note_search_path();
	activation = palloc(sizeof(Activation));
	activation->estate = estate;
	activation->function = function;
	activation->load = current_load;
	activation->deviation = current_load->deviation;
	if (current_load->prepared == function)
		current_load->prepared = NULL;	/* just now, under the load's settings */
	else if (!GUARD_REMOVED("settings"))
		activation->deviation = settings_deviation(&current_load->def->settings);
	activation->tainted = false;
	activation->nestlevel = GetCurrentTransactionNestLevel();
	activation->outer = activations;
	activations = activation;
	made_now(&activation->now);
	activation->label = function_label(function);
	if (activation->label != NULL)
		loads_note_all(&activation->label->why);
	trusted = loads_trusted(function->fn_oid);
	if (activation->label == NULL && !GUARD_REMOVED("compiled"))
		outdate(function);
	else if (activation->label != NULL &&
			 activation->label->load != current_load->number)
	{
		memset(activation->label->checked, false, activation->label->nstatements);
		activation->label->load = current_load->number;
	}
	if (trusted && current_load->trusted_by == NULL)
		current_load->trusted_by = activation;
}

static void
compiled_begin(PLpgSQL_execstate *estate, PLpgSQL_function *function)
{
	if (other_plugin != NULL && other_plugin->func_beg)
		other_plugin->func_beg(estate, function);
}

static void
compiled_end(PLpgSQL_execstate *estate, PLpgSQL_function *function)
{
	if (activation_find(estate) != NULL)
		activation_pop();
	if (other_plugin != NULL && other_plugin->func_end)
		other_plugin->func_end(estate, function);
}

/*
 * A load begins, or a key function is called: look at what PL/pgSQL does from
 * here on.  Gives what compiled_leave wants.
 */
void *
compiled_enter(void)
{
	Activation *before = activations;

	if (plugin_pointer == NULL)
		plugin_pointer = (PLpgSQL_plugin **) find_rendezvous_variable("PLpgSQL_plugin");
	if (*plugin_pointer != &our_plugin)
	{
		other_plugin = *plugin_pointer;
		*plugin_pointer = &our_plugin;
		activations = NULL;
		before = NULL;
	}
	return before;
}

/*
 * It has ended, also by an error.  The plugin goes with the outermost one.
 */
void
compiled_leave(void *before)
{
	activations = before;
	if (current_load == NULL && plugin_pointer != NULL &&
		*plugin_pointer == &our_plugin)
		*plugin_pointer = other_plugin;
}

/*
 * The loader is about to be called, with these settings in force: if it is of
 * PL/pgSQL and was compiled elsewhere, let it be compiled anew.
 */
void
compiled_prepare(FunctionCallInfo fcinfo)
{
	static PLpgSQL_function *(*compile) (FunctionCallInfo, bool) = NULL;
	static PGFunction handler = NULL;
	LOCAL_FCINFO(call, FUNC_MAX_ARGS);
	FmgrInfo	flinfo = *fcinfo->flinfo;
	PLpgSQL_function *function;

	if (handler == NULL)
	{
		handler = load_external_function("$libdir/plpgsql",
										 "plpgsql_call_handler", true, NULL);
		compile = (PLpgSQL_function *(*) (FunctionCallInfo, bool))
			load_external_function("$libdir/plpgsql", "plpgsql_compile", true, NULL);
	}

	/* A function with settings or a role of its own is compiled under them. */
	if (flinfo.fn_addr != handler || GUARD_REMOVED("compiled"))
		return;

	/*
	 * The one that it was last time, if that has a label for this load?  Else it
	 * is none of these that is called: PL/pgSQL never frees the struct itself.
	 */
	function = flinfo.fn_extra;
	if (function != NULL && function->fn_cxt != NULL &&
		label_find(function->fn_cxt, function_tag) != NULL &&
		function_label(function) != NULL)
	{
		current_load->prepared = function;
		return;
	}
	memcpy(call, fcinfo, SizeForFunctionCallInfo(fcinfo->nargs));
	flinfo.fn_extra = NULL;
	flinfo.fn_mcxt = CurrentMemoryContext;
	call->flinfo = &flinfo;
	function = compile(call, false);
	if (function_label(function) == NULL)
	{
		outdate(function);
		flinfo.fn_extra = NULL;
		function = compile(call, false);
		(void) function_label(function);
		current_load->stale = false;
	}
	current_load->prepared = function;

	/* Else it would be compiled once more in place of what this has kept. */
	fcinfo->flinfo->fn_extra = function;
}

/*
 * A load has ended with an error: what it has made may have no label.
 */
void
compiled_failed(void *before)
{
	for (Activation *outer = before; outer != NULL; outer = outer->outer)
		outer->tainted = true;
	compiled_leave(before);
}

/*
 * A subtransaction of this level has ended with an error, and with it all calls
 * that began in it.
 */
void
compiled_subabort(int nestlevel)
{
	while (activations != NULL && activations->nestlevel >= nestlevel)
		activation_pop();
}

/*
 * The transaction has ended: whatever was in progress is not any more.
 */
void
compiled_reset(void)
{
	activations = NULL;
	compiled_leave(NULL);
}
