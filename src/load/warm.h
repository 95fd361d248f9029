/*-------------------------------------------------------------------------
 *
 * warm.h
 *		Entries survive a clean restart.
 *
 * See warm.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_WARM_H
#define CACHE_WARM_H

#include "postgres.h"

extern void warm_define_settings(void);
extern void warm_register(void);
extern void warm_prepare(void);
extern void warm_startup(void);

#endif							/* CACHE_WARM_H */
