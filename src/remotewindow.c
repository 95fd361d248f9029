/*-------------------------------------------------------------------------
 *
 * remotewindow.c
 *		Sliding windows that several servers share, in Redis.
 *
 * The same exact window as that of window.c, decided by a script that Redis
 * runs as one step: a sorted set of the times of the requests that were
 * allowed, and beside it the largest max_requests and the longest period that
 * the key was asked for with.  All times are those of Redis' own clock, so the
 * servers' clocks need not agree; should it go backwards, time stands still
 * for a key until it has caught up.
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
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "remotewindow.h"
#include "tier.h"

/*
 * Times are whole microseconds: far below 2^53, where doubles become coarse.
 * Periods of centuries are not, and are rounded.
 */
static const char *const script =
"local clock = redis.call('TIME')\n"
"local now = clock[1] * 1000000 + clock[2]\n"
"local most, period = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
"local asked = redis.call('HMGET', KEYS[2], 'most', 'period')\n"
"local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')\n"
"if last[2] and tonumber(last[2]) > now then now = tonumber(last[2]) end\n"
"local keep = math.max(period, tonumber(asked[2] or '0'))\n"
"local keep_most = math.max(most, tonumber(asked[1] or '0'))\n"
"local function text(n) return string.format('%.0f', n) end\n"
"redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - keep))\n"
"if redis.call('ZCARD', KEYS[1]) == 0 then keep, keep_most = period, most end\n"
"local count = redis.call('ZCOUNT', KEYS[1], '(' .. text(now - period), '+inf')\n"
"if count >= most then\n"
"  local nth = redis.call('ZRANGE', KEYS[1], -most, -most, 'WITHSCORES')\n"
"  return '0 0 ' .. text(tonumber(nth[2]) + period - now)\n"
"end\n"
"local same = redis.call('ZCOUNT', KEYS[1], text(now), text(now))\n"
"redis.call('ZADD', KEYS[1], text(now), text(now) .. ':' .. same)\n"
"redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -keep_most - 1)\n"
"redis.call('HSET', KEYS[2], 'most', text(keep_most), 'period', text(keep))\n"
"local expire = text(math.ceil(keep / 1000) + 1)\n"
"redis.call('PEXPIRE', KEYS[1], expire)\n"
"redis.call('PEXPIRE', KEYS[2], expire)\n"
"return '1 ' .. text(most - count - 1) .. ' 0'\n";

/*
 * What keys in Redis begin with.  The database goes by its name: that is what
 * servers have in common.
 */
static void
append_prefix(StringInfo key, const char *kind)
{
	static char *database = NULL;

	if (database == NULL)
	{
		char	   *name = get_database_name(MyDatabaseId);

		database = MemoryContextStrdup(TopMemoryContext, name ? name : "");
	}
	appendStringInfo(key, "%s:%s:%s:", tier_prefix, kind, database);
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
	StringInfoData keys[2];
	char		most[16];
	char		period[32];
	const char *args[7] = {"EVAL", script, "2", NULL, NULL, most, period};
	size_t		lengths[7] = {4, strlen(script), 1};
	char		reply[64];
	int			allowed;

	for (int i = 0; i < 2; i++)
	{
		initStringInfo(&keys[i]);
		append_prefix(&keys[i], i == 0 ? "window" : "limits");
		appendBinaryStringInfo(&keys[i], request->key, request->len);
		args[3 + i] = keys[i].data;
		lengths[3 + i] = keys[i].len;
	}
	lengths[5] = snprintf(most, sizeof(most), "%d", request->max_requests);
	lengths[6] = snprintf(period, sizeof(period), INT64_FORMAT, request->period);

	if (!tier_command(7, args, lengths, reply, sizeof(reply)) ||
		sscanf(reply, "%d %d " INT64_FORMAT, &allowed, &answer->remaining,
			   &answer->retry_after) != 3)
		return false;
	answer->allowed = allowed != 0;
	return true;
}
