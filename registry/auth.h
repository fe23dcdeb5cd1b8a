/*
 * auth - answers 401: tokens and passwords, per endpoint and scope
 *
 * A registry that wants a token names a token server (the realm) in its
 * WWW-Authenticate header; we ask there for "repository:NAME:pull" (or what
 * else the scope is), with what credentials there are (creds.h, or those of a
 * login), and repeat the request with the token. The
 * registry is not trusted with where it sends us: the realm has to be https,
 * unless the registry itself is spoken to without TLS, and may not lie in a
 * private network (by its number or by what its name resolves to), unless the
 * registry does. The scope is always ours, never the registry's.
 *
 * A token is kept until a 401 shows that it is no longer taken, so nothing
 * depends on clocks and expires_in.
 *
 * Life: auth_make -> auth_target per endpoint and scope, whose face goes to a
 * transfer -> auth_free.
 */
#ifndef REGISTRY_AUTH_H
#define REGISTRY_AUTH_H

#include "base/err.h"
#include "registry/regconf.h"
#include "registry/transfer.h"

struct auth;
struct creds;

/* All borrowed. auth_file: --authfile or NULL. */
struct auth *auth_make(const struct transfer_env *env,
		       const struct regconf *conf, const char *auth_file);
void auth_free(struct auth *a);
/* These, borrowed, and no others. */
void auth_use(struct auth *a, const struct creds *given);

struct auth_target {
	struct auth *auth;
	const char *server;     /* the name that credentials are kept under */
	const char *repository; /* "library/alpine"; NULL: none */
	const char *scope;      /* several: a space between; NULL: none */
	struct url origin;      /* owned */
	struct transfer_auth face;
};
void auth_target_make(struct auth *a, const char *server,
		      const char *repository, const char *scope,
		      const struct url *origin, struct auth_target *ret);
void auth_target_free(struct auth_target *t);

/* The token in a token server's answer: a header value, or -1. */
int auth_parse_token(const char *p, size_t len, char **ret_header,
		     struct err *e);

/*
 * May a registry at `origin`, which answered from address `peer` ("" if behind
 * a proxy), send us to this realm? *ret_only_public: also check the addresses
 * that the name of the realm resolves to.
 */
int auth_check_realm(const struct regconf *conf, const struct url *origin,
		     const char *peer, const struct url *realm,
		     bool *ret_only_public, struct err *e);

#endif
