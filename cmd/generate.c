/*
 * generate systemd - a unit that brings containers up at boot
 *
 * Without a name it is one unit for all: `prism start --all-restart` starts
 * those whose restart policy says so. With a name it is a unit that starts and
 * stops this container.
 */
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"

/* "/usr/local/bin/prism --root=/x": what was typed here, whole. */
static char *program(const struct globals *g)
{
	char self[4096] = "";
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	autofree char *root = g->root ? xasprintf(" --root=%s", g->root) : NULL;
	autofree char *run =
		g->run_dir ? xasprintf(" --run-dir=%s", g->run_dir) : NULL;

	return xasprintf("%s%s%s", n > 0 ? self : "prism", root ? root : "",
			 run ? run : "");
}

static void print_all(const char *prism)
{
	out_print("# prism.service, made by 'prism generate systemd'\n"
		  "[Unit]\n"
		  "Description=Containers of prism that are to run\n"
		  "Wants=network-online.target\n"
		  "After=network-online.target local-fs.target\n"
		  "\n"
		  "[Service]\n"
		  "Type=oneshot\n"
		  "RemainAfterExit=yes\n"
		  "# What it started lives on its own; a stop by prism would\n"
		  "# count as the user's, and unless-stopped would stay down.\n"
		  "KillMode=none\n"
		  "ExecStart=%s start --all-restart\n"
		  "\n"
		  "[Install]\n"
		  "WantedBy=%s\n",
		  prism, geteuid() ? "default.target" : "multi-user.target");
}

static void print_one(const char *prism, const struct container *c)
{
	out_print("# prism-%s.service, made by 'prism generate systemd %s'\n"
		  "[Unit]\n"
		  "Description=Container %s of prism\n"
		  "Wants=network-online.target\n"
		  "After=network-online.target local-fs.target\n"
		  "\n"
		  "[Service]\n"
		  "Type=exec\n"
		  "Restart=on-failure\n"
		  "TimeoutStopSec=70\n"
		  "ExecStart=%s start --attach %s\n"
		  "ExecStop=%s stop %s\n"
		  "\n"
		  "[Install]\n"
		  "WantedBy=%s\n",
		  c->name, c->name, c->name, prism, c->name, prism, c->name,
		  geteuid() ? "default.target" : "multi-user.target");
}

static int generate_run(const struct globals *g, void *fields, int argc,
			char **argv, struct err *e)
{
	autofree char *prism = program(g);
	autoctr struct ctr r = {0};
	autocontainer struct container c = CONTAINER_NONE;

	(void)fields;
	if (argc == 0) {
		print_all(prism);
		return 0;
	}
	if (ctr_open(g, &r, e) < 0 ||
	    container_open(&r.home, argv[0], &c, e) < 0)
		return -1;
	print_one(prism, &c);
	return 0;
}

extern const struct command cmd_generate_systemd;
const struct command cmd_generate_systemd = {
	.name = "generate systemd",
	.operands = "[CONTAINER]",
	.summary = "Print a systemd unit that starts containers at boot",
	.max_operands = 1,
	.run = generate_run,
};
