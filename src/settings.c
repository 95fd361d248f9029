/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The settings under which a cache's loader runs.
 *
 * One entry serves sessions with different settings.  So that they all get
 * what one of them has loaded, a loader runs under the settings that were in
 * force when its cache was created: everything that changes what a query
 * means or how a value is turned into text.
 *
 * search_path is recorded as the schemas that it stood for, with pg_temp
 * last, so that nobody can put a temporary object in front of what the
 * loader means.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "devel.h"
#include "settings.h"

static const char *const recorded_settings[] = {
	"search_path",
	/* how values look as text */
	"TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits",
	"bytea_output", "xmlbinary", "xmloption", "lc_monetary", "lc_numeric",
	"lc_time", "quote_all_identifiers",
	/* how text is read */
	"timezone_abbreviations", "array_nulls", "standard_conforming_strings",
	"backslash_quote", "default_text_search_config",
	/* what queries mean */
	"transform_null_equals", "gin_fuzzy_search_limit"
};

/*
 * The server's own descriptions of these, which stay where they are as long as
 * the process lives.
 */
static struct config_generic *variables[lengthof(recorded_settings)];

/*
 * The search_path that is recorded now, as a list of names for SET: the schemas
 * that it stands for, with pg_temp last.
 */
char *
settings_search_path(void)
{
	List	   *schemas = fetch_search_path(false);
	StringInfoData path;
	ListCell   *lc;

	initStringInfo(&path);
	foreach(lc, schemas)
	{
		Oid			schema = lfirst_oid(lc);
		char	   *name;

		if (isAnyTempNamespace(schema))
			continue;
		name = get_namespace_name(schema);
		if (name != NULL)
			appendStringInfo(&path, "%s, ", quote_identifier(name));
	}
	appendStringInfoString(&path, "pg_temp");
	list_free(schemas);
	return path.data;
}

/*
 * The present settings, as a text array of name=value.
 */
ArrayType *
settings_record(void)
{
	Datum		elems[lengthof(recorded_settings)];

	for (int i = 0; i < (int) lengthof(recorded_settings); i++)
	{
		const char *name = recorded_settings[i];
		char	   *value;

		if (strcmp(name, "search_path") == 0)
			value = settings_search_path();
		else
			value = GetConfigOptionByName(name, NULL, false);
		elems[i] = CStringGetTextDatum(psprintf("%s=%s", name, value));
	}
	return construct_array(elems, lengthof(elems), TEXTOID, -1, false,
						   TYPALIGN_INT);
}

/* The description of a recorded setting. */
static struct config_generic *
find_variable(const char *name)
{
	for (int i = 0; i < (int) lengthof(recorded_settings); i++)
	{
		if (strcmp(recorded_settings[i], name) != 0)
			continue;
		if (variables[i] == NULL)
			variables[i] = cache_find_setting(name);
		return variables[i];
	}
	return NULL;
}

/*
 * Read what settings_record has made, into the current memory context.
 * Settings that this server does not know are passed over: they cannot
 * change anything.
 */
void
settings_parse(Settings *settings, ArrayType *recorded)
{
	Datum	   *elems;
	int			n;

	deconstruct_array(recorded, TEXTOID, -1, false, TYPALIGN_INT,
					  &elems, NULL, &n);
	settings->n = 0;
	settings->list = palloc0(sizeof(Setting) * Max(n, 1));
	settings->context = CurrentMemoryContext;
	settings->hash = 0;
	settings->search_path = NULL;
	for (int i = 0; i < n; i++)
	{
		char	   *name = TextDatumGetCString(elems[i]);
		char	   *value = strchr(name, '=');
		Setting    *setting = &settings->list[settings->n];

		if (value == NULL)
			continue;
		settings->hash = hash_bytes_extended((unsigned char *) name, strlen(name),
											 settings->hash);
		*value++ = '\0';
		if (GetConfigOption(name, true, false) == NULL)
			continue;
		setting->name = name;
		setting->value = value;
		setting->variable = find_variable(name);
		if (strcmp(name, "search_path") == 0)
			settings->search_path = value;
		settings->n++;
	}
}

/* Remember what the variable is, now that the setting is as recorded. */
static void
setting_remember(Setting *setting, MemoryContext context)
{
	struct config_generic *variable = setting->variable;
	const char *string;

	if (setting->known && variable->vartype == PGC_STRING &&
		setting->is.s != NULL)
		pfree(setting->is.s);
	setting->known = false;
	switch (variable->vartype)
	{
		case PGC_BOOL:
			setting->is.b = *((struct config_bool *) variable)->variable;
			break;
		case PGC_INT:
			setting->is.i = *((struct config_int *) variable)->variable;
			break;
		case PGC_REAL:
			setting->is.r = *((struct config_real *) variable)->variable;
			break;
		case PGC_ENUM:
			setting->is.i = *((struct config_enum *) variable)->variable;
			break;
		case PGC_STRING:
			string = *((struct config_string *) variable)->variable;
			setting->is.s = string == NULL ? NULL :
				MemoryContextStrdup(context, string);
			break;
	}
	setting->known = true;
}

/* Is the variable what it was when the setting was as recorded? */
static bool
setting_is_same(const Setting *setting)
{
	struct config_generic *variable = setting->variable;
	const char *string;

	if (!setting->known)
		return false;
	switch (variable->vartype)
	{
		case PGC_BOOL:
			return setting->is.b == *((struct config_bool *) variable)->variable;
		case PGC_INT:
			return setting->is.i == *((struct config_int *) variable)->variable;
		case PGC_REAL:
			return setting->is.r == *((struct config_real *) variable)->variable;
		case PGC_ENUM:
			return setting->is.i == *((struct config_enum *) variable)->variable;
		case PGC_STRING:
			string = *((struct config_string *) variable)->variable;
			if (string == NULL || setting->is.s == NULL)
				return string == setting->is.s;
			return strcmp(setting->is.s, string) == 0;
	}
	return false;
}

/*
 * Is the setting as recorded?  What it is as text follows from its variable, so
 * it is only made where the variable is another than last time.
 */
static bool
setting_holds(Setting *setting, MemoryContext context)
{
	const char *now;

	if (setting_is_same(setting))
		return true;
	now = GetConfigOption(setting->name, true, false);
	if (now == NULL || strcmp(now, setting->value) != 0)
		return false;
	if (setting->variable != NULL)
		setting_remember(setting, context);
	return true;
}

/*
 * Put the recorded settings in force.  Gives what settings_restore wants; in
 * case of an error the transaction's end restores them.  complete: false if
 * one cannot be set any more (its text search configuration or locale is
 * gone); then the caller's stays.
 */
int
settings_apply(Settings *settings, bool *complete)
{
	int			nestlevel = NewGUCNestLevel();

	*complete = true;
	if (GUARD_REMOVED("settings"))
		return nestlevel;

	for (int i = 0; i < settings->n; i++)
	{
		Setting    *setting = &settings->list[i];

		if (setting_holds(setting, settings->context))
			continue;
		if (set_config_option(setting->name, setting->value,
							  PGC_USERSET, PGC_S_SESSION,
							  GUC_ACTION_SAVE, true, DEBUG1, false) <= 0)
			*complete = false;
	}
	return nestlevel;
}

/*
 * Put the caller's settings back.
 */
void
settings_restore(int nestlevel)
{
	AtEOXact_GUC(true, nestlevel);
}

/*
 * A number for how the settings that are in force differ from these; 0 if they
 * do not.
 */
uint64
settings_deviation(Settings *settings)
{
	uint64		deviation = 0;

	for (int i = 0; i < settings->n; i++)
	{
		Setting    *setting = &settings->list[i];
		const char *now;

		if (setting_holds(setting, settings->context))
			continue;
		now = GetConfigOption(setting->name, true, false);
		if (now == NULL)
			now = "";
		deviation = hash_bytes_extended((const unsigned char *) now, strlen(now),
										deviation + i + 1) | 1;
	}
	return deviation;
}
