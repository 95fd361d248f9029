/*-------------------------------------------------------------------------
 *
 * coherence.h
 *		The protocol that keeps every answer exact.
 *
 * See coherence.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_COHERENCE_H
#define CACHE_COHERENCE_H

#include "postgres.h"

#include "definition/definition.h"
#include "fence/fence.h"
#include "fence/registry.h"
#include "fence/stats.h"
#include "store/store.h"

/* What a get knows of its key; made by coherence_begin. */
typedef struct CoherentGet
{
	CacheDef   *def;
	StoreKey   *key;
	SnapshotView view;
	FenceState	key_fence;		/* when the key was not found */
	FenceState	cache_fence;
	Fence	   *role_fence;		/* of whom the loader runs as, if it is the
								 * caller, else NULL */
	uint32		role_changes;	/* that the key's image has */
	FenceState	role_state;		/* of it, when the key was not found */
	bool		lists_ready;	/* what loads note from now on is kept */
	BypassReason refused;		/* if coherence_begin has given false */
} CoherentGet;

/* A value that is to be stored. */
typedef struct CoherentFill
{
	CoherentGet *get;
	StoreValue *value;
} CoherentFill;

extern bool coherence_enabled;

extern bool coherence_begin(CoherentGet *get, CacheDef *def, StoreKey *key);
extern bool coherence_lookup(CoherentGet *get, StoreValue *value);
extern bool coherence_may_fill(CoherentGet *get);
extern StoreResult coherence_fill(CoherentGet *get, StoreValue *value);
extern BypassReason coherence_refusal(CoherentGet *get);
extern void coherence_fill_many(CacheDef *def, CoherentFill *fills, int n);
extern bool coherence_accept(CoherentGet *get, const SnapshotImage *seen,
							 bool own_path);
extern bool coherence_may_send(CoherentGet *get, SnapshotImage *seen);

#endif							/* CACHE_COHERENCE_H */
