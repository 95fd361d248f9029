/*-------------------------------------------------------------------------
 *
 * definition.h
 *		What a cache is: its definition as this backend knows it.
 *
 * See definition.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_DEFINITION_H
#define CACHE_DEFINITION_H

#include "postgres.h"

#include "access/htup.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"

#include "definition/settings.h"
#include "depend/reason.h"
#include "store/item.h"

/* Columns of the table cache_definition */
enum
{
	ANUM_NAME = 1,
	ANUM_ID,
	ANUM_VERSION,
	ANUM_OWNER,
	ANUM_LOADER_SCHEMA,
	ANUM_LOADER_NAME,
	ANUM_LOADER_ARGS,
	ANUM_TTL,
	ANUM_MAX_COST,
	ANUM_ENTRY_COST,
	ANUM_REDIS,
	ANUM_SETTINGS,
	ANUM_KEY_COLLATIONS,
	DEFINITION_COLUMNS_1_0 = ANUM_KEY_COLLATIONS,
	ANUM_TRUST,					/* since 1.1 */
	ANUM_KEY,					/* since 1.1 */
	DEFINITION_COLUMNS = ANUM_KEY
};

/* How keys of a type are hashed. */
typedef struct KeyHash
{
	FmgrInfo	function;
	bool		extended;		/* it makes 64 bits */
	bool		fixed;			/* no DDL can change what it makes */
	bool		nested;			/* it can, by way of a type inside the type */
	Oid			opfamily;
	Oid			input;			/* the operator class's type */
} KeyHash;

typedef struct KeyColumn
{
	Oid			type;			/* of the loader's argument */
	int16		typlen;
	bool		typbyval;
	Oid			collation;		/* that keys are compared under, or none */
	KeyHash		hash;
	struct KeyExpr *normal;		/* what they compare by, NULL: as they are */
} KeyColumn;

/* What a loader's plans may depend on. */
typedef struct LoaderState
{
	uint64		ddl;			/* of others, see coherence_catalog_state */
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
	uint64		locked;			/* see definition_lock */
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
	bool		usable;			/* false: the loader is gone, or unsuitable */
	Oid			loader;
	uint32		loader_hash;	/* of its catalog cache entry */
	Oid			loader_schema;
	Interval   *ttl;
	StoreLimit	limit;
	bool		redis;
	Settings	settings;
	List	   *trusted;		/* OIDs of functions that are vouched for */
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

/*
 * In a function that says whether another one can be a loader or the like: say
 * why it cannot, or (report false) just that.
 */
#define UNSUITABLE(...) \
	do { \
		if (report) \
			ereport(ERROR, (__VA_ARGS__)); \
		return false; \
	} while (0)

/* Moves whenever any definition may have changed. */
extern uint64 definition_generation;

/* Moves when a transaction's locks are gone. */
extern uint64 definition_locks;

extern void definition_init(void);
extern CacheDef *definition_find(const char *name);
extern CacheDef *definition_read(Relation rel, HeapTuple tuple);
extern CacheDef *definition_get(const char *name);
extern void definition_require_loader(CacheDef *def);
extern void definition_use(CacheDef *def);
extern void definition_release(CacheDef *def);
extern void definition_follow(CacheDef *def);
extern int	definition_slot(CacheDef *def);
extern void definition_require_read(CacheDef *def);
extern bool definition_is_owner(CacheDef *def);
extern void definition_require_owner(CacheDef *def);
extern bool definition_lock(CacheDef *def);
extern bool definition_is_locked(CacheDef *def, uint64 generation);
extern bool definition_is_readable(void);
extern Relation definition_open(LOCKMODE mode);
extern void definition_unlock_all(void);
extern void definition_changed(void);
extern char *definition_name(text *name);
extern char *definition_name_argument(FunctionCallInfo fcinfo, int arg);
extern List *definition_names(void);

extern bool loader_describe(CacheDef *def, Oid loader, bool report);
extern bool key_hash_lookup(Oid type, KeyHash *hash);

#endif							/* CACHE_DEFINITION_H */
