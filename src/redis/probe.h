/*-------------------------------------------------------------------------
 *
 * probe.h
 *		Finding out whether Redis is in order.
 *
 * See probe.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PROBE_H
#define CACHE_PROBE_H

#include "postgres.h"

extern void probe_soon(void);
extern long probe_due(long up_ms, long down_ms);
extern void probe_if_due(long up_ms, long down_ms);

#endif							/* CACHE_PROBE_H */
