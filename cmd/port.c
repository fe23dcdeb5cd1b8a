#include <string.h>

#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"
#include "cmd/ctr_text.h"
#include "runtime/net/net.h"

/* "80" is "80/tcp". */
static bool is_asked(const char *asked, const char *port)
{
	const char *const rest = asked ? str_after(port, asked) : "";

	return rest && (!*rest || !strcmp(rest, "/tcp"));
}

static int print_ports(const struct net_state *s, const char *asked)
{
	int n = 0;

	for (size_t i = 0; i < s->n_ports; i++) {
		const struct net_port *const p = &s->ports[i];
		autofree char *port = xasprintf("%u/%s", p->port, p->protocol);
		autofree char *host = ctr_text_host_port(p);

		if (!is_asked(asked, port))
			continue;
		if (asked)
			out_line("%s", host);
		else
			out_line("%s -> %s", port, host);
		n++;
	}
	return n;
}

static int port_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	const char *const asked = argc > 1 ? argv[1] : NULL;
	autoctr struct ctr r = {0};
	autocontainer struct container c = CONTAINER_NONE;
	autonetstate struct net_state s = {0};
	int n = 0;

	(void)fields;
	if (ctr_open(g, &r, e) < 0 ||
	    container_open(&r.home, argv[0], &c, e) < 0 ||
	    net_state_read(c.dir_fd, &s, e) < 0)
		return -1;
	if (lock_is_held(c.lock_fd))
		n = print_ports(&s, asked);
	if (asked && n == 0)
		return err_set(e, ERR_NOTFOUND,
			       "No public port '%s%s' published for %s", asked,
			       strchr(asked, '/') ? "" : "/tcp", argv[0]);
	return 0;
}

extern const struct command cmd_port;
const struct command cmd_port = {
	.name = "port",
	.operands = "CONTAINER [PORT[/PROTOCOL]]",
	.summary = "Show where a container's ports are published",
	.min_operands = 1,
	.max_operands = 2,
	.run = port_run,
};
