/*-------------------------------------------------------------------------
 *
 * relname.c
 *		What a relation is called where somebody reads it.
 *
 * Locking: none.  So it may be gone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/relname.h"

/*
 * A relation's full name, with its schema and as SQL wants it; of one that is
 * gone its OID.  palloc'd.
 */
char *
relname_full(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		return psprintf("%u", relid);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  name);
}
