/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The settings under which a cache's loader runs.
 *
 * See settings.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SETTINGS_H
#define CACHE_SETTINGS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/array.h"

struct config_generic;

/* A recorded setting, and how to see without much ado that it is in force. */
typedef struct Setting
{
	char	   *name;
	char	   *value;			/* as SHOW gives it */
	struct config_generic *variable;	/* NULL: none of those known to us */
	bool		known;			/* what the variable is then: */
	union
	{
		bool		b;
		int			i;
		double		r;
		char	   *s;
	}			is;
} Setting;

/* Recorded settings; all of it lives as long as their definition. */
typedef struct Settings
{
	int			n;
	Setting    *list;
	MemoryContext context;
	uint64		hash;			/* of all names and values */
	const char *search_path;	/* the recorded one, NULL: none */
	ArrayType  *recorded;		/* as they were read */
} Settings;

/* What recorded settings name, by OID; see settings_objects. */
typedef struct SettingsObjects
{
	char	   *path;			/* search_path; NULL: not recorded */
	List	   *names;			/* in it, C strings */
	List	   *schemas;		/* that they name, InvalidOid: none */
	Oid			config;			/* a text search configuration */
	char	   *config_name;
} SettingsObjects;

extern char *settings_search_path(void);
extern ArrayType *settings_record(void);
extern void settings_parse(Settings *settings, ArrayType *recorded);
extern SettingsObjects *settings_objects(const Settings *settings);
extern bool settings_renamed(const SettingsObjects *objects);
extern ArrayType *settings_follow(ArrayType *recorded,
								  const SettingsObjects *objects);
extern const char *settings_missing_schema(const Settings *settings);
extern int	settings_apply(Settings *settings, bool *complete);
extern uint64 settings_deviation(Settings *settings);
extern void settings_restore(int nestlevel);

#endif							/* CACHE_SETTINGS_H */
