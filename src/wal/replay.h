/*-------------------------------------------------------------------------
 *
 * replay.h
 *		What the primary has published, replayed from WAL.
 *
 * See replay.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_REPLAY_H
#define CACHE_REPLAY_H

extern void replay_init(void);

#endif							/* CACHE_REPLAY_H */
