/*-------------------------------------------------------------------------
 *
 * naming.h
 *		The names of objects that this transaction's DDL touches.
 *
 * See naming.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_NAMING_H
#define CACHE_NAMING_H

#include "postgres.h"

#include "catalog/objectaccess.h"

extern void naming_note(ObjectAccessType access, Oid class_id, Oid object_id,
						int sub_id);
extern bool naming_find(Oid class_id, Oid oid, Oid *schema, NameData *name);
extern bool naming_comes_along(Oid type);
extern bool naming_is_named(Oid class_id, Oid oid);
extern bool naming_changed(void);
extern bool naming_matters(void);
extern void naming_reset(void);

#endif							/* CACHE_NAMING_H */
