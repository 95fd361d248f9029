/*-------------------------------------------------------------------------
 *
 * ddl.h
 *		What this transaction's DDL touches, and which caches depend on it.
 *
 * See ddl.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_DDL_H
#define CACHE_DDL_H

#include "postgres.h"

/* Of a command, as far as the results of loaders are concerned. */
typedef enum CommandEffect
{
	EFFECT_NONE,				/* none that is not told otherwise */
	EFFECT_TEMPORARY,			/* on temporary objects */
	EFFECT_CATALOGS,			/* on what catalogs say alone */
	EFFECT_RESULTS				/* loaders may give something else */
} CommandEffect;

extern void ddl_note_command(CommandEffect effect);
extern void ddl_begin_command(CommandEffect effect);
extern void ddl_end_command(CommandEffect effect);
extern void ddl_begin_vacuum(void);
extern void ddl_end_vacuum(bool done);
extern void ddl_decide(void);
extern void ddl_reset(void);

#endif							/* CACHE_DDL_H */
