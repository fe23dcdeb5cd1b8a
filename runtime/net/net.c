/*
 * How it works.
 *
 *   up    the file "network" is made, empty: whoever finds it there has
 *         something to take back
 *         addresses are reserved (book.h); they say themselves whose they are
 *         the file says all that is to be
 *         interfaces, addresses, routes, rules
 *         hosts files
 *   down  rules, addresses, hosts files; at last the file
 *
 * Where the file is empty the way up was cut short between its first two steps,
 * and the whole book is searched.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/net/book.h"
#include "runtime/net/forward.h"
#include "runtime/net/names.h"
#include "runtime/net/net_place.h"
#include "runtime/net/net_user.h"
#include "runtime/net/netdef.h"
#include "runtime/net/nftforeign.h"
#include "runtime/net/ports.h"
#include "runtime/net/publish.h"
#include "runtime/spec_file.h"

struct net_live {
	struct forward *forward; /* NULL: there is nothing to carry yet */
	int dir_fd;              /* of the container */
	struct stat seen;        /* the file "network", as it was read */
};

/* ---- up ----------------------------------------------------------------------------- */

/* There already: left by a start before, whose container is dead. */
static int mark(const struct net_of *o, struct err *e)
{
	for (int i = 0; i < 2; i++) {
		const int fd =
			openat(o->container->dir_fd, "network",
			       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd >= 0)
			return close(fd);
		if (errno != EEXIST)
			break;
		if (net_down(o, e) < 0)
			return -1;
	}
	return err_sys(e, "openat", "network");
}

static void warn_of_others(const char *bridge)
{
	autobuf struct buf b = buf_make(KIB(64));
	const char *line;
	size_t n;

	nftforeign_warn(bridge, &b);
	for (line = buf_str(&b); *line; line += n + 1) {
		n = strcspn(line, "\n");
		log_warn("%.*s", (int)n, line);
	}
}

static int open_firewall(const struct net_of *o, const struct net_place *places,
			 const struct net_state *st, struct err *e)
{
	for (size_t i = 0; i < st->n_ends; i++) {
		const int rc = publish_up(st, i, &places[i].def,
					  o->container->name, e);

		if (rc < 0)
			return -1;
		/* Once, not for each container. */
		if (rc > 0)
			warn_of_others(places[i].def.link);
	}
	return 0;
}

/* held: the ports, reserved before anything is seen of us. */
static int raise_all(const struct net_of *o, const struct run_spec *s,
		     struct net_place *places, struct net_state *st,
		     struct ports *held, pid_t init, int pidfd, struct err *e)
{
	size_t by;

	for (size_t i = 0; i < s->n_nets; i++, st->n_ends++)
		if (net_place_find(o, s, &s->nets[i], st, &places[i], e) < 0)
			return -1;
	crash_point("net-reserved");
	by = publish_by(st);
	if (by < st->n_ends &&
	    publish_reserve(s, &places[by].def, st, held, e) < 0)
		return -1;
	st->outlives = s->pid_ns != NS_OWN;
	if (net_state_write(o->container->dir_fd, st, true, e) < 0)
		return -1;
	crash_point("net-written");
	for (size_t i = 0; i < st->n_ends; i++)
		if (net_place_attach(o, &places[i], &st->ends[i],
				     i == net_way_out(st), init, pidfd, e) < 0)
			return -1;
	crash_point("net-linked");
	if (open_firewall(o, places, st, e) < 0)
		return -1;
	/* The others know it all the same. */
	if (!s->no_hosts && names_own(o, s, st, e) < 0)
		return -1;
	for (size_t i = 0; i < st->n_ends; i++)
		if (names_tell(o->home->root_fd, st->ends[i].network, e) < 0)
			return -1;
	crash_point("net-named");
	return 0;
}

/* Without a bridge it has ports when one comes (net_live_poke). */
static int carry(const struct net_of *o, const struct run_spec *s,
		 const struct net_state *st, struct ports *held,
		 struct net_live **ret, struct err *e)
{
	struct forward *f;

	if (publish_carry(st, held, &f, e) < 0)
		return -1;
	if (f || (s->net == NET_NETS && (s->n_ports || s->publish_all))) {
		*ret = xcalloc(1, sizeof(**ret));
		(*ret)->forward = f;
		(*ret)->dir_fd = o->container->dir_fd;
	}
	return 0;
}

static int up(const struct net_of *o, const struct run_spec *s, pid_t init,
	      int pidfd, struct net_live **ret, struct err *e)
{
	autoports struct ports held = {0};
	autonetstate struct net_state st = {0};
	struct net_place *const places =
		xcalloc(s->n_nets + 1, sizeof(*places));
	int rc;
	STEP(e, "network", "bring it up");

	st.ends = xcalloc(s->n_nets + 1, sizeof(*st.ends));
	rc = names_check_links(o, s, e) < 0 ? -1 : mark(o, e);
	crash_point("net-marked");
	if (rc == 0)
		rc = s->net == NET_USER ? net_user_up(o, s, init, &st, e)
					: raise_all(o, s, places, &st, &held,
						    init, pidfd, e);
	if (rc == 0)
		rc = carry(o, s, &st, &held, ret, e);
	for (size_t i = 0; i < s->n_nets; i++)
		netdef_free(&places[i].def);
	free(places);
	return rc;
}

int net_up(const struct net_of *o, const struct run_spec *s, pid_t init,
	   int pidfd, struct net_live **ret, struct err *e)
{
	struct run_spec now = *s;
	int rc = spec_file_nets_read(o->container->dir_fd, &now, e);

	*ret = NULL;
	if (rc == 1) {
		rc = up(o, &now, init, pidfd, ret, e);
		spec_file_nets_free(&now);
	} else if (rc == 0) {
		rc = up(o, s, init, pidfd, ret, e);
	}
	if (rc == 0)
		return 0;
	if (!s->net_chosen || e->sys != EPERM)
		return -1;
	/* Nobody asked for it, and not everybody who is root may have one. */
	log_warn("no network but loopback: %s", e->text);
	err_clear(e);
	return net_down(o, e);
}

/* ---- while it runs --------------------------------------------------------------------- */

int net_live_fd(const struct net_live *l)
{
	return l ? forward_fd(l->forward) : -1;
}

/* network connect and disconnect tell us nothing: the file does (replaced). */
static void follow(struct net_live *l)
{
	autonetstate struct net_state st = {0};
	struct err ignored = {0};
	struct stat now;

	if (fstatat(l->dir_fd, "network", &now, 0) < 0 ||
	    (now.st_ino == l->seen.st_ino &&
	     now.st_ctim.tv_sec == l->seen.st_ctim.tv_sec &&
	     now.st_ctim.tv_nsec == l->seen.st_ctim.tv_nsec))
		return;
	if (net_state_read(l->dir_fd, &st, &ignored) < 0)
		return;
	l->seen = now;
	publish_follow(&st, l->forward);
}

void net_live_turn(struct net_live *l)
{
	follow(l);
	forward_turn(l->forward);
}

void net_live_poke(struct net_live *l)
{
	autonetstate struct net_state st = {0};
	autoports struct ports held = {0};
	struct err e = {0};

	if (!l || l->forward)
		return;
	if (net_state_read(l->dir_fd, &st, &e) < 0 || st.n_ports == 0)
		return;
	if (publish_hold(&st, &held, &e) < 0 ||
	    publish_carry(&st, &held, &l->forward, &e) < 0)
		log_warn("ignoring: %s", e.text);
}

void net_live_free(struct net_live *l)
{
	if (l)
		forward_free(l->forward);
	free(l);
}

/* ---- down ------------------------------------------------------------------------------ */

int net_lock(int dir_fd, struct err *e)
{
	autoclose int fd =
		openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* A file to lock would be one more that has to go. */
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_sys(e, fd < 0 ? "openat" : "flock", "network");
	return take_fd(&fd);
}

int net_down(const struct net_of *o, struct err *e)
{
	const int dir = o->container->dir_fd;
	autonetstate struct net_state st = {0};
	struct err why = {0};
	autoclose int lock = -1;
	STEP(e, "network", "take it back");

	if (faccessat(dir, "network", F_OK, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "faccessat", "network");
	lock = net_lock(dir, e);
	if (lock < 0)
		return -1;
	if (net_state_read(dir, &st, &why) < 0)
		log_warn("ignoring: %s", why.text);
	net_user_down(&st);
	if (st.n_ends == 0 && !st.user &&
	    book_release_all(o->home->root_fd, o->container->id, e) < 0)
		return -1;
	if (st.joining && net_place_forget(o, st.joining, e) < 0)
		return -1;
	for (size_t i = 0; i < st.n_ends; i++)
		if (publish_down(&st, i, e) < 0 ||
		    net_place_end(o, &st, &st.ends[i], e) < 0)
			return -1;
	crash_point("net-ended");
	if (unlinkat(dir, "network", 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "network");
	return 0;
}

/* ---- another name ---------------------------------------------------------------------- */

int net_rename(const struct net_of *o, struct err *e)
{
	const struct container *const c = o->container;
	const int root = o->home->root_fd;
	autonetstate struct net_state st = {0};
	STEP(e, "network", "tell the name %s", c->name);

	if (net_state_read(c->dir_fd, &st, e) < 0)
		return -1;
	for (size_t i = 0; i < st.n_ends; i++)
		if (book_rename(root, st.ends[i].network, c->id, c->name, e) <
			    0 ||
		    names_tell(root, st.ends[i].network, e) < 0)
			return -1;
	return 0;
}

/* ---- again ---------------------------------------------------------------------------- */

static int again(const struct net_of *o, const struct net_state *st, size_t i,
		 struct buf *warnings, struct err *e)
{
	autonetdef struct netdef d = {0};

	if (netdef_load(o->home->root_fd, st->ends[i].network, &d, e) < 0 ||
	    publish_up(st, i, &d, o->container->name, e) < 0)
		return -1;
	if (d.driver == NETDEF_BRIDGE)
		nftforeign_warn(d.link, warnings);
	return 0;
}

int net_reload(const struct net_of *o, struct buf *warnings, struct err *e)
{
	const int dir = o->container->dir_fd;
	autonetstate struct net_state st = {0};
	autoclose int lock = net_lock(dir, e);

	/* Where it has ended, or is not up yet, there is nothing to be read. */
	if (lock < 0 || net_state_read(dir, &st, e) < 0)
		return -1;
	for (size_t i = 0; i < st.n_ends; i++) {
		struct err one = {0};

		if (again(o, &st, i, warnings, &one) == 0)
			continue;
		if (err_is(e))
			buf_addf(warnings, "%s\n", one.text);
		else
			*e = one;
	}
	if (err_is(e))
		return -1;
	/* A rename that was killed. */
	return net_rename(o, e) < 0 ? -1 : st.n_ends > 0;
}
