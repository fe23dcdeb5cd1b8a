/*
 * creds - who we are to a registry: Docker's config.json, containers' auth.json
 * and credential helpers
 *
 * Files, the first that knows the registry wins: --authfile or
 * $REGISTRY_AUTH_FILE alone; else $DOCKER_CONFIG/config.json if that is set,
 * $XDG_RUNTIME_DIR/containers/auth.json,
 * $XDG_CONFIG_HOME/containers/auth.json (~/.config), and ~/.docker/config.json.
 *
 * In a file: a helper named for this registry (credHelpers), then the most
 * specific entry of auths ("host/a/b" before "host/a" before "host"), then the
 * general helper (credsStore). docker.io is also known as
 * https://index.docker.io/v1/.
 *
 * Nothing is read until a registry asks. Secrets are wiped when freed and are
 * in no error text and no argument list.
 *
 * Life: creds_find -> creds_free.
 */
#ifndef REGISTRY_CREDS_H
#define REGISTRY_CREDS_H

#include "base/err.h"
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>

struct creds {
	char *user; /* NULL: nobody (anonymous) */
	char *password;
	char *identity; /* an identity token (OAuth2 refresh token), or NULL */
	char *bearer;   /* a ready token ("registrytoken"), or NULL */
	char *source;   /* the file or helper, for messages */
};

/*
 * registry: "docker.io", "host:port"; repository: "library/alpine".
 * Not found is success with everything NULL.
 */
int creds_find(const char *auth_file, const char *registry,
	       const char *repository, struct creds *ret, struct err *e);
void creds_free(struct creds *c);
bool creds_are_set(const struct creds *c);

/*
 * One document: 1 found, 0 not. name: of the file, for errors. Runs helpers.
 */
int creds_parse(const char *p, size_t len, const char *name,
		const char *registry, const char *repository, struct creds *ret,
		struct err *e);

/* Does this key of a file mean the registry as a whole? */
bool creds_key_is(const char *key, const char *registry);

/* The registry as Docker writes it into files and tells it to helpers. */
const char *creds_server_name(const char *registry);

/* The files in the order in which they are read; the first is written to. */
#define CREDS_FILES_MAX 4
struct creds_files {
	char *path[CREDS_FILES_MAX]; /* malloced; the rest is NULL */
	bool named; /* by --authfile or $REGISTRY_AUTH_FILE: it has to be there */
};
void creds_files_list(const char *auth_file, struct creds_files *ret);
void creds_files_free(struct creds_files *f);
#define autocredsfiles __attribute__((cleanup(creds_files_free)))

/* json_parse for what holds secrets: its error quotes nothing of it. */
json_t *secret_json_parse(const char *p, size_t len, const char *what,
			  struct err *e);

/* Wipe and free a string that holds a secret. NULL is fine. */
void secret_free(char *s);
void own_secret(char **s);
#define autosecret __attribute__((cleanup(own_secret)))

/* "user:password" as the value of Authorization; to be freed as a secret. */
char *creds_basic(const struct creds *c);

#endif
