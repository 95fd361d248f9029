/*-------------------------------------------------------------------------
 *
 * remotewindow.c
 *		Sliding windows that several servers share, in Redis.
 *
 * The same exact window as that of window.c, decided by a script that Redis
 * runs as one step: a sorted set of the times of the requests that were
 * allowed, and beside it the largest max_requests and the longest period that
 * the key was asked for with.  All times are those of Redis' own clock, so the
 * servers' clocks need not agree.
 *
 * That clock can be set, and another one goes on with the times when a replica
 * takes over.  Set forward, it lets requests be forgotten sooner.  Set back, it
 * would leave times behind that are in the future, and refuse until it has
 * caught up with them.  So a key has a time of its own: the clock's, and what
 * the key is ahead of it ("ahead"), which becomes greater whenever the latest
 * request would be in the future.  The key's time goes on from that request
 * then, and never goes backwards while requests are remembered.  So no window
 * of it has more than it may; and since no request is later than the key's now,
 * none counts for longer than its period from there, and retry_after is the
 * time to wait.
 *
 * A request whose answer is lost may have been allowed in Redis: it counts, and
 * if it is made again on a new connection it counts twice.  So there are never
 * too many; there may be too few where connections break.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "ratelimit/remotewindow.h"
#include "redis/ask.h"
#include "redis/keyname.h"

/*
 * Times are whole microseconds: far below 2^53, where doubles become coarse.
 * Periods of centuries are not, and are rounded.
 */
static const char *const script =
"local clock = redis.call('TIME')\n"
"local now = clock[1] * 1000000 + clock[2]\n"
"local most, period = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
"local asked = redis.call('HMGET', KEYS[2], 'most', 'period', 'ahead')\n"
"local ahead = tonumber(asked[3] or '0')\n"
"local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')\n"
"local set_back = last[2] and tonumber(last[2]) > now + ahead\n"
"if set_back then ahead = tonumber(last[2]) - now end\n"
"now = now + ahead\n"
"local keep = math.max(period, tonumber(asked[2] or '0'))\n"
"local keep_most = math.max(most, tonumber(asked[1] or '0'))\n"
"local function text(n) return string.format('%.0f', n) end\n"
"redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - keep))\n"
"if redis.call('ZCARD', KEYS[1]) == 0 then\n"
"  keep, keep_most, now, ahead = period, most, now - ahead, 0\n"
"end\n"
"local function remember()\n"
"  redis.call('HSET', KEYS[2], 'most', text(keep_most), 'period', text(keep),\n"
"             'ahead', text(ahead))\n"
"  local expire = text(math.ceil(keep / 1000) + 1)\n"
"  redis.call('PEXPIRE', KEYS[1], expire)\n"
"  redis.call('PEXPIRE', KEYS[2], expire)\n"
"end\n"
"local count = redis.call('ZCOUNT', KEYS[1], '(' .. text(now - period), '+inf')\n"
"if count >= most then\n"
"  if set_back then remember() end\n"
"  local nth = redis.call('ZRANGE', KEYS[1], -most, -most, 'WITHSCORES')\n"
"  return '0 0 ' .. text(tonumber(nth[2]) + period - now)\n"
"end\n"
"local same = redis.call('ZCOUNT', KEYS[1], text(now), text(now))\n"
"redis.call('ZADD', KEYS[1], text(now), text(now) .. ':' .. same)\n"
"redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -keep_most - 1)\n"
"remember()\n"
"return '1 ' .. text(most - count - 1) .. ' 0'\n";

/* The name of this session's database. */
static const char *
database_name(void)
{
	static char *database = NULL;

	if (database == NULL)
	{
		char	   *name = get_database_name(MyDatabaseId);

		database = MemoryContextStrdup(TopMemoryContext, name ? name : "");
	}
	return database;
}

/*
 * What tells a key from all others of the same prefix, in hexadecimal digits.
 * The database goes by its name: that is what servers have in common.  A name
 * has no zero in it, so what is hashed can be taken apart in one way only; and
 * since a digest has a fixed length and no colon, so can the names in Redis
 * that end in it, whatever their prefix is.
 */
static void
append_digest(StringInfo name, const WindowRequest *request)
{
	const char *database = database_name();
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];

	if (pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) database,
							 strlen(database) + 1) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) request->key,
							 request->len) < 0 ||
		pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute SHA-256 of a key: %s",
			 pg_cryptohash_error(context));
	pg_cryptohash_free(context);
	enlargeStringInfo(name, 2 * sizeof(digest));
	name->len += hex_encode((const char *) digest, sizeof(digest),
							name->data + name->len);
	name->data[name->len] = '\0';
}

/*
 * May this request be made now?  As window_ask; but false if Redis cannot be
 * asked, or does not give a proper answer.
 *
 * May raise an error, if the query is cancelled.
 */
bool
remotewindow_ask(const WindowRequest *request, WindowAnswer *answer)
{
	static const char *const kinds[2] = {"window", "limits"};
	StringInfoData keys[2];
	StringInfoData digest;
	char		most[16];
	char		period[32];
	const char *args[7] = {"EVAL", script, "2", NULL, NULL, most, period};
	size_t		lengths[7] = {4, strlen(script), 1};
	char		reply[64];
	int			allowed;

	initStringInfo(&digest);
	append_digest(&digest, request);
	for (int i = 0; i < 2; i++)
	{
		initStringInfo(&keys[i]);
		appendStringInfo(&keys[i], "%s:%s:%s", keyname_prefix, kinds[i], digest.data);
		args[3 + i] = keys[i].data;
		lengths[3 + i] = keys[i].len;
	}
	lengths[5] = snprintf(most, sizeof(most), "%d", request->max_requests);
	lengths[6] = snprintf(period, sizeof(period), INT64_FORMAT, request->period);

	if (!ask_command(7, args, lengths, reply, sizeof(reply)) ||
		sscanf(reply, "%d %d " INT64_FORMAT, &allowed, &answer->remaining,
			   &answer->retry_after) != 3)
		return false;
	answer->allowed = allowed != 0;
	return true;
}
