/*-------------------------------------------------------------------------
 *
 * sharedcatalog.c
 *		Transactions that change what all databases share.
 *
 * Roles, databases, tablespaces, subscriptions, parameters, and comments and
 * labels on them, are in shared catalogs, which loaders in other databases may
 * read.  Which commands change these is not listed anywhere: PostgreSQL sends
 * invalidation messages for each change of a catalog, those for shared
 * catalogs to all databases, and the messages that a transaction will send are
 * known when it is about to commit.  So whatever has changed a shared catalog
 * is found, even a function or a plain UPDATE.
 *
 * Two changes are not meant.  pg_shdepend changes with nearly all DDL; to
 * loaders it is a table that nobody can watch (loads.c).  And VACUUM notes in
 * pg_database how far it has come.
 *
 * Locking: none, this is the backend's own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_shdepend.h"
#include "storage/sinval.h"

#include "compat.h"
#include "devel.h"
#include "sharedcatalog.h"

static int	vacuums = 0;		/* VACUUM commands in progress */
static bool vacuumed = false;	/* this transaction is the end of one */

/*
 * A VACUUM begins, which has transactions of its own.
 */
void
sharedcatalog_begin_vacuum(void)
{
	vacuums++;
}

/*
 * It is through, or (done false) has failed; its last transaction has not
 * committed yet.
 */
void
sharedcatalog_end_vacuum(bool done)
{
	vacuums--;
	vacuumed = done;
}

/* Does the message tell of a row of a shared catalog? */
static bool
is_shared_row(const SharedInvalidationMessage *message)
{
	if (message->id >= 0)
		return message->cc.dbId == InvalidOid;
	return message->id == SHAREDINVALSNAPSHOT_ID &&
		message->sn.dbId == InvalidOid &&
		message->sn.relId != SharedDependRelationId;
}

/*
 * Has the transaction, which is about to commit or to be prepared, changed a
 * shared catalog?
 */
bool
sharedcatalog_is_changed(void)
{
	SharedInvalidationMessage *messages;
	bool		init_file;
	bool		found = false;
	int			n;

	if (vacuums > 0 || vacuumed || CACHE_IS_AUTOVACUUM_WORKER() ||
		GUARD_REMOVED("shared_catalogs"))
		return false;
	n = xactGetCommittedInvalidationMessages(&messages, &init_file);
	for (int i = 0; i < n && !found; i++)
		found = is_shared_row(&messages[i]);
	if (n > 0)
		pfree(messages);
	return found;
}

/*
 * The transaction has ended.
 */
void
sharedcatalog_reset(void)
{
	vacuumed = false;
}
