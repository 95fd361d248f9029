/*-------------------------------------------------------------------------
 *
 * keytext.c
 *		Keys as texts.
 *
 * A key of one column is that column's text, a key of several a JSON array of
 * their texts, as it is in messages, too.  What a text looks like depends on settings, which are the
 * caller's business.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "base/keptstring.h"
#include "definition/keytext.h"
#include "definition/value.h"

/* At the end of what is not complete */
#define ELLIPSIS	"..."

/*
 * Begin a key, as an array of its columns' texts.  The string is good until the
 * next key is begun.
 */
StringInfo
key_text_start(void)
{
	static StringInfoData buffer;
	StringInfo	key = keptstring_begin(&buffer);

	appendStringInfoChar(key, '[');
	return key;
}

/*
 * Add a column; NULL for a NULL.
 */
void
key_text_add(StringInfo key, const char *part)
{
	if (key->len > 1)
		appendStringInfoChar(key, ',');
	if (part == NULL)
		appendStringInfoString(key, "null");
	else
		escape_json(key, part);
}

/*
 * The key is complete.
 */
void
key_text_end(StringInfo key)
{
	appendStringInfoChar(key, ']');
}

/* A column as text; NULL for a NULL. */
static char *
column_text(const KeyColumn *column, Datum value, bool isnull)
{
	Oid			output;
	bool		varlena;

	if (isnull)
		return NULL;
	getTypeOutputInfo(column->type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

/*
 * A key as text, in the current memory context.  NULL if it is a NULL.
 */
char *
key_text(const CacheDef *def, const KeyParts *parts)
{
	StringInfo	array;

	if (def->nkeys == 1)
		return column_text(&def->keys[0], parts->values[0], parts->nulls[0]);
	array = key_text_start();
	for (int i = 0; i < def->nkeys; i++)
		key_text_add(array, column_text(&def->keys[i], parts->values[i],
											 parts->nulls[i]));
	key_text_end(array);
	return pstrdup(array->data);
}

/*
 * The text of a column whose image is cut off, which begins at `at`: so much of
 * it as can be told.
 */
static char *
cut_text(const KeyColumn *column, const StoreKey *key, uint32 at)
{
	const char *bytes = key->image + at + sizeof(uint32);
	int			len = (int) key->len - (int) (at + sizeof(uint32));
	bool		text = column->type == TEXTOID || column->type == VARCHAROID ||
		column->type == BPCHAROID;

	len = text && len > 0 ? pg_mbcliplen(bytes, len, len) : 0;
	return psprintf("%.*s" ELLIPSIS, len, bytes);
}

/*
 * The text of a key of which there is but the beginning of its image, and whose
 * types may have been altered since.  NULL if it cannot be told, or is a NULL.
 */
char *
key_text_beginning(const CacheDef *def, const StoreKey *key)
{
	KeyParts	parts;
	uint32		at;
	int			n;
	StringInfo	array;

	/* Composite types may have got another layout. */
	for (int i = 0; i < def->nkeys; i++)
	{
		if (value_has_layout(def->keys[i].type))
			return NULL;
	}
	n = key_columns(&parts, def, key, &at);
	if (n < 0)
		return NULL;
	if (n == def->nkeys)
		return key_text(def, &parts);
	if (def->nkeys == 1)
		return cut_text(&def->keys[0], key, at);

	array = key_text_start();
	for (int i = 0; i < n; i++)
		key_text_add(array, column_text(&def->keys[i], parts.values[i],
											 parts.nulls[i]));
	key_text_add(array, cut_text(&def->keys[n], key, at));
	if (n + 1 < def->nkeys)
		key_text_add(array, ELLIPSIS);
	key_text_end(array);
	return pstrdup(array->data);
}
