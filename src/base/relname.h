/*-------------------------------------------------------------------------
 *
 * relname.h
 *		What a relation is called where somebody reads it.
 *
 * See relname.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_RELNAME_H
#define CACHE_RELNAME_H

#include "postgres.h"

extern char *relname_full(Oid relid);

#endif							/* CACHE_RELNAME_H */
