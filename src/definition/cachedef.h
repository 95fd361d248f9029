/*-------------------------------------------------------------------------
 *
 * cachedef.h
 *		What is known of a cache.
 *
 * What definition.c reads, for all who look at it: those that definition.c uses
 * itself to fill it in among them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_CACHEDEF_H
#define CACHE_CACHEDEF_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "base/reasons.h"
#include "definition/keyhash.h"
#include "definition/settings.h"
#include "store/item.h"

/* What a loader's plans may depend on. */
typedef struct LoaderState
{
	uint64		ddl;			/* of others, see catalogs_state */
	uint64		own_ddl;		/* of this session */
	Oid			role;
	int			context;		/* security context */
	Oid			collation;		/* that the loader is called with */
	uint32		unused;			/* states are compared as bytes */
} LoaderState;

typedef struct CacheDef
{
	/* What every hit looks at, side by side. */
	uint64		id;				/* the same for the cache's whole life */
	uint64		version;		/* another one after each alteration */
	uint64		locked;			/* see lock_take */
	uint64		allowed_generation;
	Oid			allowed_role;	/* may read, by privileges_generation */
	int			slot;			/* in the registry, -1: none yet */
	int			nkeys;
	KeyColumn  *keys;
	bool		strict;
	bool		definer;		/* SECURITY DEFINER */
	bool		collatable;		/* some argument has a collation */
	bool		has_layout;		/* the result's type contains a composite type */
	bool		private;		/* a watched table has a temporary child of this
								 * session */
	bool		names_temp;		/* the loader's source names pg_temp */
	bool		is_volatile;	/* the loader has become so: never cached */
	bool		typbyval;
	uint8		prefix_number;
	int16		typlen;
	Oid			rettype;
	int			prefix_slot;	/* where prefix_number was found, -1: none */
	uint64		prefix_generation;
	KeyPrefix	prefix;			/* the last one that was looked up */

	NameData	name;
	Oid			owner;			/* InvalidOid: the role is gone */
	char	   *signature;		/* the loader's, as it is stored */
	char	   *key;			/* how keys compare, as it is stored; or NULL */
	bool		plain;			/* no loader: see keyvalue.c */
	bool		logged;			/* what is set is kept in a logged table */
	bool		usable;			/* false: the loader is gone, or unsuitable */
	Oid			loader;
	uint32		loader_hash;	/* of its catalog cache entry */
	Oid			loader_schema;
	Interval   *ttl;
	StoreLimit	limit;
	bool		redis;
	Settings	settings;
	List	   *trusted;		/* OIDs of functions that are trusted */
	List	   *untraced;		/* names of those that are gone */
	uint64		made_under;		/* a hash of settings and trusted */
	bool		plpgsql;		/* the loader is of PL/pgSQL */
	int			nwatched;		/* watched relations */
	Oid		   *watched;
	bool		mapped;			/* some watch has a key function */
	bool		fixed;			/* no DDL can change the hash of a key */
	bool		nested;			/* see KeyHash */

	/* Of this backend alone, as some of the first are */
	FmgrInfo	loader_fn;
	FmgrInfo	to_jsonb;		/* from the loader's type */
	MemoryContext loader_context;	/* of these two; NULL: to be set up */
	LoaderState loader_state;	/* under which they were */
	Reasons		loader_is;		/* what the loader itself depends on */
	Reasons		loader_why;		/* what was noted when its plans were made */
	int			users;			/* gets in progress */
	int			loading;		/* loads in progress */
	bool		valid;			/* false: something may have changed */
	bool		detached;		/* replaced by a newer one */
	bool		loader_failed;	/* an error has left loader_fn in doubt */
	bool		unstorable;		/* the last result could not be stored */
	MemoryContext context;
	uint32		nlocked;		/* of the slot's views */
	uint64		locked_changes; /* of the slot's fence, then */
	char	   *compared_path;	/* the caller's, see searchpath.c; NULL: none */
	Oid			compared_role;	/* that it was of */
	int			compared;		/* so many were compared */
	bool		path_settled;	/* there is nothing to compare any more */
} CacheDef;

#endif							/* CACHE_CACHEDEF_H */
