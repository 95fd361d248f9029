/*-------------------------------------------------------------------------
 *
 * verify.c
 *		cache_verify(): does a cache still hold what its loader gives?
 *
 * Goes through the entries in shared memory, runs the loader for their keys,
 * and returns those that differ.  On a cache whose watches are right there
 * are none, whatever is written meanwhile: an entry is compared only if a get
 * of the caller would use it, and the loader runs under the same snapshot.
 *
 * What a loader does besides reading rows may change by DDL at any time, which
 * a get does not see that comes a moment earlier.  So a difference counts only
 * if a get would still find the entry after the load: DDL is published before
 * any backend can have heard of it (catalogs.c).
 *
 * Locking: none here.  Keys are copied out of the store, some at a time, so no
 * lock is held while a loader runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/devel.h"
#include "definition/definition.h"
#include "definition/key.h"
#include "definition/keytext.h"
#include "definition/value.h"
#include "fence/ready.h"
#include "load/get.h"
#include "load/loader.h"
#include "protocol/catalogs.h"
#include "protocol/coherence.h"
#include "protocol/lock.h"
#include "segment.h"
#include "store/index.h"

typedef struct Verify
{
	const char *name;			/* of the cache */
	CacheDef   *def;			/* in use */
	ReturnSetInfo *result;
	uint64		found;			/* entries of keys that the caller could ask for */
	uint64		compared;
} Verify;

/* A loader that fails does so for some key. */
typedef struct VerifyContext
{
	const char *name;
	const char *key;
} VerifyContext;

static void
verify_error_context(void *arg)
{
	VerifyContext *context = (VerifyContext *) arg;

	errcontext("verification of key %s of cache \"%s\"", context->key,
			   context->name);
}

static void
verify_detach(Verify *verify)
{
	if (verify->def != NULL)
		definition_release(verify->def);
	verify->def = NULL;
}

/*
 * Look the cache up, again if its definition has been replaced, and see that
 * the caller may know its keys.
 */
static void
verify_attach(Verify *verify)
{
	CacheDef   *def;

	verify_detach(verify);
	do
	{
		def = definition_get(verify->name);
		definition_require_loader(def);
		definition_require_owner(def);
		definition_require_read(def);
		if (coherence_enabled && ready_for_use())
			(void) lock_take(def);
	} while (!def->valid);
	definition_use(def);
	verify->def = def;
}

/* A value as text, in the type that it is cached in; NULL for a NULL. */
static char *
value_text(const CacheDef *def, bool native, Datum value, bool isnull)
{
	Oid			output;
	bool		varlena;

	if (isnull)
		return NULL;
	getTypeOutputInfo(native ? def->rettype : JSONBOID, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

static Datum
value_jsonb(CacheDef *def, bool native, Datum value, bool isnull)
{
	if (isnull || !native || def->rettype == JSONBOID)
		return value;
	return FunctionCall1(&def->to_jsonb, value);
}

/* The datum of a cached value. */
static Datum
cached_datum(const CacheDef *def, bool native, const StoreValue *value)
{
	if (value->isnull)
		return (Datum) 0;
	return native ? value_datum(value, def->typlen, def->typbyval) :
		value_datum(value, -1, false);
}

static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

/*
 * Does an entry differ from what was loaded, text by text?  jsonb has equal
 * numbers of different texts, and so have others.
 */
static bool
differs(const CacheDef *def, bool native, const StoreValue *cached,
		const LoadResult *loaded)
{
	return !same_text(value_text(def, native,
								 cached_datum(def, native, cached),
								 cached->isnull),
					  value_text(def, native, loaded->value, loaded->isnull));
}

static void
return_row(Verify *verify, const char *key, bool native,
		   const StoreValue *cached, const LoadResult *loaded)
{
	CacheDef   *def = verify->def;
	Datum		values[3];
	bool		nulls[3];

	nulls[0] = key == NULL;
	values[0] = key == NULL ? (Datum) 0 : CStringGetTextDatum(key);
	nulls[1] = cached->isnull;
	values[1] = value_jsonb(def, native, cached_datum(def, native, cached),
							cached->isnull);
	nulls[2] = loaded->isnull;
	values[2] = value_jsonb(def, native, loaded->value, loaded->isnull);
	tuplestore_putvalues(verify->result->setResult, verify->result->setDesc,
						 values, nulls);
}

/* Run the loader for an entry, and return it if it differs. */
static void
compare(Verify *verify, StoreKey *key, KeyParts *parts, StoreValue *cached)
{
	CacheDef   *def = verify->def;
	bool		native = parts->native;
	char	   *text = key_text(def, parts);
	LoadResult	loaded;
	ErrorContextCallback callback;
	VerifyContext context;
	int			nestlevel;
	bool		complete;

	context.name = verify->name;
	context.key = text != NULL ? text : "NULL";
	callback.callback = verify_error_context;
	callback.arg = &context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	verify->compared++;
	STOP_POINT("peeked");
	loader_run(def, parts->values, parts->nulls, parts->collation, native,
			   &loaded);

	/* What values look like depends on the settings of the loader. */
	nestlevel = settings_apply(&def->settings, &complete);
	if (differs(def, native, cached, &loaded) &&
		(GUARD_REMOVED("verify_again") ||
		 (get_peek(def, key, cached) && differs(def, native, cached, &loaded))))
		return_row(verify, text, native, cached, &loaded);
	settings_restore(nestlevel);
	error_context_stack = callback.previous;
}

/*
 * Verify the entry of a key, if the caller would use it.  False if the
 * definition has been replaced, and nothing was done.
 */
static bool
verify_key(Verify *verify, StoreKey *key)
{
	CacheDef   *def = verify->def;
	KeyParts	parts;
	StoreValue	cached;

	/*
	 * The loader must not be an older one than the snapshot sees, as before
	 * any load; reading messages may show that the caller has lost rights.
	 */
	if (!catalogs_settle())
		return true;
	definition_require_read(def);
	if (!def->valid)
		return false;
	if (!key_parse(&parts, def, key))
		return true;
	key->hash = key_hash(def, parts.values, parts.nulls);
	if (get_peek(def, key, &cached))
		compare(verify, key, &parts, &cached);
	else if (!def->valid)
		return false;
	verify->found++;
	return true;
}

/* Verify entries until there are no more, or so many have been compared. */
static void
verify_entries(Verify *verify, uint64 sample)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext,
												"cache_verify keys",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext,
											   "cache_verify key",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(batch);
	IndexWalk	walk;
	List	   *keys;

	index_start_walk(&walk, sample < PG_UINT64_MAX);
	while (verify->compared < sample && lock_slot(verify->def) >= 0 &&
		   (keys = index_next_keys(&walk, verify->def->slot)) != NIL)
	{
		ListCell   *lc;

		MemoryContextSwitchTo(each);
		foreach(lc, keys)
		{
			StoreKey   *key = lfirst(lc);

			CHECK_FOR_INTERRUPTS();
			if (verify->compared >= sample)
				break;
			key->aside = true;
			while (!verify_key(verify, key))
				verify_attach(verify);
			MemoryContextReset(each);
		}
		MemoryContextSwitchTo(batch);
		MemoryContextReset(batch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(each);
	MemoryContextDelete(batch);
}

/*
 * cache_verify(name text, sample integer,
 *				OUT key text, OUT cached jsonb, OUT loaded jsonb)
 */
PG_FUNCTION_INFO_V1(cache_verify);
Datum
cache_verify(PG_FUNCTION_ARGS)
{
	Verify		verify = {0};
	uint64		sample = PG_UINT64_MAX;

	segment_require();
	verify.name = definition_name_argument(fcinfo, 0);
	if (!PG_ARGISNULL(1))
	{
		if (PG_GETARG_INT32(1) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("sample must be positive"),
					 errhint("Leave it out to verify all entries.")));
		sample = PG_GETARG_INT32(1);
	}
	InitMaterializedSRF(fcinfo, 0);
	verify.result = (ReturnSetInfo *) fcinfo->resultinfo;

	PG_TRY();
	{
		verify_attach(&verify);
		if (ready_for_use())
			verify_entries(&verify, sample);
	}
	PG_FINALLY();
	{
		verify_detach(&verify);
	}
	PG_END_TRY();

	if (verify.found > 0 && verify.compared == 0)
		ereport(NOTICE,
				(errmsg("nothing was verified, because this transaction may not use what is cached for cache \"%s\"",
						verify.name)));
	return (Datum) 0;
}
