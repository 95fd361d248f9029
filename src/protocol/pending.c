/*-------------------------------------------------------------------------
 *
 * pending.c
 *		What this transaction has invalidated, and not yet published.
 *
 * Triggers and cache_invalidate() put the hashes of keys, whole caches, or
 * the whole database here; DDL, that there is some (ddl.c).  While something is
 * pending the transaction itself neither uses nor makes entries of it: its own
 * snapshots see what others do not.  At the end of the transaction, before its
 * commit record is written or it is prepared, everything is published in the
 * fences (publish.c).
 *
 * What updates have made pending remembers which columns they have changed: at
 * publication it may turn out that these concern no value (columns.c).
 *
 * The set remembers in which subtransaction each member came: what a rolled
 * back subtransaction has changed is not pending.
 *
 * Memory is bounded: a transaction that changes more than PENDING_MAX keys
 * invalidates the whole caches that it changes from there on, about 2 MB at
 * most; and 1 MB for messages to others.  A few keys need none at all.
 *
 * Locking: none, this is the backend's own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/devel.h"
#include "fence/mapping.h"
#include "fence/registry.h"
#include "protocol/catalogs.h"
#include "protocol/pending.h"
#include "protocol/publish.h"
#include "redis/broadcast.h"
#include "redis/queue.h"
#include "segment.h"
#include "store/index.h"
#include "store/store.h"

#define PENDING_MAX			16384
#define PENDING_MESSAGES	(1024 * 1024)	/* bytes */

typedef enum PendingKind
{
	PENDING_KEY,
	PENDING_CACHE,
	PENDING_CREATED,			/* a cache; nothing to publish */
	PENDING_DROPPED,			/* a cache, whose slot goes after the commit */
	PENDING_DEPENDENT,			/* a cache whose loads depend on our DDL */
	PENDING_DDL,				/* of our own; what to publish is decided later */
	PENDING_ROLE,				/* what is loaded as that role, anywhere */
	PENDING_DATABASE,
	PENDING_DROPPED_DATABASE	/* its slots go after the commit */
} PendingKind;

typedef struct PendingItem
{
	uint64		cache;			/* its id; or the OID of a database or a role */
	uint64		hash;			/* of the key; 0 for all but keys */
	PendingKind kind;
	ColumnChange	change;			/* of a key or a cache */
} PendingItem;

/* Most transactions change few keys. */
#define FEW_ITEMS		8
#define FEW_LEVELS		2

/*
 * items[] has them in the order in which they came, and room for one behind
 * the last: whatever is looked for.
 */
static PendingItem few_items[FEW_ITEMS + 1];
static PendingItem *items = few_items;
static int	nitems = 0;
static int	items_size = FEW_ITEMS;

static inline uint32
item_hash(const PendingItem *item)
{
	return (uint32) (item->hash ^ murmurhash32((uint32) item->cache + item->kind));
}

static inline bool
item_equal(const PendingItem *a, const PendingItem *b)
{
	return a->hash == b->hash && a->cache == b->cache && a->kind == b->kind;
}

/* The hash table has the items' places in items[]. */
typedef struct PendingMember
{
	uint32		place;
	uint32		hash;
	char		status;
} PendingMember;

#define SH_PREFIX		members
#define SH_ELEMENT_TYPE	PendingMember
#define SH_KEY_TYPE		uint32
#define SH_KEY			place
#define SH_HASH_KEY(tb, key)	item_hash(&items[key])
#define SH_EQUAL(tb, a, b)		item_equal(&items[a], &items[b])
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a)		((a)->hash)
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Where the items of a subtransaction begin. */
typedef struct PendingLevel
{
	int			nestlevel;
	int			start;
} PendingLevel;

/*
 * Finds items, once there are more than a few.  It and all other memory that
 * is needed then lives in the top transaction's context.
 */
static members_hash *members = NULL;

static PendingLevel few_levels[FEW_LEVELS];
static PendingLevel *levels = few_levels;
static int	nlevels = 0;
static int	levels_size = FEW_LEVELS;

static char **messages = NULL;	/* of items; NULL: none has any */
static Size message_bytes = 0;

static int	nwide = 0;			/* items that are not keys */
static uint64 whole_cache = 0;	/* one that is pending as a whole, or 0 */
static bool published = false;	/* once, before the transaction's end */

/* Grows with each DDL command of this session, and when one is undone. */
static uint64 ddl_count = 0;

/* The same of commands of DDL, and their end, alone. */
static uint64 ddl_commands = 0;
static bool ddl_in_progress = false;	/* in this transaction */

/* Make room for more items. */
static void
items_grow(void)
{
	PendingItem *larger;

	larger = MemoryContextAlloc(TopTransactionContext,
								sizeof(PendingItem) * (items_size * 2 + 1));
	memcpy(larger, items, sizeof(PendingItem) * nitems);
	if (messages != NULL)
		messages = repalloc(messages, sizeof(char *) * items_size * 2);
	if (members == NULL)
	{
		members_hash *all = members_create(TopTransactionContext,
										   items_size * 2, NULL);
		bool		found;

		for (int i = 0; i < nitems; i++)
			members_insert(all, i, &found);
		members = all;
	}
	if (items != few_items)
		pfree(items);
	items = larger;
	items_size *= 2;
}

/* The same for subtransactions. */
static void
levels_grow(void)
{
	PendingLevel *larger;

	larger = MemoryContextAlloc(TopTransactionContext,
								sizeof(PendingLevel) * levels_size * 2);
	memcpy(larger, levels, sizeof(PendingLevel) * nlevels);
	if (levels != few_levels)
		pfree(levels);
	levels = larger;
	levels_size *= 2;
}

/* The place of an item, -1 if it is not there. */
static int
find_among_few(const PendingItem *item)
{
	for (int i = 0; i < nitems; i++)
	{
		if (item_equal(&items[i], item))
			return i;
	}
	return -1;
}

static int
find_item(PendingKind kind, uint64 cache, uint64 hash)
{
	PendingItem item = {cache, hash, kind};
	PendingMember *member;

	if (members == NULL)
		return find_among_few(&item);
	items[nitems] = item;
	member = members_lookup(members, nitems);
	return member != NULL ? (int) member->place : -1;
}

static bool
is_pending(PendingKind kind, uint64 cache, uint64 hash)
{
	return find_item(kind, cache, hash) >= 0;
}

/* Is a cache pending as a whole, and whatever its loads have read? */
static bool
is_certain(uint64 cache)
{
	int			i = find_item(PENDING_CACHE, cache, 0);

	return i >= 0 && !OidIsValid(items[i].change.relid);
}

static void
publish_item(const PendingItem *item, FullTransactionId xid)
{
	switch (item->kind)
	{
		case PENDING_KEY:
			publish_key(item->cache, item->hash, xid,
						mapping_running(item->cache), &item->change);
			break;
		case PENDING_CACHE:
			publish_cache(item->cache, xid, mapping_running(item->cache),
						  &item->change);
			break;
		case PENDING_DROPPED:
			publish_dropped(item->cache, xid, mapping_running(item->cache),
							&item->change);
			break;
		case PENDING_DATABASE:
			publish_database((Oid) item->cache, xid);
			break;
		case PENDING_DEPENDENT:
			publish_dependent(MyDatabaseId, item->cache, xid);
			publish_replace(MyDatabaseId, xid);
			break;
		case PENDING_ROLE:
			publish_role((Oid) item->cache, xid);
			break;
		case PENDING_CREATED:
		case PENDING_DDL:
		case PENDING_DROPPED_DATABASE:
			break;
	}
}

/* Give an item its message. */
static void
attach_message(int place, char *message)
{
	if (messages == NULL)
	{
		messages = MemoryContextAlloc(TopTransactionContext,
									  sizeof(char *) * items_size);
		for (int i = 0; i < nitems; i++)
			messages[i] = NULL;
	}
	messages[place] = message;
	message_bytes += strlen(message);
}

/* Take it away, when the item goes. */
static void
detach_message(int i)
{
	if (messages == NULL || messages[i] == NULL)
		return;
	message_bytes -= strlen(messages[i]);
	pfree(messages[i]);
	messages[i] = NULL;
}

/*
 * What others have changed is pending here as well.  Of such a key only the
 * hash is known: whoever is to be told is told of the whole cache.
 */
static void
add_others(uint64 cache, const MappingKeys *others)
{
	PendingHandle added = PENDING_NONE;

	for (int i = 0; i < others->n && !others->whole; i++)
	{
		PendingHandle key = pending_add_key(cache, others->hashes[i], NULL);

		if (key != PENDING_NONE)
			added = key;
	}
	if (others->whole)
		added = pending_add_cache(cache, NULL);
	if (added != PENDING_NONE && others->told != NULL)
		attach_message(added, broadcast_message(others->told, NULL));
}

/*
 * Bring our keys of a cache that has key functions, n items from first on,
 * together with those of others; see mapping.c.
 */
static void
publish_mapped(uint64 cache, int first, int n, FullTransactionId xid)
{
	uint64	   *hashes = palloc(sizeof(uint64) * Max(n, 1));
	int			nhashes = 0;
	bool		whole = false;
	MappingKeys others;

	for (int i = first; i < first + n; i++)
	{
		if (items[i].cache != cache)
			continue;
		if (items[i].kind == PENDING_KEY)
			hashes[nhashes++] = items[i].hash;
		else if (items[i].kind == PENDING_CACHE)
			whole = true;
	}
	mapping_publish(cache, xid, hashes, nhashes, whole, &others);
	pfree(hashes);
	add_others(cache, &others);
}

/*
 * Publish an item that has come after the others were; it is still before the
 * commit record.
 */
static void
publish_late(int i)
{
	FullTransactionId xid = publish_begin();

	if (items[i].kind == PENDING_DATABASE)
		catalogs_begin_change((Oid) items[i].cache);
	if (mapping_is_active())
		publish_mapped(items[i].cache, i, 1, xid);
	publish_item(&items[i], xid);
	publish_end();
}

/*
 * An item that is there has been changed again.  If that is undone, the item
 * keeps it: it was there before.
 */
static void
add_change(int place, const ColumnChange *change)
{
	if (columns_add_change(&items[place].change, change) && published &&
		!GUARD_REMOVED("late"))
		publish_late(place);
}

/*
 * Add an item, if it is not there.  change: what it consists in, NULL: it
 * matters to everybody.
 */
static PendingHandle
pending_add(PendingKind kind, uint64 cache, uint64 hash,
			const ColumnChange *change)
{
	PendingItem item = {cache, hash, kind};
	int			nestlevel = GetCurrentTransactionNestLevel();
	int			place = members == NULL ? find_among_few(&item) : -1;
	bool		found;

	if (place >= 0)
	{
		add_change(place, change);
		return PENDING_NONE;
	}
	if (change != NULL)
		item.change = *change;
	if (nitems == items_size)
		items_grow();
	if (nlevels == levels_size)
		levels_grow();

	/* Whatever may fail for want of memory does before anything is changed. */
	items[nitems] = item;
	if (members != NULL)
	{
		PendingMember *member = members_insert(members, nitems, &found);

		if (found)
		{
			add_change(member->place, change);
			return PENDING_NONE;
		}
	}
	if (nlevels == 0 || levels[nlevels - 1].nestlevel < nestlevel)
	{
		levels[nlevels].nestlevel = nestlevel;
		levels[nlevels].start = nitems;
		nlevels++;
	}
	if (messages != NULL)
		messages[nitems] = NULL;
	place = nitems++;
	if (kind != PENDING_KEY)
		nwide++;

	/* Another database's name is not known here: so all are meant. */
	if (kind == PENDING_DATABASE && broadcast_wanted())
		attach_message(place, broadcast_message_all((Oid) cache == MyDatabaseId));

	/* Other libraries' callbacks may write rows after ours has published. */
	if (published && !GUARD_REMOVED("late"))
		publish_late(place);
	return place;
}

/*
 * This transaction changes what a key, by its hash, stands for.  change: which
 * update that is, NULL: it matters whatever loads have read.  Gives what others
 * are still to be told of: the key, or the whole cache if there are too many
 * keys.
 */
PendingHandle
pending_add_key(uint64 cache, uint64 hash, const ColumnChange *change)
{
	PendingHandle added;

	if (nwide > 0 && is_certain(cache))
		return PENDING_NONE;
	if (nitems >= PENDING_MAX || message_bytes >= PENDING_MESSAGES)
		return pending_add(PENDING_CACHE, cache, 0, change);
	added = pending_add(PENDING_KEY, cache, hash, change);
	if (added != PENDING_NONE && members == NULL)
		publish_prefetch_key(hash);
	return added;
}

/*
 * This transaction changes all of a cache; change and result as above.
 */
PendingHandle
pending_add_cache(uint64 cache, const ColumnChange *change)
{
	return pending_add(PENDING_CACHE, cache, 0, change);
}

/*
 * Is what was added a key?
 */
bool
pending_is_key(PendingHandle added)
{
	return items[added].kind == PENDING_KEY;
}

/*
 * Others are told of what was added by this message, which is in the memory of the
 * transaction.
 */
void
pending_describe(PendingHandle added, char *message)
{
	attach_message(added, message);
}

/*
 * This transaction changes a cache some of whose watches have key functions
 * (moves), or whose keys are hashed by what DDL can replace.  told: its name,
 * if others are told of its keys, else NULL.
 */
void
pending_note_mapped(uint64 cache, const char *told, bool moves)
{
	mapping_note_write(cache, told, moves);
}

/*
 * Its keys are about to be told by what DDL can replace, as this backend's
 * catalog caches have it; known: catalogs_settle() has just been true.  After
 * pending_note_mapped.
 */
void
pending_note_told(uint64 cache, bool known)
{
	uint64		replaced = mapping_replaced();

	pg_read_barrier();
	if ((!known || catalogs_state() == 0) &&
		!GUARD_REMOVED("told_settle"))
		replaced = MAPPING_UNKNOWN;
	mapping_note_told(cache, replaced);
}

/*
 * A key function of a cache is about to be called under this snapshot.
 */
void
pending_note_call(uint64 cache, Snapshot snapshot)
{
	MappingKeys others;

	mapping_note_call(cache, snapshot, &others);
	if (!GUARD_REMOVED("mapping"))
		add_others(cache, &others);
}

/*
 * This transaction creates a cache.  Until it commits nobody else can use it,
 * and it leaves no trace in shared memory.
 */
void
pending_add_created(uint64 cache)
{
	pending_add(PENDING_CREATED, cache, 0, NULL);
}

/*
 * Has this transaction created the cache?
 */
bool
pending_is_created(uint64 cache)
{
	return nwide > 0 && is_pending(PENDING_CREATED, cache, 0);
}

/*
 * This transaction drops a cache.  Gives what others are still to be told of.
 */
PendingHandle
pending_add_dropped(uint64 cache)
{
	return pending_add(PENDING_DROPPED, cache, 0, NULL);
}

/*
 * This transaction changes something that any loader may depend on, in one
 * database or (InvalidOid) in all.
 */
void
pending_add_database(Oid dbid)
{
	pending_count_ddl();
	pending_add(PENDING_DATABASE, dbid, 0, NULL);
}

/*
 * This transaction has changed something that loaders may depend on.  Which
 * caches do is decided before it commits (ddl.c); here it uses none until then.
 */
void
pending_add_ddl(void)
{
	if (published)
		pending_add_database(MyDatabaseId);
	else
	{
		pending_count_ddl();
		pending_add(PENDING_DDL, 0, 0, NULL);
	}
}

/*
 * The loads of a cache depend on something that this transaction has changed.
 * Gives what others are still to be told of.
 */
PendingHandle
pending_add_dependent(uint64 cache)
{
	if (is_pending(PENDING_DATABASE, MyDatabaseId, 0) ||
		is_pending(PENDING_DATABASE, InvalidOid, 0))
		return PENDING_NONE;
	return pending_add(PENDING_DEPENDENT, cache, 0, NULL);
}

/*
 * What a role may do is changed by this transaction, which matters to what is
 * loaded as that role.  Gives what others are still to be told of.
 */
PendingHandle
pending_add_role(Oid role)
{
	return pending_add(PENDING_ROLE, role, 0, NULL);
}

/*
 * This session has run a command that may have changed what plans refer to,
 * if nothing else.
 */
void
pending_count_ddl(void)
{
	ddl_count++;
	ddl_commands++;
	ddl_in_progress = true;
}

/*
 * A number that moves whenever this session's own DDL changes what it sees.
 */
uint64
pending_ddl_count(void)
{
	return ddl_count;
}

/*
 * A number that moves with this session's own commands of DDL, and when these
 * are committed or rolled back.
 */
uint64
pending_ddl_commands(void)
{
	return ddl_commands;
}

/*
 * This transaction drops a database.
 */
void
pending_drop_database(Oid dbid)
{
	pending_add(PENDING_DROPPED_DATABASE, dbid, 0, NULL);
}

/*
 * Is a cache pending as a whole, whatever its loads have read, so that nothing
 * is left to be done about its keys?  Meant to be cheap for writers of many rows.
 */
bool
pending_is_whole(uint64 cache)
{
	if (nwide == 0 || published)
		return false;
	if (whole_cache == cache)
		return true;
	if (!is_certain(cache))
		return false;
	whole_cache = cache;
	return true;
}

/*
 * Is the key pending, by itself, with its cache, or with everything?
 *
 * Who has published takes part in nothing any more: in the fences it may stand
 * for others, which its own snapshots need not see (fence.c).
 */
bool
pending_covers(uint64 cache, uint64 hash)
{
	if (mapping_is_active())
	{
		MappingKeys others;

		mapping_catch_up(cache, &others);
		add_others(cache, &others);
	}
	if (publish_xid != 0 && !GUARD_REMOVED("witness"))
		return true;
	if (nitems == 0)
		return false;
	if (nwide > 0 &&
		(is_pending(PENDING_CACHE, cache, 0) ||
		 is_pending(PENDING_CREATED, cache, 0) ||
		 is_pending(PENDING_DROPPED, cache, 0) ||
		 is_pending(PENDING_DEPENDENT, cache, 0) ||
		 is_pending(PENDING_DDL, 0, 0) ||
		 is_pending(PENDING_DATABASE, MyDatabaseId, 0) ||
		 is_pending(PENDING_DATABASE, InvalidOid, 0)))
		return true;
	return is_pending(PENDING_KEY, cache, hash);
}

/*
 * A statement is through that has changed rows, and the transaction as well,
 * perhaps: what publishing needs is fetched meanwhile.
 */
void
pending_prefetch(void)
{
	for (int i = 0; members == NULL && i < nitems; i++)
	{
		if (items[i].kind == PENDING_KEY)
			index_prefetch_entry(items[i].hash);
	}
}

/*
 * Publish everything, before the transaction commits or is prepared.  What is
 * added from now on is published at once.  May raise errors.
 */
void
pending_publish(void)
{
	FullTransactionId xid;

	if (nitems == 0 && !mapping_is_active())
	{
		published = true;
		publish_end();
		return;
	}
	xid = publish_begin();
	for (int i = 0; nwide > 0 && i < nitems; i++)
	{
		if (items[i].kind == PENDING_DATABASE)
			catalogs_begin_change((Oid) items[i].cache);
	}
	for (int i = 0; i < mapping_count(); i++)
		publish_mapped(mapping_cache(i), 0, nitems, xid);
	for (int i = 0; i < nitems; i++)
	{
		/* The fence of a whole cache stands for those of its keys. */
		if (items[i].kind != PENDING_KEY || !pending_is_whole(items[i].cache))
			publish_item(&items[i], xid);
	}
	publish_end();
	published = true;
}

/* Tell others, of all databases or of one.  Raises no errors. */
static void
send_messages(bool prepared)
{
	bool		everything;

	if (messages == NULL)
		return;
	everything = nwide > 0 && is_pending(PENDING_DATABASE, InvalidOid, 0);
	for (int i = 0; i < nitems; i++)
	{
		bool		all = items[i].kind == PENDING_DATABASE ||
			items[i].kind == PENDING_ROLE;

		if (messages[i] != NULL &&
			!(all && everything && OidIsValid((Oid) items[i].cache)))
			broadcast_put(all ? 0 : items[i].cache, items[i].hash,
						  publish_xid, prepared, messages[i]);
	}
	queue_wake();
}

/*
 * The transaction has been prepared, and may commit at any time.  Raises no
 * errors.
 */
void
pending_after_prepare(void)
{
	send_messages(true);
}

/*
 * What can only be done once the transaction has committed.  Raises no
 * errors.
 */
void
pending_after_commit(void)
{
	send_messages(false);
	if (nwide == 0 || !segment_exists())
		return;
	for (int i = 0; i < nitems; i++)
	{
		if (items[i].kind == PENDING_DROPPED)
			slot_forget(MyDatabaseId, items[i].cache);
		else if (items[i].kind == PENDING_DROPPED_DATABASE)
			slot_forget((Oid) items[i].cache, 0);
	}
}

/*
 * The transaction has ended; its memory goes with its context.
 */
void
pending_reset(void)
{
	if (nwide > 0)
		ddl_count++;
	if (ddl_in_progress)
		ddl_commands++;
	ddl_in_progress = false;
	members = NULL;
	items = few_items;
	items_size = FEW_ITEMS;
	messages = NULL;
	message_bytes = 0;
	levels = few_levels;
	levels_size = FEW_LEVELS;
	nitems = 0;
	nlevels = 0;
	nwide = 0;
	whole_cache = 0;
	published = false;
	publish_reset();
	mapping_reset();
}

/*
 * A subtransaction has committed: what it has changed is its parent's now.
 */
void
pending_subcommit(int nestlevel)
{
	if (nlevels == 0 || levels[nlevels - 1].nestlevel < nestlevel)
		return;
	levels[nlevels - 1].nestlevel = nestlevel - 1;
	if (nlevels > 1 && levels[nlevels - 2].nestlevel == nestlevel - 1)
		nlevels--;
}

/*
 * A subtransaction has aborted: nothing that it has changed is left.
 */
void
pending_subabort(int nestlevel)
{
	whole_cache = 0;
	if (ddl_in_progress)
		ddl_commands++;
	mapping_subabort();
	while (nlevels > 0 && levels[nlevels - 1].nestlevel >= nestlevel)
	{
		while (nitems > levels[nlevels - 1].start)
		{
			nitems--;
			if (members != NULL)
				members_delete(members, nitems);
			detach_message(nitems);
			if (items[nitems].kind != PENDING_KEY)
			{
				nwide--;
				ddl_count++;
			}
		}
		nlevels--;
	}
}
