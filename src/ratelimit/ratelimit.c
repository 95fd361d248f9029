/*-------------------------------------------------------------------------
 *
 * ratelimit.c
 *		cache_rate_limit(), as SQL calls it.
 *
 * Checks the arguments, asks a store of sliding windows (window.c, or
 * remotewindow.c for the one in Redis), and turns its answer into a row.  All
 * that is known of the stores here is a request, its answer and the numbers of
 * the view cache_rate_limits.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/remotewindow.h"
#include "ratelimit/window.h"
#include "segment.h"

typedef enum RateLimitFull
{
	RATE_LIMIT_CLOSED,
	RATE_LIMIT_OPEN
} RateLimitFull;

static const struct config_enum_entry full_options[] = {
	{"closed", RATE_LIMIT_CLOSED, false},
	{"open", RATE_LIMIT_OPEN, false},
	{NULL, 0, false}
};

typedef enum RateLimitStore
{
	RATE_LIMIT_LOCAL,
	RATE_LIMIT_REDIS
} RateLimitStore;

static const struct config_enum_entry store_options[] = {
	{"local", RATE_LIMIT_LOCAL, false},
	{"redis", RATE_LIMIT_REDIS, false},
	{NULL, 0, false}
};

/* What to do when Redis is away */
typedef enum RateLimitAway
{
	RATE_LIMIT_AWAY_CLOSED,
	RATE_LIMIT_AWAY_OPEN,
	RATE_LIMIT_AWAY_LOCAL
} RateLimitAway;

static const struct config_enum_entry away_options[] = {
	{"closed", RATE_LIMIT_AWAY_CLOSED, false},
	{"open", RATE_LIMIT_AWAY_OPEN, false},
	{"local", RATE_LIMIT_AWAY_LOCAL, false},
	{NULL, 0, false}
};

/* When to ask again, if a request is refused because Redis is away */
#define AWAY_RETRY	USECS_PER_SEC

/* cache.rate_limit_full, cache.rate_limit_store, cache.rate_limit_away */
static int	rate_limit_full = RATE_LIMIT_CLOSED;
static int	rate_limit_store = RATE_LIMIT_LOCAL;
static int	rate_limit_away = RATE_LIMIT_AWAY_LOCAL;

/*
 * Define the settings; once a process.
 */
void
ratelimit_define_settings(void)
{
	window_define_settings();
	DefineCustomIntVariable("cache.rate_limit_memory",
							"Sets the amount of shared memory for rate limits.",
							NULL,
							&window_memory_kb,
							8 * 1024, 64, 16 * 1024 * 1024,
							PGC_POSTMASTER, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("cache.rate_limit_full",
							 "Sets what happens to requests when there is no memory for rate limits.",
							 "They are refused (closed) or allowed (open).",
							 &rate_limit_full,
							 RATE_LIMIT_CLOSED, full_options,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomEnumVariable("cache.rate_limit_store",
							 "Sets where rate limits are kept.",
							 "In the server's memory (local), or in Redis, for all servers that use it.",
							 &rate_limit_store,
							 RATE_LIMIT_LOCAL, store_options,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomEnumVariable("cache.rate_limit_away",
							 "Sets what happens to requests when rate limits are in Redis, and Redis cannot be asked.",
							 "They are refused (closed), allowed (open), or limited by each server for itself (local).",
							 &rate_limit_away,
							 RATE_LIMIT_AWAY_LOCAL, away_options,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
}

/*
 * The length of an interval in microseconds, or an error.  A month counts as
 * 30 days and a day as 24 hours, as where intervals are compared.
 */
static int64
period_length(const Interval *period)
{
	int64		days = (int64) period->month * DAYS_PER_MONTH + period->day;
	int64		length;

	if (pg_mul_s64_overflow(days, USECS_PER_DAY, &length) ||
		pg_add_s64_overflow(length, period->time, &length) ||
		length > WINDOW_MAX_PERIOD)
		ereport(ERROR,
				(errcode(ERRCODE_INTERVAL_FIELD_OVERFLOW),
				 errmsg("period is out of range")));
	if (length <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period must be positive"),
				 errhint("Give the length of the window, such as interval '1 minute'.")));
	return length;
}

/* An answer that nobody looks at must not be NULL: so arguments must not. */
static void
require_argument(FunctionCallInfo fcinfo, int arg, const char *what)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
}

/* Ask the store that is set, or do what is set for when it cannot be asked. */
static void
decide(const WindowRequest *request, WindowAnswer *answer)
{
	if (rate_limit_store == RATE_LIMIT_LOCAL)
		window_ask(request, answer);
	else if (remotewindow_ask(request, answer))
		return;
	else if (rate_limit_away == RATE_LIMIT_AWAY_LOCAL)
		window_ask(request, answer);
	else
	{
		answer->allowed = rate_limit_away == RATE_LIMIT_AWAY_OPEN;
		answer->remaining = 0;
		answer->retry_after = answer->allowed ? 0 : AWAY_RETRY;
	}
}

/* The row type of the result, worked out once for each place that calls. */
static TupleDesc
result_type(FunctionCallInfo fcinfo)
{
	TupleDesc	tupdesc = fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (tupdesc != NULL)
		return tupdesc;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	tupdesc = BlessTupleDesc(tupdesc);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = tupdesc;
	return tupdesc;
}

/*
 * cache_rate_limit(key text, max_requests integer, period interval,
 *					OUT allowed boolean, OUT remaining integer,
 *					OUT retry_after interval,
 *					OUT retry_after_seconds bigint)
 *
 * The last column came with version 1.1: the row type of before has the first
 * three, and the last one is left out.
 */
PG_FUNCTION_INFO_V1(cache_rate_limit);
Datum
cache_rate_limit(PG_FUNCTION_ARGS)
{
	WindowRequest request;
	WindowAnswer answer;
	Interval	retry_after = {0};
	text	   *key;
	Datum		values[4];
	bool		nulls[4] = {0};

	segment_require();
	require_argument(fcinfo, 0, "key");
	require_argument(fcinfo, 1, "max_requests");
	require_argument(fcinfo, 2, "period");

	key = PG_GETARG_TEXT_PP(0);
	request.key = VARDATA_ANY(key);
	request.len = VARSIZE_ANY_EXHDR(key);
	request.max_requests = PG_GETARG_INT32(1);
	if (request.max_requests <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_requests must be positive")));
	request.period = period_length(PG_GETARG_INTERVAL_P(2));
	request.open = rate_limit_full == RATE_LIMIT_OPEN;

	decide(&request, &answer);

	retry_after.time = answer.retry_after;
	values[0] = BoolGetDatum(answer.allowed);
	values[1] = Int32GetDatum(answer.remaining);
	values[2] = IntervalPGetDatum(&retry_after);

	/* Rounded up, lest who waits that long be refused again. */
	values[3] = Int64GetDatum(answer.retry_after / USECS_PER_SEC +
							  (answer.retry_after % USECS_PER_SEC != 0));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_type(fcinfo),
													  values, nulls)));
}

/*
 * cache_rate_limits_row(): the row of the view cache_rate_limits
 */
PG_FUNCTION_INFO_V1(cache_rate_limits_row);
Datum
cache_rate_limits_row(PG_FUNCTION_ARGS)
{
	WindowUsage usage;
	Datum		values[6];
	bool		nulls[6] = {0};
	int			col = 0;

	segment_require();
	window_usage(&usage);
	values[col++] = Int64GetDatum(usage.keys);
	values[col++] = Int64GetDatum(usage.bytes);
	values[col++] = Int64GetDatum(usage.allowed);
	values[col++] = Int64GetDatum(usage.refused);
	values[col++] = Int64GetDatum(usage.overflows);
	values[col++] = Int64GetDatum(usage.reclaimed);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_type(fcinfo),
													  values, nulls)));
}
