/*-------------------------------------------------------------------------
 *
 * address.h
 *		Where Redis is.
 *
 * See address.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_ADDRESS_H
#define CACHE_ADDRESS_H

#include "postgres.h"

#include "utils/guc.h"

#include "segment.h"

#define ADDRESS_HOST_SIZE	256

/* A socket's path (port 0), or an address or host name. */
typedef struct RedisAddress
{
	char		host[ADDRESS_HOST_SIZE];
	int			port;
} RedisAddress;

extern const SegmentPart address_part;

extern char *address_setting;	/* cache.redis_addr */

extern void address_define_settings(GucStringAssignHook assign);
extern bool address_is_literal(const char *host);
extern bool address_get(RedisAddress *address);
extern void address_configured(RedisAddress *address);
extern bool address_resolve(bool again, char *error, size_t size);

/* Is Redis used at all? */
static inline bool
address_is_set(void)
{
	return address_setting[0] != '\0';
}

#endif							/* CACHE_ADDRESS_H */
