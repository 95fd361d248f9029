/*-------------------------------------------------------------------------
 *
 * software.h
 *		What loaders run on, besides the database.
 *
 * See software.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SOFTWARE_H
#define CACHE_SOFTWARE_H

#include "postgres.h"

#define SOFTWARE_NAME	128

extern void software_name(char name[SOFTWARE_NAME]);
extern void software_hashing(char name[SOFTWARE_NAME]);

#endif							/* CACHE_SOFTWARE_H */
