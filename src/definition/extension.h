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

typedef struct Extension
{
	Oid			oid;
	Oid			schema;
	Oid			definitions;	/* table cache_definition */
	Oid			trigger_function;	/* cache_trigger() */
	Oid			values;			/* table cache_value */
	Oid			values_expires; /* its index of what expires */
	Oid			key_type;		/* type cache_key */
} Extension;

/* Moves whenever what was found may have changed. */
extern uint64 extension_generation;

extern const Extension *extension_find(void);
extern const Extension *extension_get(void);
extern bool extension_owns(Oid relid);
extern void extension_reset(void);

#endif							/* CACHE_EXTENSION_H */
