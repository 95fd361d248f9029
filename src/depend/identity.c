/*-------------------------------------------------------------------------
 *
 * identity.c
 *		Types whose values are the identities of objects.
 *
 * What such a value is, is known to the catalogs alone: whoever speaks of one
 * depends on all DDL.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "depend/identity.h"

/*
 * Are its values the identities of objects, of which their text is the name?
 * (Whatever changes what text search configurations and the like are called
 * invalidates all caches.)
 */
bool
identity_is_type(Oid type)
{
	switch (type)
	{
		case REGCLASSOID:
		case REGCLASSARRAYOID:
		case REGTYPEOID:
		case REGTYPEARRAYOID:
		case REGPROCOID:
		case REGPROCARRAYOID:
		case REGPROCEDUREOID:
		case REGPROCEDUREARRAYOID:
		case REGROLEOID:
		case REGROLEARRAYOID:
		case REGNAMESPACEOID:
		case REGNAMESPACEARRAYOID:
		case ACLITEMOID:
		case ACLITEMARRAYOID:
#ifdef REGDATABASEOID
		case REGDATABASEOID:
		case REGDATABASEARRAYOID:
#endif
			return true;
		default:
			return false;
	}
}
