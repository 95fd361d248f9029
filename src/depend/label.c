/*-------------------------------------------------------------------------
 *
 * label.c
 *		Labels of what was made in loads.
 *
 * What PL/pgSQL keeps is labelled when it was made in a load: with what it was made
 * under, and with what else is known of it.  Labels are reset callbacks of the memory
 * contexts that hold what they speak of, and vanish together with it.  What has no
 * label was made elsewhere.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "depend/label.h"

/*
 * The label of this kind of what the context holds, or NULL.  tag: a callback that
 * does nothing, but tells by its address what kind of label it is.
 */
Label *
label_find(MemoryContext context, MemoryContextCallbackFunction tag)
{
	MemoryContextCallback *callback;

	if (context == NULL)
		return NULL;
	for (callback = context->reset_cbs; callback != NULL; callback = callback->next)
	{
		if (callback->func == tag)
			return (Label *) callback;
	}
	return NULL;
}

/*
 * The same, made if there is none, and dated: with so many bytes, of which those
 * behind the Label are 0 to begin with.
 */
Label *
label_make(MemoryContext context, MemoryContextCallbackFunction tag, Size size,
		  const Made *made)
{
	Label	   *label = label_find(context, tag);

	if (label == NULL)
	{
		label = MemoryContextAllocZero(context, size);
		label->callback.func = tag;
		MemoryContextRegisterResetCallback(context, &label->callback);
	}
	label->made = *made;
	return label;
}
