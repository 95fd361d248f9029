/*-------------------------------------------------------------------------
 *
 * compiled.h
 *		What PL/pgSQL has compiled, and for whom.
 *
 * See compiled.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_COMPILED_H
#define CACHE_COMPILED_H

#include "postgres.h"

#include "fmgr.h"

extern void compiled_prepare(FunctionCallInfo fcinfo);
extern void *compiled_enter(void);
extern void compiled_leave(void *before);
extern void compiled_failed(void *before);
extern void compiled_subabort(int nestlevel);
extern void compiled_reset(void);

#endif							/* CACHE_COMPILED_H */
