/*-------------------------------------------------------------------------
 *
 * remotewindow.h
 *		Sliding windows that several servers share, in Redis.
 *
 * See remotewindow.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_REMOTEWINDOW_H
#define CACHE_REMOTEWINDOW_H

#include "postgres.h"

#include "ratelimit/window.h"

extern bool remotewindow_ask(const WindowRequest *request, WindowAnswer *answer);

#endif							/* CACHE_REMOTEWINDOW_H */
