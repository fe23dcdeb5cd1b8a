/*
 * login - who we are to a registry, into the file that is read first (creds.h)
 * and out of it again
 *
 * The form is that of Docker's config.json. Everything else in the file stays
 * as it is; it is replaced whole, with mode 0600, at the end of its symlinks.
 * Where the file names a credential helper for the registry (credHelpers,
 * credsStore), the helper gets the password and the file an empty entry, as
 * Docker does it.
 */
#ifndef REGISTRY_LOGIN_H
#define REGISTRY_LOGIN_H

#include "base/err.h"
#include <stdbool.h>

/* "https://host:5000/x" -> "host:5000"; all names of Docker Hub -> docker.io. */
char *login_server(const char *text);

/* Malloced strings, NULL for what there is not; free with login_free. */
struct login {
	char *user;
	char *password;
	char *source; /* the file or helper that it is from, or was given to */
};
void login_free(struct login *l);
#define autologin __attribute__((cleanup(login_free)))

/* User and password for a registry as a whole: 1 found, 0 none. */
int login_find(const char *auth_file, const char *server, struct login *ret,
	       struct err *e);

/* *ret_helper: it is not in the file, but with a helper. */
int login_keep(const char *auth_file, const char *server, struct login *l,
	       bool *ret_helper, struct err *e);

/* server NULL: all that are in the file. 1 gone, 0 there was none. */
int login_drop(const char *auth_file, const char *server, struct err *e);

#endif
