#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/net/book.h"

#define HOSTS_MAX MIB(1)
#define MARK      "# prism: "
#define OWN       "this container"

#define NETWORK_MARK MARK "network "

/* ---- text ------------------------------------------------------------------------ */

/* Where the line begins that is this one, or NULL. */
static const char *find_line(const char *text, const char *line)
{
	const size_t n = strlen(line);

	for (const char *p = text; *p;) {
		const size_t len = strcspn(p, "\n");

		if (len == n && !memcmp(p, line, n))
			return p;
		p += len + (p[len] == '\n');
	}
	return NULL;
}

static const char *next_line(const char *p)
{
	p += strcspn(p, "\n");
	return p + (*p == '\n');
}

void names_replace(const char *text, const char *what, const char *block,
		   struct buf *ret)
{
	autofree char *begin = xasprintf(MARK "%s", what);
	autofree char *end = xasprintf(MARK "end of %s", what);
	const char *const from = find_line(text, begin);
	const char *const to = from ? find_line(from, end) : NULL;
	const char *rest = "";

	if (to) {
		buf_add(ret, text, (size_t)(from - text));
		rest = next_line(to);
	} else {
		buf_adds(ret, text);
		if (ret->len && ret->p[ret->len - 1] != '\n')
			buf_addc(ret, '\n');
	}
	if (*block)
		buf_addf(ret, "%s\n%s%s\n", begin, block, end);
	buf_adds(ret, rest);
}

static bool is_in(const struct net_state *st, const char *network, size_t n)
{
	for (size_t i = 0; i < st->n_ends; i++)
		if (strlen(st->ends[i].network) == n &&
		    !memcmp(st->ends[i].network, network, n))
			return true;
	return false;
}

/* Where a block of another network ends that begins here, or NULL. */
static const char *end_of_other(const char *p, const struct net_state *st)
{
	const char *const name = str_after(p, NETWORK_MARK);
	const size_t n = name ? strcspn(name, "\n") : 0;
	autofree char *end = NULL;
	const char *to;

	if (!n || is_in(st, name, n))
		return NULL;
	end = xasprintf(MARK "end of network %.*s", (int)n, name);
	to = find_line(p, end);
	return to ? next_line(to) : NULL;
}

void names_drop_others(const char *text, const struct net_state *st,
		       struct buf *ret)
{
	while (*text) {
		const char *const end = end_of_other(text, st);
		const char *const next = next_line(text);

		if (!end)
			buf_add(ret, text, (size_t)(next - text));
		text = end ? end : next;
	}
}

/* ---- files ------------------------------------------------------------------------ */

/*
 * Its end is blank before it is cut off: whoever is killed in between leaves no
 * lines of before, which would be the container's from then on.
 */
static int write_file(int fd, struct buf *b, size_t before, struct err *e)
{
	const size_t len = b->len;
	ssize_t n;

	while (b->len < before)
		buf_addc(b, '\n');
	do {
		n = pwrite(fd, b->p, b->len, 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)b->len)
		return err_sys(e, "pwrite", "hosts");
	crash_point("net-hosts-written");
	if (before > len && ftruncate(fd, (off_t)len) < 0)
		return err_sys(e, "ftruncate", "hosts");
	return 0;
}

/*
 * A container that has made it too large, or is gone, has no names. st: those of
 * other networks go.
 */
static int change(int dirfd, const char *path, const char *what,
		  const char *block, const struct net_state *st, struct err *e)
{
	autobuf struct buf old = buf_make(HOSTS_MAX);
	autobuf struct buf kept = buf_make(HOSTS_MAX);
	autobuf struct buf new = buf_make(HOSTS_MAX);
	autoclose int fd = openat(dirfd, path,
				  O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, "openat", "%s", path);
	if (io_read_file(fd, &old, path, e) < 0)
		return -1;
	if (st)
		names_drop_others(buf_str(&old), st, &kept);
	names_replace(buf_str(st ? &kept : &old), what, block, &new);
	if (new.over)
		return err_set(e, ERR_TOOBIG, "%s: larger than %zu bytes", path,
			       new.max);
	if (new.len == old.len &&
	    !memcmp(buf_str(&new), buf_str(&old), new.len))
		return 0;
	return write_file(fd, &new, old.len, e);
}

/* ---- its own ------------------------------------------------------------------------ */

static void add_own(const char *address, const char *name, size_t n,
		    struct buf *b)
{
	if (address)
		buf_addf(b, "%s\t%.*s\n", address, (int)n, name);
}

/* Its address where we are too, else the first that it has. */
static const char *link_address(const struct net_state *st,
				const struct run_spec *s)
{
	for (size_t i = 0; i < st->n_ends; i++)
		for (size_t k = 0; k < s->n_nets; k++)
			if (st->ends[i].ip &&
			    !strcmp(st->ends[i].network, s->nets[k].network))
				return st->ends[i].ip;
	return st->n_ends ? st->ends[0].ip : NULL;
}

/* "CONTAINER[:ALIAS]": its address goes into b under both names. */
static int add_link(const struct net_of *o, const struct run_spec *s,
		    const char *link, struct buf *b, struct err *e)
{
	const size_t n = strcspn(link, ":");
	const char *const alias = link[n] ? link + n + 1 : link;
	autofree char *name = xstrndup(link, n);
	autocontainer struct container c = CONTAINER_NONE;
	autonetstate struct net_state st = {0};
	const char *ip;

	if (container_open(o->home, name, &c, e) < 0)
		return err_prefix(e, "--link %s", link);
	if (net_state_read(c.dir_fd, &st, e) < 0)
		return -1;
	ip = link_address(&st, s);
	if (!ip)
		return err_set(e, ERR_NOTFOUND,
			       "--link %s: cannot link to a non running "
			       "container: /%s AS /%s/%s",
			       link, c.name, o->container->name, alias);
	buf_addf(b, "%s\t%s %.12s", ip, alias, c.id);
	if (strcmp(alias, c.name) != 0)
		buf_addf(b, " %s", c.name);
	buf_addc(b, '\n');
	return 0;
}

int names_check_links(const struct net_of *o, const struct run_spec *s,
		      struct err *e)
{
	autobuf struct buf b = buf_make(HOSTS_MAX);

	for (size_t i = 0; i < s->links.n; i++)
		if (add_link(o, s, s->links.v[i], &b, e) < 0)
			return -1;
	return 0;
}

/*
 * The first bridge: there the gateway is the host itself. Of what is on an
 * interface of the host's the gateway is somebody else.
 */
static const struct net_end *host_side(const struct net_state *st)
{
	for (size_t i = 0; i < st->n_ends; i++)
		if (st->ends[i].host &&
		    (st->ends[i].gateway || st->ends[i].gateway6))
			return &st->ends[i];
	return NULL;
}

static bool is_added(const struct run_spec *s, const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < s->add_hosts.n; i++)
		if (strcspn(s->add_hosts.v[i], ":") == n &&
		    !memcmp(s->add_hosts.v[i], name, n))
			return true;
	return false;
}

/* What docker and podman call it, and what --add-host does. */
static void add_host_names(const struct run_spec *s, const struct net_state *st,
			   struct buf *b)
{
	static const char *const names[] = {"host.docker.internal",
					    "host.containers.internal"};
	const struct net_end *const host = host_side(st);
	const char *const ip = !host           ? NULL
			       : host->gateway ? host->gateway
					       : host->gateway6;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!is_added(s, names[i]))
			add_own(ip, names[i], strlen(names[i]), b);
	for (size_t i = 0; i < s->add_hosts.n; i++) {
		const char *const w = s->add_hosts.v[i];
		const size_t k = strcspn(w, ":");

		if (strcmp(w + k, ":host-gateway") != 0)
			continue;
		if (!ip)
			log_warn("ignoring --add-host %s: the container has no "
				 "network whose gateway is the host",
				 w);
		add_own(ip, w, k, b);
	}
}

int names_own(const struct net_of *o, const struct run_spec *s,
	      const struct net_state *st, struct err *e)
{
	autobuf struct buf b = buf_make(HOSTS_MAX);
	const char *const name = s->hostname ? s->hostname : o->container->id;
	const size_t n = s->hostname ? strlen(name) : 12;

	for (size_t i = 0; i < st->n_ends; i++) {
		add_own(st->ends[i].ip, name, n, &b);
		add_own(st->ends[i].ip6, name, n, &b);
	}
	add_host_names(s, st, &b);
	for (size_t i = 0; i < s->links.n; i++) {
		struct err ignored = {0};

		(void)add_link(o, s, s->links.v[i], &b, &ignored);
	}
	return change(o->container->dir_fd, "hosts", OWN, buf_str(&b), st, e);
}

/* ---- the others' ---------------------------------------------------------------------- */

struct roll {
	int root_fd;
	const char *what;
	struct buf block;
	struct strv ids;
};

static int add_member(void *ctx, const char *address, const char *id,
		      const char *names, struct err *e)
{
	struct roll *const r = ctx;
	bool known = false;

	(void)e;
	if (*names)
		buf_addf(&r->block, "%s\t%s\n", address, names);
	/* It is there once for each family. */
	for (size_t i = 0; i < r->ids.n && !known; i++)
		known = !strcmp(r->ids.v[i], id);
	if (!known)
		strv_add(&r->ids, id);
	return 0;
}

static void tell_all(const struct roll *r)
{
	for (size_t i = 0; i < r->ids.n; i++) {
		autofree char *path =
			xasprintf("containers/%s/hosts", r->ids.v[i]);
		struct err one = {0};

		/* One whose file cannot be written must not stop the others. */
		if (change(r->root_fd, path, r->what, buf_str(&r->block), NULL,
			   &one) < 0)
			log_warn("ignoring: container %.12s: %s", r->ids.v[i],
				 one.text);
	}
}

int names_tell(int root_fd, const char *network, struct err *e)
{
	autofree char *what = xasprintf("network %s", network);
	struct roll r = {
		.root_fd = root_fd, .what = what, .block = buf_make(HOSTS_MAX)};
	autoclose int lock = -1;
	int rc;

	if (!strcmp(network, NETDEF_DEFAULT)) {
		buf_free(&r.block);
		return 0;
	}
	STEP(e, "names", "in network %s", network);
	lock = book_lock(root_fd, network, e);
	rc = lock < 0 ? -1 : book_each(root_fd, network, add_member, &r, e);
	if (rc == 0)
		tell_all(&r);
	buf_free(&r.block);
	strv_free(&r.ids);
	return rc;
}
