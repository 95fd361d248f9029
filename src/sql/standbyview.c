/*-------------------------------------------------------------------------
 *
 * standbyview.c
 *		cache_standby: whether this server knows what the primary invalidates.
 *
 * Locking: none; each figure is read by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

#include "fence/news.h"
#include "fence/standby.h"
#include "segment.h"

#define STANDBY_COLUMNS	8

/* How cache_standby calls the states. */
static const char *const states[] = {
	[STANDBY_WAITING] = "waiting",
	[STANDBY_FOLLOWING] = "following",
	[STANDBY_BETWEEN] = "between",
	[STANDBY_MISSED] = "missed",
	[STANDBY_FOREIGN] = "foreign",
	[STANDBY_UNREADABLE] = "unreadable"
};

static const char *
state_name(bool in_recovery)
{
	if (!in_recovery)
		return "primary";
	if (!news_enabled)
		return "off";
	return states[standby_state()];
}

/*
 * cache_standby_rows(): the row of the view cache_standby
 */
PG_FUNCTION_INFO_V1(cache_standby_rows);
Datum
cache_standby_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[STANDBY_COLUMNS];
	bool		nulls[STANDBY_COLUMNS] = {0};
	bool		in_recovery = RecoveryInProgress();
	uint64		since;
	int			col = 0;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	since = pg_atomic_read_u64(&shared_standby->since);
	values[col++] = CStringGetTextDatum(state_name(in_recovery));
	nulls[col] = since == 0 || !in_recovery;
	values[col++] = TimestampTzGetDatum((TimestampTz) since);
	nulls[col] = pg_atomic_read_u64(&shared_standby->floor) == 0 || !in_recovery;
	values[col++] = UInt64GetDatum(pg_atomic_read_u64(&shared_standby->floor));
	nulls[col] = pg_atomic_read_u64(&shared_standby->position) == 0;
	values[col++] = LSNGetDatum(pg_atomic_read_u64(&shared_standby->position));
	values[col++] = Int64GetDatum(pg_atomic_read_u64(&shared_standby->records));
	values[col++] = Int64GetDatum(pg_atomic_read_u64(&shared_standby->keys));
	values[col++] = Int32GetDatum(pg_atomic_read_u32(&shared_standby->nchanging));
	values[col++] = BoolGetDatum(news_wanted());
	Assert(col == STANDBY_COLUMNS);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}
