/*-------------------------------------------------------------------------
 *
 * flightview.c
 *		The view cache_flights: who loads what, and who waits for it.
 *
 * Locking: none here.  The notes are read one after the other (flight.c), so
 * what is shown need not have been so at one moment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "definition/definition.h"
#include "definition/keytext.h"
#include "load/flight.h"
#include "segment.h"

/* The notes of this database, also of those who lead within a load only. */
static int
read_notes(FlightNote *notes)
{
	int			n = 0;

	for (int i = 0; i < MaxBackends; i++)
	{
		if (flight_read_note(i, &notes[n]) && notes[n].dbid == MyDatabaseId &&
			BackendPidGetProc(notes[n].pid) != NULL)
			n++;
	}
	return n;
}

/* Who loads what this note is about; 0 if nobody does at the moment. */
static int
leader_of(const FlightNote *note, const FlightNote *notes, int n)
{
	for (int i = 0; i < n; i++)
	{
		for (uint32 j = 0; j < Min(notes[i].nled, FLIGHT_DEPTH); j++)
		{
			if (notes[i].led[j] == note->hash)
				return notes[i].pid;
		}
	}
	return 0;
}

/*
 * The key of a note, if the caller may know it: it may be anything that the
 * application has put into it, as the text of a query may.
 */
static char *
note_key(CacheDef *def, const FlightNote *note)
{
	StoreKey	key = {.image = note->image, .len = Min(note->len, FLIGHT_IMAGE)};
	char	   *text;
	bool		complete;
	int			nestlevel;

	if (!def->usable ||
		!(definition_is_owner(def) ||
		  has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS)))
		return NULL;
	nestlevel = settings_apply(&def->settings, &complete);
	text = key_text_beginning(def, &key);
	settings_restore(nestlevel);
	return text;
}

/*
 * cache_flights_rows(): the rows of the view cache_flights
 */
PG_FUNCTION_INFO_V1(cache_flights_rows);
Datum
cache_flights_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	FlightNote *notes;
	List	   *names;
	int			n;

	segment_require();
	InitMaterializedSRF(fcinfo, 0);
	names = definition_names();
	notes = palloc(mul_size(MaxBackends, sizeof(FlightNote)));
	n = read_notes(notes);
	for (int i = 0; i < n; i++)
	{
		ListCell   *lc;

		foreach(lc, names)
		{
			CacheDef   *def = definition_find(lfirst(lc));
			Datum		values[5];
			bool		nulls[5] = {0};
			int			leader;
			char	   *key;

			if (def == NULL || def->id != notes[i].cache)
				continue;
			leader = leader_of(&notes[i], notes, n);
			values[0] = Int32GetDatum(notes[i].pid);
			nulls[1] = leader == 0;
			values[1] = Int32GetDatum(leader);
			values[2] = CStringGetTextDatum(NameStr(def->name));
			values[4] = TimestampTzGetDatum(notes[i].since);
			key = note_key(def, &notes[i]);
			nulls[3] = key == NULL;
			values[3] = key == NULL ? (Datum) 0 : CStringGetTextDatum(key);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
			break;
		}
	}
	return (Datum) 0;
}
