/*-------------------------------------------------------------------------
 *
 * getmany.c
 *		The read-through get of several keys.
 *
 * What shared memory has is answered from there; for the rest Redis is asked once,
 * and what is missing then is loaded one key after the other.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "definition/definition.h"
#include "fence/stats.h"
#include "load/fetch.h"
#include "load/flight.h"
#include "load/getmany.h"
#include "protocol/coherence.h"
#include "redis/tier.h"
#include "store/store.h"

/*
 * Get the value of one of several keys, if shared memory has it.
 */
bool
getmany_cached(CacheDef *def, FetchItem *item, Oid collation, bool native)
{
	Fetch		fetch;
	StoreValue	value;

	item->value = (Datum) 0;
	if (!fetch_start(&fetch, def, &item->key, &item->keynull, collation, native,
					 &item->isnull))
		return true;
	if (!fetch_try(&fetch, &value))
		return false;
	item->value = fetch_hit(&fetch, &value, STATS_HITS);
	return true;
}

/* A key that shared memory does not have. */
typedef struct Missed
{
	Fetch		fetch;
	FetchItem  *item;
	struct Missed *same;		/* the one of equal keys that is asked for */
	bool		asked;			/* Redis has been, for this or an equal key */
	StoreValue	value;			/* from Redis */
} Missed;

/* The questions to Redis, and which of its answers are used. */
typedef struct Asked
{
	Missed	  **missed;
	int			n;
	CoherentFill *fills;
	int			nfills;
	int			nstale;
} Asked;

/* Redis has one of them. */
static void
many_found(void *arg, int i, const CodecValue *received, StoreValue *value)
{
	Asked	   *asked = arg;
	Missed	   *missed = asked->missed[i];
	Fetch	   *fetch = &missed->fetch;

	if (!fetch_accept(fetch, received, value))
	{
		asked->nstale++;
		return;
	}
	store_missed(&fetch->key.key);
	missed->item->value = fetch_hit(fetch, value, STATS_REDIS_HITS);
	missed->item->done = true;
	missed->value = *value;
	asked->fills[asked->nfills].get = &fetch->get;
	asked->fills[asked->nfills++].value = &missed->value;
}

static bool
keys_are_equal(const Missed *a, const Missed *b)
{
	const StoreKey *left = &a->fetch.key.key;
	const StoreKey *right = &b->fetch.key.key;

	return left->hash == right->hash && left->len == right->len &&
		memcmp(left->image, right->image, left->len) == 0;
}

/*
 * Tell equal keys: for each of them, which one of the equal ones before it is
 * to be asked for, if there is one.  By a hash table with open addressing, half
 * full at most, of 1 + the place in missed[].
 */
static void
many_match(Missed **missed, int n)
{
	uint32		mask = pg_nextpower2_32(2 * n) - 1;
	int		   *table = palloc0(sizeof(int) * (mask + 1));

	for (int i = 0; i < n; i++)
	{
		uint32		at = missed[i]->fetch.key.key.hash & mask;

		for (; table[at] != 0; at = (at + 1) & mask)
		{
			if (keys_are_equal(missed[i], missed[table[at] - 1]))
				break;
		}
		if (table[at] == 0)
			table[at] = i + 1;
		else
			missed[i]->same = missed[table[at] - 1];
	}
	pfree(table);
}

/* Ask Redis for all of these keys at once, for equal ones but once. */
static void
many_remote(CacheDef *def, Missed **missed, int n)
{
	Missed	  **candidates = palloc(sizeof(Missed *) * n);
	Asked		asked = {palloc(sizeof(Missed *) * n)};
	const StoreKey **keys;
	int			ncandidates = 0;

	for (int i = 0; i < n; i++)
	{
		if (!missed[i]->item->done && missed[i]->fetch.get.def != NULL &&
			fetch_may_ask(&missed[i]->fetch))
			candidates[ncandidates++] = missed[i];
	}
	if (ncandidates == 0 || !fetch_settle(&candidates[0]->fetch))
		return;
	many_match(candidates, ncandidates);
	keys = palloc(sizeof(StoreKey *) * ncandidates);
	for (int i = 0; i < ncandidates; i++)
	{
		candidates[i]->asked = true;
		if (candidates[i]->same == NULL)
		{
			asked.missed[asked.n] = candidates[i];
			keys[asked.n++] = &candidates[i]->fetch.key.key;
		}
	}
	asked.fills = palloc(sizeof(CoherentFill) * asked.n);
	tier_read_many(def->id, keys, asked.n, many_found, &asked);
	tier_used(asked.nfills, asked.nstale);
	if (asked.nfills > 0)
		coherence_fill_many(def, asked.fills, asked.nfills);
	for (int i = 0; i < ncandidates; i++)
	{
		if (candidates[i]->same == NULL || !candidates[i]->same->item->done)
			continue;
		candidates[i]->item->isnull = candidates[i]->same->item->isnull;
		candidates[i]->item->value = candidates[i]->same->item->value;
		candidates[i]->item->done = true;
		stats_count(def->slot, STATS_REDIS_HITS, 1);
	}
}

/* Answer those whose value shared memory has in its other form. */
static void
many_convert(CacheDef *def, Missed **missed, int n)
{
	for (int i = 0; i < n && def->valid; i++)
	{
		Fetch	   *fetch = &missed[i]->fetch;

		if (fetch->get.def != NULL)
			missed[i]->item->done = fetch_convert(fetch, STATS_HITS,
												  &missed[i]->item->value);
	}
}

/*
 * Load what is still missing, one key after the other.  An earlier load may
 * have been for the same key, or have changed what the next one may use: so
 * each begins anew.
 */
static void
many_load(CacheDef *def, Missed **missed, int n)
{
	StoreValue	value;

	for (int i = 0; i < n && def->valid; i++)
	{
		Fetch	   *fetch = &missed[i]->fetch;
		FetchItem  *item = missed[i]->item;

		if (item->done)
			continue;
		if (fetch_try(fetch, &value))
			item->value = fetch_hit(fetch, &value, STATS_HITS);
		else
			item->value = fetch_otherwise(fetch, missed[i]->asked);
		item->done = true;
	}
}

/*
 * Get the values of several keys of a cache whose keys have one column: of
 * those that are not done yet.  Otherwise as get_value.
 *
 * False if some are left because the definition has changed meanwhile; the
 * caller finds it again and calls again.
 */
bool
getmany_fetch(CacheDef *def, FetchItem *items, int n, Oid collation,
				 bool native)
{
	Missed	  **missed = palloc(sizeof(Missed *) * n);
	Missed	   *next = palloc(sizeof(Missed));
	int			nmissed = 0;
	int			depth;
	bool		complete = true;

	for (int i = 0; i < n; i++)
	{
		FetchItem  *item = &items[i];
		Fetch	   *fetch = &next->fetch;
		StoreValue	value;

		if (item->done)
			continue;
		item->value = (Datum) 0;
		if (!fetch_start(fetch, def, &item->key, &item->keynull, collation,
						 native, &item->isnull))
			item->done = true;
		else if (fetch_try(fetch, &value))
		{
			item->value = fetch_hit(fetch, &value, STATS_HITS);
			item->done = true;
		}
		else
		{
			next->item = item;
			next->same = NULL;
			next->asked = false;
			missed[nmissed++] = next;
			next = palloc(sizeof(Missed));
		}
	}
	if (nmissed == 0)
		return true;

	definition_use(def);
	depth = flight_depth();
	PG_TRY();
	{
		many_convert(def, missed, nmissed);
		if (def->valid)
			many_remote(def, missed, nmissed);
		many_load(def, missed, nmissed);
		for (int i = 0; i < nmissed; i++)
			complete &= missed[i]->item->done;
	}
	PG_FINALLY();
	{
		flight_forget(depth);
		definition_release(def);
	}
	PG_END_TRY();
	return complete;
}
