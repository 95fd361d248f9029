/*-------------------------------------------------------------------------
 *
 * routine.c
 *		What is known of a function without looking into it.
 *
 * A result can be kept only if everything that it depends on is known.  Of a
 * function that means:
 *
 *	SQL and PL/pgSQL	looked into: its plans and expressions are inspected
 *						when they run (plans.c, compiled.c).
 *	IMMUTABLE			believed, as the planner does.
 *	PostgreSQL's own	STABLE ones are known one by one: the list below has
 *						those whose result depends on arguments, catalogs, the
 *						role and recorded settings alone.  What is not on it,
 *						a function of a later release for instance, is not
 *						trusted.
 *	others				C of other extensions, other languages: nobody can see
 *						what they depend on.
 *	VOLATILE			the result can differ from call to call; moreover such
 *						a function sees newer rows than its caller.
 *
 * Functions of PostgreSQL are told by the names of their C functions: these
 * are unique, and the same in all releases.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/extension.h"
#include "depend/literal.h"
#include "depend/routine.h"

/* What has been found out about a function. */
typedef struct Routine
{
	Oid			function;		/* hash key */
	RoutineKind kind;
	bool		aggregate;
	bool		names_temp;		/* its source speaks of pg_temp */
	bool		users;			/* a user's, in SQL or PL/pgSQL */
	bool		sql;			/* a user's, in SQL */
	bool		says_now;		/* and its text has such a word */
	bool		noted;			/* see dependency.c */
} Routine;

/*
 * The kinds of PostgreSQL's own functions, which most calls are of, by their
 * OIDs: 1 + the kind, 0 if it is not known yet.
 */
static uint8 own_kinds[FirstGenbkiObjectId];
static bool own_kinds_known = false;	/* any of them */

static HTAB *routines = NULL;

/* PL/pgSQL and SQL */
static const char *const looked_into[] = {"plpgsql", "sql"};

/*
 * Functions whose result is another one in another session, or transaction: some
 * speak the session's language (lc_messages).  In the order of their bytes, as
 * the lists below.
 */
static const char *const of_session[] = {
	"current_query", "currval_oid", "inet_client_addr", "inet_client_port",
	"inet_server_addr", "inet_server_port", "lastval", "pg_backend_pid",
	"pg_client_encoding", "pg_current_snapshot", "pg_current_xact_id",
	"pg_current_xact_id_if_assigned", "pg_cursor", "pg_describe_object",
	"pg_event_trigger_ddl_commands", "pg_event_trigger_dropped_objects",
	"pg_event_trigger_table_rewrite_oid",
	"pg_event_trigger_table_rewrite_reason", "pg_export_snapshot",
	"pg_get_keywords", "pg_input_error_info", "pg_listening_channels",
	"pg_prepared_statement", "pg_trigger_depth", "row_security_active",
	"row_security_active_name", "session_user", "set_config_by_name",
	"show_all_settings", "show_config_by_name",
	"show_config_by_name_missing_ok", "system_user"
};

/*
 * Functions whose result depends on whether there are temporary objects: also
 * those that look a name up, which may be that of one.
 */
static const char *const of_temporary[] = {
	"current_schemas", "has_any_column_privilege_id_name",
	"has_any_column_privilege_name", "has_any_column_privilege_name_name",
	"has_column_privilege_id_name_attnum", "has_column_privilege_id_name_name",
	"has_column_privilege_name_attnum", "has_column_privilege_name_name",
	"has_column_privilege_name_name_attnum",
	"has_column_privilege_name_name_name", "has_function_privilege_id_name",
	"has_function_privilege_name", "has_function_privilege_name_name",
	"has_sequence_privilege_id_name", "has_sequence_privilege_name",
	"has_sequence_privilege_name_name", "has_table_privilege_id_name",
	"has_table_privilege_name", "has_table_privilege_name_name",
	"has_type_privilege_id_name", "has_type_privilege_name",
	"has_type_privilege_name_name", "pg_get_object_address",
	"pg_get_serial_sequence", "pg_get_viewdef_name", "pg_get_viewdef_name_ext",
	"pg_input_is_valid", "pg_is_other_temp_schema", "pg_my_temp_schema",
	"pg_table_is_visible", "pg_type_is_visible", "regclassin",
	"regcollationin", "regconfigin", "regdictionaryin", "regoperatorin",
	"regoperin", "regprocedurein", "regprocin", "regtypein", "text_regclass",
	"to_regclass", "to_regcollation", "to_regoper", "to_regoperator",
	"to_regproc", "to_regprocedure", "to_regtype", "to_regtypemod",
	"ts_parse_byname", "ts_token_type_byname"
};

/* Functions of the time, also those that read a zone's present offset. */
static const char *const of_clock[] = {
	"clock_timestamp", "now", "pg_timezone_abbrevs",
	"pg_timezone_abbrevs_abbrevs", "pg_timezone_abbrevs_zone",
	"pg_timezone_names", "statement_timestamp", "time_timetz", "timeofday",
	"timetz_at_local", "timetz_in", "timetz_zone"
};

/*
 * Functions that read the server's state: some are declared IMMUTABLE; version()
 * is another one after an update, which Redis outlives.
 */
static const char *const of_state[] = {
	"pg_walfile_name", "pg_walfile_name_offset", "pgsql_version"
};

/* VOLATILE ones whose results nobody uses: of giving back what was taken. */
static const char *const harmless[] = {
	"pg_advisory_unlock_int4", "pg_advisory_unlock_int8",
	"pg_advisory_unlock_shared_int4", "pg_advisory_unlock_shared_int8"
};

/* STABLE functions that depend on what is known. */
static const char *const known[] = {
	"PG_char_to_encoding", "PG_encoding_to_char", "aggregate_dummy",
	"anyarray_out", "anyarray_send", "anycompatiblearray_out",
	"anycompatiblearray_send", "anycompatiblemultirange_in",
	"anycompatiblemultirange_out", "anycompatiblerange_in",
	"anycompatiblerange_out", "anyenum_out", "anymultirange_in",
	"anymultirange_out", "anyrange_in", "anyrange_out", "array_in",
	"array_out", "array_send", "array_to_json", "array_to_json_pretty",
	"array_to_text", "array_to_text_null", "bpcharsend",
	"brin_bloom_summary_send", "brin_minmax_multi_summary_send", "cash_in",
	"cash_numeric", "cash_out", "cstring_send", "current_database",
	"current_user", "date_cmp_timestamptz", "date_eq_timestamptz",
	"date_ge_timestamptz", "date_gt_timestamptz", "date_in",
	"date_le_timestamptz", "date_lt_timestamptz", "date_ne_timestamptz",
	"date_out", "date_timestamptz", "domain_in", "enum_first", "enum_in",
	"enum_last", "enum_out", "enum_range_all", "enum_range_bounds",
	"enum_send", "extract_timestamptz", "float4_to_char", "float8_to_char",
	"generate_series_timestamptz", "generate_series_timestamptz_at_zone",
	"get_current_ts_config", "getdatabaseencoding",
	"in_range_timestamptz_interval", "int4_cash", "int4_to_char", "int8_cash",
	"int8_to_char", "interval_in", "interval_out", "interval_to_char",
	"json_agg_strict_transfn", "json_agg_transfn", "json_build_array",
	"json_build_array_noargs", "json_build_object", "json_build_object_noargs",
	"json_object_agg_strict_transfn", "json_object_agg_transfn",
	"json_object_agg_unique_strict", "json_object_agg_unique_strict_transfn",
	"json_object_agg_unique_transfn", "json_populate_record",
	"json_populate_recordset", "json_string_to_tsvector", "json_to_record",
	"json_to_recordset", "json_to_tsvector", "jsonb_agg_finalfn",
	"jsonb_agg_strict_transfn", "jsonb_agg_transfn", "jsonb_build_array",
	"jsonb_build_array_noargs", "jsonb_build_object",
	"jsonb_build_object_noargs", "jsonb_object_agg_finalfn",
	"jsonb_object_agg_strict_transfn", "jsonb_object_agg_transfn",
	"jsonb_object_agg_unique_strict_transfn",
	"jsonb_object_agg_unique_transfn", "jsonb_path_exists_tz",
	"jsonb_path_match_tz", "jsonb_path_query_array_tz",
	"jsonb_path_query_first_tz", "jsonb_path_query_tz",
	"jsonb_populate_record", "jsonb_populate_recordset",
	"jsonb_string_to_tsvector", "jsonb_to_record", "jsonb_to_recordset",
	"jsonb_to_tsvector", "length_in_encoding", "make_timestamptz",
	"make_timestamptz_at_timezone", "multirange_in", "multirange_out",
	"multirange_send", "namesend", "numeric_cash", "numeric_to_char",
	"numeric_to_number", "pg_convert", "pg_convert_from", "pg_convert_to",
	"pg_dependencies_send", "pg_get_catalog_foreign_keys", "pg_mcv_list_send",
	"pg_ndistinct_send", "pg_node_tree_send", "pg_options_to_table",
	"pg_settings_get_flags", "phraseto_tsquery", "plainto_tsquery", "range_in",
	"range_out", "range_send", "record_in", "record_out", "record_send",
	"regconfigout", "regdictionaryout", "row_to_json", "row_to_json_pretty",
	"text_concat", "text_concat_ws", "text_format", "text_format_nv",
	"textsend", "texttoxml", "time_in", "timestamp_at_local",
	"timestamp_cmp_timestamptz", "timestamp_eq_timestamptz",
	"timestamp_ge_timestamptz", "timestamp_gt_timestamptz", "timestamp_in",
	"timestamp_le_timestamptz", "timestamp_lt_timestamptz",
	"timestamp_ne_timestamptz", "timestamp_out", "timestamp_timestamptz",
	"timestamp_to_char", "timestamptz_at_local", "timestamptz_cmp_date",
	"timestamptz_cmp_timestamp", "timestamptz_date", "timestamptz_eq_date",
	"timestamptz_eq_timestamp", "timestamptz_ge_date",
	"timestamptz_ge_timestamp", "timestamptz_gt_date",
	"timestamptz_gt_timestamp", "timestamptz_in", "timestamptz_le_date",
	"timestamptz_le_timestamp", "timestamptz_lt_date",
	"timestamptz_lt_timestamp", "timestamptz_mi_interval",
	"timestamptz_mi_interval_at_zone", "timestamptz_ne_date",
	"timestamptz_ne_timestamp", "timestamptz_out", "timestamptz_part",
	"timestamptz_pl_interval", "timestamptz_pl_interval_at_zone",
	"timestamptz_time", "timestamptz_timestamp", "timestamptz_timetz",
	"timestamptz_to_char", "timestamptz_trunc", "timestamptz_trunc_zone",
	"to_date", "to_json", "to_jsonb", "to_timestamp", "to_tsquery",
	"to_tsvector", "ts_headline", "ts_headline_json", "ts_headline_json_opt",
	"ts_headline_jsonb", "ts_headline_jsonb_opt", "ts_headline_opt",
	"ts_match_tq", "ts_match_tt", "varcharsend", "websearch_to_tsquery",
	"xml_in", "xml_is_well_formed", "xml_send"
};

/*
 * Such functions that tell what catalogs say of objects which nothing else may
 * speak of.  Those that look a name up (of_temporary) do so, too.
 */
static const char *const of_catalogs[] = {
	"aclexplode", "aclitemin", "aclitemout", "current_schema",
	"database_to_xml", "database_to_xml_and_xmlschema",
	"database_to_xmlschema", "format_type", "has_any_column_privilege_id",
	"has_any_column_privilege_id_id", "has_any_column_privilege_name_id",
	"has_column_privilege_id_attnum", "has_column_privilege_id_id_attnum",
	"has_column_privilege_id_id_name", "has_column_privilege_id_name",
	"has_column_privilege_name_id_attnum", "has_column_privilege_name_id_name",
	"has_database_privilege_id", "has_database_privilege_id_id",
	"has_database_privilege_id_name", "has_database_privilege_name",
	"has_database_privilege_name_id", "has_database_privilege_name_name",
	"has_foreign_data_wrapper_privilege_id",
	"has_foreign_data_wrapper_privilege_id_id",
	"has_foreign_data_wrapper_privilege_id_name",
	"has_foreign_data_wrapper_privilege_name",
	"has_foreign_data_wrapper_privilege_name_id",
	"has_foreign_data_wrapper_privilege_name_name",
	"has_function_privilege_id", "has_function_privilege_id_id",
	"has_function_privilege_name_id", "has_language_privilege_id",
	"has_language_privilege_id_id", "has_language_privilege_id_name",
	"has_language_privilege_name", "has_language_privilege_name_id",
	"has_language_privilege_name_name", "has_largeobject_privilege_id",
	"has_largeobject_privilege_id_id", "has_largeobject_privilege_name_id",
	"has_parameter_privilege_id_name", "has_parameter_privilege_name",
	"has_parameter_privilege_name_name", "has_schema_privilege_id",
	"has_schema_privilege_id_id", "has_schema_privilege_id_name",
	"has_schema_privilege_name", "has_schema_privilege_name_id",
	"has_schema_privilege_name_name", "has_sequence_privilege_id",
	"has_sequence_privilege_id_id", "has_sequence_privilege_name_id",
	"has_server_privilege_id", "has_server_privilege_id_id",
	"has_server_privilege_id_name", "has_server_privilege_name",
	"has_server_privilege_name_id", "has_server_privilege_name_name",
	"has_table_privilege_id", "has_table_privilege_id_id",
	"has_table_privilege_name_id", "has_tablespace_privilege_id",
	"has_tablespace_privilege_id_id", "has_tablespace_privilege_id_name",
	"has_tablespace_privilege_name", "has_tablespace_privilege_name_id",
	"has_tablespace_privilege_name_name", "has_type_privilege_id",
	"has_type_privilege_id_id", "has_type_privilege_name_id", "oidvectortypes",
	"pg_basetype", "pg_collation_for", "pg_collation_is_visible",
	"pg_column_is_updatable", "pg_conversion_is_visible",
	"pg_function_is_visible", "pg_get_acl", "pg_get_constraintdef",
	"pg_get_constraintdef_ext", "pg_get_expr", "pg_get_expr_ext",
	"pg_get_function_arg_default", "pg_get_function_arguments",
	"pg_get_function_identity_arguments", "pg_get_function_result",
	"pg_get_function_sqlbody", "pg_get_functiondef", "pg_get_indexdef",
	"pg_get_indexdef_ext", "pg_get_partition_constraintdef",
	"pg_get_partkeydef", "pg_get_publication_tables",
	"pg_get_replica_identity_index", "pg_get_ruledef", "pg_get_ruledef_ext",
	"pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
	"pg_get_statisticsobjdef_expressions", "pg_get_triggerdef",
	"pg_get_triggerdef_ext", "pg_get_userbyid", "pg_get_viewdef",
	"pg_get_viewdef_ext", "pg_get_viewdef_wrap", "pg_has_role_id",
	"pg_has_role_id_id", "pg_has_role_id_name", "pg_has_role_name",
	"pg_has_role_name_id", "pg_has_role_name_name", "pg_identify_object",
	"pg_identify_object_as_address", "pg_index_column_has_property",
	"pg_index_has_property", "pg_indexam_has_property",
	"pg_opclass_is_visible", "pg_operator_is_visible",
	"pg_opfamily_is_visible", "pg_relation_is_publishable",
	"pg_relation_is_updatable", "pg_sequence_parameters",
	"pg_statistics_obj_is_visible", "pg_stats_ext_mcvlist_items",
	"pg_ts_config_is_visible", "pg_ts_dict_is_visible",
	"pg_ts_parser_is_visible", "pg_ts_template_is_visible", "pg_typeof",
	"regclassout", "regcollationout", "regdatabasein", "regdatabaseout",
	"regnamespacein", "regnamespaceout", "regoperatorout", "regoperout",
	"regprocedureout", "regprocout", "regrolein", "regroleout", "regtypeout",
	"schema_to_xml", "schema_to_xml_and_xmlschema", "schema_to_xmlschema",
	"table_to_xml", "table_to_xml_and_xmlschema", "table_to_xmlschema",
	"to_regdatabase", "to_regnamespace", "to_regrole"
};

static int
compare_names(const void *a, const void *b)
{
	return strcmp((const char *) a, *(const char *const *) b);
}

#define IS_IN(list, name) \
	(bsearch(name, list, lengthof(list), sizeof(list[0]), compare_names) != NULL)

/* A function of PostgreSQL itself, by the name of its C function. */
static RoutineKind
internal_kind(const char *source, Form_pg_proc proc)
{
	if (IS_IN(of_session, source))
		return ROUTINE_SESSION;
	if (IS_IN(of_temporary, source))
		return ROUTINE_TEMPORARY;
	if (IS_IN(of_clock, source))
		return ROUTINE_CLOCK;
	if (IS_IN(of_state, source))
		return ROUTINE_STATE;
	if (IS_IN(of_catalogs, source))
		return ROUTINE_CATALOGS;
	if (proc->provolatile == PROVOLATILE_IMMUTABLE ||
		proc->prorettype == VOIDOID ||	/* pg_sleep(): nothing comes of it */
		IS_IN(known, source) || IS_IN(harmless, source))
		return ROUTINE_KNOWN;
	return proc->provolatile == PROVOLATILE_VOLATILE ? ROUTINE_VOLATILE :
		ROUTINE_STATE;
}

/* The gets of this extension, whose loads and hits are followed (loads.c). */
static bool
is_get(Form_pg_proc proc, const char *source)
{
	const Extension *extension = extension_find();

	return extension != NULL && proc->pronamespace == extension->schema &&
		getExtensionOfObject(ProcedureRelationId, proc->oid) == extension->oid &&
		(strcmp(source, "cache_get") == 0 ||
		 strcmp(source, "cache_get_as") == 0 ||
		 strncmp(source, "cache_get_many", strlen("cache_get_many")) == 0);
}

static bool
language_is_looked_into(Oid language)
{
	char	   *name = get_language_name(language, true);

	for (int i = 0; name != NULL && i < (int) lengthof(looked_into); i++)
	{
		if (strcmp(name, looked_into[i]) == 0)
			return true;
	}
	return false;
}

static RoutineKind
find_kind(Form_pg_proc proc, const char *source)
{
	if (proc->oid >= FirstNormalObjectId &&
		isAnyTempNamespace(proc->pronamespace))
		return ROUTINE_SESSION;
	if (proc->prolang == INTERNALlanguageId ||
		(proc->prolang == ClanguageId && proc->oid < FirstNormalObjectId))
		return internal_kind(source, proc);
	if (proc->provolatile == PROVOLATILE_VOLATILE)
		return proc->oid < FirstNormalObjectId && proc->prorettype == VOIDOID ?
			ROUTINE_KNOWN : ROUTINE_VOLATILE;
	if (proc->provolatile == PROVOLATILE_IMMUTABLE ||
		language_is_looked_into(proc->prolang) || is_get(proc, source))
		return ROUTINE_KNOWN;
	return ROUTINE_OPAQUE;
}

static void
routine_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	if (routines != NULL)
		hash_destroy(routines);
	routines = NULL;
	if (own_kinds_known)
		memset(own_kinds, 0, sizeof(own_kinds));
	own_kinds_known = false;
}

static const Routine *
routine_find(Oid function)
{
	Routine    *routine;
	Routine		found = {0};
	HeapTuple	tuple;
	Datum		datum;
	bool		isnull;

	if (routines != NULL)
	{
		routine = hash_search(routines, &function, HASH_FIND, NULL);
		if (routine != NULL)
			return routine;
	}

	found.function = function;
	found.kind = ROUTINE_OPAQUE;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
		char	   *source;

		datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
		source = isnull ? "" : TextDatumGetCString(datum);
		found.kind = find_kind(proc, source);
		found.aggregate = proc->prokind == PROKIND_AGGREGATE &&
			function >= FirstNormalObjectId;
		found.users = function >= FirstNormalObjectId &&
			language_is_looked_into(proc->prolang);
		found.sql = proc->prolang == SQLlanguageId &&
			function >= FirstNormalObjectId;
		found.says_now = found.sql &&
			literal_has_time_word(source, strlen(source));
		found.names_temp = function >= FirstNormalObjectId &&
			strstr(asc_tolower(source, strlen(source)), "pg_temp") != NULL;
		ReleaseSysCache(tuple);
	}

	/* Looking up may have taken in changes, which end the table. */
	if (routines == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(Oid);
		ctl.entrysize = sizeof(Routine);
		routines = hash_create("cache routines", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	routine = hash_search(routines, &function, HASH_ENTER, NULL);
	*routine = found;
	return routine;
}

/*
 * What the result of a function depends on.
 */
RoutineKind
routine_kind(Oid function)
{
	RoutineKind kind;

	if (function < FirstGenbkiObjectId && own_kinds[function] != 0)
		return (RoutineKind) (own_kinds[function] - 1);
	kind = routine_find(function)->kind;
	if (function < FirstGenbkiObjectId)
	{
		own_kinds[function] = (uint8) (kind + 1);
		own_kinds_known = true;
	}
	return kind;
}

/*
 * Is it an aggregate of a user's, whose functions have to be asked for, too?
 */
bool
routine_is_aggregate(Oid function)
{
	return function >= FirstNormalObjectId && routine_find(function)->aggregate;
}

/*
 * Does the source of the function speak of pg_temp?
 */
bool
routine_names_temp(Oid function)
{
	return function >= FirstNormalObjectId && routine_find(function)->names_temp &&
		!GUARD_REMOVED("temporary");
}

/*
 * Is it a function of a user's in SQL?
 */
bool
routine_is_sql(Oid function)
{
	return function >= FirstNormalObjectId && routine_find(function)->sql;
}

/*
 * Is it a function of a user's that can be looked into?
 */
bool
routine_is_users(Oid function)
{
	return function >= FirstNormalObjectId && routine_find(function)->users;
}

/*
 * Is there, in the text of a function of a user's in SQL, a word that may mean
 * the present time?
 */
bool
routine_says_now(Oid function)
{
	return function >= FirstNormalObjectId && routine_find(function)->says_now;
}

/*
 * Has this session noted what the function's text names?  routine_set_noted says
 * so, until it is replaced.
 */
bool
routine_is_noted(Oid function)
{
	return routine_find(function)->noted;
}

void
routine_set_noted(Oid function)
{
	Routine    *routine = routines == NULL ? NULL :
		hash_search(routines, &function, HASH_FIND, NULL);

	if (routine != NULL)
		routine->noted = true;
}

/*
 * Register the invalidation callbacks; once a process.
 */
void
routine_init(void)
{
	CacheRegisterSyscacheCallback(PROCOID, routine_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(LANGOID, routine_changed, (Datum) 0);
}
