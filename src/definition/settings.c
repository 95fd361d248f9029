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
 * Two of the settings name objects of the database: search_path schemas, and
 * default_text_search_config a configuration.  When these are renamed, what is
 * recorded follows, as a view would.  (What others name, time zones and
 * locales, are files of the machine.)
 *
 * Locking: none; of those who follow a rename see rename.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_ts_config.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/devel.h"
#include "base/textarray.h"
#include "definition/settings.h"

#define SEARCH_PATH		"search_path"
#define SEARCH_CONFIG	"default_text_search_config"

static const char *const recorded_settings[] = {
	SEARCH_PATH,
	/* how values look as text */
	"TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits",
	"bytea_output", "xmlbinary", "xmloption", "lc_monetary", "lc_numeric",
	"lc_time", "quote_all_identifiers",
	/* how text is read */
	"timezone_abbreviations", "array_nulls", "standard_conforming_strings",
	"backslash_quote", SEARCH_CONFIG,
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
	char	   *settings[lengthof(recorded_settings)];

	for (int i = 0; i < (int) lengthof(recorded_settings); i++)
	{
		const char *name = recorded_settings[i];
		char	   *value;

		if (strcmp(name, SEARCH_PATH) == 0)
			value = settings_search_path();
		else
			value = GetConfigOptionByName(name, NULL, false);
		settings[i] = psprintf("%s=%s", name, value);
	}
	return DatumGetArrayTypeP(textarray_make(settings, lengthof(settings)));
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
	int			n;
	char	  **names = textarray_read(PointerGetDatum(recorded), &n);

	settings->n = 0;
	settings->list = palloc0(sizeof(Setting) * Max(n, 1));
	settings->context = CurrentMemoryContext;
	settings->hash = 0;
	settings->search_path = NULL;
	settings->recorded = (ArrayType *)
		DatumGetPointer(datumCopy(PointerGetDatum(recorded), false, -1));
	for (int i = 0; i < n; i++)
	{
		char	   *name = names[i];
		char	   *value = name == NULL ? NULL : strchr(name, '=');
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
		if (strcmp(name, SEARCH_PATH) == 0)
			settings->search_path = value;
		settings->n++;
	}
}

/*-------------------------------------------------------------------------
 * What settings name
 *-------------------------------------------------------------------------
 */

/* The recorded value of a setting; NULL if there is none. */
static const char *
recorded_value(const Settings *settings, const char *name)
{
	for (int i = 0; i < settings->n; i++)
	{
		if (strcmp(settings->list[i].name, name) == 0)
			return settings->list[i].value;
	}
	return NULL;
}

/* Is a name in a search_path not that of a schema? */
static bool
is_special(const char *name)
{
	return strcmp(name, "pg_temp") == 0 || strcmp(name, "$user") == 0;
}

/* The schemas of a recorded search_path. */
static void
find_schemas(SettingsObjects *objects)
{
	ListCell   *lc;

	if (!SplitIdentifierString(pstrdup(objects->path), ',', &objects->names))
		objects->names = NIL;
	foreach(lc, objects->names)
	{
		const char *name = lfirst(lc);

		objects->schemas = lappend_oid(objects->schemas,
									   is_special(name) ? InvalidOid :
									   get_namespace_oid(name, true));
	}
}

static Oid
config_in(Oid schema, const char *name)
{
	return !OidIsValid(schema) ? InvalidOid :
		GetSysCacheOid2(TSCONFIGNAMENSP, Anum_pg_ts_config_oid,
						CStringGetDatum(name), ObjectIdGetDatum(schema));
}

/*
 * The text search configuration that a recorded value stands for, by the
 * recorded search_path.  Asks for no privileges and raises no error.
 */
static Oid
find_config(const char *value, const List *schemas)
{
	List	   *names;
	Oid			config = InvalidOid;
	ListCell   *lc;

	if (!SplitIdentifierString(pstrdup(value), '.', &names))
		return InvalidOid;
	if (list_length(names) == 2)
		return config_in(get_namespace_oid(linitial(names), true),
						 lsecond(names));
	if (list_length(names) != 1)
		return InvalidOid;
	if (!list_member_oid(schemas, PG_CATALOG_NAMESPACE))
		config = config_in(PG_CATALOG_NAMESPACE, linitial(names));
	foreach(lc, schemas)
	{
		if (!OidIsValid(config))
			config = config_in(lfirst_oid(lc), linitial(names));
	}
	return config;
}

/* What a text search configuration is called now; NULL if it is gone. */
static char *
config_full_name(Oid config)
{
	HeapTuple	tuple = SearchSysCache1(TSCONFIGOID, ObjectIdGetDatum(config));
	Form_pg_ts_config form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_ts_config) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(form->cfgnamespace),
									  NameStr(form->cfgname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 * Before something is renamed: what the settings name, in the current memory
 * context.
 */
SettingsObjects *
settings_objects(const Settings *settings)
{
	SettingsObjects *objects = palloc0(sizeof(SettingsObjects));
	const char *config = recorded_value(settings, SEARCH_CONFIG);

	if (settings->search_path != NULL)
	{
		objects->path = pstrdup(settings->search_path);
		find_schemas(objects);
	}
	if (config != NULL)
		objects->config = find_config(config, objects->schemas);
	if (OidIsValid(objects->config))
		objects->config_name = config_full_name(objects->config);
	return objects;
}

/* The search_path with the names of now; NULL if it is the same. */
static char *
present_path(const SettingsObjects *objects)
{
	StringInfoData path;
	bool		renamed = false;
	ListCell   *name;
	ListCell   *schema;

	initStringInfo(&path);
	forboth(name, objects->names, schema, objects->schemas)
	{
		char	   *now = OidIsValid(lfirst_oid(schema)) ?
			get_namespace_name(lfirst_oid(schema)) : NULL;

		if (now == NULL)
			now = lfirst(name);
		renamed |= strcmp(now, lfirst(name)) != 0;
		appendStringInfo(&path, "%s%s", path.len > 0 ? ", " : "",
						 quote_identifier(now));
	}
	return renamed ? path.data : NULL;
}

/* The same for the text search configuration. */
static char *
present_config(const SettingsObjects *objects)
{
	char	   *now = objects->config_name == NULL ? NULL :
		config_full_name(objects->config);

	return now != NULL && strcmp(now, objects->config_name) != 0 ? now : NULL;
}

/* Let it be what is recorded now, if it is of this setting. */
static void
replace_value(char **recorded, const char *name, const char *value)
{
	char	   *was = *recorded;
	size_t		len = strlen(name);

	if (value != NULL && was != NULL && strncmp(was, name, len) == 0 &&
		was[len] == '=')
		*recorded = psprintf("%s=%s", name, value);
}

/*
 * After something has been renamed: is one of the objects called otherwise?
 */
bool
settings_renamed(const SettingsObjects *objects)
{
	return present_path(objects) != NULL || present_config(objects) != NULL;
}

/*
 * Then: what settings_record has made, with the names of now.  NULL if they are
 * the same.
 */
ArrayType *
settings_follow(ArrayType *recorded, const SettingsObjects *objects)
{
	char	   *path = present_path(objects);
	char	   *config = present_config(objects);
	char	  **settings;
	int			n;

	if (path == NULL && config == NULL)
		return NULL;
	settings = textarray_read(PointerGetDatum(recorded), &n);
	for (int i = 0; i < n; i++)
	{
		replace_value(&settings[i], SEARCH_PATH, path);
		replace_value(&settings[i], SEARCH_CONFIG, config);
	}
	return DatumGetArrayTypeP(textarray_make(settings, n));
}

/*
 * The first schema of the recorded search_path that does not exist; NULL if
 * all do.
 */
const char *
settings_missing_schema(const Settings *settings)
{
	SettingsObjects *objects = settings_objects(settings);
	ListCell   *name;
	ListCell   *schema;

	forboth(name, objects->names, schema, objects->schemas)
	{
		if (!OidIsValid(lfirst_oid(schema)) && !is_special(lfirst(name)))
			return lfirst(name);
	}
	return NULL;
}

/*-------------------------------------------------------------------------
 * Putting them in force
 *-------------------------------------------------------------------------
 */

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
