/*
 * regconf - mirrors and insecure registries, in the words of Docker's
 * daemon.json
 *
 *   {
 *     "registry-mirrors": ["https://mirror.example.com"],
 *     "insecure-registries": ["registry.lan:5000", "10.1.0.0/16"]
 *   }
 *
 * A plain array of mirrors is for docker.io. To mirror other registries, an
 * object names each: {"docker.io": ["..."], "ghcr.io": ["..."]}. A mirror may
 * have a path in front of /v2/; one written http:// is used without TLS.
 *
 * An entry of insecure-registries is HOST, HOST:PORT, or a network that holds
 * the registry's address (names are not looked up). It allows plain HTTP; where
 * the registry speaks TLS, its certificate is checked all the same.
 *
 * Unknown keys are somebody else's and ignored; a wrong type is an error that
 * names file and key.
 *
 * The file is that of base/conf.h.
 */
#ifndef REGISTRY_REGCONF_H
#define REGISTRY_REGCONF_H

#include "base/err.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>

struct regconf_mirror {
	char *registry; /* "docker.io" */
	char *url;      /* checked, without a slash at the end */
};

struct regconf {
	struct regconf_mirror *mirrors; /* in order of the file */
	size_t n_mirrors;
	struct strv insecure;
};

int regconf_load(const char *path, struct regconf *ret, struct err *e);
/* name: of the file, for errors. */
int regconf_parse(const char *p, size_t len, const char *name,
		  struct regconf *ret, struct err *e);
void regconf_free(struct regconf *c);

/* May this registry ("host", "host:port") be spoken to without TLS? */
bool regconf_is_insecure(const struct regconf *c, const char *registry);

#endif
