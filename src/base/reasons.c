/*-------------------------------------------------------------------------
 *
 * reasons.c
 *		Sets of reasons why a result is not stored.
 *
 * A value may be stored only if everything that it was computed from is known:
 * rows of watched tables, catalogs, arguments, recorded settings.  What else
 * there can be is a set of reasons, each with what it was found at first; here
 * are the rules that tell what follows of such a set.  The words for each are in
 * depend/reason.c.
 *
 * Some reasons forbid storing at any time, since the result is different for
 * others: of these a ttl is no cure.  The rest say that nobody tells when the
 * result changes; whoever gives a ttl has said for how long it may be used.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/reasons.h"

StaticAssertDecl(REASONS <= 32, "a mask has a bit for each reason");

/* Of these a ttl is a cure. */
#define CURED_BY_TTL \
	(REASON_BIT(REASON_UNWATCHED) | \
	 REASON_BIT(REASON_NARROW_WATCH) | \
	 REASON_BIT(REASON_KEY_EXPRESSION) | \
	 REASON_BIT(REASON_CLOCK) | \
	 REASON_BIT(REASON_STATE) | \
	 REASON_BIT(REASON_VOLATILE) | \
	 REASON_BIT(REASON_OPAQUE) | \
	 REASON_BIT(REASON_ROW_LOCKS) | \
	 REASON_BIT(REASON_SYSTEM_COLUMNS) | \
	 REASON_BIT(REASON_SAMPLE) | \
	 REASON_BIT(REASON_TEMPORARY_OBJECTS) | \
	 REASON_BIT(REASON_CATALOGS))

/* A function that is trusted may have these. */
#define FORGIVABLE \
	(REASON_BIT(REASON_SESSION) | \
	 REASON_BIT(REASON_CLOCK) | \
	 REASON_BIT(REASON_STATE) | \
	 REASON_BIT(REASON_VOLATILE) | \
	 REASON_BIT(REASON_OPAQUE) | \
	 REASON_BIT(REASON_CAUGHT_ERROR) | \
	 REASON_BIT(REASON_TEMPORARY_OBJECTS) | \
	 REASON_BIT(REASON_CATALOGS))

/* These are found again at each load, and pass. */
#define PASSING \
	(REASON_BIT(REASON_CAUGHT_ERROR) | \
	 REASON_BIT(REASON_ROW_SECURITY) | \
	 REASON_BIT(REASON_TEMPORARY) | \
	 REASON_BIT(REASON_DETACHING) | \
	 REASON_BIT(REASON_COMPILED) | \
	 REASON_BIT(REASON_SETTINGS))

/* With these alone a load is seen reading whatever it reads. */
#define HIDES_NO_READS \
	(REASON_BIT(REASON_UNWATCHED) | \
	 REASON_BIT(REASON_CLOCK))

/*
 * Add a reason, found at this object.  The first object of each is kept.
 */
void
reasons_note(Reasons *to, Reason reason, Oid object)
{
	if (to->mask & REASON_BIT(reason))
		return;
	to->mask |= REASON_BIT(reason);
	to->object[reason] = object;
}

/*
 * Add all of these.
 */
void
reasons_add(Reasons *to, const Reasons *more)
{
	for (int i = 0; more->mask != 0 && i < REASONS; i++)
	{
		if (more->mask & REASON_BIT(i))
			reasons_note(to, i, more->object[i]);
	}
}

/*
 * Add those of these that hold for as long as the plan that they were found at:
 * the others are found again at each load, and pass.
 */
void
reasons_add_lasting(Reasons *to, const Reasons *more)
{
	Reasons		lasting = *more;

	lasting.mask &= ~PASSING;
	reasons_add(to, &lasting);
}

/*
 * Those that forbid storing, as a mask of REASON_BIT; has_ttl: the user has
 * said for how long a result may be used.
 */
uint32
reasons_that_forbid(const Reasons *those, bool has_ttl)
{
	return has_ttl ? those->mask & ~CURED_BY_TTL : those->mask;
}

/*
 * Can a load with these read tables without a plan that tells of it?  Not if it
 * is just that a table is not watched, or that the result is of a time.
 */
bool
reasons_hide_reads(const Reasons *those)
{
	return (those->mask & ~HIDES_NO_READS) != 0;
}

/*
 * Does trusting a function forgive it?
 */
bool
reasons_forgivable(Reason reason)
{
	return (FORGIVABLE & REASON_BIT(reason)) != 0;
}
