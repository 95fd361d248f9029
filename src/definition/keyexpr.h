/*-------------------------------------------------------------------------
 *
 * keyexpr.h
 *		Expressions of keys: of a row's columns, and of a loader's arguments.
 *
 * See keyexpr.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_KEYEXPR_H
#define CACHE_KEYEXPR_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "nodes/params.h"
#include "utils/rel.h"

#include "definition/cachedef.h"
#include "definition/coercion.h"
#include "definition/keyhash.h"

typedef struct KeyExpr
{
	Oid			type;
	Oid			collation;		/* of its value */
	KeyHash		hash;			/* of an argument's expression */
	bool		again;			/* it could be applied to its own value */
	ExprState  *state;
	ExprContext *econtext;
	ParamListInfo param;		/* the argument */
} KeyExpr;

extern bool keyexpr_is_one(const char *text);
extern Node *keyexpr_parse(const char *text, Relation rel, bool stored);
extern char *keyexpr_text(Node *tree, Relation rel);
extern char *keyexpr_rename(const char *text, Relation rel, const char *from,
							const char *to);
extern KeyExpr *keyexpr_open(const char *text, Relation rel);
extern Datum keyexpr_of_row(KeyExpr *expr, TupleTableSlot *slot, bool *isnull);
extern char *keyexpr_describe(CacheDef *def, const char *text, bool stored);
extern Datum keyexpr_of_argument(KeyExpr *expr, Datum value, bool *isnull);
extern bool keyexpr_coercion(KeyCoercion **coercion, const CacheDef *def, int i,
							 Oid from);
extern bool keyexpr_collation_fits(const CacheDef *def, int i, Oid collation);
extern void keyexpr_normalize(const KeyColumn *key, KeyCoercion *coercion,
							  Datum *value, bool *isnull, Oid *type);

#endif							/* CACHE_KEYEXPR_H */
