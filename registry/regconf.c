#include "regconf.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "registry/url.h"

#define MIRRORS_MAX 64 /* each may cost a pull its connection timeout */

void regconf_free(struct regconf *c)
{
	for (size_t i = 0; i < c->n_mirrors; i++) {
		free(c->mirrors[i].registry);
		free(c->mirrors[i].url);
	}
	free(c->mirrors);
	strv_free(&c->insecure);
	*c = (struct regconf){0};
}

/* ---- parsing ------------------------------------------------------------- */

static int add_mirror(struct regconf *c, const char *registry, const char *s,
		      struct err *e)
{
	autourl struct url u = {0};

	if (url_parse(s, &u, e) < 0)
		return -1;
	if (strchr(u.text, '?'))
		return err_set(e, ERR_INVALID, "a query has no meaning here");
	if (c->n_mirrors == MIRRORS_MAX)
		return err_set(e, ERR_TOOBIG, "more than %d mirrors",
			       MIRRORS_MAX);

	autofree char *text = xstrdup(u.text);
	for (size_t n = strlen(text); n > 0 && text[n - 1] == '/'; n--)
		text[n - 1] = '\0';
	c->mirrors =
		xrealloc(c->mirrors, (c->n_mirrors + 1) * sizeof(*c->mirrors));
	c->mirrors[c->n_mirrors++] = (struct regconf_mirror){
		.registry = xstrdup(strcmp(registry, "index.docker.io") != 0
					    ? registry
					    : "docker.io"),
		.url = take_ptr(&text),
	};
	return 0;
}

static int add_mirrors(struct regconf *c, const char *registry,
		       const struct jval *a, struct err *e)
{
	const int64_t n = jlen(a, e);
	const char *s;

	for (size_t i = 0; n > 0 && i < (size_t)n; i++) {
		if (jat_str(a, i, &s, e) < 0)
			return -1;
		if (add_mirror(c, registry, s, e) < 0)
			return err_prefix(e, "%s[%zu]", a->path, i);
	}
	return n < 0 ? -1 : 0;
}

static int parse_mirrors(struct regconf *c, const struct jval *doc,
			 struct err *e)
{
	struct jval m;
	struct jval list;

	if (jget(doc, "registry-mirrors", &m, e) < 0)
		return -1;
	if (!json_is_object(m.v))
		return add_mirrors(c, "docker.io", &m, e);

	json_t *const o = (json_t *)(uintptr_t)m.v;
	for (void *it = json_object_iter(o); it;
	     it = json_object_iter_next(o, it)) {
		const char *const registry = json_object_iter_key(it);

		if (jget(&m, registry, &list, e) < 0 ||
		    add_mirrors(c, registry, &list, e) < 0)
			return -1;
	}
	return 0;
}

static int parse_insecure(struct regconf *c, const struct jval *doc,
			  struct err *e)
{
	struct jval a;
	const char *s;

	if (jget(doc, "insecure-registries", &a, e) < 0)
		return -1;
	const int64_t n = jlen(&a, e);
	for (size_t i = 0; n > 0 && i < (size_t)n; i++) {
		if (jat_str(&a, i, &s, e) < 0)
			return -1;
		/* Docker takes (and warns about) a URL here. */
		if (str_after(s, "http://"))
			s = str_after(s, "http://");
		if (!*s)
			return err_set(e, ERR_INVALID, "%s[%zu]: empty", a.path,
				       i);
		strv_add(&c->insecure, s);
	}
	return n < 0 ? -1 : 0;
}

int regconf_parse(const char *p, size_t len, const char *name,
		  struct regconf *ret, struct err *e)
{
	autojson json_t *doc = json_parse(p, len, name, e);
	struct regconf c = {0};

	if (!doc)
		return -1;
	const struct jval root = jval_root(doc, name);
	if (parse_mirrors(&c, &root, e) < 0 ||
	    parse_insecure(&c, &root, e) < 0) {
		regconf_free(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

/* ---- finding the file ---------------------------------------------------- */

int regconf_load(const char *path, struct regconf *ret, struct err *e)
{
	autobuf struct buf b = buf_make(AUTH_FILE_MAX);
	autofree char *name = NULL;
	const int rc = conf_read(path, &b, &name, e);

	*ret = (struct regconf){0};
	return rc <= 0 ? rc : regconf_parse(buf_str(&b), b.len, name, ret, e);
}

/* ---- insecure registries ------------------------------------------------- */

/* The bytes of an address; 0 when s is none. */
static int address_of(const char *s, size_t n, unsigned char ret[16])
{
	char text[64];

	if (n > 1 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	}
	if (n >= sizeof(text))
		return 0;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, ret) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ret) == 1 ? 16 : 0;
}

static bool in_network(const char *cidr, const char *host, size_t host_len)
{
	const char *const slash = strchr(cidr, '/');
	unsigned char net[16];
	unsigned char a[16];
	uint64_t bits;

	if (!slash)
		return false;
	const int n = address_of(cidr, (size_t)(slash - cidr), net);
	if (!n || n != address_of(host, host_len, a) ||
	    !str_to_u64(slash + 1, (uint64_t)n * 8, &bits))
		return false;
	const size_t whole = (size_t)bits / 8;
	const unsigned char mask =
		(unsigned char)(0xff00 >> (bits % 8)); /* the odd bits */
	if (memcmp(net, a, whole) != 0)
		return false;
	return !(bits % 8) || !((net[whole] ^ a[whole]) & mask);
}

bool regconf_is_insecure(const struct regconf *c, const char *registry)
{
	size_t host_len;
	uint16_t port;

	if (!host_split(registry, &host_len, &port))
		return false;
	for (size_t i = 0; i < c->insecure.n; i++) {
		const char *const s = c->insecure.v[i];

		if (!strcasecmp(s, registry) ||
		    in_network(s, registry, host_len))
			return true;
	}
	return false;
}
