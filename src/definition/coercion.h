/*-------------------------------------------------------------------------
 *
 * coercion.h
 *		From what a call gives for a key to the type of the loader's argument.
 *
 * See coercion.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_COERCION_H
#define CACHE_COERCION_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "nodes/params.h"

#include "definition/cachedef.h"

typedef enum
{
	KEY_AS_IT_IS,
	KEY_LITERAL,				/* a C string, read by the type */
	KEY_TEXT,					/* a text, read by the type */
	KEY_INTEGER,				/* an integer of another width */
	KEY_CAST,					/* cast as a direct call's argument is */
	KEY_EXACT_CAST				/* cast as in an assignment, if nothing is lost */
} KeyCoercionKind;

/* A cast as it is compiled. */
typedef struct KeyCast
{
	ExprState  *expr;			/* NULL: the bytes are the same */
	ExprContext *econtext;
	ParamListInfo param;
} KeyCast;

typedef struct KeyCoercion
{
	KeyCoercionKind kind;
	Oid			from;
	Oid			to;
	KeyCast		cast;			/* to text, if it is to be read */
	FmgrInfo	input;			/* of the key's type */
	Oid			ioparam;
	KeyCast		back;			/* of KEY_EXACT_CAST: the way back */
	FmgrInfo	equal;			/* what is compared there */
	char	   *cache;			/* for messages */
	int			number;			/* of the key */
} KeyCoercion;

extern void coercion_setup(KeyCoercion *coercion, const CacheDef *def, int i,
						   Oid from);
extern bool coercion_widen(KeyCoercion *coercion, const CacheDef *def, int i,
						   Oid from);
extern Datum coercion_apply(KeyCoercion *coercion, Datum value, bool *isnull);

#endif							/* CACHE_COERCION_H */
