/*-------------------------------------------------------------------------
 *
 * module.h
 *		Settings of the module as a whole.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_MODULE_H
#define CACHE_MODULE_H

#include "postgres.h"

extern bool cache_enabled;

#endif							/* CACHE_MODULE_H */
