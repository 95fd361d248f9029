/*-------------------------------------------------------------------------
 *
 * redisview.c
 *		The view cache_redis.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "definition/definition.h"
#include "redis/address.h"
#include "redis/breaker.h"
#include "redis/keyname.h"
#include "redis/pool.h"
#include "redis/queue.h"
#include "segment.h"

/* Columns besides the counters */
#define OTHER_COLUMNS	8

static const char *
state_name(void)
{
	if (!address_is_set())
		return "off";
	switch (breaker_state())
	{
		case BREAKER_CONNECTING:
			return "connecting";
		case BREAKER_UP:
			return "up";
		case BREAKER_READ_ONLY:
			return "read only";
		case BREAKER_DOWN:
			return "down";
	}
	return "?";
}

/*
 * cache_redis_row(): the row of the view cache_redis
 */
PG_FUNCTION_INFO_V1(cache_redis_row);
Datum
cache_redis_row(PG_FUNCTION_ARGS)
{
	Datum		values[OTHER_COLUMNS + REDIS_COUNTERS];
	bool		nulls[OTHER_COLUMNS + REDIS_COUNTERS] = {0};
	char		error[BREAKER_ERROR];
	double		percentile[2];
	uint32		connections;
	uint32		idle;
	TupleDesc	desc;
	int			col = 0;

	segment_require();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	breaker_error(error);
	pool_count(&connections, &idle);
	percentile[0] = breaker_percentile(0.5);
	percentile[1] = breaker_percentile(0.99);

	values[col++] = CStringGetTextDatum(state_name());
	values[col++] = TimestampTzGetDatum(breaker_since());
	nulls[col] = error[0] == '\0';
	values[col++] = CStringGetTextDatum(error);
	values[col++] = Int32GetDatum(connections);
	values[col++] = Int32GetDatum(idle);
	for (int i = 0; i < REDIS_COUNTERS; i++)
		values[col++] = Int64GetDatum(breaker_counted(i));
	for (int i = 0; i < 2; i++)
	{
		nulls[col] = isnan(percentile[i]);
		values[col++] = Float8GetDatum(percentile[i]);
	}
	values[col++] = Int64GetDatum(queue_bytes());
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

#ifdef CACHE_DEVEL
/*
 * cache_devel_redis_names(cache text) returns text: what the names of a cache's
 * keys begin with; of all caches of the server for NULL
 */
PG_FUNCTION_INFO_V1(cache_devel_redis_names);
Datum
cache_devel_redis_names(PG_FUNCTION_ARGS)
{
	char		name[KEYNAME_SIZE];
	char	   *end;

	if (PG_ARGISNULL(0))
		end = keyname_server(name);
	else
		end = keyname_cache(name, MyDatabaseId,
							definition_get(text_to_cstring(PG_GETARG_TEXT_PP(0)))->id);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(name, end - name));
}
#endif
