#include "user_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"

#define TUN "/dev/net/tun"

/* Where it is; NULL: it is not installed. */
static char *find_program(const char *name)
{
	const char *p = getenv("PATH");

	while (p && *p) {
		const size_t n = strcspn(p, ":");
		autofree char *path = xasprintf("%.*s/%s", (int)n, p, name);

		if (n && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
			return take_ptr(&path);
		p += n + (p[n] == ':');
	}
	return NULL;
}

static bool is_installed(const char *name)
{
	autofree char *path = find_program(name);

	return path != NULL;
}

bool user_net_pasta_is_old(void)
{
	/* An option since then, which is in its help. */
	static const char word[] = "map-host-loopback";
	autofree char *path = find_program("pasta");
	autobuf struct buf program = buf_make(MIB(4));
	struct err ignored = {0};

	return path && fs_read_at(AT_FDCWD, path, &program, &ignored) == 0 &&
	       !memmem(program.p, program.len, word, strlen(word));
}

int user_net_tun(struct err *e)
{
	autoclose int fd = open(TUN, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd >= 0)
		return 0;
	(void)err_sys(e, "open", TUN);
	if (e->sys == ENOENT || e->sys == ENODEV)
		return err_hint(e, "root can load the module: modprobe tun");
	if (stat(TUN, &st) == 0)
		return err_hint(e,
				"its mode is %04o; udev makes it 0666, and "
				"root can: chmod 0666 " TUN,
				st.st_mode & 07777);
	return -1;
}

/* A default route in text of /proc/net/route or /proc/net/ipv6_route. */
static bool has_default(const char *text, bool v6)
{
	const char *const any6 = "00000000000000000000000000000000 00 ";
	const char *p = text;

	while (*p) {
		const size_t n = strcspn(p, "\n");
		const char *const tab = v6 ? NULL : memchr(p, '\t', n);

		if (tab && str_starts(tab, "\t00000000\t"))
			return true;
		/* The one behind which nothing is, is of lo. */
		if (v6 && str_starts(p, any6) &&
		    memcmp(p + n - 2, "lo", 2) != 0)
			return true;
		p += n + (p[n] == '\n');
	}
	return false;
}

static bool host_has_route(void)
{
	static const char *const files[] = {"/proc/self/net/route",
					    "/proc/self/net/ipv6_route"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		autobuf struct buf text = buf_make(MIB(1));
		struct err ignored = {0};

		if (fs_read_at(AT_FDCWD, files[i], &text, &ignored) == 0 &&
		    has_default(buf_str(&text), i == 1))
			return true;
	}
	return false;
}

static int no_route(struct err *e)
{
	(void)err_set(e, ERR_UNSUPPORTED,
		      "pasta: the host has no default route, from which it "
		      "takes its addresses");
	return err_hint(e, "slirp4netns needs none (package slirp4netns, "
			   "--network slirp4netns)");
}

int user_net_choose(const char **ret, struct err *e)
{
	const bool pasta = is_installed("pasta");

	if (pasta && host_has_route())
		*ret = "pasta";
	else if (is_installed("slirp4netns"))
		*ret = "slirp4netns";
	else if (pasta)
		return no_route(e);
	else {
		(void)err_set(e, ERR_NOTFOUND,
			      "neither pasta nor slirp4netns is installed");
		return err_hint(e, "install the package passt (or "
				   "slirp4netns)");
	}
	return user_net_tun(e);
}

int user_net_usable(const char *how, struct err *e)
{
	const bool pasta = user_net_is_pasta(how);
	const char *const name = pasta ? "pasta" : "slirp4netns";
	const char *const package = pasta ? "passt" : "slirp4netns";

	if (!is_installed(name)) {
		(void)err_set(e, ERR_NOTFOUND, "%s is not installed", name);
		return err_hint(e, "install the package %s", package);
	}
	if (pasta && !host_has_route())
		return no_route(e);
	return user_net_tun(e);
}
