/*-------------------------------------------------------------------------
 *
 * signature.h
 *		Functions by the names that definitions record.
 *
 * See signature.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SIGNATURE_H
#define CACHE_SIGNATURE_H

#include "postgres.h"

extern Oid	signature_find(const char *schema, const char *name, Datum args,
						   char **signature);
extern Oid	signature_find_full(const char *full);

#endif							/* CACHE_SIGNATURE_H */
