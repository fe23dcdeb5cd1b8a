#include "portnear.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/net/ports.h"
#include "runtime/net/sockname.h"

#define TRIES 200

uint16_t portnear_start(void)
{
	autobuf struct buf text = buf_make(32);
	struct err ignored = {0};
	uint64_t n;

	if (fs_read_at(AT_FDCWD,
		       "/proc/sys/net/ipv4/ip_unprivileged_port_start", &text,
		       &ignored) < 0 ||
	    !str_to_u64n(buf_str(&text), strcspn(buf_str(&text), "\n"),
			 UINT16_MAX, &n))
		return 1024;
	return (uint16_t)n;
}

static bool is_free(const struct port_map *p, uint16_t port)
{
	const bool tcp = !strcmp(p->protocol, "tcp");
	union sockname a;
	autoclose int fd =
		socket(p->ip.len == 16 ? AF_INET6 : AF_INET,
		       (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	return fd >= 0 &&
	       bind(fd, &a.any, sockname_make(&a, &p->ip, port)) == 0;
}

uint16_t portnear_find(const struct port_map *p, uint16_t from)
{
	uint32_t port = p->host > from ? p->host : from;

	for (int i = 0; i < TRIES && port <= UINT16_MAX; i++, port++)
		if (port > 0 && is_free(p, (uint16_t)port))
			return (uint16_t)port;
	return 0;
}
