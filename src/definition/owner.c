/*-------------------------------------------------------------------------
 *
 * owner.c
 *		Who owns a cache, as definitions record it: the type cache_owner.
 *
 * Roles belong to the cluster and can be renamed from any of its databases, so
 * a name that is recorded in one database would be outdated, and could be
 * somebody else's by now.  A number, on the other hand, means nothing in the
 * cluster that a dump is restored in.  So an owner is stored as the role's OID,
 * which pg_upgrade preserves, and is read and written as the role's name, which
 * is what dumps contain.  regrole is like that, too; but it cannot be read
 * where there is no role of this name, and then the definitions of all caches
 * could not be restored.  Here the name is kept instead, for a role that is
 * created later.
 *
 * These functions work without shared_preload_libraries, too, as pg_dump and
 * pg_restore need them.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "definition/owner.h"

typedef struct Owner
{
	int32		vl_len_;		/* varlena header, see SET_VARSIZE */
	Oid			role;			/* InvalidOid: there was none of this name */
	char		name[FLEXIBLE_ARRAY_MEMBER];	/* then; with a null byte */
} Owner;

#define DatumGetOwner(datum)	((Owner *) PG_DETOAST_DATUM(datum))

static Owner *
make(Oid role, const char *name)
{
	Size		size = offsetof(Owner, name) + strlen(name) + 1;
	Owner	   *owner = palloc0(size);

	SET_VARSIZE(owner, size);
	owner->role = role;
	strcpy(owner->name, name);
	return owner;
}

/* The owner of this name, which is cut off as that of a role is. */
static Owner *
from_name(const char *name)
{
	char	   *cut = pnstrdup(name, pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1));
	Oid			role = get_role_oid(cut, true);

	return make(role, OidIsValid(role) ? "" : cut);
}

/*
 * The present name.  That of a role that is gone must not be one that somebody
 * else can have, where the dump is restored.
 */
static char *
to_name(const Owner *owner)
{
	char	   *name;

	if (!OidIsValid(owner->role))
		return pstrdup(owner->name);
	name = GetUserNameFromId(owner->role, true);
	return name ? name : psprintf("unknown (OID=%u)", owner->role);
}

/*
 * A role, as the value of a column of type cache_owner; palloc'd.
 */
Datum
owner_make(Oid role)
{
	return PointerGetDatum(make(role, ""));
}

/*
 * The role that a value of type cache_owner stands for; InvalidOid if there is
 * none (any more).
 */
Oid
owner_role(Datum datum)
{
	const Owner *owner = DatumGetOwner(datum);

	if (!OidIsValid(owner->role))
		return get_role_oid(owner->name, true);
	return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner->role)) ?
		owner->role : InvalidOid;
}

/*
 * Input, output, and both in binary: all of them the name.
 */
PG_FUNCTION_INFO_V1(cache_owner_in);
Datum
cache_owner_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(from_name(PG_GETARG_CSTRING(0)));
}

PG_FUNCTION_INFO_V1(cache_owner_out);
Datum
cache_owner_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(to_name(DatumGetOwner(PG_GETARG_DATUM(0))));
}

PG_FUNCTION_INFO_V1(cache_owner_recv);
Datum
cache_owner_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length;

	PG_RETURN_POINTER(from_name(pq_getmsgtext(message,
											  message->len - message->cursor,
											  &length)));
}

PG_FUNCTION_INFO_V1(cache_owner_send);
Datum
cache_owner_send(PG_FUNCTION_ARGS)
{
	char	   *name = to_name(DatumGetOwner(PG_GETARG_DATUM(0)));
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendtext(&message, name, strlen(name));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}
