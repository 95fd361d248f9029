/*-------------------------------------------------------------------------
 *
 * address.c
 *		Where Redis is.
 *
 * cache.redis_addr names a socket, an address, or a host.  A host name has to be
 * resolved first, and the resolver cannot be given a deadline: so the background
 * worker does that, and puts the address into shared memory for all.
 *
 * Locking: the address lock for what has been resolved.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/devel.h"
#include "redis/address.h"
#include "segment.h"

/* What the worker has found a host name to stand for. */
typedef struct ResolvedAddress
{
	char		setting[ADDRESS_HOST_SIZE + 8];	/* that was resolved, with its
												 * brackets and port */
	RedisAddress address;
} ResolvedAddress;

static ResolvedAddress *shared_resolved;
static LWLock *shared_address_lock;

static void
address_init(void)
{
	memset(shared_resolved, 0, sizeof(ResolvedAddress));
}

const SegmentPart address_part = {
	.name = "header",
	.address = (void **) &shared_resolved,
	.bytes = sizeof(ResolvedAddress),
	.nlocks = 1,
	.locks = (LWLockPadded **) &shared_address_lock,
	.init = address_init,
};

/* cache.redis_addr */
char	   *address_setting = NULL;

/* Take a setting apart; NULL if it is well formed, else what is wrong. */
static const char *
address_parse(const char *addr, RedisAddress *address)
{
	const char *colon = strrchr(addr, ':');
	const char *host = addr;
	size_t		len = strlen(addr);
	char	   *end;
	long		port;

	if (addr[0] == '/')
	{
		if (len >= sizeof(((struct sockaddr_un *) 0)->sun_path))
			return "The path of the socket is too long.";
		strlcpy(address->host, addr, ADDRESS_HOST_SIZE);
		address->port = 0;
		return NULL;
	}
	if (strstr(addr, "://") != NULL)
		return "Give host and port only, and the rest in settings of their own.";
	if (colon == NULL || colon == addr)
		return "It must be host:port, [IPv6 address]:port, or the path of a socket.";
	len = colon - addr;
	errno = 0;
	port = strtol(colon + 1, &end, 10);
	if (errno != 0 || end == colon + 1 || *end != '\0' || port < 1 || port > 65535)
		return "The port must be a number from 1 to 65535.";
	if (host[0] == '[')
	{
		if (host[len - 1] != ']' || len < 4)
			return "An IPv6 address must be enclosed in brackets.";
		host++;
		len -= 2;
	}
	else if (memchr(host, ':', len) != NULL)
		return "An IPv6 address must be enclosed in brackets.";
	if (len >= ADDRESS_HOST_SIZE)
		return "The host name is too long.";
	memcpy(address->host, host, len);
	address->host[len] = '\0';
	address->port = (int) port;
	return NULL;
}

static bool
check_addr(char **newval, void **extra, GucSource source)
{
	RedisAddress address;
	const char *problem;

	if ((*newval)[0] == '\0')
		return true;
	problem = address_parse(*newval, &address);
	if (problem == NULL)
		return true;
	GUC_check_errdetail("%s", problem);
	return false;
}

/*
 * Define the setting; once a process.  assign: to be told whenever it may have
 * changed.
 */
void
address_define_settings(GucStringAssignHook assign)
{
	DefineCustomStringVariable("cache.redis_addr",
							   "Sets the address of Redis: host:port or the path of a socket.",
							   "An empty string: Redis is not used.",
							   &address_setting, "",
							   PGC_SIGHUP, 0,
							   check_addr, assign, NULL);
}

/*
 * Is it an IP address, and no host name?
 */
bool
address_is_literal(const char *host)
{
	struct in6_addr binary;		/* has room for the shorter one, too */

	return inet_pton(AF_INET, host, &binary) == 1 ||
		inet_pton(AF_INET6, host, &binary) == 1;
}

/*
 * Where Redis is.  False if that is not known (yet): the address then has the
 * host name that is to be resolved, or an empty one if Redis is not used.
 */
bool
address_get(RedisAddress *address)
{
	bool		known;

	address->host[0] = '\0';
	if (!address_is_set() || address_parse(address_setting, address) != NULL)
		return false;
	if (address->port == 0 || address_is_literal(address->host))
		return true;
	LWLockAcquire(shared_address_lock, LW_SHARED);
	known = strcmp(shared_resolved->setting, address_setting) == 0;
	if (known)
		*address = shared_resolved->address;
	LWLockRelease(shared_address_lock);
	return known;
}

/*
 * The address as it is set, whether it needs a resolver or not.
 */
void
address_configured(RedisAddress *address)
{
	(void) address_parse(address_setting, address);
}

/* Tell everybody what the present host name stands for. */
static void
address_publish(const RedisAddress *address)
{
	LWLockAcquire(shared_address_lock, LW_EXCLUSIVE);
	strlcpy(shared_resolved->setting, address_setting,
			sizeof(shared_resolved->setting));
	shared_resolved->address = *address;
	LWLockRelease(shared_address_lock);
}

/*
 * Resolve the host name, if there is one: if that has not been done, or (again)
 * if it has.  False if that fails, with the reason in error, of size bytes.
 * May take its time.
 */
bool
address_resolve(bool again, char *error, size_t size)
{
	static int	attempts = 0;	/* each takes the next address */
	RedisAddress address;
	struct addrinfo hints = {0};
	struct addrinfo *list;
	struct addrinfo *one;
	int			problem;
	int			n = 0;

	if (address_get(&address) && !again)
		return true;
	address_configured(&address);
	if (address.port == 0)
		return true;
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	problem = getaddrinfo(address.host, NULL, &hints, &list);
	if (problem != 0)
	{
		strlcpy(error, gai_strerror(problem), size);
		return false;
	}
	for (one = list; one != NULL; one = one->ai_next)
		n++;
	n = attempts++ % n;
	for (one = list; n > 0; n--)
		one = one->ai_next;
	problem = getnameinfo(one->ai_addr, one->ai_addrlen,
						  address.host, ADDRESS_HOST_SIZE, NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	if (problem != 0)
	{
		strlcpy(error, gai_strerror(problem), size);
		return false;
	}
	address_publish(&address);
	return true;
}
