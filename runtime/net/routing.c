#include "routing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/net/nftroute.h"

_Static_assert(ROUTING_V4 == (int)NFTROUTE_V4 && ROUTING_V6 == (int)NFTROUTE_V6,
	       "one set of bits");

/* "pris", which no other program uses. */
#define TAG "1886546291"

static const struct family {
	unsigned int bit;
	const char *name;
	const char *forwarding;
	const char *conf; /* of each interface */
	const char *tag;
} families[] = {
	{ROUTING_V4, "IPv4", "/proc/sys/net/ipv4/ip_forward",
	 "/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv4/conf/all/tag"},
	{ROUTING_V6, "IPv6", "/proc/sys/net/ipv6/conf/all/forwarding",
	 "/proc/sys/net/ipv6/conf", "/proc/sys/net/ipv4/conf/lo/tag"},
};

/* ---- files of a character or a number ------------------------------------------ */

static bool holds(const char *path, const char *value)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	const size_t n = strlen(value);
	char now[16] = "";

	return fd >= 0 && read(fd, now, sizeof(now) - 1) > 0 &&
	       !strncmp(now, value, n) && (now[n] == '\n' || !now[n]);
}

static bool put(const char *path, const char *value)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	const size_t n = strlen(value);

	return fd >= 0 && write(fd, value, n) == (ssize_t)n;
}

unsigned int routing_is_ours(void)
{
	unsigned int ours = 0;

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (holds(families[i].tag, TAG))
			ours |= families[i].bit;
	return ours;
}

unsigned int routing_is_on(void)
{
	unsigned int on = 0;

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (holds(families[i].forwarding, "1"))
			on |= families[i].bit;
	return on;
}

/* ---- what was there before -------------------------------------------------------- */

static bool forwards(const struct family *f, const char *link)
{
	autofree char *path = xasprintf("%s/%s/forwarding", f->conf, link);

	return holds(path, "1");
}

/* One interface forwards although not all do: the administrator set it. */
static bool is_router(const struct family *f)
{
	autodir DIR *d = opendir(f->conf);
	const struct dirent *de;

	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.' && strcmp(de->d_name, "all") != 0 &&
		    strcmp(de->d_name, "default") != 0 &&
		    forwards(f, de->d_name))
			return true;
	return false;
}

/*
 * A line of /proc/net/ipv6_route has nine columns and the interface. The ninth
 * column holds the flags as eight hexadecimal digits; RTF_ADDRCONF, 0x40000,
 * means that a router announced the route.
 */
static bool is_announced(const char *flags)
{
	return strspn(flags, "0123456789abcdef") == 8 &&
	       strchr("4567cdef", flags[3]);
}

static void listen_on(const char *line, size_t n)
{
	autofree char *copy = xstrndup(line, n);
	autofree char *path = NULL;
	const char *at = copy;
	const char *link;

	for (int i = 0; at && i < 8; i++) {
		at = strchr(at, ' ');
		at = at ? at + strspn(at, " ") : NULL;
	}
	if (!at || !is_announced(at))
		return;
	link = at + 8 + strspn(at + 8, " ");
	if (!*link || strchr(link, '/'))
		return;
	path = xasprintf("/proc/sys/net/ipv6/conf/%s/accept_ra", link);
	if (holds(path, "1") && put(path, "2"))
		log_note("set accept_ra to 2 on %s, so that this host still "
			 "listens to the IPv6 routers there",
			 link);
}

static void keep_listening(void)
{
	autobuf struct buf b = buf_make(MIB(4));
	struct err ignored = {0};
	const char *line;
	size_t n;

	if (fs_read_at(AT_FDCWD, "/proc/net/ipv6_route", &b, &ignored) < 0)
		return;
	for (line = buf_str(&b); *line; line += n + (line[n] == '\n')) {
		n = strcspn(line, "\n");
		listen_on(line, n);
	}
}

/* ---- on ------------------------------------------------------------------------------ */

/*
 * Another process may switch on the other family at the same time: the last
 * process to write the chains has seen both numbers.
 */
static int put_chains(struct err *e)
{
	unsigned int ours;

	do {
		ours = routing_is_ours();
		if (nftroute_set(ours, e) < 0)
			return -1;
	} while (routing_is_ours() != ours);
	return 0;
}

static int refuse_others(const struct family *f, struct err *e)
{
	if (!put(f->tag, TAG))
		return err_sys(e, "write", "%s", f->tag);
	crash_point("net-routing-tagged");
	if (put_chains(e) < 0)
		return -1;
	crash_point("net-routing-chains");
	return 0;
}

static int switch_on(const struct family *f, int fd, struct err *e)
{
	const bool router = is_router(f);

	if (!router && refuse_others(f, e) < 0)
		return -1;
	if (f->bit == ROUTING_V6)
		keep_listening();
	if (pwrite(fd, "1", 1, 0) != 1)
		return err_sys(e, "write", "%s", f->forwarding);
	if (router)
		log_note("switched %s forwarding on for all interfaces; "
			 "it was on for some",
			 f->name);
	else
		log_note("switched %s forwarding on, for prism's networks only",
			 f->name);
	return 0;
}

static int need_one(const struct family *f, struct err *e)
{
	autoclose int fd = open(f->forwarding, O_RDWR | O_CLOEXEC);
	char now = '0';

	if (fd < 0 && (errno == EROFS || errno == EACCES)) {
		fd = open(f->forwarding, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && pread(fd, &now, 1, 0) == 1 && now != '0')
			return 0;
		log_warn("%s forwarding is off and %s cannot be written: "
			 "containers reach only this host",
			 f->name, f->forwarding);
		return 0;
	}
	if (fd < 0 || pread(fd, &now, 1, 0) != 1)
		return err_sys(e, "open", "%s", f->forwarding);
	return now == '0' ? switch_on(f, fd, e) : 0;
}

int routing_need(unsigned int wanted, bool fresh, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if ((wanted & families[i].bit) && need_one(&families[i], e) < 0)
			return -1;
	return fresh ? routing_hold(e) : 0;
}

int routing_hold(struct err *e)
{
	int rc;

	if (!routing_is_ours())
		return 0;
	rc = nftroute_is_set(e);
	return rc == 0 ? put_chains(e) : rc > 0 ? 0 : -1;
}

/* ---- off ----------------------------------------------------------------------------- */

unsigned int routing_keep(void)
{
	unsigned int keep = 0;

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct family *const f = &families[i];

		if (!holds(f->tag, TAG))
			continue;
		if (holds(f->forwarding, "0"))
			(void)put(f->tag, "0");
		else
			keep |= f->bit;
	}
	return keep;
}
