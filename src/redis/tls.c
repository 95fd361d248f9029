/*-------------------------------------------------------------------------
 *
 * tls.c
 *		TLS for connections to Redis.
 *
 * hiredis reads and writes through an SSL of OpenSSL that is made here: its own
 * way to make one verifies a certificate, but not whom it is for.  The
 * handshake is made here as well, step by step, since nobody may wait longer
 * than for the rest; the waiting is done in redis.c.
 *
 * hiredis has TLS since version 1.0.  Without, cache.redis_tls cannot be on.
 *
 * What goes wrong is put into hiredis' context, as hiredis does.
 *
 * OpenSSL reports errors in a queue, which is the process's, and takes what it
 * finds there for its own: so the queue is emptied before each call, and after
 * each failure for the sake of others.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef HIREDIS_HAS_TLS
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "storage/latch.h"
#include "utils/timestamp.h"
#endif

#include "common/hashfn.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "redis/address.h"
#include "redis/tls.h"

/* OpenSSL before 3.0 */
#if defined(HIREDIS_HAS_TLS) && !defined(ERR_SYSTEM_ERROR)
#define ERR_SYSTEM_ERROR(code)	(ERR_GET_LIB(code) == ERR_LIB_SYS)
#endif

/* cache.redis_tls... */
static bool redis_tls = false;
static char *redis_tls_ca = NULL;
static char *redis_tls_cert = NULL;
static char *redis_tls_key = NULL;
static bool redis_tls_verify = true;

#ifdef HIREDIS_HAS_TLS
/* What all connections have in common, and of when its files are. */
static SSL_CTX *tls_context = NULL;
static TimestampTz tls_context_made = 0;
#endif

/*-------------------------------------------------------------------------
 * Settings
 *-------------------------------------------------------------------------
 */

static bool
check_tls(bool *newval, void **extra, GucSource source)
{
#ifndef HIREDIS_HAS_TLS
	if (*newval)
	{
		GUC_check_errdetail("The extension was built with hiredis %d.%d.%d, which has no TLS.",
							HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
		GUC_check_errhint("Build it with hiredis 1.0 or later, including hiredis_ssl, or reach Redis by a socket or a tunnel.");
		return false;
	}
#endif
	return true;
}

/*
 * Define the settings of TLS; once a process.  A changed one calls the hooks.
 */
void
tls_define_settings(GucBoolAssignHook assign_bool,
					GucStringAssignHook assign_string)
{
	const char *asked = GetConfigOption("cache.redis_tls", true, false);
	bool		on;

	asked = asked != NULL ? pstrdup(asked) : "off";
	DefineCustomBoolVariable("cache.redis_tls",
							 "Encrypts connections to Redis.",
							 NULL,
							 &redis_tls, false,
							 PGC_SIGHUP, 0,
							 check_tls, assign_bool, NULL);
	DefineCustomStringVariable("cache.redis_tls_ca",
							   "Sets the file with the certificates of authorities that certify Redis.",
							   "An empty string: those that the system trusts.",
							   &redis_tls_ca, "",
							   PGC_SIGHUP, 0,
							   NULL, assign_string, NULL);
	DefineCustomStringVariable("cache.redis_tls_cert",
							   "Sets the file with this server's certificate for Redis.",
							   NULL,
							   &redis_tls_cert, "",
							   PGC_SIGHUP, 0,
							   NULL, assign_string, NULL);
	DefineCustomStringVariable("cache.redis_tls_key",
							   "Sets the file with the private key of this server's certificate for Redis.",
							   "An empty string: it is in the certificate's file.",
							   &redis_tls_key, "",
							   PGC_SIGHUP, 0,
							   NULL, assign_string, NULL);
	DefineCustomBoolVariable("cache.redis_tls_verify",
							 "Verifies that Redis' certificate is valid and for the host in cache.redis_addr.",
							 NULL,
							 &redis_tls_verify, true,
							 PGC_SIGHUP, 0,
							 NULL, assign_bool, NULL);

	/*
	 * Of a value that it refuses at server start PostgreSQL makes a warning,
	 * and the default.  That would send what should be encrypted in clear.
	 */
	if (!parse_bool(asked, &on) || on != redis_tls)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("cannot set parameter \"cache.redis_tls\" to \"%s\"", asked),
				 errhint("See the warning before this message.")));
}

/*
 * A number that stands for the settings as they are.
 */
uint64
tls_settings(void)
{
	const char *files[] = {redis_tls_ca, redis_tls_cert, redis_tls_key};
	uint64		hash = (redis_tls ? 1 : 0) | (redis_tls_verify ? 2 : 0);

	for (int i = 0; i < lengthof(files); i++)
		hash = hash_combine64(hash,
							  hash_bytes_extended((const unsigned char *) files[i],
												  strlen(files[i]), 0));
	return hash;
}

#ifdef HIREDIS_HAS_TLS

/*-------------------------------------------------------------------------
 * Errors
 *-------------------------------------------------------------------------
 */

/* The first error in OpenSSL's queue, which is the reason of those after it. */
static const char *
queued_reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *reason;

	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	reason = code != 0 ? ERR_reason_error_string(code) : NULL;
	return reason != NULL ? reason : "unknown error";
}

static void
fail(redisContext *context, int err, const char *what, const char *reason)
{
	context->err = err;
	snprintf(context->errstr, sizeof(context->errstr), "%s: %s", what, reason);
	ERR_clear_error();
}

/*-------------------------------------------------------------------------
 * What connections have in common
 *-------------------------------------------------------------------------
 */

/* Nobody is there to be asked for the passphrase of a key. */
static int
no_passphrase(char *buffer, int size, int writing, void *wanted)
{
	*(bool *) wanted = true;
	return -1;
}

/* Read the files; false, with the setting that is at fault, if one is bad. */
static bool
read_files(SSL_CTX *made, const char **setting)
{
	const char *key = redis_tls_key[0] != '\0' ? redis_tls_key : redis_tls_cert;

	if (redis_tls_verify)
	{
		*setting = "cache.redis_tls_ca";
		if ((redis_tls_ca[0] != '\0' ?
			 SSL_CTX_load_verify_locations(made, redis_tls_ca, NULL) :
			 SSL_CTX_set_default_verify_paths(made)) != 1)
			return false;
	}
	if (key[0] == '\0')
		return true;
	*setting = "cache.redis_tls_cert";
	if (SSL_CTX_use_certificate_chain_file(made, redis_tls_cert) != 1)
		return false;
	*setting = "cache.redis_tls_key";
	return SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) == 1;
}

/* Make tls_context; files are read again after each reload. */
static bool
make_context(redisContext *context)
{
	static bool passphrase_wanted = false;
	const char *at_fault = "TLS";
	SSL_CTX    *made;

	if (tls_context != NULL && tls_context_made == PgReloadTime)
		return true;
	made = SSL_CTX_new(TLS_client_method());
	if (made != NULL)
	{
		passphrase_wanted = false;
		SSL_CTX_set_default_passwd_cb(made, no_passphrase);
		SSL_CTX_set_default_passwd_cb_userdata(made, &passphrase_wanted);
		SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION);
		SSL_CTX_set_verify(made,
						   redis_tls_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
						   NULL);
	}
	if (made == NULL ||
		SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION) != 1 ||
		!read_files(made, &at_fault))
	{
		fail(context, REDIS_ERR_OTHER, at_fault,
			 passphrase_wanted ?
			 "the key has a passphrase" : queued_reason());
		SSL_CTX_free(made);
		return false;
	}
	SSL_CTX_free(tls_context);
	tls_context = made;
	tls_context_made = PgReloadTime;
	return true;
}

/*-------------------------------------------------------------------------
 * Connections
 *-------------------------------------------------------------------------
 */

/*
 * Is this connection to have TLS?  Those by a path do not leave the machine.
 */
bool
tls_wanted(const redisContext *context)
{
	return redis_tls && context->connection_type == REDIS_CONN_TCP;
}

/* Say whom this side wants to speak to, a host name or a literal address. */
static bool
expect_host(SSL *ssl, const char *host)
{
	if (address_is_literal(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 &&
		SSL_set_tlsext_host_name(ssl, host) == 1;
}

/*
 * Begin with TLS on a socket that is connected, to a Redis that is known by
 * this host name or address.  Does not wait: tls_handshake goes on.  NULL if it
 * has failed.  It ends with hiredis' context.
 */
Tls *
tls_begin(redisContext *context, const char *host)
{
	SSL		   *ssl;

	ERR_clear_error();
	if (!make_context(context))
		return NULL;
	ssl = SSL_new(tls_context);
	if (ssl == NULL || !expect_host(ssl, host))
		fail(context, REDIS_ERR_OTHER, "TLS", queued_reason());
	else if (redisInitiateSSL(context, ssl) == REDIS_OK)
		return ssl;
	else
		tls_explain(ssl, context);
	SSL_free(ssl);
	return NULL;
}

/*
 * Go on with the handshake.  True if it is over; if it has failed, the context
 * has an error.  False if it is to be called again, when the socket is ready
 * for what tls_await tells.
 */
bool
tls_handshake(Tls *tls, redisContext *context)
{
	int			done;

	ERR_clear_error();
	errno = 0;
	done = SSL_do_handshake(tls);
	if (done == 1)
		return true;
	switch (SSL_get_error(tls, done))
	{
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE:
			return false;
		default:
			context->err = REDIS_ERR_IO;
			strlcpy(context->errstr,
					errno != 0 ? strerror(errno) : "connection closed",
					sizeof(context->errstr));
			tls_explain(tls, context);
			return true;
	}
}

/*
 * For what the socket must be ready, so that it is worth while to try again; 0
 * if nothing needs to be waited for, since OpenSSL has more than hiredis has
 * taken.  ready: what it would be without TLS; with it, to read may have to
 * wait for writing, and the other way round.
 */
uint32
tls_await(const Tls *tls, uint32 ready)
{
	if (ready == WL_SOCKET_READABLE && SSL_pending(tls) > 0)
		return 0;
	if (SSL_want_write(tls))
		return WL_SOCKET_WRITEABLE;
	if (SSL_want_read(tls))
		return WL_SOCKET_READABLE;
	return ready;
}

/*
 * To be called before hiredis reads or writes.
 */
void
tls_prepare(void)
{
	ERR_clear_error();
}

/*
 * Whoever refuses this side says so and hangs up, and may do both before he is
 * sent anything.  Then what he has said is still there to be read.
 */
static void
look_for_alert(SSL *ssl)
{
	char		byte;

	ERR_clear_error();
	(void) SSL_peek(ssl, &byte, 1);
}

/*
 * To be called after hiredis has failed: it has the reason from the system,
 * even if OpenSSL knows a better one.
 */
void
tls_explain(Tls *tls, redisContext *context)
{
	long		verified = redis_tls_verify ? SSL_get_verify_result(tls) : X509_V_OK;

	if (verified != X509_V_OK)
	{
		fail(context, context->err, "certificate verify failed",
			 X509_verify_cert_error_string(verified));
		return;
	}
	if (SSL_is_init_finished(tls) && ERR_GET_LIB(ERR_peek_error()) != ERR_LIB_SSL)
		look_for_alert(tls);
	if (ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL)
		fail(context, context->err, "TLS", queued_reason());
	ERR_clear_error();
}

/*
 * Tell the other side that nothing more will come.
 */
void
tls_end(Tls *tls)
{
	if (!SSL_is_init_finished(tls))
		return;
	ERR_clear_error();
	(void) SSL_shutdown(tls);
	ERR_clear_error();
}

#endif							/* HIREDIS_HAS_TLS */
