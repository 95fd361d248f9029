/*-------------------------------------------------------------------------
 *
 * extension.h
 *		Where the extension's own objects are in this database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_EXTENSION_H
#define CACHE_EXTENSION_H

#include "postgres.h"

/* A table of what was set in caches without a loader. */
typedef struct ExtensionValues
{
	Oid			table;			/* cache_value, cache_value_logged */
	Oid			expires;		/* its index of what expires */
} ExtensionValues;

typedef struct Extension
{
	Oid			oid;
	Oid			schema;
	Oid			definitions;	/* table cache_definition */
	Oid			trigger_function;	/* cache_trigger() */
	ExtensionValues values[2];	/* of caches that are not logged, and that are */
	Oid			key_type;		/* type cache_key */
} Extension;

/* Moves whenever what was found may have changed. */
extern uint64 extension_generation;

extern const Extension *extension_find(void);
extern const Extension *extension_get(void);
extern bool extension_owns(Oid relid);
extern bool extension_keeps_values(Oid relid);
extern void extension_reset(void);

#endif							/* CACHE_EXTENSION_H */
