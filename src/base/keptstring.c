/*-------------------------------------------------------------------------
 *
 * keptstring.c
 *		Strings that are written again and again, in the same memory.
 *
 * What is done for each write to a table need not allocate.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/keptstring.h"

/*
 * An empty string to write in, which is kept for the next time.  text: static, and
 * of zeroes at first.
 */
StringInfo
keptstring_begin(StringInfo text)
{
	if (text->data == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(text);
		MemoryContextSwitchTo(old);
	}
	resetStringInfo(text);
	return text;
}
