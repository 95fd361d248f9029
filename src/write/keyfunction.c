/*-------------------------------------------------------------------------
 *
 * keyfunction.c
 *		Key functions: from a row to the keys that it affects.
 *
 * Where a row does not hold the key, a watch can name a function that takes
 * the row and returns the keys: an order line's customer, a product's shops.
 * It is called for the old and the new version of each row that is written.
 *
 * The trigger's arguments name the function and the table whose row type it
 * takes, each by schema and name, behind an empty string, which no column can
 * be called.  Partitions have the trigger from their parent and may have
 * another layout, so rows are converted to that table's.
 *
 * The function is called directly, as trigger functions are: the writer needs
 * no privileges for it.  It runs as the writer, as triggers do, under the
 * settings recorded with the cache, as a security-restricted operation, and
 * under the statement's snapshot.  What it reads is watched like a loader's
 * reading: only tables that are watched for the same cache will do, since
 * changes of others would move rows from key to key unheard (mapping.c); and
 * nothing that depends on the session or on policies.  Else the whole cache
 * is pending.
 *
 * Locking: none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/tupconvert.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "definition/key.h"
#include "definition/keyexpr.h"
#include "definition/watches.h"
#include "load/loader.h"
#include "protocol/invalidate.h"
#include "write/keyfunction.h"

/*-------------------------------------------------------------------------
 * Checking and setting up
 *-------------------------------------------------------------------------
 */

/* One part of the key. */
static bool
describe_key(KeyFunction *keys, CacheDef *def, int i, AttrNumber attnum,
			 const char *signature, bool report)
{
	Form_pg_attribute att = TupleDescAttr(keys->result, attnum - 1);
	KeyColumn  *key = &def->keys[i];

	if (!key_hash_fits(key, att->atttypid, &keys->keys[i].hash) ||
		(keys->composite && OidIsValid(att->attcollation) &&
		 att->attcollation != key->collation &&
		 !get_collation_isdeterministic(att->attcollation)) ||
		!keyexpr_coercion(&keys->keys[i].coercion, def, i, att->atttypid))
		UNSUITABLE(errcode(ERRCODE_DATATYPE_MISMATCH),
				   errmsg("key function %s returns type %s, which does not compare like key %d of cache \"%s\", of type %s",
						  signature, format_type_be(att->atttypid), i + 1,
						  NameStr(def->name), format_type_be(key->type)),
				   errhint("Return values of the types of the loader's arguments."));
	keys->keys[i].attnum = attnum;
	return true;
}

/* What does it return?  Rows of a column for each key, or values of one. */
static bool
describe_result(KeyFunction *keys, CacheDef *def, Form_pg_proc proc,
				const char *signature, bool report)
{
	Oid			type;
	TupleDesc	desc;
	KeyHash		hash;
	int			n = 0;

	keys->retset = proc->proretset;
	keys->keys = palloc0(sizeof(KeyResult) * Max(def->nkeys, 1));
	switch (get_func_result_type(proc->oid, &type, &desc))
	{
		case TYPEFUNC_SCALAR:
			keys->composite = false;
			break;
		case TYPEFUNC_COMPOSITE:

			/* A key may be of a composite type itself. */
			keys->composite = def->nkeys != 1 ||
				!key_hash_fits(&def->keys[0], type, &hash);
			break;
		default:
			UNSUITABLE(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
					   errmsg("key function %s does not return keys of a definite type",
							  signature),
					   errhint("Return a key or a set of keys; for keys of several columns a set of rows, RETURNS TABLE (...)."));
	}
	if (!keys->composite)
	{
		desc = CreateTemplateTupleDesc(1);
		TupleDescInitEntry(desc, 1, "key", type, -1, 0);
	}
	keys->result = CreateTupleDescCopy(desc);
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		if (n < def->nkeys &&
			!describe_key(keys, def, n, i + 1, signature, report))
			return false;
		n++;
	}
	if (n != def->nkeys)
		UNSUITABLE(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				   errmsg_plural("cache \"%s\" has %d key, but key function %s returns %d",
								 "cache \"%s\" has %d keys, but key function %s returns %d",
								 def->nkeys, NameStr(def->name), def->nkeys,
								 signature, n),
				   errhint("Return a column for each argument of the loader."));
	return true;
}

/* Virtual columns have no value in a row that a trigger sees. */
static bool
has_virtual_columns(TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (CACHE_IS_VIRTUAL(TupleDescAttr(desc, i)))
			return true;
	}
	return false;
}

/*
 * Set a key function up in the current memory context, for a table whose rows
 * it gets.
 */
static bool
describe_function(KeyFunction *keys, CacheDef *def, Form_pg_proc proc,
				  Relation rel, bool report)
{
	const char *signature = format_procedure(proc->oid);

	if (proc->prokind != PROKIND_FUNCTION)
		UNSUITABLE(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				   errmsg("%s is not a plain function", signature));
	if (proc->provolatile == PROVOLATILE_VOLATILE)
		UNSUITABLE(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				   errmsg("key function %s must not be volatile", signature),
				   errhint("If the function only reads, declare it so: ALTER FUNCTION %s STABLE.",
						   signature));
	if (has_virtual_columns(RelationGetDescr(rel)))
		UNSUITABLE(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				   errmsg("relation \"%s\" has virtual generated columns, so it cannot be watched by a key function",
						  RelationGetRelationName(rel)),
				   errhint("Use stored generated columns, or watch by columns."));
	keys->function = proc->oid;
	if (!describe_result(keys, def, proc, signature, report))
		return false;
	keys->argument = lookup_rowtype_tupdesc_copy(proc->proargtypes.values[0], -1);
	if (keys->argument->tdtypeid != rel->rd_rel->reltype)
		keys->map = cache_attrmap(RelationGetDescr(rel), keys->argument);
	fmgr_info(proc->oid, &keys->fn);
	return true;
}

/*
 * Check that a function can be the key function of a cache's watch of a
 * table, and give the table whose rows it takes: the same, or one that it
 * inherits from.
 */
void
key_function_check(CacheDef *def, Oid function, Relation rel, Oid *relid)
{
	KeyFunction keys = {0};
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	Oid			type;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", function)));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	type = proc->pronargs == 1 ? proc->proargtypes.values[0] : InvalidOid;
	if (!OidIsValid(type) ||
		(type != rel->rd_rel->reltype &&
		 !typeInheritsFrom(rel->rd_rel->reltype, type)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("key function %s does not take a row of \"%s\"",
						format_procedure(function),
						RelationGetRelationName(rel)),
				 errhint("It must have one argument, of type %s.",
						 format_type_be(rel->rd_rel->reltype))));
	(void) describe_function(&keys, def, proc, rel, true);
	*relid = get_typ_typrelid(type);
	ReleaseSysCache(tuple);
}

/*
 * Set up the key function that a trigger's arguments name, in the current
 * memory context, for the rows of a table.  NULL if it is gone or does not
 * fit.
 */
KeyFunction *
key_function_open(CacheDef *def, char **args, Relation rel)
{
	KeyFunction *keys = palloc0(sizeof(KeyFunction));
	HeapTuple	tuple;
	bool		good;
	Oid			function;
	Oid			relid;

	if (!watches_find_function(args, &function, &relid))
		return NULL;
	if (relid != RelationGetRelid(rel) &&
		!typeInheritsFrom(rel->rd_rel->reltype, get_rel_type_id(relid)))
		return NULL;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	good = describe_function(keys, def, (Form_pg_proc) GETSTRUCT(tuple), rel,
							 false);
	ReleaseSysCache(tuple);
	return good ? keys : NULL;
}

/*-------------------------------------------------------------------------
 * Calling
 *-------------------------------------------------------------------------
 */

/* One call of a key function. */
typedef struct Call
{
	CacheDef   *def;
	KeyFunction *keys;
	Datum		row;
} Call;

/* The row, as a value of the type that the function takes. */
static Datum
row_datum(KeyFunction *keys, TupleTableSlot *slot)
{
	Datum	   *values;
	bool	   *nulls;
	HeapTuple	tuple;

	slot_getallattrs(slot);
	values = slot->tts_values;
	nulls = slot->tts_isnull;
	if (keys->map != NULL)
	{
		int			n = keys->argument->natts;

		values = palloc0(sizeof(Datum) * n);
		nulls = palloc(sizeof(bool) * n);
		for (int i = 0; i < n; i++)
		{
			int			from = keys->map->attnums[i] - 1;

			nulls[i] = from < 0 || slot->tts_isnull[from];
			if (!nulls[i])
				values[i] = slot->tts_values[from];
		}
	}
	tuple = toast_build_flattened_tuple(keys->argument, values, nulls);
	return HeapTupleGetDatum(tuple);
}

/* A key that the function has returned is pending. */
static void
key_pending(Call *call, const Datum *values, const bool *nulls)
{
	uint64		hash = key_hash_start(call->def->id);
	Datum		parts[FUNC_MAX_ARGS];
	bool		no_parts[FUNC_MAX_ARGS];
	Oid			types[FUNC_MAX_ARGS];
	PendingHandle added;

	for (int i = 0; i < call->def->nkeys; i++)
	{
		KeyResult  *key = &call->keys->keys[i];

		parts[i] = values[key->attnum - 1];
		no_parts[i] = nulls[key->attnum - 1];
		types[i] = TupleDescAttr(call->keys->result, key->attnum - 1)->atttypid;
		hash = key_hash_told(hash, &call->def->keys[i], &key->hash, key->coercion,
							 &parts[i], &no_parts[i], &types[i]);
	}
	added = invalidate_key(call->def, hash, NULL);
	if (added != PENDING_NONE)
		invalidate_tell(call->def, added, call->def->nkeys, parts, no_parts,
						types);
}

/* The same, of a value that is a key or a row of keys. */
static void
value_pending(Call *call, Datum value, bool isnull)
{
	KeyFunction *keys = call->keys;
	HeapTupleHeader header;
	HeapTupleData tuple;
	Datum	   *values;
	bool	   *nulls;

	if (!keys->composite)
	{
		key_pending(call, &value, &isnull);
		return;
	}
	values = palloc(sizeof(Datum) * keys->result->natts);
	nulls = palloc(sizeof(bool) * keys->result->natts);
	memset(nulls, true, sizeof(bool) * keys->result->natts);
	if (!isnull)
	{
		header = DatumGetHeapTupleHeader(value);
		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_tableOid = InvalidOid;
		tuple.t_data = header;
		heap_deform_tuple(&tuple, keys->result, values, nulls);
	}
	key_pending(call, values, nulls);
	pfree(values);
	pfree(nulls);
}

/* All rows that the function has put into a tuplestore. */
static void
tuplestore_pending(Call *call, ReturnSetInfo *rsinfo)
{
	TupleTableSlot *slot;

	if (rsinfo->setResult == NULL)
		return;
	if (rsinfo->setDesc != NULL &&
		rsinfo->setDesc->natts != call->keys->result->natts)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("key function %s returned rows of another type than declared",
						format_procedure(call->keys->function))));
	slot = MakeSingleTupleTableSlot(call->keys->result, &TTSOpsMinimalTuple);
	while (tuplestore_gettupleslot(rsinfo->setResult, true, false, slot))
	{
		slot_getallattrs(slot);
		key_pending(call, slot->tts_values, slot->tts_isnull);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(rsinfo->setResult);
}

/* Call the function as the executor would, which has no entry for this. */
static void
call_function(void *arg)
{
	Call	   *call = (Call *) arg;
	KeyFunction *keys = call->keys;
	ReturnSetInfo rsinfo = {0};
	ExprContext *econtext = NULL;
	LOCAL_FCINFO(fcinfo, 1);

	InitFunctionCallInfoData(*fcinfo, &keys->fn, 1, InvalidOid, NULL, NULL);
	if (keys->retset)
	{
		econtext = CreateStandaloneExprContext();
		rsinfo.type = T_ReturnSetInfo;
		rsinfo.econtext = econtext;
		rsinfo.expectedDesc = keys->result;
		rsinfo.allowedModes = SFRM_ValuePerCall | SFRM_Materialize;
		rsinfo.returnMode = SFRM_ValuePerCall;
		fcinfo->resultinfo = (Node *) &rsinfo;
	}
	for (;;)
	{
		Datum		value;

		fcinfo->args[0].value = call->row;
		fcinfo->args[0].isnull = false;
		fcinfo->isnull = false;
		rsinfo.isDone = ExprSingleResult;
		value = FunctionCallInvoke(fcinfo);
		if (rsinfo.returnMode == SFRM_Materialize && keys->retset)
		{
			tuplestore_pending(call, &rsinfo);
			break;
		}
		if (rsinfo.isDone == ExprEndResult)
			break;
		value_pending(call, value, fcinfo->isnull);
		if (rsinfo.isDone != ExprMultipleResult)
			break;
	}
	if (econtext != NULL)
		FreeExprContext(econtext, true);
}

/*
 * The keys that a row affects are pending.  Runs code of users', so the
 * definition may be gone afterwards.
 */
void
key_function_call(CacheDef *def, KeyFunction *keys, TupleTableSlot *slot)
{
	Call		call;

	call.def = def;
	call.keys = keys;
	call.row = row_datum(keys, slot);
	definition_use(def);
	if (!loader_call_keys(def, keys->function, call_function, &call))
		invalidate_cache(def);
	definition_release(def);
}
