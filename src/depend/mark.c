/*-------------------------------------------------------------------------
 *
 * mark.c
 *		Marks of what was made in loads.
 *
 * What PL/pgSQL keeps is marked when it was made in a load: with what it was made
 * under, and with what else is known of it.  Marks are reset callbacks of the memory
 * contexts that hold what they speak of, and vanish together with it.  What has no
 * mark was made elsewhere.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "depend/mark.h"

/*
 * The mark of this kind of what the context holds, or NULL.  tag: a callback that
 * does nothing, but tells by its address what kind of mark it is.
 */
Mark *
mark_find(MemoryContext context, MemoryContextCallbackFunction tag)
{
	MemoryContextCallback *callback;

	if (context == NULL)
		return NULL;
	for (callback = context->reset_cbs; callback != NULL; callback = callback->next)
	{
		if (callback->func == tag)
			return (Mark *) callback;
	}
	return NULL;
}

/*
 * The same, made if there is none, and dated: with so many bytes, of which those
 * behind the Mark are 0 to begin with.
 */
Mark *
mark_make(MemoryContext context, MemoryContextCallbackFunction tag, Size size,
		  const Made *made)
{
	Mark	   *mark = mark_find(context, tag);

	if (mark == NULL)
	{
		mark = MemoryContextAllocZero(context, size);
		mark->callback.func = tag;
		MemoryContextRegisterResetCallback(context, &mark->callback);
	}
	mark->made = *made;
	return mark;
}
