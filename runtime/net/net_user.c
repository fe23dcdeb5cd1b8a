#include "net_user.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/net/ports.h"
#include "runtime/net/user.h"

static int open_ns(pid_t init, const char *name, struct err *e)
{
	char path[48];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)init, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open", "%s", path) : fd;
}

/* What the container is told to ask stands in its file (netfiles.h). */
static bool asks_program(int dir_fd, const char *how)
{
	autobuf struct buf text = buf_make(MIB(1));
	char line[USER_NET_ADDRESS_MAX + 16];
	char address[USER_NET_ADDRESS_MAX];
	struct err ignored = {0};

	user_net_dns(how, address);
	(void)snprintf(line, sizeof(line), "nameserver %s\n", address);
	return fs_read_at(dir_fd, "resolv.conf", &text, &ignored) == 0 &&
	       strstr(buf_str(&text), line) != NULL;
}

/*
 * Bound to see that they are free, and let go: the program binds them itself.
 * One that somebody takes in between is an error of its.
 */
static int find_ports(const struct run_spec *s, bool v6, struct net_state *st,
		      struct err *e)
{
	const struct ports_wish w = {
		.ports = s->ports,
		.n_ports = s->n_ports,
		.exposed = s->publish_all ? &s->exposed : NULL,
		.no_v6 = !v6,
	};
	autoports struct ports p = {0};

	if (!s->n_ports && !s->publish_all)
		return 0;
	if (ports_reserve(&w, &p, e) < 0)
		return -1;
	st->ports = xcalloc(p.n + 1, sizeof(*st->ports));
	for (; st->n_ports < p.n; st->n_ports++) {
		const struct port_map *const m = &p.v[st->n_ports];
		struct net_port *const to = &st->ports[st->n_ports];
		char ip[IP_TEXT_MAX];

		to->ip = xstrdup(ip_text(&m->ip, ip));
		to->host = m->host;
		to->port = m->port;
		memcpy(to->protocol, m->protocol, sizeof(to->protocol));
	}
	return 0;
}

/* The first udp port where a program on the host's loopback hears no answer. */
static const struct net_port *first_deaf(const struct net_state *st,
					 bool same_is_well)
{
	for (size_t i = 0; i < st->n_ports; i++) {
		const struct net_port *const p = &st->ports[i];
		struct ip a;

		if (!strcmp(p->protocol, "udp") &&
		    !(same_is_well && p->host == p->port) &&
		    ip_parse(p->ip, &a) &&
		    (ports_is_any(&a) || ports_is_loopback(&a)))
			return p;
	}
	return NULL;
}

static void warn_of_pasta(const struct user_net_conf *c,
			  const struct net_state *st)
{
	const struct net_port *const deaf = first_deaf(st, true);

	if ((!deaf && !c->dns) || !user_net_pasta_is_old())
		return;
	if (deaf)
		log_warn("port %u/udp: this pasta (from before 2024_08_21) "
			 "answers nobody on this host's loopback where the two "
			 "numbers of -p differ",
			 deaf->host);
	if (c->dns)
		log_warn("no names: this pasta (from before 2024_08_21) has no "
			 "way to the name server on this host's loopback; name "
			 "another one with --dns, or use --network "
			 "slirp4netns");
}

static void warn_of_slirp(const struct user_net_conf *c,
			  const struct net_state *st)
{
	const struct net_port *const deaf = first_deaf(st, false);

	if (deaf && !user_net_allows_loopback(c->how))
		log_warn("port %u/udp: slirp4netns answers nobody on this "
			 "host's loopback; with --network "
			 "slirp4netns:allow_host_loopback=true it does, and "
			 "what listens there is in the container's reach",
			 deaf->host);
}

static int start(const struct net_of *o, const struct user_net_conf *c,
		 struct net_state *st, struct err *e)
{
	struct user_net u = USER_NET_NONE;
	int rc = user_net_start(c, &u, e);

	if (rc < 0)
		return -1;
	st->user_pid = u.pid;
	crash_point("net-user-started");
	rc = net_state_write(o->container->dir_fd, st, false, e);
	if (rc == 0)
		rc = user_net_wait(&u, c, e);
	if (rc < 0) {
		user_net_end(&u);
		st->user_pid = 0;
		return -1;
	}
	crash_point("net-user-ready");
	(void)user_net_leave(&u);
	return 0;
}

int net_user_up(const struct net_of *o, const struct run_spec *s, pid_t init,
		struct net_state *st, struct err *e)
{
	const char *how = s->net_user;
	autoclose int netns = open_ns(init, "net", e);
	autoclose int userns = netns < 0 ? -1 : open_ns(init, "user", e);
	struct user_net_conf c = {.netns = netns,
				  .userns = userns,
				  .dir_fd = o->container->dir_fd};

	if (netns < 0 || userns < 0)
		return -1;
	if (!how && user_net_choose(&how, e) < 0)
		return -1;
	if (find_ports(s, user_net_is_pasta(how), st, e) < 0)
		return -1;
	c.how = how;
	c.dns = asks_program(c.dir_fd, how);
	c.ports = st->ports;
	c.n_ports = st->n_ports;
	(user_net_is_pasta(how) ? warn_of_pasta : warn_of_slirp)(&c, st);
	st->user = xstrndup(how, strcspn(how, ":"));
	if (net_state_write(o->container->dir_fd, st, false, e) < 0)
		return -1;
	crash_point("net-user-written");
	return start(o, &c, st, e);
}

void net_user_down(const struct net_state *st)
{
	user_net_end_pid(st->user_pid);
}
