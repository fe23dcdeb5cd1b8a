/*
 * helper - a program docker-credential-NAME that keeps credentials
 *
 * The program is found in PATH and run as `docker-credential-NAME get`, `store`
 * or `erase`; the server goes to its standard input (to be stored, with user and
 * secret as JSON), the answer comes as JSON. Its standard error stays the
 * user's, since helpers may ask for a passphrase there.
 */
#ifndef REGISTRY_HELPER_H
#define REGISTRY_HELPER_H

#include "base/err.h"
#include "registry/creds.h"

/* 1 found, 0 the helper knows no such server. */
int helper_get(const char *name, const char *server, struct creds *ret,
	       struct err *e);
int helper_store(const char *name, const char *server, const char *user,
		 const char *password, struct err *e);
/* 1 erased, 0 there was nothing. */
int helper_erase(const char *name, const char *server, struct err *e);

#endif
