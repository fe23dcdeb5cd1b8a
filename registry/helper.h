/*
 * helper - ask a program docker-credential-NAME for credentials
 *
 * The program is found in PATH and run as `docker-credential-NAME get`; the
 * server goes to its standard input, the answer comes as JSON. Its standard
 * error stays the user's, since helpers may ask for a passphrase there.
 */
#ifndef REGISTRY_HELPER_H
#define REGISTRY_HELPER_H

#include "base/err.h"
#include "registry/creds.h"

/* 1 found, 0 the helper knows no such server. */
int helper_get(const char *name, const char *server, struct creds *ret,
	       struct err *e);

#endif
