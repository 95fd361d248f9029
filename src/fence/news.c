/*-------------------------------------------------------------------------
 *
 * news.c
 *		What a transaction publishes, as a record in WAL.
 *
 * With cache.wal = on a transaction writes what it publishes into WAL, too, ahead
 * of its commit record or of that of its preparation: so a standby that replays it
 * knows who has changed what before it sees the change (wal/replay.c).
 *
 * The record is a logical message of PostgreSQL's, which is not transactional.  A
 * server without this library replays the same WAL and does nothing about it.
 * Consumers of logical decoding that ask for messages see it, with the prefix
 * "cache".  Nobody can make one by SQL: see NEWS_PREFIX.
 *
 * It begins with a header, by which an announcement (see standby.c) is told from
 * what is published.  Then there are items, each a byte and what its kind takes.  A
 * key takes nine bytes: the number of a context, which says of which cache and by
 * which update it was changed, and its hash.  Contexts are items, too, and numbered
 * in turn.  Nothing is aligned; integers are as the processor has them, since only
 * servers with equal ones share WAL.
 *
 * What depends on DDL the primary decides by what its own loads have noted.  Others
 * have noted other things: so with the decision go the questions that it was made
 * by, as far as they had to be answered with no.
 *
 * Locking: none, this is the backend's own.  news_announce() as open.c says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "replication/message.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/devel.h"
#include "fence/news.h"

/* So much memory is kept from one transaction to the next. */
#define NEWS_KEPT	(64 * 1024)

typedef struct NewsHeader
{
	uint32		version;
	bool		announcement;
	uint64		xid;			/* top-level, or 0 */
} NewsHeader;

/* The bytes of items; below are contexts. */
enum
{
	BYTE_CONTEXT = NEWS_CONTEXTS,
	BYTE_CONTEXT_COLUMNS,		/* with a relation and columns */
	BYTE_CONTEXT_OTHERS,		/* the same, and others */
	BYTE_CACHE,
	BYTE_DROPPED,
	BYTE_DATABASE,
	BYTE_DEPENDENT,
	BYTE_ROLE,
	BYTE_BEGIN_DDL,
	BYTE_BEGIN_LASTING_DDL,
	BYTE_RELATIONS,
	BYTE_CATALOGS,
	BYTE_LASTING_CATALOGS,
	BYTE_TEST,
	BYTE_ROLE_TEST,
	BYTE_MEMBERSHIP_TEST,
	BYTE_DDL_OTHERS				/* for all DDL that follows */
};

StaticAssertDecl(BYTE_DDL_OTHERS <= PG_UINT8_MAX, "an item begins with a byte");

bool		news_enabled = false;

/* What has been added so far, room for a header first. */
static char *buffer = NULL;
static Size used = 0;
static Size size = 0;

/* The contexts that have been added, NEWS_CONTEXTS at most, and how many ever */
static NewsContext contexts[NEWS_CONTEXTS];
static uint32 ncontexts = 0;
static bool has_ddl = false;	/* of which mapping.c tells others */

/* The checkpoint after which the server has announced itself last. */
static XLogRecPtr announced = InvalidXLogRecPtr;

/*-------------------------------------------------------------------------
 * Writing
 *-------------------------------------------------------------------------
 */

/*
 * Is what is published written into WAL?
 */
bool
news_wanted(void)
{
	return news_enabled && XLogStandbyInfoActive();
}

static void
put(const void *from, Size n)
{
	if (used == 0)
		used = sizeof(NewsHeader);
	if (used + n > size)
	{
		Size		larger = Max(Max(size * 2, used + n), 1024);

		if (buffer == NULL)
			buffer = MemoryContextAllocHuge(TopMemoryContext, larger);
		else
			buffer = repalloc_huge(buffer, larger);
		size = larger;
	}
	memcpy(buffer + used, from, n);
	used += n;
}

static void
put_byte(int byte)
{
	uint8		value = byte;

	put(&value, 1);
}

static void
put_others(const MappingRunning *others)
{
	put(&others->floor, sizeof(others->floor));
	put(&others->n, sizeof(others->n));
	put(others->xids, sizeof(uint64) * others->n);
}

static bool
has_others(const MappingRunning *others)
{
	return others->n > 0 || !floor_is_empty(&others->floor);
}

static bool
same_others(const MappingRunning *a, const MappingRunning *b)
{
	return a->n == b->n && a->floor.lowest == b->floor.lowest &&
		a->floor.highest == b->floor.highest &&
		memcmp(a->xids, b->xids, sizeof(uint64) * a->n) == 0;
}

/* The number of this context; it is added if it is not there. */
static uint32
put_context(uint64 cache, const MappingRunning *others, const ColumnChange *change)
{
	NewsContext wanted = {cache};
	NewsContext *context;
	uint32		n = Min(ncontexts, NEWS_CONTEXTS);

	if (change != NULL && OidIsValid(change->relid))
	{
		wanted.change.relid = change->relid;
		wanted.change.columns = change->columns;
	}
	wanted.others.floor.lowest = 1;
	if (others != NULL && has_others(others))
		wanted.others = *others;
	for (uint32 i = 0; i < n; i++)
	{
		context = &contexts[i];
		if (context->cache == cache &&
			context->change.relid == wanted.change.relid &&
			context->change.columns == wanted.change.columns &&
			same_others(&context->others, &wanted.others))
			return i;
	}
	context = &contexts[ncontexts % NEWS_CONTEXTS];
	*context = wanted;
	put_byte(has_others(&wanted.others) ? BYTE_CONTEXT_OTHERS :
			 OidIsValid(wanted.change.relid) ? BYTE_CONTEXT_COLUMNS : BYTE_CONTEXT);
	put(&cache, sizeof(cache));
	if (has_others(&wanted.others) || OidIsValid(wanted.change.relid))
	{
		put(&wanted.change.relid, sizeof(Oid));
		put(&wanted.change.columns, sizeof(Columns));
	}
	if (has_others(&wanted.others))
		put_others(&wanted.others);
	return ncontexts++ % NEWS_CONTEXTS;
}

/*
 * A key is published; others and change as in publish_key().  Like all of these, may
 * fail for want of memory, and does nothing if nothing is written.
 */
void
news_add_key(uint64 cache, uint64 hash, const MappingRunning *others,
			 const ColumnChange *change)
{
	if (!news_wanted())
		return;
	put_byte(put_context(cache, others, change));
	put(&hash, sizeof(hash));
}

/*
 * A whole cache is.
 */
void
news_add_cache(uint64 cache, const MappingRunning *others,
			   const ColumnChange *change)
{
	uint32		context;

	if (!news_wanted())
		return;
	context = put_context(cache, others, change);
	put_byte(BYTE_CACHE);
	put_byte(context);
}

/*
 * The cache is dropped: its place is free.
 */
void
news_add_dropped(uint64 cache)
{
	if (!news_wanted())
		return;
	put_byte(BYTE_DROPPED);
	put(&cache, sizeof(cache));
}

/*
 * In front of all items, those who have told keys otherwise than after the DDL.  When
 * all is published: who is not among them then knows of it (mapping.c).
 */
static void
insert_ddl_others(void)
{
	char		others[1 + sizeof(MappingRunning)];
	MappingRunning all;
	Size		end = used;
	Size		n;

	mapping_all_running(&all);
	if (!has_others(&all) || GUARD_REMOVED("news_others_late"))
		return;
	put_byte(BYTE_DDL_OTHERS);
	put_others(&all);
	n = used - end;
	memcpy(others, buffer + end, n);
	memmove(buffer + sizeof(NewsHeader) + n, buffer + sizeof(NewsHeader),
			end - sizeof(NewsHeader));
	memcpy(buffer + sizeof(NewsHeader), others, n);
}

static void
put_with_oid(int byte, Oid oid)
{
	put_byte(byte);
	put(&oid, sizeof(oid));
}

/*
 * DDL that any cache of a database (InvalidOid: of any) may depend on is.
 */
void
news_add_database(Oid dbid)
{
	if (!news_wanted())
		return;
	has_ddl = true;
	put_with_oid(BYTE_DATABASE, dbid);
}

/*
 * DDL that a cache of this database depends on is.
 */
void
news_add_dependent(uint64 cache)
{
	if (!news_wanted())
		return;
	has_ddl = true;
	put_byte(BYTE_DEPENDENT);
	put(&cache, sizeof(cache));
}

/*
 * A change of what a role may do is.
 */
void
news_add_role(Oid role)
{
	if (news_wanted())
		put_with_oid(BYTE_ROLE, role);
}

/*
 * It is about to be decided what depends on DDL; as publish_begin_ddl().
 */
void
news_add_begin_ddl(Oid dbid, bool lasting)
{
	if (news_wanted())
		put_with_oid(lasting ? BYTE_BEGIN_LASTING_DDL : BYTE_BEGIN_DDL, dbid);
}

/*
 * The DDL concerns those who depend on one of these relations of this database.
 */
void
news_add_relations(const Oid *relids, int n)
{
	if (!news_wanted())
		return;
	has_ddl = true;
	for (int i = 0; i < n; i += NEWS_RELATIONS)
	{
		uint16		count = Min(n - i, NEWS_RELATIONS);

		put_byte(BYTE_RELATIONS);
		put(&count, sizeof(count));
		put(relids + i, sizeof(Oid) * count);
	}
}

/*
 * Those of a database (InvalidOid: of any) that read catalogs, or (lasting) that use
 * what others have loaded.
 */
void
news_add_catalogs(Oid dbid, bool lasting)
{
	if (!news_wanted())
		return;
	has_ddl = true;
	put_with_oid(lasting ? BYTE_LASTING_CATALOGS : BYTE_CATALOGS, dbid);
}

/*
 * All of this database, if this test is passed.
 */
void
news_add_test(const DependencyTest *test)
{
	if (!news_wanted())
		return;
	has_ddl = true;
	put_byte(BYTE_TEST);
	put(test, sizeof(DependencyTest));
}

/*
 * All of a database whose loads depend on this role.
 */
void
news_add_role_test(Oid role)
{
	if (!news_wanted())
		return;
	has_ddl = true;
	put_with_oid(BYTE_ROLE_TEST, role);
}

/*
 * The same of a membership, by its hash.
 */
void
news_add_membership_test(uint32 hash)
{
	if (!news_wanted())
		return;
	has_ddl = true;
	put_byte(BYTE_MEMBERSHIP_TEST);
	put(&hash, sizeof(hash));
}

/* Write a message; gives its end.  lasting: not only to tell what is known. */
static XLogRecPtr
write_message(const char *message, Size n, bool lasting)
{
	static char prefix[] = NEWS_PREFIX;
	xl_logical_message record = {0};

	record.dbId = MyDatabaseId;
	record.transactional = false;
	record.prefix_size = sizeof(NEWS_PREFIX);
	record.message_size = n;
	XLogBeginInsert();
	XLogRegisterData((char *) &record, SizeOfLogicalMessage);
	XLogRegisterData(prefix, sizeof(prefix));
	XLogRegisterData(unconstify(char *, message), n);
	if (!lasting)
		XLogSetRecordFlags(XLOG_MARK_UNIMPORTANT);
	return XLogInsert(RM_LOGICALMSG_ID, XLOG_LOGICAL_MESSAGE);
}

/*
 * Write what has been added, if anything has; before the commit record of the
 * transaction whose top-level id this is (or invalid, if it has none).
 */
void
news_write(FullTransactionId xid)
{
	NewsHeader	header;

	if (used == 0)
		return;
	if (has_ddl)
		insert_ddl_others();
	memset(&header, 0, sizeof(header));
	header.version = NEWS_VERSION;
	header.xid = U64FromFullTransactionId(xid);
	memcpy(buffer, &header, sizeof(header));
	(void) write_message(buffer, used, true);
	news_reset();
}

/*
 * Forget what has been added.  Raises no errors.
 */
void
news_reset(void)
{
	if (size > NEWS_KEPT)
	{
		pfree(buffer);
		buffer = NULL;
		size = 0;
	}
	used = 0;
	ncontexts = 0;
	has_ddl = false;
}

/*
 * Say that from here on all that is published is written.  By whoever opens the
 * server for business, before anybody can publish; and again.
 */
void
news_announce(void)
{
	struct
	{
		NewsHeader	header;
		NewsAnnouncement announcement;
	}			message;

	if (!news_wanted())
		return;
	memset(&message, 0, sizeof(message));
	message.header.version = NEWS_VERSION;
	message.header.announcement = true;
	message.announcement.lineage = *shared_lineage;
	software_name(message.announcement.software);
	software_hashing(message.announcement.hashing);
	announced = GetRedoRecPtr();

	/* Standbys wait for it, and perhaps nobody commits. */
	XLogSetAsyncXactLSN(write_message((char *) &message, sizeof(message), false));
}

/*
 * Say so again if there has been a checkpoint, from which a standby may begin.
 */
void
news_announce_again(void)
{
	if (news_wanted() && announced != GetRedoRecPtr())
		news_announce();
}

/*-------------------------------------------------------------------------
 * Reading, which raises no errors and uses no memory
 *-------------------------------------------------------------------------
 */

static bool
read_header(const char *message, size_t n, NewsHeader *header)
{
	if (n < sizeof(NewsHeader))
		return false;
	memcpy(header, message, sizeof(NewsHeader));
	return header->version == NEWS_VERSION;
}

/*
 * Is this message an announcement?
 */
bool
news_read_announcement(const char *message, size_t n,
					   NewsAnnouncement *announcement)
{
	NewsHeader	header;

	if (!read_header(message, n, &header) || !header.announcement ||
		n != sizeof(NewsHeader) + sizeof(NewsAnnouncement))
		return false;
	memcpy(announcement, message + sizeof(NewsHeader), sizeof(NewsAnnouncement));
	return true;
}

/*
 * Begin to read what somebody has published.
 */
void
news_read_begin(NewsReader *reader, const char *message, size_t n)
{
	NewsHeader	header;

	reader->broken = !read_header(message, n, &header) || header.announcement;
	reader->ncontexts = 0;
	reader->ddl_others.n = 0;
	reader->ddl_others.floor.lowest = 1;
	reader->ddl_others.floor.highest = 0;
	if (reader->broken)
		return;
	reader->xid = header.xid;
	reader->at = message + sizeof(NewsHeader);
	reader->end = message + n;
}

static bool
take(NewsReader *reader, void *to, size_t n)
{
	if (reader->broken || n > (size_t) (reader->end - reader->at))
	{
		reader->broken = true;
		return false;
	}
	memcpy(to, reader->at, n);
	reader->at += n;
	return true;
}

static bool
take_others(NewsReader *reader, MappingRunning *others)
{
	if (!take(reader, &others->floor, sizeof(others->floor)) ||
		!take(reader, &others->n, sizeof(others->n)))
		return false;
	if (others->n > MAPPING_RUNNING)
	{
		reader->broken = true;
		return false;
	}
	return take(reader, others->xids, sizeof(uint64) * others->n);
}

static bool
take_context(NewsReader *reader, int byte)
{
	NewsContext *context = &reader->contexts[reader->ncontexts % NEWS_CONTEXTS];

	memset(context, 0, sizeof(NewsContext));
	context->others.floor.lowest = 1;
	if (!take(reader, &context->cache, sizeof(context->cache)))
		return false;
	if (byte != BYTE_CONTEXT &&
		(!take(reader, &context->change.relid, sizeof(Oid)) ||
		 !take(reader, &context->change.columns, sizeof(Columns))))
		return false;
	if (byte == BYTE_CONTEXT_OTHERS && !take_others(reader, &context->others))
		return false;
	reader->ncontexts++;
	return true;
}

/* What a context says of a key or a cache. */
static bool
use_context(NewsReader *reader, uint32 number, NewsItem *item)
{
	if (number >= Min(reader->ncontexts, NEWS_CONTEXTS))
	{
		reader->broken = true;
		return false;
	}
	item->cache = reader->contexts[number].cache;
	item->change = reader->contexts[number].change;
	item->others = &reader->contexts[number].others;
	return true;
}

static bool
take_relations(NewsReader *reader, NewsItem *item)
{
	uint16		n;

	if (!take(reader, &n, sizeof(n)))
		return false;
	if (n > NEWS_RELATIONS)
	{
		reader->broken = true;
		return false;
	}
	item->nrelids = n;
	return take(reader, item->relids, sizeof(Oid) * n);
}

/* An item of this kind that has an OID */
static bool
take_with_oid(NewsReader *reader, NewsItem *item, NewsKind kind)
{
	item->kind = kind;
	return take(reader, &item->oid, sizeof(Oid));
}

/* Read the rest of an item that is no key and no context. */
static bool
take_item(NewsReader *reader, int byte, NewsItem *item)
{
	uint8		number;
	uint32		hash;

	item->others = &reader->ddl_others;
	switch (byte)
	{
		case BYTE_CACHE:
			item->kind = NEWS_CACHE;
			return take(reader, &number, 1) && use_context(reader, number, item);
		case BYTE_DROPPED:
			item->kind = NEWS_DROPPED;
			return take(reader, &item->cache, sizeof(item->cache));
		case BYTE_DATABASE:
			return take_with_oid(reader, item, NEWS_DATABASE);
		case BYTE_DEPENDENT:
			item->kind = NEWS_DEPENDENT;
			return take(reader, &item->cache, sizeof(item->cache));
		case BYTE_ROLE:
			return take_with_oid(reader, item, NEWS_ROLE);
		case BYTE_BEGIN_DDL:
		case BYTE_BEGIN_LASTING_DDL:
			item->lasting = byte == BYTE_BEGIN_LASTING_DDL;
			return take_with_oid(reader, item, NEWS_BEGIN_DDL);
		case BYTE_RELATIONS:
			item->kind = NEWS_RELATIONS_CHANGED;
			return take_relations(reader, item);
		case BYTE_CATALOGS:
		case BYTE_LASTING_CATALOGS:
			item->lasting = byte == BYTE_LASTING_CATALOGS;
			return take_with_oid(reader, item, NEWS_CATALOGS_CHANGED);
		case BYTE_TEST:
			item->kind = NEWS_TEST;
			return take(reader, &item->test, sizeof(DependencyTest));
		case BYTE_ROLE_TEST:
			return take_with_oid(reader, item, NEWS_ROLE_TEST);
		case BYTE_MEMBERSHIP_TEST:
			item->kind = NEWS_MEMBERSHIP_TEST;
			if (!take(reader, &hash, sizeof(hash)))
				return false;
			item->hash = hash;
			return true;
		default:
			reader->broken = true;
			return false;
	}
}

/*
 * Read the next item; what does not belong to its kind is undefined.  False: there
 * is none, or what there is cannot be understood (reader->broken).
 */
bool
news_read(NewsReader *reader, NewsItem *item)
{
	uint8		byte;

	while (!reader->broken && reader->at < reader->end)
	{
		(void) take(reader, &byte, 1);
		if (byte < NEWS_CONTEXTS)
		{
			item->kind = NEWS_KEY;
			return use_context(reader, byte, item) &&
				take(reader, &item->hash, sizeof(item->hash));
		}
		if (byte == BYTE_DDL_OTHERS)
			(void) take_others(reader, &reader->ddl_others);
		else if (byte <= BYTE_CONTEXT_OTHERS)
			(void) take_context(reader, byte);
		else
			return take_item(reader, byte, item);
	}
	return false;
}
