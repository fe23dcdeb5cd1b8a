#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"

static void add(struct endpoints *s, struct endpoint p)
{
	s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
	s->v[s->n++] = p;
}

/* "http://host:port/path", which regconf has checked. */
static void add_mirror(struct endpoints *s, const char *url)
{
	const bool tls = str_starts(url, "https://");
	const char *const rest = strstr(url, "://") + 3;
	autourl struct url u = {0};
	struct err ignored = {0};

	if (url_parse(url, &u, &ignored) < 0)
		return;
	add(s, (struct endpoint){
		       .server = xstrndup(rest, strcspn(rest, "/")),
		       .rest = xstrdup(rest),
		       .tls = tls,
		       .loopback = host_is_loopback(u.host),
		       .is_mirror = true,
		       .probe = PROBE_SETTLED,
	       });
}

static void add_registry(const struct regconf *conf, struct endpoints *s,
			 const char *registry)
{
	const bool hub = !strcmp(registry, "docker.io");
	size_t host_len = strlen(registry);
	uint16_t port = 0;

	(void)host_split(registry, &host_len, &port);
	autofree char *host = xstrndup(registry, host_len);
	const bool loopback = host_is_loopback(host);
	const bool plain = loopback || regconf_is_insecure(conf, registry);
	add(s, (struct endpoint){
		       .server = xstrdup(registry),
		       .rest = xstrdup(hub ? "registry-1.docker.io" : registry),
		       .tls = !loopback,
		       .has_port = port != 0,
		       .loopback = loopback,
		       .probe = plain ? PROBE_FIRST : PROBE_SETTLED,
	       });
}

void endpoints_make(const struct regconf *conf, const char *registry,
		    struct endpoints *ret)
{
	struct endpoints s = {.registry = xstrdup(registry)};

	for (size_t i = 0; i < conf->n_mirrors; i++) {
		if (!strcmp(conf->mirrors[i].registry, registry))
			add_mirror(&s, conf->mirrors[i].url);
	}
	add_registry(conf, &s, registry);
	*ret = s;
}

void endpoints_make_own(const struct regconf *conf, const char *registry,
			struct endpoints *ret)
{
	*ret = (struct endpoints){.registry = xstrdup(registry), .own = true};
	add_registry(conf, ret, registry);
}

void endpoints_free(struct endpoints *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].server);
		free(s->v[i].rest);
	}
	free(s->v);
	free(s->registry);
	*s = (struct endpoints){0};
}

bool endpoint_failed(struct endpoint *p, bool tls, enum transfer_failure why)
{
	const bool scheme = why == FAILURE_TLS || why == FAILURE_NOT_HTTP ||
			    (why == FAILURE_CONNECT && !p->has_port);

	if (p->tls != tls)
		return true;
	if (p->probe == PROBE_SETTLED)
		return false;
	if (p->probe == PROBE_FIRST && !scheme) {
		if (why != FAILURE_CONNECT)
			p->probe = PROBE_SETTLED;
		return false;
	}
	if (p->probe == PROBE_FIRST) {
		p->probe = PROBE_SECOND;
		p->tls = !p->tls;
		return true;
	}
	p->probe = PROBE_SETTLED;
	/* TLS it is, if there is a certificate to complain about. */
	if (why == FAILURE_CERTIFICATE || !(scheme || why == FAILURE_CONNECT))
		return false;
	/* The other one is not better: once more the first, with retries. */
	p->tls = !p->tls;
	return true;
}

void endpoint_answered(struct endpoint *p, bool tls)
{
	p->tls = tls;
	p->probe = PROBE_SETTLED;
}
