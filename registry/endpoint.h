/*
 * endpoint - who can be asked for a registry's content: its mirrors in the
 * order of the configuration, then the registry itself
 *
 * Where plain HTTP is allowed, whether the other side speaks it is found out
 * by the first request. Loopback registries are nearly always plain, so HTTP is
 * tried first there; elsewhere https first.
 */
#ifndef REGISTRY_ENDPOINT_H
#define REGISTRY_ENDPOINT_H

#include "registry/regconf.h"
#include "registry/transfer.h"
#include <stdbool.h>
#include <stddef.h>

enum endpoint_probe {
	PROBE_FIRST,   /* the likely scheme is being tried */
	PROBE_SECOND,  /* the other one is */
	PROBE_SETTLED, /* no more changes */
};

struct endpoint {
	char *server; /* "docker.io", "mirror.lan:5000": for words and creds */
	char *rest;   /* URL without scheme, in front of "/v2/" */
	bool tls;
	bool has_port;
	bool loopback;
	bool is_mirror;
	enum endpoint_probe probe;
};

struct endpoints {
	char *registry;
	bool own; /* without mirrors */
	struct endpoint *v;
	size_t n;
	size_t good; /* the one that answered last: asked first */
};

void endpoints_make(const struct regconf *conf, const char *registry,
		    struct endpoints *ret);
/* The registry alone: nobody logs in or writes to a mirror. */
void endpoints_make_own(const struct regconf *conf, const char *registry,
			struct endpoints *ret);
void endpoints_free(struct endpoints *s);

/*
 * A transfer that used `tls` failed like this: true if it should begin again,
 * since the endpoint has (now) another scheme.
 */
bool endpoint_failed(struct endpoint *p, bool tls, enum transfer_failure why);
/* What answered with this scheme has it, whatever was tried meanwhile. */
void endpoint_answered(struct endpoint *p, bool tls);

#endif
