/*-------------------------------------------------------------------------
 *
 * signature.c
 *		Functions by the names that definitions record.
 *
 * Nothing here raises an error if something is gone, and no privileges are asked
 * for: writers of watched tables come here as well.
 *
 * Locking: none beyond the catalogs' own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/textarray.h"
#include "definition/signature.h"

/*
 * The function of this name and with arguments of the types in this array of
 * texts, and what it is called in messages, palloc'd.  InvalidOid if it is gone.
 */
Oid
signature_find(const char *schema, const char *name, Datum args,
			   char **signature)
{
	StringInfoData text;
	Oid			namespace = get_namespace_oid(schema, true);
	Oid			types[FUNC_MAX_ARGS];
	char	  **strings;
	int			n;
	bool		missing = !OidIsValid(namespace);

	strings = textarray_read(args, &n);
	initStringInfo(&text);
	appendStringInfo(&text, "%s(", quote_qualified_identifier(schema, name));
	for (int i = 0; i < Min(n, FUNC_MAX_ARGS); i++)
	{
		int32		typmod;

		appendStringInfo(&text, "%s%s", i > 0 ? "," : "", strings[i]);
		types[i] = InvalidOid;
		cache_parse_type(strings[i], &types[i], &typmod);
		missing |= !OidIsValid(types[i]);
	}
	appendStringInfoChar(&text, ')');
	*signature = text.data;
	if (missing)
		return InvalidOid;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(types, n)),
						   ObjectIdGetDatum(namespace));
}

/* The length of what is before this character, outside of quotes and brackets. */
static size_t
span_to(const char *text, char stop)
{
	bool		quoted = false;
	int			depth = 0;
	size_t		i;

	for (i = 0; text[i] != '\0'; i++)
	{
		if (!quoted && depth == 0 && text[i] == stop)
			break;
		if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '(' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == ')' || text[i] == ']'))
			depth--;
	}
	return i;
}

/*
 * The function of this full name, as format_procedure_qualified gives it;
 * InvalidOid if there is none.
 */
Oid
signature_find_full(const char *full)
{
	size_t		length = span_to(full, '(');
	List	   *name = cache_name_list(pnstrdup(full, length));
	char	   *args = pstrdup(full + length);
	Oid			types[FUNC_MAX_ARGS];
	Oid			namespace;
	int			n = 0;

	if (list_length(name) != 2 || args[0] != '(')
		return InvalidOid;
	namespace = get_namespace_oid(strVal(linitial(name)), true);
	if (!OidIsValid(namespace))
		return InvalidOid;
	args[strlen(args) - 1] = '\0';
	for (char *arg = args + 1; *arg != '\0';)
	{
		int32		typmod;
		bool		last;

		length = span_to(arg, ',');
		last = arg[length] == '\0';
		arg[length] = '\0';
		if (n >= FUNC_MAX_ARGS)
			return InvalidOid;
		types[n] = InvalidOid;
		cache_parse_type(arg, &types[n], &typmod);
		if (!OidIsValid(types[n++]))
			return InvalidOid;
		arg += length + (last ? 0 : 1);
	}
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(strVal(lsecond(name))),
						   PointerGetDatum(buildoidvector(types, n)),
						   ObjectIdGetDatum(namespace));
}
