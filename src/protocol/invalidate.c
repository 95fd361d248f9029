/*-------------------------------------------------------------------------
 *
 * invalidate.c
 *		What this transaction changes: pending here, and told to others.
 *
 * Whoever writes to a watched table invalidates; cache_invalidate() does so
 * without a write, and is for those who might have written, or who own the
 * cache.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/definition.h"
#include "definition/keytext.h"
#include "definition/settings.h"
#include "definition/watches.h"
#include "protocol/invalidate.h"
#include "protocol/pending.h"
#include "redis/broadcast.h"

/* The longest text of a key's column, in bytes, that a message has */
#define KEY_TEXT_MAX	2048

static bool
is_told(CacheDef *def)
{
	return def->redis && broadcast_wanted();
}

/* May the current role write to a table?  To one that is gone nobody may. */
static bool
may_write(Oid relid)
{
	bool		missing = false;

	return pg_class_aclcheck_ext(relid, GetUserId(),
								 ACL_INSERT | ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE,
								 &missing) == ACLCHECK_OK && !missing;
}

/*
 * May it write to a table that is watched, or to a partition of one, which
 * inherits the watch?
 */
static bool
may_write_watched(const CacheDef *def)
{
	for (int i = 0; i < def->nwatched; i++)
	{
		if (may_write(def->watched[i]))
			return true;
	}
	for (int i = 0; i < def->nwatched; i++)
	{
		ListCell   *lc;

		if (get_rel_relkind(def->watched[i]) != RELKIND_PARTITIONED_TABLE)
			continue;
		foreach(lc, find_all_inheritors(def->watched[i], NoLock, NULL))
		{
			if (may_write(lfirst_oid(lc)))
				return true;
		}
	}
	return false;
}

/*
 * Complain unless the current role may invalidate the cache, or a key of it.
 *
 * Whoever reads a cache must not be able to make all others load again; who can
 * do so by writing anyway may as well say it.
 */
void
invalidate_require(CacheDef *def)
{
	if (def->plain)
		definition_require_read(def);
	else if (!definition_is_owner(def) && !may_write_watched(def) &&
			 !GUARD_REMOVED("privileges"))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to invalidate cache \"%s\"",
						NameStr(def->name)),
				 errdetail("This is for members of its owner's role, and for roles that hold INSERT, UPDATE, DELETE or TRUNCATE on a table that it watches."),
				 errhint("Grant the role one of these; or, as the owner of the cache, EXECUTE on a SECURITY DEFINER function that calls cache_invalidate().")));
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

/* If something was added, others are told of the whole cache. */
static void
tell_of_cache(CacheDef *def, PendingHandle added)
{
	if (added != PENDING_NONE && is_told(def))
		pending_describe(added, broadcast_message(NameStr(def->name), NULL));
}

/*
 * The transaction changes all of a cache by an update of a row, or (NULL) by what
 * matters whatever loads have read.  Others are told in any case: they may have
 * copies of values that nobody here remembers.
 */
void
invalidate_cache_by(CacheDef *def, const ColumnChange *change)
{
	if (!GUARD_REMOVED("whole_is_recorded"))
		invalidate_mapped(def);
	tell_of_cache(def, pending_add_cache(def->id, change));
}

/*
 * The transaction changes all of a cache.
 */
void
invalidate_cache(CacheDef *def)
{
	invalidate_cache_by(def, NULL);
}

/*
 * The transaction does something to a relation that the row triggers of its watches
 * do not see: invalidate each cache that watches it, in this way.  When no definition
 * can be read at present, that is all of the database.
 */
void
invalidate_watching(Oid relid, void (*invalidate) (CacheDef *def))
{
	List	   *caches = watches_caches_of(relid);
	ListCell   *lc;

	if (caches != NIL && !definition_is_readable())
	{
		pending_add_database(MyDatabaseId);
		return;
	}
	foreach(lc, caches)
	{
		CacheDef   *def = definition_find(lfirst(lc));

		if (def != NULL)
			invalidate(def);
	}
}

/*
 * The transaction drops a cache.
 */
void
invalidate_dropped(CacheDef *def)
{
	tell_of_cache(def, pending_add_dropped(def->id));
}

/*
 * The transaction changes a key, given by its hash; change as above.  Gives what
 * others are still to be told of, which takes the key itself: see invalidate_tell.
 */
PendingHandle
invalidate_key(CacheDef *def, uint64 hash, const ColumnChange *change)
{
	PendingHandle added;

	invalidate_mapped(def);
	added = pending_add_key(def->id, hash, change);
	if (added == PENDING_NONE || !is_told(def))
		return PENDING_NONE;
	if (pending_is_key(added))
		return added;
	tell_of_cache(def, added);
	return PENDING_NONE;
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
 * Tell others of a key that invalidate_key() has added.  A key looks the same,
 * whoever writes: as under the settings of the cache.  If it is very long, they
 * are told of the whole cache: a message must not be what makes a write fail.
 */
void
invalidate_tell(CacheDef *def, PendingHandle added, int nkeys,
				const Datum *values, const bool *nulls, const Oid *types)
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
	key = key_text_start();
	for (int i = 0; i < nkeys && !whole; i++)
	{
		char	   *text = NULL;

		if (!nulls[i])
		{
			text = column_text(values[i], types[i]);
			whole = text == NULL;
		}
		key_text_add(key, text);
		if (text != NULL)
			pfree(text);
	}
	key_text_end(key);
	if (nestlevel >= 0)
		settings_restore(nestlevel);
	pending_describe(added, broadcast_message(NameStr(def->name),
											  whole ? NULL : key->data));
}
