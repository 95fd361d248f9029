/*-------------------------------------------------------------------------
 *
 * tls.h
 *		TLS for connections to Redis.
 *
 * See tls.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_TLS_H
#define CACHE_TLS_H

#include "postgres.h"

#include <hiredis/hiredis.h>

#include "utils/guc.h"

/* TLS on one connection; an SSL of OpenSSL */
typedef struct ssl_st Tls;

extern void tls_define_settings(GucBoolAssignHook assign_bool,
								GucStringAssignHook assign_string);

extern uint64 tls_settings(void);

#ifdef HIREDIS_HAS_TLS

extern bool tls_wanted(const redisContext *context);
extern Tls *tls_begin(redisContext *context, const char *host);
extern bool tls_handshake(Tls *tls, redisContext *context);
extern uint32 tls_await(const Tls *tls, uint32 ready);
extern void tls_prepare(void);
extern void tls_explain(Tls *tls, redisContext *context);
extern void tls_end(Tls *tls);

#else

/* There is no connection with TLS, since the setting cannot be on. */
static inline bool
tls_wanted(const redisContext *context)
{
	return false;
}

static inline Tls *
tls_begin(redisContext *context, const char *host)
{
	return NULL;
}

static inline bool
tls_handshake(Tls *tls, redisContext *context)
{
	return true;
}

static inline uint32
tls_await(const Tls *tls, uint32 ready)
{
	return ready;
}

static inline void
tls_prepare(void)
{
}

static inline void
tls_explain(Tls *tls, redisContext *context)
{
}

static inline void
tls_end(Tls *tls)
{
}

#endif

#endif							/* CACHE_TLS_H */
