/*
 * The kernel's tables of sockets say which inode has the port; one of the open
 * files in /proc is that socket.
 */
#include "portowner.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/net/ports.h"

#define NAME_SHOWN 12 /* digits of a container's id */
#define INODES_MAX 8

struct inodes {
	uint64_t v[INODES_MAX];
	size_t n;
};

/* The word after n others; "" past the end. */
static const char *word(const char *line, int n)
{
	line += strspn(line, " ");
	while (n-- > 0) {
		line += strcspn(line, " \n");
		line += strspn(line, " ");
	}
	return line;
}

static bool has_port(const char *line, uint16_t port)
{
	const char *const address = word(line, 1);
	const char *const colon = strchr(address, ':');
	char hex[8];

	(void)snprintf(hex, sizeof(hex), ":%04X ", port);
	return colon && !strncmp(colon, hex, strlen(hex));
}

/* sl local remote st queues timer retransmits uid timeout inode ... */
static void read_table(const char *name, uint16_t port, struct inodes *ret)
{
	autobuf struct buf b = buf_make(MIB(16));
	struct err ignored = {0};
	const char *line;

	if (fs_read_at(AT_FDCWD, name, &b, &ignored) < 0)
		return;
	for (line = strchr(buf_str(&b), '\n'); line && line[1];
	     line = strchr(line + 1, '\n')) {
		const char *const inode = word(line + 1, 9);

		if (has_port(line + 1, port) && ret->n < INODES_MAX &&
		    str_to_u64n(inode, strcspn(inode, " \n"), UINT64_MAX,
				&ret->v[ret->n]) &&
		    ret->v[ret->n])
			ret->n++;
	}
}

static bool is_one(const char *link, const struct inodes *in)
{
	for (size_t i = 0; i < in->n; i++) {
		char want[40];

		(void)snprintf(want, sizeof(want), "socket:[%llu]",
			       (unsigned long long)in->v[i]);
		if (!strcmp(link, want))
			return true;
	}
	return false;
}

/* A monitor has its container's spec.json open: whose directory is its id. */
static bool take_id(const char *link, char ret[PORTOWNER_MAX])
{
	static const char dir[] = "/containers/";
	const char *const at = strstr(link, dir);

	if (!at || !str_ends(link, "/spec.json"))
		return false;
	(void)snprintf(ret, PORTOWNER_MAX, "container %.*s", NAME_SHOWN,
		       at + strlen(dir));
	return true;
}

/* 1: it has the socket; and in ret whose it is, if that can be told here. */
static bool look_at_files(const char *pid, const struct inodes *in,
			  char ret[PORTOWNER_MAX])
{
	char path[300];
	autodir DIR *d = NULL;
	const struct dirent *x;
	bool has = false;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	d = opendir(path);
	*ret = '\0';
	for (x = d ? readdir(d) : NULL; x; x = readdir(d)) {
		char link[512];
		const ssize_t n =
			readlinkat(dirfd(d), x->d_name, link, sizeof(link) - 1);

		if (n < 0)
			continue;
		link[n] = '\0';
		has = has || is_one(link, in);
		if (!*ret)
			(void)take_id(link, ret);
	}
	return has;
}

static void name_of(const char *pid, char ret[PORTOWNER_MAX])
{
	autobuf struct buf b = buf_make(KIB(4));
	struct err ignored = {0};
	char path[64];
	const char *name;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	(void)fs_read_at(AT_FDCWD, path, &b, &ignored);
	name = buf_str(&b);
	(void)snprintf(ret, PORTOWNER_MAX, "%.*s (pid %s)",
		       (int)strcspn(name, "\n"), name, pid);
}

bool portowner_find(const struct port_map *p, char ret[PORTOWNER_MAX])
{
	const bool udp = !strcmp(p->protocol, "udp");
	struct inodes in = {.n = 0};
	autodir DIR *d = NULL;
	const struct dirent *x;

	*ret = '\0';
	read_table(udp ? "/proc/net/udp" : "/proc/net/tcp", p->host, &in);
	read_table(udp ? "/proc/net/udp6" : "/proc/net/tcp6", p->host, &in);
	d = in.n ? opendir("/proc") : NULL;
	for (x = d ? readdir(d) : NULL; x; x = readdir(d)) {
		if (x->d_name[0] < '0' || x->d_name[0] > '9' ||
		    !look_at_files(x->d_name, &in, ret))
			continue;
		if (!*ret)
			name_of(x->d_name, ret);
		return true;
	}
	*ret = '\0';
	return false;
}
