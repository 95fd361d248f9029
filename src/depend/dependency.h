/*-------------------------------------------------------------------------
 *
 * dependency.h
 *		What loads depend on, besides the relations that they read.
 *
 * See dependency.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_DEPENDENCY_H
#define CACHE_DEPENDENCY_H

#include "postgres.h"

#include "catalog/pg_auth_members.h"

/* By whose rights a load runs. */
typedef enum DependencyRights
{
	RIGHTS_NONE,
	RIGHTS_OF_CALLER,
	RIGHTS_OF_ROLE
} DependencyRights;

/* Noting */
extern void dependency_init(void);
extern void dependency_note_function(Oid function);
extern void dependency_note_text(const char *text);
extern void dependency_note_session(DependencyRights rights);
extern void dependency_note_role(Oid role);
extern void dependency_note_mention(Oid relid);

/* Asking */
extern bool dependency_has_name(Oid schema, const char *schema_name,
								const char *name);
extern bool dependency_has_row_name(Oid schema, const char *schema_name,
									const char *name);
extern bool dependency_has_mention(Oid relid);
extern bool dependency_has_schema(Oid schema, const char *name);
extern bool dependency_has_caller(Oid dbid, Oid role);
extern bool dependency_has_role(Oid dbid, Oid role);
extern bool dependency_has_membership(Oid dbid, uint32 hash);
extern uint32 dependency_membership_hash(Form_pg_auth_members form);

#endif							/* CACHE_DEPENDENCY_H */
