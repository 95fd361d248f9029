/*-------------------------------------------------------------------------
 *
 * news.h
 *		What a transaction publishes, as a record in WAL.
 *
 * See news.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_NEWS_H
#define CACHE_NEWS_H

#include "postgres.h"

#include "access/transam.h"

#include "fence/columns.h"
#include "fence/dependencyset.h"
#include "fence/lineage.h"
#include "fence/mapping.h"
#include "fence/software.h"

/*
 * The prefix of the message ends with two zeroes.  That of a message which is made by
 * pg_logical_emit_message(), as anybody may, ends with one.
 */
#define NEWS_PREFIX		"cache\0"

/* Another one after each change of what follows; never one that has been used. */
#define NEWS_VERSION	1

/* More relations are several items. */
#define NEWS_RELATIONS	256

/* How many changes of caches are remembered, of which keys are the objects. */
#define NEWS_CONTEXTS	64

typedef enum NewsKind
{
	NEWS_KEY = 1,				/* cache, hash, change, others */
	NEWS_CACHE,					/* cache, change, others */
	NEWS_DROPPED,				/* cache, which has been published before */
	NEWS_DATABASE,				/* oid; others: as all that follow */
	NEWS_DEPENDENT,				/* cache */
	NEWS_ROLE,					/* oid */
	NEWS_BEGIN_DDL,				/* oid, lasting */
	NEWS_RELATIONS_CHANGED,		/* relids, nrelids */
	NEWS_CATALOGS_CHANGED,		/* oid, lasting */
	NEWS_TEST,					/* test */
	NEWS_ROLE_TEST,				/* oid */
	NEWS_MEMBERSHIP_TEST		/* hash */
} NewsKind;

typedef struct NewsItem
{
	NewsKind	kind;
	Oid			oid;			/* of a database (InvalidOid: all), or a role */
	uint64		cache;
	uint64		hash;
	bool		lasting;
	ColumnChange change;		/* slot is to be found by the reader */
	const MappingRunning *others;
	DependencyTest test;
	Oid			relids[NEWS_RELATIONS];
	int			nrelids;
} NewsItem;

/* A change of a cache: of keys it has all but the hash. */
typedef struct NewsContext
{
	uint64		cache;
	ColumnChange change;
	MappingRunning others;
} NewsContext;

typedef struct NewsReader
{
	const char *at;
	const char *end;
	bool		broken;			/* what it is cannot be told */
	uint64		xid;
	uint32		ncontexts;
	NewsContext contexts[NEWS_CONTEXTS];
	MappingRunning ddl_others;
} NewsReader;

/* What a server says about itself. */
typedef struct NewsAnnouncement
{
	Lineage		lineage;
	char		software[SOFTWARE_NAME];	/* software_name() */
	char		hashing[SOFTWARE_NAME]; /* software_hashing() */
} NewsAnnouncement;

/* cache.wal */
extern bool news_enabled;

extern bool news_wanted(void);
extern void news_add_key(uint64 cache, uint64 hash, const MappingRunning *others,
						 const ColumnChange *change);
extern void news_add_cache(uint64 cache, const MappingRunning *others,
						   const ColumnChange *change);
extern void news_add_dropped(uint64 cache);
extern void news_add_database(Oid dbid);
extern void news_add_dependent(uint64 cache);
extern void news_add_role(Oid role);
extern void news_add_begin_ddl(Oid dbid, bool lasting);
extern void news_add_relations(const Oid *relids, int n);
extern void news_add_catalogs(Oid dbid, bool lasting);
extern void news_add_test(const DependencyTest *test);
extern void news_add_role_test(Oid role);
extern void news_add_membership_test(uint32 hash);
extern void news_write(FullTransactionId xid);
extern void news_reset(void);
extern void news_announce(void);
extern void news_announce_again(void);

extern bool news_read_announcement(const char *message, size_t size,
								   NewsAnnouncement *announcement);
extern void news_read_begin(NewsReader *reader, const char *message, size_t size);
extern bool news_read(NewsReader *reader, NewsItem *item);

#endif							/* CACHE_NEWS_H */
