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

#include "utils/array.h"

/* Recorded settings; the strings live as long as their definition. */
typedef struct Settings
{
	int			n;
	char	  **names;
	char	  **values;
} Settings;

extern ArrayType *settings_record(void);
extern void settings_parse(Settings *settings, ArrayType *recorded);
extern int	settings_apply(const Settings *settings, bool *complete);
extern void settings_restore(int nestlevel);

#endif							/* CACHE_SETTINGS_H */
