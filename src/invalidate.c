/*-------------------------------------------------------------------------
 *
 * invalidate.c
 *		What this transaction changes: pending here, and told to others.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"

#include "broadcast.h"
#include "devel.h"
#include "invalidate.h"
#include "pending.h"
#include "settings.h"

/* The longest text of a key's column, in bytes, that a message has */
#define KEY_TEXT_MAX	2048

static bool
is_told(CacheDef *def)
{
	return def->redis && broadcast_wanted();
}

/*
 * The transaction is about to change some of a cache: it has to be known
 * which, if the cache has key functions.  What follows here says so itself;
 * a writer says it even if nothing more becomes pending, since all that it
 * changes is known to be.
 */
void
invalidate_mapped(CacheDef *def)
{
	if (def->mapped && !(GUARD_REMOVED("whole_is_recorded") &&
						 pending_is_whole(def->id)))
		pending_note_mapped(def->id, is_told(def) ? NameStr(def->name) : NULL, true);
}

/*
 * The same, and keys of it are about to be told by what DDL can replace; known
 * as in pending_note_told.
 */
void
invalidate_told(CacheDef *def, bool known)
{
	pending_note_mapped(def->id, is_told(def) ? NameStr(def->name) : NULL,
						def->mapped);
	pending_note_told(def->id, known);
}

/*
 * The transaction changes all of a cache.
 */
void
invalidate_cache(CacheDef *def)
{
	if (!GUARD_REMOVED("whole_is_recorded"))
		invalidate_mapped(def);
	if (pending_add_cache(def->id) && is_told(def))
		pending_describe(broadcast_message(NameStr(def->name), NULL));
}

/*
 * The transaction drops a cache.
 */
void
invalidate_dropped(CacheDef *def)
{
	if (pending_add_dropped(def->id) && is_told(def))
		pending_describe(broadcast_message(NameStr(def->name), NULL));
}

/*
 * The transaction changes a key, given by its hash.  True if others are to be
 * told, which takes the key itself: see invalidate_tell.
 */
bool
invalidate_key(CacheDef *def, uint64 hash)
{
	invalidate_mapped(def);
	if (!pending_add_key(def->id, hash) || !is_told(def))
		return false;
	if (pending_is_key())
		return true;
	pending_describe(broadcast_message(NameStr(def->name), NULL));
	return false;
}

/* Can settings change how a value of this type looks? */
static bool
settings_matter(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case NUMERICOID:
		case CHAROID:
		case NAMEOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case UUIDOID:
			return false;
		default:
			return true;
	}
}

/*
 * The text of a column of a key; NULL if it is too long for a message.
 */
static char *
column_text(Datum value, Oid type)
{
	Oid			output;
	bool		varlena;
	char	   *text;

	getTypeOutputInfo(type, &output, &varlena);
	if (varlena && toast_raw_datum_size(value) > KEY_TEXT_MAX)
		return NULL;
	text = OidOutputFunctionCall(output, value);
	if (strlen(text) <= KEY_TEXT_MAX)
		return text;
	pfree(text);
	return NULL;
}

/*
 * Tell others of the key that was invalidated last.  A key looks the same,
 * whoever writes: as under the settings of the cache.  If it is very long, they
 * are told of the whole cache: a message must not be what makes a write fail.
 */
void
invalidate_tell(CacheDef *def, int nkeys, const Datum *values,
				const bool *nulls, const Oid *types)
{
	StringInfo	key;
	bool		complete;
	bool		whole = false;
	int			nestlevel = -1;

	for (int i = 0; i < nkeys && nestlevel < 0; i++)
	{
		if (!nulls[i] && settings_matter(types[i]))
			nestlevel = settings_apply(&def->settings, &complete);
	}
	key = broadcast_key_start();
	for (int i = 0; i < nkeys && !whole; i++)
	{
		char	   *text = NULL;

		if (!nulls[i])
		{
			text = column_text(values[i], types[i]);
			whole = text == NULL;
		}
		broadcast_key_add(key, text);
		if (text != NULL)
			pfree(text);
	}
	broadcast_key_end(key);
	if (nestlevel >= 0)
		settings_restore(nestlevel);
	pending_describe(broadcast_message(NameStr(def->name),
									   whole ? NULL : key->data));
}
